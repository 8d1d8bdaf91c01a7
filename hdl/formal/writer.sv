// Under any schedule of the bus, any consumer index and any answer: addresses and data of the writer
// stay until they are taken, every line that is taken gives one address and one beat of data, and
// neither gets ahead of the other by more than the register slices hold. With ADDRESSES: every address is
// that of a line of the ring, or that of the status line.
module proof(
    input clock, input reset, input enable, input [31:0] cidx, input [511:0] s_data, input s_valid,
    input [159:0] told, input arm, input ack, input awready, input wready, input [1:0] bresp, input bvalid
);
    // A ring of four lines (the proof's size) that ends where the low half of the address overflows;
    // the status line lies beside it.
    wire [63:0] base = 64'h0000_0123_ffff_ff00;
    wire [63:0] status_base = 64'h0000_0124_0000_0040;
    wire [63:0] awaddr;
    wire [7:0] awlen;
    wire [511:0] wdata;
    wire [63:0] wstrb;
    wire awvalid, wvalid, wlast, bready, s_ready, idle;
    top uut(.clock(clock), .reset(reset), .enable(enable), .c2h_base(base), .c2h_records_log2(5'd4),
        .c2h_cidx(cidx), .status_base(status_base), .h2c_cidx(told[31:0]), .status(told[63:32]),
        .error_register(told[95:64]), .packets_in(told[127:96]), .irq_arm(arm), .irq_ack(ack),
        .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready), .idle(idle),
        .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awvalid(awvalid), .m_axi_awready(awready),
        .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(wready),
        .m_axi_bid(4'd0), .m_axi_bresp(bresp), .m_axi_bvalid(bvalid), .m_axi_bready(bready));


    wire to_status = awaddr == status_base;
    wire aw = awvalid && awready;
    wire w = wvalid && wready;
    wire b = bvalid && bready;

    reg first = 1, was_enabled = 0, aw_stalled = 0, w_stalled = 0;
    reg [63:0] was_addr;
    reg [7:0] was_data;
    reg [7:0] unanswered = 0;      // writes whose address and data were taken
    reg signed [3:0] ahead = 0;    // addresses taken less data beats taken
    reg [3:0] lines = 0;           // lines taken less ring addresses taken
    always @(posedge clock) begin
        first <= 0;
        was_enabled <= enable;
        aw_stalled <= awvalid && !awready && !reset;
        w_stalled <= wvalid && !wready && !reset;
        was_addr <= awaddr;
        was_data <= wdata[7:0];
        if (reset) begin
            unanswered <= 0; ahead <= 0; lines <= 0;
        end else begin
            unanswered <= unanswered + w - b;
            ahead <= ahead + aw - w;
            lines <= lines + (s_valid && s_ready) - (aw && !to_status);
        end
    end
    // The bus answers writes whose address and data it took; the control block starts only an idle writer.
    always @(*) if (unanswered == 0 || (unanswered == 1 && ahead < 0)) assume (!bvalid);
    always @(*) if (enable && !was_enabled) assume (idle);
    always @(*) if (first) assume (reset && !enable);

    always @(*) if (!first && !reset) begin
        if (awvalid) assert (awlen == 0);
        if (wvalid) assert (wlast && &wstrb);
`ifdef ADDRESSES
        if (awvalid) assert (to_status || (awaddr >= base && awaddr < base + 256 && awaddr[5:0] == 0));
`endif
        if (aw_stalled) assert (awvalid && awaddr == was_addr);
        if (w_stalled) assert (wvalid && wdata[7:0] == was_data);
        assert (bready);
        assert (ahead >= -3 && ahead <= 3);
        assert (lines <= 3);
    end
endmodule
