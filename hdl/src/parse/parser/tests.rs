//! The parser against the model, and the lock-step of its text.

mod captures;
mod gates;
mod model;
mod packets;

use std::collections::VecDeque;

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use wiresift_abi::h2c::PACKET_BYTES_MAX;
use wiresift_abi::vector::{FLAGS, Flags, LENGTH, WINDOW_BYTES};

use super::super::testing::{to_bytes, to_port};
use super::*;
use crate::gate::{Clocked, Native};
use model::Fields;
use packets::{chain, ethernet, ipv4, ipv6, shapes, transport};

impl Clocked for Parser {
    fn clock(&mut self) -> &mut Signal<In, Clock> {
        &mut self.clock
    }
}

/// An element on its way through the parser.
enum Element {
    Nothing,
    Packet(Vec<u8>),
    Command(Vec<u8>),
}

/// The parser, and what has gone in and not yet come out.
struct Bench {
    native: Native<Parser>,
    inside: VecDeque<(Element, u32)>,
    rng: ChaCha8Rng,
    packets: usize,
    deferred: usize,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut native = Native::new(Parser::default());
        native.uut.reset.next = true;
        native.step();
        native.uut.reset.next = false;
        let inside = (1..LATENCY).map(|_| (Element::Nothing, 0)).collect();
        Self { native, inside, rng: ChaCha8Rng::seed_from_u64(seed), packets: 0, deferred: 0 }
    }

    /// One cycle: an element goes in; what comes out is checked.
    fn cycle(&mut self, element: Element) {
        let number = self.rng.random();
        // What lies behind the packet in the window is anything.
        let mut window = [0; WINDOW_BYTES];
        self.rng.fill_bytes(&mut window);
        let uut = &mut self.native.uut;
        uut.valid.next = !matches!(element, Element::Nothing);
        uut.command.next = matches!(element, Element::Command(_));
        let (Element::Packet(bytes) | Element::Command(bytes)) = &element else {
            uut.window.next = to_port(&window);
            return self.step(element, number);
        };
        let held = bytes.len().min(WINDOW_BYTES);
        window[..held].copy_from_slice(&bytes[..held]);
        uut.window.next = to_port(&window);
        uut.length.next = (bytes.len() as u64).into();
        uut.sequence_number.next = u64::from(number).into();
        self.step(element, number);
    }

    fn step(&mut self, element: Element, number: u32) {
        self.native.step();
        self.inside.push_back((element, number));
        let (element, number) = self.inside.pop_front().unwrap();
        let uut = &self.native.uut;
        assert_eq!(uut.out_valid.val(), !matches!(element, Element::Nothing));
        let line = to_bytes(uut.out_line.val());
        match element {
            Element::Nothing => return,
            Element::Command(bytes) => {
                assert!(uut.out_command.val());
                assert_eq!(line, bytes);
            }
            Element::Packet(bytes) => {
                assert!(!uut.out_command.val());
                self.packets += 1;
                let fields = Fields::of(&bytes);
                let line = wiresift_abi::bits::Line(line.try_into().unwrap());
                let deferred = line.get(FLAGS) as u16 & Flags::DEFER != 0;
                if fields.defer && deferred {
                    self.deferred += 1;
                    assert_eq!(line.get(LENGTH), bytes.len() as u128);
                } else {
                    assert_eq!(line, fields.line(), "{fields:x?}\nof {bytes:02x?}");
                }
            }
        }
        assert_eq!(uut.out_sequence.val().to_u32(), number);
    }

    fn packet(&mut self, bytes: &[u8]) {
        self.cycle(Element::Packet(bytes.to_vec()));
    }

    /// Pauses and commands between packets.
    fn between(&mut self) {
        match self.rng.random_range(0..20) {
            0 => self.cycle(Element::Nothing),
            1 => {
                let mut line = vec![0; 64];
                self.rng.fill_bytes(&mut line);
                // Some look like a packet.
                if self.rng.random() {
                    let shapes = shapes();
                    let shape = &shapes[self.rng.random_range(0..shapes.len())];
                    let held = shape.len().min(64);
                    line[..held].copy_from_slice(&shape[..held]);
                }
                self.cycle(Element::Command(line));
            }
            _ => {}
        }
    }

    /// Lets everything out; packets and deferred ones.
    fn drain(mut self) -> (usize, usize) {
        for _ in 0..LATENCY {
            self.cycle(Element::Nothing);
        }
        (self.packets, self.deferred)
    }
}

