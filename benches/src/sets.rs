//! Rule sets and headers for them: ClassBench sets of the corpus, and generated ones.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wiresift_abi::vector::Class;
use wiresift_host::engine::cpu::parse::Header;
use wiresift_host::rules::load::parse_sources;
use wiresift_host::rules::model::{AclRule, PortList, RuleSet};
use wiresift_host::rules::source::Source;

use crate::generate;

/// Rule sets that are measured unless others are asked for. The corpus has them but for those of 64k rules,
/// which the tests' generator makes.
pub const SETS: [&str; 10] = [
    "acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k", "fw1_10k", "ipc1_10k", "fw1_100k", "acl_64k", "fw_64k",
    "ipc_64k",
];
/// End of the name of a generated set, and its rules.
const GENERATED: (&str, usize) = ("_64k", 65_536);
/// Headers drawn for a set without a trace.
const DRAWN: usize = 200_000;
/// Seed of everything drawn.
const SEED: u64 = 1;

/// Rules, and headers drawn from them in random order.
pub struct Set {
    /// The rules.
    pub rules: RuleSet,
    /// The headers.
    pub headers: Vec<Header>,
}

impl Set {
    /// The set of that name; those of the corpus from `classbench` in its folder.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub fn load(corpus: Option<&Path>, name: &str) -> Result<Self> {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        if let Some(family) = name.strip_suffix(GENERATED.0) {
            let family = generate::Family::by_name(family).with_context(|| format!("no family {family}"))?;
            let rules = parse(name, generate::generate(family, GENERATED.1, SEED).text().as_bytes())?;
            let headers = draw(&mut random, &rules.acl);
            return Ok(Self { rules, headers });
        }
        let folder =
            corpus.context("set CORPUS to the folder of real rules (docs/testing.md)")?.join("classbench");
        let rules = parse(name, &unpack(&folder.join(format!("{name}.rules.gz")))?)?;
        let trace = folder.join(format!("{name}.trace.gz"));
        let mut headers = match trace.exists() {
            true => read_trace(&unpack(&trace)?)?,
            false => draw(&mut random, &rules.acl),
        };
        headers.shuffle(&mut random);
        Ok(Self { rules, headers })
    }
}

/// A header of an IPv4 packet with ports, whatever its protocol, as 5-tuple benchmarks have it.
pub fn header(src: u32, dst: u32, sport: u16, dport: u16, proto: u8) -> Header {
    Header {
        src: u128::from(src) << 96,
        dst: u128::from(dst) << 96,
        sport,
        dport,
        proto,
        class: Class::IP | Class::PORTS,
        ..Header::default()
    }
}

fn parse(name: &str, text: &[u8]) -> Result<RuleSet> {
    match parse_sources(&[Source::new(name, text)], &BTreeMap::new()) {
        Ok(rules) => Ok(rules),
        Err(errors) => bail!("{name}: {errors:?}"),
    }
}

fn unpack(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let packed = std::fs::File::open(file).with_context(|| file.display().to_string())?;
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_trace(trace: &[u8]) -> Result<Vec<Header>> {
    let lines = std::str::from_utf8(trace)?.lines().map(|line| {
        let numbers: Vec<u32> = line.split_ascii_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [src, dst, sport, dport, proto, ..] = numbers[..] else { bail!("not a line of a trace: {line}") };
        Ok(header(src, dst, u16::try_from(sport)?, u16::try_from(dport)?, u8::try_from(proto)?))
    });
    let headers: Vec<Header> = lines.collect::<Result<_>>()?;
    ensure!(!headers.is_empty(), "an empty trace");
    Ok(headers)
}

/// Headers inside of rules drawn at random.
fn draw(random: &mut ChaCha8Rng, rules: &[AclRule]) -> Vec<Header> {
    let rule = |random: &mut ChaCha8Rng| rules.choose(random).map(|rule| inside(random, rule));
    (0..DRAWN).filter_map(|_| rule(random)).collect()
}

fn inside(random: &mut ChaCha8Rng, rule: &AclRule) -> Header {
    let condition = &rule.condition;
    let address = |random: &mut ChaCha8Rng, list: &wiresift_host::rules::model::AddressList| {
        list.include.first().map_or(0, |range| match (range.first, range.last) {
            (std::net::IpAddr::V4(first), std::net::IpAddr::V4(last)) => {
                random.random_range(first.to_bits()..=last.to_bits())
            }
            _ => 0,
        })
    };
    let port = |random: &mut ChaCha8Rng, list: &PortList| match list {
        PortList::Any => random.random(),
        PortList::Ports { include, .. } => {
            include.first().map_or(0, |range| random.random_range(range.clone()))
        }
    };
    let (value, mask) = condition.protocols.first().copied().unwrap_or_default();
    header(
        address(random, &condition.src),
        address(random, &condition.dst),
        port(random, &condition.sport),
        port(random, &condition.dport),
        value | random.random::<u8>() & !mask,
    )
}
