//! Which packets each match means.
#![allow(clippy::cloned_ref_to_slice_refs, reason = "lists of one packet and of several are written alike")]

use super::*;

#[track_caller]
fn check(family: &str, matches: &str, yes: &[Packet], no: &[Packet]) {
    for (packets, expected) in [(yes, true), (no, false)] {
        for (n, packet) in packets.iter().enumerate() {
            assert_eq!(
                accepts(family, matches, &packet.bytes()),
                expected,
                "{family} {matches}, {expected} {n}"
            );
        }
    }
}

#[test]
fn addresses() {
    let (v4, v6) = (Packet::tcp(80), Packet::tcp(80).six());
    for yes in [
        "ip saddr 10.1.2.3",
        "ip saddr 10.0.0.0/8",
        "ip saddr 10.1.2.0-10.1.2.9",
        "ip saddr { 1.1.1.1, 10.1.2.3 }",
        "ip saddr { 10.1.0.0/16, 1.1.1.1-2.2.2.2 } ip daddr 10.9.8.7",
        "ip saddr != 1.1.1.1",
        "ip saddr != { 1.1.1.1, 10.2.0.0/16 }",
        "ip saddr & 255.255.0.0 == 10.1.0.0",
        "ip saddr & 255.255.0.0 != 10.2.0.0",
        "ip saddr >= 10.1.2.3 ip saddr <= 10.1.2.3",
        "ip saddr 0.0.0.0/0",
    ] {
        check("inet", yes, &[v4.clone()], &[v6.clone()]);
        check("ip", yes, &[v4.clone()], &[v6.clone()]);
        check("netdev", yes, &[v4.clone()], &[v6.clone()]);
    }
    for no in [
        "ip saddr 10.1.2.4",
        "ip saddr != 10.0.0.0/8",
        "ip saddr & 255.255.0.0 == 10.1.2.3",
        "ip saddr < 10.1.2.3",
        "ip saddr > 10.1.2.3",
        "ip saddr != { 1.1.1.1, 10.1.0.0/16 }",
    ] {
        check("inet", no, &[], &[v4.clone(), v6.clone()]);
    }
    check("inet", "ip6 saddr 2001:db8::/32 ip6 daddr { 2001:db8::2, ::1 }", &[v6.clone()], &[v4.clone()]);
    check("ip6", "ip6 saddr 2001:db8::-2001:db8::1", &[v6.clone()], &[v4.clone()]);
    check("inet", "ip6 saddr != 2001:db8::1", &[], &[v4, v6]);
}

#[test]
fn ports_ask_for_their_protocol_and_for_a_packet_that_has_them() {
    let later = Packet { fragment: 0x0001, ..Packet::tcp(80) };
    let first = Packet { fragment: 0x2000, ..Packet::tcp(80) };
    let all = [Packet::tcp(80), Packet::tcp(80).six(), first];
    check("inet", "tcp dport 80", &all, &[Packet::tcp(81), Packet::of(17, 80), later.clone()]);
    check("inet", "tcp dport != 81", &all, &[Packet::tcp(81), Packet::of(17, 80), later.clone()]);
    check("inet", "tcp dport http", &all, &[Packet::tcp(81)]);
    check("inet", "tcp dport { 22, 70-90 } tcp sport 1234", &all, &[Packet::tcp(91)]);
    check("inet", "tcp dport != { 22, 70-79 }", &all, &[Packet::tcp(22), Packet::tcp(75)]);
    check("inet", "tcp dport > 79 tcp dport < 81", &all, &[Packet::tcp(79), Packet::tcp(81)]);
    check("inet", "tcp dport < 0", &[], &[Packet::tcp(0)]);
    check("inet", "tcp dport > 65535", &[], &[Packet::tcp(65535)]);
    check("inet", "udp dport 53", &[Packet::of(17, 53)], &[Packet::tcp(53)]);
    check("inet", "sctp sport 1234", &[Packet::of(132, 53)], &[Packet::tcp(53)]);
    let both = [Packet::tcp(53), Packet::of(17, 53)];
    check(
        "inet",
        "meta l4proto { tcp, udp } th dport 53",
        &both,
        &[Packet::of(132, 53), Packet::of(1, 53), later],
    );
    check("inet", "ip protocol tcp th dport 53", &[Packet::tcp(53)], &[Packet::tcp(53).six()]);
}

