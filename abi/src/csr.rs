//! Control and status registers: 32 bits each, in BAR0, behind an AXI4-Lite slave.
//!
//! `docs/registers.md` is generated from the table in this file.

/// How a register answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads only; writes are ignored.
    Ro,
    /// Reads back what was written.
    Rw,
    /// Like [`Access::Rw`], but writes are ignored while CONTROL.ENABLE is set.
    RwStopped,
}

/// A register: name, byte offset in BAR0, access, meaning.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// The register's key in code.
    pub csr: Csr,
    /// Name in the documents.
    pub name: &'static str,
    /// How it answers.
    pub access: Access,
    /// What it means.
    pub text: &'static str,
}

macro_rules! registers {
    ($($name:ident $offset:literal $doc_name:literal $access:ident $text:literal;)*) => {
        /// Registers by byte offset in BAR0.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Csr {
            $(#[doc = $text] $name = $offset,)*
        }

        /// Every register in order of its offset, without the counters.
        pub const REGISTERS: &[Register] = &[
            $(Register { csr: Csr::$name, name: $doc_name, access: Access::$access, text: $text },)*
        ];
    };
}

registers! {
    Id 0x000 "ID" Ro "Magic number 0x57495245 (\"WIRE\"): this BAR is a Wiresift card.";
    AbiVersion 0x004 "ABI_VERSION" Ro "Version of this contract.";
    Geometry 0x008 "GEOMETRY" Ro "Number of the geometry.";
    BeatBytes 0x00c "BEAT_BYTES" Ro "Bytes in a beat.";
    NarrowTables 0x010 "NARROW_TABLES" Ro "Masked tables with 32-bit addresses.";
    NarrowBucketsLog2 0x014 "NARROW_BUCKETS_LOG2" Ro "Buckets of a way of a narrow table, power of two.";
    WideTables 0x018 "WIDE_TABLES" Ro "Masked tables with 128-bit addresses.";
    WideBucketsLog2 0x01c "WIDE_BUCKETS_LOG2" Ro "Buckets of a way of a wide table, power of two.";
    BucketSlots 0x020 "BUCKET_SLOTS" Ro "Slots in a bucket.";
    TcamEntries 0x024 "TCAM_ENTRIES" Ro "Entries of the TCAM.";
    Control 0x040 "CONTROL" Rw "Bit 0 ENABLE: 0 to 1 checks the ring registers, sets every index, sequence number and error to zero and starts; 1 to 0 stops: no further burst is asked for, packets inside are discarded and counted, and STATUS.IDLE rises when the bus has answered everything.";
    Status 0x044 "STATUS" Ro "Bit 0 RUNNING, bit 1 IDLE (nothing in flight on the bus), bit 2 HALTED (stopped by the error in ERROR).";
    Error 0x048 "ERROR" Ro "First error since the card was enabled; 0 is none.";
    ErrorDetail 0x04c "ERROR_DETAIL" Ro "What the error was found in: the batch header's control and length, the index, or the bus response.";
    H2cBaseLo 0x050 "H2C_BASE_LO" RwStopped "IOVA of the H2C ring, bits 31:0; a multiple of 4096.";
    H2cBaseHi 0x054 "H2C_BASE_HI" RwStopped "IOVA of the H2C ring, bits 63:32.";
    H2cLinesLog2 0x058 "H2C_LINES_LOG2" RwStopped "Lines of the H2C ring, power of two, 6 to 20.";
    H2cPidx 0x05c "H2C_PIDX" Rw "Doorbell: lines that the host has filled, free-running.";
    H2cCidx 0x060 "H2C_CIDX" Ro "Lines that the card has taken, free-running.";
    C2hBaseLo 0x070 "C2H_BASE_LO" RwStopped "IOVA of the C2H ring, bits 31:0; a multiple of 4096.";
    C2hBaseHi 0x074 "C2H_BASE_HI" RwStopped "IOVA of the C2H ring, bits 63:32.";
    C2hRecordsLog2 0x078 "C2H_RECORDS_LOG2" RwStopped "Records of the C2H ring, power of two, 8 to 22.";
    C2hCidx 0x07c "C2H_CIDX" Rw "Credit: records that the host has consumed, free-running.";
    C2hPidx 0x080 "C2H_PIDX" Ro "Records whose write the bus has acknowledged, free-running.";
    StatusBaseLo 0x090 "STATUS_BASE_LO" RwStopped "IOVA of the status line, bits 31:0; a multiple of 64.";
    StatusBaseHi 0x094 "STATUS_BASE_HI" RwStopped "IOVA of the status line, bits 63:32.";
    IrqControl 0x0a0 "IRQ_CONTROL" Rw "Bit 0 ARM: raise one interrupt at the next status line; the card clears it when it has raised it.";
    IrqCount 0x0a4 "IRQ_COUNT" Ro "Interrupts acknowledged by the bus.";
}