const TAGS: [&[u16]; 3] = [&[], &[0x8100], &[0x88a8, 0x8100]];

#[test]
fn every_shape_is_read_cut_at_every_byte() {
    let mut bench = Bench::new(1);
    for shape in shapes() {
        for length in 0..=shape.len() {
            bench.packet(&shape[..length]);
            bench.between();
        }
        bench.packet(&[shape.clone(), vec![0xee; PACKET_BYTES_MAX - shape.len()]].concat());
    }
    let (packets, deferred) = bench.drain();
    assert!(packets > 1500 && deferred > 0, "{packets} {deferred}");
}

#[test]
fn every_depth_of_vlan_tags_and_every_ethertype_is_told_apart() {
    let mut bench = Bench::new(2);
    let types = [0x8100, 0x88a8, 0x9100];
    let mut stacks = vec![vec![]];
    for depth in 0..4 {
        let deeper: Vec<Vec<u16>> = stacks
            .iter()
            .filter(|stack: &&Vec<u16>| stack.len() == depth)
            .flat_map(|stack| types.map(|tag| [stack.clone(), vec![tag]].concat()))
            .collect();
        stacks.extend(deeper);
    }
    for stack in &stacks {
        for ethertype in [0x0800, 0x86dd, 0x8847, 0x8848, 0x8864, 0x894f, 0x0806, 0x8863, 0x0008, 0, 1500] {
            let payload =
                if ethertype == 0x86dd { ipv6(6, 0, &transport()) } else { ipv4(5, 0, 6, 0, &transport()) };
            let packet = ethernet(stack, ethertype, &payload);
            bench.packet(&packet);
            bench.packet(&packet[..packet.len().min(14 + 4 * stack.len())]);
            bench.between();
        }
    }
    // Every neighbour of an EtherType that means something, and others.
    let known = [0x8100, 0x88a8, 0x9100, 0x0800, 0x86dd, 0x8847, 0x8848, 0x8864, 0x894f];
    let neighbours = known.iter().flat_map(|known| (0..16).map(move |bit| known ^ 1 << bit));
    for (n, ethertype) in neighbours.chain((0..=u16::MAX).step_by(97)).enumerate() {
        bench.packet(&ethernet(TAGS[n % 3], ethertype, &ipv4(5, 0, 6, 0, &transport())));
    }
    bench.drain();
}

#[test]
fn every_check_of_the_ipv4_header_is_made() {
    let mut bench = Bench::new(3);
    for tags in TAGS {
        for words in 0..16 {
            for off in (-70..=20).filter(|off| *off >= -36 || words == 15) {
                let mut packet = ethernet(tags, 0x0800, &ipv4(words, 0, 6, off, &transport()));
                bench.packet(&packet);
                // Padding behind the packet is no part of it.
                packet.extend([0xff; 40]);
                bench.packet(&packet);
            }
            for version in 0..16 {
                let mut packet = ethernet(tags, 0x0800, &ipv4(words, 0, 17, 0, &transport()));
                let at = 14 + 4 * tags.len();
                packet[at] = version << 4 | words as u8;
                bench.packet(&packet);
                packet.truncate(at + words * 4 + usize::from(version));
                bench.packet(&packet);
            }
            for bit in 0..16 {
                for proto in [6, 17, 1, 4] {
                    bench.packet(&ethernet(tags, 0x0800, &ipv4(words, 1 << bit, proto, 0, &transport())));
                }
            }
        }
        for proto in 0..=255 {
            bench.packet(&ethernet(tags, 0x0800, &ipv4(5, 0, proto, 0, &transport())));
            bench.packet(&ethernet(tags, 0x86dd, &ipv6(proto, 0, &transport())));
        }
    }
    for total in [0, 1, 19, 20, 21, 24, 0x7fff, 0x8000, 0xffff] {
        let mut packet = ethernet(&[], 0x0800, &ipv4(5, 0, 6, 0, &transport()));
        packet[16..18].copy_from_slice(&u16::to_be_bytes(total));
        bench.packet(&packet);
    }
    let (_, deferred) = bench.drain();
    assert_eq!(deferred, 0, "an IPv4 header and what follows it are always in the window");
}

