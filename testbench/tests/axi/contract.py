"""The contract as `docs/registers.md` tells it: the only thing that this model has from the project's code.

The document is generated from the declarations that card and driver are built from, and a test keeps it so. What a
batch and a record look like is written down in `abi/src/h2c.rs` and `abi/src/c2h.rs`; it is put in words and numbers
again here, so that a mistake in either place shows.
"""

import os
from pathlib import Path

DOCUMENT = Path(os.environ["WIRESIFT_REGISTERS"])

LINE_BYTES = 64
RECORD_BYTES = 16
LINE_RECORDS = 4
BATCH_ITEMS = 31
PACKET_BYTES_MAX = 9216
KIND_PACKETS, KIND_COMMANDS = 1, 2
PAD, VERDICT, IDS, COMMITTED = 0, 1, 2, 3
NO_RULE = 0xFFFF_FFFF
IDS_MAX = 6
IDS_PER_RECORD = 3
ACL, SIGNATURE = 1, 2
INDEX_BITS = 12
COMMAND_DATA = 88

CLASS_IP, CLASS_IPV6, CLASS_PORTS, CLASS_FRAGMENT, CLASS_LATER, CLASS_VLAN, CLASS_AUX = (1 << n for n in range(7))
TRUNCATED, MALFORMED, FRAGMENT, NON_IP, VLAN_DEPTH, TUNNEL, EXT_CHAIN, JUMBO = (1 << n for n in range(8))
DEFER, CUT = 1 << 14, 1 << 15

ENABLE = 1
RUNNING, IDLE, HALTED = 1, 2, 4


def _rows(section):
    """Cells of the table rows in the section with that heading."""
    rows, is_inside = [], False
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            is_inside = line[3:] == section
        elif is_inside and line.startswith("|") and not line.startswith("|---"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    if not rows:
        raise ValueError(f"{DOCUMENT} has no section {section!r}")
    return rows


def _fields(section):
    """Name to lowest bit and width."""
    fields = {}
    for bits, name in (row[:2] for row in _rows(section)):
        low, _, high = bits.partition("-")
        if low.isdigit() and high.isdigit():
            fields[name] = (int(low), int(high) - int(low) + 1)
    return fields


def _geometry(name):
    header, *rows = _rows("Geometries")
    column = header.index(name)
    return {row[0]: int(row[column]) for row in rows}


REGISTERS = {row[1]: int(row[0], 16) for row in _rows("Registers in BAR0")[1:]}
COUNTERS = {row[1]: int(row[0], 16) for row in _rows("Counters")[1:]}
ERRORS = {row[1]: int(row[0]) for row in _rows("Error codes")[1:]}
OPCODES = {row[1]: int(row[0]) for row in _rows("Command") if row[0].isdigit()}
VECTOR = _fields("Header vector")
NARROW = _fields("Slot of a narrow table")
WIDE = _fields("Slot of a wide table")
COMMAND = _fields("Command")
LAB = _geometry("lab")


def put(layout, **values):
    """A number with these fields of a layout."""
    number = 0
    for name, value in values.items():
        low, bits = layout[name]
        if value >> bits:
            raise ValueError(f"{name} = {value:#x} has more than {bits} bits")
        number |= value << low
    return number


def get(layout, name, number):
    """A field of a number."""
    low, bits = layout[name]
    return number >> low & (1 << bits) - 1
