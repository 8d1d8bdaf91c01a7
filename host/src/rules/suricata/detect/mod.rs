//! What the options of a signature ask of a packet.
//!
//! Options are read in the order of the rule into [`Asks`], which keeps everything, buffers of the application layer
//! included; [`settle`](settle::settle) makes a [`Detect`](crate::rules::detect::Detect) and a class of it.

mod bytes;
mod carry;
mod content;
pub(super) mod field;
mod flow;
mod names;
mod pcre;
mod rate;
pub(super) mod reason;
mod relax;
pub(super) mod settle;
pub(super) mod value;

use std::ops::Range;

use crate::rules::cursor::Token;
use crate::rules::detect::{Buffer, Content, FieldTest, Flow, Operand, Test, Threshold};
use crate::rules::diagnostics::Fault;
use crate::rules::source::Source;

use names::{Carry, Meaning, Part};
use reason::{Reasons, Why};

/// An option as written.
pub(super) struct Written<'a> {
    /// Its name.
    pub name: Token<'a>,
    /// What stands behind the colon, without the blanks around it.
    pub value: Option<Token<'a>>,
}

/// Everything that the options of a rule ask.
pub(super) struct Asks<'s> {
    source: &'s Source,
    /// Names of buffers stand before the contents that they are about, as in Snort 3.
    buffers_first: bool,
    fields: Vec<FieldTest>,
    steps: Vec<Step>,
    variables: Vec<String>,
    flow: Flow,
    threshold: Option<Threshold>,
    noalert: bool,
    /// Contents are sought in the stream, so a packet does not have their places.
    stream_only: bool,
    /// Services of Snort 3.
    services: Vec<String>,
    reasons: Reasons,
    refused: Vec<String>,
    /// Where tests look that follow.
    place: Place,
    /// Options that may stand once and did.
    seen: Vec<&'static str>,
}

/// A content, whether it was marked `fast_pattern`, and with which part.
type Modified<'a> = (&'a mut Content, &'a mut bool, &'a mut Option<(usize, usize)>);

/// A test as the rule has it.
#[derive(Clone, Debug)]
struct Step {
    place: Place,
    what: What,
    /// The content was marked `fast_pattern`.
    fast: bool,
    /// Part of the content that is to be sought.
    part: Option<(usize, usize)>,
    /// The option, to be shown.
    text: String,
    at: Range<usize>,
}

#[derive(Clone, Debug)]
enum What {
    Test(Test),
    /// It cannot be evaluated.
    Undecided {
        /// Tests behind it may count from where it ended.
        moves: bool,
        /// Variable that it sets.
        sets: Option<usize>,
    },
}

/// What a test looks into.
#[derive(Clone, Debug, PartialEq)]
enum Place {
    /// Bytes of the packet.
    Packet(Buffer),
    /// A buffer of the application layer.
    Application {
        name: String,
        /// How its bytes stand in the packet, one change after the other.
        carries: Vec<Carry>,
        part: Part,
    },
}

