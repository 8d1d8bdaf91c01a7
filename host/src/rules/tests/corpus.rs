//! Real rule sets, where the environment variable CORPUS names the folder that holds them.

use std::io::Read;
use std::path::Path;

use super::*;
use crate::rules::load::parse_sources;
use crate::rules::lower::lowered;
use crate::rules::model::RuleClass;

/// The folder, or `None` and a message.
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("CORPUS").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: CORPUS is not set");
    }
    folder
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(extension)).collect();
    files.sort();
    assert!(!files.is_empty(), "no {extension} in {}", folder.display());
    files
}

#[test]
fn classbench_lists() {
    let Some(corpus) = corpus() else { return };
    for file in files(&corpus.join("classbench"), ".rules.gz") {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&file).unwrap()).read_to_end(&mut text).unwrap();
        let lines = text.iter().filter(|&&byte| byte == b'\n').count();
        let rules = parse_sources(&[Source::new(file.to_string_lossy(), &text)], &BTreeMap::new()).unwrap();
        println!("{}: {} rules", file.display(), rules.acl.len());
        assert_eq!(rules.acl.len(), lines);
    }
}

/// The variables that the rule sets use, with the values of Suricata's own configuration in spirit.
fn variables() -> BTreeMap<String, String> {
    let home = "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12,fc00::/7]";
    let addresses = "HTTP_SERVERS SMTP_SERVERS SQL_SERVERS DNS_SERVERS TELNET_SERVERS SSH_SERVERS FTP_SERVERS \
                     SIP_SERVERS AIM_SERVERS DC_SERVERS";
    let ports = [
        ("HTTP_PORTS", "80"),
        ("SHELLCODE_PORTS", "!80"),
        ("ORACLE_PORTS", "1521"),
        ("SSH_PORTS", "22"),
        ("FTP_PORTS", "21"),
        ("SIP_PORTS", "[5060,5061]"),
        ("MAIL_PORTS", "[25,110,143]"),
        ("FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"),
        ("VXLAN_PORTS", "4789"),
        ("GENEVE_PORTS", "6081"),
        ("TEREDO_PORTS", "3544"),
    ];
    let servers = addresses.split_whitespace().map(|name| (name, "$HOME_NET"));
    [("HOME_NET", home), ("EXTERNAL_NET", "!$HOME_NET")]
        .into_iter()
        .chain(servers)
        .chain(ports)
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}

/// Lines that begin with an action, counted without the reader.
fn enabled(files: &[PathBuf]) -> usize {
    let text = |file: &PathBuf| std::fs::read(file).unwrap();
    let rules =
        |bytes: &[u8]| bytes.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"alert")).count();
    files.iter().map(|file| rules(&text(file))).sum()
}

#[test]
fn signatures() {
    let Some(corpus) = corpus() else { return };
    for set in ["et-open", "snort3-community"] {
        let files = files(&corpus.join("rules").join(set), ".rules");
        let rules =
            load(&files, &variables()).unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(errors)));
        let mut counts = RuleClass::each().map(|class| (class.name(), 0));
        for rule in &rules.signatures {
            // Every class is among them.
            counts.iter_mut().find(|(name, _)| *name == rule.class.name()).unwrap().1 += 1;
        }
        println!("{set}: {} signatures: {counts:?}", rules.signatures.len());
        assert_eq!(rules.signatures.len(), enabled(&files));
        assert_eq!(counts[3], ("refused", 0), "{set}");
        assert!(counts[1..3].iter().all(|(_, count)| *count > 0), "{set}");
        for rule in &rules.signatures {
            assert!(!rule.msg.is_empty() && rule.rev > 0, "{}:{}", rule.gid, rule.sid);
            let prefilter = matches!(rule.class, RuleClass::Prefilter(_));
            assert!(prefilter || rule.detect.dropped.is_empty(), "{}:{}", rule.gid, rule.sid);
            assert!(
                rule.class != RuleClass::Exact || lowered(rule).detect.is_empty(),
                "{}:{}",
                rule.gid,
                rule.sid
            );
        }
    }
}

#[test]
fn rules_of_the_verification_captures() {
    let Some(corpus) = corpus() else { return };
    let mut folders = vec![corpus.join("pcaps/suricata-verify")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rules") {
                let rules = load(std::slice::from_ref(&path), &variables());
                let rules = rules.unwrap_or_else(|errors| panic!("{:?}", miette::Report::new(errors)));
                count += rules.signatures.len();
            }
        }
    }
    println!("suricata-verify: {count} signatures");
    assert!(count > 0);
}
