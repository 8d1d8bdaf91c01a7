//! Listens to the beats that the window takes, and numbers them.
//!
//! ```text
//!                   .-----.---> line, valid, beat   registered
//! tdata, taken, --->| Tap |
//! tlast, command,   '-----'---> arrived             number of the next beat
//! length
//! ```
//!
//! In the cycle after a beat was taken it is at the outputs: `line` holds the last 64 bytes of the stream, the beat
//! itself in the highest bits, so at the last beat of a command the whole command.

use rust_hdl::core::prelude::*;
use rust_hdl::widgets::prelude::*;
use wiresift_abi::bits::LINE_BITS;

use super::layout::{BEAT_NUMBER_BITS, BYTES_BITS, Beat};

/// Beats of `BEAT_BITS` bits.
#[derive(LogicBlock)]
pub struct Tap<const BEAT_BITS: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high: the next beat is the first of an element.
    pub reset: Signal<In, Bit>,
    /// The beat.
    pub tdata: Signal<In, Bits<BEAT_BITS>>,
    /// It is taken in this cycle.
    pub taken: Signal<In, Bit>,
    /// It is the last of its element.
    pub tlast: Signal<In, Bit>,
    /// The element is a command.
    pub command: Signal<In, Bit>,
    /// Bytes of the packet.
    pub length: Signal<In, Bits<16>>,
    /// A beat is at the outputs.
    pub valid: Signal<Out, Bit>,
    /// What it is.
    pub beat: Signal<Out, Beat>,
    /// The last bytes of the stream, the beat at the top.
    pub line: Signal<Out, Bits<LINE_BITS>>,
    /// Number of the beat that will be at the outputs next.
    pub arrived: Signal<Out, Bits<BEAT_NUMBER_BITS>>,
    held: DFF<Bits<LINE_BITS>>,
    held_valid: DFF<Bit>,
    info: DFF<Beat>,
    number: DFF<Bits<BEAT_NUMBER_BITS>>,
    is_first: DFF<Bit>,
    left: DFF<Bits<16>>,
    bytes: Signal<Local, Bits<16>>,
    beat_bits: Constant<Bits<16>>,
    beat_at: Constant<Bits<16>>,
    beat_bytes: Constant<Bits<16>>,
    most: Constant<Bits<16>>,
    one: Constant<Bits<BEAT_NUMBER_BITS>>,
}

impl<const BEAT_BITS: usize> Default for Tap<BEAT_BITS> {
    fn default() -> Self {
        let number = |n: usize| Constant::new((n as u64).to_bits());
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            tdata: Signal::default(),
            taken: Signal::default(),
            tlast: Signal::default(),
            command: Signal::default(),
            length: Signal::default(),
            valid: Signal::default(),
            beat: Signal::default(),
            line: Signal::default(),
            arrived: Signal::default(),
            held: DFF::default(),
            held_valid: DFF::default(),
            info: DFF::default(),
            number: DFF::default(),
            is_first: DFF::default(),
            left: DFF::default(),
            bytes: Signal::default(),
            beat_bits: number(BEAT_BITS),
            beat_at: number(LINE_BITS - BEAT_BITS),
            beat_bytes: number(BEAT_BITS / 8),
            most: number((1 << BYTES_BITS) - 1),
            one: Constant::new(1u64.to_bits()),
        }
    }
}

impl<const BEAT_BITS: usize> Logic for Tap<BEAT_BITS> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held, held_valid, info, number, is_first, left);
        self.bytes.next = self.left.q.val();
        if self.is_first.q.val() {
            self.bytes.next = self.length.val();
        }
        self.held_valid.d.next = self.taken.val();
        self.info.d.next.number = self.number.q.val();
        self.info.d.next.bytes = self.bytes.val().get_bits::<BYTES_BITS>(0);
        if self.bytes.val() > self.most.val() {
            self.info.d.next.bytes = self.most.val().get_bits::<BYTES_BITS>(0);
        }
        self.info.d.next.first = self.is_first.q.val();
        self.info.d.next.last = self.tlast.val();
        self.info.d.next.command = self.command.val();
        if self.taken.val() {
            self.held.d.next = (self.held.q.val() >> self.beat_bits.val())
                | (bit_cast::<LINE_BITS, BEAT_BITS>(self.tdata.val()) << self.beat_at.val());
            self.number.d.next = self.number.q.val() + self.one.val();
            self.is_first.d.next = self.tlast.val();
            // Below zero only behind the last beat.
            self.left.d.next = self.bytes.val() - self.beat_bytes.val();
        }
        self.valid.next = self.held_valid.q.val();
        self.beat.next = self.info.q.val();
        self.line.next = self.held.q.val();
        self.arrived.next = self.number.q.val();
        if self.reset.val() {
            self.held_valid.d.next = false;
            self.is_first.d.next = true;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use rand::Rng;

    use super::super::testing::{bits_of_bytes, bytes_of_bits};
    use super::*;
    use crate::gate::passes;

    fn gate<const BEAT_BITS: usize>(name: &str) {
        let beat_bytes = BEAT_BITS / 8;
        let mut stream: Vec<u8> = vec![0; 64];
        let (mut number, mut at, mut length, mut command) = (0u64, 0usize, 0usize, false);
        let mut expected: Option<(Beat, Vec<u8>)> = None;
        let mut lasts = 0;
        passes(name, Tap::<BEAT_BITS>::default, 3000, 1, |uut, rng, cycle| {
            if cycle > 0 {
                assert_eq!(uut.valid.val(), expected.is_some());
                assert_eq!(uut.arrived.val().index() as u64, number);
            }
            if let Some((beat, bytes)) = expected.take() {
                assert_eq!(uut.beat.val(), beat);
                assert_eq!(bytes_of_bits(uut.line.val()), bytes);
            }
            let reset = cycle == 0 || rng.random_bool(0.005);
            uut.reset.next = reset;
            let taken = rng.random_bool(0.8) && !reset;
            uut.taken.next = taken;
            if reset {
                at = 0;
            }
            if at == 0 {
                command = rng.random_bool(0.2);
                length = match rng.random_range(0..4) {
                    _ if command => 64,
                    0 => rng.random_range(0..4),
                    1 => beat_bytes * rng.random_range(1..3) + rng.random_range(0..3) - 1,
                    _ => rng.random_range(0..400),
                };
            }
            let last = at + beat_bytes >= length;
            let bytes: Vec<u8> = (0..beat_bytes).map(|_| rng.random()).collect();
            uut.tdata.next = bits_of_bytes(&bytes);
            uut.tlast.next = last;
            uut.command.next = command;
            uut.length.next = (length as u64).to_bits();
            if taken {
                stream.extend(&bytes);
                stream.drain(..beat_bytes);
                let beat = Beat {
                    number: number.to_bits(),
                    bytes: ((length - at).min(127) as u64).to_bits(),
                    first: at == 0,
                    last,
                    command,
                };
                expected = Some((beat, stream.clone()));
                number = (number + 1) % 1024;
                at = if last { 0 } else { at + beat_bytes };
                lasts += usize::from(last);
            }
        });
        assert!(lasts > 300);
    }

    #[test]
    fn beats_are_numbered_and_measured() {
        gate::<512>("payload_tap_line");
        gate::<128>("payload_tap_lab");
    }
}
