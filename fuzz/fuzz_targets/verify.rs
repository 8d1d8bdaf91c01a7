//! Verification of signatures: any rule on any packets gets the same answers from the CPU engine as from the reference.
//!
//! The input is the options of a rule, a zero byte, and packets: for each a byte that chooses its headers, one of TCP flags
//! or ICMP type, one for the time that passes, one for the length of the payload, and the payload.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wiresift_abi::geometry::LAB;
use wiresift_host::compile::{Options, compile};
use wiresift_host::decision::Decision;
use wiresift_host::device::{Batch, Device, PacketInfo};
use wiresift_host::engine::cpu::{CpuDevice, CpuEngine};
use wiresift_host::engine::reference::ReferenceDevice;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::source::Source;

/// Packets of an input at most: the reference tries everything, and an input is to take a moment only.
const PACKETS: usize = 12;

fn packet(kind: u8, detail: u8, payload: &[u8]) -> Vec<u8> {
    let protocol = [6, 6, 17, 1][usize::from(kind & 3)];
    let (v6, back, fragment) = (kind & 4 != 0, kind & 8 != 0, kind & 0x30 == 0x30);
    let protocol = if protocol == 1 && v6 { 58 } else { protocol };
    let [src, dst] = if back { [2, 1] } else { [1, 2] };
    let mut transport = match protocol {
        1 | 58 => vec![detail, 0, 0, 0, 0, 7, 0, 1],
        _ => vec![4, src, 4, dst, 0, 0, 0, 1],
    };
    if protocol == 6 {
        transport.extend([0, 0, 0, 2, 0x50 | kind & 0x40, detail, 0x20, 0, 0, 0, 0, 0]);
        transport.extend(if kind & 0x40 == 0 { &[][..] } else { &[2, 4, 5, 0xb4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0] });
    }
    transport.extend(payload);
    let mut packet = vec![0; 12];
    if v6 {
        packet.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        packet.extend((transport.len() as u16).to_be_bytes());
        packet.extend([protocol, 64]);
        for last in [src, dst] {
            packet.extend([0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
        }
    } else {
        packet.extend([8, 0, 0x45, detail]);
        packet.extend((20 + transport.len() as u16).to_be_bytes());
        packet.extend([0, 5, if fragment { 0x20 } else { 0 }, u8::from(fragment && kind & 0x80 != 0)]);
        packet.extend([64, protocol, 0, 0, 10, 0, 0, src, 10, 0, 0, dst]);
    }
    packet.extend(transport);
    packet
}

fn packets(mut data: &[u8]) -> Batch {
    let (mut batch, mut nanos) = (Batch::new(0), 0);
    while let [kind, detail, passed, length, rest @ ..] = data {
        let (payload, behind) = rest.split_at(rest.len().min(usize::from(*length)));
        nanos += u64::from(*passed) * 250_000_000;
        if batch.len() == PACKETS {
            break;
        }
        batch.push(&packet(*kind, *detail, payload), PacketInfo { nanos, ..PacketInfo::default() });
        data = behind;
    }
    batch
}

fn decide(device: &mut dyn Device, batch: &Arc<Batch>) -> Vec<Decision> {
    device.submit(Arc::clone(batch)).expect("neither device fails");
    device.collect(true).expect("neither device fails").expect("a batch was submitted").decisions
}

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (options, rest) = data.split_at(end);
    let text = [&b"alert ip any any -> any any ("[..], options, b"; sid:1;)"].concat();
    let Ok(rules) = parse_sources(&[Source::new("fuzz.rules", &text)], &BTreeMap::new()) else { return };
    let batch = Arc::new(packets(rest.get(1..).unwrap_or_default()));
    let expected = decide(&mut ReferenceDevice::new(&rules), &batch);
    let Ok(compiled) = compile(&rules, &LAB, &Options { seed: Some(1) }) else { return };
    let engine = CpuEngine::new(&compiled.image).expect("the image was just made");
    let mut device = CpuDevice::new(engine).expect("the parser lets no expression through that is none");
    let decisions = decide(&mut device, &batch);
    // What the engine gives up it says, and the reference does not: see docs/signature-semantics.md.
    let given_up = device.summary().into_iter().any(|(name, value)| name.contains("over the budget") && value != "0");
    assert!(given_up || decisions == expected, "{}\n{decisions:?}\n{expected:?}", String::from_utf8_lossy(&text));
});
