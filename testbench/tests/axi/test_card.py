"""The card between cocotbext-axi's models of both buses: an independent judge of its AXI master and slave.

Everything random comes from WIRESIFT_SEED.
"""

import os
import random

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotbext.axi import AxiResp

import contract
from contract import COUNTERS, ENABLE, ERRORS, HALTED, IDLE, LINE_BYTES, PACKET_BYTES_MAX, REGISTERS, RUNNING
from host import RECORDS, READ, STATUS, Bus, Host, Wrong, watch_stable
from model import Pool, Rules, packet

SEED = int(os.environ.get("WIRESIFT_SEED", "1"))
# Sixteen times as many packets in the long run.
TIMES = 16 if os.environ.get("WIRESIFT_LONG") else 1


async def bench(dut, seed, h2c_log2=7, c2h_log2=8):
    """A card out of reset with rules loaded, and the list of broken rules of the bus."""
    rng = random.Random(SEED * 1000 + seed)
    bus = Bus(dut, rng)
    await bus.reset()
    found = []
    cocotb.start_soon(watch_stable(dut, found))
    host = Host(bus, h2c_log2, c2h_log2)
    await host.start()
    pool = Pool(rng)
    await host.load(Rules(rng, pool, 1))
    return host, pool, found


async def end(host, found):
    """Nothing is in flight, everything adds up, and the bus was kept in order."""
    await host.check_counters()
    await host.stop()
    assert not found, found


