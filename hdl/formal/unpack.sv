// Batches of commands, of any count, under any schedule: every item of a batch comes out once and in
// order, and the output keeps what it offers until it is taken. (Packets are
// in unpack_inside.sv.)
module proof(input clock, input reset, input [511:0] s_data, input s_valid, input m_ready, input mark);
    wire s_ready, m_valid, m_last, m_command, error;
    wire [511:0] m_data;
    wire [15:0] m_length;
    wire [31:0] m_sequence;
    top uut(.clock(clock), .reset(reset), .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready),
        .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tlast(m_last), .m_axis_tready(m_ready),
        .m_axis_command(m_command), .m_axis_length(m_length), .m_axis_sequence(m_sequence), .error(error));

    reg first = 1;
    reg [4:0] items = 0;     // items of the batch still to come
    wire taken = s_valid && s_ready;
    always @(posedge clock) begin
        first <= 0;
        if (reset) items <= 0;
        else if (taken) items <= items == 0 ? s_data[4:0] : items - 1;
    end
    // A header line: at least one item, kind 2, sequence number 0 (commands do not count).
    always @(*) if (items == 0 && s_valid) assume (s_data[4:0] != 0 && s_data[15:5] == 11'd2);

    stream #(.BITS(4), .DEPTH(3), .LATENCY(2)) check(.clock(clock), .reset(reset),
        .s_valid(s_valid && items != 0), .s_ready(s_ready), .s_data(s_data[3:0]),
        .m_valid(m_valid), .m_ready(m_ready), .m_data(m_data[3:0]), .mark(mark));

    reg was_stalled = 0;
    reg [50:0] was;
    always @(posedge clock) begin
        was_stalled <= m_valid && !m_ready && !reset;
        was <= {m_last, m_command, m_length, m_sequence};
    end
    always @(*) if (!first && !reset) begin
        assert (!error);
        if (m_valid) assert (m_last && m_command && m_length == 64);
        if (was_stalled) assert (was == {m_last, m_command, m_length, m_sequence});
    end
endmodule
