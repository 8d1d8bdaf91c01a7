//! `pcre`.

use crate::rules::cursor::Token;
use crate::rules::detect::{Pcre, Test};
use crate::rules::diagnostics::Fault;
use crate::verify;

use super::content::quotes;
use super::names::{self, Meaning};
use super::reason::Why;
use super::value::{behind, needs, part, trimmed};
use super::{Asks, Place, Step, What, shown};

impl Asks<'_> {
    /// `!"/expression/flags"`; what follows behind a comma names variables and is of no matter.
    pub(super) fn pcre(&mut self, name: &Token<'_>, value: Option<Token<'_>>) -> Result<(), Fault> {
        let value = needs(name, value)?;
        let text = shown("pcre", Some(&value));
        let (negated, rest) = match value.text.strip_prefix('!') {
            Some(_) => (true, trimmed(behind(&value, 1))),
            None => (false, value.clone()),
        };
        let inner = match rest.text.starts_with('"') {
            true => whole(&rest)?,
            false => rest,
        };
        let end = inner.text.rfind('/').filter(|&end| end > 0 && inner.text.starts_with('/'));
        let Some(end) = end else {
            return Err(inner.fault("an expression stands between slashes", "expected `/…/` and flags"));
        };
        let mut pcre = Pcre { negated, ..Pcre::default() };
        let mut place = self.place.clone();
        for (at, flag) in inner.text.char_indices().skip_while(|&(at, _)| at <= end) {
            let field = match flag {
                'i' => &mut pcre.caseless,
                's' => &mut pcre.dot_all,
                'm' => &mut pcre.multi_line,
                'x' => &mut pcre.extended,
                'A' => &mut pcre.anchored,
                'E' => &mut pcre.dollar_end_only,
                'G' => &mut pcre.ungreedy,
                'R' => &mut pcre.relative,
                // Bytes as they are, and without a limit of the search.
                'B' | 'O' => continue,
                _ => {
                    let named = names::of_pcre_flag(flag);
                    let Some((name, Meaning::Application(carry, part))) =
                        named.and_then(|name| Some((name, names::meaning(name)?)))
                    else {
                        let token = part(&inner, at, at + flag.len_utf8());
                        let message = format!("`{}` is not a flag of an expression", token.quoted());
                        return Err(token.fault(message, "expected one of ismxAEGR, B, O, or of a buffer"));
                    };
                    self.reasons.add(Why::Application, name);
                    place = Place::Application { name: name.to_owned(), carries: vec![carry], part };
                    continue;
                }
            };
            *field = true;
        }
        let expression = part(&inner, 1, end);
        pcre.expression = self.latin1(&expression);
        if let Err(error) = verify::pcre::check(&pcre) {
            let message = format!("PCRE2 does not take the expression: {error}");
            return Err(expression.fault(message, "expected an expression of PCRE2 on bytes"));
        }
        let at = value.at;
        self.steps.push(Step {
            place,
            what: What::Test(Test::Pcre(pcre)),
            fast: false,
            part: None,
            text,
            at,
        });
        Ok(())
    }

    /// The bytes of the file, each as the character of that number.
    fn latin1(&self, token: &Token<'_>) -> String {
        let mut bytes = Vec::with_capacity(token.text.len());
        for (at, c) in token.text.char_indices().filter(|&(_, c)| c != '\n') {
            self.source.push_bytes(c, token.at.start + at, &mut bytes);
        }
        bytes.into_iter().map(char::from).collect()
    }
}

/// What stands between the quotes; an expression may hold quotes itself, so the last one counts.
fn whole<'a>(token: &Token<'a>) -> Result<Token<'a>, Fault> {
    if let Ok((inner, _)) = quotes(token, "the expression") {
        return Ok(inner);
    }
    match token.text.rfind('"').filter(|&end| end > 0) {
        Some(end) => Ok(part(token, 1, end)),
        None => quotes(token, "the expression").map(|(inner, _)| inner),
    }
}
