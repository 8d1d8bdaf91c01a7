//! The loops in plain Rust, in a form that compilers turn into whatever vectors there are.

use super::super::block::{Block, LANES, NO_ID};
use super::super::{BATCH, BlockSet, Found, Headers, Hits, Table};

/// A word of all lanes, and its halves.
type Words = [u32; LANES];
type Halves = [u16; 2 * LANES];

/// See [`super::Chosen::first`].
pub fn first<const W: usize>(
    set: &BlockSet<W>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    first: &mut [u32; BATCH],
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, &mut found.0);
    }
    for (at, first) in first.iter_mut().enumerate().take(count) {
        let mut best = [u32::MAX; LANES];
        for found in found.iter() {
            let block = &set.blocks[found.0[at] as usize];
            let differ = differ(block, headers, at);
            for ((best, differ), id) in best.iter_mut().zip(differ).zip(block.id) {
                *best = (*best).min(if differ == 0 { id } else { u32::MAX });
            }
        }
        *first = best.into_iter().fold(u32::MAX, u32::min);
    }
}

/// See [`super::Chosen::hits`].
pub fn hits<const W: usize>(
    set: &BlockSet<W>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    hits: &mut Hits,
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, &mut found.0);
    }
    for at in 0..count {
        for (found, hits) in found.iter().zip(hits.iter_mut()) {
            let block = &set.blocks[found.0[at] as usize];
            let lanes = differ(block, headers, at).into_iter().zip(block.id).enumerate();
            hits[at] = lanes
                .fold(0, |hits, (lane, (differ, id))| hits | u16::from(differ == 0 && id != NO_ID) << lane);
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
fn differ<const W: usize>(block: &Block<W>, headers: &Headers<W>, at: usize) -> Words {
    let ports: Halves = bytemuck::cast([headers.ports[at]; LANES]);
    let lo: &Halves = bytemuck::cast_ref(&block.port_lo);
    let span: &Halves = bytemuck::cast_ref(&block.port_span);
    let mut above: Halves = [0; 2 * LANES];
    for (above, ((port, lo), span)) in above.iter_mut().zip(ports.iter().zip(lo).zip(span)) {
        // What a port lies above its range, or, wrapped, below it.
        *above = port.wrapping_sub(*lo).saturating_sub(*span);
    }
    let mut differ: Words = bytemuck::cast(above);
    for ((value, mask), words) in block.value.iter().zip(&block.mask).zip(&headers.words) {
        let word = words[at];
        for (differ, (value, mask)) in differ.iter_mut().zip(value.iter().zip(mask)) {
            *differ |= (word ^ value) & mask;
        }
    }
    differ
}
