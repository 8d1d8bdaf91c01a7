# Builds the bit stream for an Alveo U55C. Cannot be run here (no Vivado); with Vivado 2023.2 or later:
#
#   cargo run --release -p wiresift-hdl -- emit --geometry line --out hdl/boards/u55c/build
#   cd hdl/boards/u55c && vivado -mode batch -source build.tcl

set part xcu55c-fsvh2892-2L-e
set here [file dirname [file normalize [info script]]]
set out $here/build
if {![file exists $out/card_line.v]} {
    error "$out/card_line.v is missing: see the head of this script"
}

create_project -force wiresift_u55c $out/project -part $part
read_verilog $out/card_line.v
read_verilog $here/../common/csr_bridge.v
read_verilog $here/wiresift_u55c.v
read_xdc $here/u55c.xdc

# The bridge: Gen3 x16, 512 bits at 250 MHz. BAR0 is one page of registers; the slave side reaches all of host memory
# without translation. The numbers on the bus are those of abi/src/pci.rs.
create_ip -name xdma -vendor xilinx.com -library ip -version 4.1 -module_name xdma_0
set_property -dict [list \
    CONFIG.functional_mode {AXI_Bridge} \
    CONFIG.mode_selection {Advanced} \
    CONFIG.device_port_type {PCI_Express_Endpoint_device} \
    CONFIG.pcie_blk_locn {PCIE4C_X1Y0} \
    CONFIG.pl_link_cap_max_link_width {X16} \
    CONFIG.pl_link_cap_max_link_speed {8.0_GT/s} \
    CONFIG.ref_clk_freq {100_MHz} \
    CONFIG.axisten_freq {250} \
    CONFIG.axi_data_width {512_bit} \
    CONFIG.axi_addr_width {64} \
    CONFIG.vendor_id {10EE} \
    CONFIG.pf0_device_id {903F} \
    CONFIG.pf0_subsystem_vendor_id {10EE} \
    CONFIG.pf0_subsystem_id {5753} \
    CONFIG.pf0_class_code_base {12} \
    CONFIG.pf0_class_code_sub {00} \
    CONFIG.pf0_class_code_interface {00} \
    CONFIG.pf0_bar0_scale {Kilobytes} \
    CONFIG.pf0_bar0_size {4} \
    CONFIG.pf0_bar0_64bit {true} \
    CONFIG.pciebar2axibar_0 {0x0000000000000000} \
    CONFIG.en_axi_slave_if {true} \
    CONFIG.axibar_num {1} \
    CONFIG.axibar_0 {0x0000000000000000} \
    CONFIG.axibar_highaddr_0 {0xFFFFFFFFFFFFFFFF} \
    CONFIG.axibar2pciebar_0 {0x0000000000000000} \
    CONFIG.c_s_axi_supports_narrow_burst {false} \
    CONFIG.pf0_msi_enabled {false} \
    CONFIG.pf0_msix_enabled {true} \
    CONFIG.xdma_num_usr_irq {1} \
] [get_ips xdma_0]
generate_target all [get_ips xdma_0]
synth_ip [get_ips xdma_0]

synth_design -top wiresift_u55c -part $part
opt_design
place_design
phys_opt_design
route_design
report_timing_summary -file $out/timing.rpt
report_utilization -hierarchical -file $out/utilization.rpt
write_checkpoint -force $out/wiresift_u55c.dcp
if {[get_property SLACK [get_timing_paths]] < 0} {
    puts "the clock is missed: see $out/timing.rpt; no bit stream is written"
    exit 1
}
write_bitstream -force $out/wiresift_u55c.bit
