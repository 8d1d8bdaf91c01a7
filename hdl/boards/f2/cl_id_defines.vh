// Numbers of the function on the PCI bus; abi/src/pci.rs has the same ones, and a test compares them.
`ifndef CL_ID_DEFINES
`define CL_ID_DEFINES
`define CL_SH_ID0 32'hF057_1D0F
`define CL_SH_ID1 32'h5753_10EE
`endif
