//! Where the block RAMs of `lab` stand on an ECP5-85, and which LUTs stay free between them.
//!
//! nextpnr's static placer lets block RAMs float to where their wires pull them, and then moves each to the next free
//! site: with seven in eight sites in use that doubled the length of all wires of the card. So every block RAM has its
//! site here. The device has four rows of 52:
//!
//! | y | from left to right |
//! |---|---|
//! | 22 | filter: hash of the octets and bitmaps; survivors; window index |
//! | 46 | narrow table 0; header lists, packet bytes and patterns of the comparison |
//! | 70 | wide table; read buffer |
//! | 82 | narrow table 1; record packer; presence bits |
//!
//! What is compared with the same bits of the header vector stands side by side: both ways and both slots.
//!
//! The placer also packs logic to 70 % of what is there, wherever there is more of it, and leaves the rest of the device
//! empty. LUTs that are taken out of its hands, in every fourth row, leave it no choice but to spread.

/// Rows of block RAM sites.
const ROWS: [usize; 4] = [22, 46, 70, 82];
/// Sites in a row.
#[cfg(test)]
const SITES: usize = 52;
/// Tiles in front of the first site.
const FIRST: usize = 4;
/// Tiles between the first sites of two groups of four: two for each site, and one.
const GROUP: usize = 9;
/// In the middle of the row there are two more tiles.
const MIDDLE: usize = 28;

/// First and last tile with LUTs in a row, and first and last such row.
const LOGIC_X: (usize, usize) = (2, 124);
const LOGIC_Y: (usize, usize) = (2, 93);
/// Every so many rows have LUTs that stay free ..
const FREE_ROWS: usize = 4;
/// .. and these slices of each of their tiles: half of the LUTs.
const FREE_SLICES: [char; 2] = ['C', 'D'];
/// Of so many rows one has block RAMs or multipliers, no LUTs.
const HARD_ROWS: usize = 12;

/// Name of a site: `X4/Y22/EBR0`.
fn site(row: usize, n: usize) -> String {
    let x = FIRST + GROUP * (n / 4) + 2 * (n % 4) + if n < MIDDLE { 0 } else { 2 };
    format!("X{x}/Y{row}/EBR{}", n % 4)
}

/// Block `n` of a memory.
fn block(memory: &str, n: usize) -> String {
    format!("card.{memory}.mem.0.{n}")
}

/// All `count` blocks of a memory.
fn blocks(memory: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| block(memory, n)).collect()
}

/// The blocks of a table: those of the same bits in both ways and both slots side by side.
fn table(name: &str, blocks_a_way: usize) -> Vec<String> {
    let half = blocks_a_way.div_ceil(2);
    let mut row = Vec::new();
    for n in 0..half {
        for way in 0..2 {
            let slots = [n, n + half].into_iter().filter(|n| *n < blocks_a_way);
            row.extend(slots.map(|n| block(&format!("classifier.{name}.way{way}.bank"), n)));
        }
    }
    row
}

/// The filter: of every three bitmaps, the two octets that they are next to.
fn filter() -> Vec<String> {
    let octet = |n: usize| block(&format!("matcher.filter.hash.product.tables${n}"), 0);
    let bitmap = |n: usize| block(&format!("matcher.filter.bitmaps.rams${n}"), 0);
    let group =
        |n: usize| [octet(2 * n), bitmap(3 * n), bitmap(3 * n + 1), bitmap(3 * n + 2), octet(2 * n + 1)];
    (0..8).flat_map(group).collect()
}

/// The window index: each way behind half of the octets of its hash.
fn index() -> Vec<String> {
    let octet = |n: usize| block(&format!("matcher.lookup.product.tables${n}"), 0);
    let way = |n: usize| {
        let octets = (4 * n..4 * n + 4).map(octet);
        octets.chain([block(&format!("matcher.lookup.ways${n}"), 0)])
    };
    (0..2).flat_map(way).collect()
}

