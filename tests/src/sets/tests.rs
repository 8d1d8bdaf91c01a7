#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;

use super::*;

/// Share of `count` in `of`, in percent.
fn percent(count: usize, of: usize) -> f64 {
    100.0 * count as f64 / of as f64
}

#[test]
fn sets_have_their_size_and_no_rule_twice() {
    for family in FAMILIES {
        for count in [0, 1, 7, 1000, 5000] {
            let set = generate(family, count, 3);
            assert_eq!(set.rules.len(), count, "{}", set.name);
            assert_eq!(set.rules.iter().collect::<HashSet<_>>().len(), count, "{}", set.name);
            assert_eq!(set.text().lines().count(), count);
        }
    }
}

#[test]
fn a_seed_gives_one_set_and_another_seed_another() {
    for family in FAMILIES {
        let text = |seed| generate(family, 500, seed).text();
        assert_eq!(text(1), text(1), "{}", family.name());
        assert_ne!(text(1), text(2), "{}", family.name());
    }
}

#[test]
fn prefixes_have_no_bits_behind_their_length_and_v4_none_behind_32() {
    for family in FAMILIES {
        for rule in generate(family, 3000, 5).rules {
            for prefix in [rule.src, rule.dst] {
                assert_eq!(prefix, Prefix::of(prefix.bits, prefix.len), "{rule:?}");
                assert!(prefix.len <= if rule.v6 { 128 } else { 32 }, "{rule:?}");
            }
        }
    }
}

/// What is measured on ClassBench's own sets of 10,000 rules (seeds acl1, fw1, ipc1), in percent.
#[test]
fn the_families_have_the_shapes_of_classbench() {
    const RULES: usize = 10_000;
    let close = |name: &str, is: f64, should: f64, by: f64| {
        assert!((is - should).abs() <= by, "{name}: {is:.1}, and ClassBench has {should:.1}");
    };
    for (family, hosts, wild_src, exact_dport, any_proto) in [
        (Family::Acl, 50.3, 0.1, 56.2, 8.7),
        (Family::Firewall, 4.1, 27.0, 58.7, 0.9),
        (Family::Chain, 16.0, 3.2, 36.3, 33.1),
    ] {
        let rules = generate(family, RULES, 1).rules;
        let share = |is: &dyn Fn(&Rule) -> bool| percent(rules.iter().filter(|rule| is(rule)).count(), RULES);
        let name = family.name();
        close(name, share(&|rule| rule.src.len == 32 && rule.dst.len == 32), hosts, 6.0);
        close(name, share(&|rule| rule.src.len == 0), wild_src, 4.0);
        close(name, share(&|rule| rule.dport.0 == rule.dport.1), exact_dport, 4.0);
        close(name, share(&|rule| rule.proto.is_none()), any_proto, 3.0);
    }
}

/// Times that the most frequent prefix of a side comes, and how many different ones there are.
fn repeats(rules: &[Rule], side: impl Fn(&Rule) -> Prefix) -> (usize, usize) {
    let mut counts: HashMap<Prefix, usize> = HashMap::new();
    rules.iter().for_each(|rule| *counts.entry(side(rule)).or_default() += 1);
    (counts.values().copied().max().unwrap_or(0), counts.len())
}

#[test]
fn addresses_repeat_and_nest() {
    for family in [Family::Acl, Family::Chain, Family::Ipv6] {
        let rules = generate(family, 10_000, 1).rules;
        for (name, side) in [("src", (|rule| rule.src) as fn(&Rule) -> Prefix), ("dst", |rule| rule.dst)] {
            let (most, different) = repeats(&rules, side);
            println!("{} {name}: {different} different, one {most} times", family.name());
            assert!((300..9500).contains(&different), "{} {name}: {different}", family.name());
            assert!(most > 20, "{} {name}: {most}", family.name());
        }
        let nested = |rule: &Rule| {
            rules.iter().any(|other| {
                other.dst.len < rule.dst.len && other.dst.len > 3 && other.dst.holds(rule.dst.bits)
            })
        };
        let nested = rules.iter().take(500).filter(|rule| nested(rule)).count();
        assert!(nested > 50, "{}: {nested} of 500 in a shorter prefix", family.name());
    }
}

#[test]
fn a_quarter_of_a_mix_is_ipv6() {
    let rules = generate(Family::Mix, 8000, 1).rules;
    let v6 = percent(rules.iter().filter(|rule| rule.v6).count(), rules.len());
    assert!((23.0..27.0).contains(&v6), "{v6}");
}

#[test]
fn headers_match_many_rules_and_miss_some() {
    for family in FAMILIES {
        let set = generate(family, 1000, 1);
        let headers = set.headers(&mut ChaCha8Rng::seed_from_u64(2), 1000);
        let matched = headers.iter().filter_map(|header| set.first_match(header)).collect::<Vec<_>>();
        let rules = matched.iter().collect::<HashSet<_>>().len();
        println!("{}: {} of 1000 match, {rules} rules", set.name, matched.len());
        assert!((600..1000).contains(&matched.len()), "{}: {}", set.name, matched.len());
        assert!(rules > 200, "{}: {rules}", set.name);
    }
}

#[test]
fn adversarial_sets_have_no_rule_twice() {
    for set in adversarial::all(1) {
        assert!(set.rules.len() >= 200 && set.rules.len() <= RULES_MAX, "{}", set.name);
        assert_eq!(set.rules.iter().collect::<HashSet<_>>().len(), set.rules.len(), "{}", set.name);
    }
}

#[test]
fn a_set_is_read_as_it_was_written() {
    for family in FAMILIES {
        let set = generate(family, 300, 4);
        assert_eq!(Set::read(&set.name, &set.text()).map(|set| set.rules), Some(set.rules));
    }
    assert!(Set::read("wrong", "@1.2.3.4/32 5.6.7.8/32 0 : 1 0 : 1 0x06/0x0F 0x0000/0x0000").is_none());
}
