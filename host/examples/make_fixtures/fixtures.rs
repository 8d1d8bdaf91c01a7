//! The demonstration: a small office whose web server is visited, pinged and scanned.
//!
//! All addresses are those reserved for documentation or private networks (RFC 5737, 3849, 1918).

use etherparse::{
    Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, PacketBuilderStep,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SEED: u64 = 0x5eed_0001;
/// 2026-01-15 09:00:00 UTC, in microseconds.
const BEGIN_MICROS: u64 = 1_768_467_600_000_000;
/// Traffic lasts a minute.
const LENGTH_MICROS: u64 = 60_000_000;

const WEB_SERVER: [u8; 4] = [192, 168, 1, 10];
const NAME_SERVER: [u8; 4] = [192, 168, 1, 53];
const SCANNER: [u8; 4] = [203, 0, 113, 66];
const WEB_SERVER_V6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10];
const CLIENT_V6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x99];

/// Signatures: those on headers are decided, those on content are there to show what `check` says.
const RULES: &str = r#"# Signatures for demo.pcap.
alert tcp any any -> 192.168.1.0/24 [21:23,3389] (msg:"DEMO remote administration attempted"; classtype:attempted-recon; sid:1000001; rev:1;)
alert tcp 203.0.113.0/24 any -> 192.168.1.10 ![80,443] (msg:"DEMO closed port of the web server"; classtype:network-scan; sid:1000002; rev:1;)
alert icmp any any -> [192.168.1.0/24,2001:db8:1::/48] any (msg:"DEMO ping of the office"; classtype:icmp-event; sid:1000003; rev:2;)
alert udp any any <> 192.168.1.53 53 (msg:"DEMO name server"; classtype:not-suspicious; sid:1000004; rev:1;)
alert tcp any any -> 2001:db8:1::/48 80 (msg:"DEMO web over IPv6"; classtype:misc-activity; sid:1000005; rev:1;)
drop ip [198.51.100.0/24,!198.51.100.7] any -> any any (msg:"DEMO network that is not welcome"; classtype:policy-violation; priority:2; sid:1000006; rev:1;)
pass ip 198.51.100.8 any -> any any (msg:"DEMO welcome after all"; sid:1000007; rev:1;)
alert tcp any any -> any 80 (msg:"DEMO request of the secret page"; content:"/secret.html"; classtype:web-application-attack; sid:1000008; rev:1;)
alert tcp any any -> any 80 (msg:"DEMO request by a script"; flow:established,to_server; content:"curl/"; http_user_agent; classtype:misc-activity; sid:1000009; rev:1;)
"#;

/// An access control list in the ClassBench format, first match wins.
const ACL: &str = "\
@203.0.113.66/32\t192.168.1.0/24\t0 : 65535\t0 : 79\t0x06/0xFF\t0x0000/0x0000
@0.0.0.0/0\t192.168.1.10/32\t0 : 65535\t80 : 80\t0x06/0xFF\t0x0000/0x0000
@0.0.0.0/0\t192.168.1.10/32\t0 : 65535\t443 : 443\t0x06/0xFF\t0x0000/0x0000
@192.168.1.10/32\t0.0.0.0/0\t80 : 80\t1024 : 65535\t0x06/0xFF\t0x0000/0x0000
@192.168.1.10/32\t0.0.0.0/0\t443 : 443\t1024 : 65535\t0x06/0xFF\t0x0000/0x0000
@192.168.1.0/24\t192.168.1.53/32\t0 : 65535\t53 : 53\t0x11/0xFF\t0x0000/0x0000
@192.168.1.53/32\t192.168.1.0/24\t53 : 53\t0 : 65535\t0x11/0xFF\t0x0000/0x0000
@0.0.0.0/0\t192.168.1.0/24\t0 : 65535\t0 : 65535\t0x01/0xFF\t0x0000/0x0000
@198.51.100.0/24\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000
@192.168.0.0/16\t192.168.0.0/16\t0 : 65535\t0 : 65535\t0x00/0x00\t0x0000/0x0000
";

