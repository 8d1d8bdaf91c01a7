//! Signatures with payloads, flows and thresholds, from their text's header and a `Detect` by hand to decisions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use wiresift_abi::entry::Entry;
use wiresift_abi::geometry::LINE;

use super::*;
use crate::capture::synthesize;
use crate::compile::live::Live;
use crate::compile::{self, Compiled, Options};
use crate::device::{Batch, Device, PacketInfo, RuleUpdate};
use crate::engine::cpu::{CpuDevice, CpuEngine};
use crate::metadata::{Metadata, RuleGroup, TAKES_AWAY};
use crate::rules::detect::{
    Buffer, BufferTests, Content, Detect, FastPattern, FieldTest, Flow, FlowDirection, NumberTest, Test,
    Threshold, ThresholdKind, Track,
};
use crate::rules::load::parse_sources;
use crate::rules::model::{RuleClass, RuleSet};
use crate::rules::source::Source;

/// Addresses of which a negation is not written out.
const HOME: &str = "[10.0.0.0/28,10.0.0.64/27,10.0.1.0/25,10.0.9.3]";

fn prefilter() -> RuleClass {
    RuleClass::Prefilter("streams".to_owned())
}

/// Signatures by header, class and what they ask beyond it; their ids are 1, 2, …
fn rules(signatures: &[(&str, RuleClass, Detect)]) -> RuleSet {
    let text: String = signatures
        .iter()
        .enumerate()
        .map(|(n, (header, ..))| format!("alert {header} (sid:{};)\n", n + 1))
        .collect();
    let source = Source::new("test.rules", text.as_bytes());
    let mut rules = parse_sources(&[source], &BTreeMap::new()).unwrap_or_else(|error| panic!("{error:?}"));
    for (signature, (_, class, detect)) in rules.signatures.iter_mut().zip(signatures) {
        (signature.class, signature.detect) = (class.clone(), detect.clone());
    }
    rules
}

fn device(rules: &RuleSet) -> CpuDevice {
    let compiled = compile::compile(rules, &LINE, &Options { seed: Some(1) }).unwrap();
    // By way of the image, which must be enough.
    CpuDevice::new(CpuEngine::new(&compiled.image).unwrap()).unwrap()
}

fn contents(contents: &[&[u8]]) -> Detect {
    let test = |bytes: &&[u8]| Test::Content(Content { bytes: bytes.to_vec(), ..Content::default() });
    let tests = contents.iter().map(test).collect();
    Detect { buffers: vec![BufferTests { buffer: Buffer::Payload, tests }], ..Detect::default() }
}

/// A TCP packet from 10.0.0.`from` to 10.0.0.`to`.
fn tcp(from: u8, to: u8, ports: [u16; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let address = |last: u8| 0x0a00_0000 | u32::from(last);
    synthesize(address(from), address(to), ports, 6, &mut packet);
    packet[46] = 5 << 4;
    packet[47] = flags;
    packet.extend(payload);
    let bytes = (packet.len() - 14) as u16;
    packet[16..18].copy_from_slice(&bytes.to_be_bytes());
    packet
}

/// Ids of the matching signatures and of the suspects of each packet, a second apart.
fn decide(device: &mut CpuDevice, packets: &[Vec<u8>]) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut batch = Batch::new(0);
    for (n, packet) in packets.iter().enumerate() {
        batch.push(packet, PacketInfo { nanos: n as u64 * 1_000_000_000, ..PacketInfo::default() });
    }
    device.submit(Arc::new(batch)).unwrap();
    let ids = |places: &[u32]| places.iter().map(|place| place + 1).collect::<Vec<u32>>();
    let decided = device.collect(true).unwrap().unwrap();
    let is_marked = |decision: &Decision| decision.flags.0 & Flags::SUSPECT != 0;
    assert!(decided.decisions.iter().all(|decision| is_marked(decision) != decision.suspects.is_empty()));
    decided.decisions.iter().map(|decision| (ids(&decision.signatures), ids(&decision.suspects))).collect()
}

