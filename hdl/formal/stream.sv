// Properties of a stream that goes in at `s` and comes out at `m`, for any depth and any schedule.
//
// Order, loss and doubling: one transfer is marked at an arbitrary moment (`mark` is free) and the
// number of transfers ahead of it is counted down at the output; when none is left, the next
// transfer out must be the marked one. As the moment is arbitrary, this holds for every transfer.
// Loss at the end, where nothing follows, shows as a transfer inside that does not come out within
// LATENCY cycles of an idle output.
module stream #(
    parameter BITS = 4,
    parameter DEPTH = 8,     // transfers inside at most
    parameter LATENCY = 8    // cycles from one inside to valid at the output at most
) (
    input clock, input reset,
    input s_valid, input s_ready, input [BITS-1:0] s_data,
    input m_valid, input m_ready, input [BITS-1:0] m_data,
    input mark
);
    wire push = s_valid && s_ready;
    wire pop = m_valid && m_ready;

    reg first = 1;           // no cycle before this one
    reg was_stalled = 0;     // valid without ready, last cycle
    reg [BITS-1:0] was_data;
    reg [7:0] inside = 0;    // transfers inside
    reg [7:0] waiting = 0;   // cycles with something inside and nothing at the output
    reg marked = 0, done = 0;
    reg [7:0] ahead = 0;
    reg [BITS-1:0] tracked;

    always @(posedge clock) begin
        first <= 0;
        was_stalled <= m_valid && !m_ready && !reset;
        was_data <= m_data;
        if (reset) begin
            inside <= 0; waiting <= 0; marked <= 0; done <= 0; ahead <= 0;
        end else begin
            inside <= inside + push - pop;
            waiting <= (inside != 0 && !m_valid) ? waiting + 1 : 0;
            if (push && mark && !marked) begin
                marked <= 1;
                tracked <= s_data;
                ahead <= inside - pop;
            end
            if (pop && marked && !done) begin
                if (ahead == 0) done <= 1;
                else ahead <= ahead - 1;
            end
        end
    end

    always @(*) if (first) assume (reset);

    always @(*) if (!first && !reset) begin
        if (was_stalled) assert (m_valid && m_data == was_data);
        if (pop) assert (inside != 0);
        assert (inside <= DEPTH);
        assert (waiting <= LATENCY);
        if (pop && marked && !done && ahead == 0) assert (m_data == tracked);
    end
endmodule
