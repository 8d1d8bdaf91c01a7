"""The host's side of the rings, in Python: batches in, records out, every record judged by the model."""

import logging
import struct
from collections import deque

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Event, ReadOnly, RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiResp

from contract import (
    BATCH_ITEMS, COMMITTED, COUNTERS, CUT, ENABLE, HALTED, IDLE, IDS, IDS_MAX, IDS_PER_RECORD, KIND_COMMANDS,
    KIND_PACKETS, LAB, LINE_BYTES, LINE_RECORDS, NO_RULE, PAD, RECORD_BYTES, REGISTERS, RUNNING, VERDICT,
)

CLOCK_NS = 4
# Cycles without anything new after which the card counts as stuck.
PATIENCE = 20_000
# `AxiRam` keeps its memory in a dictionary, so it may be as wide as the bus, but Python's `len` ends here.
RAM_BYTES = 1 << 62
READ, RECORDS, STATUS = "read", "records", "status"


class Bus:
    """The card between cocotbext-axi's models, which know nothing of it; and what they are made to do wrong."""

    def __init__(self, dut, rng):
        self.dut, self.rng = dut, rng
        # They tell of every access.
        for name in ("s_axil", "m_axi"):
            logging.getLogger(f"cocotb.{dut._name}.{name}").setLevel(logging.WARNING)
        self.clock = Clock(dut.clock, CLOCK_NS, unit="ns")
        self.clock.start()
        dut.reset.value = 1
        dut.irq_ack.value = 0
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clock, dut.reset)
        self.ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clock, dut.reset, size=RAM_BYTES)
        # Name of what is at an address, to be asked of each burst; and what to answer it with.
        self.regions = {}
        self.answers = {}
        self.bursts = {READ: 0, RECORDS: 0, STATUS: 0}
        self._hook()

    def _hook(self):
        """Sees every burst as it is taken, and gives answers that are errors on purpose."""
        reads, writes = self.ram.read_if, self.ram.write_if
        take_ar, take_aw = reads.ar_channel.recv, writes.aw_channel.recv
        give_r, give_b = reads.r_channel.send, writes.b_channel.send
        now = {}

        async def ar():
            burst = await take_ar()
            now["r"] = self._burst(int(burst.araddr), int(burst.arlen), int(burst.arsize), int(burst.arid), False)
            return burst

        async def aw():
            burst = await take_aw()
            now["b"] = self._burst(int(burst.awaddr), int(burst.awlen), int(burst.awsize), int(burst.awid), True)
            return burst

        async def r(beat):
            beat.rresp = now["r"] or beat.rresp
            await give_r(beat)

        async def b(answer):
            answer.bresp = now["b"] or answer.bresp
            await give_b(answer)

        reads.ar_channel.recv, writes.aw_channel.recv = ar, aw
        reads.r_channel.send, writes.b_channel.send = r, b

    def _burst(self, address, length, size, ident, is_write):
        """Checks where a burst goes; gives the error response that was ordered for it, or none."""
        end = address + (length + 1 << size)
        name = next((name for name, (base, bytes_) in self.regions.items() if base <= address and end <= base + bytes_),
                    None)
        assert name and is_write == (name != READ), f"the card {'writes' if is_write else 'reads'} {address:#x}..{end:#x}"
        assert 1 << size == LAB["bytes in a beat"] and address % (1 << size) == 0 and ident == 0
        number = self.bursts[name]
        self.bursts[name] += 1
        return self.answers.get((name, number))

    async def reset(self):
        self.dut.reset.value = 1
        await ClockCycles(self.dut.clock, 8)
        self.dut.reset.value = 0
        await ClockCycles(self.dut.clock, 4)

    def pauses(self, share):
        """Every channel of both buses pauses in that share of the cycles, each by itself."""

        def generator():
            while True:
                # Mostly single cycles, now and then a long pause.
                is_paused = self.rng.random() < share
                for _ in range(self.rng.randrange(1, 24) if is_paused and self.rng.random() < 0.05 else 1):
                    yield is_paused

        reads, writes, registers = self.ram.read_if, self.ram.write_if, self.registers
        for channel in (reads.ar_channel, reads.r_channel, writes.aw_channel, writes.w_channel, writes.b_channel,
                        registers.write_if.aw_channel, registers.write_if.w_channel, registers.write_if.b_channel,
                        registers.read_if.ar_channel, registers.read_if.r_channel):
            channel.set_pause_generator(generator() if share else None)
            # Otherwise it stays as the generator left it.
            channel.pause = False

    async def read(self, register):
        offset = REGISTERS[register] if register in REGISTERS else COUNTERS[register]
        answer = await self.registers.read(offset, 4)
        assert answer.resp == AxiResp.OKAY
        return int.from_bytes(answer.data, "little")

    async def read_counter(self, counter):
        low = await self.read(counter)
        high = await self.registers.read(COUNTERS[counter] + 4, 4)
        return int.from_bytes(high.data, "little") << 32 | low

    async def write(self, register, value):
        answer = await self.registers.write(REGISTERS[register], value.to_bytes(4, "little"))
        assert answer.resp == AxiResp.OKAY