#[test]
fn headers_and_patterns_together_lead_to_a_signature() {
    let rules = rules(&[
        ("tcp any any -> any 80", RuleClass::ExactOnHost, contents(&[b"attack"])),
        ("tcp any any -> any 81", RuleClass::ExactOnHost, contents(&[b"attack"])),
        ("tcp any any -> any 80", RuleClass::Exact, Detect::default()),
        ("tcp any any -> any 80", prefilter(), contents(&[b"at", b"now"])),
        ("tcp any any -> any any", RuleClass::ExactOnHost, contents(&[b"attack", b"nowhere"])),
        ("tcp any any -> any any", RuleClass::Refused("for a test".to_owned()), contents(&[b"attack"])),
        (
            "tcp any any -> any any",
            RuleClass::ExactOnHost,
            Detect { noalert: true, ..contents(&[b"attack"]) },
        ),
        ("tcp any any -> any any", prefilter(), Detect { noalert: true, ..contents(&[b"now"]) }),
    ]);
    let packet = |port, payload: &[u8]| tcp(1, 2, [1000, port], 0x18, payload);
    let decided = decide(
        &mut device(&rules),
        &[
            packet(80, b"an attack"),
            packet(80, b"attack now"),
            packet(81, b"attack now"),
            packet(82, b"attack now"),
            packet(80, b""),
        ],
    );
    assert_eq!(
        decided,
        [
            (vec![1, 3], vec![]),
            (vec![1, 3], vec![4, 8]),
            (vec![2], vec![8]),
            (vec![], vec![8]),
            (vec![3], vec![]),
        ]
    );
}

#[test]
fn a_header_that_takes_away_does_so_for_patterns_too() {
    let header = format!("tcp !{HOME} any -> {HOME} any");
    let header = header.as_str();
    let rules = rules(&[
        (header, RuleClass::ExactOnHost, contents(&[b"attack"])),
        (
            header,
            RuleClass::ExactOnHost,
            Detect {
                fields: vec![FieldTest::Ttl(NumberTest { first: 0, last: 255, negated: false })],
                ..Detect::default()
            },
        ),
        (header, prefilter(), Detect::default()),
    ]);
    let host_rules = Arc::clone(device(&rules).host_rules());
    let taken_away = host_rules.rules.iter().all(|rule| !rule.taken_away_by.is_empty());
    assert!(taken_away, "the compiler wrote the negation out, so this shows nothing");
    let decided = decide(
        &mut device(&rules),
        &[
            tcp(200, 2, [1, 1], 0x18, b"attack"),
            tcp(3, 2, [1, 1], 0x18, b"attack"),
            tcp(3, 200, [1, 1], 0x18, b"attack"),
        ],
    );
    assert_eq!(decided, [(vec![1, 2], vec![3]), (vec![], vec![]), (vec![], vec![])]);
}

#[test]
fn the_pattern_is_the_writers_or_the_longest_that_must_be_there() {
    let pattern = |detect: &Detect| fast_pattern(detect).map(|pattern| pattern.bytes.to_vec());
    let mut detect = contents(&[b"ab", b"cdef", b"ghijkl"]);
    assert_eq!(pattern(&detect), Some(b"ghijkl".to_vec()));
    detect.fast_pattern = Some(FastPattern { buffer: 0, test: 1, part: None });
    assert_eq!(pattern(&detect), Some(b"cdef".to_vec()));
    detect.fast_pattern = Some(FastPattern { buffer: 0, test: 1, part: Some((1, 2)) });
    assert_eq!(pattern(&detect), Some(b"de".to_vec()));
    for part in [(4, 1), (0, 5), (usize::MAX, 2), (1, 0)] {
        detect.fast_pattern = Some(FastPattern { buffer: 0, test: 1, part: Some(part) });
        assert_eq!(pattern(&detect), Some(b"ghijkl".to_vec()), "{part:?} is none");
    }
    detect.fast_pattern = None;
    let Test::Content(content) = &mut detect.buffers[0].tests[2] else { unreachable!() };
    content.negated = true;
    assert_eq!(pattern(&detect), Some(b"cdef".to_vec()));
    detect.buffers[0].buffer = Buffer::TcpHeader;
    assert_eq!(pattern(&detect), None);
    assert_eq!(pattern(&contents(&[b"aaaaaa", b"abcdef"])), Some(b"abcdef".to_vec()));
}

