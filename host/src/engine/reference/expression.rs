//! `pcre`: PCRE2 without its machine code, option by option as `docs/signature-semantics.md` says.
//!
//! By `pcre2-sys`, for the safe crate above it takes neither DOLLAR_ENDONLY nor expressions of arbitrary bytes.
#![allow(unsafe_code)]

use std::ops::Range;
use std::ptr::{self, NonNull};

use pcre2_sys::*;

use crate::rules::detect::Pcre;

/// Steps of PCRE2 in one search; more are an error of the search.
const MATCH_LIMIT: u32 = 1_000_000;

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    code: NonNull<pcre2_code_8>,
}

impl Expression {
    /// Compiles an expression; `None` where PCRE2 does not take it.
    pub fn new(pcre: &Pcre) -> Option<Self> {
        // Characters of Latin-1 are the bytes of their numbers.
        let bytes: Vec<u8> = pcre.expression.chars().map(u8::try_from).collect::<Result<_, _>>().ok()?;
        let options = [
            (true, PCRE2_NEVER_UTF),
            (pcre.caseless, PCRE2_CASELESS),
            (pcre.dot_all, PCRE2_DOTALL),
            (pcre.multi_line, PCRE2_MULTILINE),
            (pcre.extended, PCRE2_EXTENDED),
            (pcre.anchored, PCRE2_ANCHORED),
            (pcre.dollar_end_only, PCRE2_DOLLAR_ENDONLY),
            (pcre.ungreedy, PCRE2_UNGREEDY),
        ];
        let options = options.iter().filter(|(set, _)| *set).fold(0, |all, (_, option)| all | option);
        let (mut error, mut place) = (0, 0);
        // SAFETY: pointer and length are those of `bytes`, which lives past the call; the two results are written to
        // live variables; a null context means the defaults.
        let code = unsafe {
            pcre2_compile_8(bytes.as_ptr(), bytes.len(), options, &mut error, &mut place, ptr::null_mut())
        };
        NonNull::new(code).map(|code| Self { code })
    }

    /// The first match that begins at byte `from` of `subject` or behind it, as PCRE2 finds it; what lies before
    /// `from` can be looked back at. An error of PCRE2 is no match.
    pub fn find(&self, subject: &[u8], from: usize) -> Option<Range<usize>> {
        if from > subject.len() {
            return None;
        }
        let data = MatchData::new(self)?;
        let limits = Limits::new()?;
        // SAFETY: the code lives as long as `self`, data and limits live past the call and are used by nobody else;
        // pointer and length are those of `subject`, and `from` is inside it.
        let found = unsafe {
            pcre2_match_8(
                self.code.as_ptr(),
                subject.as_ptr(),
                subject.len(),
                from,
                PCRE2_NO_JIT,
                data.0.as_ptr(),
                limits.0.as_ptr(),
            )
        };
        // Zero would mean that the data hold too few pairs, which data made for the code do not.
        if found <= 0 {
            return None;
        }
        // SAFETY: after a match the first pair of the data's offsets, which live as long as the data, is set.
        let (start, end) = unsafe {
            let pairs = pcre2_get_ovector_pointer_8(data.0.as_ptr());
            (*pairs, *pairs.add(1))
        };
        // `\K` can put the start behind the end.
        Some(start.min(end)..end)
    }
}

impl Drop for Expression {
    fn drop(&mut self) {
        // SAFETY: the code came from PCRE2 and nothing uses it any more.
        unsafe { pcre2_code_free_8(self.code.as_ptr()) }
    }
}

/// Where a match is written to.
struct MatchData(NonNull<pcre2_match_data_8>);

impl MatchData {
    fn new(expression: &Expression) -> Option<Self> {
        // SAFETY: the code lives; a null context means the defaults.
        let data =
            unsafe { pcre2_match_data_create_from_pattern_8(expression.code.as_ptr(), ptr::null_mut()) };
        NonNull::new(data).map(Self)
    }
}

impl Drop for MatchData {
    fn drop(&mut self) {
        // SAFETY: the data came from PCRE2 and nothing uses them any more.
        unsafe { pcre2_match_data_free_8(self.0.as_ptr()) }
    }
}

/// Limits of a search.
struct Limits(NonNull<pcre2_match_context_8>);

impl Limits {
    fn new() -> Option<Self> {
        // SAFETY: a null context means the defaults.
        let limits = Self(NonNull::new(unsafe { pcre2_match_context_create_8(ptr::null_mut()) })?);
        // SAFETY: the context lives and nobody else has it; the call returns 0 whatever the number.
        unsafe { pcre2_set_match_limit_8(limits.0.as_ptr(), MATCH_LIMIT) };
        Some(limits)
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        // SAFETY: the context came from PCRE2 and nothing uses it any more.
        unsafe { pcre2_match_context_free_8(self.0.as_ptr()) }
    }
}