/// Value of [`Csr::Id`].
pub const ID: u32 = 0x5749_5245;
/// CONTROL.ENABLE.
pub const CONTROL_ENABLE: u32 = 1 << 0;
/// STATUS.RUNNING.
pub const STATUS_RUNNING: u32 = 1 << 0;
/// STATUS.IDLE.
pub const STATUS_IDLE: u32 = 1 << 1;
/// STATUS.HALTED.
pub const STATUS_HALTED: u32 = 1 << 2;
/// IRQ_CONTROL.ARM.
pub const IRQ_ARM: u32 = 1 << 0;
/// Bits of a register's byte offset: the window of BAR0 that the card decodes.
pub const ADDRESS_BITS: usize = 12;
/// Offset of the first counter. Counter `n` has its low word at `COUNTERS + 8 * n` and its high word
/// behind it; reading the low word latches the high one.
pub const COUNTERS: u16 = 0x100;
/// Bits of a counter; it wraps.
pub const COUNTER_BITS: usize = 48;

macro_rules! counters {
    ($($name:ident $doc_name:literal $text:literal;)*) => {
        /// Counters of the card, all zero at reset and never cleared by CONTROL.ENABLE.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Counter {
            $(#[doc = $text] $name,)*
        }

        /// Every counter in order, with name and meaning.
        pub const COUNTER_TABLE: &[(Counter, &str, &str)] = &[
            $((Counter::$name, $doc_name, $text),)*
        ];
    };
}

counters! {
    Cycles "CYCLES" "Cycles while RUNNING.";
    H2cLines "H2C_LINES" "Lines taken from the H2C ring.";
    Batches "BATCHES" "Batches begun.";
    PacketsIn "PACKETS_IN" "Packets taken from the ring. PACKETS_IN = VERDICTS + PACKETS_DISCARDED + packets in flight.";
    PacketBytes "PACKET_BYTES" "Bytes of those packets.";
    PacketBeats "PACKET_BEATS" "Beats of those packets.";
    Commands "COMMANDS" "Commands taken from the ring.";
    Verdicts "VERDICTS" "Verdict records handed to the C2H writer.";
    PacketsDiscarded "PACKETS_DISCARDED" "Packets discarded by a stop or a halt.";
    IdRecords "ID_RECORDS" "Records of ids, of patterns or of presence bits handed to the C2H writer.";
    PadRecords "PAD_RECORDS" "Pad records.";
    C2hLines "C2H_LINES" "Lines written to the C2H ring.";
    StatusLines "STATUS_LINES" "Status lines written.";
    AclMatches "ACL_MATCHES" "Packets that an ACL rule matched.";
    SignatureMatches "SIGNATURE_MATCHES" "Packets that at least one signature header matched.";
    Cut "CUT" "Packets with the flag CUT.";
    Deferred "DEFERRED" "Packets with the flag DEFER.";
    ReadBursts "READ_BURSTS" "Read bursts asked for.";
    ReadErrors "READ_ERRORS" "Beats read with an error response.";
    WriteBursts "WRITE_BURSTS" "Write bursts asked for.";
    WriteErrors "WRITE_ERRORS" "Write bursts answered with an error.";
    StarvedCycles "STARVED_CYCLES" "Cycles while RUNNING in which the unpacking had no beat.";
    BlockedCycles "BLOCKED_CYCLES" "Cycles while RUNNING in which the unpacking had a beat that the parser did not take.";
    CreditCycles "CREDIT_CYCLES" "Cycles while RUNNING in which a C2H line waited for the host's credit.";
}

impl Counter {
    /// Byte offset of the low word.
    pub const fn offset(self) -> u16 {
        COUNTERS + 8 * self as u16
    }
}

macro_rules! errors {
    ($($name:ident $number:literal $text:literal;)*) => {
        /// Why the card halted: the register ERROR.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum ErrorCode {
            $(#[doc = $text] $name = $number,)*
        }

        /// Every error code with its name and meaning.
        pub const ERROR_TABLE: &[(ErrorCode, &str, &str)] = &[
            $((ErrorCode::$name, stringify!($name), $text),)*
        ];
    };
}

errors! {
    ReadResponse 1 "A read of the H2C ring was answered with an error.";
    RecordWriteResponse 2 "A write to the C2H ring was answered with an error.";
    StatusWriteResponse 3 "A write of the status line was answered with an error.";
    BadConfig 4 "Enabled with a ring size out of range or a base that is not aligned.";
    BadPidx 5 "H2C_PIDX is more than the ring's size ahead of H2C_CIDX.";
    BadCidx 6 "C2H_CIDX is ahead of C2H_PIDX.";
    BadBatch 7 "A batch header has no items or an unknown kind.";
    BadSequence 8 "A batch header's sequence number is not that of the next packet.";
    BadLength 9 "A packet is longer than 9216 bytes.";
    BadCommand 10 "A command has an unknown opcode or a number out of range.";
}

impl ErrorCode {
    /// The error with that number; `None` for 0, no error, and for numbers that do not exist.
    pub fn from_number(number: u32) -> Option<Self> {
        ERROR_TABLE.iter().map(|row| row.0).find(|code| *code as u32 == number)
    }

    /// What it means.
    pub fn text(self) -> &'static str {
        ERROR_TABLE.iter().find(|row| row.0 == self).map_or("", |row| row.2)
    }
}

const _: () = {
    let mut n = 1;
    while n < REGISTERS.len() {
        assert!((REGISTERS[n - 1].csr as u16) < REGISTERS[n].csr as u16);
        n += 1;
    }
    assert!((REGISTERS[n - 1].csr as u16) < COUNTERS);
    assert!(COUNTERS as usize + 8 * COUNTER_TABLE.len() <= 1 << ADDRESS_BITS);
};
