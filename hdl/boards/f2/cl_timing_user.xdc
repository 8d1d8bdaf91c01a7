# Constraints of the card behind the AWS F2 shell. Its only clock is the shell's clk_main_a0, which the shell constrains.

# The reset pipe takes the shell's reset and that of the function as they come.
set_false_path -to [get_pins -hierarchical -filter {NAME =~ *reset_pipe_reg[0]/D}]