#[test]
fn signatures_without_a_pattern_are_tried_wherever_their_header_holds() {
    let absent = Test::Content(Content { bytes: b"x".to_vec(), negated: true, ..Content::default() });
    let mut without = contents(&[]);
    without.buffers[0].tests.push(absent);
    let mut in_header = contents(&[&[0x50, 0x50, 0, 80]]);
    in_header.buffers[0].buffer = Buffer::TcpHeader;
    let rules = rules(&[
        ("tcp any any -> any 80", RuleClass::ExactOnHost, without),
        ("tcp any any -> any any", RuleClass::ExactOnHost, in_header),
    ]);
    let decided = decide(
        &mut device(&rules),
        &[
            tcp(1, 2, [0x5050, 80], 0x18, b"yz"),
            tcp(1, 2, [0x5050, 80], 0x18, b"xyz"),
            tcp(1, 2, [0x5050, 0x5050], 0x18, b"yz"),
        ],
    );
    assert_eq!(decided, [(vec![1, 2], vec![]), (vec![2], vec![]), (vec![], vec![])]);
}

#[test]
fn flows_go_on_over_batches_and_updates_and_thresholds_do_not() {
    let to_server = |established| Flow { established, direction: Some(FlowDirection::ToServer) };
    let limit = Threshold { kind: ThresholdKind::Limit, track: Track::Source, count: 1, seconds: 60 };
    let text = "tcp any any -> any any";
    let rules = rules(&[
        (text, RuleClass::ExactOnHost, Detect { flow: to_server(Some(true)), ..contents(&[b"attack"]) }),
        (text, prefilter(), Detect { flow: to_server(Some(true)), ..contents(&[b"attack"]) }),
        (text, RuleClass::ExactOnHost, Detect { threshold: Some(limit), ..contents(&[b"attack"]) }),
    ]);
    let mut live = Live::new(&rules, &LINE, &Options { seed: Some(1) }).unwrap();
    let mut device = CpuDevice::new(CpuEngine::new(&live.image().unwrap()).unwrap()).unwrap();
    let attack = |from, to, ports| tcp(from, to, ports, 0x18, b"attack");
    let there = || attack(1, 2, [1000, 80]);
    let decided =
        decide(&mut device, &[there(), tcp(1, 2, [1001, 80], 0x02, b""), tcp(2, 1, [80, 1001], 0x12, b"")]);
    assert_eq!(decided, [(vec![3], vec![2]), (vec![], vec![]), (vec![], vec![])]);
    let more = [attack(1, 2, [1001, 80]), attack(2, 1, [80, 1001])];
    assert_eq!(decide(&mut device, &more), [(vec![1], vec![2]), (vec![3], vec![])]);
    let mut changed = rules.clone();
    changed.signatures.swap(0, 2);
    let update = RuleUpdate::new(live.update(&changed).unwrap(), Arc::new(changed));
    device.update(&Arc::new(update)).unwrap();
    // The flow is known, the counter is not; the places are those of the new rules.
    assert_eq!(decide(&mut device, &more), [(vec![1, 3], vec![2]), (vec![1], vec![])]);
}

#[test]
fn over_the_budget_every_signature_left_is_a_suspect() {
    let costly = crate::rules::detect::Pcre { expression: "^(a+)+$".to_owned(), ..Default::default() };
    let mut slow = contents(&[b"aaaa"]);
    slow.buffers[0].tests.push(Test::Pcre(costly));
    let text = "tcp any any -> any any";
    let rules = rules(&[
        (text, RuleClass::ExactOnHost, contents(&[b"aaaa"])),
        (text, RuleClass::ExactOnHost, slow),
        (text, RuleClass::ExactOnHost, contents(&[b"aaa"])),
        (text, RuleClass::Exact, Detect::default()),
    ]);
    let mut device = device(&rules);
    let payload = [vec![b'a'; 1000], vec![b'!']].concat();
    let decided = decide(&mut device, &[tcp(1, 2, [1, 1], 0x18, &payload), tcp(1, 2, [1, 1], 0x18, b"aaaa")]);
    assert_eq!(decided, [(vec![1, 4], vec![2, 3]), (vec![1, 2, 3, 4], vec![])]);
    let summary = device.summary();
    let line = summary.iter().find(|(name, _)| name == "packets over the budget of verification").unwrap();
    assert_eq!(line.1, "1");
}

#[test]
fn metadata_that_contradicts_itself_is_an_error() {
    let rules = rules(&[("tcp any any -> any any", RuleClass::ExactOnHost, contents(&[b"a"]))]);
    let mut metadata = compile::compile(&rules, &LINE, &Options { seed: Some(1) }).unwrap().metadata;
    metadata.headers[0].push(7);
    let error = HostRules::new(&Arc::new(metadata.clone())).unwrap_err();
    assert_eq!(error.to_string(), "the rule image names signature 7, and its metadata has 1");
    metadata.headers[0].pop();
    metadata.signatures[0].detect = contents(&[b""]);
    let error = HostRules::new(&Arc::new(metadata)).unwrap_err();
    assert_eq!(error.to_string(), "signature 1 cannot be verified");
}

