//! The sizes a build of the card was made with. They are constants of the hardware, reported by
//! read-only registers ([`crate::csr`]); the rule compiler targets what the card reports.

/// Sizes of one build of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Name on the command line.
    pub name: &'static str,
    /// Number in the register `GEOMETRY` and in the rule image.
    pub id: u32,
    /// Bytes a beat of the AXI4 master and of every internal stream.
    pub beat_bytes: usize,
    /// Masked tables with 32-bit addresses (IPv4 whole, IPv6 prefixes of at most 32 bits).
    /// They have the table numbers `0 .. narrow_tables`.
    pub narrow_tables: usize,
    /// Buckets of one way of a narrow table, as a power of two.
    pub narrow_buckets_log2: u32,
    /// Masked tables with 128-bit addresses. They follow the narrow ones.
    pub wide_tables: usize,
    /// Buckets of one way of a wide table, as a power of two.
    pub wide_buckets_log2: u32,
    /// Slots in a bucket.
    pub bucket_slots: usize,
    /// Entries of the bit-vector TCAM that takes what no table could.
    pub tcam_entries: usize,
    /// Beats of the read buffer between the DMA reads and the slot unpacking.
    pub read_buffer_beats: usize,
    /// DMA read bursts in flight at most. AWS F2 allows 32 (PCIM interface of its shell).
    pub reads_in_flight: usize,
    /// DMA writes in flight at most, each of a line. What a write takes to be acknowledged, in cycles, is what
    /// a line a cycle needs: 250 for 1 us. All have one id, and AWS F2 does not limit writes by their id.
    pub writes_in_flight: usize,
    /// Packets between the parser and the record packer at most: the credits that let the
    /// classifier run without stalls.
    pub packets_in_flight: usize,
    /// Sizes of the payload matcher.
    pub payload: PayloadSizes,
}

/// Sizes of the payload matcher of one build of the card ([`crate::payload`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadSizes {
    /// Bits of the hash of a window.
    pub hash_bits: usize,
    /// Filter memories that windows of 8 bytes are sought in; one each for 4 and 3 bytes follows.
    pub long_memories: usize,
    /// Words of a filter memory, as a power of two.
    pub filter_words_log2: u32,
    /// Bits of such a word, as a power of two.
    pub filter_word_log2: u32,
    /// Buckets of one way of the window index, as a power of two.
    pub window_buckets_log2: u32,
    /// Patterns, as a power of two.
    pub patterns_log2: u32,
    /// Bytes around a window that are compared.
    pub region_bytes: usize,
    /// Those of them that lie behind the window.
    pub region_after: usize,
    /// Header lists, as a power of two; list 0 is none.
    pub header_lists_log2: u32,
    /// Headers of a list, all of which are compared in one cycle.
    pub headers_a_list: usize,
    /// Patterns of one or two bytes: each has a presence bit.
    pub short_patterns: usize,
}

impl PayloadSizes {
    /// Filter memories of all window lengths.
    pub const fn memories(&self) -> usize {
        self.long_memories + 2
    }

    /// Bits of the hash that choose a word and two bits in it.
    pub const fn probe_bits(&self) -> usize {
        (self.filter_words_log2 + 2 * self.filter_word_log2) as usize
    }
}

/// Hash functions of a table: a key has one bucket in each way.
pub const WAYS: usize = 2;
/// Largest table number of any geometry, for field widths.
pub const MAX_TABLES: usize = 64;

/// 512-bit beat, made for UltraScale+ with URAM.
pub const LINE: Geometry = Geometry {
    name: "line",
    id: 1,
    beat_bytes: 64,
    narrow_tables: 16,
    narrow_buckets_log2: 9,
    wide_tables: 8,
    wide_buckets_log2: 12,
    bucket_slots: 4,
    tcam_entries: 64,
    read_buffer_beats: 512,
    reads_in_flight: 32,
    writes_in_flight: 256,
    packets_in_flight: 128,
    payload: PayloadSizes {
        hash_bits: 48,
        long_memories: 2,
        filter_words_log2: 12,
        filter_word_log2: 6,
        window_buckets_log2: 16,
        patterns_log2: 15,
        region_bytes: 32,
        region_after: 12,
        header_lists_log2: 12,
        headers_a_list: 4,
        short_patterns: 96,
    },
};

/// 128-bit beat and small tables: fits an ECP5-85 and simulates fast.
pub const LAB: Geometry = Geometry {
    name: "lab",
    id: 2,
    beat_bytes: 16,
    narrow_tables: 2,
    narrow_buckets_log2: 9,
    wide_tables: 1,
    wide_buckets_log2: 9,
    bucket_slots: 2,
    tcam_entries: 8,
    read_buffer_beats: 512,
    reads_in_flight: 8,
    writes_in_flight: 64,
    packets_in_flight: 64,
    payload: PayloadSizes {
        hash_bits: 32,
        long_memories: 1,
        filter_words_log2: 11,
        filter_word_log2: 3,
        window_buckets_log2: 9,
        patterns_log2: 9,
        region_bytes: 16,
        region_after: 4,
        header_lists_log2: 8,
        headers_a_list: 2,
        short_patterns: 8,
    },
};

/// Every named geometry.
pub const ALL: [&Geometry; 2] = [&LINE, &LAB];

impl Geometry {
    /// The geometry of that name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|g| g.name == name)
    }

    /// The geometry with that number.
    pub fn by_id(id: u32) -> Option<&'static Self> {
        ALL.into_iter().find(|g| g.id == id)
    }

    /// Masked tables of both kinds.
    pub const fn tables(&self) -> usize {
        self.narrow_tables + self.wide_tables
    }

    /// Whether table `table` has 32-bit addresses.
    pub const fn is_narrow(&self, table: usize) -> bool {
        table < self.narrow_tables
    }

    /// Buckets of one way of table `table`, as a power of two.
    pub const fn buckets_log2(&self, table: usize) -> u32 {
        if self.is_narrow(table) { self.narrow_buckets_log2 } else { self.wide_buckets_log2 }
    }

    /// Slots of table `table` in both ways.
    pub const fn slots(&self, table: usize) -> usize {
        (WAYS * self.bucket_slots) << self.buckets_log2(table)
    }

    /// Beats in a line.
    pub const fn beats_per_line(&self) -> usize {
        crate::bits::LINE_BYTES / self.beat_bytes
    }
}

const _: () = {
    let mut n = 0;
    while n < ALL.len() {
        let g = ALL[n];
        assert!(g.beat_bytes.is_power_of_two() && g.beat_bytes <= crate::bits::LINE_BYTES);
        assert!(g.tables() <= MAX_TABLES);
        assert!(g.narrow_buckets_log2 as usize <= crate::hash::INDEX_BITS);
        assert!(g.wide_buckets_log2 as usize <= crate::hash::INDEX_BITS);
        assert!(g.tcam_entries <= crate::entry::TCAM_ENTRIES_MAX);
        assert!(g.read_buffer_beats.is_power_of_two() && g.packets_in_flight.is_power_of_two());
        n += 1;
    }
};
