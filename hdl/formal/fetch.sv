// The reader asks for nothing outside the ring, whatever the host writes into the producer index
// and whatever data and responses the bus answers: every burst lies in the ring and in one 4 KiB page.
// (That an address stays until it is taken is in fetch_inside.sv.)
module proof(
    input clock, input reset, input enable, input [31:0] pidx,
    input arready, input [127:0] rdata, input [1:0] rresp, input rlast, input rvalid, input tready
);
    (* anyconst *) wire [63:0] base;
    wire [4:0] lines_log2 = LINES_LOG2_OF_UUT;
    wire [63:0] araddr;
    wire [7:0] arlen;
    wire [2:0] arsize;
    wire [1:0] arburst;
    wire arvalid, rready, tvalid, idle;
    wire [127:0] tdata;
    top uut(.clock(clock), .reset(reset), .enable(enable), .base(base), .lines_log2(lines_log2), .pidx(pidx),
        .idle(idle),
        .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst),
        .m_axi_arvalid(arvalid), .m_axi_arready(arready),
        .m_axi_rid(4'd0), .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast), .m_axi_rvalid(rvalid),
        .m_axi_rready(rready),
        .m_axis_tdata(tdata), .m_axis_tvalid(tvalid), .m_axis_tready(tready));

    wire [63:0] ring_bytes = 64'd64 << lines_log2;
    wire [63:0] last = araddr + {arlen, 4'hf};
    always @(*) assume (base[11:0] == 0 && base + ring_bytes > base);

    reg first = 1;
    reg was_enabled = 0;
    reg [7:0] outstanding = 0;  // bursts asked for and not answered whole
    always @(posedge clock) begin
        first <= 0;
        if (reset) outstanding <= 0;
        else outstanding <= outstanding + (arvalid && arready) - (rvalid && rready && rlast);
        was_enabled <= enable;
    end
    // The control block raises `enable` only while the reader is idle.
    always @(*) if (enable && !was_enabled) assume (idle);
    // The bus answers nothing that it was not asked.
    always @(*) if (outstanding == 0) assume (!rvalid);
    always @(*) if (first) assume (reset && !enable);
    always @(*) if (!first && !reset) begin
        assert (rready);
        if (arvalid) begin
            assert (araddr >= base && last < base + ring_bytes);
            assert (araddr[63:12] == last[63:12]);
            assert (arsize == 3'd4 && arburst == 2'd1);
        end
    end
endmodule
