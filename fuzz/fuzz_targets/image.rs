//! Rule images: any bytes are refused or give an engine that decides packets. The input is tried as a file, and as the
//! commands and metadata of a file whose header and checksums are right.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wiresift_abi::bits::{LINE_BYTES, Line};
use wiresift_abi::command::{Command, OPCODES, Opcode};
use wiresift_abi::geometry::{LAB, LINE};
use wiresift_abi::image::Image;
use wiresift_host::device::{Batch, Device, PacketInfo};
use wiresift_host::engine::cpu::{CpuDevice, CpuEngine, EngineError};

/// Metadata of two ACL rules.
const METADATA: &[u8] = include_bytes!("image_metadata.json");

fn run(image: &Image, packets: &[u8]) {
    let mut engine = match CpuEngine::new(image) {
        Ok(engine) => engine,
        Err(EngineError::Metadata(error)) => {
            assert_ne!(image.metadata(), METADATA, "{error}");
            return;
        }
        Err(_) => return,
    };
    for packet in packets.chunks(80) {
        let first = engine.decide(packet);
        assert_eq!(first, engine.decide(packet));
    }
    // Also with what its metadata asks beyond headers.
    let Ok(mut device) = CpuDevice::new(engine) else { return };
    let mut batch = Batch::new(0);
    packets.chunks(80).for_each(|packet| batch.push(packet, PacketInfo::default()));
    let count = batch.len();
    device.submit(Arc::new(batch)).expect("the CPU engine takes every batch");
    let decided = device.collect(true).expect("the CPU engine decides every batch");
    assert_eq!(decided.map(|decided| decided.decisions.len()), Some(count));
}

fuzz_target!(|data: &[u8]| {
    if let Ok(image) = Image::from_bytes(data) {
        assert_eq!(Image::from_bytes(&image.to_bytes()).as_ref(), Ok(&image));
        run(&image, data);
    }
    let Some((&choice, rest)) = data.split_first() else { return };
    let geometry = if choice & 1 == 0 { &LAB } else { &LINE };
    let (lines, tail) = rest.as_chunks::<LINE_BYTES>();
    let mut commands = vec![Command::new(Opcode::Clear, 0).to_line()];
    for (line, n) in lines.iter().zip(1usize..) {
        let mut line = Line(*line);
        // Half of the commands get an opcode that exists and that an image may hold anywhere.
        if n % 2 == 0 {
            line.0[0] = OPCODES[1..OPCODES.len() - 1][usize::from(line.0[0]) % (OPCODES.len() - 2)] as u8;
        }
        if Command::from_line(&line, geometry).is_ok()
            && ![Opcode::Clear as u8, Opcode::Commit as u8].contains(&line.0[0])
        {
            commands.push(line);
        }
    }
    commands.push(Command::new(Opcode::Commit, 1).to_line());
    let metadata = if choice & 2 == 0 { METADATA } else { tail };
    let image = Image::new(geometry, commands, metadata.to_vec()).expect("every command was checked");
    assert_eq!(Image::from_bytes(&image.to_bytes()).as_ref(), Ok(&image));
    run(&image, rest);
});
