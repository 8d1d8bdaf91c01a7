# Loads the bit stream over JTAG. Cannot be run here (no Vivado, no board):
#
#   cd hdl/boards/u55c && vivado -mode batch -source program.tcl
#
# The card is another PCI function afterwards, so the host has to scan its bus anew: a warm reboot, or
# `echo 1 | sudo tee /sys/bus/pci/rescan` after the old function was removed.

set here [file dirname [file normalize [info script]]]
open_hw_manager
connect_hw_server
open_hw_target
set device [lindex [get_hw_devices xcu55c_0] 0]
current_hw_device $device
set_property PROGRAM.FILE $here/build/wiresift_u55c.bit $device
program_hw_devices $device
