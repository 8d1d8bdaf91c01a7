//! `rte_acl` of DPDK.

use std::ffi::{CString, c_char, c_int};
use std::ptr::NonNull;

use anyhow::{Result, bail, ensure};
use wiresift_host::rules::model::{AclRule, PortList};

/// How `rte_acl` looks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Algorithm {
    /// `RTE_ACL_CLASSIFY_SCALAR`.
    Scalar = 0,
    /// `RTE_ACL_CLASSIFY_AVX2`.
    Avx2 = 1,
    /// `RTE_ACL_CLASSIFY_AVX512X32`.
    Avx512 = 2,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Scalar, Self::Avx2, Self::Avx512];

    /// Name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "rte_acl scalar",
            Self::Avx2 => "rte_acl avx2",
            Self::Avx512 => "rte_acl avx512x32",
        }
    }
}

/// A header as `rte_acl` reads it: network byte order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Header {
    proto: u8,
    zero: [u8; 3],
    src: [u8; 4],
    dst: [u8; 4],
    sport: [u8; 2],
    dport: [u8; 2],
}

impl Header {
    /// A header of these fields.
    pub fn new(src: u32, dst: u32, sport: u16, dport: u16, proto: u8) -> Self {
        Self {
            proto,
            zero: [0; 3],
            src: src.to_be_bytes(),
            dst: dst.to_be_bytes(),
            sport: sport.to_be_bytes(),
            dport: dport.to_be_bytes(),
        }
    }
}

#[repr(C)]
struct Rule {
    src: u32,
    dst: u32,
    src_length: u8,
    dst_length: u8,
    proto: u8,
    proto_mask: u8,
    sport: [u16; 2],
    dport: [u16; 2],
}

#[repr(C)]
struct Ctx([u8; 0]);

unsafe extern "C" {
    fn wiresift_acl_start(program: *mut c_char) -> c_int;
    fn wiresift_acl_build(rules: *const Rule, count: u32, bytes: *mut usize) -> *mut Ctx;
    fn wiresift_acl_classify(
        ctx: *const Ctx,
        headers: *const *const Header,
        results: *mut u32,
        count: u32,
        algorithm: c_int,
    ) -> c_int;
    fn wiresift_acl_free(ctx: *mut Ctx);
}

/// DPDK, started once a process.
pub struct Dpdk(());

impl Dpdk {
    /// Starts it.
    ///
    /// # Errors
    /// Where it says that it cannot.
    pub fn start() -> Result<Self> {
        let program = CString::new("wiresift-benches")?.into_raw();
        // SAFETY: a string that ends with zero and lives for ever, as the arguments of a program do.
        let started = unsafe { wiresift_acl_start(program) };
        ensure!(started >= 0, "DPDK does not start");
        Ok(Self(()))
    }
}

/// A rule set as `rte_acl` holds it.
pub struct Acl {
    ctx: NonNull<Ctx>,
    /// Bytes of its tables.
    pub bytes: usize,
}

/// Headers, and pointers to them as `rte_acl` wants them.
pub struct Headers {
    list: Vec<Header>,
    pointers: Vec<*const Header>,
}

impl Headers {
    /// These headers.
    pub fn new(list: Vec<Header>) -> Self {
        let pointers = list.iter().map(|header| header as *const Header).collect();
        Self { list, pointers }
    }
}

impl Acl {
    /// Builds the tables.
    ///
    /// # Errors
    /// Where a rule is no 5-tuple of one prefix and one range a field, or `rte_acl` refuses the set.
    pub fn new(_: &Dpdk, rules: &[AclRule]) -> Result<Self> {
        let rules: Vec<Rule> = rules.iter().map(rule).collect::<Result<_>>()?;
        let mut bytes = 0;
        // SAFETY: the pointer is to as many rules as said, and both are only read during the call.
        let ctx = unsafe { wiresift_acl_build(rules.as_ptr(), u32::try_from(rules.len())?, &mut bytes) };
        let Some(ctx) = NonNull::new(ctx) else { bail!("rte_acl does not build the set") };
        Ok(Self { ctx, bytes })
    }

    /// The first rule of each of the `count` headers from number `from` on, plus one; 0 for none.
    pub fn look_up(&self, headers: &Headers, from: usize, count: usize, how: Algorithm, results: &mut [u32]) {
        assert!(from + count <= headers.list.len() && count <= results.len());
        let pointers = headers.pointers[from..from + count].as_ptr();
        // SAFETY: the pointers are to `headers.list`, which nothing changes, and there is place for the results.
        let status = unsafe {
            wiresift_acl_classify(
                self.ctx.as_ptr(),
                pointers,
                results.as_mut_ptr(),
                count as u32,
                how as c_int,
            )
        };
        assert!(status == 0, "{} does not run here: {status}", how.name());
    }
}

impl Drop for Acl {
    fn drop(&mut self) {
        // SAFETY: it was made by `wiresift_acl_build` and nothing uses it any more.
        unsafe { wiresift_acl_free(self.ctx.as_ptr()) };
    }
}

fn rule(rule: &AclRule) -> Result<Rule> {
    let condition = &rule.condition;
    let ([(proto, proto_mask)], [src], [dst]) =
        (&condition.protocols[..], &condition.src.include[..], &condition.dst.include[..])
    else {
        bail!("{:?}: no 5-tuple", rule.origin);
    };
    let prefix = |first: std::net::IpAddr, last: std::net::IpAddr| match (first, last) {
        (std::net::IpAddr::V4(first), std::net::IpAddr::V4(last)) => {
            let differ = first.to_bits() ^ last.to_bits();
            ensure!(differ & differ.wrapping_add(1) == 0, "{:?}: no prefix", rule.origin);
            Ok((first.to_bits(), differ.leading_zeros() as u8))
        }
        _ => bail!("{:?}: no IPv4 address", rule.origin),
    };
    let ports = |list: &PortList| match list {
        PortList::Any => Ok([0, u16::MAX]),
        PortList::Ports { include, .. } => match &include[..] {
            [range] => Ok([*range.start(), *range.end()]),
            _ => bail!("{:?}: several ranges of ports", rule.origin),
        },
    };
    let (src, src_length) = prefix(src.first, src.last)?;
    let (dst, dst_length) = prefix(dst.first, dst.last)?;
    Ok(Rule {
        src,
        dst,
        src_length,
        dst_length,
        proto: *proto,
        proto_mask: *proto_mask,
        sport: ports(&condition.sport)?,
        dport: ports(&condition.dport)?,
    })
}