#[test]
fn protocols_of_ipv6_are_behind_the_extension_headers() {
    let behind = |protocol, extensions: &[u8]| Packet {
        extensions: extensions.to_vec(),
        ..Packet::of(protocol, 80).six()
    };
    check("inet", "meta l4proto tcp", &[Packet::tcp(1), behind(6, &[0, 60])], &[behind(17, &[0])]);
    check("inet", "meta l4proto != udp", &[Packet::tcp(1), behind(6, &[60])], &[behind(17, &[0])]);
    check("inet", "meta l4proto 51", &[Packet::of(51, 0)], &[behind(6, &[51]), Packet::tcp(0)]);
    check("inet", "meta l4proto 0-10", &[Packet::of(0, 0), Packet::tcp(0)], &[Packet::of(17, 0)]);
    check("inet", "ip protocol { tcp, udp }", &[Packet::tcp(1)], &[Packet::tcp(1).six(), Packet::of(1, 0)]);
    check("ip6", "meta l4proto ipv6-icmp", &[Packet::icmp(true, 1, 0)], &[Packet::tcp(1).six()]);
    // The walk ends in a header that is cut: netfilter has no protocol then.
    let mut cut = behind(6, &[60]).bytes();
    cut.truncate(14 + 40 + 4);
    assert!(!accepts("inet", "meta l4proto != udp", &cut));
    assert!(!accepts("inet", "meta l4proto 0-255", &cut));
    assert!(accepts("inet", "ip6 saddr ::/0", &cut));
}

#[test]
fn families() {
    let (v4, v6) = (Packet::tcp(80), Packet::tcp(80).six());
    let tagged = |packet: &Packet| Packet { tags: vec![5], ..packet.clone() };
    check("inet", "meta nfproto ipv4", &[v4.clone()], &[v6.clone()]);
    check("inet", "meta nfproto != ipv4", &[v6.clone()], &[v4.clone()]);
    check("inet", "meta protocol != ip", &[v6.clone()], &[v4.clone()]);
    for family in ["inet", "netdev", "bridge"] {
        check(family, "meta protocol ip", &[v4.clone(), tagged(&v4)], &[v6.clone()]);
        check(family, "meta protocol { ip, ip6 }", &[v4.clone(), tagged(&v6)], &[]);
        check(family, "ether type ip", &[v4.clone()], &[v6.clone(), tagged(&v4)]);
        check(family, "ether type { ip, ip6 }", &[v4.clone(), v6.clone()], &[tagged(&v4)]);
    }
    assert!(!accepts("netdev", "meta protocol { ip, ip6 }", &arp()));
    assert!(
        accepts("netdev", "", &arp())
            && !accepts("inet", "", &arp())
            && !accepts("netdev", "ip saddr 0.0.0.0/0", &arp())
    );
}

#[test]
fn every_packet_comes_to_a_bridge_or_netdev_table_and_only_ip_to_the_others() {
    let all = |family| rules(&table(family, "ingress", "tcp dport 80 accept"));
    for (family, v4, v6, other) in [
        ("ip", true, false, false),
        ("ip6", false, true, false),
        ("inet", true, true, false),
        ("bridge", true, true, true),
        ("netdev", true, true, true),
    ] {
        let rules = all(family);
        let policy = |packet: &[u8]| decide(&rules, packet).map(|found| found.0) == Some(AclAction::Drop);
        let found = [policy(&Packet::tcp(1).bytes()), policy(&Packet::tcp(1).six().bytes()), policy(&arp())];
        assert_eq!(found, [v4, v6, other], "{family}");
        assert_eq!(decide(&rules, &Packet::tcp(80).bytes()).is_some(), v4, "{family}");
    }
}

#[test]
fn flags() {
    let with = |flags| Packet { flags, ..Packet::tcp(80) };
    let (none, syn, syn_ack, ack, all) = (with(0), with(2), with(0x12), with(0x10), with(0xff));
    check(
        "inet",
        "tcp flags syn",
        &[syn.clone(), syn_ack.clone(), all.clone()],
        &[ack.clone(), none.clone()],
    );
    check("inet", "tcp flags syn,ack", &[syn.clone(), ack.clone(), all.clone()], &[none.clone()]);
    check("inet", "tcp flags == syn", &[syn.clone()], &[syn_ack.clone(), none.clone()]);
    check("inet", "tcp flags != syn", &[syn_ack.clone(), none.clone()], &[syn.clone()]);
    check("inet", "tcp flags ! syn", &[ack.clone(), none.clone()], &[syn.clone(), syn_ack.clone()]);
    check("inet", "tcp flags { syn, ack }", &[syn.clone(), ack.clone()], &[syn_ack.clone(), none.clone()]);
    check("inet", "tcp flags syn / syn,ack", &[syn.clone(), with(0x0a)], &[syn_ack.clone(), none.clone()]);
    check("inet", "tcp flags & (syn | ack) == syn", &[syn.clone()], &[syn_ack.clone(), ack.clone()]);
    check("inet", "tcp flags & (syn|ack) == (syn | ack)", &[syn_ack.clone(), all.clone()], &[syn.clone()]);
    check("inet", "tcp flags != syn,ack / syn,ack", &[syn.clone(), none.clone()], &[syn_ack.clone()]);
    check("inet", "tcp flags & (fin | syn | rst | ack) == syn | ack", &[syn_ack.clone()], &[all.clone()]);
    check("inet", "tcp flags == 0x0", &[none.clone()], &[syn.clone(), Packet::of(17, 80)]);
    let mut cut = none.bytes();
    cut.truncate(14 + 20 + 13);
    assert!(!accepts("inet", "tcp flags ! syn", &cut) && accepts("inet", "tcp dport 80", &cut));
}