async def watch_stable(dut, found):
    """AXI4 A3.2.1 by plain eyes: what a VALID of the master shows stays until READY."""
    channels = {
        "ar": [dut.m_axi_araddr, dut.m_axi_arlen, dut.m_axi_arsize, dut.m_axi_arburst, dut.m_axi_arid],
        "aw": [dut.m_axi_awaddr, dut.m_axi_awlen, dut.m_axi_awsize, dut.m_axi_awburst, dut.m_axi_awid],
        "w": [dut.m_axi_wdata, dut.m_axi_wstrb, dut.m_axi_wlast],
    }
    waiting = {}
    handshakes = {name: (getattr(dut, f"m_axi_{name}valid"), getattr(dut, f"m_axi_{name}ready")) for name in channels}
    while True:
        await RisingEdge(dut.clock)
        await ReadOnly()
        if dut.reset.value == 1:
            waiting.clear()
            continue
        for name, signals in channels.items():
            valid, ready = handshakes[name]
            is_valid = valid.value == 1
            is_waiting = is_valid and ready.value != 1
            # To read a payload takes long, so it is done only where it counts.
            payload = [str(signal.value) for signal in signals] if is_waiting or name in waiting else None
            if name in waiting and (not is_valid or payload != waiting[name]):
                found.append(f"{name}: VALID or its payload changed before READY")
            waiting.pop(name, None)
            if is_waiting:
                waiting[name] = payload


class Wrong(AssertionError):
    """The card answered what it must not."""


