// A stand-in for the card with the same ports: it copies the lines of the H2C ring to the C2H ring, one
// after the other, inverted. What is right about it is simple enough to see; it tests what is around it.
// Offsets of registers, and the width of a beat, are put in by the test.
module top(
    input clock, input reset, output irq_req, input irq_ack,
    input [11:0] s_axil_awaddr, input s_axil_awvalid, output s_axil_awready,
    input [31:0] s_axil_wdata, input [3:0] s_axil_wstrb, input s_axil_wvalid, output s_axil_wready,
    output [1:0] s_axil_bresp, output s_axil_bvalid, input s_axil_bready,
    input [11:0] s_axil_araddr, input s_axil_arvalid, output s_axil_arready,
    output [31:0] s_axil_rdata, output [1:0] s_axil_rresp, output s_axil_rvalid, input s_axil_rready,
    output [3:0] m_axi_arid, output [63:0] m_axi_araddr, output [7:0] m_axi_arlen, output [2:0] m_axi_arsize,
    output [1:0] m_axi_arburst, output m_axi_arvalid, input m_axi_arready,
    input [3:0] m_axi_rid, input [BEAT_BITS-1:0] m_axi_rdata, input [1:0] m_axi_rresp, input m_axi_rlast,
    input m_axi_rvalid, output m_axi_rready,
    output [3:0] m_axi_awid, output [63:0] m_axi_awaddr, output [7:0] m_axi_awlen, output [2:0] m_axi_awsize,
    output [1:0] m_axi_awburst, output m_axi_awvalid, input m_axi_awready,
    output [BEAT_BITS-1:0] m_axi_wdata, output [BEAT_BITS/8-1:0] m_axi_wstrb, output m_axi_wlast,
    output m_axi_wvalid, input m_axi_wready,
    input [3:0] m_axi_bid, input [1:0] m_axi_bresp, input m_axi_bvalid, output m_axi_bready
);
localparam BEAT_BITS = @BEAT_BITS@;
localparam BEATS = 512 / BEAT_BITS;
localparam SIZE = $clog2(BEAT_BITS / 8);

// Registers: plain storage, but for those below.
reg [31:0] csr [0:63];
reg aw_held, w_held, b_valid, r_valid;
reg [11:0] aw; reg [31:0] w; reg [31:0] r;
assign s_axil_awready = !aw_held; assign s_axil_wready = !w_held;
assign s_axil_bvalid = b_valid; assign s_axil_bresp = aw_error ? 2'd3 : 2'd0; assign s_axil_rresp = 2'd0;
assign s_axil_arready = !r_valid; assign s_axil_rvalid = r_valid; assign s_axil_rdata = r;
reg aw_error;

localparam IDLE = 0, ASK = 1, READ = 2, ADDRESS = 3, WRITE = 4, ANSWER = 5, FAILED = 6;
reg [2:0] state; reg [31:0] cidx; reg [511:0] line; reg [7:0] beat; reg irq;
wire [31:0] place = cidx & ((32'd1 << csr[@H2C_LINES_LOG2@ / 4]) - 1);
assign m_axi_arid = 0; assign m_axi_awid = 0;
assign m_axi_araddr = {csr[@H2C_BASE_HI@ / 4], csr[@H2C_BASE_LO@ / 4]} + {26'd0, place, 6'd0};
assign m_axi_awaddr = {csr[@C2H_BASE_HI@ / 4], csr[@C2H_BASE_LO@ / 4]} + {26'd0, place, 6'd0};
assign m_axi_arlen = BEATS - 1; assign m_axi_awlen = BEATS - 1;
assign m_axi_arsize = SIZE; assign m_axi_awsize = SIZE;
assign m_axi_arburst = 1; assign m_axi_awburst = 1;
assign m_axi_arvalid = state == ASK; assign m_axi_rready = state == READ;
assign m_axi_awvalid = state == ADDRESS; assign m_axi_wvalid = state == WRITE;
assign m_axi_wdata = ~line[BEAT_BITS-1:0]; assign m_axi_wstrb = {(BEAT_BITS / 8){1'b1}};
assign m_axi_wlast = beat == BEATS - 1; assign m_axi_bready = state == ANSWER;
assign irq_req = irq;

always @(posedge clock) begin
    if (s_axil_awvalid && s_axil_awready) begin aw_held <= 1; aw <= s_axil_awaddr; end
    if (s_axil_wvalid && s_axil_wready) begin w_held <= 1; w <= s_axil_wdata; end
    if (aw_held && w_held && !b_valid) begin b_valid <= 1; aw_error <= aw >= 256; if (aw < 256) csr[aw[7:2]] <= w; end
    if (b_valid && s_axil_bready) begin b_valid <= 0; aw_held <= 0; w_held <= 0; end
    if (s_axil_arvalid && s_axil_arready) begin
        r_valid <= 1;
        r <= s_axil_araddr == @H2C_CIDX@ ? cidx : s_axil_araddr == @STATUS@ ? {29'd0, state} : csr[s_axil_araddr[7:2]];
    end
    if (r_valid && s_axil_rready) r_valid <= 0;
    if (irq_ack) irq <= 0;
    case (state)
        IDLE: if (cidx != csr[@H2C_PIDX@ / 4]) state <= ASK;
        ASK: if (m_axi_arready) state <= READ;
        READ: if (m_axi_rvalid) begin
            line <= {m_axi_rdata, line[511:0]} >> BEAT_BITS;
            if (m_axi_rresp != 0) state <= FAILED;
            else if (m_axi_rlast) state <= ADDRESS;
        end
        ADDRESS: if (m_axi_awready) begin state <= WRITE; beat <= 0; end
        WRITE: if (m_axi_wready) begin
            line <= line >> BEAT_BITS; beat <= beat + 1;
            if (m_axi_wlast) state <= ANSWER;
        end
        ANSWER: if (m_axi_bvalid) begin
            cidx <= cidx + 1;
            state <= m_axi_bresp != 0 ? FAILED : IDLE;
            if (csr[@IRQ_CONTROL@ / 4][0]) begin irq <= 1; csr[@IRQ_CONTROL@ / 4][0] <= 0; end
        end
        default: ;
    endcase
    if (reset) begin
        aw_held <= 0; w_held <= 0; b_valid <= 0; r_valid <= 0; aw_error <= 0;
        state <= IDLE; cidx <= 0; irq <= 0; csr[@H2C_PIDX@ / 4] <= 0; csr[@IRQ_CONTROL@ / 4] <= 0;
    end
end
endmodule
