//! Hyperscan 5.4 (`hs.h`), as much of it as literals need.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong, c_void};
use std::ptr::{null, null_mut};

use anyhow::{Result, ensure};

use super::rules::Pattern;

/// `HS_FLAG_CASELESS`, `HS_FLAG_SINGLEMATCH`, `HS_MODE_BLOCK` and `HS_SUCCESS` of `hs_compile.h` and `hs_common.h`.
const CASELESS: c_uint = 1;
const SINGLE_MATCH: c_uint = 8;
const BLOCK: c_uint = 1;
const SUCCESS: c_int = 0;

type OnMatch = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

#[link(name = "hs")]
unsafe extern "C" {
    fn hs_compile_lit_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        lengths: *const usize,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        database: *mut *mut c_void,
        error: *mut *mut c_void,
    ) -> c_int;
    fn hs_database_size(database: *const c_void, size: *mut usize) -> c_int;
    fn hs_scratch_size(scratch: *const c_void, size: *mut usize) -> c_int;
    fn hs_alloc_scratch(database: *const c_void, scratch: *mut *mut c_void) -> c_int;
    fn hs_scan(
        database: *const c_void,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut c_void,
        on_match: OnMatch,
        context: *mut c_void,
    ) -> c_int;
    fn hs_free_scratch(scratch: *mut c_void) -> c_int;
    fn hs_free_database(database: *mut c_void) -> c_int;
}

/// A compiled database with its scratch.
pub struct Hyperscan {
    database: *mut c_void,
    scratch: *mut c_void,
}

impl Hyperscan {
    /// Compiles patterns in block mode; with `single`, each match is asked for once a payload.
    ///
    /// # Errors
    /// Where Hyperscan refuses them.
    pub fn new(patterns: &[Pattern], single: bool) -> Result<Self> {
        let flag = |nocase: bool| if nocase { CASELESS } else { 0 } | if single { SINGLE_MATCH } else { 0 };
        let expressions: Vec<*const c_char> =
            patterns.iter().map(|(bytes, _)| bytes.as_ptr().cast()).collect();
        let lengths: Vec<usize> = patterns.iter().map(|(bytes, _)| bytes.len()).collect();
        let flags: Vec<c_uint> = patterns.iter().map(|(_, nocase)| flag(*nocase)).collect();
        let ids: Vec<c_uint> = (0..patterns.len() as c_uint).collect();
        let mut made = Self { database: null_mut(), scratch: null_mut() };
        let mut error = null_mut();
        // SAFETY: the four arrays have an element for each pattern, whose bytes live as long as `patterns`; without a
        // platform Hyperscan takes this one.
        let status = unsafe {
            hs_compile_lit_multi(
                expressions.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                lengths.as_ptr(),
                patterns.len() as c_uint,
                BLOCK,
                null(),
                &raw mut made.database,
                &raw mut error,
            )
        };
        ensure!(status == SUCCESS, "Hyperscan refuses the patterns: error {status}");
        // SAFETY: the database was just compiled; a null scratch is allocated anew.
        let status = unsafe { hs_alloc_scratch(made.database, &raw mut made.scratch) };
        ensure!(status == SUCCESS, "Hyperscan gives no scratch: error {status}");
        Ok(made)
    }

    /// Calls `found` for matches in a payload. False if Hyperscan ends with an error: version 5.4 does, with
    /// `HS_UNKNOWN_ERROR`, on some payloads full of matches.
    pub fn search<F: FnMut(u32)>(&mut self, payload: &[u8], mut found: F) -> bool {
        extern "C" fn on_match<F: FnMut(u32)>(
            id: c_uint,
            _from: c_ulonglong,
            _to: c_ulonglong,
            _flags: c_uint,
            context: *mut c_void,
        ) -> c_int {
            // SAFETY: the context is the closure of the call below, which outlives it.
            let found = unsafe { &mut *context.cast::<F>() };
            found(id);
            0
        }
        // SAFETY: database and scratch belong together and live; the payload has that many bytes.
        let status = unsafe {
            hs_scan(
                self.database,
                payload.as_ptr().cast(),
                payload.len() as c_uint,
                0,
                self.scratch,
                on_match::<F>,
                (&raw mut found).cast(),
            )
        };
        status == SUCCESS
    }

    /// Bytes of database and scratch.
    pub fn bytes(&self) -> usize {
        let (mut database, mut scratch) = (0, 0);
        // SAFETY: both live.
        unsafe {
            hs_database_size(self.database, &raw mut database);
            hs_scratch_size(self.scratch, &raw mut scratch);
        }
        database + scratch
    }
}

impl Drop for Hyperscan {
    fn drop(&mut self) {
        // SAFETY: both are from Hyperscan, or null, and are not used again.
        unsafe {
            hs_free_scratch(self.scratch);
            hs_free_database(self.database);
        }
    }
}