impl<'s> Asks<'s> {
    /// Reads the options, those of the description of the rule left out. `short`: the header is a short one of Snort 3.
    pub(super) fn read(source: &'s Source, options: &[Written<'_>], short: bool) -> Result<Self, Fault> {
        let mut asks = Self {
            source,
            buffers_first: short || buffers_first(options),
            fields: Vec::new(),
            steps: Vec::new(),
            variables: Vec::new(),
            flow: Flow::default(),
            threshold: None,
            noalert: false,
            stream_only: false,
            services: Vec::new(),
            reasons: Reasons::default(),
            refused: Vec::new(),
            place: Place::Packet(Buffer::Payload),
            seen: Vec::new(),
        };
        for Written { name, value } in options {
            asks.option(name, value.clone())?;
        }
        content::check(&asks.steps)?;
        Ok(asks)
    }

    fn option(&mut self, name: &Token<'_>, value: Option<Token<'_>>) -> Result<(), Fault> {
        let key = name.text.to_ascii_lowercase();
        let known = self.content(&key, name, value.clone())?
            || self.bytes(&key, name, value.clone())?
            || self.field(&key, name, value.clone())?
            || self.flow(&key, name, value.clone())?
            || self.rate(&key, name, value.clone())?;
        if known {
            return Ok(());
        }
        let text = shown(&key, value.as_ref());
        match names::meaning(&key) {
            _ if key == "pcre" => self.pcre(name, value)?,
            None => self.refused.push(format!("option {key} is not known")),
            Some(Meaning::Silent) => {}
            Some(Meaning::Packet(buffer)) => self.place = Place::Packet(buffer),
            Some(Meaning::Application(carry, part)) => {
                let place = Place::Application { name: key.clone(), carries: vec![carry], part };
                self.reasons.add(Why::Application, key.clone());
                let behind = names::is_modifier(&key) && !self.buffers_first;
                match self.last_content().filter(|_| behind) {
                    Some(last) => last.place = place,
                    None => self.place = place,
                }
            }
            Some(Meaning::Transform(carry)) => self.transform(&key, carry),
            Some(Meaning::Undecided(why, moves)) => {
                if key == "service" {
                    let services =
                        value.iter().flat_map(value::list).map(|one| one.text.to_ascii_lowercase());
                    self.services.extend(services);
                }
                self.reasons.add(why, key);
                self.undecided(text, name.at.clone(), moves, None);
            }
        }
        Ok(())
    }

    /// Takes note of something that cannot be evaluated.
    fn undecided(&mut self, text: String, at: Range<usize>, moves: bool, sets: Option<usize>) {
        let (place, what) = (self.place.clone(), What::Undecided { moves, sets });
        self.steps.push(Step { place, what, fast: false, part: None, text, at });
    }

    fn test(&mut self, test: Test, text: String, at: Range<usize>) {
        let place = self.place.clone();
        self.steps.push(Step { place, what: What::Test(test), fast: false, part: None, text, at });
    }

    fn transform(&mut self, key: &str, carry: Carry) {
        match &mut self.place {
            Place::Application { carries, .. } => carries.push(carry),
            Place::Packet(_) => {
                self.reasons.add(Why::NotRead, key);
                self.place =
                    Place::Application { name: key.to_owned(), carries: vec![carry], part: Part::Head };
            }
        }
    }

    fn last_content(&mut self) -> Option<&mut Step> {
        self.steps.iter_mut().rev().find(|step| matches!(step.what, What::Test(Test::Content(_))))
    }

    /// The content that a modifier is about.
    fn modified(&mut self, name: &Token<'_>) -> Result<Modified<'_>, Fault> {
        let step = self.steps.iter_mut().rev().find_map(|step| match &mut step.what {
            What::Test(Test::Content(content)) => Some((content, &mut step.fast, &mut step.part)),
            _ => None,
        });
        step.ok_or_else(|| {
            let key = name.text.to_ascii_lowercase();
            name.fault(format!("`{key}` has no content before it"), "expected `content:\"…\";` before this")
        })
    }

    /// The option may stand once in a rule.
    fn once(&mut self, key: &'static str, name: &Token<'_>) -> Result<(), Fault> {
        if self.seen.contains(&key) {
            return Err(name.fault(format!("option `{key}` stands twice"), "the second one"));
        }
        self.seen.push(key);
        Ok(())
    }

    /// A number from `first` to `last`, or a variable that an option before this one sets.
    fn operand(&self, token: &Token<'_>, what: &str, first: i128, last: i128) -> Result<Operand, Fault> {
        let is_name = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !token.text.starts_with(is_name) {
            let number = value::number(token, what, first, last)?;
            // Numbers above i64::MAX stand for themselves less 2^64, as the model has it.
            return Ok(Operand::Number(number as i64));
        }
        let place = self.variables.iter().position(|name| name == token.text);
        place.map(Operand::Variable).ok_or_else(|| {
            token
                .fault(
                    format!("variable `{}` is not set", token.quoted()),
                    format!("expected a number or a variable for {what}"),
                )
                .help("a `byte_extract` or `byte_math` before this option sets a variable")
        })
    }

    /// The number of the variable of that name, a new one where there is none.
    fn variable(&mut self, token: &Token<'_>) -> Result<usize, Fault> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let begins = token.text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !token.text.chars().all(fine) {
            let message = format!("`{}` is not the name of a variable", token.quoted());
            return Err(token.fault(message, "expected a name of letters, digits and `_`"));
        }
        let known = self.variables.iter().position(|name| name == token.text);
        Ok(known.unwrap_or_else(|| {
            self.variables.push(token.text.to_owned());
            self.variables.len() - 1
        }))
    }
}

/// An option as messages show it.
fn shown(key: &str, value: Option<&Token<'_>>) -> String {
    value.map_or_else(|| key.to_owned(), |value| format!("{key}:{}", value.quoted()))
}

/// Whether the rule is written as those of Snort 3: modifiers behind commas, and the name of a buffer before its
/// contents.
fn buffers_first(options: &[Written<'_>]) -> bool {
    let mut content = false;
    for Written { name, value } in options {
        let key = name.text.to_ascii_lowercase();
        if names::is_snort3(&key) || (names::is_modifier(&key) && (!content || value.is_some())) {
            return true;
        }
        if key == "content" {
            content = true;
            if value.as_ref().is_some_and(|value| !value.text.ends_with('"')) {
                return true;
            }
        }
    }
    false
}
