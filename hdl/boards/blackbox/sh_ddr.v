// The block that the AWS F2 shell wants in every design, as a black box with the ports in use.

(* blackbox *)
module sh_ddr #(
    parameter DDR_PRESENT = 0
) (
    input wire clk,
    input wire rst_n,
    input wire stat_clk,
    input wire stat_rst_n,
    input wire CLK_DIMM_DP,
    input wire CLK_DIMM_DN,
    output wire M_ACT_N,
    output wire [17:0] M_MA,
    output wire [1:0] M_BA,
    output wire [1:0] M_BG,
    output wire [1:0] M_CKE,
    output wire [1:0] M_ODT,
    output wire [1:0] M_CS_N,
    output wire [1:0] M_CLK_DN,
    output wire [1:0] M_CLK_DP,
    output wire M_PAR,
    inout wire [63:0] M_DQ,
    inout wire [7:0] M_ECC,
    inout wire [17:0] M_DQS_DP,
    inout wire [17:0] M_DQS_DN,
    output wire cl_RST_DIMM_N
);
endmodule