/// Name and content of each file.
pub fn files() -> [(&'static str, Vec<u8>); 3] {
    [
        ("demo.pcap", Traffic::new().pcap()),
        ("demo.rules", RULES.as_bytes().to_vec()),
        ("demo.acl", ACL.as_bytes().to_vec()),
    ]
}

/// Packets with their times.
struct Traffic {
    packets: Vec<(u64, Vec<u8>)>,
    random: ChaCha8Rng,
}

/// Both ends of a connection.
#[derive(Clone, Copy)]
enum Ends {
    V4([u8; 4], [u8; 4]),
    V6([u8; 16], [u8; 16]),
}

impl Traffic {
    fn new() -> Self {
        let mut traffic = Self { packets: Vec::new(), random: ChaCha8Rng::seed_from_u64(SEED) };
        traffic.web();
        traffic.names();
        traffic.scan();
        traffic.pings();
        traffic.unwelcome();
        traffic.fragments();
        traffic.tagged();
        traffic.odd();
        traffic
    }

    /// A random moment of the minute.
    fn moment(&mut self) -> u64 {
        self.random.random_range(0..LENGTH_MICROS)
    }

    fn add(&mut self, micros: u64, packet: Vec<u8>) {
        self.packets.push((micros, packet));
    }

    /// Visits to the web server: connection, request, answer, end.
    fn web(&mut self) {
        for visit in 0..32_u8 {
            let client = [192, 0, 2, 20 + visit];
            let ends = if visit % 4 == 3 {
                Ends::V6(CLIENT_V6, WEB_SERVER_V6)
            } else {
                Ends::V4(client, WEB_SERVER)
            };
            let port = if visit % 3 == 0 { 443 } else { 80 };
            self.visit(ends, port);
        }
    }

    fn visit(&mut self, ends: Ends, port: u16) {
        const SYN: u8 = 0x02;
        const ACK: u8 = 0x10;
        const PUSH: u8 = 0x08;
        const FIN: u8 = 0x01;
        let client_port = self.random.random_range(1024..65_535);
        let page = ["index", "news", "secret"][self.random.random_range(0..3)];
        let request =
            format!("GET /{page}.html HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: curl/8.0\r\n\r\n");
        let body = "x".repeat(self.random.random_range(20..600));
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut at = self.moment();
        for (to_server, flags, payload) in [
            (true, SYN, ""),
            (false, SYN | ACK, ""),
            (true, ACK, ""),
            (true, ACK | PUSH, request.as_str()),
            (false, ACK | PUSH, answer.as_str()),
            (true, ACK | FIN, ""),
            (false, ACK | FIN, ""),
            (true, ACK, ""),
        ] {
            let (ends, ports) =
                if to_server { (ends, (client_port, port)) } else { (ends.turned(), (port, client_port)) };
            self.add(at, tcp(ends, ports, flags, payload.as_bytes()));
            at += self.random.random_range(200..20_000);
        }
    }

    /// Questions to the name server and its answers.
    fn names(&mut self) {
        for host in 0..16 {
            let ends = Ends::V4([192, 168, 1, 100 + host], NAME_SERVER);
            let (at, port) = (self.moment(), self.random.random_range(1024..65_535));
            let mut question = self.random.random::<[u8; 2]>().to_vec();
            question.extend(
                b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\x00\x00\x01\x00\x01",
            );
            let mut answer = question.clone();
            answer[2] = 0x81;
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 80]);
            self.add(at, udp(ends, (port, 53), &question));
            self.add(at + 700, udp(ends.turned(), (53, port), &answer));
        }
    }

    /// One host tries the first hundred ports of the web server.
    fn scan(&mut self) {
        let begin = self.moment() / 2;
        for port in 1..=100 {
            let at = begin + u64::from(port) * 3_000;
            self.add(at, tcp(Ends::V4(SCANNER, WEB_SERVER), (54_321, port), 0x02, &[]));
            if port != 80 {
                self.add(at + 150, tcp(Ends::V4(WEB_SERVER, SCANNER), (port, 54_321), 0x14, &[]));
            }
        }
    }

    fn pings(&mut self) {
        let payload = *b"abcdefghijklmnopqrstuvwabcdefghi";
        for number in 0..8 {
            let at = self.moment();
            let (client, server) = ([192, 0, 2, 9], WEB_SERVER);
            self.add(at, built(v4(client, server).icmpv4_echo_request(7, number), &payload));
            self.add(at + 300, built(v4(server, client).icmpv4_echo_reply(7, number), &payload));
            let (client, server) = (CLIENT_V6, WEB_SERVER_V6);
            self.add(at + 400, built(v6(client, server).icmpv6_echo_request(7, number), &payload));
            self.add(at + 700, built(v6(server, client).icmpv6_echo_reply(7, number), &payload));
        }
    }

    /// A network that one signature drops, with a host that it leaves out and one that another passes.
    fn unwelcome(&mut self) {
        for host in [5, 6, 7, 8, 9] {
            let ends = Ends::V4([198, 51, 100, host], WEB_SERVER);
            let at = self.moment();
            self.add(at, udp(ends, (9999, 161), b"public"));
        }
    }

    /// A datagram in three IPv4 fragments, and one in two IPv6 fragments.
    fn fragments(&mut self) {
        let at = self.moment();
        let mut datagram = vec![0x13, 0x88, 0x13, 0x89, 0x0b, 0xb8, 0, 0];
        datagram.resize(3000, b'f');
        for (n, piece) in datagram.chunks(1480).enumerate() {
            let mut ip = ipv4_header([192, 168, 1, 20], [192, 168, 1, 21], IpNumber::UDP, piece.len());
            ip.identification = 77;
            ip.dont_fragment = false;
            ip.more_fragments = n < 2;
            ip.fragment_offset = IpFragOffset::try_new(n as u16 * 185).unwrap_or(IpFragOffset::ZERO);
            ip.header_checksum = ip.calc_header_checksum();
            self.add(at + n as u64, join(&[&ethernet(0x0800), &ip.to_bytes(), piece]));
        }
        for (n, piece) in datagram[..1600].chunks(1200).enumerate() {
            let offset = (n as u16 * 1200) | u16::from(n == 0);
            let fragment = join(&[&[17, 0], &offset.to_be_bytes(), &[0, 0, 0, 9], piece]);
            self.add(at + 9 + n as u64, ipv6_packet(44, &fragment));
        }
    }

    /// Packets with one, two and three VLAN tags.
    fn tagged(&mut self) {
        let inner = udp(Ends::V4([192, 168, 1, 30], [192, 168, 1, 31]), (5000, 5001), b"tagged");
        for tags in [1, 1, 1, 1, 2, 2, 3] {
            let at = self.moment();
            let mut packet = inner[..12].to_vec();
            for tag in 1..=tags {
                packet.extend(if tag < tags { [0x88, 0xa8] } else { [0x81, 0x00] });
                packet.extend([0, 10 * tag]);
            }
            packet.extend(&inner[12..]);
            self.add(at, packet);
        }
    }

    /// ARP, GRE, SCTP, IPv6 extension headers, a packet that was cut, one that contradicts itself.
    fn odd(&mut self) {
        let at = self.moment();
        let arp =
            [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 168, 1, 1, 0, 0, 0, 0, 0, 0, 192, 168, 1, 10];
        self.add(at, join(&[&ethernet(0x0806), &arp]));
        let office = ([192, 168, 1, 1], [192, 0, 2, 1]);
        let inside = udp(Ends::V4([10, 0, 0, 1], [10, 0, 0, 2]), (1, 2), b"inside");
        let gre = join(&[&[0, 0, 8, 0], &inside[14..]]);
        let ip = ipv4_header(office.0, office.1, IpNumber::GRE, gre.len());
        self.add(at + 1000, join(&[&ethernet(0x0800), &ip.to_bytes(), &gre]));
        let mut sctp = Vec::new();
        wiresift_host::capture::synthesize(0xc0a8_0101, 0xc000_0201, [2905, 2905], 132, &mut sctp);
        self.add(at + 2000, sctp);
        let udp_bytes = join(&[&4000_u16.to_be_bytes(), &4001_u16.to_be_bytes(), &[0, 8, 0, 0]]);
        let options = [[0_u8, 0, 1, 4, 0, 0, 0, 0], [60, 0, 1, 4, 0, 0, 0, 0], [17, 0, 1, 4, 0, 0, 0, 0]];
        self.add(at + 3000, ipv6_packet(0, &join(&[&options[1], &options[2], &udp_bytes])));
        let mut chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(9);
        chain.extend(options[2]);
        chain.extend(&udp_bytes);
        self.add(at + 4000, ipv6_packet(60, &chain));
        let whole = tcp(Ends::V4([192, 0, 2, 77], WEB_SERVER), (40_000, 80), 0x02, &[]);
        self.add(at + 5000, whole[..44].to_vec());
        let mut wrong = whole;
        wrong[14] = 0x43;
        self.add(at + 6000, wrong);
    }

    /// The packets in order of their times as a pcap file.
    fn pcap(mut self) -> Vec<u8> {
        self.packets.sort_by_key(|(micros, _)| *micros);
        let mut file = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
        file.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        file.extend(65_535_u32.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for (micros, packet) in &self.packets {
            let time = BEGIN_MICROS + micros;
            let length = packet.len() as u32;
            for field in [(time / 1_000_000) as u32, (time % 1_000_000) as u32, length, length] {
                file.extend(field.to_le_bytes());
            }
            file.extend(packet);
        }
        file
    }
}

