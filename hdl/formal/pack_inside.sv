// Inside the record packer. What goes into its FIFOs (which have a proof of their own) is the record of the
// result as `abi::c2h` has it, and the patterns of the same element; what comes out of both becomes one to four records,
// or, where there are ids and patterns, in two steps up to six; and of those
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

    // What comes out of the FIFOs of an element: first verdict and ids, or verdict and patterns; then the patterns. Presence
    // bits (five of them here) stand behind all others.
    wire [251:0] f_word = results$m_axis_tdata;
    wire [202:0] f_found = hits$m_axis_tdata;
    wire f_present = f_found[197] && (f_word[249:248] != 0 || f_word[78]);
    wire f_there = results$m_axis_tvalid && hits$m_axis_tvalid;
    wire f_has_both = f_word[249:248] != 0 && f_found[195:192] != 0;
    reg f_tail_due = 0;
    wire f_done = go && f_there && (f_tail_due || !f_has_both);

    // Joined, a stage later, and the records that they make.
    reg f_joined_valid = 0, f_is_tail, f_are_hits, f_present_now, f_present_at_all;
    reg [251:0] f_joined;
    reg [202:0] f_joined_found;
    wire [3:0] f_hits_count = f_joined_found[195:192], f_hits_behind = f_hits_count - 4'd6;
    wire [2:0] f_hits_1 = f_hits_count > 6 ? 3'd6 : f_hits_count[2:0];
    wire [2:0] f_hits_2 = f_hits_count > 6 ? f_hits_behind[2:0] : 3'd0;
    wire [1:0] f_firsts = f_joined[249:248], f_seconds = f_joined[251:250];
    wire [119:0] f_ids = f_joined[247:128];
    wire [127:0] f_ids_1 = f_firsts == 0 ? 128'h0 : {10'h0, f_firsts, 4'h4, f_joined[15:0],
        12'h0, f_firsts > 2 ? f_ids[59:40] : 20'h0, 12'h0, f_firsts > 1 ? f_ids[39:20] : 20'h0, 12'h0, f_ids[19:0]};
    wire [127:0] f_ids_2 = f_seconds == 0 ? 128'h0 : {10'h0, f_seconds, 4'h4, f_joined[15:0],
        12'h0, f_seconds > 2 ? f_ids[119:100] : 20'h0, 12'h0, f_seconds > 1 ? f_ids[99:80] : 20'h0, 12'h0, f_ids[79:60]};
    wire [127:0] f_found_1 = f_hits_1 == 0 ? 128'h0 : {9'h0, f_hits_1, 4'h8, f_joined[15:0], f_joined_found[95:0]};
    wire [127:0] f_found_2 = f_hits_2 == 0 ? 128'h0 : {9'h0, f_hits_2, 4'h8, f_joined[15:0], f_joined_found[191:96]};
    wire [127:0] f_record_1 = f_are_hits ? f_found_1 : f_ids_1, f_record_2 = f_are_hits ? f_found_2 : f_ids_2;
    wire f_has_1 = f_are_hits ? f_hits_1 != 0 : f_firsts != 0, f_has_2 = f_are_hits ? f_hits_2 != 0 : f_seconds != 0;
    wire [127:0] f_presence = !f_present_now ? 128'h0 : {12'h0, 4'ha, f_joined[15:0], 91'h0, f_joined_found[202:198]};
    // The verdict says how many patterns there are, whether there may be more, and whether presence bits come.
    wire [127:0] f_verdict = f_joined[127:0] | {3'h0, f_present_at_all, f_hits_count, 120'h0} | {50'h0, f_joined_found[196], 77'h0};
    wire [1:0] f_others = f_is_tail ? (f_has_2 ? 2 : f_has_1) : f_has_2 ? 3 : f_has_1 ? 2 : 1;
    reg f_fresh_valid = 0;
    reg [511:0] f_fresh;
    reg [2:0] f_fresh_count;

    // The marked record.
    wire f_append = go && f_fresh_valid;
    wire [2:0] f_count = held_count$q + (f_fresh_valid ? f_fresh_count : 3'd0);
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
            f_joined_valid <= f_there;
            f_joined <= f_word;
            f_joined_found <= f_found;
            f_is_tail <= f_tail_due;
            f_are_hits <= f_tail_due || f_word[249:248] == 0;
            f_tail_due <= f_there && f_has_both && !f_tail_due;
            f_present_now <= f_present && (f_tail_due || !f_has_both);
            f_present_at_all <= f_present;
            f_fresh_valid <= f_joined_valid && f_joined[115:113] != 0;
            f_fresh <= {f_record_2, f_record_1, f_is_tail ? 128'h0 : f_verdict} >> (f_is_tail ? 128 : 0)
                | {384'h0, f_presence} << (128 * f_others);
            f_fresh_count <= f_others + f_present_now;
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
        f_quiet <= go && !flush && !out_valid && results$count == 0 && !results$m_axis_tvalid
            && !f_joined_valid && !f_fresh_valid
            && held_count$q != 0 ? f_quiet + 1 : 0;
        if (reset) begin
            f_joined_valid <= 0; f_tail_due <= 0; f_fresh_valid <= 0; f_marked <= 0; f_waits <= 0; f_in_line <= 0; f_lines <= 0; f_quiet <= 0;
        end
    end

    // Classifier and matcher give no more.
    always @(*) assume (out_ids_count <= 6 && hits_count <= 12);
    always @(*) if (f_first) assume (reset);
    always @(*) if (!f_first && !reset) begin
        assert (results$s_axis_tvalid == out_valid && results$m_axis_tready == f_done);
        assert (hits$s_axis_tvalid == hits_valid && hits$m_axis_tready == f_done);
        assert (hits$s_axis_tdata == {hits_present, hits_present != 0, hits_overflow, hits_count, hits_ids});
        assert (f_in[127:0] == f_in_verdict && f_in[247:128] == out_ids);
        if (!out_commit) assert (f_in[249:248] + f_in[251:250] == out_ids_count && (f_in[249:248] == 3 || f_in[251:250] == 0));
        else assert (f_in[251:248] == 0);

        assert (tail_due$q == f_tail_due && joined_valid$q == f_joined_valid);
        if (f_tail_due) assert (f_there && f_has_both);
        if (f_joined_valid) begin
            assert (joined$q == {f_joined[251:128], f_verdict} && joined_hits$q == f_joined_found[191:0]);
            assert (joined_present$q == f_joined_found[202:198] && has_present$q == f_present_now);
            assert (first_hits$q == f_hits_1 && second_hits$q == f_hits_2);
            assert (are_hits$q == f_are_hits && is_tail$q == f_is_tail && has_first$q == f_has_1 && has_second$q == f_has_2);
            if (f_is_tail) assert (f_are_hits && f_has_1);
            if (f_present_now) assert (f_present_at_all);
        end
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
        if (f_fresh_valid) assert (fresh_count$q != 0 && fresh_count$q <= 4 && fresh$q >> (128 * fresh_count$q) == 0);
        if (whole_valid$q) assert (whole$q >> (128 * f_records) == 0);
        assert (index$q == {f_lines, 2'd0});
        assert (f_quiet <= waited$q + 7'd1 || (due$q && f_quiet <= 65));
    end
    wire f_lines_lap = {f_lines, 2'd0} >> records_log2;
    wire [511:0] f_ones = {128{1'b1}};
    wire [511:0] f_phases = !f_lines_lap ? {4{15'd0, 1'b1, 112'd0}} : 512'd0;
endmodule
