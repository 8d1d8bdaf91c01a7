// Registers behind a bridge that has only a wide AXI4 master: single 32-bit accesses become AXI4-Lite accesses, and
// everything else is answered with SLVERR, with as many beats as it asks for.
//
//             +------------+
//   s_axi ===>|            |===> m_axil
//             +------------+
//
// One write and one read at a time: registers are read and written rarely.

`default_nettype none

module csr_bridge #(
    parameter ID_BITS = 4,
    parameter DATA_BITS = 512,
    parameter CSR_BITS = 12
) (
    input wire clock,
    input wire reset,

    input wire [ID_BITS-1:0] s_axi_awid,
    input wire [63:0] s_axi_awaddr,
    input wire [7:0] s_axi_awlen,
    input wire [2:0] s_axi_awsize,
    input wire s_axi_awvalid,
    output wire s_axi_awready,
    input wire [DATA_BITS-1:0] s_axi_wdata,
    input wire [DATA_BITS/8-1:0] s_axi_wstrb,
    input wire s_axi_wlast,
    input wire s_axi_wvalid,
    output wire s_axi_wready,
    output wire [ID_BITS-1:0] s_axi_bid,
    output wire [1:0] s_axi_bresp,
    output wire s_axi_bvalid,
    input wire s_axi_bready,
    input wire [ID_BITS-1:0] s_axi_arid,
    input wire [63:0] s_axi_araddr,
    input wire [7:0] s_axi_arlen,
    input wire [2:0] s_axi_arsize,
    input wire s_axi_arvalid,
    output wire s_axi_arready,
    output wire [ID_BITS-1:0] s_axi_rid,
    output wire [DATA_BITS-1:0] s_axi_rdata,
    output wire [1:0] s_axi_rresp,
    output wire s_axi_rlast,
    output wire s_axi_rvalid,
    input wire s_axi_rready,

    output wire [CSR_BITS-1:0] m_axil_awaddr,
    output wire m_axil_awvalid,
    input wire m_axil_awready,
    output wire [31:0] m_axil_wdata,
    output wire [3:0] m_axil_wstrb,
    output wire m_axil_wvalid,
    input wire m_axil_wready,
    input wire [1:0] m_axil_bresp,
    input wire m_axil_bvalid,
    output wire m_axil_bready,
    output wire [CSR_BITS-1:0] m_axil_araddr,
    output wire m_axil_arvalid,
    input wire m_axil_arready,
    input wire [31:0] m_axil_rdata,
    input wire [1:0] m_axil_rresp,
    input wire m_axil_rvalid,
    output wire m_axil_rready
);
    localparam SLVERR = 2'b10;
    localparam LANE_BITS = $clog2(DATA_BITS / 32);

    // Writes.
    localparam W_IDLE = 2'd0, W_DATA = 2'd1, W_SEND = 2'd2, W_ANSWER = 2'd3;
    reg [1:0] w_state;
    reg [ID_BITS-1:0] w_id;
    reg [CSR_BITS-1:0] w_address;
    reg [LANE_BITS-1:0] w_lane;
    reg w_bad;
    reg [31:0] w_data;
    reg [3:0] w_strobe;
    reg w_address_due, w_data_due;
    reg [1:0] w_response;

    assign s_axi_awready = w_state == W_IDLE;
    assign s_axi_wready = w_state == W_DATA;
    assign s_axi_bid = w_id;
    assign s_axi_bresp = w_response;
    assign s_axi_bvalid = w_state == W_ANSWER;
    assign m_axil_awaddr = w_address;
    assign m_axil_awvalid = w_state == W_SEND && w_address_due;
    assign m_axil_wdata = w_data;
    assign m_axil_wstrb = w_strobe;
    assign m_axil_wvalid = w_state == W_SEND && w_data_due;
    assign m_axil_bready = w_state == W_SEND;

    always @(posedge clock) begin
        case (w_state)
            W_IDLE: if (s_axi_awvalid) begin
                w_id <= s_axi_awid;
                w_address <= {s_axi_awaddr[CSR_BITS-1:2], 2'b00};
                w_lane <= s_axi_awaddr[LANE_BITS+1:2];
                w_bad <= s_axi_awlen != 8'd0 || s_axi_awsize > 3'd2;
                w_state <= W_DATA;
            end
            W_DATA: if (s_axi_wvalid) begin
                w_data <= s_axi_wdata[w_lane*32 +: 32];
                w_strobe <= s_axi_wstrb[w_lane*4 +: 4];
                w_address_due <= 1'b1;
                w_data_due <= 1'b1;
                w_response <= SLVERR;
                if (s_axi_wlast) w_state <= w_bad ? W_ANSWER : W_SEND;
            end
            W_SEND: begin
                if (m_axil_awready) w_address_due <= 1'b0;
                if (m_axil_wready) w_data_due <= 1'b0;
                if (m_axil_bvalid) begin
                    w_response <= m_axil_bresp;
                    w_state <= W_ANSWER;
                end
            end
            default: if (s_axi_bready) w_state <= W_IDLE;
        endcase
        if (reset) w_state <= W_IDLE;
    end

    // Reads.
    localparam R_IDLE = 2'd0, R_ASK = 2'd1, R_WAIT = 2'd2, R_ANSWER = 2'd3;
    reg [1:0] r_state;
    reg [ID_BITS-1:0] r_id;
    reg [CSR_BITS-1:0] r_address;
    reg [7:0] r_left;
    reg [31:0] r_data;
    reg [1:0] r_response;

    assign s_axi_arready = r_state == R_IDLE;
    assign s_axi_rid = r_id;
    // The master takes the lane of its address.
    assign s_axi_rdata = {(DATA_BITS/32){r_data}};
    assign s_axi_rresp = r_response;
    assign s_axi_rlast = r_left == 8'd0;
    assign s_axi_rvalid = r_state == R_ANSWER;
    assign m_axil_araddr = r_address;
    assign m_axil_arvalid = r_state == R_ASK;
    assign m_axil_rready = r_state == R_WAIT;

    always @(posedge clock) begin
        case (r_state)
            R_IDLE: if (s_axi_arvalid) begin
                r_id <= s_axi_arid;
                r_address <= {s_axi_araddr[CSR_BITS-1:2], 2'b00};
                r_left <= s_axi_arlen;
                r_data <= 32'hffff_ffff;
                r_response <= SLVERR;
                r_state <= s_axi_arlen != 8'd0 || s_axi_arsize > 3'd2 ? R_ANSWER : R_ASK;
            end
            R_ASK: if (m_axil_arready) r_state <= R_WAIT;
            R_WAIT: if (m_axil_rvalid) begin
                r_data <= m_axil_rdata;
                r_response <= m_axil_rresp;
                r_state <= R_ANSWER;
            end
            default: if (s_axi_rready) begin
                r_left <= r_left - 8'd1;
                if (r_left == 8'd0) r_state <= R_IDLE;
            end
        endcase
        if (reset) r_state <= R_IDLE;
    end
endmodule

`default_nettype wire
