"""Packets with the header vector they must give, a random rule set, and the linear search that judges it.

A packet is made together with its fields, so nothing here parses one.
"""

from dataclasses import dataclass, field

from contract import (
    ACL, CLASS_AUX, CLASS_FRAGMENT, CLASS_IP, CLASS_IPV6, CLASS_LATER, CLASS_PORTS, CLASS_VLAN, COMMAND, COMMAND_DATA,
    CUT, FRAGMENT, IDS_MAX, INDEX_BITS, LAB, LINE_BYTES, NARROW, NON_IP, OPCODES, SIGNATURE, TRUNCATED, VECTOR, WIDE,
    put,
)

ALL_ONES = (1 << 128) - 1
WAYS = 2
TCAM_KEY_BITS = 288
TCAM_HALF_BITS = TCAM_KEY_BITS // 2
TCAM_KEY = {"src": (0, 128), "dst": (128, 128), "proto": (256, 8), "class": (264, 8), "aux": (272, 16)}


@dataclass
class Packet:
    """Bytes, and what the card must find in them."""

    data: bytes
    vector: dict = field(default_factory=dict)


def prefix(value, length):
    """Value and mask of an address prefix."""
    mask = ALL_ONES ^ (ALL_ONES >> length)
    return value & mask, mask


class Pool:
    """Addresses and ports that rules and packets are drawn from, so few that they meet."""

    def __init__(self, rng):
        self.v4 = [rng.getrandbits(32) << 96 for _ in range(6)]
        self.v6 = [rng.getrandbits(128) for _ in range(5)]
        self.ports = [rng.getrandbits(16) for _ in range(8)]

    def address(self, rng, is_v6):
        """One of the pool, or a neighbour of one."""
        base = rng.choice(self.v6 if is_v6 else self.v4)
        low = 0 if is_v6 else 96
        return base ^ (rng.getrandbits(12) << low if rng.random() < 0.5 else 0)

    def port(self, rng):
        return rng.choice(self.ports) if rng.random() < 0.8 else rng.getrandbits(16)


def packet(rng, pool, length=None):
    """A random packet: most with ports, some fragments, VLAN tags, other protocols, too short ones."""
    if length is None:
        length = rng.choice([rng.randrange(0, 14), rng.randrange(60, 260), rng.randrange(60, 130), 64, 128, 1500]
                            if rng.random() < 0.3 else [rng.randrange(60, 200)])
    kind = rng.random()
    tags = rng.choice([0, 0, 0, 1, 2])
    start = 14 + 4 * tags
    if length < 14:
        return Packet(rng.randbytes(length), {"flags": TRUNCATED | NON_IP})
    vector = {"class": CLASS_VLAN if tags else 0, "flags": 0}
    head = rng.randbytes(12)
    for _ in range(tags):
        head += rng.choice([b"\x81\x00", b"\x88\xa8"]) + rng.randbytes(2)
    is_v6 = rng.random() < 0.4
    if kind < 0.08 or length < start + 40 + 20:
        tail = b"\x88\xb5" + rng.randbytes(max(0, length - start))
        if length < start:
            return Packet(rng.randbytes(12) + b"\x08\x06" + rng.randbytes(length - 14), {"flags": NON_IP})
        vector["flags"] |= NON_IP
        return Packet(head + tail, vector)
    src, dst = pool.address(rng, is_v6), pool.address(rng, is_v6)
    proto = rng.choice([6, 17, 17, 132, 58 if is_v6 else 1, 89])
    vector |= {"src": src, "dst": dst, "proto": proto}
    vector["class"] |= CLASS_IP | (CLASS_IPV6 if is_v6 else 0)
    fragment = 0
    if is_v6:
        network = b"\x60" + rng.randbytes(3) + (length - start - 40).to_bytes(2, "big") + bytes([proto, 64])
        network += src.to_bytes(16, "big") + dst.to_bytes(16, "big")
    else:
        if rng.random() < 0.1:
            fragment = rng.choice([0x2000, rng.randrange(1, 0x2000)])
            vector["flags"] |= FRAGMENT
            vector["class"] |= CLASS_FRAGMENT | (CLASS_LATER if fragment & 0x1FFF else 0)
        network = b"\x45\x00" + (length - start).to_bytes(2, "big") + rng.randbytes(2) + fragment.to_bytes(2, "big")
        network += bytes([64, proto]) + rng.randbytes(2) + (src >> 96).to_bytes(4, "big")
        network += (dst >> 96).to_bytes(4, "big")
    transport = bytearray(rng.randbytes(20))
    if not fragment & 0x1FFF:
        if proto in (6, 17, 132):
            vector |= {"sport": pool.port(rng), "dport": pool.port(rng)}
            transport[0:4] = vector["sport"].to_bytes(2, "big") + vector["dport"].to_bytes(2, "big")
            vector["class"] |= CLASS_PORTS
        if proto == 6:
            vector["aux"] = transport[13]
            vector["class"] |= CLASS_AUX
        if proto in (1, 58):
            vector["aux"] = int.from_bytes(transport[0:2], "big")
            vector["class"] |= CLASS_AUX
    data = head + (b"\x86\xdd" if is_v6 else b"\x08\x00") + network + transport
    return Packet(data + rng.randbytes(length - len(data)), vector)


