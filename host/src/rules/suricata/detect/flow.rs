//! `flow`, `flowbits`, and other options about what came before.

use crate::rules::cursor::Token;
use crate::rules::detect::FlowDirection;
use crate::rules::diagnostics::Fault;

use super::reason::Why;
use super::value::{list, needs};
use super::{Asks, shown};

impl Asks<'_> {
    /// Takes the option where it is one of these.
    pub(super) fn flow(
        &mut self,
        key: &str,
        name: &Token<'_>,
        value: Option<Token<'_>>,
    ) -> Result<bool, Fault> {
        match key {
            "flow" => {
                self.once("flow", name)?;
                for word in list(&needs(name, value)?) {
                    self.flow_word(&word)?;
                }
            }
            "flowbits" | "xbits" | "hostbits" => {
                let value = needs(name, value)?;
                let parts = list(&value);
                // A list has at least one part.
                let command = parts[0].text.to_ascii_lowercase();
                match command.as_str() {
                    "noalert" => self.noalert = true,
                    "set" | "unset" | "toggle" | "setx" | "reset" => {}
                    "isset" | "isnotset" => self.state(key, &command, name, &value),
                    _ => {
                        let message = format!("`{}` is not a command of `{key}`", parts[0].quoted());
                        return Err(parts[0]
                            .fault(message, "expected set, unset, toggle, isset, isnotset or noalert"));
                    }
                }
            }
            "flowint" => {
                let value = needs(name, value)?;
                let parts = list(&value);
                let command = parts.get(1).map(|part| part.text.to_ascii_lowercase());
                match command.as_deref() {
                    Some("+" | "-" | "=") => {}
                    Some(command) => self.state(key, command, name, &value),
                    None => {
                        return Err(
                            value.fault("`flowint` names no command", "expected `NAME, COMMAND, VALUE`")
                        );
                    }
                }
            }
            "noalert" => self.noalert = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn state(&mut self, key: &str, command: &str, name: &Token<'_>, value: &Token<'_>) {
        let word = if command.chars().all(|c| c.is_ascii_lowercase()) {
            format!("{key}:{command}")
        } else {
            key.to_owned()
        };
        self.reasons.add(Why::State, word);
        self.undecided(shown(key, Some(value)), name.at.clone(), false, None);
    }

    fn flow_word(&mut self, word: &Token<'_>) -> Result<(), Fault> {
        let lower = word.text.to_ascii_lowercase();
        let direction = |flow: Option<FlowDirection>, asked| match flow {
            Some(other) if other != asked => {
                Err(word.fault("the rule asks for both directions of a flow", "expected one of them"))
            }
            _ => Ok(Some(asked)),
        };
        let established =
            |flow: Option<bool>, asked| match flow {
                Some(other) if other != asked => Err(word
                    .fault("the rule asks for flows that are established and not", "expected one of them")),
                _ => Ok(Some(asked)),
            };
        match lower.as_str() {
            "to_server" | "from_client" => {
                self.flow.direction = direction(self.flow.direction, FlowDirection::ToServer)?;
            }
            "to_client" | "from_server" => {
                self.flow.direction = direction(self.flow.direction, FlowDirection::ToClient)?;
            }
            "established" => self.flow.established = established(self.flow.established, true)?,
            "not_established" => self.flow.established = established(self.flow.established, false)?,
            // Packets are looked at one by one, whole fragments are not put together.
            "stateless" | "no_stream" | "no_frag" => {}
            "only_stream" => {
                self.stream_only = true;
                self.reasons.add(Why::Stream, "flow:only_stream");
            }
            "only_frag" => {
                self.reasons.add(Why::Stream, "flow:only_frag");
                self.undecided("flow:only_frag".to_owned(), word.at.clone(), false, None);
            }
            _ => {
                let message = format!("`{}` says nothing of a flow", word.quoted());
                return Err(word.fault(message, "expected a word of `flow`").help(
                    "words are to_server, to_client, from_server, from_client, established, not_established, stateless, \
                     only_stream, no_stream, only_frag and no_frag",
                ));
            }
        }
        Ok(())
    }
}
