#![allow(clippy::unwrap_used, clippy::expect_used)]

mod corpus;
mod mutation;
mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::rules::load;
use crate::rules::model::RuleSet;
use crate::rules::source::{Kind, Source};

const ACL: &str = "@10.0.0.0/8 0.0.0.0/0 0 : 65535 80 : 80 0x06/0xFF";
const SIGNATURE: &str = "alert tcp any any -> any 80 (sid:1;)";

fn kind(text: &[u8]) -> Result<Option<Kind>, String> {
    Source::new("x", text).kind().map_err(|error| error.message().to_owned())
}

#[test]
fn the_kind_of_a_file_is_told_by_its_first_rule() {
    let acl = format!("# alert\n\n  {ACL}\n");
    let signatures = format!("# @\r\n\r\n{SIGNATURE}\r\n");
    assert_eq!(kind(acl.as_bytes()), Ok(Some(Kind::ClassBench)));
    assert_eq!(kind(signatures.as_bytes()), Ok(Some(Kind::Signatures)));
    assert_eq!(kind(b"\xef\xbb\xbfrejectboth ip"), Ok(Some(Kind::Signatures)));
    assert_eq!(kind(format!("alret tcp\n{SIGNATURE}").as_bytes()), Ok(Some(Kind::Signatures)));
    for nothing in ["", "\n \n", "# alert tcp any any -> any any (sid:1;)"] {
        assert_eq!(kind(nothing.as_bytes()), Ok(None), "{nothing}");
    }
    for other in ["hello", "<html>\n", "\0\0", "-A INPUT -j DROP"] {
        assert_eq!(kind(other.as_bytes()), Err("this is not a rule".to_owned()), "{other}");
    }
}

fn load_texts(texts: &[(&str, &[u8])], vars: &[(&str, &str)]) -> Result<RuleSet, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = texts.iter().map(|(name, _)| folder.path().join(name)).collect();
    for (file, (_, bytes)) in files.iter().zip(texts) {
        std::fs::write(file, bytes).unwrap();
    }
    let vars: BTreeMap<_, _> = vars.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect();
    let prefix = format!("{}/", folder.path().display());
    load(&files, &vars)
        .map(|mut rules| {
            let acl = rules.acl.iter_mut().map(|rule| &mut rule.origin);
            for origin in acl.chain(rules.signatures.iter_mut().map(|rule| &mut rule.origin)) {
                origin.file = origin.file.strip_prefix(&prefix).unwrap().to_owned();
            }
            rules
        })
        .map_err(|errors| {
            errors.errors().iter().map(|error| error.to_string().replace(&prefix, "")).collect()
        })
}

#[test]
fn several_files_are_one_rule_set_in_order() {
    let other = ACL.replace("80 : 80", "81 : 81");
    let rules = load_texts(
        &[
            ("b.acl", ACL.as_bytes()),
            ("a.rules", b"# nothing yet\nalert tcp $HOME any -> any 80 (sid:1;)\n"),
            ("a.acl", format!("\n{other}").as_bytes()),
            ("empty", b""),
        ],
        &[("HOME", "10.0.0.0/8")],
    )
    .unwrap();
    let places: Vec<_> = rules.acl.iter().map(|rule| (rule.origin.file.as_str(), rule.origin.line)).collect();
    assert_eq!(places, [("b.acl", 1), ("a.acl", 2)]);
    assert_eq!(rules.acl[1].condition.dport.to_string(), "81");
    assert_eq!((rules.signatures[0].origin.file.as_str(), rules.signatures[0].origin.line), ("a.rules", 2));
    assert_eq!(rules.signatures[0].condition.src.to_string(), "10.0.0.0/8");
}

#[test]
fn the_errors_of_all_files_are_told_together() {
    let errors = load_texts(
        &[
            ("a.acl", b"@1.1.1.1/33 0.0.0.0/0 0:1 0:1 0/0"),
            ("b.rules", SIGNATURE.as_bytes()),
            ("c.rules", SIGNATURE.as_bytes()),
            ("d.gz", b"\x1f\x8b\x08\x00"),
            ("e.txt", b"allow all\n"),
        ],
        &[],
    )
    .unwrap_err();
    let expected = [
        "d.gz: is compressed (gzip)",
        "prefix length 33 is above 32",
        "signature 1:1 stands twice",
        "this is not a rule",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn one_file_does_not_hide_the_errors_of_another() {
    let wrong = "@1.1.1.1/33 0.0.0.0/0 0:1 0:1 0/0\n".repeat(25);
    let errors = load_texts(&[("a.acl", wrong.as_bytes()), ("b.acl", wrong.as_bytes())], &[]).unwrap_err();
    assert_eq!(errors.len(), 40);
}

#[test]
fn a_file_that_cannot_be_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.rules");
    let errors = load(&[missing, folder.path().to_owned()], &BTreeMap::new()).unwrap_err();
    assert_eq!(errors.total(), 2);
    for (error, name) in errors.errors().iter().zip(["missing.rules: cannot be read: ", ": cannot be read: "])
    {
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.position(), None);
    }
}
