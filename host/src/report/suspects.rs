//! The packets that a full IDS should see, as a capture (`--suspects`).
//!
//! pcap with nanoseconds and Ethernet headers: packets of other link types have the header that they were decided with. Packets
//! come in the order of the captures, each once.
//!
//! With whole flows, every packet waits in a buffer of [`BUFFER_BYTES`] bytes. When it leaves, because the
//! buffer is full or the session ends, it is written if its flow has a suspect by then. So the capture has of a flow that has
//! a suspect: all from that packet on, and what the buffer held before it.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::hash::RandomState;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use wiresift_abi::vector::Flags;

use super::Report;
use crate::capture::CAPTURED_BYTES_MAX;
use crate::device::{Decided, PacketInfo};
use crate::engine::cpu::parse::Header;
use crate::metadata::Metadata;
use crate::session::Totals;
use crate::verify::flow::FlowKey;
use crate::verify::layers::Layers;

/// Bytes of packets that wait for a suspect of their flow.
pub const BUFFER_BYTES: usize = 64 << 20;
/// Flows with a suspect that are remembered: those used last.
pub const FLOWS: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// pcap with nanoseconds, written in this byte order.
const MAGIC: u32 = 0xa1b2_3c4d;
const VERSION: [u16; 2] = [2, 4];
const LINK_TYPE_ETHERNET: u32 = 1;
const NANOS: u64 = 1_000_000_000;
/// What a waiting packet costs beside its bytes.
const WAITING_BYTES: usize = size_of::<Waiting>();

/// Writes suspects to a capture.
pub struct Suspects<W> {
    out: W,
    begun: bool,
    flows: Option<Flows>,
}

/// What is kept to write whole flows.
struct Flows {
    waiting: VecDeque<Waiting>,
    /// Bytes of the waiting packets.
    bytes: usize,
    bytes_max: usize,
    /// Flows with a suspect.
    suspect: LruCache<FlowKey, (), RandomState>,
}

/// A packet in the buffer.
struct Waiting {
    packet: Box<[u8]>,
    info: PacketInfo,
    is_suspect: bool,
    flow: Option<FlowKey>,
}

impl<W: Write> Suspects<W> {
    /// A capture on `out`, of the suspects alone or of their whole flows.
    pub fn new(out: W, whole_flows: bool) -> Self {
        Self::with_buffer(out, whole_flows.then_some(BUFFER_BYTES))
    }

    /// A capture with whole flows out of a buffer of so many bytes.
    fn with_buffer(out: W, bytes: Option<usize>) -> Self {
        let flows = bytes.map(|bytes_max| Flows {
            waiting: VecDeque::new(),
            bytes: 0,
            bytes_max,
            suspect: LruCache::with_hasher(FLOWS, RandomState::new()),
        });
        Self { out, begun: false, flows }
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let [major, minor] = VERSION;
        self.out.write_all(&MAGIC.to_le_bytes())?;
        self.out.write_all(&major.to_le_bytes())?;
        self.out.write_all(&minor.to_le_bytes())?;
        // Time zone and accuracy, which nobody fills in.
        self.out.write_all(&[0; 8])?;
        self.out.write_all(&(CAPTURED_BYTES_MAX as u32).to_le_bytes())?;
        self.out.write_all(&LINK_TYPE_ETHERNET.to_le_bytes())
    }

    /// Writes the packets that leave the buffer when `bytes` bytes may stay.
    fn release(&mut self, bytes: usize) -> io::Result<()> {
        let Some(flows) = &mut self.flows else { return Ok(()) };
        while flows.bytes > bytes {
            let Some(first) = flows.waiting.pop_front() else { break };
            flows.bytes -= first.packet.len() + WAITING_BYTES;
            if first.is_suspect || first.flow.is_some_and(|flow| flows.suspect.get(&flow).is_some()) {
                write_packet(&mut self.out, &first.packet, first.info)?;
            }
        }
        Ok(())
    }
}

fn write_packet(out: &mut impl Write, packet: &[u8], info: PacketInfo) -> io::Result<()> {
    let seconds = u32::try_from(info.nanos / NANOS).unwrap_or(u32::MAX);
    let nanos = (info.nanos % NANOS) as u32;
    let captured = packet.len() as u32;
    for word in [seconds, nanos, captured, info.wire_length.max(captured)] {
        out.write_all(&word.to_le_bytes())?;
    }
    out.write_all(packet)
}

impl Flows {
    /// Takes the next packet.
    fn take(&mut self, packet: &[u8], info: PacketInfo, is_suspect: bool) {
        let layers = Layers::new(packet, Header::of(packet));
        let flow = FlowKey::of(&layers).map(|(key, _)| key);
        let fragments = FlowKey::of_fragments(&layers);
        if is_suspect {
            for flow in flow.into_iter().chain(fragments) {
                self.suspect.put(flow, ());
            }
        }
        // Later fragments have no ports: they go with every flow of their protocol between the two addresses.
        let flow = flow.or(fragments);
        self.bytes += packet.len() + WAITING_BYTES;
        self.waiting.push_back(Waiting { packet: packet.into(), info, is_suspect, flow });
    }
}

impl<W: Write + Send> Report for Suspects<W> {
    fn decided(&mut self, decided: &Decided) -> io::Result<()> {
        self.begin()?;
        for (n, decision) in decided.decisions.iter().enumerate() {
            let is_suspect = decision.flags.0 & Flags::SUSPECT != 0;
            let (packet, info) = (decided.batch.packet(n), decided.batch.info(n));
            match &mut self.flows {
                None if is_suspect => write_packet(&mut self.out, packet, info)?,
                None => {}
                Some(flows) => {
                    flows.take(packet, info, is_suspect);
                    let bytes = flows.bytes_max;
                    self.release(bytes)?;
                }
            }
        }
        Ok(())
    }

    fn rules(&mut self, _metadata: Arc<Metadata>) {}

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn finish(&mut self, _totals: &Totals) -> io::Result<()> {
        self.begin()?;
        self.release(0)?;
        self.out.flush()
    }
}
