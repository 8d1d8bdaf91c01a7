//! The costs of a card as a Markdown table.

use std::fmt::Write as _;

use super::netlist::Counts;
use super::{Cost, Target};

/// LUTs, block RAMs (36 kbit) and UltraRAMs of a U55C.
const U55C: Sums = Sums { lut: 1_304_000.0, register: 2_607_000.0, block: 2_016.0, ultra: 960.0 };

#[derive(Clone, Copy, Default)]
struct Sums {
    lut: f64,
    register: f64,
    /// Block RAMs of 36 kbit, or DP16KD.
    block: f64,
    ultra: f64,
}

fn sums(cells: &Counts) -> Sums {
    let mut sums = Sums::default();
    for (cell, count) in cells {
        let count = *count as f64;
        match cell.as_str() {
            "RAM64M8" | "RAM32M16" => sums.lut += 8.0 * count,
            "RAM64M" | "RAM32M" | "RAM128X1D" | "RAM256X1S" => sums.lut += 4.0 * count,
            "RAM64X1D" | "RAM32X1D" | "RAM128X1S" | "CCU2C" => sums.lut += 2.0 * count,
            "RAM256X1D" => sums.lut += 8.0 * count,
            // Four LUTs hold the bits, two more write them.
            "TRELLIS_DPR16X4" => sums.lut += 6.0 * count,
            "RAMB36E2" | "DP16KD" => sums.block += count,
            "RAMB18E2" => sums.block += count / 2.0,
            "URAM288" => sums.ultra += count,
            _ if cell.starts_with("LUT") || cell.starts_with("SRL") || cell.starts_with("RAM") => {
                sums.lut += count;
            }
            _ if cell.starts_with("FD") || cell == "TRELLIS_FF" => sums.register += count,
            _ => {}
        }
    }
    sums
}

/// The table: a row a block, then the sum, and on UltraScale+ its share of a U55C.
pub fn markdown(costs: &[Cost], target: Target) -> String {
    let block = if target == Target::Xcup { "BRAM36" } else { "DP16KD" };
    let mut text = format!(
        "| block | number | LUT | FF | {block} | URAM | levels | ns | longest path ends at |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---|\n"
    );
    let mut all = Sums::default();
    for cost in costs {
        let one = sums(&cost.cells);
        let count = cost.count as f64;
        all.lut += count * one.lut;
        all.register += count * one.register;
        all.block += count * one.block;
        all.ultra += count * one.ultra;
        let (lut, register, block, ultra) = (one.lut, one.register, one.block, one.ultra);
        let path = &cost.path;
        let _ = writeln!(
            text,
            "| {} | {count} | {lut} | {register} | {block} | {ultra} | {} | {:.2} | `{}` |",
            cost.name, path.levels, path.ns, path.end
        );
    }
    let levels = costs.iter().map(|cost| cost.path.levels).max().unwrap_or(0);
    let ns = costs.iter().map(|cost| cost.path.ns).fold(0.0, f64::max);
    let _ = writeln!(
        text,
        "| all | | {} | {} | {} | {} | {levels} | {ns:.2} | |",
        all.lut, all.register, all.block, all.ultra
    );
    if target == Target::Xcup {
        let share = |part: f64, whole: f64| 100.0 * part / whole;
        let _ = writeln!(
            text,
            "| share of a U55C | | {:.1} % | {:.1} % | {:.1} % | {:.1} % | | | |",
            share(all.lut, U55C.lut),
            share(all.register, U55C.register),
            share(all.block, U55C.block),
            share(all.ultra, U55C.ultra)
        );
    }
    text.push_str(
        "\nLUT, FF and RAM are those of one block; the sum counts all. Levels and ns (an estimate before \
         placement) are of the longest path between registers, RAMs and ports.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::netlist::Path;

    #[test]
    fn rows_are_of_one_block_and_the_sum_of_all() {
        let cells =
            [("LUT6", 3), ("RAM64M8", 2), ("FDRE", 7), ("RAMB18E2", 1), ("URAM288", 2), ("CARRY4", 9)];
        let cells = cells.map(|(name, count)| (name.to_owned(), count)).into_iter().collect();
        let cost = Cost {
            name: "b".to_owned(),
            count: 3,
            cells,
            path: Path { levels: 4, ns: 1.234, end: "q".to_owned() },
        };
        let text = markdown(&[cost], Target::Xcup);
        assert!(text.contains("| b | 3 | 19 | 7 | 0.5 | 2 | 4 | 1.23 | `q` |"), "{text}");
        assert!(text.contains("| all | | 57 | 21 | 1.5 | 6 | 4 | 1.23 | |"), "{text}");
    }
}
