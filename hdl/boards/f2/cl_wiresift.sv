// The card as custom logic behind the AWS F2 shell: registers on OCL (AppPF, BAR0), host memory on PCIM, interrupt on
// user interrupt 0. Not built here, for want of the tools: see ../README.md.
//
//   host ==PCIe==> shell ==OCL==> card registers
//   host <==PCIe== shell <==PCIM writes================== card DMA
//                  shell <==PCIM reads==> read_tags <==== card DMA
//                  shell <--irq_req, irq_ack (pulses)---- card interrupt (levels)

module cl_wiresift #(
    parameter EN_DDR = 0,
    parameter EN_HBM = 0
) (
    `include "cl_ports.vh"
);
`include "cl_id_defines.vh"

    // Reset: of the shell, and of the function while the host resets it. The card stops asking at once; the shell has
    // finished what was in flight when it gives the reset.
    logic [2:0] reset_pipe = '1;
    always_ff @(posedge clk_main_a0) reset_pipe <= {reset_pipe[1:0], !rst_main_n || sh_cl_flr_assert};
    // The shell has a port `reset`, of its virtual JTAG.
    wire card_reset = reset_pipe[2];

    assign cl_sh_flr_done = sh_cl_flr_assert && card_reset;
    assign cl_sh_id0 = `CL_SH_ID0;
    assign cl_sh_id1 = `CL_SH_ID1;
    assign cl_sh_status0 = '0;
    assign cl_sh_status1 = '0;
    assign cl_sh_status2 = '0;
    assign cl_sh_status_vled = '0;
    assign cl_sh_dma_wr_full = '0;
    assign cl_sh_dma_rd_full = '0;

    wire [3:0] awid, arid;
    wire [63:0] araddr;
    wire [7:0] arlen;
    wire arvalid, arready;
    wire [511:0] rdata;
    wire [1:0] rresp;
    wire rlast, rvalid, rready;
    wire [4:0] tag;
    wire irq_req;

    // An id for each read; see there.
    read_tags read_tags (
        .clock(clk_main_a0),
        .reset(card_reset),
        .s_axi_araddr(araddr),
        .s_axi_arlen(arlen),
        .s_axi_arvalid(arvalid),
        .s_axi_arready(arready),
        .s_axi_rdata(rdata),
        .s_axi_rresp(rresp),
        .s_axi_rlast(rlast),
        .s_axi_rvalid(rvalid),
        .s_axi_rready(rready),
        .m_axi_arid(tag),
        .m_axi_araddr(cl_sh_pcim_araddr),
        .m_axi_arlen(cl_sh_pcim_arlen),
        .m_axi_arvalid(cl_sh_pcim_arvalid),
        .m_axi_arready(sh_cl_pcim_arready),
        .m_axi_rid(sh_cl_pcim_rid[4:0]),
        .m_axi_rdata(sh_cl_pcim_rdata),
        .m_axi_rresp(sh_cl_pcim_rresp),
        .m_axi_rlast(sh_cl_pcim_rlast),
        .m_axi_rvalid(sh_cl_pcim_rvalid),
        .m_axi_rready(cl_sh_pcim_rready)
    );

    assign cl_sh_pcim_arid = {11'b0, tag};
    // The only size that the shell takes, and the card's.
    assign cl_sh_pcim_arsize = 3'b110;
    assign cl_sh_pcim_arburst = 2'b01;
    assign cl_sh_pcim_arcache = '0;
    assign cl_sh_pcim_arlock = '0;
    assign cl_sh_pcim_arprot = '0;
    assign cl_sh_pcim_arqos = '0;
    assign cl_sh_pcim_aruser = '0;
    assign cl_sh_pcim_awid = {12'b0, awid};
    assign cl_sh_pcim_awcache = '0;
    assign cl_sh_pcim_awlock = '0;
    assign cl_sh_pcim_awprot = '0;
    assign cl_sh_pcim_awqos = '0;
    assign cl_sh_pcim_awuser = '0;
    assign cl_sh_pcim_wid = '0;
    assign cl_sh_pcim_wuser = '0;

    // The card holds its request until it is acknowledged; the shell wants a pulse and acknowledges with one.
    logic is_asked;
    always_ff @(posedge clk_main_a0) begin
        if (card_reset || !irq_req) is_asked <= 1'b0;
        else is_asked <= 1'b1;
    end
    assign cl_sh_apppf_irq_req = {15'b0, irq_req && !is_asked};

    top card (
        .clock(clk_main_a0),
        .reset(card_reset),
        .irq_req(irq_req),
        .irq_ack(sh_cl_apppf_irq_ack[0]),
        .s_axil_awaddr(ocl_cl_awaddr[11:0]),
        .s_axil_awvalid(ocl_cl_awvalid),
        .s_axil_awready(cl_ocl_awready),
        .s_axil_wdata(ocl_cl_wdata),
        .s_axil_wstrb(ocl_cl_wstrb),
        .s_axil_wvalid(ocl_cl_wvalid),
        .s_axil_wready(cl_ocl_wready),
        .s_axil_bresp(cl_ocl_bresp),
        .s_axil_bvalid(cl_ocl_bvalid),
        .s_axil_bready(ocl_cl_bready),
        .s_axil_araddr(ocl_cl_araddr[11:0]),
        .s_axil_arvalid(ocl_cl_arvalid),
        .s_axil_arready(cl_ocl_arready),
        .s_axil_rdata(cl_ocl_rdata),
        .s_axil_rresp(cl_ocl_rresp),
        .s_axil_rvalid(cl_ocl_rvalid),
        .s_axil_rready(ocl_cl_rready),
        .m_axi_arid(arid),
        .m_axi_araddr(araddr),
        .m_axi_arlen(arlen),
        .m_axi_arsize(),
        .m_axi_arburst(),
        .m_axi_arvalid(arvalid),
        .m_axi_arready(arready),
        .m_axi_rid(4'd0),
        .m_axi_rdata(rdata),
        .m_axi_rresp(rresp),
        .m_axi_rlast(rlast),
        .m_axi_rvalid(rvalid),
        .m_axi_rready(rready),
        .m_axi_awid(awid),
        .m_axi_awaddr(cl_sh_pcim_awaddr),
        .m_axi_awlen(cl_sh_pcim_awlen),
        .m_axi_awsize(cl_sh_pcim_awsize),
        .m_axi_awburst(cl_sh_pcim_awburst),
        .m_axi_awvalid(cl_sh_pcim_awvalid),
        .m_axi_awready(sh_cl_pcim_awready),
        .m_axi_wdata(cl_sh_pcim_wdata),
        .m_axi_wstrb(cl_sh_pcim_wstrb),
        .m_axi_wlast(cl_sh_pcim_wlast),
        .m_axi_wvalid(cl_sh_pcim_wvalid),
        .m_axi_wready(sh_cl_pcim_wready),
        .m_axi_bid(sh_cl_pcim_bid[3:0]),
        .m_axi_bresp(sh_cl_pcim_bresp),
        .m_axi_bvalid(sh_cl_pcim_bvalid),
        .m_axi_bready(cl_sh_pcim_bready)
    );

    // What the card has no use for.
    assign cl_sh_dma_pcis_awready = '0;
    assign cl_sh_dma_pcis_wready = '0;
    assign cl_sh_dma_pcis_bid = '0;
    assign cl_sh_dma_pcis_bresp = '0;
    assign cl_sh_dma_pcis_bvalid = '0;
    assign cl_sh_dma_pcis_arready = '0;
    assign cl_sh_dma_pcis_rid = '0;
    assign cl_sh_dma_pcis_rdata = '0;
    assign cl_sh_dma_pcis_rresp = '0;
    assign cl_sh_dma_pcis_rlast = '0;
    assign cl_sh_dma_pcis_ruser = '0;
    assign cl_sh_dma_pcis_rvalid = '0;
    assign cl_sda_awready = '0;
    assign cl_sda_wready = '0;
    assign cl_sda_bresp = '0;
    assign cl_sda_bvalid = '0;
    assign cl_sda_arready = '0;
    assign cl_sda_rdata = '0;
    assign cl_sda_rresp = '0;
    assign cl_sda_rvalid = '0;
    assign cl_sh_ddr_stat_ack = '1;
    assign cl_sh_ddr_stat_rdata = '0;
    assign cl_sh_ddr_stat_int = '0;
    assign tdo = '0;
    assign hbm_apb_paddr_1 = '0;
    assign hbm_apb_pprot_1 = '0;
    assign hbm_apb_psel_1 = '0;
    assign hbm_apb_penable_1 = '0;
    assign hbm_apb_pwrite_1 = '0;
    assign hbm_apb_pwdata_1 = '0;
    assign hbm_apb_pstrb_1 = '0;
    assign hbm_apb_pready_1 = '0;
    assign hbm_apb_prdata_1 = '0;
    assign hbm_apb_pslverr_1 = '0;
    assign hbm_apb_paddr_0 = '0;
    assign hbm_apb_pprot_0 = '0;
    assign hbm_apb_psel_0 = '0;
    assign hbm_apb_penable_0 = '0;
    assign hbm_apb_pwrite_0 = '0;
    assign hbm_apb_pwdata_0 = '0;
    assign hbm_apb_pstrb_0 = '0;
    assign hbm_apb_pready_0 = '0;
    assign hbm_apb_prdata_0 = '0;
    assign hbm_apb_pslverr_0 = '0;
    assign PCIE_EP_TXP = '0;
    assign PCIE_EP_TXN = '0;
    assign PCIE_RP_PERSTN = '0;
    assign PCIE_RP_TXP = '0;
    assign PCIE_RP_TXN = '0;

    // Must be there even where no DDR is in use (shell: cl_ports.vh).
    sh_ddr #(
        .DDR_PRESENT(EN_DDR)
    ) sh_ddr (
        .clk(clk_main_a0),
        .rst_n(1'b1),
        .stat_clk(clk_main_a0),
        .stat_rst_n(1'b1),
        .CLK_DIMM_DP(CLK_DIMM_DP),
        .CLK_DIMM_DN(CLK_DIMM_DN),
        .M_ACT_N(M_ACT_N),
        .M_MA(M_MA),
        .M_BA(M_BA),
        .M_BG(M_BG),
        .M_CKE(M_CKE),
        .M_ODT(M_ODT),
        .M_CS_N(M_CS_N),
        .M_CLK_DN(M_CLK_DN),
        .M_CLK_DP(M_CLK_DP),
        .M_PAR(M_PAR),
        .M_DQ(M_DQ),
        .M_ECC(M_ECC),
        .M_DQS_DP(M_DQS_DP),
        .M_DQS_DN(M_DQS_DN),
        .cl_RST_DIMM_N(RST_DIMM_N)
    );
endmodule
