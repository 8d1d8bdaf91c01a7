//! The gate for the parser and for each of its stages. A stage gets anything at its inputs, more than
//! the stages before it would give.

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use rust_hdl::prelude::*;

use super::super::super::assemble::Assemble;
use super::super::super::base::Base;
use super::super::super::bounds::Bounds;
use super::super::super::delay::Delay;
use super::super::super::element;
use super::super::super::ethernet::Ethernet;
use super::super::super::extension::Extension;
use super::super::super::testing::to_port;
use super::super::super::transport::Transport;
use super::super::super::vlan::Vlan;
use super::Parser;
use super::packets::shapes;
use crate::gate::{Clocked, passes};

macro_rules! clocked {
    ($($block:ty),*) => {
        $(impl Clocked for $block {
            fn clock(&mut self) -> &mut Signal<In, Clock> {
                &mut self.clock
            }
        })*
    };
}
clocked!(Ethernet, Vlan, Base, Bounds, Extension, Transport, Assemble, Delay<40, 9>, Delay<40, 3>);

fn bytes<const BYTES: usize>(rng: &mut ChaCha8Rng) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn number<const BITS: usize>(rng: &mut ChaCha8Rng) -> Bits<BITS> {
    let small = rng.random_range(0..3) == 0;
    let number = rng.random::<u64>() >> (64 - BITS);
    if small { (number % 64).into() } else { number.into() }
}

/// A window that holds a packet more often than not.
fn window(rng: &mut ChaCha8Rng) -> [u8; 128] {
    let mut window = bytes::<128>(rng);
    let shapes = shapes();
    if let Some(shape) = shapes.get(rng.random_range(0..shapes.len() + 4)) {
        let held = shape.len().min(128);
        window[..held].copy_from_slice(&shape[..held]);
        window[rng.random_range(12..128)] ^= 1 << rng.random_range(0..8);
    }
    window
}

fn link(rng: &mut ChaCha8Rng) -> element::Link {
    element::Link {
        command: rng.random_range(0..4) == 0,
        ipv4: rng.random(),
        ipv6: rng.random(),
        truncated: rng.random(),
        vlan_depth: rng.random(),
        tunnel: rng.random(),
        vlan: rng.random(),
        ethertype: number(rng),
        vlan_outer: number(rng),
        vlan_inner: number(rng),
        length: number(rng),
        left: number(rng),
        words: number(rng),
    }
}

fn walk(rng: &mut ChaCha8Rng) -> element::Walk {
    let kinds = [0, 6, 17, 43, 44, 51, 58, 60, 132, 135, 139, 140, 4, 41, 47, 137];
    element::Walk {
        active: rng.random_range(0..8) > 0,
        ipv6: rng.random_range(0..8) > 0,
        kind: if rng.random_range(0..8) == 0 { number(rng) } else { kinds[rng.random_range(0..16)].into() },
        words: if rng.random() { rng.random_range(0..24u64).into() } else { number(rng) },
        span: if rng.random() { rng.random_range(0..8u64).into() } else { number(rng) },
        half: rng.random(),
        truncated: rng.random(),
        fragment: rng.random(),
        later: rng.random(),
        defer: rng.random(),
    }
}

#[test]
fn ethernet_passes() {
    passes("ethernet", Ethernet::default, 1500, 1, |uut, rng, _| {
        uut.command.next = rng.random();
        uut.window.next = to_port(&window(rng));
        uut.length.next = number(rng);
    });
}

#[test]
fn vlan_passes() {
    passes("vlan", Vlan::default, 1500, 2, |uut, rng, _| {
        let mut any = || rng.random::<bool>();
        uut.looks.next = element::Looks {
            command: any() & any(),
            vlan_0: any(),
            vlan_1: any(),
            vlan_2: any(),
            ipv4_0: any(),
            ipv4_1: any(),
            ipv4_2: any(),
            ipv6_0: any(),
            ipv6_1: any(),
            ipv6_2: any(),
            tunnel_0: any(),
            tunnel_1: any(),
            tunnel_2: any(),
            whole_0: any() | any(),
            whole_1: any() | any(),
            whole_2: any() | any(),
            length: number(rng),
            behind: number(rng),
        };
        uut.window.next = to_port(&bytes::<128>(rng));
        uut.bytes.next = to_port(&bytes::<128>(rng));
    });
}

#[test]
fn base_passes() {
    passes("base", Base::default, 3000, 3, |uut, rng, _| {
        uut.link.next = link(rng);
        let mut head = bytes::<40>(rng);
        head[39] = [0x45, 0x46, 0x60, 0x44, 0x4f, 0x54][rng.random_range(0..6)];
        uut.head.next = to_port(&head);
    });
}

#[test]
fn bounds_passes() {
    passes("bounds", Bounds::default, 3000, 4, |uut, rng, _| {
        uut.link.next = link(rng);
        let mut rare = || rng.random_range(0..6) == 0;
        uut.base.next = element::Base {
            short: rare(),
            other_version: rare(),
            small_header: rare(),
            small_total: rare(),
            cut: rare(),
            fragment: rare(),
            later: rare(),
            kind: number(rng),
            room: number(rng),
            said: number(rng),
            words: number(rng),
        };
        uut.head.next = to_port(&bytes::<40>(rng));
        uut.low.next = to_port(&bytes::<24>(rng));
    });
}

#[test]
fn extension_passes() {
    passes("extension", Extension::default, 3000, 5, |uut, rng, _| {
        uut.walk.next = walk(rng);
        uut.tail.next = to_port(&bytes::<96>(rng));
    });
}

#[test]
fn transport_passes() {
    passes("transport", Transport::default, 3000, 6, |uut, rng, _| {
        uut.walk.next = walk(rng);
        uut.tail.next = to_port(&bytes::<96>(rng));
    });
}

#[test]
fn assemble_passes() {
    passes("assemble", Assemble::default, 3000, 7, |uut, rng, _| {
        let mut any = || rng.random::<bool>();
        uut.found.next = element::Found {
            reached: any() | any(),
            tcp: any(),
            udp: any(),
            sctp: any(),
            icmp: any(),
            tunnel: any(),
            bytes_2: any(),
            bytes_4: any(),
            bytes_8: any(),
            bytes_12: any(),
            bytes_14: any(),
            bytes_20: any(),
            seen_2: any(),
            seen_4: any(),
            seen_14: any(),
            truncated: any(),
            fragment: any(),
            later: any(),
            defer: any(),
            kind: number(rng),
            word: number(rng),
            tcp_flags: number(rng),
            offset: number(rng),
        };
        uut.line.next = to_port(&bytes::<64>(rng));
    });
}

#[test]
fn delay_passes() {
    passes("delay_9", Delay::<40, 9>::default, 300, 8, |uut, rng, _| uut.data.next = number(rng));
    passes("delay_3", Delay::<40, 3>::default, 300, 8, |uut, rng, _| uut.data.next = number(rng));
}

#[test]
fn parser_passes() {
    passes("parser", Parser::default, 4000, 9, |uut, rng, cycle| {
        uut.reset.next = cycle == 0 || rng.random_range(0..300) == 0;
        uut.valid.next = rng.random_range(0..4) > 0;
        uut.command.next = rng.random_range(0..6) == 0;
        uut.window.next = to_port(&window(rng));
        uut.length.next = if rng.random() {
            rng.random_range(0..200u64).into()
        } else {
            rng.random_range(0..9217u64).into()
        };
        uut.sequence_number.next = number(rng);
    });
}