/// What a card names leads to what the search of all patterns leads to, also where it names more than there is; and what
/// it does not seek is found all the same.
#[test]
fn patterns_that_a_card_names_lead_to_the_same_decisions() {
    let texts: [&[u8]; 8] = [
        b"attack~9{",
        b"at",
        b"qz!xk7vj",
        b"now",
        b"\0\0\0\0",
        b"a long pattern of the card's, and all of it",
        b"x~y{w|",
        b"k",
    ];
    let mut list: Vec<(&str, RuleClass, Detect)> = Vec::new();
    for (n, text) in texts.iter().enumerate() {
        let header = ["tcp any any -> any 80", "tcp any any -> any any"][n % 2];
        list.push((header, RuleClass::ExactOnHost, contents(&[text])));
        list.push(("tcp any any -> any 81", prefilter(), contents(&[text, b"now"])));
        // The card is not asked about a header whose signatures all wait for a pattern of three bytes and more.
        if text.len() > 2 {
            list.push(("tcp any any -> any 82", prefilter(), contents(&[text])));
        }
    }
    let rules = rules(&list);
    let Compiled { image, metadata, .. } =
        compile::compile(&rules, &LINE, &Options { seed: Some(1) }).unwrap();
    let text = |group: &RuleGroup| {
        let pattern = sought_pattern(&metadata.signatures[group.signatures[0] as usize]);
        pattern.unwrap().bytes.to_vec()
    };
    let on_card: BTreeSet<Vec<u8>> = metadata.rule_groups.iter().map(text).collect();
    assert!(on_card.len() >= 4 && on_card.len() < texts.len());
    // Some texts have rules of three headers in three groups, and some in one.
    assert!(metadata.rule_groups.len() > on_card.len() && metadata.rule_groups.len() < 3 * on_card.len());
    let metadata = Arc::new(metadata);
    let host = Arc::new(HostRules::new(&metadata).unwrap());
    assert_eq!(metadata.short_patterns.len(), 2);
    assert_eq!(host.patterns_on_card(), on_card.len() + metadata.short_patterns.len());
    let mut engine = CpuEngine::new(&image).unwrap();
    let (mut searching, mut named) = (HostEngine::new(Arc::clone(&host)), HostEngine::new(host));
    let off_card: BTreeSet<u32> = metadata.host_entries.iter().map(|entry| entry.id).collect();
    assert_eq!((off_card.len(), metadata.host_headers(), metadata.headers.len()), (4, 4, 5));
    let (mut matched, mut suspects) = (0, 0);
    for n in 0..400u32 {
        let payload: Vec<u8> = (0..n % 5)
            .flat_map(|k| [texts[(n * 7 + k * 3) as usize % texts.len()], &[b' ', n as u8][..]].concat())
            .collect();
        let packet = tcp(1, 2, [1000, 80 + (n % 4) as u16], 0x18, &payload);
        engine.classify(std::iter::once(&packet[..]), |packet, headed| {
            let expected = searching.decide(packet, 0, headed);
            let headers: Vec<u32> =
                headed.headers.iter().copied().filter(|header| !off_card.contains(header)).collect();
            let of_card = Headed { headers: &headers, ..*headed };
            let is_in = |place: u32| {
                let pattern = sought_pattern(&metadata.signatures[place as usize]).unwrap().bytes;
                packet.windows(pattern.len()).any(|window| window == pattern)
            };
            let hits: Vec<u16> = metadata
                .rule_groups
                .iter()
                .filter(|group| is_in(group.signatures[0]) || (group.number + n) % 4 == 0)
                .map(|group| group.number as u16)
                .collect();
            let mut presence = [0; 3];
            for (bit, place) in &metadata.short_patterns {
                if is_in(*place) || (u32::from(*bit) + n).is_multiple_of(4) {
                    presence[usize::from(bit / 32)] |= 1 << (bit % 32);
                }
            }
            let found = Some(Found { hits: &hits, presence });
            let decision = named.decide(packet, 0, &Headed { found, ..of_card });
            assert_eq!(decision, expected, "{payload:02x?}");
            matched += usize::from(!expected.signatures.is_empty());
            suspects += usize::from(headers.len() < headed.headers.len() && !expected.suspects.is_empty());
            // Without what the card has found nothing of it comes out.
            let without = named.decide(packet, 0, &Headed { found: Some(Found::default()), ..of_card });
            let patterns = |decision: &Decision| {
                let places = decision
                    .signatures
                    .iter()
                    .map(|place| sought_pattern(&metadata.signatures[*place as usize]));
                places.map(|pattern| pattern.unwrap().bytes.to_vec()).collect::<Vec<_>>()
            };
            let on_card = |bytes: &Vec<u8>| {
                let long = metadata.rule_groups.iter().map(|group| &group.signatures[0]);
                long.chain(metadata.short_patterns.iter().map(|(_, place)| place)).any(|place| {
                    sought_pattern(&metadata.signatures[*place as usize]).unwrap().bytes == bytes
                })
            };
            assert!(!patterns(&without).iter().any(on_card));
        });
    }
    assert!(matched > 100 && suspects > 50, "{matched} {suspects}");
}

