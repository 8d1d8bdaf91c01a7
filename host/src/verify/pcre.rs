//! Expressions of PCRE2: compiled once, searched for with limits.
//!
//! The crate `pcre2` has neither PCRE2's limits nor the flags `A`, `E` and `G`, so its library is called here. What is
//! compiled is never written again and may be shared; what a search writes is a [`Matcher`], which one thread has.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use pcre2_sys as sys;

use crate::rules::detect::Pcre;

/// Stack of the machine code of an expression in bytes: at first, and at most.
const STACK_BYTES: usize = 32 << 10;
const STACK_BYTES_MAX: usize = 1 << 20;
/// Depth of backtracking of the interpreter, and its memory in KiB. Machine code has its stack instead.
const DEPTH: u32 = 10_000;
const HEAP_KIB: u32 = 4 << 10;

/// Why an expression is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// A character that is no byte.
    #[error("the character `{0}` is no byte")]
    Character(char),
    /// PCRE2's own reason.
    #[error("{reason} at byte {at}")]
    Pcre2 {
        /// What PCRE2 says.
        reason: String,
        /// Byte of the expression.
        at: usize,
    },
}

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    code: NonNull<sys::pcre2_code_8>,
}

// SAFETY: compiled code is not written after `Expression::new` returned it, and PCRE2 lets several threads search with one
// code at a time (pcre2api, "Multithreading"); each has its own `Matcher`.
unsafe impl Send for Expression {}
// SAFETY: as above.
unsafe impl Sync for Expression {}

impl Drop for Expression {
    fn drop(&mut self) {
        // SAFETY: the code came from `pcre2_compile_8`, and nothing uses it behind this.
        unsafe { sys::pcre2_code_free_8(self.code.as_ptr()) }
    }
}

impl Expression {
    /// Compiles an expression, to machine code where this machine can.
    ///
    /// # Errors
    /// Where it is none.
    pub fn new(pcre: &Pcre) -> Result<Self, ExpressionError> {
        let expression = Self::interpreted(pcre)?;
        // SAFETY: the code is valid and not shared yet. Where it cannot become machine code, the interpreter takes it.
        let _interpreted =
            unsafe { sys::pcre2_jit_compile_8(expression.code.as_ptr(), sys::PCRE2_JIT_COMPLETE) };
        Ok(expression)
    }

    /// Compiles an expression for the interpreter.
    fn interpreted(pcre: &Pcre) -> Result<Self, ExpressionError> {
        let byte = |c: char| u8::try_from(c).map_err(|_| ExpressionError::Character(c));
        let bytes = pcre.expression.chars().map(byte).collect::<Result<Vec<u8>, _>>()?;
        let flags = [
            (pcre.caseless, sys::PCRE2_CASELESS),
            (pcre.dot_all, sys::PCRE2_DOTALL),
            (pcre.multi_line, sys::PCRE2_MULTILINE),
            (pcre.extended, sys::PCRE2_EXTENDED),
            (pcre.anchored, sys::PCRE2_ANCHORED),
            (pcre.dollar_end_only, sys::PCRE2_DOLLAR_ENDONLY),
            (pcre.ungreedy, sys::PCRE2_UNGREEDY),
        ];
        // Payloads are bytes: an expression that asks for UTF is an error.
        let always = sys::PCRE2_NEVER_UTF | sys::PCRE2_NEVER_UCP;
        let options = flags.into_iter().filter(|(set, _)| *set).fold(always, |all, (_, flag)| all | flag);
        let (mut error, mut at) = (0, 0);
        // SAFETY: pattern and length are those of `bytes`, which is only read during the call; the two out parameters
        // live longer than it; no compile context.
        let code = unsafe {
            sys::pcre2_compile_8(bytes.as_ptr(), bytes.len(), options, &mut error, &mut at, ptr::null_mut())
        };
        let Some(code) = NonNull::new(code) else {
            return Err(ExpressionError::Pcre2 { reason: reason(error), at });
        };
        Ok(Self { code })
    }
}

/// PCRE2's text of an error.
fn reason(error: i32) -> String {
    let mut text = [0u8; 256];
    // SAFETY: the buffer has the length that is given; PCRE2 writes a text that ends with a zero byte into it.
    unsafe { sys::pcre2_get_error_message_8(error, text.as_mut_ptr(), text.len()) };
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    String::from_utf8_lossy(&text[..end]).into_owned()
}

/// Whether an expression is one.
///
/// # Errors
/// Where it is none.
pub fn check(pcre: &Pcre) -> Result<(), ExpressionError> {
    Expression::interpreted(pcre).map(|_| ())
}

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The match: its first byte, and the byte behind its last.
    At(usize, usize),
    /// There is none.
    Nothing,
    /// The search was ended by a limit, or PCRE2 could not go on.
    Limit,
}

/// What searches write: PCRE2's blocks for limits, results and the stack of machine code.
#[derive(Debug)]
pub struct Matcher {
    context: NonNull<sys::pcre2_match_context_8>,
    data: NonNull<sys::pcre2_match_data_8>,
    /// Without it machine code has the 32 KiB that PCRE2 gives it.
    stack: Option<NonNull<sys::pcre2_jit_stack_8>>,
}

