//! What the user sees of an error.

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::*;
use crate::rules::diagnostics::Diagnostics;
use crate::rules::load::parse_sources;

fn report(errors: &Diagnostics) -> String {
    let mut text = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut text, errors).unwrap();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_report(files: &[(&str, &str)], expected: &str) {
    let sources: Vec<_> = files.iter().map(|(name, text)| Source::new(*name, text.as_bytes())).collect();
    let errors = parse_sources(&sources, &BTreeMap::new()).unwrap_err();
    let report = report(&errors);
    assert_eq!(report.trim(), expected.trim(), "\n{report}");
}

#[test]
fn an_acl() {
    assert_report(
        &[("fw.acl", "# list\n@10.0.0.0/8\t1.0.0.0/40\t0 : 65535\t80 : 80\t0x06/0xFF\n")],
        r#"
  × 1 error in the rules

Error:
  × prefix length 40 is above 32
   ╭─[fw.acl:2:21]
 2 │ @10.0.0.0/8 1.0.0.0/40  0 : 65535   80 : 80 0x06/0xFF
   ·                     ─┬
   ·                      ╰── expected 0 to 32
   ╰────
"#,
    );
}

#[test]
fn signatures() {
    let rule = "alert tcp $HOME_NET any -> any [80,443] (msg:\"one\"; sid:1;)\n";
    let port = "alert tcp any any -> any [80,99999] (msg:\"one\"; sid:1;)\n";
    let twice = "alert ip any any -> any any (sid:2;)\ndrop ip any any -> any any (msg:\"two\"; sid:2;)\n";
    assert_report(
        &[("a.rules", &format!("{rule}# é\n{port}")), ("b.rules", twice)],
        r#"
  × 3 errors in the rules

Error:
  × variable `HOME_NET` is not defined
   ╭─[a.rules:1:11]
 1 │ alert tcp $HOME_NET any -> any [80,443] (msg:"one"; sid:1;)
   ·           ────┬────
   ·               ╰── here
   ╰────
  help: define it with --var HOME_NET='[10.0.0.0/8,192.168.0.0/16]' (or any)

Error:
  × port 99999 is above 65535
   ╭─[a.rules:3:30]
 3 │ alert tcp any any -> any [80,99999] (msg:"one"; sid:1;)
   ·                              ──┬──
   ·                                ╰── expected a number from 0 to 65535
   ╰────
  help: ports are written as 80, 80:90, 1024: (and above), :1023 (and below), [80,443], !80

Error:
  × signature 1:2 stands twice
   ╭─[b.rules:2:44]
 2 │ drop ip any any -> any any (msg:"two"; sid:2;)
   ·                                            ┬
   ·                                            ╰── the second one
   ╰────
  help: the first one is in b.rules, line 1
"#,
    );
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let many = (0..200).map(|i| format!("10.0.0.{i}")).collect::<Vec<_>>().join(",");
    let rule = format!("alert ip [{many},10.0.0.300,{many}] any -> any any (sid:1;)");
    let shown = "….0.196,10.0.0.197,10.0.0.198,10.0.0.199,10.0.0.300,10.0.0.0,10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,\
                 10.0.0.5,10.0.0.6,10.0.0…";
    assert_report(
        &[("a.rules", &rule)],
        &r#"
  × 1 error in the rules

Error:
  × `10.0.0.300` is not an IP address
   ╭─[a.rules:1:2101]
 1 │ LINE
   ·                                          ─────┬────
   ·                                               ╰── expected an IPv4 or IPv6 address
   ╰────
  help: addresses are written as 10.0.0.1, 10.0.0.0/8, 10.0.0.0/255.0.0.0, 10.0.0.1-10.0.0.9,
        fe80::/10
"#
        .replace("LINE", shown),
    );
}

#[test]
fn the_begin_of_a_long_line_is_shown_for_a_place_near_it() {
    let rule =
        format!("alert tcp 10.0.0.0/8 any -> 192.168.0.0/16 80000 (msg:\"{}\"; sid:1;)", "long ".repeat(30));
    let errors = parse_sources(&[Source::new("a.rules", rule.as_bytes())], &BTreeMap::new()).unwrap_err();
    let report = report(&errors);
    assert!(report.contains(&format!("\n 1 │ {}…\n", &rule[..120])), "{report}");
}

#[test]
fn the_end_of_a_line_and_control_characters() {
    assert_report(
        &[("a.rules", "alert ip any any -> any any (msg:\"\u{1b}[31mred\"; sid:1;")],
        r#"
  × 1 error in the rules

Error:
  × expected another option or `)`, found the end of the line
   ╭─[a.rules:1:52]
 1 │ alert ip any any -> any any (msg:"�[31mred"; sid:1;
   ·                                                    ┬
   ·                                                    ╰── expected another option or `)`
   ╰────
  help: a rule that goes on in the next line ends its line with a backslash
"#,
    );
}

#[test]
fn many_errors_are_counted() {
    let text = "alert ip any any -> any any (sid:1;)\n".repeat(24);
    let errors = parse_sources(&[Source::new("a.rules", text.as_bytes())], &BTreeMap::new()).unwrap_err();
    let report = report(&errors);
    assert_eq!(report.matches("signature 1:1 stands twice").count(), 20);
    assert!(report.contains(
        "  × 23 errors in the rules\n  help: 3 more are not shown; many may have the same cause\n"
    ));
}
