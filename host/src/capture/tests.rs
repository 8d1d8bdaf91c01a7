//! Captures of each kind, written byte by byte, whole, cut and damaged.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod files;

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use files::{Ng, Pcap};

type Packets = Vec<(u64, u32, Vec<u8>)>;
/// Code and value of the options of an interface, its ticks, and the time that they mean.
type Stamp<'a> = (&'a [(u16, &'a [u8])], u64, u64);

/// Every packet of a capture, and the error that ended it.
fn read(bytes: &[u8]) -> (Packets, Option<CaptureError>) {
    read_source(Box::new(Cursor::new(bytes.to_vec())))
}

fn read_source(source: Box<dyn Read + Send>) -> (Packets, Option<CaptureError>) {
    let mut packets = Packets::new();
    let mut capture = match Capture::read_from("test", source, Arc::default()) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some(error)),
    };
    let mut may_read = false;
    loop {
        match capture.next(may_read) {
            Ok(Next::Packet(packet)) => {
                packets.push((packet.nanos, packet.wire_length, packet.bytes.to_vec()));
                may_read = false;
            }
            Ok(Next::Starved) if may_read => panic!("starved although it may read"),
            Ok(Next::Starved) => may_read = true,
            Ok(Next::End) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}

fn read_whole(bytes: &[u8]) -> Packets {
    let (packets, error) = read(bytes);
    assert!(error.is_none(), "{:?}", error.map(|error| error.fault));
    packets
}

fn fault(bytes: &[u8]) -> (usize, u64, String) {
    let (packets, error) = read(bytes);
    let error = error.expect("a capture with a fault was read as whole");
    (packets.len(), error.offset, error.fault.to_string())
}

/// Gives one byte a read.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(1);
        self.0.read(&mut buffer[..room])
    }
}

fn arp() -> Vec<u8> {
    let mut packet = vec![1; 12];
    packet.extend([0x08, 0x06, 9, 9, 9]);
    packet
}

#[test]
fn pcap_of_every_magic_gives_its_packets_and_times() {
    for (magic, big_endian, nanos) in [
        (0xa1b2_c3d4, false, 7_000),
        (0xa1b2_c3d4, true, 7_000),
        (0xa1b2_3c4d, false, 7),
        (0xa1b2_3c4d, true, 7),
        (0xa1b2_cd34, false, 7_000),
    ] {
        let mut file = Pcap::new(magic, big_endian, 1);
        file.packet(1_700_000_000, 7, 99, &arp()).packet(1, 0, 17, &arp()).packet(2, 0, 0, &[]);
        let packets = read_whole(&file.bytes);
        assert_eq!(packets[0], (1_700_000_000_000_000_000 + nanos, 99, arp()), "{magic:x}");
        assert_eq!(packets[1..], [(1_000_000_000, 17, arp()), (2_000_000_000, 0, vec![])]);
    }
}

#[test]
fn a_pcap_without_packets_is_whole_and_the_bits_above_the_link_type_do_not_count() {
    assert_eq!(read_whole(&Pcap::new(0xa1b2_c3d4, false, 1).bytes), []);
    let mut file = Pcap::new(0xa1b2_c3d4, false, 0x2400_0001);
    file.packet(0, 0, 17, &arp());
    assert_eq!(read_whole(&file.bytes).len(), 1);
}

#[test]
fn a_pcap_cut_anywhere_gives_the_packets_before_and_the_byte() {
    let mut file = Pcap::new(0xa1b2_c3d4, true, 1);
    let ends = [24, file.packet(0, 0, 17, &arp()).bytes.len(), file.packet(0, 0, 20, &[7; 20]).bytes.len()];
    for length in 0..file.bytes.len() {
        if ends.contains(&length) {
            read_whole(&file.bytes[..length]);
            continue;
        }
        let (packets, offset, text) = fault(&file.bytes[..length]);
        let begun = ends.iter().filter(|end| **end < length).count();
        assert_eq!(packets, begun.saturating_sub(1), "{length}");
        assert_eq!(offset, if begun == 0 { 0 } else { ends[begun - 1] as u64 }, "{length}");
        assert!(length < 4 || text.contains("ends inside"), "{length}: {text}");
    }
}