/// Where all patterns of such a header are on the card, a packet in which it found none is not looked at any more; and a
/// header that takes a signature away does so from there too.
#[test]
fn headers_off_the_card_are_asked_where_a_pattern_was_found() {
    let text: &[u8] = b"a long pattern of the card's";
    let header = format!("tcp !{HOME} any -> {HOME} 80");
    let list = [(header.as_str(), RuleClass::ExactOnHost, contents(&[text]))];
    let Compiled { image, metadata, .. } =
        compile::compile(&rules(&list), &LINE, &Options { seed: Some(1) }).unwrap();
    assert_eq!((metadata.host_headers(), metadata.headers.len(), metadata.rule_groups.len()), (2, 2, 1));
    let hits = [metadata.rule_groups[0].number as u16];
    let mut host = HostEngine::new(Arc::new(HostRules::new(&Arc::new(metadata)).unwrap()));
    host.fix_rules();
    let mut engine = CpuEngine::new(&image).unwrap();
    for (from, port, hits, expected) in
        [(200, 80, &hits[..], 1), (3, 80, &hits, 0), (200, 81, &hits, 0), (200, 80, &[], 0)]
    {
        let packet = tcp(from, 9, [1000, port], 0x18, text);
        engine.classify(std::iter::once(&packet[..]), |packet, headed| {
            let found = Some(Found { hits, ..Found::default() });
            let decision = host.decide(packet, 0, &Headed { headers: &[], found, ..*headed });
            assert_eq!(decision.signatures.len(), expected, "{from} {port} {hits:?}");
        });
    }
}

/// A pattern that the host seeks itself leads to a header off the card without a word of the card's.
#[test]
fn headers_off_the_card_are_asked_for_patterns_that_the_host_seeks() {
    let list = [("tcp any any -> any 80", RuleClass::ExactOnHost, contents(&[b"\0\0\0\0"]))];
    let Compiled { image, metadata, .. } =
        compile::compile(&rules(&list), &LINE, &Options { seed: Some(1) }).unwrap();
    assert_eq!(
        (metadata.host_headers(), metadata.rule_groups.len(), metadata.presence_gates.len()),
        (1, 0, 0)
    );
    let mut host = HostEngine::new(Arc::new(HostRules::new(&Arc::new(metadata)).unwrap()));
    host.fix_rules();
    let mut engine = CpuEngine::new(&image).unwrap();
    for (port, payload, expected) in
        [(80, &b"--\0\0\0\0--"[..], 1), (81, b"\0\0\0\0", 0), (80, b"\0\0\0", 0), (80, b"", 0)]
    {
        let packet = tcp(1, 2, [1000, port], 0x18, payload);
        engine.classify(std::iter::once(&packet[..]), |packet, headed| {
            let headed = Headed { headers: &[], found: Some(Found::default()), ..*headed };
            assert_eq!(host.decide(packet, 0, &headed).signatures.len(), expected, "{port} {payload:?}");
        });
    }
}

