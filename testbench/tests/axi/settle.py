"""Makes the emitted Verilog settle in an event-driven simulator, without changing what it says.

RustHDL writes the combinational logic of a module as one `always @(*)` that first gives a signal its default and then
another value. Two such modules that look at each other wake each other for ever in Icarus: each pulse of no width
counts as an event, though nothing changes in the end. (Synthesis and Verilator do not see it.) So every block computes
in variables of its own here, and hands each result on once:

    always @(*) begin            always @(*) begin
        ready = 0;                   ready$own = 0;
        if (a) ready = 1;   ->       if (a) ready$own = 1;
    end                              ready = ready$own;
                                 end
"""

import re

NAME = r"[A-Za-z_][\w$]*"
BLOCK = re.compile(r"^( *)always @\(\*\) begin\n(.*?)^\1end\n", re.M | re.S)
MODULE = re.compile(r"^module .*?^endmodule\n", re.M | re.S)
ASSIGNED = re.compile(rf"^\s*({NAME})\s*(?:\[.*?\]\s*)*=(?!=)", re.M)


def settle(verilog):
    """The text with every combinational block rewritten."""
    return MODULE.sub(lambda found: _module(found.group()), verilog)


def _module(text):
    declared = {}
    for kind in re.finditer(rf"^\s*(?:output )?reg\s+(\[[^\]]*\])?\s*({NAME});", text, re.M):
        declared[kind.group(2)] = kind.group(1) or ""
    own = set()

    def block(found):
        indent, body = found.groups()
        names = dict.fromkeys(ASSIGNED.findall(body))
        assert names and all(name in declared for name in names), sorted(set(names) - set(declared))
        own.update(names)
        # A name ends where neither a letter nor `$` follows; `x$d` is another signal than `x`.
        body = re.sub(rf"(?<![\w$'])({NAME})", lambda word: word.group() + "$own" if word.group() in names else
                      word.group(), body)
        ends = "".join(f"{indent}    {name} = {name}$own;\n" for name in names)
        return f"{indent}always @(*) begin\n{body}{ends}{indent}end\n"

    # One statement without `begin` gives its value once as it is.
    is_whole = text.count("always @(*) begin") == len(BLOCK.findall(text))
    assert is_whole, "a combinational block of another form"
    text = BLOCK.sub(block, text)
    declarations = "".join(f"    reg {declared[name]} {name}$own;\n" for name in sorted(own))
    head, end = text.split(");\n", 1)
    return f"{head});\n{declarations}{end}"
