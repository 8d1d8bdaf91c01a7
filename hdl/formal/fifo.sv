module proof(input clock, input reset, input s_valid, input [3:0] s_data, input m_ready, input mark);
    wire s_ready, m_valid;
    wire [3:0] m_data;
    top uut(.clock(clock), .reset(reset),
        .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready),
        .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready));
    stream #(.BITS(4), .DEPTH(DEPTH_OF_UUT), .LATENCY(LATENCY_OF_UUT)) check(.clock(clock), .reset(reset),
        .s_valid(s_valid), .s_ready(s_ready), .s_data(s_data),
        .m_valid(m_valid), .m_ready(m_ready), .m_data(m_data), .mark(mark));
endmodule