#[test]
fn icmp() {
    let ping = Packet::icmp(false, 8, 0);
    let ping6 = Packet::icmp(true, 128, 0);
    check("inet", "icmp type echo-request", &[ping.clone()], &[ping6.clone(), Packet::icmp(false, 0, 0)]);
    check("inet", "icmp type { 8, timestamp-request }", &[ping.clone()], &[Packet::icmp(false, 3, 1)]);
    check("inet", "icmp type 3 icmp code 1-2", &[Packet::icmp(false, 3, 1)], &[Packet::icmp(false, 3, 3)]);
    check("inet", "icmp code port-unreachable", &[Packet::icmp(false, 3, 3)], &[ping.clone()]);
    check("inet", "icmp type != echo-request", &[Packet::icmp(false, 0, 0)], &[ping.clone(), Packet::tcp(0)]);
    check("inet", "icmpv6 type echo-request", &[ping6.clone()], &[ping.clone(), Packet::icmp(true, 129, 0)]);
    check("ip6", "icmpv6 type 128-130 icmpv6 code no-route", &[ping6.clone()], &[Packet::icmp(true, 1, 0)]);
    let odd = Packet { protocol: 1, ..ping.clone().six() };
    check("inet", "icmp type 8", &[], &[odd.clone()]);
    check("inet", "meta l4proto icmp icmp type 8", &[odd, ping.clone()], &[]);
    // In a bridge nft asks for the EtherType, which a tag hides.
    let tagged = Packet { tags: vec![1], ..ping.clone() };
    check("bridge", "icmp type 8", &[ping.clone()], &[tagged.clone()]);
    check("bridge", "meta protocol ip icmp type 8", &[ping.clone(), tagged.clone()], &[]);
    check("netdev", "icmp type 8", &[ping, tagged], &[]);
}

#[test]
fn fragments() {
    let with = |fragment| Packet { fragment, ..Packet::tcp(80) };
    let (whole, first, middle, last) = (with(0x4000), with(0x2000), with(0x2010), with(0x0010));
    let rest = [middle, last];
    check("ip", "ip frag-off & 0x1fff != 0", &rest, &[whole.clone(), first.clone()]);
    check("ip", "ip frag-off & 8191 == 0", &[whole.clone(), first.clone()], &rest);
    check(
        "ip",
        "ip frag-off & 0x3fff != 0",
        &[first.clone(), rest[0].clone(), rest[1].clone()],
        &[whole.clone()],
    );
    check(
        "ip",
        "ip frag-off & 0x3fff == 0",
        &[whole.clone()],
        &[first.clone(), rest[0].clone(), rest[1].clone()],
    );
    check(
        "ip",
        "ip frag-off & 0x3fff == 0x2000",
        &[first],
        &[whole.clone(), rest[0].clone(), rest[1].clone()],
    );
    check("inet", "ip frag-off & 0x1fff == 0", &[whole.clone()], &[whole.six()]);
}

#[test]
fn concatenations_and_maps() {
    let set = "ip saddr . tcp dport { 10.1.2.3 . 80, 10.0.0.0/8 . 90-99, 1.1.1.1 . 81 }";
    check("inet", set, &[Packet::tcp(80), Packet::tcp(95)], &[Packet::tcp(81), Packet::of(17, 80)]);
    let map = rules(&inet(
        "tcp dport vmap { 22 : accept, 80-90 : drop,
           100 : reject, * : return }
         ip protocol . udp dport vmap { udp . 5 : accept, * : continue }
         udp dport 0-65535 accept
         accept",
    ));
    let found = |packet: Packet| decide(&map, &packet.bytes()).unwrap();
    assert_eq!(found(Packet::tcp(22)), (AclAction::Accept, 4));
    assert_eq!(found(Packet::tcp(85)), (AclAction::Drop, 4));
    assert_eq!(found(Packet::tcp(23)), (AclAction::Drop, 3));
    assert_eq!(found(Packet::of(17, 5)), (AclAction::Accept, 6));
    assert_eq!(found(Packet::of(17, 6)), (AclAction::Accept, 7));
    assert_eq!(found(Packet::of(1, 6)), (AclAction::Accept, 8));
}

#[test]
fn a_rejection_means_what_it_can_answer() {
    let tcp = [Packet::tcp(1), Packet::tcp(1).six()];
    for (with, v4, v6, udp) in [
        ("", true, true, true),
        ("with icmpx type admin-prohibited", true, true, true),
        ("with icmp port-unreachable", true, false, true),
        ("with icmpv6 type no-route", false, true, false),
        ("with tcp reset", true, true, false),
    ] {
        let rules = rules(&inet(&format!("reject {with}")));
        let rejects = |packet: &Packet| decide(&rules, &packet.bytes()).unwrap().0 == AclAction::Reject;
        assert_eq!(
            (rejects(&tcp[0]), rejects(&tcp[1]), rejects(&Packet::of(17, 1))),
            (v4, v6, udp),
            "{with}"
        );
    }
}
