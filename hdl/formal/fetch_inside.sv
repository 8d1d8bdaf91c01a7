// Inside the reader: an address that is offered stays until it is taken, and so does a beat at the output while
// the reader is enabled; and no more bursts are in flight than the geometry allows.
    reg f_first = 1;
    reg f_offered = 0, f_stalled = 0;
    reg [63:0] f_address;
    reg [7:0] f_length;
    reg [127:0] f_data;
    reg [8:0] f_unanswered = 0;     // bursts whose address was taken and whose last beat did not come
    wire f_answered = m_axi_rvalid && m_axi_rlast;
    always @(posedge clock) begin
        f_first <= 0;
        f_offered <= m_axi_arvalid && !m_axi_arready && !reset;
        f_address <= m_axi_araddr;
        f_length <= m_axi_arlen;
        f_stalled <= m_axis_tvalid && !m_axis_tready && enable && !reset;
        f_data <= m_axis_tdata;
        f_unanswered <= reset ? 0 : f_unanswered + (m_axi_arvalid && m_axi_arready) - f_answered;
    end
    always @(*) if (f_first) assume (reset && !enable);
    // The bus answers nothing that it was not asked.
    always @(*) if (f_unanswered == 0) assume (!m_axi_rvalid);
    always @(*) if (!f_first && !reset) begin
        if (f_offered) assert (m_axi_arvalid && m_axi_araddr == f_address && m_axi_arlen == f_length);
        if (f_stalled && enable) assert (m_axis_tvalid && m_axis_tdata == f_data);
        assert (m_axi_arvalid + f_unanswered <= READS_IN_FLIGHT);
        // What ties it to the registers, for the engine: it is the induction's hypothesis.
        assert (address_valid$q == (state$q == State$Ask));
        assert (in_flight$q == f_unanswered + (r_valid$q && r_last$q) + address_valid$q);
        assert (in_flight$q <= READS_IN_FLIGHT);
        if (state$q == State$Decide && may_fly$q) assert (in_flight$q < READS_IN_FLIGHT);
    end
endmodule