class Host:
    """Rings, sequence numbers and the packets that wait for a verdict."""

    def __init__(self, bus, h2c_log2, c2h_log2):
        self.bus, self.rng = bus, bus.rng
        self.h2c_log2, self.c2h_log2 = h2c_log2, c2h_log2
        page = lambda: self.rng.getrandbits(49) << 12
        self.h2c, self.c2h, self.status = page(), page(), page() | 64 * self.rng.randrange(64)
        bus.regions.update({READ: (self.h2c, LINE_BYTES << h2c_log2), RECORDS: (self.c2h, RECORD_BYTES << c2h_log2),
                            STATUS: (self.status, LINE_BYTES)})
        self.rules, self.version = None, None
        self.verdicts = 0
        self.expected_counts = dict.fromkeys(
            ["PACKETS_IN", "PACKET_BYTES", "VERDICTS", "ACL_MATCHES", "SIGNATURE_MATCHES", "CUT", "BATCHES", "COMMANDS",
             "H2C_LINES", "DEFERRED", "READ_ERRORS", "WRITE_ERRORS", "PACKETS_DISCARDED"], 0)

    async def start(self):
        """Empties the rings and starts the card."""
        memory = self.bus.ram
        memory.write(self.c2h, bytes(RECORD_BYTES << self.c2h_log2))
        memory.write(self.status, bytes(LINE_BYTES))
        for name, base in (("H2C", self.h2c), ("C2H", self.c2h), ("STATUS", self.status)):
            await self.bus.write(f"{name}_BASE_LO", base & 0xFFFF_FFFF)
            await self.bus.write(f"{name}_BASE_HI", base >> 32)
        await self.bus.write("H2C_LINES_LOG2", self.h2c_log2)
        await self.bus.write("C2H_RECORDS_LOG2", self.c2h_log2)
        await self.bus.write("H2C_PIDX", 0)
        await self.bus.write("C2H_CIDX", 0)
        self.pidx = self.taken = self.cidx = self.returned = self.sequence = self.status_writes = 0
        self.waiting = deque()
        self.partial = None
        await self.bus.write("CONTROL", ENABLE)

    async def stop(self):
        """Stops the card and waits until its bus is idle; gives the cycles that took."""
        await self.bus.write("CONTROL", 0)
        for count in range(PATIENCE):
            if await self.bus.read("STATUS") & (IDLE | RUNNING) == IDLE:
                return count
        raise Wrong("the card does not come to rest")

    def free_lines(self):
        return (1 << self.h2c_log2) - (self.pidx - self.taken)

    def _batch(self, kind, items, lengths):
        """Writes a batch into the ring."""
        control = len(items) | kind << 5 | (self.sequence & 0xFF) << 8
        lines = [struct.pack("<32H", control, *lengths, *[0] * (BATCH_ITEMS - len(lengths)))]
        for item in items:
            count = max(1, -(-len(item) // LINE_BYTES))
            # What pads a packet may be anything.
            item += self.rng.randbytes(count * LINE_BYTES - len(item))
            lines += [item[at:at + LINE_BYTES] for at in range(0, len(item), LINE_BYTES)]
        for line in lines:
            self.bus.ram.write(self.h2c + self.pidx % (1 << self.h2c_log2) * LINE_BYTES, line)
            self.pidx += 1
        self.expected_counts["BATCHES"] += 1
        self.expected_counts["H2C_LINES"] += len(lines)

    def post_packets(self, packets):
        """Puts as many packets as fit and a batch takes into the ring, in one batch; gives the rest."""
        room, items = self.free_lines() - 1, []
        for packet in packets[:self.rng.randrange(1, BATCH_ITEMS + 1)]:
            room -= max(1, -(-len(packet.data) // LINE_BYTES))
            if room < 0:
                break
            items.append(packet)
        if items:
            self._batch(KIND_PACKETS, [packet.data for packet in items], [len(packet.data) for packet in items])
            self.sequence += len(items)
            self.waiting += [(packet, self.rules, self.version) for packet in items]
        return packets[len(items):]

    def post_commands(self, lines):
        """Puts as many commands as fit and a batch takes into the ring; gives the rest."""
        count = min(self.rng.randrange(1, BATCH_ITEMS + 1), len(lines), self.free_lines() - 1)
        if count > 0:
            self._batch(KIND_COMMANDS, lines[:count], [])
            self.expected_counts["COMMANDS"] += count
        return lines[max(count, 0):]

    async def doorbell(self):
        await self.bus.write("H2C_PIDX", self.pidx & 0xFFFF_FFFF)

    async def load(self, rules):
        """Changes the rules behind everything that was posted, without waiting for it."""
        self.waiting.append((None, rules, rules.version))
        self.rules, self.version = rules, rules.version
        lines = rules.lines
        while lines:
            lines = self.post_commands(lines)
            await self.doorbell()
            await self.poll()

    async def run(self, packets):
        """Posts packets while there are some, and takes verdicts until each has its own."""
        idle = 0
        while packets or self.waiting:
            before = len(packets), len(self.waiting)
            packets = self.post_packets(packets)
            if self.rng.random() < 0.7 or not packets:
                await self.doorbell()
            await self.poll()
            idle = 0 if before != (len(packets), len(self.waiting)) else idle + 1
            if idle * 10 > PATIENCE:
                raise Wrong(f"nothing happens with {len(self.waiting)} packets in flight")

    async def poll(self):
        """Lets the card run a moment, takes the records that are there, and gives credit back."""
        await ClockCycles(self.bus.dut.clock, self.rng.randrange(1, 20))
        while True:
            at = self.c2h + self.cidx % (1 << self.c2h_log2) * RECORD_BYTES
            record = bytes(self.bus.ram.read(at, RECORD_BYTES))
            is_new = record[14] & 1 == (self.cidx >> self.c2h_log2 & 1 == 0)
            if not is_new:
                break
            self.take(record)
            self.cidx += 1
        whole = self.cidx & ~(LINE_RECORDS - 1)
        if whole - self.returned >= 1 << self.c2h_log2 - 2:
            self.returned = whole
            await self.bus.write("C2H_CIDX", whole & 0xFFFF_FFFF)
        self.look()

    def look(self):
        """Reads the status line."""
        taken, written, status, error, _, writes = struct.unpack("<6I", self.bus.ram.read(self.status, 24))
        if writes < self.status_writes:
            raise Wrong(f"status line {writes} after {self.status_writes}")
        self.status_writes = writes
        if writes and not (self.taken <= taken <= self.pidx and written <= self.returned + (1 << self.c2h_log2)):
            raise Wrong(f"the status line says {taken} lines taken, {written} records written")
        self.taken = max(self.taken, taken)
        return status, error, written

    def take(self, record):
        """Judges a record."""
        control = record[14] | record[15] << 8
        kind, count = control >> 1 & 7, control >> 4 & 15
        if kind == PAD:
            if any(record[:14]) or count or control >> 8:
                raise Wrong(f"padding that is not empty: {record.hex()}")
            return
        if kind == IDS:
            return self._take_ids(record, count)
        if self.partial:
            raise Wrong("ids are missing")
        sequence, acl, flags, length, version = struct.unpack("<IIHHH", record[:14])
        if not self.waiting:
            raise Wrong("a record that nothing was posted for")
        packet, rules, by = self.waiting[0]
        if kind == COMMITTED:
            if packet is not None or (sequence, acl, flags, length, version, count) != (
                    self.verdicts & 0xFFFF_FFFF, NO_RULE, 0, 0, by, 0):
                raise Wrong(f"COMMIT answered with {record.hex()}")
            self.waiting.popleft()
            return
        if kind != VERDICT or packet is None:
            raise Wrong(f"record of kind {kind}")
        should_flags, should_acl, ids = rules.verdict(packet)
        should = (self.verdicts & 0xFFFF_FFFF, NO_RULE if should_acl is None else should_acl, should_flags,
                  len(packet.data), by)
        if (sequence, acl, flags, length, version) != should:
            raise Wrong(f"{(sequence, acl, flags, length, version)} instead of {should} for {packet}")
        if count != min(len(ids), IDS_MAX):
            raise Wrong(f"{count} ids instead of {len(ids)} for {packet}")
        self.partial = [count, sequence, ids, set()]
        if not count:
            self._whole()

    def _take_ids(self, record, count):
        if not self.partial:
            raise Wrong("ids without a verdict")
        missing, sequence, ids, got = self.partial
        numbers = struct.unpack("<3IH", record[:14])
        if count != min(missing, IDS_PER_RECORD) or numbers[3] != sequence & 0xFFFF or any(numbers[count:3]):
            raise Wrong(f"ids {record.hex()}, {missing} are missing")
        got |= set(numbers[:count])
        self.partial[0] -= count
        if self.partial[0] == 0:
            if not got <= ids or len(got) != min(len(ids), IDS_MAX):
                raise Wrong(f"ids {got} instead of {ids}")
            self._whole()

    def _whole(self):
        self.partial = None
        packet, rules, _ = self.waiting.popleft()
        flags, acl, ids = rules.verdict(packet)
        counts = self.expected_counts
        counts["PACKETS_IN"] += 1
        counts["VERDICTS"] += 1
        counts["PACKET_BYTES"] += len(packet.data)
        counts["ACL_MATCHES"] += acl is not None
        counts["SIGNATURE_MATCHES"] += bool(ids)
        counts["CUT"] += flags & CUT != 0
        self.verdicts += 1

    async def settle(self, what):
        """Waits until `what(status, error, written)` of the status line holds."""
        for _ in range(PATIENCE // 20):
            found = self.look()
            if what(*found):
                return found
            await ClockCycles(self.bus.dut.clock, 20)
        raise Wrong(f"the status line stays {self.look()}")

    async def check_counters(self):
        """The card counted what the model did."""
        wrong = {}
        for name, should in self.expected_counts.items():
            found = await self.bus.read_counter(name)
            if found != should:
                wrong[name] = (found, should)
        if wrong:
            raise Wrong(f"counters (card, model): {wrong}")