/// Cell and site of every block RAM.
fn block_rams() -> Vec<(String, String)> {
    let even_and_odd =
        (0..4).flat_map(|n| ["even", "odd"].map(|bank| block(&format!("matcher.region.{bank}"), n)));
    let presence = (0..8).map(|pair| block(&format!("matcher.presence.rows${pair}"), 0));
    let headers = (0..4).flat_map(|half| blocks(&format!("matcher.headers.halves${half}"), 3));
    let pack = [blocks("pack.results.ram", 7), blocks("pack.hits.ram", 6)].concat();
    // First site of each part of a row, and its cells.
    let parts = [
        (ROWS[0], 0, [filter(), blocks("matcher.survivors.fifo.ram", 2), index()].concat()),
        (ROWS[1], 0, table("narrow$0", 13)),
        (ROWS[1], 26, headers.chain(even_and_odd).chain(blocks("matcher.compare.patterns", 5)).collect()),
        (ROWS[2], 0, [table("wide$0", 24), blocks("fetch.buffer.ram", 4)].concat()),
        (ROWS[3], 0, table("narrow$1", 13)),
        (ROWS[3], 28, pack),
        (ROWS[3], 42, presence.collect()),
    ];
    let place = |(row, first, cells): (usize, usize, Vec<String>)| {
        cells.into_iter().enumerate().map(move |(n, cell)| (cell, site(row, first + n)))
    };
    parts.into_iter().flat_map(place).collect()
}

/// Commands of yosys that give every block RAM of module `top`, flattened, its site. They fail where the netlist has
/// other block RAMs than the plan.
pub fn script(top: &str) -> String {
    let placed = block_rams();
    let mut text = format!("select -assert-count {} t:DP16KD\n", placed.len());
    for (cell, site) in placed {
        text += &format!("select -assert-count 1 {top}/{cell}\nsetattr -set BEL \"{site}\" {top}/{cell}\n");
    }
    text
}

/// A LUT that stays free: tile, slice, and which of its two.
struct Free(usize, usize, char, usize);

fn free_luts() -> impl Iterator<Item = Free> {
    let rows = (LOGIC_Y.0..=LOGIC_Y.1).filter(|y| y % FREE_ROWS == 0 && y % HARD_ROWS != ROWS[0] % HARD_ROWS);
    let tiles = rows.flat_map(|y| (LOGIC_X.0..=LOGIC_X.1).map(move |x| (x, y)));
    let luts = || FREE_SLICES.into_iter().flat_map(|slice| [(slice, 0), (slice, 1)]);
    tiles.flat_map(move |(x, y)| luts().map(move |(slice, lut)| Free(x, y, slice, lut)))
}

/// How many LUTs stay free.
pub fn free() -> usize {
    free_luts().count()
}

/// Cells, in Verilog, that keep those LUTs free of others: each is fixed to one, and has no use.
pub fn keep_free() -> String {
    let cell = |Free(x, y, slice, lut)| {
        format!(
            "    (* keep, BEL = \"X{x}/Y{y}/SLICE{slice}.K{lut}\" *) LUT4 #(.INIT(16'h0000)) \
             free_x{x}_y{y}_{slice}{lut}(.A(1'b0), .B(1'b0), .C(1'b0), .D(1'b0), .Z());\n"
        )
    };
    free_luts().map(cell).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_block_ram_has_a_site_of_its_own() {
        let placed = block_rams();
        let (cells, sites): (HashSet<_>, HashSet<_>) = placed.iter().cloned().unzip();
        assert_eq!((cells.len(), sites.len()), (placed.len(), placed.len()));
        // The first and last sites of a row, and those around its middle, by the device's database.
        for (n, at) in [(0, "X4/Y46/EBR0"), (27, "X64/Y46/EBR3"), (28, "X69/Y46/EBR0"), (51, "X120/Y46/EBR3")]
        {
            assert_eq!(site(46, n), at);
        }
        let of_row =
            |row: usize| placed.iter().filter(|(_, site)| site.contains(&format!("/Y{row}/"))).count();
        assert_eq!(ROWS.map(of_row), [SITES, SITES - 1, SITES, 26 + 13 + 8]);
    }

    #[test]
    fn half_of_the_luts_of_every_fourth_row_stay_free() {
        let text = keep_free();
        let bels: HashSet<&str> = text.lines().filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!((bels.len(), text.lines().count()), (free(), free()));
        assert_eq!(free(), 23 * 123 * 4);
        assert!(bels.contains("X2/Y4/SLICEC.K0") && bels.contains("X124/Y92/SLICED.K1"));
    }
}
