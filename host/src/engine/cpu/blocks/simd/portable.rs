//! The loops in plain Rust, in a form that compilers turn into whatever vectors there are.

use super::super::block::{Block, LANES, NO_ID};
use super::super::{BATCH, BlockSet, Found, Headers, Hits, Table};

/// See [`super::Chosen::first`].
pub fn first<const W: usize>(
    set: &BlockSet<W>,
    headers: &Headers<W>,
    count: usize,
    found: &mut Found,
    first: &mut [u32; BATCH],
) {
    for (table, found) in set.tables.iter().zip(found.iter_mut()) {
        cells(table, headers, count, found);
    }
    for at in 0..count {
        let mut best = [u32::MAX; LANES];
        for found in found.iter() {
            let block = &set.blocks[found[at] as usize];
            let differ = differ(block, headers, at);
            for lane in 0..LANES {
                let id = if differ[lane] == 0 { block.id[lane] } else { u32::MAX };
                best[lane] = best[lane].min(id);
            }
        }
        first[at] = best.into_iter().fold(u32::MAX, u32::min);
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
        cells(table, headers, count, found);
    }
    for at in 0..count {
        for (found, hits) in found.iter().zip(hits.iter_mut()) {
            let block = &set.blocks[found[at] as usize];
            let differ = differ(block, headers, at);
            hits[at] = (0..LANES)
                .fold(0, |hits, lane| hits | u16::from(differ[lane] == 0 && block.id[lane] != NO_ID) << lane);
        }
    }
}

/// Block of each header in a table.
fn cells<const W: usize>(table: &Table<W>, headers: &Headers<W>, count: usize, found: &mut [u32; BATCH]) {
    for at in 0..count {
        let words = std::array::from_fn(|word| headers.words[word][at]);
        found[at] = table.cells[table.cut.cell(&words, headers.ports[at])];
    }
}

/// Zero in the lanes whose rule the header satisfies.
#[inline(always)]
fn differ<const W: usize>(block: &Block<W>, headers: &Headers<W>, at: usize) -> [u32; LANES] {
    let ports = headers.ports[at];
    let mut differ = [0; LANES];
    for lane in 0..LANES {
        let half = |shift: u32| {
            let below = ((ports >> shift) as u16).wrapping_sub((block.port_lo[lane] >> shift) as u16);
            u32::from(below.saturating_sub((block.port_span[lane] >> shift) as u16))
        };
        differ[lane] = half(0) | half(16);
    }
    for word in 0..W {
        let header = headers.words[word][at];
        for lane in 0..LANES {
            differ[lane] |= (header ^ block.value[word][lane]) & block.mask[word][lane];
        }
    }
    differ
}
