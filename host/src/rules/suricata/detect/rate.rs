//! `threshold` and `detection_filter`.

use crate::rules::cursor::Token;
use crate::rules::detect::{Threshold, ThresholdKind, Track};
use crate::rules::diagnostics::Fault;

use super::reason::Why;
use super::value::{behind, list, needs, number, word};
use super::{Asks, shown};

impl Asks<'_> {
    /// Takes the option where it is one of these.
    pub(super) fn rate(
        &mut self,
        key: &str,
        name: &Token<'_>,
        value: Option<Token<'_>>,
    ) -> Result<bool, Fault> {
        if !matches!(key, "threshold" | "detection_filter") {
            return Ok(false);
        }
        // Suricata and Snort take one of the two, not both.
        self.once("threshold", name)?;
        let value = needs(name, value)?;
        let (mut kind, mut track, mut count, mut seconds) = (None, None, None, None);
        if key == "detection_filter" {
            kind = Some(Some(ThresholdKind::Filter));
        }
        for part in list(&value) {
            let (name, rest) = word(&part);
            let rest = rest.unwrap_or_else(|| behind(&name, name.text.len()));
            let whole = |what: &str, lowest: i128| {
                // It lies in lowest..=u32::MAX.
                number(&rest, what, lowest, i128::from(u32::MAX)).map(|number| number as u32)
            };
            match name.text.to_ascii_lowercase().as_str() {
                "type" if key == "threshold" => kind = Some(kind_of(&rest)?),
                "track" => track = Some(track_of(&rest)?),
                "count" => count = Some(whole("the count", 1)?),
                "seconds" => seconds = Some(whole("the seconds", 1)?),
                "multiplier" => {
                    whole("the multiplier", 1)?;
                }
                _ => {
                    let message = format!("`{}` is not a part of `{key}`", part.quoted());
                    return Err(part.fault(message, "expected type, track, count or seconds"));
                }
            }
        }
        let backoff = kind == Some(None);
        let (Some(kind), Some(track), Some(count), Some(seconds)) =
            (kind, track, count, seconds.or(backoff.then_some(1)))
        else {
            let label = "expected type, track, count and seconds";
            return Err(value.fault(format!("`{key}` lacks a part"), label));
        };
        match (kind, track) {
            (Some(kind), Some(track)) => self.threshold = Some(Threshold { kind, track, count, seconds }),
            _ => {
                self.reasons.add(Why::State, if backoff { "threshold backoff" } else { "threshold by_flow" });
                self.undecided(shown(key, Some(&value)), value.at.clone(), false, None);
            }
        }
        Ok(true)
    }
}

/// `None`: a kind that is not evaluated (`backoff`).
fn kind_of(word: &Token<'_>) -> Result<Option<ThresholdKind>, Fault> {
    Ok(Some(match word.text.to_ascii_lowercase().as_str() {
        "limit" => ThresholdKind::Limit,
        "threshold" => ThresholdKind::Threshold,
        "both" => ThresholdKind::Both,
        "backoff" => return Ok(None),
        _ => {
            let message = format!("`{}` is not a type of threshold", word.quoted());
            return Err(word.fault(message, "expected limit, threshold, both or backoff"));
        }
    }))
}

/// `None`: what is not counted apart here (`by_flow`).
fn track_of(word: &Token<'_>) -> Result<Option<Track>, Fault> {
    Ok(Some(match word.text.to_ascii_lowercase().as_str() {
        "by_src" => Track::Source,
        "by_dst" => Track::Destination,
        "by_both" | "by_either" => Track::Both,
        "by_rule" => Track::Rule,
        "by_flow" => return Ok(None),
        _ => {
            let message = format!("`{}` cannot be tracked", word.quoted());
            return Err(word.fault(message, "expected by_src, by_dst, by_both, by_rule or by_flow"));
        }
    }))
}