#[test]
fn lengths_that_cannot_be_are_errors_with_their_place() {
    let mut file = Pcap::new(0xa1b2_c3d4, false, 1);
    file.packet(0, 0, 17, &arp());
    let at = file.bytes.len() as u64;
    let mut large = file.bytes.clone();
    large.extend([0; 8]);
    large.extend(262_145_u32.to_le_bytes());
    large.extend([0; 4]);
    assert_eq!(fault(&large), (1, at, "a packet of 262145 bytes, 262144 are possible".to_owned()));
    file.packet(0, 0, 262_144, &[5; 262_144]);
    assert_eq!(read_whole(&file.bytes)[1].2.len(), CAPTURED_BYTES_MAX);
}

#[test]
fn what_is_no_capture_is_named() {
    assert_eq!(fault(b"").2, "is empty");
    assert!(fault(b"\x00\x01\x02\x03rest").2.contains("neither pcap nor pcapng"));
    assert!(fault(b"a text\n").2.contains("neither pcap nor pcapng"));
    assert!(fault(&[b'1'; 5000]).2.contains("neither pcap nor pcapng"));
    let mut version = Pcap::new(0xa1b2_c3d4, false, 1).bytes;
    version[4] = 3;
    assert!(fault(&version).2.contains("pcap version 3.4"));
    let missing = Capture::open(Path::new("/nowhere/x.pcap"), Arc::default()).err().unwrap();
    assert!(missing.to_string().contains("/nowhere/x.pcap"), "{missing}");
    assert!(missing.fault.to_string().contains("cannot be opened"));
}

#[test]
fn an_unknown_link_type_is_named_at_its_first_packet() {
    let mut file = Pcap::new(0xa1b2_c3d4, false, 105);
    assert_eq!(read_whole(&file.bytes), []);
    file.packet(0, 0, 17, &arp());
    assert_eq!(fault(&file.bytes), (0, 24, "link type 105 (IEEE 802.11) is not supported".to_owned()));
}

/// The packet that a capture of that link type with this one packet gives.
fn converted(link_type: u32, data: &[u8]) -> Vec<u8> {
    let mut file = Pcap::new(0xa1b2_c3d4, false, link_type);
    file.packet(0, 0, data.len() as u32, data);
    let mut packets = read_whole(&file.bytes);
    assert_eq!(packets[0].1, data.len() as u32);
    packets.remove(0).2
}

#[test]
fn every_link_type_gets_twelve_zero_bytes_and_its_ethertype() {
    let header = |ethertype: u16, rest: &[u8]| [&[0; 12][..], &ethertype.to_be_bytes(), rest].concat();
    for link_type in [12, 14, 101] {
        assert_eq!(converted(link_type, &[0x45, 1]), header(0x0800, &[0x45, 1]));
        assert_eq!(converted(link_type, &[0x60, 1]), header(0x86dd, &[0x60, 1]));
        assert_eq!(converted(link_type, &[0x10]), header(0x0800, &[0x10]));
        assert_eq!(converted(link_type, &[]), header(0x0800, &[]));
    }
    assert_eq!(converted(228, &[0x60]), header(0x0800, &[0x60]));
    assert_eq!(converted(229, &[0x40]), header(0x86dd, &[0x40]));
    let cooked1 = [&[7; 14][..], &[0x86, 0xdd, 0x60, 2]].concat();
    assert_eq!(converted(113, &cooked1), header(0x86dd, &[0x60, 2]));
    let cooked2 = [&[0x08, 0x00][..], &[7; 18], &[0x45, 2]].concat();
    assert_eq!(converted(276, &cooked2), header(0x0800, &[0x45, 2]));
    for (family, ethertype) in [(2, 0x0800), (10, 0x86dd), (24, 0x86dd), (28, 0x86dd), (30, 0x86dd), (7, 0)] {
        assert_eq!(converted(0, &[family, 0, 0, 0, 9]), header(ethertype, &[9]), "{family}");
        assert_eq!(converted(0, &[0, 0, 0, family, 9]), header(ethertype, &[9]), "{family}");
        assert_eq!(converted(108, &[0, 0, 0, family, 9]), header(ethertype, &[9]), "{family}");
    }
}

#[test]
fn a_packet_that_ends_before_its_ethertype_is_too_short_for_ethernet() {
    for (link_type, header_bytes) in [(113, 16), (276, 20), (0, 4), (108, 4)] {
        for length in 0..header_bytes {
            assert_eq!(converted(link_type, &vec![0; length]), [0; 12], "{link_type} {length}");
        }
        assert_eq!(converted(link_type, &vec![0; header_bytes]).len(), 14, "{link_type}");
    }
}