@dataclass
class Entry:
    """A rule as the card compares it."""

    kind: int
    id: int
    src: tuple
    dst: tuple
    sport: tuple
    dport: tuple
    proto: tuple
    klass: tuple
    aux: tuple = (0, 0)

    def matches(self, vector):
        """Whether the packet with this header vector satisfies it."""
        ternaries = (("src", self.src), ("dst", self.dst), ("proto", self.proto), ("class", self.klass),
                     ("aux", self.aux))
        ports = (("sport", self.sport), ("dport", self.dport))
        return (all(vector.get(name, 0) & mask == value for name, (value, mask) in ternaries)
                and all(low <= vector.get(name, 0) <= high for name, (low, high) in ports))

    def known(self):
        """Value and mask of the bits that it fixes, as they stand in the header vector."""
        exact = lambda ports: (ports[0], 0xFFFF) if ports[0] == ports[1] else (0, 0)
        parts = {"src": self.src, "dst": self.dst, "sport": exact(self.sport), "dport": exact(self.dport),
                 "proto": self.proto, "class": self.klass}
        return [put(VECTOR, **{name: part[n] for name, part in parts.items()}) for n in (0, 1)]

    def _ports(self, layout):
        (sport_lo, sport_hi), (dport_lo, dport_hi) = self.sport, self.dport
        return put(layout, id=self.id, kind=self.kind, sport_lo=sport_lo, sport_hi=sport_hi, dport_lo=dport_lo,
                   dport_hi=dport_hi)

    def slot(self, is_narrow):
        """What a slot of a table holds of it."""
        layout, width = (NARROW, 32) if is_narrow else (WIDE, 128)
        shift = lambda mask: width - mask.bit_count()
        narrowed = lambda value: value >> 128 - width
        values = {"proto": self.proto[0], "proto_mask": self.proto[1], "class": self.klass[0],
                  "class_mask": self.klass[1], "aux": self.aux[0], "aux_mask": self.aux[1],
                  "src_shift": shift(self.src[1]), "dst_shift": shift(self.dst[1]), "src": narrowed(self.src[0]),
                  "dst": narrowed(self.dst[0])}
        return self._ports(layout) | put(layout, **values)

    def tcam(self, index):
        """Commands that put it into a place of the TCAM: both halves of value and mask, then the rest."""
        parts = {"src": self.src, "dst": self.dst, "proto": self.proto, "class": self.klass, "aux": self.aux}
        value, mask = (put(TCAM_KEY, **{name: part[n] for name, part in parts.items()}) for n in (0, 1))
        half = (1 << TCAM_HALF_BITS) - 1
        yield command("WriteTcamLow", 0, data=value & half | (mask & half) << TCAM_HALF_BITS)
        high = value >> TCAM_HALF_BITS | mask >> TCAM_HALF_BITS << TCAM_HALF_BITS
        yield command("WriteTcamHigh", index, data=high)
        yield command("WriteTcamEntry", index, data=self._ports(NARROW))


def command(opcode, index, table=0, slot=0, data=0):
    """A line of the H2C ring."""
    number = put(COMMAND, opcode=OPCODES[opcode], table=table, slot=slot, index=index) | data << COMMAND_DATA
    return number.to_bytes(LINE_BYTES, "little")


