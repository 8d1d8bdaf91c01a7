// Reads with one id become reads with an id each, and their answers, which may come in any order and interleaved, go back
// in the order of the requests: the F2 shell takes no second read under an id that is in flight (AWS EC2 F2 Shell
// Errata), and the card asks for everything under id 0.
//
//             +-----------+
//   s_axi ===>|  32 tags  |===> m_axi
//             +-----------+
//
// An answer is kept until it is whole and the oldest. There are as many places as the shell takes reads, and a place
// has room for the longest burst of the card, so R is always taken at once.

`default_nettype none

module read_tags #(
    parameter DATA_BITS = 512,
    parameter TAG_BITS = 5,
    // 1024 bytes a burst.
    parameter BEAT_BITS = 4
) (
    input wire clock,
    input wire reset,

    input wire [63:0] s_axi_araddr,
    input wire [7:0] s_axi_arlen,
    input wire s_axi_arvalid,
    output wire s_axi_arready,
    output wire [DATA_BITS-1:0] s_axi_rdata,
    output wire [1:0] s_axi_rresp,
    output wire s_axi_rlast,
    output wire s_axi_rvalid,
    input wire s_axi_rready,

    output wire [TAG_BITS-1:0] m_axi_arid,
    output wire [63:0] m_axi_araddr,
    output wire [7:0] m_axi_arlen,
    output wire m_axi_arvalid,
    input wire m_axi_arready,
    input wire [TAG_BITS-1:0] m_axi_rid,
    input wire [DATA_BITS-1:0] m_axi_rdata,
    input wire [1:0] m_axi_rresp,
    input wire m_axi_rlast,
    input wire m_axi_rvalid,
    output wire m_axi_rready
);
    localparam TAGS = 1 << TAG_BITS;

    // Requests: tags are given in turn, so the oldest in flight is known by its number.
    reg [TAG_BITS:0] asked;
    reg [TAG_BITS:0] given;
    // As wide as the counts, so that it is right when they go round.
    wire [TAG_BITS:0] in_flight = asked - given;
    wire is_full = in_flight[TAG_BITS];
    assign s_axi_arready = m_axi_arready && !is_full;
    assign m_axi_arvalid = s_axi_arvalid && !is_full;
    assign m_axi_arid = asked[TAG_BITS-1:0];
    assign m_axi_araddr = s_axi_araddr;
    assign m_axi_arlen = s_axi_arlen;
    wire takes_request = m_axi_arvalid && m_axi_arready;

    // Answers as they come.
    reg [TAGS-1:0] is_whole;
    reg [BEAT_BITS-1:0] beats [0:TAGS-1];
    (* ram_style = "block" *) reg [DATA_BITS+1:0] store [0:(TAGS << BEAT_BITS)-1];
    assign m_axi_rready = 1'b1;
    wire [TAG_BITS+BEAT_BITS-1:0] store_at = {m_axi_rid, beats[m_axi_rid]};
    integer n;
    always @(posedge clock) begin
        if (m_axi_rvalid) begin
            store[store_at] <= {m_axi_rresp, m_axi_rdata};
            beats[m_axi_rid] <= m_axi_rlast ? {BEAT_BITS{1'b0}} : beats[m_axi_rid] + 1'b1;
        end
        if (reset) for (n = 0; n < TAGS; n = n + 1) beats[n] <= {BEAT_BITS{1'b0}};
    end

    // Lengths of the requests, to know the last beat on the way back.
    reg [BEAT_BITS-1:0] lengths [0:TAGS-1];
    always @(posedge clock) if (takes_request) lengths[asked[TAG_BITS-1:0]] <= s_axi_arlen[BEAT_BITS-1:0];

    // The oldest, once it is whole: a beat is fetched when the one before was taken.
    wire [TAG_BITS-1:0] oldest = given[TAG_BITS-1:0];
    reg [BEAT_BITS-1:0] beat;
    reg out_valid, out_last;
    reg [DATA_BITS+1:0] out;
    wire is_last = beat == lengths[oldest];
    wire fetches = is_whole[oldest] && given != asked && (!out_valid || s_axi_rready);
    assign {s_axi_rresp, s_axi_rdata} = out;
    assign s_axi_rlast = out_last;
    assign s_axi_rvalid = out_valid;
    always @(posedge clock) begin
        if (fetches) out <= store[{oldest, beat}];
        if (fetches) out_last <= is_last;
        if (fetches) out_valid <= 1'b1;
        else if (s_axi_rready) out_valid <= 1'b0;
        if (fetches) beat <= is_last ? {BEAT_BITS{1'b0}} : beat + 1'b1;
        if (fetches && is_last) begin
            given <= given + 1'b1;
            is_whole[oldest] <= 1'b0;
        end
        if (m_axi_rvalid && m_axi_rlast) is_whole[m_axi_rid] <= 1'b1;
        if (takes_request) asked <= asked + 1'b1;
        if (reset) begin
            asked <= 0;
            given <= 0;
            is_whole <= {TAGS{1'b0}};
            beat <= {BEAT_BITS{1'b0}};
            out_valid <= 1'b0;
        end
    end
endmodule

`default_nettype wire