@cocotb.test()
async def traffic(dut):
    """Random packets without pauses, one of them long."""
    host, pool, found = await bench(dut, 1, h2c_log2=8)
    packets = [packet(host.rng, pool) for _ in range(230 * TIMES)]
    packets[70] = packet(host.rng, pool, PACKET_BYTES_MAX // 2)
    await host.run(packets)
    assert await host.bus.read("STATUS") & (RUNNING | HALTED) == RUNNING
    assert host.cidx > 256, "the ring went round"
    await end(host, found)


@cocotb.test()
async def back_pressure(dut):
    """Random pauses on all ten channels, from few to nearly always, and rules that change behind packets in flight."""
    host, pool, found = await bench(dut, 2)
    for version, share in enumerate((0.2, 0.5, 0.8) * (1 + TIMES // 8), 2):
        host.bus.pauses(share)
        await host.run([packet(host.rng, pool) for _ in range(20)] + [packet(host.rng, pool, 1500)])
        rest = [packet(host.rng, pool) for _ in range(8)]
        while rest:
            rest = host.post_packets(rest)
            await host.doorbell()
            await host.poll()
        await host.load(Rules(host.rng, pool, version))
    await host.run([packet(host.rng, pool) for _ in range(20)])
    host.bus.pauses(0)
    await end(host, found)


@cocotb.test()
async def no_credit(dut):
    """Without credit the card stops at the ring's end, loses nothing and goes on with it."""
    host, pool, found = await bench(dut, 3)
    await host.run([])
    packets = [packet(host.rng, pool, 64) for _ in range(300)]
    host.returned = host.cidx & ~3
    await host.bus.write("C2H_CIDX", host.returned)
    for _ in range(400):
        packets = host.post_packets(packets)
        await host.doorbell()
        await ClockCycles(dut.clock, 20)
        if host.look()[2] == host.returned + 256:
            break
    await ClockCycles(dut.clock, 200)
    written = await host.bus.read("C2H_PIDX")
    assert written == host.returned + 256, "the ring is full to the last line"
    assert await host.bus.read("CREDIT_CYCLES") > 0
    await host.run(packets)
    await end(host, found)


async def halted(host, name, detail=None):
    """The card says everywhere that it halted by this error."""
    status, error, _ = await host.settle(lambda status, error, _: status & HALTED)
    assert (error, status & RUNNING) == (ERRORS[name], 0), (error, status)
    assert await host.bus.read("STATUS") & (RUNNING | HALTED) == HALTED
    assert await host.bus.read("ERROR") == ERRORS[name]
    if detail is not None:
        assert await host.bus.read("ERROR_DETAIL") == detail


async def again(host, pool, count=10):
    """After an error the card stops, starts anew, has kept its tables, and answers rightly."""
    await host.stop()
    assert await host.bus.read("C2H_PIDX") % 4 == 0
    host.verdicts = 0
    await host.start()
    assert await host.bus.read("ERROR") == 0
    await host.run([packet(host.rng, pool) for _ in range(count)])


async def until_halted(host, packets):
    """Runs packets until the card halts; the verdicts before are judged as always."""
    for _ in range(2000):
        packets = host.post_packets(packets)
        await host.doorbell()
        await host.poll()
        if host.look()[0] & HALTED or await host.bus.read("STATUS") & HALTED:
            return
    raise Wrong("the card does not halt")


@cocotb.test()
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR], name=["ReadResponse", "RecordWriteResponse"])
async def error_response(dut, response, name):
    """An error response to a read or to the write of a record halts the card, which says so, gives no wrong verdict
    and starts anew. No burst follows but the status line."""
    host, pool, found = await bench(dut, 4)
    await host.run([packet(host.rng, pool) for _ in range(5)])
    region = READ if name == "ReadResponse" else RECORDS
    host.bus.answers[region, host.bus.bursts[region] + host.rng.randrange(3)] = response
    await until_halted(host, [packet(host.rng, pool) for _ in range(60)])
    await halted(host, name, int(response))
    errors = "READ_ERRORS" if region == READ else "WRITE_ERRORS"
    assert await host.bus.read(errors) > 0
    # `AxiRam` answers in turn what it had taken before.
    await ClockCycles(dut.clock, 400)
    bursts = host.bus.bursts[READ], host.bus.bursts[RECORDS]
    await ClockCycles(dut.clock, 400)
    assert bursts == (host.bus.bursts[READ], host.bus.bursts[RECORDS]), "it asks for more"
    await again(host, pool)
    assert not found, found


@cocotb.test()
async def status_line_refused(dut):
    """An error response to the status line halts the card too; the register tells, the line cannot."""
    host, pool, found = await bench(dut, 5)
    await host.run([packet(host.rng, pool) for _ in range(5)])
    host.bus.answers[STATUS, host.bus.bursts[STATUS]] = AxiResp.SLVERR
    await until_halted(host, [packet(host.rng, pool) for _ in range(60)])
    assert await host.bus.read("ERROR") == ERRORS["StatusWriteResponse"]
    assert await host.bus.read("ERROR_DETAIL") == AxiResp.SLVERR
    await again(host, pool)
    assert not found, found


@cocotb.test()
async def wrong_host(dut):
    """What a host must not do is named, and the card goes on after a restart."""
    host, pool, found = await bench(dut, 6)
    await host.run([packet(host.rng, pool) for _ in range(3)])

    def batch(control, lengths=(), items=1):
        """A batch that the model would not make."""
        line = control.to_bytes(2, "little") + b"".join(n.to_bytes(2, "little") for n in lengths)
        line = line.ljust(LINE_BYTES, b"\0") + bytes(LINE_BYTES * items)
        host.bus.ram.write(host.h2c, line)
        host.pidx = len(line) // LINE_BYTES
        return host.bus.write("H2C_PIDX", host.pidx)

    def commands(line):
        host.bus.ram.write(host.h2c + LINE_BYTES, line)
        host.bus.ram.write(host.h2c, (1 | 2 << 5).to_bytes(2, "little") + bytes(62))
        host.pidx = 2
        return host.bus.write("H2C_PIDX", host.pidx)

    size = 1 << host.h2c_log2
    cases = [
        ("BadPidx", lambda: host.bus.write("H2C_PIDX", size + 1)),
        ("BadCidx", lambda: host.bus.write("C2H_CIDX", 4)),
        ("BadBatch", lambda: batch(0 | 1 << 5)),
        ("BadBatch", lambda: batch(1 | 5 << 5)),
        ("BadSequence", lambda: batch(1 | 1 << 5 | 7 << 8, [64])),
        ("BadLength", lambda: batch(1 | 1 << 5, [9217])),
        ("BadCommand", lambda: commands(bytes([99]) + bytes(63))),
    ]
    for name, act in cases:
        await host.stop()
        host.verdicts = 0
        await host.start()
        await act()
        await halted(host, name)
    await again(host, pool)
    for register, value in (("H2C_LINES_LOG2", 5), ("H2C_LINES_LOG2", 21), ("C2H_RECORDS_LOG2", 7),
                            ("C2H_RECORDS_LOG2", 23), ("H2C_BASE_LO", 64), ("STATUS_BASE_LO", 32)):
        await host.stop()
        kept = await host.bus.read(register)
        bursts = dict(host.bus.bursts)
        await host.bus.write(register, value)
        await host.bus.write("CONTROL", ENABLE)
        await ClockCycles(dut.clock, 50)
        assert await host.bus.read("ERROR") == ERRORS["BadConfig"], (register, value)
        assert await host.bus.read("STATUS") & (RUNNING | HALTED) == HALTED
        assert bursts == host.bus.bursts, "a wrong base is never used"
        await host.stop()
        await host.bus.write(register, kept)
    await again(host, pool)
    assert not found, found


@cocotb.test()
async def stop_in_mid_stream(dut):
    """A stop while bursts are under way: the bus comes to rest, what was counted adds up, and the next start is clean."""
    host, pool, found = await bench(dut, 7)
    await host.run([])
    for share in (0, 0.5, 0.8) * (1 + TIMES // 8):
        host.bus.pauses(share)
        packets = [packet(host.rng, pool) for _ in range(60)]
        for _ in range(host.rng.randrange(4, 12)):
            packets = host.post_packets(packets)
            await host.doorbell()
            await host.poll()
        await host.stop()
        bursts = dict(host.bus.bursts)
        await ClockCycles(dut.clock, 100)
        assert bursts == host.bus.bursts, "a burst after IDLE"
        entered, verdicts, discarded = [
            await host.bus.read(name) for name in ("PACKETS_IN", "VERDICTS", "PACKETS_DISCARDED")]
        assert entered == verdicts + discarded
        host.verdicts = 0
        await host.start()
        await host.run([packet(host.rng, pool) for _ in range(10)])
    host.bus.pauses(0)
    await host.stop()
    assert not found, found


@cocotb.test()
async def interrupt(dut):
    """ARM raises one interrupt behind the next status line, held until it is acknowledged."""
    host, pool, found = await bench(dut, 8)
    await host.run([])
    for count in range(1, 4):
        await host.bus.write("IRQ_CONTROL", 1)
        assert host.post_packets([packet(host.rng, pool)]) == []
        await host.doorbell()
        for _ in range(2000):
            await RisingEdge(dut.clock)
            if dut.irq_req.value == 1:
                break
        else:
            raise Wrong("no interrupt")
        await host.run([])
        assert dut.irq_req.value == 1, "held"
        dut.irq_ack.value = 1
        await RisingEdge(dut.clock)
        dut.irq_ack.value = 0
        await ClockCycles(dut.clock, 4)
        assert dut.irq_req.value == 0
        assert await host.bus.read("IRQ_COUNT") == count
        assert await host.bus.read("IRQ_CONTROL") == 0
    await end(host, found)


@cocotb.test()
async def registers(dut):
    """Read-only registers, those kept while running, single bytes written, and addresses without a register."""
    host, _, found = await bench(dut, 9)
    await host.run([])
    sizes = {"BEAT_BYTES": "bytes in a beat", "NARROW_TABLES": "narrow tables", "WIDE_TABLES": "wide tables",
             "BUCKET_SLOTS": "slots in a bucket", "TCAM_ENTRIES": "TCAM entries"}
    assert await host.bus.read("ID") == int.from_bytes(b"WIRE", "big")
    for register, row in sizes.items():
        assert await host.bus.read(register) == contract.LAB[row]
        await host.bus.write(register, 0xFFFF_FFFF)
        assert await host.bus.read(register) == contract.LAB[row], "read-only"
    await host.bus.write("H2C_BASE_LO", 0)
    assert await host.bus.read("H2C_BASE_LO") == host.h2c & 0xFFFF_FFFF, "kept while running"
    await host.stop()
    await host.bus.write("H2C_BASE_LO", 0x1122_3344)
    assert await host.bus.read("H2C_BASE_LO") == 0x1122_3344
    # An address that no register has answers, whatever it answers.
    await host.bus.registers.read(0xFFC, 4)
    await host.bus.registers.write(0xFFC, bytes(4))
    known = set(REGISTERS.values()) | {at + half for at in COUNTERS.values() for half in (0, 4)}
    assert len(known) == len(REGISTERS) + 2 * len(COUNTERS)
    assert await host.bus.read("STATUS") & IDLE
    assert not found, found
