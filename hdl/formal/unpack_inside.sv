// Inside the unpacker, behind its register slice (which has a proof of its own): the batches are read here
// once more, straight from their definition, and every beat that is passed on must be at the output in the next
// cycle, with the marks that belong to it, and stay until it is taken. So no beat is lost, doubled or
// swapped, for any count, lengths and schedule; and none waits that could be taken.
    localparam f_beats = 512 / BITS_OF_BEAT;        // beats of a line
    localparam f_bytes = BITS_OF_BEAT / 8;
    wire f_taken = slice$m_axis_tvalid && slice$m_axis_tready;
    wire [BITS_OF_BEAT-1:0] f_data = slice$m_axis_tdata;
    reg f_first = 1;
    reg f_header = 1;           // the next beat is of a header line
    reg [2:0] f_place = 0;      // beat of the line
    reg [511:0] f_line;         // header line
    reg [511:0] f_rest;         // the same without the lengths of the items that are done
    reg [4:0] f_done;           // items of the batch that are done
    reg [9:0] f_at;             // beats of the item that were taken
    reg [31:0] f_number = 0;    // packets before this item
    reg f_bad;                  // the header line is wrong

    wire f_is_line_end = f_place == f_beats - 1;
    wire [511:0] f_mask = (512'd1 << BITS_OF_BEAT) - 1;
    wire [511:0] f_loaded = (f_line & ~(f_mask << (BITS_OF_BEAT * f_place))) | (f_data << (BITS_OF_BEAT * f_place));
    wire [4:0] f_count = f_line[4:0];
    wire f_is_command = f_line[7:5] == 3'd2;
    wire [15:0] f_length = f_is_command ? 16'd64 : f_rest[31:16];
    wire f_too_long = f_length > 16'd9216;
    wire [9:0] f_needed = f_length == 0 ? 10'd1 : (f_length + f_bytes - 1) / f_bytes;
    wire f_passes = !f_header && f_taken && f_at < f_needed;
    wire f_is_last = f_at == f_needed - 1;
    wire f_item_end = !f_header && f_taken && f_is_line_end && f_at >= f_needed - 1;

    reg f_full = 0;             // a beat is at the output
    reg [BITS_OF_BEAT-1:0] f_out_data;
    reg f_out_last, f_out_command;
    reg [15:0] f_out_length;
    reg [31:0] f_out_number;

    always @(posedge clock) begin
        f_first <= 0;
        f_full <= f_passes || (f_full && !m_axis_tready);
        if (f_passes) begin
            f_out_data <= f_data;
            f_out_last <= f_is_last;
            f_out_command <= f_is_command;
            f_out_length <= f_length;
            f_out_number <= f_number;
        end
        if (f_taken) begin
            f_place <= f_is_line_end ? 0 : f_place + 1;
            if (f_header) begin
                f_line <= f_loaded;
                f_rest <= f_loaded;
                f_header <= !f_is_line_end;
                f_done <= 0;
                f_at <= 0;
                f_bad <= f_loaded[4:0] == 0 || (f_loaded[7:5] != 1 && f_loaded[7:5] != 2)
                    || f_loaded[15:8] != f_number[7:0];
            end else if (f_item_end) begin
                f_at <= 0;
                f_rest <= f_rest >> 16;
                f_done <= f_done + 1;
                f_header <= f_done + 5'd1 == f_count;
                f_number <= f_number + !f_is_command;
            end else
                f_at <= f_at + 1;
        end
        if (reset) begin
            f_header <= 1; f_place <= 0; f_number <= 0; f_full <= 0;
        end
    end

    always @(*) if (f_first) assume (reset);
    always @(*) if (!f_first && !reset) begin
        assert (slice$s_axis_tdata == s_axis_tdata && slice$s_axis_tvalid == s_axis_tvalid);
        assert (s_axis_tready == slice$s_axis_tready);
        assert (m_axis_tvalid == f_full);
        if (f_passes) assert (!f_full || m_axis_tready);
        if (f_full) assert (m_axis_tdata == f_out_data && m_axis_tlast == f_out_last
            && m_axis_command == f_out_command && m_axis_length == f_out_length && m_axis_sequence == f_out_number);
        if (!f_header && (f_bad || f_too_long)) assert (!f_taken);
        else if (!f_header && slice$m_axis_tvalid && (!f_full || m_axis_tready)) assert (f_taken);
        else if (f_header) assert (f_taken == slice$m_axis_tvalid);

        // What ties the two together, for the engine: it is the induction's hypothesis.
        assert (beat$q == f_place && f_place < f_beats && (state$q == State$Header) == f_header);
        assert (next_sequence$q == f_number);
        if (f_header) begin
            assert (((lengths$q ^ (f_line << (512 - BITS_OF_BEAT * f_place))) >> (512 - BITS_OF_BEAT * f_place)) == 0);
        end else begin
            assert (lengths$q == f_rest && items$q == f_count - f_done && is_command$q == f_is_command);
            assert (length$q == f_length && bad_length$q == f_too_long);
            assert ((bad_batch$q || bad_sequence$q) == f_bad);
            if (!f_bad) assert (f_done < f_count);
            assert (f_at % f_beats == f_place);
            if (f_bad || f_too_long) assert (f_at == 0 && state$q != State$Swallow);
            else begin
                assert (state$q == (f_at < f_needed ? State$Pass : State$Swallow));
                assert (f_at < f_needed || f_at / f_beats == (f_needed - 1) / f_beats);
                if (f_at < f_needed)
                    assert (last$q == f_is_last && whole_at$q == f_at + (f_length % f_bytes == 0 ? 2 : 1));
            end
        end
    end
endmodule
