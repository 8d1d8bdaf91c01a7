//! Seeded signatures with options, each with a payload that it was written for: what it asks holds there, or fails by a
//! little. Rules are text, so that what is compared goes the whole way from the file to the report.

use std::fmt::Write;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::pick;

/// Bytes before the payload of UDP over IPv4 and of TCP over IPv4, without options or tags: for places at borders of
/// beats.
const BEFORE: [usize; 2] = [42, 54];

/// Signatures as text, and what they look for.
#[derive(Clone, Debug)]
pub struct Signatures {
    /// The rules, with ascending ids.
    pub text: String,
    /// A payload for each of them.
    pub payloads: Vec<Vec<u8>>,
}

/// `count` signatures.
pub fn signatures(rng: &mut ChaCha8Rng, count: usize) -> Signatures {
    let mut all = Signatures { text: String::new(), payloads: Vec::new() };
    for sid in 1..=count {
        let mut rule = Rule { rng, payload: Vec::new(), options: String::new(), end: 0 };
        rule.payload = rule.payload_bytes();
        let protocol = rule.options();
        let (options, payload) = (rule.options, rule.payload);
        let ports = |rng: &mut ChaCha8Rng| match protocol {
            "tcp" | "udp" => pick(rng, &["any", "any", "80", "1024:", "!53"]),
            _ => "any",
        };
        let (sport, dport) = (ports(rng), ports(rng));
        let direction = pick(rng, &["->", "->", "->", "<>"]);
        let _ = writeln!(
            all.text,
            "alert {protocol} any {sport} {direction} any {dport} (msg:\"rule {sid}\"; {options}sid:{sid};)"
        );
        all.payloads.push(payload);
    }
    all
}

/// A payload with small changes, some of which make a rule for it fail.
pub fn changed(rng: &mut ChaCha8Rng, payload: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    for _ in 0..pick(rng, &[0, 0, 0, 1, 1, 2]) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] ^= 0x20,
            2 => bytes.insert(at, rng.random()),
            3 if at < bytes.len() => {
                bytes.remove(at);
            }
            4 => bytes.truncate(at),
            _ => bytes.extend(other),
        }
    }
    bytes.truncate(8_900);
    bytes
}

/// A rule that is being written.
struct Rule<'a> {
    rng: &'a mut ChaCha8Rng,
    payload: Vec<u8>,
    options: String,
    /// Where the last match ends in the payload.
    end: usize,
}

