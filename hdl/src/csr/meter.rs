//! From the handshakes of the streams to what the counters count.
//!
//! ```text
//!                                  .-------.
//! running ------------------------>|       |---> starved, blocked
//! ring_tvalid, ring_tready ------->| Meter |---> packet_beat
//! stream_tvalid, stream_tready --->|       |---> packet_bytes
//! stream_command, _length, packet >|       |---> packets_in
//!                                  '-------'
//! ```
//!
//! Each cycle: a beat that the unpacking wanted and did not get was starved; one that it had and the
//! window did not take was blocked; one of a packet that was taken is counted, at the last one with
//! the packet's bytes. Everything is one cycle late.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;

/// The meter.
#[derive(LogicBlock)]
pub struct Meter {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset: no packet was counted.
    pub reset: Signal<In, Bit>,
    /// STATUS.RUNNING.
    pub running: Signal<In, Bit>,
    /// The reader has a beat for the unpacking.
    pub ring_tvalid: Signal<In, Bit>,
    /// The unpacking takes it.
    pub ring_tready: Signal<In, Bit>,
    /// The unpacking has a beat for the window.
    pub stream_tvalid: Signal<In, Bit>,
    /// The window takes it.
    pub stream_tready: Signal<In, Bit>,
    /// It is a command's.
    pub stream_command: Signal<In, Bit>,
    /// Bytes of its packet.
    pub stream_length: Signal<In, Bits<16>>,
    /// It is the last one of a packet, and taken.
    pub packet: Signal<In, Bit>,
    /// STARVED_CYCLES.
    pub starved: Signal<Out, Bit>,
    /// BLOCKED_CYCLES.
    pub blocked: Signal<Out, Bit>,
    /// PACKET_BEATS.
    pub packet_beat: Signal<Out, Bit>,
    /// PACKET_BYTES.
    pub packet_bytes: Signal<Out, Bits<16>>,
    /// Low half of PACKETS_IN, for the status line.
    pub packets_in: Signal<Out, Bits<32>>,
    is_starved: DFF<Bit>,
    is_blocked: DFF<Bit>,
    is_beat: DFF<Bit>,
    bytes: DFF<Bits<16>>,
    packets: DFF<Bits<32>>,
    one: Constant<Bits<32>>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            running: Default::default(),
            ring_tvalid: Default::default(),
            ring_tready: Default::default(),
            stream_tvalid: Default::default(),
            stream_tready: Default::default(),
            stream_command: Default::default(),
            stream_length: Default::default(),
            packet: Default::default(),
            starved: Default::default(),
            blocked: Default::default(),
            packet_beat: Default::default(),
            packet_bytes: Default::default(),
            packets_in: Default::default(),
            is_starved: Default::default(),
            is_blocked: Default::default(),
            is_beat: Default::default(),
            bytes: Default::default(),
            packets: Default::default(),
            one: Constant::new(1u32.to_bits()),
        }
    }
}

impl Logic for Meter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, is_starved, is_blocked, is_beat, bytes, packets);
        self.is_starved.d.next = self.running.val() & self.ring_tready.val() & !self.ring_tvalid.val();
        self.is_blocked.d.next = self.running.val() & self.stream_tvalid.val() & !self.stream_tready.val();
        self.is_beat.d.next =
            self.stream_tvalid.val() & self.stream_tready.val() & !self.stream_command.val();
        self.bytes.d.next = 0.into();
        if self.packet.val() {
            self.bytes.d.next = self.stream_length.val();
            self.packets.d.next = self.packets.q.val() + self.one.val();
        }
        self.starved.next = self.is_starved.q.val();
        self.blocked.next = self.is_blocked.q.val();
        self.packet_beat.next = self.is_beat.q.val();
        self.packet_bytes.next = self.bytes.q.val();
        self.packets_in.next = self.packets.q.val();
        if self.reset.val() {
            self.is_starved.d.next = false;
            self.is_blocked.d.next = false;
            self.is_beat.d.next = false;
            self.bytes.d.next = 0.into();
            self.packets.d.next = 0.into();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::gate::{Clocked, Native, passes};

    impl Clocked for Meter {
        fn clock(&mut self) -> &mut Signal<In, Clock> {
            &mut self.clock
        }
    }

    fn random(uut: &mut Meter, rng: &mut ChaCha8Rng) {
        uut.running.next = rng.random_bool(0.8);
        uut.ring_tvalid.next = rng.random();
        uut.ring_tready.next = rng.random();
        uut.stream_tvalid.next = rng.random();
        uut.stream_tready.next = rng.random();
        uut.stream_command.next = rng.random();
        uut.stream_length.next = rng.random_range(0..9217u32).to_bits();
        uut.packet.next = rng.random();
    }

    #[test]
    fn it_counts_what_the_handshakes_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut meter = Native::new(Meter::default());
        let mut packets = 0;
        for _ in 0..1000 {
            random(&mut meter.uut, &mut rng);
            meter.settle();
            let uut = &meter.uut;
            let running = uut.running.val();
            let starved = running && uut.ring_tready.val() && !uut.ring_tvalid.val();
            let blocked = running && uut.stream_tvalid.val() && !uut.stream_tready.val();
            let beat = uut.stream_tvalid.val() && uut.stream_tready.val() && !uut.stream_command.val();
            let bytes = if uut.packet.val() { uut.stream_length.val().to_u32() } else { 0 };
            packets += u32::from(uut.packet.val());
            meter.step();
            let uut = &meter.uut;
            assert_eq!(
                (uut.starved.val(), uut.blocked.val(), uut.packet_beat.val()),
                (starved, blocked, beat)
            );
            assert_eq!((uut.packet_bytes.val().to_u32(), uut.packets_in.val().to_u32()), (bytes, packets));
        }
    }

    #[test]
    fn it_passes_the_gate() {
        passes("meter", Meter::default, 1000, 2, |uut, rng, _| {
            uut.reset.next = rng.random_bool(0.01);
            random(uut, rng);
        });
    }
}