impl Ends {
    fn turned(self) -> Self {
        match self {
            Self::V4(a, b) => Self::V4(b, a),
            Self::V6(a, b) => Self::V6(b, a),
        }
    }
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const OFFICE_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ROUTER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

fn ethernet(ethertype: u16) -> Vec<u8> {
    let header =
        Ethernet2Header { source: ROUTER_MAC, destination: OFFICE_MAC, ether_type: ethertype.into() };
    header.to_bytes().to_vec()
}

fn ipv4_header(source: [u8; 4], destination: [u8; 4], protocol: IpNumber, payload: usize) -> Ipv4Header {
    let mut ip = Ipv4Header { source, destination, protocol, time_to_live: 60, ..Ipv4Header::default() };
    ip.total_len = ip.header_len() as u16 + payload as u16;
    ip.header_checksum = ip.calc_header_checksum();
    ip
}

fn ipv6_packet(next: u8, payload: &[u8]) -> Vec<u8> {
    let ip = Ipv6Header {
        payload_length: payload.len() as u16,
        next_header: IpNumber(next),
        hop_limit: 60,
        source: CLIENT_V6,
        destination: WEB_SERVER_V6,
        ..Ipv6Header::default()
    };
    join(&[&ethernet(0x86dd), &ip.to_bytes(), payload])
}

fn v4(source: [u8; 4], destination: [u8; 4]) -> PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2(ROUTER_MAC, OFFICE_MAC).ipv4(source, destination, 60)
}

