//! Variables of signatures: `$NAME`.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::rules::cursor::{Cursor, quoted};
use crate::rules::diagnostics::Fault;

use super::list::{self, Kind, MAX_DEPTH, Parts, Trouble};

/// The variables and their texts. Every text is read once for addresses and once for ports.
pub struct Variables<'a> {
    texts: &'a BTreeMap<String, String>,
    known: RefCell<HashMap<(Kind, String), Rc<Parts>>>,
}

impl<'a> Variables<'a> {
    /// `texts` holds the text of each variable by its name without `$`.
    pub fn new(texts: &'a BTreeMap<String, String>) -> Self {
        Self { texts, known: RefCell::default() }
    }

    /// The list that a variable stands for. `open` holds the variables whose texts led here.
    pub(super) fn parts(&self, kind: Kind, name: &str, open: &mut Vec<String>) -> Result<Rc<Parts>, Trouble> {
        let key = (kind, name.to_owned());
        if let Some(parts) = self.known.borrow().get(&key) {
            return Ok(Rc::clone(parts));
        }
        let Some(text) = self.texts.get(name) else {
            return Err(Trouble {
                message: format!("variable `{}` is not defined", quoted(name)),
                help: Some(format!("define it with --var {name}={}", example(kind))),
            });
        };
        if open.iter().any(|other| other == name) {
            let message = format!("variable `{name}` names itself: {} → {name}", open.join(" → "));
            return Err(Trouble { message, help: None });
        }
        if open.len() == MAX_DEPTH {
            let message = format!("variables are nested deeper than {MAX_DEPTH}");
            return Err(Trouble { message, help: None });
        }
        open.push(name.to_owned());
        let parts = self.read(kind, text, open);
        open.pop();
        let parts = Rc::new(parts.map_err(|fault| Trouble {
            message: format!("variable `{name}` = `{}`: {}", quoted(text), fault.message),
            help: fault.help,
        })?);
        self.known.borrow_mut().insert(key, Rc::clone(&parts));
        Ok(parts)
    }

    fn read(&self, kind: Kind, text: &str, open: &mut Vec<String>) -> Result<Parts, Fault> {
        let mut cursor = Cursor::new(text.trim(), 0);
        // As between brackets: blanks may stand in it.
        let items = list::items(&mut cursor, kind, 1)?;
        if !cursor.is_end() {
            return Err(cursor.expected("`,` or the end"));
        }
        Parts::evaluate(&items, kind, self, open)
    }
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Address => "'[10.0.0.0/8,192.168.0.0/16]' (or any)",
        Kind::Port => "'[80,8080:8089]' (or any)",
    }
}