impl Rule<'_> {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        pick(self.rng, from)
    }

    fn chance(&mut self, chance: f64) -> bool {
        self.rng.random_bool(chance)
    }

    fn add(&mut self, option: &str) {
        self.options.push_str(option);
        self.options.push_str("; ");
    }

    /// 0 to 8,900 bytes: random ones, or of few letters, so that patterns overlap and stand in one another.
    fn payload_bytes(&mut self) -> Vec<u8> {
        let length = match self.rng.random_range(0..12) {
            0 => self.rng.random_range(0..3),
            1 => self.rng.random_range(1_400..8_900),
            2..6 => self.rng.random_range(100..700),
            _ => self.rng.random_range(3..100),
        };
        let letters: &[u8] = self.pick(&[&b"ab"[..], b"aB", b"\0\0\0x", b"GET /index.html\r\n", b""]);
        let byte = |rng: &mut ChaCha8Rng| if letters.is_empty() { rng.random() } else { pick(rng, letters) };
        (0..length).map(|_| byte(self.rng)).collect()
    }

    /// A place in the payload: at its ends, at borders of beats, anywhere.
    fn place(&mut self, bytes: usize) -> usize {
        let last = self.payload.len() - bytes;
        let before = self.pick(&BEFORE);
        let border: usize = self.pick(&[16, 64]) * self.rng.random_range(1..8);
        let anywhere = self.rng.random_range(0..=last);
        match self.rng.random_range(0..6) {
            0 => 0,
            1 => last,
            // Behind the border, before it, across it.
            2 => border.saturating_sub(before).min(last),
            3 => border.saturating_sub(before + bytes).min(last),
            4 => border.saturating_sub(before + bytes / 2).min(last),
            _ => anywhere,
        }
    }

    /// All options; gives the protocol.
    fn options(&mut self) -> &'static str {
        let protocol = self.pick(&["ip", "tcp", "tcp", "udp", "udp", "icmp"]);
        self.fields(protocol);
        let contents = self.pick(&[0, 1, 1, 1, 2, 2, 3]);
        for n in 0..contents {
            self.content(n > 0);
            if self.chance(0.25) {
                self.number();
            }
        }
        if self.chance(0.15) {
            self.expression();
        }
        if self.chance(0.1) {
            let at = self.rng.random_range(0..=self.payload.len() + 1);
            let (not, relative) = (self.pick(&["", "!"]), self.pick(&["", ",relative"]));
            self.add(&format!("isdataat:{not}{at}{relative}"));
        }
        self.state();
        protocol
    }

    /// A content that stands in the payload, most often.
    fn content(&mut self, behind: bool) {
        let longest = self.payload.len().min(300);
        if longest == 0 {
            return self.add("content:\"x\"");
        }
        let bytes = match self.rng.random_range(0..8) {
            0 => 1,
            1 => longest.min(2),
            2 => self.rng.random_range(1..=longest),
            _ => self.rng.random_range(1..=longest.min(24)),
        };
        let start = self.place(bytes);
        let mut pattern = self.payload[start..start + bytes].to_vec();
        let nocase = self.chance(0.3);
        if nocase {
            pattern.iter_mut().filter(|byte| byte.is_ascii_alphabetic()).for_each(|byte| *byte ^= 0x20);
        }
        let negated = self.chance(0.12);
        if negated && self.chance(0.7) {
            pattern[bytes / 2] ^= 0x04;
        }
        let not = if negated { "!" } else { "" };
        self.add(&format!("content:{not}\"{}\"", escaped(&pattern)));
        if nocase {
            self.add("nocase");
        }
        // Right, or beside it by one.
        let off = self.pick(&[0, 0, 0, 0, -1, 1]);
        let (start, end, bytes) = (start as i64, (start + bytes) as i64, bytes as i64);
        match self.rng.random_range(0..6) {
            0 => {
                let offset = (start + off).max(0);
                self.add(&format!("offset:{offset}"));
            }
            1 => {
                let offset = (start - self.pick(&[0, 0, 1, 5])).max(0);
                let depth = (end - offset + off).max(bytes);
                self.add(&format!("offset:{offset}; depth:{depth}"));
            }
            2 => {
                let depth = (end + off).max(bytes);
                self.add(&format!("depth:{depth}"));
            }
            3 if behind => {
                let distance = start - self.end as i64 + off;
                self.add(&format!("distance:{distance}"));
            }
            4 if behind => {
                let distance = start - self.end as i64 - self.pick(&[0, 0, 3]);
                let within = (end - self.end as i64 - distance + off).max(bytes);
                self.add(&format!("distance:{distance}; within:{within}"));
            }
            5 if start == 0 || off > 0 => self.add("startswith"),
            _ if end as usize == self.payload.len() || off < 0 => self.add("endswith"),
            _ => {}
        }
        if !negated {
            self.end = end as usize;
            if !self.options.contains("fast_pattern") && self.chance(0.2) {
                let part = if bytes > 3 && self.chance(0.5) { ":1,2" } else { "" };
                self.add(&format!("fast_pattern{part}"));
            }
        }
    }

    /// A test of a number, a jump, or a variable.
    fn number(&mut self) {
        if self.payload.is_empty() {
            return;
        }
        let bytes = self.pick(&[1_usize, 1, 2, 4]).min(self.payload.len());
        let at = self.rng.random_range(0..=self.payload.len() - bytes);
        let little = self.chance(0.3);
        let number = &self.payload[at..at + bytes];
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        let value = if little { number.iter().rev().fold(0, fold) } else { number.iter().fold(0, fold) };
        let order = if little { ",little" } else { "" };
        let relative = self.chance(0.5);
        let offset = at as i64 - if relative { self.end as i64 } else { 0 };
        let relative = if relative { ",relative" } else { "" };
        match self.rng.random_range(0..5) {
            0 | 1 => {
                let operator = self.pick(&["<", ">", "=", "!=", "<=", ">=", "&", "^"]);
                let operand = value.saturating_add(self.pick(&[0, 0, 1])).saturating_sub(self.pick(&[0, 1]));
                self.add(&format!("byte_test:{bytes},{operator},{operand},{offset}{relative}{order}"));
            }
            2 => {
                // To a place that is in the payload, or just outside of it.
                let jump = self.rng.random_range(-2..=self.payload.len() as i64 + 1);
                let post = jump - value as i64;
                if post.abs() < 60_000 {
                    let from = ",from_beginning";
                    self.add(&format!(
                        "byte_jump:{bytes},{offset}{relative}{order}{from},post_offset {post}"
                    ));
                    self.end = usize::try_from(jump).unwrap_or(0).min(self.payload.len());
                }
            }
            3 => {
                let align = self.pick(&["", ",align 2", ",align 4"]);
                let name = format!("v{}", self.options.len());
                let multiplier = self.pick(&["", ",multiplier 2"]);
                self.add(&format!(
                    "byte_extract:{bytes},{offset},{name}{relative}{multiplier}{order}{align}"
                ));
                let operator = self.pick(&["<", ">", "="]);
                self.add(&format!("byte_test:{bytes},{operator},{name},{offset}{relative}{order}"));
                self.end = at + bytes;
            }
            _ => {
                let name = format!("m{}", self.options.len());
                let (operator, by) =
                    (self.pick(&["+", "-", "*", "/", "<<", ">>"]), self.rng.random_range(1..8));
                let relative = if relative.is_empty() { "" } else { ", relative" };
                self.add(&format!(
                    "byte_math:bytes {bytes}, offset {offset}, oper {operator}, rvalue {by}, result {name}{relative}"
                ));
                self.add(&format!("isdataat:{name}"));
                self.end = at + bytes;
            }
        }
    }

    /// An expression around some bytes of the payload.
    fn expression(&mut self) {
        let bytes = self.rng.random_range(0..=self.payload.len().min(12));
        let start = if bytes == 0 { 0 } else { self.place(bytes) };
        let literal =
            |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}\\x{byte:02x}"));
        let (first, last) = self.payload[start..start + bytes].split_at(bytes / 2);
        let (first, last) = (literal(first), literal(last));
        let middle = self.pick(&["", "", ".*", ".*?", "(?:a|ab)*", "[^x]{0,4}", "\\s*", "(?=.)"]);
        let begin = self.pick(&["", "", "", "^", "(?<=a)", "\\b"]);
        let end = self.pick(&["", "", "", "$", "(?!b)", "+"]);
        let end = if end == "+" && last.is_empty() { "" } else { end };
        let not = if self.chance(0.1) { "!" } else { "" };
        let mut flags = String::new();
        for flag in ["i", "s", "m", "R", "A", "E", "G"] {
            if self.chance(0.2) {
                flags.push_str(flag);
            }
        }
        self.add(&format!("pcre:{not}\"/{begin}{first}{middle}{last}{end}/{flags}\""));
        if not.is_empty() {
            self.end = start + bytes;
            if self.chance(0.4) && self.end < self.payload.len() {
                let next = escaped(&self.payload[self.end..self.end + 1]);
                self.add(&format!("content:\"{next}\"; distance:0; within:1"));
            }
        }
    }

    /// Fields of the header, seldom many.
    fn fields(&mut self, protocol: &str) {
        let length = self.payload.len();
        for _ in 0..self.pick(&[0, 0, 1, 1, 2]) {
            let more = match protocol {
                "tcp" => self.pick(&[
                    "flags:SA",
                    "flags:+A",
                    "flags:*SF",
                    "flags:!R",
                    "flags:S,CE",
                    "seq:0",
                    "ack:0",
                    "window:8192",
                    "window:!8192",
                    "tcp.mss:<1460",
                ]),
                "icmp" => self.pick(&[
                    "itype:8",
                    "itype:>3",
                    "icode:0",
                    "icode:<2",
                    "icmp_id:7",
                    "icmp_seq:1",
                    "itype:128",
                ]),
                _ => "",
            };
            let option = match self.rng.random_range(0..12) {
                0 => format!("dsize:{length}"),
                1 => format!("dsize:>{}", length.saturating_sub(2)),
                2 => format!("dsize:{}<>{}", length.saturating_sub(3), length + 3),
                3 => self.pick(&["ttl:64", "ttl:<65", "ttl:>64"]).to_owned(),
                4 => self.pick(&["tos:0", "tos:!0", "id:1", "id:256"]).to_owned(),
                5 => self.pick(&["ip_proto:17", "ip_proto:!6", "ip_proto:>5"]).to_owned(),
                6 => self
                    .pick(&["fragbits:D", "fragbits:!M", "fragbits:+D", "fragoffset:0", "fragoffset:>1"])
                    .to_owned(),
                7 => self.pick(&["sameip", "ipopts:nop", "ipopts:any"]).to_owned(),
                _ => more.to_owned(),
            };
            let name = option.split(':').next().unwrap_or_default();
            if !option.is_empty() && !self.options.contains(name) {
                self.add(&option);
            }
        }
    }

    /// What is asked of flow and rate.
    fn state(&mut self) {
        if self.chance(0.35) {
            let flow = self.pick(&[
                "established",
                "not_established",
                "to_server",
                "to_client",
                "established,to_server",
                "established,to_client",
                "from_client",
            ]);
            self.add(&format!("flow:{flow}"));
        }
        if self.chance(0.2) {
            let (track, count, seconds) = (
                self.pick(&["by_src", "by_dst", "by_both", "by_rule"]),
                self.pick(&[1, 2, 3]),
                self.pick(&[1, 2, 60]),
            );
            let kind = self.pick(&["limit", "threshold", "both", ""]);
            if kind.is_empty() {
                let track = track.replace("by_both", "by_src").replace("by_rule", "by_dst");
                self.add(&format!("detection_filter:track {track}, count {count}, seconds {seconds}"));
            } else {
                self.add(&format!("threshold:type {kind}, track {track}, count {count}, seconds {seconds}"));
            }
        }
        if self.chance(0.04) {
            self.add("noalert");
        }
        // A packet alone does not decide these.
        if self.chance(0.08) {
            let prefilter = self.pick(&["flowbits:isset,x", "http.uri; content:\"a\""]);
            self.add(prefilter);
        }
    }
}

/// Bytes as a content writes them.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() {
            text.push(char::from(*byte));
        } else {
            // A string takes what is written to it.
            let _ = write!(text, "|{byte:02x}|");
        }
        text
    })
}
