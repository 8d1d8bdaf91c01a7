//! The command as people and scripts meet it: what it prints, and what it exits with.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

/// Name of every device of this build, the judge first.
const DEVICES: &[&str] = &["reference", "cpu"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

fn wiresift<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wiresift"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `classify` with the demonstration's rules and these arguments.
fn classify(args: &[&str]) -> Command {
    let mut command = wiresift(["classify"]);
    command.arg("--rules").arg(fixture("demo.acl")).arg("--rules").arg(fixture("demo.rules")).args(args);
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[track_caller]
fn succeeds(command: &mut Command) -> String {
    let output = run(command);
    assert!(output.status.success(), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Standard output and error of a command that fails as every failure does.
#[track_caller]
fn fails(command: &mut Command) -> (String, String) {
    let output = run(command);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    (String::from_utf8(output.stdout).unwrap(), errors)
}

fn spawn_with(command: &mut Command, input: &[u8]) -> Child {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A process that ends before it has read everything closes the pipe; the tests look at its output.
    std::thread::spawn(move || stdin.write_all(&input));
    child
}

fn demo() -> String {
    fixture("demo.pcap").display().to_string()
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> String {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn every_device_gives_the_answers_of_the_judge() {
    let options = ["--geometry", "lab", "--format", "csv", "--seed", "1"];
    let csv = |device| succeeds(classify(&["--device", device, &demo()]).args(options));
    let judged = csv(DEVICES[0]);
    assert_eq!(judged.lines().count(), 544);
    assert!(judged.starts_with("packet,action,acl_rule,signatures,flags\n"));
    assert!(judged.contains(",none,,1000003,\n") && judged.contains(",match,1,1000001;1000002,\n"));
    for device in &DEVICES[1..] {
        assert_eq!(csv(device), judged, "{device}");
    }
}

#[test]
fn the_table_is_for_people() {
    let text = succeeds(&mut classify(&[&demo()]));
    for part in ["ACL rule", "demo.acl:1", "DEMO ping of the office", "ext_chain", "packets a second"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn eve_is_json_with_a_line_for_each_alert_and_none_for_a_passed_packet() {
    let text = succeeds(&mut classify(&["--format", "eve", &demo()]));
    let (mut alerts, mut suspects) = (0, 0);
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["pcap_filename"], demo());
        match record["event_type"].as_str().unwrap() {
            "alert" => {
                assert_ne!(record["src_ip"], "198.51.100.8");
                alerts += 1;
            }
            "suspect" => {
                assert_eq!(record["suspect"]["signature_id"], 1_000_009);
                suspects += 1;
            }
            other => panic!("{other}"),
        }
    }
    // What the table counts, without the two matches of the packet that is passed.
    assert_eq!(alerts, 3 + 99 + 16 + 32 + 25 + 4 - 1 + 10);
    assert_eq!(suspects, 21);
}

#[test]
fn signatures_that_are_not_evaluated_are_told_once() {
    let folder = TempDir::new().unwrap();
    let unknown = file(&folder, "a.rules", b"alert tcp any any -> any any (no_such_option; sid:1;)\n");
    let output = run(&mut classify(&["--format", "csv", "--rules", &unknown, &demo()]));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors, "wiresift: warning: 1 of 10 signatures are not evaluated, see `wiresift check`\n");
}

#[test]
fn captures_come_through_a_pipe_also_compressed_and_count_on() {
    let expected = succeeds(&mut classify(&["--format", "csv", &demo()]));
    let bytes = fs::read(demo()).unwrap();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).unwrap();
    for input in [bytes, encoder.finish().unwrap()] {
        let child = spawn_with(&mut classify(&["--format", "csv", "-"]), &input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
    let twice = succeeds(&mut classify(&["--format", "csv", &demo(), &demo()]));
    assert!(twice.starts_with(&expected) && twice.lines().count() == 1 + 2 * 543);
    assert!(twice.lines().last().unwrap().starts_with("1086,"));
}

#[test]
fn a_cut_capture_gives_its_packets_and_then_fails() {
    let folder = TempDir::new().unwrap();
    let bytes = fs::read(demo()).unwrap();
    let cut = file(&folder, "cut.pcap", &bytes[..bytes.len() - 1]);
    let (out, errors) = fails(&mut classify(&["--format", "csv", &cut, &demo()]));
    assert_eq!(out.lines().count(), 1 + 542);
    assert!(errors.contains("cut.pcap: at byte ") && errors.contains("ends inside a packet"), "{errors}");
    let (table, _) = fails(&mut classify(&[&cut]));
    assert!(table.contains("│ packets") && table.contains("542"), "{table}");
}

#[test]
fn captures_that_are_none_fail_with_their_name() {
    let folder = TempDir::new().unwrap();
    let mut wlan = fs::read(demo()).unwrap();
    wlan[20] = 105;
    for (name, bytes, text) in [
        ("empty", &[][..], "is empty"),
        ("text", b"hello\n", "neither pcap nor pcapng nor a ClassBench trace"),
        ("wlan", &wlan, "link type 105 (IEEE 802.11) is not supported"),
    ] {
        let path = file(&folder, name, bytes);
        let (out, errors) = fails(&mut classify(&["--format", "csv", &path]));
        assert_eq!(out, "packet,action,acl_rule,signatures,flags\n");
        assert!(errors.contains(&path) && errors.contains(text), "{errors}");
    }
}

#[test]
fn what_is_misspelt_fails_before_the_output_is_touched() {
    let folder = TempDir::new().unwrap();
    let output = file(&folder, "out", b"precious");
    let with_output = |args: &[&str]| {
        let (_, errors) = fails(classify(args).args(["--output", &output]));
        assert_eq!(fs::read(&output).unwrap(), b"precious", "{errors}");
        errors
    };
    assert!(with_output(&["/nowhere/x.pcap"]).contains("/nowhere/x.pcap"));
    assert!(with_output(&[folder.path().to_str().unwrap()]).contains("is a directory"));
    assert!(with_output(&["--rules", "/nowhere/x.rules", &demo()]).contains("/nowhere/x.rules"));
    let bad = file(&folder, "bad.rules", b"alert tcp any any -> any any (sid:1;\n");
    assert!(with_output(&["--rules", &bad, &demo()]).contains("bad.rules"));
    assert!(with_output(&["--rules", "-", "-"]).contains("only once"));
    assert!(with_output(&["--trace", "x.vcd", &demo()]).contains("--device rtl"));
    for args in [["--device", "gpu"], ["--geometry", "huge"], ["--format", "xml"], ["--var", "novalue"]] {
        fails(classify(&args).arg(demo()));
    }
    fails(&mut wiresift(["classify", "--rules", "x"]));
    fails(&mut wiresift(["frobnicate"]));
}

#[test]
fn the_output_goes_to_a_file_whole() {
    let folder = TempDir::new().unwrap();
    let output = file(&folder, "out.csv", &[b'x'; 1 << 20]);
    let printed = succeeds(&mut classify(&["--format", "csv", "--output", &output, &demo()]));
    assert_eq!(printed, "");
    assert_eq!(fs::read_to_string(&output).unwrap(), succeeds(&mut classify(&["--format", "csv", &demo()])));
}

#[test]
fn a_full_disk_is_an_error() {
    for format in ["table", "csv", "eve"] {
        let (_, errors) = fails(&mut classify(&["--format", format, "--output", "/dev/full", &demo()]));
        assert!(errors.contains("the report cannot be written"), "{format}: {errors}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    fails(classify(&["--format", "csv", &demo()]).stdout(full.try_clone().unwrap()));
    fails(wiresift(["check", "--rules"]).arg(fixture("demo.acl")).stdout(full));
    fails(wiresift(["compile", "--output", "/dev/full", "--rules"]).arg(fixture("demo.acl")));
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    // The pipe and all buffers hold a small part of what there is to tell.
    let captures = vec![demo(); 400];
    let mut command = classify(&["--format", "csv"]);
    let mut child = command.args(captures).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "packet,action,acl_rule,signatures,flags");
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8(output.stderr).unwrap().contains("error"));
}

#[test]
fn a_rule_image_stands_in_place_of_rule_files() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let compile = |geometry: &str, seed: &str, name: &str| {
        let mut command =
            wiresift(["compile", "--geometry", geometry, "--seed", seed, "--output", &path(name)]);
        succeeds(command.arg("--rules").arg(fixture("demo.acl")).arg("--rules").arg(fixture("demo.rules")));
        fs::read(path(name)).unwrap()
    };
    let image = compile("lab", "7", "a.img");
    assert_eq!(image, compile("lab", "7", "b.img"));
    assert_ne!(image, compile("lab", "8", "c.img"));
    let expected = succeeds(&mut classify(&["--format", "csv", &demo()]));
    let from_image = ["classify", "--format", "csv", "--rules", &path("a.img")];
    assert_eq!(succeeds(wiresift(from_image).arg(demo())), expected);

    let text = succeeds(&mut wiresift(["inspect", &path("a.img")]));
    for part in ["geometry", "lab", "ACL rules", "10", "Commit", "exact", "refused"] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let mut damaged = image.clone();
    damaged[image.len() / 2] ^= 1;
    let damaged = file(&folder, "damaged.img", &damaged);
    assert!(fails(&mut wiresift(["inspect", &damaged])).1.contains("damaged"));
    assert!(fails(wiresift(["classify", "--rules", &damaged]).arg(demo())).1.contains("damaged.img"));
    assert!(fails(&mut wiresift(["inspect", &demo()])).1.contains("not a rule image"));
    assert!(fails(&mut classify(&["--rules", &path("a.img"), &demo()])).1.contains("cannot be joined"));
    let with_image =
        |args: &[&str]| fails(wiresift(["classify", "--rules", &path("a.img")]).args(args).arg(demo())).1;
    assert!(with_image(&["--geometry", "line"]).contains("geometry `lab`, not `line`"));
    assert!(with_image(&["--var", "A=1"]).contains("no effect"));
    let judge = ["classify", "--device", "reference", "--rules", &path("a.img")];
    assert!(fails(wiresift(judge).arg(demo())).1.contains("name rule files"));
}

#[test]
fn check_shows_the_class_of_every_rule_and_fails_when_they_do_not_fit() {
    let mut check = wiresift(["check", "--verbose", "--rules"]);
    let text = succeeds(check.arg(fixture("demo.rules")).arg("--rules").arg(fixture("demo.acl")));
    for part in [
        "demo.rules:2: 1000001: exact on card: ",
        "demo.rules:9: 1000008: exact with host verification: ",
        "demo.rules:10: 1000009: prefilter: application layer (http_user_agent)",
        "│ exact on card                │          7 │ 77.8 % │",
        "│ exact with host verification │          1 │ 11.1 % │",
        "│ refused                      │          0 │  0.0 % │",
        "│ prefilter │          1 │ application layer ",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let folder = TempDir::new().unwrap();
    let rule = |n| format!("alert tcp any any -> any any (option_{n}; sid:{n};)\n");
    let refused = file(&folder, "refused.rules", (1..128).map(rule).collect::<String>().as_bytes());
    let short = succeeds(&mut wiresift(["check", "--rules", &refused]));
    assert!(short.contains("115 │ 115 other reasons, see `wiresift check --verbose`"), "{short}");
    assert!(!succeeds(&mut wiresift(["check", "--verbose", "--rules", &refused])).contains("other reasons"));
    let mut many = String::new();
    for n in 0..40_000_u32 {
        let [_, a, b, c] = n.to_be_bytes();
        many += &format!("@10.{a}.{b}.{c}/32\t0.0.0.0/0\t0 : 65535\t0 : 65535\t0x06/0xFF\t0x0000/0x0000\n");
    }
    let many = file(&folder, "many.acl", many.as_bytes());
    let (_, errors) = fails(&mut wiresift(["check", "--geometry", "lab", "--rules", &many]));
    assert!(errors.contains("many.acl") && errors.contains("lab"), "{errors}");
}

#[test]
fn check_explains_what_becomes_of_one_rule() {
    let folder = TempDir::new().unwrap();
    let text = concat!(
        "alert tcp any any -> any 80 (msg:\"host\"; flow:established,to_server; content:\"a|00|\"; fast_pattern:0,1; ",
        "ttl:>5; threshold:type limit, track by_src, count 1, seconds 60; sid:1; rev:3;)\n",
        "alert http any any <> 10.0.0.1 any (msg:\"suspects\"; flow:established; http.uri; content:\"/a b\"; ",
        "pcre:\"/x/\"; flowbits:isset,y; noalert; sid:2;)\n",
        "alert ip any any -> any any (msg:\"card\"; sid:3;)\n",
        "alert ip any any -> any any (msg:\"none\"; what; sid:4;)\n",
        "alert tcp any any -> any any (msg:\"all\"; ja3.hash; content:\"a\"; sid:5;)\n",
    );
    let rules = file(&folder, "e.rules", text.as_bytes());
    let explain = |sid: &str| {
        let text = succeeds(&mut wiresift(["check", "--explain", sid, "--rules", &rules]));
        text.replace(folder.path().to_str().unwrap(), "")
    };
    assert_eq!(
        explain("1"),
        r#"/e.rules:1: signature 1:1, revision 3: host
  class         exact with host verification: the host finishes it on candidate packets
  header        tcp any any -> any 80
  fast pattern  1 from byte 0 of content:"a|00|", chosen by the rule
  host verifies flow is established, packet goes to the server
                ttl:>=6
                in pkt_data: content:"a|00|"
  reported      as threshold:type limit, track by_src, count 1, seconds 60 says
"#
    );
    assert_eq!(
        explain("2"),
        r#"/e.rules:2: signature 1:2, revision 0: suspects
  class         prefilter: packets that may matter are marked for a full IDS
  why           application layer (protocol http, http.uri); state of flows and hosts (flowbits:isset)
  header        tcp any any -> 10.0.0.1 any, also with source and destination exchanged
  fast pattern  chosen when the rules are compiled
  marks packets in pkt_data: content:"/a"
                             content:"b"
  left out      content:"/a b" in http.uri, but for the parts that stand in the packet
                pcre:"/x/" in http.uri
                flowbits:isset,y
  not asked     flow:established; noalert
"#
    );
    assert!(explain("3").contains("class         exact on card: the card decides it from the header\n"));
    assert!(explain("4").contains("why           option what is not known\n"));
    assert!(explain("5").contains("marks packets all that satisfy the header: "));
    let (_, errors) =
        fails(wiresift(["check", "--explain", "9", "--rules", &rules]).arg("--explain").arg("1"));
    assert!(errors.contains("no signature of the rule files has the sid 9"), "{errors}");
}

#[test]
fn variables_come_from_the_command_line() {
    let folder = TempDir::new().unwrap();
    let rules = file(&folder, "v.rules", b"alert ip $HOME_NET any -> any any (msg:\"v\"; sid:1;)\n");
    let base = ["classify", "--format", "csv", "--rules", &rules];
    assert!(fails(wiresift(base).arg(demo())).1.contains("HOME_NET"));
    let matching = |var: &str| {
        let text = succeeds(wiresift(base).args(["--var", var]).arg(demo()));
        text.lines().filter(|line| line.split(',').nth(3) == Some("1")).count()
    };
    assert_eq!(matching("HOME_NET=203.0.113.66"), 100);
    assert_eq!(matching("$HOME_NET=[203.0.113.66,198.51.100.0/24]"), 105);
}

#[test]
fn a_trace_of_headers_is_a_capture() {
    let folder = TempDir::new().unwrap();
    let trace =
        file(&folder, "t.trace", b"3405803842\t3232235786\t1\t22\t6\t0\t0\n1\t3232235786\t1\t80\t6\t0\t1\n");
    let text = succeeds(&mut classify(&["--format", "csv", &trace]));
    let lines = text.lines().skip(1).collect::<Vec<_>>();
    assert_eq!(lines, ["1,match,1,1000001;1000002,", "2,match,2,,"]);
}

const CHAINS: &str = "\
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established accept
		tcp dport 22 accept
		meta l4proto icmp reject
	}
}
";

#[test]
fn an_nftables_ruleset_has_verdicts_and_tells_what_is_left_out() {
    let folder = TempDir::new().unwrap();
    let rules = file(&folder, "fw.nft", CHAINS.as_bytes());
    for device in DEVICES {
        let output =
            run(wiresift(["classify", "--format", "csv", "--device", device, "--rules", &rules]).arg(demo()));
        let (text, errors) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(0), "{errors}");
        assert!(
            errors.contains("`ct state` is not expressible") && errors.contains("fw.nft:4:3"),
            "{errors}"
        );
        let with = |action: &str| text.lines().filter(|line| line.split(',').nth(1) == Some(action)).count();
        let found = ["accept", "reject", "drop", "none"].map(with);
        assert!(found.iter().all(|count| *count > 0) && found.iter().sum::<usize>() == 543, "{found:?}");
    }
    let text = succeeds(&mut wiresift(["check", "--verbose", "--rules", &rules]));
    for part in ["fw.nft:4: left out: `ct state`", "nftables rules expressed", "2 of 3", "left out       "] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let (_, errors) = fails(&mut wiresift(["check", "--strict", "--rules", &rules]));
    assert!(errors.contains("1 error in the rules") && errors.contains("fw.nft:4:3"), "{errors}");
    let other = fails(&mut wiresift(["check", "--chain", "ip filter input", "--rules", &rules])).1;
    assert!(other.contains("inet filter input"), "{other}");
    succeeds(&mut wiresift(["check", "--chain", "filter/input", "--rules", &rules]));
}

#[test]
fn suspects_are_written_as_a_capture_that_is_read_again() {
    let folder = TempDir::new().unwrap();
    let rule = b"alert tcp any any -> any 80 (http.uri; content:\"/\"; sid:7;)\n";
    let rules = file(&folder, "prefilter.rules", rule);
    let suspects = folder.path().join("suspects.pcap").display().to_string();
    let csv = |capture: &str, more: &[&str]| {
        let args = ["classify", "--rules", &rules, "--format", "csv", capture];
        succeeds(&mut wiresift(args.iter().chain(more).map(|arg| arg.to_string())))
    };
    let all = csv(&demo(), &["--suspects", &suspects]);
    let count = |text: &str| text.lines().filter(|line| line.ends_with("suspect")).count();
    assert!(count(&all) > 0 && count(&all) + 1 < all.lines().count(), "{all}");
    let again = csv(&suspects, &[]);
    assert_eq!((again.lines().count(), count(&again)), (count(&all) + 1, count(&all)));
    csv(&demo(), &["--suspects", &suspects, "--suspect-flows"]);
    let flows = csv(&suspects, &[]);
    assert_eq!(count(&flows), count(&all));
    assert!(flows.lines().count() > again.lines().count(), "{flows}");
    let (_, errors) = fails(wiresift(["classify", "--rules", &rules, "--suspect-flows", &demo()]).arg("-"));
    assert!(errors.contains("--suspects"), "{errors}");
}
