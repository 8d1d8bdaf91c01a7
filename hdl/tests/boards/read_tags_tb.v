// read_tags between a card that asks for random bursts under one id and stalls, and a shell that answers them in any
// order, interleaved, some with errors. Every answer must come back whole, in order, and with its own response.
`timescale 1ns / 1ps
module read_tags_tb;
    localparam READS = 3000;
    reg clock = 0, reset = 1;
    always #2 clock = ~clock;

    reg [63:0] s_araddr = 0;
    reg [7:0] s_arlen = 0;
    reg s_arvalid = 0, s_rready = 0;
    wire s_arready, s_rlast, s_rvalid;
    wire [511:0] s_rdata;
    wire [1:0] s_rresp;
    wire [4:0] m_arid;
    wire [63:0] m_araddr;
    wire [7:0] m_arlen;
    wire m_arvalid, m_rready;
    reg m_arready = 0, m_rvalid = 0, m_rlast = 0;
    reg [4:0] m_rid = 0;
    reg [511:0] m_rdata = 0;
    reg [1:0] m_rresp = 0;

    read_tags uut (
        .clock(clock), .reset(reset),
        .s_axi_araddr(s_araddr), .s_axi_arlen(s_arlen), .s_axi_arvalid(s_arvalid), .s_axi_arready(s_arready),
        .s_axi_rdata(s_rdata), .s_axi_rresp(s_rresp), .s_axi_rlast(s_rlast), .s_axi_rvalid(s_rvalid),
        .s_axi_rready(s_rready),
        .m_axi_arid(m_arid), .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen), .m_axi_arvalid(m_arvalid),
        .m_axi_arready(m_arready),
        .m_axi_rid(m_rid), .m_axi_rdata(m_rdata), .m_axi_rresp(m_rresp), .m_axi_rlast(m_rlast),
        .m_axi_rvalid(m_rvalid), .m_axi_rready(m_rready)
    );

    // What a burst holds follows from its number and the beat.
    function [511:0] word(input [63:0] address, input [7:0] beat);
        word = {8{address ^ {beat, 56'd0} ^ 64'h0123_4567_89ab_cdef}};
    endfunction
    function is_bad(input [63:0] address);
        is_bad = address[10:6] == 5'd7;
    endfunction

    // The shell: requests in flight by id.
    reg [31:0] busy = 0;
    reg [63:0] at [0:31];
    reg [7:0] len [0:31], sent [0:31];
    integer most = 0, in_flight = 0, swaps = 0, k, pick;
    // The card: what was asked for, in order.
    reg [63:0] asked [0:READS-1];
    reg [7:0] lens [0:READS-1];
    integer next = 0, back = 0, beat = 0, errors = 0, cycles = 0, stalls;

    task fail(input [511:0] text);
        begin
            $display("FAILED: %0s (read %0d, beat %0d)", text, back, beat);
            errors = errors + 1;
        end
    endtask

    always @(posedge clock) begin
        cycles <= cycles + 1;
        if (cycles == 8) reset <= 0;
        if (cycles > 2000000) begin fail("it hangs"); $finish; end
        if (!reset) begin
            // Requests of the card; an address is its number, so that a mistake shows.
            if (s_arvalid && s_arready) begin
                asked[next] = s_araddr;
                lens[next] = s_arlen;
                next = next + 1;
                s_arvalid <= 0;
            end
            if ((!s_arvalid || s_arready) && next < READS && $urandom % 4 != 0) begin
                s_arvalid <= 1;
                s_araddr <= {$urandom, 32'd0} | next << 6;
                s_arlen <= $urandom % 16;
            end
            // Answers to the card.
            if (s_rvalid && s_rready) begin
                if (back >= next) fail("an answer that nobody asked for");
                if (s_rdata !== word(asked[back], beat)) fail("wrong data");
                if (s_rresp !== (is_bad(asked[back]) ? 2'b10 : 2'b00)) fail("wrong response");
                if (s_rlast !== (beat == lens[back])) fail("wrong last");
                beat = beat + 1;
                if (s_rlast) begin beat = 0; back = back + 1; end
            end
            s_rready <= $urandom % 3 != 0;
            // The shell takes requests.
            if (m_arvalid && m_arready) begin
                if (busy[m_arid]) fail("an id that is in flight already");
                busy[m_arid] = 1;
                at[m_arid] = m_araddr;
                len[m_arid] = m_arlen;
                sent[m_arid] = 0;
                in_flight = in_flight + 1;
                if (in_flight > most) most = in_flight;
            end
            m_arready <= $urandom % 8 != 0;
            // And answers any of them, a beat at a time.
            if (m_rvalid && !m_rready) fail("R is not taken at once");
            m_rvalid <= 0;
            pick = $urandom % 32;
            if (busy[pick]) begin
                if (pick != m_rid) swaps = swaps + 1;
                m_rvalid <= 1;
                m_rid <= pick;
                m_rdata <= word(at[pick], sent[pick]);
                m_rresp <= is_bad(at[pick]) ? 2'b10 : 2'b00;
                m_rlast <= sent[pick] == len[pick];
                if (sent[pick] == len[pick]) begin busy[pick] = 0; in_flight = in_flight - 1; end
                sent[pick] = sent[pick] + 1;
            end
            if (back == READS) begin
                if (most != 32) fail("never 32 reads in flight");
                if (swaps < READS) fail("the answers were not mixed");
                if (errors == 0) $display("PASSED: %0d reads, at most %0d in flight, %0d cycles", back, most, cycles);
                $finish;
            end
        end
    end
endmodule