// SAFETY: nothing in the blocks belongs to a thread, and only `&mut Matcher` reaches them.
unsafe impl Send for Matcher {}

impl Drop for Matcher {
    fn drop(&mut self) {
        // SAFETY: all three came from PCRE2 and nothing uses them behind this; the context, which names the stack, goes first.
        unsafe {
            sys::pcre2_match_context_free_8(self.context.as_ptr());
            sys::pcre2_match_data_free_8(self.data.as_ptr());
            if let Some(stack) = self.stack {
                sys::pcre2_jit_stack_free_8(stack.as_ptr());
            }
        }
    }
}

impl Default for Matcher {
    #[expect(clippy::expect_used, reason = "as where Rust finds no memory")]
    fn default() -> Self {
        // SAFETY: these functions only allocate.
        let (context, data, stack) = unsafe {
            (
                sys::pcre2_match_context_create_8(ptr::null_mut()),
                sys::pcre2_match_data_create_8(1, ptr::null_mut()),
                sys::pcre2_jit_stack_create_8(STACK_BYTES, STACK_BYTES_MAX, ptr::null_mut()),
            )
        };
        let context = NonNull::new(context).expect("no memory for a match context of PCRE2");
        let data = NonNull::new(data).expect("no memory for match data of PCRE2");
        let stack = NonNull::new(stack);
        // SAFETY: the context is valid; the stack lives as long as it (see `Drop`).
        unsafe {
            sys::pcre2_set_depth_limit_8(context.as_ptr(), DEPTH);
            sys::pcre2_set_heap_limit_8(context.as_ptr(), HEAP_KIB);
            if let Some(stack) = stack {
                sys::pcre2_jit_stack_assign_8(context.as_ptr(), None, stack.as_ptr().cast());
            }
        }
        Self { context, data, stack }
    }
}

impl Matcher {
    /// The first match that begins at byte `from` of the subject or behind it. `limit` is PCRE2's match limit: steps of
    /// backtracking from one place of the subject.
    pub fn find(&mut self, expression: &Expression, subject: &[u8], from: usize, limit: u32) -> Found {
        if from > subject.len() {
            return Found::Nothing;
        }
        // SAFETY: the blocks are valid and, since `self` is borrowed mutably, used by this call alone. The subject is given
        // with its length and is not looked at behind the call; `from` is inside it.
        let code = unsafe {
            sys::pcre2_set_match_limit_8(self.context.as_ptr(), limit);
            sys::pcre2_match_8(
                expression.code.as_ptr(),
                subject.as_ptr(),
                subject.len(),
                from,
                0,
                self.data.as_ptr(),
                self.context.as_ptr(),
            )
        };
        match code {
            // 0: more groups than there is room for results; the match itself always has room.
            0.. => {
                // SAFETY: the data block was made for one pair of places, which the search has filled.
                let (start, end) = unsafe {
                    let places = sys::pcre2_get_ovector_pointer_8(self.data.as_ptr());
                    (*places, *places.add(1))
                };
                Found::At(start, end)
            }
            sys::PCRE2_ERROR_NOMATCH => Found::Nothing,
            _ => Found::Limit,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn find(expression: &str, subject: &[u8], from: usize, limit: u32) -> Found {
        let pcre = Pcre { expression: expression.to_owned(), ..Pcre::default() };
        Matcher::default().find(&Expression::new(&pcre).unwrap(), subject, from, limit)
    }

    #[test]
    fn a_match_is_found_with_its_place_and_from_a_place_on() {
        assert_eq!(find("b+", b"abbcb", 0, 1000), Found::At(1, 3));
        assert_eq!(find("b+", b"abbcb", 2, 1000), Found::At(2, 3));
        assert_eq!(find("b+", b"abbcb", 5, 1000), Found::Nothing);
        assert_eq!(find("b+", b"abbcb", 6, 1000), Found::Nothing);
        assert_eq!(find("(a)(b)(\\2)", b"abb", 0, 1000), Found::At(0, 3));
        assert_eq!(find("^", b"", 0, 1000), Found::At(0, 0));
        assert_eq!(find("\u{e9}\\xff", &[0xe9, 0xff], 0, 1000), Found::At(0, 2));
    }

    #[test]
    fn a_search_without_end_ends_at_its_limit() {
        let subject = [b'a'; 60];
        assert_eq!(find("^(a+)+$", &[&subject[..], b"!"].concat(), 0, 10_000), Found::Limit);
        assert_eq!(find("^(a|a?)+$", &[&subject[..], b"!"].concat(), 0, 10_000), Found::Limit);
        // A nest that fills the stack.
        let deep = vec![b'('; 1 << 20];
        assert_ne!(find("(\\((?1)*)", &deep, 0, u32::MAX), Found::Nothing);
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        let error = |expression: &str| {
            Expression::new(&Pcre { expression: expression.to_owned(), ..Pcre::default() }).unwrap_err()
        };
        assert_eq!(error("a(b").to_string(), "missing closing parenthesis at byte 3");
        assert_eq!(error("a\u{20ac}"), ExpressionError::Character('\u{20ac}'));
        assert!(error("(*UTF)a").to_string().contains("UTF"), "{}", error("(*UTF)a"));
    }
}