#[test]
fn every_check_of_the_ipv6_header_is_made() {
    let mut bench = Bench::new(4);
    for tags in TAGS {
        for off in -40..=20 {
            for (next, bytes) in [(6, transport()), chain(&[(60, 0, 0)], 17, &transport())] {
                let mut packet = ethernet(tags, 0x86dd, &ipv6(next, off, &bytes));
                bench.packet(&packet);
                packet.extend([0xff; 40]);
                bench.packet(&packet);
            }
        }
        for version in 0..16 {
            let mut packet = ethernet(tags, 0x86dd, &ipv6(6, 0, &transport()));
            packet[14 + 4 * tags.len()] = version << 4 | 7;
            bench.packet(&packet);
        }
    }
    for payload in [0, 1, 7, 8, 0x7fff, 0x8000, 0xffd7, 0xffd8, 0xffff] {
        for (next, bytes) in [(6, transport()), chain(&[(60, 0, 0)], 17, &transport())] {
            let mut packet = ethernet(&[], 0x86dd, &ipv6(next, 0, &bytes));
            packet[18..20].copy_from_slice(&u16::to_be_bytes(payload));
            bench.packet(&packet);
        }
    }
    bench.drain();
}

#[test]
fn chains_of_extension_headers_are_walked_or_left_to_the_host() {
    let mut bench = Bench::new(5);
    let kinds = [0, 43, 44, 51, 60, 135, 139, 140];
    for tags in TAGS {
        for count in 0..=9 {
            for kind in kinds {
                for last in [6, 17, 58, 59, 47, 253] {
                    let headers = vec![(kind, u8::from(kind == 51), 0); count];
                    let (next, bytes) = chain(&headers, last, &transport());
                    let packet = ethernet(tags, 0x86dd, &ipv6(next, 0, &bytes));
                    bench.packet(&packet);
                    bench.packet(&packet[..packet.len() - 30]);
                    bench.packet(&packet[..packet.len() - 33]);
                }
            }
        }
        for word in (0..16).map(|bit| 1 << bit).chain([0, 0xffff, 0xfff8, 7]) {
            for before in 0..4 {
                let headers = [vec![(60, 0, 0); before], vec![(44, 0, word)]].concat();
                let (next, bytes) = chain(&headers, 6, &transport());
                bench.packet(&ethernet(tags, 0x86dd, &ipv6(next, 0, &bytes)));
            }
        }
        for length in (0..24).chain([127, 128, 129, 254, 255]) {
            for kind in kinds {
                let (next, bytes) = chain(&[(kind, length, 0)], 17, &transport());
                bench.packet(&ethernet(tags, 0x86dd, &ipv6(next, 0, &bytes)));
                let (next, bytes) = chain(&[(kind, length, 0), (60, 0, 0)], 17, &transport());
                bench.packet(&ethernet(tags, 0x86dd, &ipv6(next, 0, &bytes)));
            }
        }
    }
    let (packets, deferred) = bench.drain();
    assert!(deferred > 1000 && deferred < packets * 3 / 4, "{deferred} of {packets}");
}