fn v6(source: [u8; 16], destination: [u8; 16]) -> PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2(ROUTER_MAC, OFFICE_MAC).ipv6(source, destination, 60)
}

fn tcp(ends: Ends, (sport, dport): (u16, u16), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = etherparse::TcpHeader::new(sport, dport, 1000, 8192);
    (header.fin, header.syn, header.rst) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
    (header.psh, header.ack) = (flags & 8 != 0, flags & 16 != 0);
    match ends {
        Ends::V4(source, destination) => built(v4(source, destination).tcp_header(header), payload),
        Ends::V6(source, destination) => built(v6(source, destination).tcp_header(header), payload),
    }
}

fn udp(ends: Ends, (sport, dport): (u16, u16), payload: &[u8]) -> Vec<u8> {
    match ends {
        Ends::V4(source, destination) => built(v4(source, destination).udp(sport, dport), payload),
        Ends::V6(source, destination) => built(v6(source, destination).udp(sport, dport), payload),
    }
}

/// What the builders of transport headers have in common.
trait Write {
    fn write_to(self, packet: &mut Vec<u8>, payload: &[u8]) -> bool;
}

macro_rules! write {
    ($($header:ident),*) => {$(
        impl Write for PacketBuilderStep<etherparse::$header> {
            fn write_to(self, packet: &mut Vec<u8>, payload: &[u8]) -> bool {
                self.write(packet, payload).is_ok()
            }
        }
    )*};
}
write!(TcpHeader, UdpHeader, Icmpv4Header, Icmpv6Header);

fn built(packet: impl Write, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(packet.write_to(&mut bytes, payload), "the packets of the demonstration are small");
    bytes
}
