# Pins and clocks of an Alveo U55C (UG1469; the pins are those of the slot's x16 quads and of the board's controller).

set_property PACKAGE_PIN AR15 [get_ports pcie_refclk_p]
set_property PACKAGE_PIN AR14 [get_ports pcie_refclk_n]
set_property -dict {PACKAGE_PIN BF41 IOSTANDARD LVCMOS18} [get_ports pcie_rstn]
# Driven low: nothing uses the HBM.
set_property -dict {PACKAGE_PIN BE45 IOSTANDARD LVCMOS18 PULLDOWN TRUE} [get_ports hbm_cattrip]

create_clock -period 10.000 -name pcie_refclk [get_ports pcie_refclk_p]
set_false_path -from [get_ports pcie_rstn]
# The reset pipe is what makes the bridge's reset synchronous.
set_false_path -to [get_pins reset_pipe_reg[0]/D]

set_property CONFIG_MODE SPIx4 [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
set_property BITSTREAM.CONFIG.UNUSEDPIN Pullup [current_design]