#[test]
fn pcapng_of_both_byte_orders_gives_packets_of_every_kind() {
    for big_endian in [false, true] {
        let mut file = Ng::default();
        file.section(big_endian).interface(1, 0, &[]).interface(101, 0, &[(9, &[9])]);
        file.enhanced(0, 1_000_007, 99, &arp()).block(0x0bad, &[0; 8]).enhanced(1, 5, 1, &[0x45]);
        file.simple(17, &arp()).obsolete(1, 6, 1, &[0x60]);
        let packets = read_whole(&file.bytes);
        assert_eq!(packets[0], (1_000_007_000, 99, arp()));
        let raw = |ethertype: [u8; 2], byte| [&[0; 12][..], &ethertype, &[byte]].concat();
        assert_eq!(packets[1], (5, 1, raw([0x08, 0x00], 0x45)));
        assert_eq!(packets[2], (0, 17, arp()));
        assert_eq!(packets[3], (6, 1, raw([0x86, 0xdd], 0x60)));
        assert_eq!(packets.len(), 4);
    }
}

#[test]
fn interfaces_belong_to_their_section_and_byte_orders_may_change() {
    let mut file = Ng::default();
    file.section(false).interface(1, 0, &[]).enhanced(0, 1, 17, &arp());
    file.section(true).interface(101, 0, &[]).enhanced(0, 2, 1, &[0x45]);
    let packets = read_whole(&file.bytes);
    assert_eq!((packets[0].2.clone(), packets[1].2.len()), (arp(), 15));
    let at = file.section(false).bytes.len() as u64;
    file.enhanced(0, 3, 17, &arp());
    let text = "a packet of interface 0, which was not described".to_owned();
    assert_eq!(fault(&file.bytes), (2, at, text));
}

#[test]
fn time_stamps_have_the_resolution_and_offset_of_their_interface() {
    for big_endian in [false, true] {
        let offset = if big_endian { 100_i64.to_be_bytes() } else { 100_i64.to_le_bytes() };
        let before = if big_endian { (-9_i64).to_be_bytes() } else { (-9_i64).to_le_bytes() };
        let cases: [Stamp<'_>; 8] = [
            (&[], 3, 3_000),
            (&[(9, &[9])], 3, 3),
            (&[(9, &[0])], 3, 3_000_000_000),
            (&[(9, &[0x80 | 10])], 1024, 1_000_000_000),
            (&[(9, &[127])], u64::MAX, 0),
            (&[(9, &[0])], u64::MAX, u64::MAX),
            (&[(9, &[0]), (14, &offset)], 3, 103_000_000_000),
            (&[(9, &[0]), (14, &before)], 3, 0),
        ];
        for (options, ticks, nanos) in cases {
            let mut file = Ng::default();
            file.section(big_endian).interface(1, 0, options).enhanced(0, ticks, 17, &arp());
            assert_eq!(read_whole(&file.bytes)[0].0, nanos, "{options:?} {ticks}");
        }
    }
}

#[test]
fn a_simple_packet_is_as_long_as_the_interface_lets_it_be() {
    let mut file = Ng::default();
    file.section(false).interface(1, 15, &[]).simple(1000, &arp());
    assert_eq!(read_whole(&file.bytes), [(0, 1000, arp()[..15].to_vec())]);
}

#[test]
fn a_pcapng_cut_anywhere_gives_the_packets_before_and_the_byte() {
    let mut file = Ng::default();
    file.section(true).interface(1, 0, &[(9, &[9])]).enhanced(0, 1, 17, &arp());
    file.block(0x0bad, &[0; 12])
        .simple(17, &arp())
        .section(false)
        .interface(1, 0, &[])
        .enhanced(0, 1, 4, &[1; 4]);
    let data_ends = [2, 4, 7].map(|block: usize| file.ends[block]);
    for length in 1..file.bytes.len() {
        if file.ends.contains(&length) {
            read_whole(&file.bytes[..length]);
            continue;
        }
        let (packets, offset, text) = fault(&file.bytes[..length]);
        assert_eq!(packets, data_ends.iter().filter(|end| **end < length).count(), "{length}");
        let begin = file.ends.iter().filter(|end| **end < length).max().copied().unwrap_or(0);
        assert_eq!(offset, begin as u64, "{length}");
        assert!(length < 4 || text.contains("ends inside"), "{length}: {text}");
    }
}

