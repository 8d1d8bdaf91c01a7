// The card on an Alveo U55C: the bridge for PCI Express (XDMA 4.1 in its mode AXI_Bridge, Gen3 x16, 512 bits at 250 MHz)
// and the card `line`. Not built here, for want of the tools: see ../README.md.
//
//   host ==PCIe==> bridge ==m_axib==> csr_bridge ==> card registers (BAR0)
//   host <==PCIe== bridge <==s_axib================= card DMA (host memory)
//                  bridge <--usr_irq---------------- card interrupt (MSI-X vector 0)

`default_nettype none

module wiresift_u55c (
    input wire pcie_refclk_p,
    input wire pcie_refclk_n,
    input wire pcie_rstn,
    output wire [15:0] pci_exp_txp,
    output wire [15:0] pci_exp_txn,
    input wire [15:0] pci_exp_rxp,
    input wire [15:0] pci_exp_rxn,
    // Tells the board's controller that the HBM is too hot; there is no HBM in use, and it must not float.
    output wire hbm_cattrip
);
    assign hbm_cattrip = 1'b0;

    wire sys_clk, sys_clk_gt, sys_rst_n;
    IBUFDS_GTE4 #(
        .REFCLK_HROW_CK_SEL(2'b00)
    ) refclk_buffer (
        .I(pcie_refclk_p),
        .IB(pcie_refclk_n),
        .CEB(1'b0),
        .O(sys_clk_gt),
        .ODIV2(sys_clk)
    );
    IBUF reset_buffer (
        .I(pcie_rstn),
        .O(sys_rst_n)
    );

    wire clock, resetn;
    // A reset of the function or of the slot comes as this reset; the card wants it synchronous and active high.
    (* ASYNC_REG = "TRUE" *) reg [2:0] reset_pipe = 3'b111;
    always @(posedge clock) reset_pipe <= {reset_pipe[1:0], ~resetn};
    wire reset = reset_pipe[2];

    wire [3:0] m_axib_awid, m_axib_arid, m_axib_bid, m_axib_rid;
    wire [63:0] m_axib_awaddr, m_axib_araddr;
    wire [7:0] m_axib_awlen, m_axib_arlen;
    wire [2:0] m_axib_awsize, m_axib_arsize;
    wire m_axib_awvalid, m_axib_awready, m_axib_arvalid, m_axib_arready;
    wire [511:0] m_axib_wdata, m_axib_rdata;
    wire [63:0] m_axib_wstrb;
    wire m_axib_wlast, m_axib_wvalid, m_axib_wready, m_axib_rlast, m_axib_rvalid, m_axib_rready;
    wire [1:0] m_axib_bresp, m_axib_rresp;
    wire m_axib_bvalid, m_axib_bready;

    wire [3:0] awid, arid, bid, rid;
    wire [63:0] awaddr, araddr;
    wire [7:0] awlen, arlen;
    wire [2:0] awsize, arsize;
    wire [1:0] awburst, arburst, bresp, rresp;
    wire awvalid, awready, arvalid, arready, wlast, wvalid, wready, bvalid, bready, rlast, rvalid, rready;
    wire [511:0] wdata, rdata;
    wire [63:0] wstrb;
    wire irq_req, irq_ack;

    xdma_0 bridge (
        .sys_clk(sys_clk),
        .sys_clk_gt(sys_clk_gt),
        .sys_rst_n(sys_rst_n),
        .user_lnk_up(),
        .pci_exp_txp(pci_exp_txp),
        .pci_exp_txn(pci_exp_txn),
        .pci_exp_rxp(pci_exp_rxp),
        .pci_exp_rxn(pci_exp_rxn),
        .axi_aclk(clock),
        .axi_aresetn(resetn),
        .usr_irq_req(irq_req),
        .usr_irq_ack(irq_ack),
        .msi_enable(),
        .msi_vector_width(),
        .m_axib_awid(m_axib_awid),
        .m_axib_awaddr(m_axib_awaddr),
        .m_axib_awlen(m_axib_awlen),
        .m_axib_awsize(m_axib_awsize),
        .m_axib_awburst(),
        .m_axib_awprot(),
        .m_axib_awvalid(m_axib_awvalid),
        .m_axib_awready(m_axib_awready),
        .m_axib_awlock(),
        .m_axib_awcache(),
        .m_axib_wdata(m_axib_wdata),
        .m_axib_wstrb(m_axib_wstrb),
        .m_axib_wlast(m_axib_wlast),
        .m_axib_wvalid(m_axib_wvalid),
        .m_axib_wready(m_axib_wready),
        .m_axib_bid(m_axib_bid),
        .m_axib_bresp(m_axib_bresp),
        .m_axib_bvalid(m_axib_bvalid),
        .m_axib_bready(m_axib_bready),
        .m_axib_arid(m_axib_arid),
        .m_axib_araddr(m_axib_araddr),
        .m_axib_arlen(m_axib_arlen),
        .m_axib_arsize(m_axib_arsize),
        .m_axib_arburst(),
        .m_axib_arprot(),
        .m_axib_arvalid(m_axib_arvalid),
        .m_axib_arready(m_axib_arready),
        .m_axib_arlock(),
        .m_axib_arcache(),
        .m_axib_rid(m_axib_rid),
        .m_axib_rdata(m_axib_rdata),
        .m_axib_rresp(m_axib_rresp),
        .m_axib_rlast(m_axib_rlast),
        .m_axib_rvalid(m_axib_rvalid),
        .m_axib_rready(m_axib_rready),
        .s_axib_awid(awid),
        .s_axib_awaddr(awaddr),
        .s_axib_awregion(4'd0),
        .s_axib_awlen(awlen),
        .s_axib_awsize(awsize),
        .s_axib_awburst(awburst),
        .s_axib_awvalid(awvalid),
        .s_axib_awready(awready),
        .s_axib_wdata(wdata),
        .s_axib_wstrb(wstrb),
        .s_axib_wlast(wlast),
        .s_axib_wvalid(wvalid),
        .s_axib_wready(wready),
        .s_axib_bid(bid),
        .s_axib_bresp(bresp),
        .s_axib_bvalid(bvalid),
        .s_axib_bready(bready),
        .s_axib_arid(arid),
        .s_axib_araddr(araddr),
        .s_axib_arregion(4'd0),
        .s_axib_arlen(arlen),
        .s_axib_arsize(arsize),
        .s_axib_arburst(arburst),
        .s_axib_arvalid(arvalid),
        .s_axib_arready(arready),
        .s_axib_rid(rid),
        .s_axib_rdata(rdata),
        .s_axib_rresp(rresp),
        .s_axib_rlast(rlast),
        .s_axib_rvalid(rvalid),
        .s_axib_rready(rready)
    );

    wire [11:0] csr_awaddr, csr_araddr;
    wire csr_awvalid, csr_awready, csr_wvalid, csr_wready, csr_bvalid, csr_bready;
    wire csr_arvalid, csr_arready, csr_rvalid, csr_rready;
    wire [31:0] csr_wdata, csr_rdata;
    wire [3:0] csr_wstrb;
    wire [1:0] csr_bresp, csr_rresp;

    csr_bridge registers (
        .clock(clock),
        .reset(reset),
        .s_axi_awid(m_axib_awid),
        .s_axi_awaddr(m_axib_awaddr),
        .s_axi_awlen(m_axib_awlen),
        .s_axi_awsize(m_axib_awsize),
        .s_axi_awvalid(m_axib_awvalid),
        .s_axi_awready(m_axib_awready),
        .s_axi_wdata(m_axib_wdata),
        .s_axi_wstrb(m_axib_wstrb),
        .s_axi_wlast(m_axib_wlast),
        .s_axi_wvalid(m_axib_wvalid),
        .s_axi_wready(m_axib_wready),
        .s_axi_bid(m_axib_bid),
        .s_axi_bresp(m_axib_bresp),
        .s_axi_bvalid(m_axib_bvalid),
        .s_axi_bready(m_axib_bready),
        .s_axi_arid(m_axib_arid),
        .s_axi_araddr(m_axib_araddr),
        .s_axi_arlen(m_axib_arlen),
        .s_axi_arsize(m_axib_arsize),
        .s_axi_arvalid(m_axib_arvalid),
        .s_axi_arready(m_axib_arready),
        .s_axi_rid(m_axib_rid),
        .s_axi_rdata(m_axib_rdata),
        .s_axi_rresp(m_axib_rresp),
        .s_axi_rlast(m_axib_rlast),
        .s_axi_rvalid(m_axib_rvalid),
        .s_axi_rready(m_axib_rready),
        .m_axil_awaddr(csr_awaddr),
        .m_axil_awvalid(csr_awvalid),
        .m_axil_awready(csr_awready),
        .m_axil_wdata(csr_wdata),
        .m_axil_wstrb(csr_wstrb),
        .m_axil_wvalid(csr_wvalid),
        .m_axil_wready(csr_wready),
        .m_axil_bresp(csr_bresp),
        .m_axil_bvalid(csr_bvalid),
        .m_axil_bready(csr_bready),
        .m_axil_araddr(csr_araddr),
        .m_axil_arvalid(csr_arvalid),
        .m_axil_arready(csr_arready),
        .m_axil_rdata(csr_rdata),
        .m_axil_rresp(csr_rresp),
        .m_axil_rvalid(csr_rvalid),
        .m_axil_rready(csr_rready)
    );

    top card (
        .clock(clock),
        .reset(reset),
        .irq_req(irq_req),
        .irq_ack(irq_ack),
        .s_axil_awaddr(csr_awaddr),
        .s_axil_awvalid(csr_awvalid),
        .s_axil_awready(csr_awready),
        .s_axil_wdata(csr_wdata),
        .s_axil_wstrb(csr_wstrb),
        .s_axil_wvalid(csr_wvalid),
        .s_axil_wready(csr_wready),
        .s_axil_bresp(csr_bresp),
        .s_axil_bvalid(csr_bvalid),
        .s_axil_bready(csr_bready),
        .s_axil_araddr(csr_araddr),
        .s_axil_arvalid(csr_arvalid),
        .s_axil_arready(csr_arready),
        .s_axil_rdata(csr_rdata),
        .s_axil_rresp(csr_rresp),
        .s_axil_rvalid(csr_rvalid),
        .s_axil_rready(csr_rready),
        .m_axi_arid(arid),
        .m_axi_araddr(araddr),
        .m_axi_arlen(arlen),
        .m_axi_arsize(arsize),
        .m_axi_arburst(arburst),
        .m_axi_arvalid(arvalid),
        .m_axi_arready(arready),
        .m_axi_rid(rid),
        .m_axi_rdata(rdata),
        .m_axi_rresp(rresp),
        .m_axi_rlast(rlast),
        .m_axi_rvalid(rvalid),
        .m_axi_rready(rready),
        .m_axi_awid(awid),
        .m_axi_awaddr(awaddr),
        .m_axi_awlen(awlen),
        .m_axi_awsize(awsize),
        .m_axi_awburst(awburst),
        .m_axi_awvalid(awvalid),
        .m_axi_awready(awready),
        .m_axi_wdata(wdata),
        .m_axi_wstrb(wstrb),
        .m_axi_wlast(wlast),
        .m_axi_wvalid(wvalid),
        .m_axi_wready(wready),
        .m_axi_bid(bid),
        .m_axi_bresp(bresp),
        .m_axi_bvalid(bvalid),
        .m_axi_bready(bready)
    );
endmodule

`default_nettype wire
