// Inside the record packer. What goes into its FIFO (which has a proof of its own) is the record of the
// result as `abi::c2h` has it; what comes out of the FIFO becomes one to three records; and of those
// none is lost, doubled or swapped: one of them is marked at an arbitrary moment (`f_mark` and `f_which` are
// free), its place behind those that wait is counted, and just there it must stand in the line that goes out. A place
// that no record has is zero, a pad. All lines of a lap have the phase of the lap; what waits goes out soon.
    input wire f_mark;
    input wire [1:0] f_which;
    reg f_first = 1;

    // What goes in.
    wire [251:0] f_in = results$s_axis_tdata;
    wire [15:0] f_in_control = out_silent ? 16'h0 : out_commit ? 16'h6 : {8'h0, out_ids_count, 4'h2};
    wire [31:0] f_in_acl = out_acl_valid && !out_commit ? {12'h0, out_acl} : 32'hffffffff;
    wire [127:0] f_in_verdict = out_silent ? 128'h0 : {f_in_control, out_version,
        out_commit ? 32'h0 : {out_length, out_flags}, f_in_acl, out_sequence};

    // What comes out of the FIFO, and the records that it makes.
    wire [251:0] f_word = results$m_axis_tdata;
    wire [1:0] f_firsts = f_word[249:248], f_seconds = f_word[251:250];
    wire [119:0] f_ids = f_word[247:128];
    wire [127:0] f_record_1 = f_firsts == 0 ? 128'h0 : {10'h0, f_firsts, 4'h4, f_word[15:0],
        12'h0, f_firsts > 2 ? f_ids[59:40] : 20'h0, 12'h0, f_firsts > 1 ? f_ids[39:20] : 20'h0, 12'h0, f_ids[19:0]};
    wire [127:0] f_record_2 = f_seconds == 0 ? 128'h0 : {10'h0, f_seconds, 4'h4, f_word[15:0],
        12'h0, f_seconds > 2 ? f_ids[119:100] : 20'h0, 12'h0, f_seconds > 1 ? f_ids[99:80] : 20'h0, 12'h0, f_ids[79:60]};
    reg f_fresh_valid = 0;
    reg [383:0] f_fresh;
    reg [1:0] f_fresh_count;

    // The marked record.
    wire f_append = go && f_fresh_valid;
    wire [2:0] f_count = held_count$q + (f_fresh_valid ? f_fresh_count : 2'd0);
    reg f_marked = 0;           // some record was marked
    reg f_waits = 0;            // it is among those that wait, behind so many others
    reg [2:0] f_ahead;
    reg f_in_line = 0;          // it is in the line, at that place
    reg [1:0] f_place;
    reg [127:0] f_tracked;
    wire f_mark_now = f_append && f_mark && !f_marked && f_which < f_fresh_count;
    wire [2:0] f_here = f_waits ? f_ahead : held_count$q + f_which;
    wire f_line_made = go && (f_count >= 4 || flush);
    reg [2:0] f_records = 0;    // records of the line, the rest are pads
    reg [29:0] f_lines = 0;     // lines that went out
    reg [6:0] f_quiet = 0;      // cycles in which records waited, nothing came, and the output was free

    always @(posedge clock) begin
        f_first <= 0;
        if (go) begin
            f_fresh_valid <= results$m_axis_tvalid && f_word[115:113] != 0;
            f_fresh <= {f_record_2, f_record_1, f_word[127:0]};
            f_fresh_count <= f_seconds != 0 ? 3 : f_firsts != 0 ? 2 : 1;
            f_in_line <= 0;
            if (f_mark_now) begin
                f_marked <= 1;
                f_tracked <= f_fresh >> (128 * f_which);
            end
            if (f_waits || f_mark_now) begin
                f_in_line <= f_line_made && f_here < 4;
                f_place <= f_here;
                f_waits <= !(f_line_made && f_here < 4);
                f_ahead <= f_line_made ? f_here - 4 : f_here;
            end
            if (f_line_made) f_records <= f_count >= 4 ? 4 : f_count;
            if (whole_valid$q) f_lines <= f_lines + 1;
        end
        f_quiet <= go && !flush && !out_valid && results$count == 0 && !results$m_axis_tvalid && !f_fresh_valid
            && held_count$q != 0 ? f_quiet + 1 : 0;
        if (reset) begin
            f_fresh_valid <= 0; f_marked <= 0; f_waits <= 0; f_in_line <= 0; f_lines <= 0; f_quiet <= 0;
        end
    end

    // The classifier gives no more ids.
    always @(*) assume (out_ids_count <= 6);
    always @(*) if (f_first) assume (reset);
    always @(*) if (!f_first && !reset) begin
        assert (results$s_axis_tvalid == out_valid && results$m_axis_tready == go);
        assert (f_in[127:0] == f_in_verdict && f_in[247:128] == out_ids);
        if (!out_commit) assert (f_in[249:248] + f_in[251:250] == out_ids_count && (f_in[249:248] == 3 || f_in[251:250] == 0));
        else assert (f_in[251:248] == 0);

        assert (fresh_valid$q == f_fresh_valid);
        if (f_fresh_valid) assert (fresh$q == f_fresh && fresh_count$q == f_fresh_count);
        if (f_in_line && go)
            assert (slice$s_axis_tvalid && slice$s_axis_tdata[128 * f_place +: 128] == {f_tracked[127:113],
                !f_lines_lap || f_tracked[112], f_tracked[111:0]});
        assert (slice$s_axis_tvalid == whole_valid$q && go == slice$s_axis_tready);
        assert (m_axis_tdata == slice$m_axis_tdata && m_axis_tvalid == slice$m_axis_tvalid);
        assert (slice$m_axis_tready == m_axis_tready);
        // Of the pads only the phase is set.
        if (whole_valid$q) assert ((slice$s_axis_tdata ^ f_phases) >> (128 * f_records) == 0);
        assert (f_quiet <= 66);

        // What ties it to the registers, for the engine: it is the induction's hypothesis.
        if (f_waits) assert (f_marked && f_ahead < held_count$q && ((held$q >> (128 * f_ahead)) & f_ones) == f_tracked);
        if (f_in_line) assert (f_marked && whole_valid$q && f_place < f_records
            && ((whole$q >> (128 * f_place)) & f_ones) == f_tracked);
        assert (!(f_waits && f_in_line) && held$q >> (128 * held_count$q) == 0);
        if (f_fresh_valid) assert (fresh_count$q != 0 && fresh$q >> (128 * fresh_count$q) == 0);
        if (whole_valid$q) assert (whole$q >> (128 * f_records) == 0);
        assert (index$q == {f_lines, 2'd0});
        assert (f_quiet <= waited$q + 7'd1 || (due$q && f_quiet <= 65));
    end
    wire f_lines_lap = {f_lines, 2'd0} >> records_log2;
    wire [511:0] f_ones = {128{1'b1}};
    wire [511:0] f_phases = !f_lines_lap ? {4{15'd0, 1'b1, 112'd0}} : 512'd0;
endmodule