#[test]
fn headers_around_the_end_of_the_window_are_deferred_only_when_a_byte_is_needed() {
    let mut bench = Bench::new(6);
    for tags in TAGS {
        // An authentication header moves by four bytes a step.
        for length in 8..24 {
            let headers: [&[(u8, u8, u16)]; 7] = [
                &[],
                &[(44, 0, 0)],
                &[(44, 0, 1)],
                &[(44, 0, 0x0777)],
                &[(60, 0, 0)],
                &[(51, 1, 0)],
                &[(43, 3, 0), (60, 0, 0)],
            ];
            for headers in headers {
                for last in [6, 17, 132, 58, 59] {
                    let headers = [&[(51, length, 0)], headers].concat();
                    let (next, bytes) = chain(&headers, last, &transport());
                    let whole = ethernet(tags, 0x86dd, &ipv6(next, 0, &bytes));
                    bench.packet(&whole);
                    for _ in 0..6 {
                        let length = bench.rng.random_range(100.min(whole.len())..=whole.len());
                        bench.packet(&whole[..length]);
                    }
                }
            }
        }
    }
    let (packets, deferred) = bench.drain();
    assert!(deferred > 1000 && deferred < packets * 3 / 4, "{deferred} of {packets}");
}

/// A packet of a shape, with some bytes changed and the end moved.
fn mutated(rng: &mut ChaCha8Rng, shapes: &[Vec<u8>]) -> Vec<u8> {
    let mut packet = shapes[rng.random_range(0..shapes.len())].clone();
    for _ in 0..rng.random_range(0..6) {
        let at = rng.random_range(12..packet.len());
        packet[at] = match rng.random_range(0..4) {
            0 => rng.random(),
            1 => packet[at] ^ 1 << rng.random_range(0..8),
            2 => {
                [0, 1, 4, 5, 6, 8, 17, 41, 43, 44, 51, 58, 60, 135, 0x45, 0x81, 0xff][rng.random_range(0..17)]
            }
            _ => packet[at].wrapping_add(1),
        };
    }
    match rng.random_range(0..4) {
        0 => packet.truncate(rng.random_range(0..=packet.len())),
        1 => packet.extend((0..rng.random_range(0..200)).map(|n: u32| n as u8)),
        _ => {}
    }
    packet
}

/// Extension headers by lot before a transport header.
fn random_chain(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let kinds = [0, 43, 44, 51, 60, 135, 139, 140];
    let header = |rng: &mut ChaCha8Rng| {
        let word =
            if rng.random_range(0..3) > 0 { 0 } else { rng.random::<u16>() >> rng.random_range(0..16) };
        (kinds[rng.random_range(0..8)], rng.random_range(0..8u8) >> rng.random_range(0..4), word)
    };
    let headers: Vec<_> = (0..rng.random_range(0..6)).map(|_| header(rng)).collect();
    let last = [6, 17, 132, 58, 1, 59, 4, 41][rng.random_range(0..8)];
    let (next, bytes) = chain(&headers, last, &transport()[..rng.random_range(0..=32)]);
    let off = if rng.random_range(0..4) == 0 { rng.random_range(-40..20) } else { 0 };
    let packet = ipv6(next, off.max(-(bytes.len() as i32)), &bytes);
    ethernet(TAGS[rng.random_range(0..3)], 0x86dd, &packet)
}

#[test]
fn mutated_and_random_packets_are_read_alike() {
    let mut bench = Bench::new(7);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let shapes = shapes();
    for _ in 0..16_000 {
        let packet = match rng.random_range(0..8) {
            0..4 => mutated(&mut rng, &shapes),
            4..7 => random_chain(&mut rng),
            _ => (0..rng.random_range(0..200)).map(|_| rng.random()).collect(),
        };
        bench.packet(&packet);
        bench.between();
    }
    let (packets, deferred) = bench.drain();
    assert!(packets == 16_000 && deferred > 100, "{deferred} of {packets}");
}

#[test]
fn a_reset_empties_the_parser() {
    let mut bench = Bench::new(9);
    for shape in shapes().iter().take(LATENCY / 2) {
        bench.packet(shape);
    }
    bench.native.uut.reset.next = true;
    bench.native.uut.valid.next = true;
    bench.native.step();
    bench.native.uut.reset.next = false;
    bench.inside = (1..LATENCY).map(|_| (Element::Nothing, 0)).collect();
    for shape in shapes() {
        bench.packet(&shape);
    }
    bench.drain();
}
