"""Builds the card's Verilog with Icarus and runs the tests of `test_card.py` on it.

Arguments: the Verilog, a folder to build in, and the tests to run (all where none is named).
"""

import sys
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from settle import settle

verilog, folder, *tests = sys.argv[1:]
folder = Path(folder).resolve()
folder.mkdir(parents=True, exist_ok=True)
source = folder / "card.v"
source.write_text(settle(Path(verilog).read_text()))
runner = get_runner("icarus")
runner.build(sources=[source], hdl_toplevel="top", build_dir=folder, timescale=("1ns", "1ps"), always=True)
results = runner.test(
    hdl_toplevel="top",
    test_module="test_card",
    test_dir=Path(__file__).parent,
    build_dir=folder,
    results_xml=str(folder / "results.xml"),
    test_filter="|".join(rf"\.{test}(/|$)" for test in tests) or None,
    timescale=("1ns", "1ps"),
)
count, failed = get_results(results)
print(f"cocotb: {count} tests, {failed} failed")
sys.exit(1 if failed or not count else 0)
