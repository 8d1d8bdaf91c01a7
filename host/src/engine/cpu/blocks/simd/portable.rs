//! The loops in plain Rust, in a form that compilers turn into whatever vectors there are.

use super::super::block::{Block, LANES, NO_RULE, id};
use super::super::{BATCH, BlockSet, Found, Headers, Hits, Row, Table};

/// A word of all lanes, and its halves.
type Words = [u32; LANES];
type Halves = [u16; 2 * LANES];

/// See [`super::super::Set::first`].
pub fn first<const W: usize, const T: usize>(
    set: &BlockSet<W, T>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    first: &mut [u32; BATCH],
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, &mut found.0);
    }
    let lacks = set.kinds.lacks(headers);
    for (at, first) in first.iter_mut().enumerate().take(count) {
        let mut best = [NO_RULE; LANES];
        for found in found.iter() {
            let block = &set.blocks[found.0[at] as usize];
            let differ = differ(block, headers, &lacks, at);
            for ((best, differ), number) in best.iter_mut().zip(differ).zip(block.number) {
                *best = (*best).min(if differ == 0 { number } else { NO_RULE });
            }
        }
        *first = id(best.into_iter().fold(NO_RULE, u32::min));
    }
}

/// See [`super::super::Set::hits`].
pub fn hits<const W: usize, const T: usize>(
    set: &BlockSet<W, T>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    hits: &mut Hits,
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, &mut found.0);
    }
    let lacks = set.kinds.lacks(headers);
    for at in 0..count {
        for (found, hits) in found.iter().zip(hits.iter_mut()) {
            let block = &set.blocks[found.0[at] as usize];
            let lanes = differ(block, headers, &lacks, at).into_iter().zip(block.number).enumerate();
            hits[at] = lanes.fold(0, |hits, (lane, (differ, number))| {
                hits | u16::from(differ == 0 && number != NO_RULE) << lane
            });
        }
    }
}

/// Block of each header in a table.
fn cells<const W: usize>(table: &Table<W>, headers: &Headers<W>, count: usize, found: &mut [u32; BATCH]) {
    for (at, found) in found.iter_mut().enumerate().take(count) {
        let words = std::array::from_fn(|word| headers.words[word][at]);
        *found = table.cells[table.cut.cell(&words, headers.ports[at])];
    }
}

/// Zero in the lanes whose rule the header satisfies.
#[inline(always)]
fn differ<const W: usize, const T: usize>(
    block: &Block<T>,
    headers: &Headers<W>,
    lacks: &Row,
    at: usize,
) -> Words {
    let ports: Halves = bytemuck::cast([headers.ports[at]; LANES]);
    let lo: &Halves = bytemuck::cast_ref(&block.port_lo);
    let span: &Halves = bytemuck::cast_ref(&block.port_span);
    let mut above: Halves = [0; 2 * LANES];
    for (above, ((port, lo), span)) in above.iter_mut().zip(ports.iter().zip(lo).zip(span)) {
        // What a port lies above its range, or, wrapped, below it.
        *above = port.wrapping_sub(*lo).saturating_sub(*span);
    }
    let mut differ: Words = bytemuck::cast(above);
    for (differ, number) in differ.iter_mut().zip(&block.number) {
        *differ |= lacks.0[at] & number;
    }
    for ((value, mask), words) in block.value.iter().zip(&block.mask).zip(&headers.words) {
        let word = words[at];
        for (differ, (value, mask)) in differ.iter_mut().zip(value.iter().zip(mask)) {
            *differ |= (word ^ value) & mask;
        }
    }
    differ
}
