// The record packer gives back one credit for each result and never one more, loses none while its
// output is taken, and keeps a line until it is taken.
module proof(
    input clock, input reset, input valid, input commit, input silent, input [31:0] sequence_number,
    input acl_valid, input has_id, input idle, input m_ready, input hits_valid, input has_hit, input overflow,
    input many_hits, input deferred, input present
);
    wire credit, m_valid;
    wire [511:0] m_data;
    top uut(.clock(clock), .reset(reset), .out_valid(valid), .out_commit(commit), .out_silent(silent),
        .out_sequence(sequence_number), .out_length(16'd60), .out_flags({1'b0, deferred, 14'd0}), .out_version(16'd1),
        .out_acl_valid(acl_valid), .out_acl(20'd5), .out_ids_count({3'd0, has_id}), .out_ids(120'd0),
        .hits_valid(hits_valid), .hits_count(many_hits ? 4'd7 : {3'd0, has_hit}), .hits_ids(192'd0), .hits_overflow(overflow),
        .hits_present({4'd0, present}),
        .credit(credit), .records_log2(5'd8), .idle(idle),
        .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready));

    localparam CREDITS = CREDITS_OF_UUT;
    reg first = 1, was_stalled = 0;
    reg [7:0] inside = 0;       // results whose credit was not given back
    reg [7:0] hits_inside = 0;  // lists of patterns likewise
    reg [7:0] waiting = 0;      // cycles without a credit while a result and its patterns wait and the output is free
    reg [127:0] was;
    always @(posedge clock) begin
        first <= 0;
        was_stalled <= m_valid && !m_ready && !reset;
        was <= m_data[127:0];
        if (reset) begin
            inside <= 0; hits_inside <= 0; waiting <= 0;
        end else begin
            inside <= inside + valid - credit;
            hits_inside <= hits_inside + hits_valid - credit;
            waiting <= (inside != 0 && hits_inside != 0 && !credit && m_ready) ? waiting + 1 : 0;
        end
    end
    // The window lets in no more than there are credits.
    always @(*) if (inside == CREDITS) assume (!valid);
    always @(*) if (hits_inside == CREDITS) assume (!hits_valid);
    always @(*) if (first) assume (reset);
    always @(*) if (!first && !reset) begin
        if (credit) assert (inside != 0 && hits_inside != 0);
        assert (inside <= CREDITS && hits_inside <= CREDITS);
        assert (waiting <= 5);
        if (was_stalled) assert (m_valid && m_data[127:0] == was);
    end
endmodule