#[test]
fn blocks_that_contradict_themselves_are_errors() {
    let good = || {
        let mut file = Ng::default();
        file.section(false).interface(1, 0, &[]).enhanced(0, 1, 17, &arp());
        file
    };
    let damaged = |at: usize, bytes: &[u8]| {
        let mut file = good();
        let at = file.ends[1] + at;
        file.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        fault(&file.bytes).2
    };
    assert_eq!(read_whole(&good().bytes).len(), 1);
    assert_eq!(damaged(4, &[8, 0, 0, 0]), "a block of 8 bytes");
    assert_eq!(damaged(4, &[53, 0, 0, 0]), "a block of 53 bytes");
    assert!(damaged(4, &[48, 0, 0, 0]).contains("at its end"));
    assert!(damaged(4, &[0, 0, 16, 0]).contains("a packet block of 1048576 bytes"));
    assert_eq!(damaged(20, &[21, 0, 0, 0]), "a packet of 21 bytes, 20 are possible");
    assert_eq!(damaged(20, &[255, 255, 255, 255]), "a packet of 4294967295 bytes, 20 are possible");
    assert!(damaged(8, &[1, 0, 0, 0]).contains("interface 1"));
    let mut file = good();
    file.bytes[8..12].copy_from_slice(&[1, 2, 3, 4]);
    assert!(fault(&file.bytes).2.contains("byte-order magic"));
    let mut file = good();
    file.bytes[12] = 9;
    assert!(fault(&file.bytes).2.contains("pcapng version 9.0"));
}

#[test]
fn a_block_of_any_length_is_skipped_in_the_same_memory() {
    let mut file = Ng::default();
    file.section(false).interface(1, 0, &[]).block(0x0bad, &vec![3; 5 << 20]).enhanced(0, 1, 17, &arp());
    assert_eq!(read_whole(&file.bytes).len(), 1);
    let end = file.ends[2];
    assert!(fault(&file.bytes[..end - 2]).2.contains("ends inside a block"));
    assert!(fault(&file.bytes[..end - (1 << 20)]).2.contains("ends inside a block"));
    file.bytes[end - 1] ^= 1;
    assert!(fault(&file.bytes).2.contains("at its end"));
}

#[test]
fn gzip_is_taken_off_also_from_several_members_and_a_cut_one_is_an_error() {
    let mut file = Pcap::new(0xa1b2_c3d4, false, 1);
    for _ in 0..1000 {
        file.packet(0, 0, 17, &arp());
    }
    let zip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (head, tail) = file.bytes.split_at(5000);
    let zipped = [zip(head), zip(tail)].concat();
    assert_eq!(read_whole(&zipped), read_whole(&file.bytes));
    let (packets, error) = read(&zipped[..zipped.len() - 9]);
    assert!(packets.len() <= 1000 && matches!(error.unwrap().fault, Fault::Read(_)));
}

#[test]
fn a_source_of_single_bytes_gives_the_same_packets() {
    let mut pcap = Pcap::new(0xa1b2_c3d4, false, 1);
    pcap.packet(3, 4, 17, &arp()).packet(5, 6, 17, &arp());
    let mut ng = Ng::default();
    ng.section(true).interface(1, 0, &[]).enhanced(0, 1, 17, &arp()).simple(17, &arp());
    let trace = b"\n1\t2\t3\t4\t6\t0\t0\n5 6 7 8 17 0".to_vec();
    for bytes in [pcap.bytes, ng.bytes, trace] {
        let (packets, error) = read_source(Box::new(Trickle(Cursor::new(bytes.clone()))));
        assert!(error.is_none());
        assert_eq!(packets, read_whole(&bytes));
        assert_eq!(packets.len(), 2);
    }
}

#[test]
fn a_failing_source_gives_what_came_before() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let mut file = Pcap::new(0xa1b2_c3d4, false, 1);
    let length = file.packet(3, 4, 17, &arp()).bytes.len() as u64;
    let (packets, error) = read_source(Box::new(Cursor::new(file.bytes).chain(Failing)));
    let error = error.unwrap();
    assert_eq!((packets.len(), error.offset), (1, length));
    assert!(error.fault.to_string().contains("the disk is gone"));
}