/// A header that the card should have been asked about: its signature asks for no pattern, or is taken away by it, or waits for a
/// presence bit and no gate stands for it.
#[test]
fn a_header_that_is_wrongly_off_the_card_is_an_error() {
    let list = [
        ("tcp any any -> any 80", RuleClass::ExactOnHost, contents(&[b"qz!xk7vj"])),
        ("tcp any any -> any 81", RuleClass::ExactOnHost, contents(&[b"q"])),
        ("tcp any any -> any 82", RuleClass::Exact, Detect::default()),
    ];
    let metadata = compile::compile(&rules(&list), &LINE, &Options { seed: Some(1) }).unwrap().metadata;
    let entry = metadata.host_entries[0];
    assert_eq!((metadata.host_entries.len(), &metadata.headers[entry.id as usize]), (2, &vec![0]));
    assert_eq!(
        (metadata.headers.len(), metadata.headers_in_use(), &metadata.presence_gates),
        (4, 3, &vec![3])
    );
    let error = |metadata: Metadata| HostRules::new(&Arc::new(metadata)).err().map(|error| error.to_string());
    let with = |id: u32, mentions: &[u32]| {
        let mut metadata = Metadata { host_entries: vec![entry, Entry { id, ..entry }], ..metadata.clone() };
        metadata.headers[entry.id as usize].extend(mentions);
        error(metadata)
    };
    assert_eq!(with(entry.id, &[]), None);
    let header_of =
        |place: u32| metadata.headers.iter().position(|mentions| mentions.contains(&place)).unwrap() as u32;
    let message = |sid: u32| {
        format!(
            "the rule image asks the card nothing about a header of signature {sid}, and nothing else leads to it"
        )
    };
    assert_eq!(with(header_of(1), &[]), None);
    assert_eq!(error(Metadata { presence_gates: Vec::new(), ..metadata.clone() }), Some(message(2)));
    let gate = "the rule image has an entry of signature header 4, and its metadata has 4";
    assert_eq!(error(Metadata { presence_gates: vec![3, 4], ..metadata.clone() }).as_deref(), Some(gate));
    assert_eq!(with(header_of(2), &[]), Some(message(3)));
    assert_eq!(with(entry.id, &[TAKES_AWAY | 2]), Some(message(3)));
    let unknown = "the rule image has an entry of signature header 5, and its metadata has 4";
    assert_eq!(with(5, &[]).as_deref(), Some(unknown));
}

/// Rules for short patterns alone, and what a card says of a packet: its presence bits, by the contract.
#[test]
fn presence_bits_lead_to_what_the_search_finds_and_no_candidate_comes_of_a_header() {
    let texts: [&[u8]; 4] = [b"q", &[0x0a, 0x00], b"Zz", &[0xff]];
    let list = texts.map(|text| ("tcp any any -> any 80", RuleClass::ExactOnHost, contents(&[text])));
    let Compiled { image, mut metadata, .. } =
        compile::compile(&rules(&list), &LINE, &Options { seed: Some(1) }).unwrap();
    assert_eq!(metadata.short_patterns, [(0, 0), (1, 1), (2, 2), (3, 3)]);
    // Their header is off the card, and a gate stands there.
    let off_card = metadata.host_entries[0].id;
    assert_eq!((metadata.host_headers(), metadata.presence_gates.len()), (1, 1));
    // In all words of a record.
    let bit_of = [0, 33, 64, 95];
    metadata.short_patterns = bit_of.into_iter().zip(0..).collect();
    assert!(metadata.rule_groups.is_empty());
    let host = Arc::new(HostRules::new(&Arc::new(metadata)).unwrap());
    assert_eq!(host.patterns_on_card(), 4);
    assert!(!host.on_card.is_empty() && (0..4).all(|pattern| host.on_card.has(pattern)));
    assert!((0..host.headers() as u32).all(|header| host.rest(header).is_empty()));
    let all = [1, 1 << 1, 1 | 1 << 31];
    assert_eq!(host.unknown_presence_bit(all), None);
    assert_eq!(host.unknown_presence_bit([1, 1 << 1 | 1 << 31, 1 << 2]), Some(63));
    assert!(!host.is_rule_group(0));
    let mut engine = CpuEngine::new(&image).unwrap();
    let (mut searching, mut named) = (HostEngine::new(Arc::clone(&host)), HostEngine::new(host));
    let (mut matched, mut in_header) = (0, 0);
    for n in 0..64u16 {
        let chosen = (0..4).filter(|text| n >> text & 1 == 1);
        let payload: Vec<u8> = chosen.flat_map(|text| [texts[text], b"-"].concat()).collect();
        // The bytes of the second pattern are in the addresses of every packet, those of the first one in
        // some ports.
        let packet = tcp(1, 2, [if n & 16 == 0 { 1000 } else { 0x7100 }, 80 + n / 32], 0x18, &payload);
        engine.classify(std::iter::once(&packet[..]), |packet, headed| {
            let expected = searching.decide(packet, 0, headed);
            let is_in = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            let mut presence = [0; 3];
            for (bit, _) in bit_of.into_iter().zip(texts).filter(|(_, text)| is_in(packet, text)) {
                presence[usize::from(bit / 32)] |= 1 << (bit % 32);
            }
            let found = Some(Found { hits: &[], presence });
            let headers: Vec<u32> =
                headed.headers.iter().copied().filter(|header| *header != off_card).collect();
            // As a card that sends presence bits with a header alone.
            let found = found.filter(|_| !headers.is_empty()).or(Some(Found::default()));
            let decision = named.decide(packet, 0, &Headed { headers: &headers, found, ..*headed });
            assert_eq!(decision, expected, "{payload:02x?}");
            matched += expected.signatures.len();
            in_header += usize::from(is_in(packet, texts[1]) && !is_in(&payload, texts[1]));
        });
    }
    assert!(matched > 30 && in_header > 30, "{matched} {in_header}");
    assert_eq!(named.counts(), searching.counts());
}