class Rules:
    """A random rule set with its commands: tables with masks of their own, and the TCAM."""

    def __init__(self, rng, pool, version):
        self.version = version
        self.entries = []
        self.ids = rng.sample(range(1 << 20), 400)
        hashed = VECTOR["class"][0] + VECTOR["class"][1]
        self.secret = [rng.getrandbits(hashed) for _ in range(WAYS * INDEX_BITS)]
        self.lines = [command("Clear", 0)]
        self.lines += [command("WriteSecret", n, data=row) for n, row in enumerate(self.secret)]
        # There are no patterns, but the matcher looks: with rows that were never written its answers are unknown to Icarus.
        window = LAB["payload: bits of the hash of a window"]
        self.lines += [command("WriteWindowSecret", n, data=rng.getrandbits(window)) for n in range(8)]
        narrow = LAB["narrow tables"]
        v4, v6 = (CLASS_IP, CLASS_IP | CLASS_IPV6), (CLASS_IP | CLASS_IPV6,) * 2
        ports = (CLASS_PORTS,) * 2
        # What the mask of each table takes of a key, and a rule that fixes at least so much.
        shapes = [
            (dict(src=prefix(ALL_ONES, 16)[1], dst=prefix(ALL_ONES, 20)[1]),
             lambda: self._random(rng, pool, False, v4, src=rng.randrange(16, 33), dst=rng.randrange(20, 33))),
            (dict(dport=0xFFFF, proto=0xFF),
             lambda: self._random(rng, pool, False, v4, dport=True, proto=True)),
            (dict(dst=prefix(ALL_ONES, 64)[1]),
             lambda: self._random(rng, pool, True, v6, src=rng.randrange(0, 129), dst=rng.randrange(64, 129))),
            (dict(sport=0xFFFF, **{"class": CLASS_PORTS}),
             lambda: self._random(rng, pool, False, ports, src=0, dst=0, sport=True)),
        ]
        for table, (mask, make) in enumerate(shapes[:narrow + LAB["wide tables"]]):
            mask = put(VECTOR, **mask)
            self.lines.append(command("WriteMask", 0, table=table, data=mask))
            self._fill(table, table < narrow, mask, [make() for _ in range(rng.randrange(20, 45))])
        for index in rng.sample(range(LAB["TCAM entries"]), 6):
            entry = self._random(rng, pool, rng.random() < 0.5, (CLASS_IP, CLASS_IP), src=0, dst=0)
            # Any bit may count, not only those of a prefix.
            entry.dst = self._scatter(rng, pool.address(rng, False))
            self.entries.append(entry)
            self.lines += entry.tcam(index)
        self.lines.append(command("Commit", version))

    @staticmethod
    def _scatter(rng, value):
        mask = sum(1 << bit for bit in rng.sample(range(96, 128), rng.randrange(1, 4)))
        return value & mask, mask

    def _random(self, rng, pool, is_v6, klass, src=None, dst=None, sport=False, dport=False, proto=False):
        def ports(is_exact):
            if is_exact:
                return (pool.port(rng),) * 2
            low = rng.choice([0, 0, pool.port(rng)])
            return low, rng.randrange(low, 65536) if rng.random() < 0.3 else 65535

        length = lambda given: rng.choice([0, 0, 8, 24]) if given is None else given
        return Entry(
            kind=rng.choice([ACL, SIGNATURE]),
            id=self.ids.pop(),
            src=prefix(pool.address(rng, is_v6), length(src)),
            dst=prefix(pool.address(rng, is_v6), length(dst)),
            sport=ports(sport),
            dport=ports(dport),
            proto=(rng.choice([6, 17]), 0xFF) if proto or rng.random() < 0.3 else (0, 0),
            klass=klass,
            aux=(2, 2) if rng.random() < 0.1 else (0, 0),
        )

    def _bucket(self, key, way, buckets):
        rows = self.secret[way * INDEX_BITS:][:buckets.bit_length() - 1]
        return sum(((key & row).bit_count() & 1) << bit for bit, row in enumerate(rows))

    def _fill(self, table, is_narrow, mask, entries):
        buckets = LAB[f"buckets of a way of a {'narrow' if is_narrow else 'wide'} table"]
        filled = {}
        for entry in entries:
            value, known = entry.known()
            assert known & mask == mask, "the rule does not fix what the table's mask takes"
            key = value & mask
            places = [(way, self._bucket(key, way, buckets)) for way in range(WAYS)]
            way, bucket = min(places, key=lambda place: filled.get(place, 0))
            slot = filled.get((way, bucket), 0)
            if slot == LAB["slots in a bucket"]:
                continue
            filled[way, bucket] = slot + 1
            self.entries.append(entry)
            self.lines.append(command("WriteSlot", bucket, table=table,
                                      slot=way * LAB["slots in a bucket"] + slot, data=entry.slot(is_narrow)))

    def verdict(self, packet):
        """What must be answered: flags, number of the first ACL rule or none, ids of the signatures."""
        hits = [entry for entry in self.entries if entry.matches(packet.vector)]
        acl = min((entry.id for entry in hits if entry.kind == ACL), default=None)
        ids = {entry.id for entry in hits if entry.kind == SIGNATURE}
        return packet.vector["flags"] | (CUT if len(ids) > IDS_MAX else 0), acl, ids