#[test]
fn a_trace_line_becomes_a_packet_with_its_header() {
    let packets = read_whole(b"3232235777\t167772161\t1234\t80\t6\t268439552\t559\r\n\n1\t2\t3\t4\t17\t0\n1\t2\t3\t4\t132\t0\t1\n1\t2\t3\t4\t47\t0\t1\n");
    let parse = |n: usize| etherparse::SlicedPacket::from_ethernet(&packets[n].2).unwrap();
    for n in 0..4 {
        let packet = parse(n);
        let Some(etherparse::NetSlice::Ipv4(ip)) = packet.net else { panic!("no IPv4: {:?}", packet.net) };
        let header = ip.header().to_header();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(usize::from(header.total_len), packets[n].2.len() - 14);
        assert_eq!(header.protocol.0, [6, 17, 132, 47][n]);
    }
    let Some(etherparse::TransportSlice::Tcp(tcp)) = parse(0).transport else { panic!("no TCP") };
    assert_eq!((tcp.source_port(), tcp.destination_port()), (1234, 80));
    assert_eq!(tcp.checksum(), tcp.calc_checksum_ipv4([192, 168, 1, 1], [10, 0, 0, 1]).unwrap());
    let Some(etherparse::TransportSlice::Udp(udp)) = parse(1).transport else { panic!("no UDP") };
    assert_eq!((udp.source_port(), udp.destination_port(), udp.length()), (3, 4, 8));
    assert_eq!(&packets[2].2[34..42], [0, 3, 0, 4, 0, 0, 0, 0]);
    assert_eq!(packets[3].2.len(), 34);
}

#[test]
fn a_fault_in_a_trace_names_line_and_byte() {
    let good = "1\t2\t3\t4\t6\t0\t0\n";
    let (packets, offset, text) = fault(format!("{good}\n{good}1\t2\tx\t4\t6\t0\n").as_bytes());
    assert_eq!((packets, offset), (2, 2 * good.len() as u64 + 1));
    assert!(text.contains("line 4: column 3"), "{text}");
    let (packets, _, text) = fault(format!("{good}{}", "7".repeat(5000)).as_bytes());
    assert_eq!(packets, 1);
    assert!(text.contains("a line of"), "{text}");
}

/// Damaged captures give packets and perhaps an error, and never a panic, a hang or a large packet.
#[test]
fn captures_with_random_damage_are_read_to_an_end() {
    let mut pcap = Pcap::new(0xa1b2_c3d4, false, 1);
    let mut ng = Ng::default();
    ng.section(true).interface(1, 0, &[(9, &[9])]).interface(113, 64, &[]);
    for length in [0, 1, 17, 60] {
        pcap.packet(1, 2, length, &vec![8; length as usize]);
        ng.enhanced(0, 9, length, &vec![8; length as usize]).simple(length, &vec![8; length as usize]);
        ng.obsolete(1, 9, length, &vec![8; length as usize]);
    }
    let trace = b"1\t2\t3\t4\t6\t0\t0\n".repeat(9);
    let mut random = ChaCha8Rng::seed_from_u64(20_260_101);
    let mut errors = 0;
    for original in [pcap.bytes, ng.bytes, trace] {
        for _ in 0..4000 {
            let mut bytes = original.clone();
            for _ in 0..random.random_range(1..8) {
                let at = random.random_range(0..bytes.len());
                match random.random_range(0..4) {
                    0 => bytes[at] ^= 1 << random.random_range(0..8),
                    1 => bytes[at] = [0, 0xff, 0x7f, 0x80][random.random_range(0..4)],
                    2 => bytes.truncate(at.max(1)),
                    _ => {
                        let piece = bytes[at..].to_vec();
                        bytes.extend(piece);
                    }
                }
            }
            let (packets, error) = read(&bytes);
            assert!(packets.iter().all(|packet| packet.2.len() <= CAPTURED_BYTES_MAX + 14));
            errors += usize::from(error.is_some());
        }
    }
    assert!(errors > 4000, "the damage is too mild: {errors} errors");
}

#[test]
fn every_capture_of_the_corpus_is_read() {
    let Some(corpus) = std::env::var_os("CORPUS") else {
        println!("skipped: CORPUS is not set");
        return;
    };
    let (mut captures, mut packets, mut faults) = (0, 0, Vec::new());
    let mut folders = vec![std::path::PathBuf::from(corpus)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".pcap", ".pcapng", ".trace.gz"].iter().any(|end| name.ends_with(end)) {
                let (read, error) = read_source(Box::new(File::open(&path).unwrap()));
                captures += 1;
                packets += read.len();
                faults.extend(error.map(|error| (name, error.offset, error.fault)));
            }
        }
    }
    println!("{captures} captures, {packets} packets, {} with a fault", faults.len());
    assert!(captures > 0 && packets > 0);
    // Two captures have link types without Ethernet or IP in them; no capture is damaged.
    let damaged = faults.iter().filter(|(_, _, fault)| !matches!(fault, Fault::LinkType(_)));
    assert_eq!(damaged.collect::<Vec<_>>().len(), 0, "{faults:?}");
}