#[test]
fn a_presence_bit_that_leads_to_no_short_pattern_is_an_error() {
    let texts: [&[u8]; 2] = [b"q", b"qz!xk7vj"];
    let list = texts.map(|text| ("tcp any any -> any 80", RuleClass::ExactOnHost, contents(&[text])));
    let metadata = compile::compile(&rules(&list), &LINE, &Options { seed: Some(1) }).unwrap().metadata;
    let with = |short_patterns: &[(u16, u32)]| {
        let metadata = Metadata { short_patterns: short_patterns.to_vec(), ..metadata.clone() };
        HostRules::new(&Arc::new(metadata)).err().map(|error| error.to_string())
    };
    assert_eq!(with(&[(95, 0)]), None);
    assert_eq!(with(&[(7, 2)]).unwrap(), "the rule image names signature 2, and its metadata has 2");
    for (bit, place) in [(96, 0), (u16::MAX, 0), (7, 1)] {
        let sid = place + 1;
        let error =
            format!("the rule image says that presence bit {bit} leads to signature {sid}, and it does not");
        assert_eq!(with(&[(bit, place)]), Some(error));
    }
    let mut exact = metadata.clone();
    exact.signatures[0].class = RuleClass::Exact;
    assert!(HostRules::new(&Arc::new(exact)).unwrap_err().to_string().contains("presence bit 0"));
}

#[test]
fn a_rule_group_that_is_none_is_an_error() {
    let texts: [&[u8]; 3] = [b"qz!xk7vj", b"qz!xk7vj", b"jv7kx!zq"];
    let list = texts.map(|text| ("tcp any any -> any 80", RuleClass::ExactOnHost, contents(&[text])));
    let metadata = compile::compile(&rules(&list), &LINE, &Options { seed: Some(1) }).unwrap().metadata;
    let with = |groups: &[(u32, &[u32])]| {
        let group =
            |(number, places): &(u32, &[u32])| RuleGroup { number: *number, signatures: places.to_vec() };
        let metadata = Metadata { rule_groups: groups.iter().map(group).collect(), ..metadata.clone() };
        HostRules::new(&Arc::new(metadata)).err().map(|error| error.to_string())
    };
    assert_eq!(with(&[(7, &[0, 1])]), None);
    assert_eq!(with(&[(7, &[0]), (9, &[1])]), None);
    assert_eq!(with(&[(7, &[3])]).unwrap(), "the rule image names signature 3, and its metadata has 3");
    assert_eq!(with(&[(7, &[])]).unwrap(), "the rule image says that pattern 7 leads to no signature");
    for (number, places, sid) in [(1 << 20, &[0, 1][..], 1), (7, &[0, 2], 3)] {
        let error =
            format!("the rule image says that pattern {number} leads to signature {sid}, and it does not");
        assert_eq!(with(&[(number, places)]), Some(error));
    }
    // A signature that no number leads to would never be found.
    let error = "the rule image has the pattern of signature 2 on the card, and no number that leads to it";
    assert_eq!(with(&[(7, &[0])]).unwrap(), error);
    let mut exact = metadata.clone();
    exact.signatures[0].class = RuleClass::Exact;
    assert!(HostRules::new(&Arc::new(exact)).unwrap_err().to_string().contains("and it does not"));
}
