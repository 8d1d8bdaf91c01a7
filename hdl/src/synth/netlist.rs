//! What yosys made of a block: its cells, and an estimate of its longest path before placement.
//!
//! The walk starts at ports, registers and RAM outputs and counts a level for each LUT, carry cell,
//! wide multiplexer and read of a LUT memory. Delays come from [`Delays`]: cells about as in the
//! vendors' data sheets, nets by their fan-out only, because nothing is placed yet. Levels and ranking
//! are sound; nanoseconds are an estimate.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::Target;

/// Cells of a netlist.
pub type Counts = BTreeMap<String, usize>;

/// Why a netlist says nothing.
#[derive(Debug, thiserror::Error)]
pub enum NetlistError {
    /// Not the JSON of yosys.
    #[error("the netlist of yosys is not readable: {0}")]
    Json(#[from] serde_json::Error),
    /// A part that every netlist has is missing.
    #[error("the netlist of yosys has no {0}")]
    Missing(&'static str),
    /// A loop of combinational cells.
    #[error("{0} nets are part of a combinational loop")]
    Loop(usize),
}

/// The longest path.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path {
    /// Most levels of the slowest path into any register, RAM or port. (A faster one, most of it a carry chain, may have
    /// a level more.)
    pub levels: u32,
    /// Longest delay in ns.
    pub ns: f64,
    /// Net at the end of the longest path.
    pub end: String,
}

/// Delays in ns.
struct Delays {
    lut: f64,
    carry_in: f64,
    carry: f64,
    mux: f64,
    register: f64,
    lut_ram: f64,
    block_ram: f64,
    ultra_ram: f64,
    setup: f64,
    ram_setup: f64,
    net: f64,
    /// A doubling of the fan-out adds so much.
    fan_out: f64,
}

const XCUP: Delays = Delays {
    lut: 0.15,
    carry_in: 0.25,
    carry: 0.06,
    mux: 0.10,
    register: 0.20,
    lut_ram: 0.70,
    block_ram: 1.10,
    ultra_ram: 1.30,
    setup: 0.05,
    ram_setup: 0.30,
    net: 0.20,
    fan_out: 0.05,
};

const ECP5: Delays = Delays {
    lut: 0.24,
    carry_in: 0.45,
    carry: 0.07,
    mux: 0.20,
    register: 0.52,
    lut_ram: 0.60,
    block_ram: 4.10,
    ultra_ram: 4.10,
    setup: 0.10,
    ram_setup: 0.30,
    net: 0.50,
    fan_out: 0.10,
};

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Lut,
    Inverter,
    Carry,
    Mux,
    LutRam,
    BlockRam,
    UltraRam,
    /// Registers and everything that is not known: paths begin and end here.
    Register,
}

fn kind(cell: &str) -> Kind {
    match cell {
        "INV" => Kind::Inverter,
        _ if cell.starts_with("LUT") => Kind::Lut,
        _ if cell.starts_with("CARRY") || cell == "CCU2C" => Kind::Carry,
        _ if cell.starts_with("MUXF") || matches!(cell, "PFUMX" | "L6MUX21") => Kind::Mux,
        _ if cell.starts_with("RAMB") || cell == "DP16KD" => Kind::BlockRam,
        _ if cell.starts_with("RAM") || cell == "TRELLIS_DPR16X4" || cell.starts_with("SRL") => Kind::LutRam,
        _ if cell.starts_with("URAM") => Kind::UltraRam,
        _ => Kind::Register,
    }
}

/// Whether a path leads through a cell from one port bit to the other.
fn passes(kind: Kind, from: (&str, usize), to: (&str, usize)) -> bool {
    match kind {
        Kind::Lut | Kind::Inverter | Kind::Mux => true,
        // A bit of a sum depends on the bits below it.
        Kind::Carry => matches!(from.0, "CI" | "CYINIT" | "CIN") || place(from) <= place(to),
        // Read address and data of one port have the same last letter: ADDRA and DOA.
        Kind::LutRam => match from.0 {
            "RAD" => true,
            "A" => matches!(to.0, "Q" | "Q15" | "SPO" | "O"),
            _ => {
                (from.0.starts_with("ADDR")
                    && to.0.starts_with("DO")
                    && from.0.as_bytes().get(4) == to.0.as_bytes().get(2))
                    || (from.0.starts_with("DPRA") && to.0 == "DPO")
                    || (from.0.starts_with('A')
                        && from.0[1..].bytes().all(|byte| byte.is_ascii_digit())
                        && matches!(to.0, "Q" | "SPO" | "O"))
            }
        },
        Kind::BlockRam | Kind::UltraRam | Kind::Register => false,
    }
}

/// Place of a carry cell's port bit along the chain: `S[1]`, or `A1` on ECP5.
fn place((port, index): (&str, usize)) -> usize {
    match port {
        "COUT" => 1,
        _ => port.bytes().last().filter(u8::is_ascii_digit).map_or(index, |digit| usize::from(digit - b'0')),
    }
}

struct Edge {
    to: usize,
    delay: f64,
    levels: u32,
    /// The net before the cell takes no general routing.
    is_direct: bool,
}

struct Cell<'a> {
    kind: Kind,
    inputs: Vec<(&'a str, usize, usize)>,
    outputs: Vec<(&'a str, usize, usize)>,
}

/// Cells and longest path of module `top` in the JSON of yosys.
///
/// # Errors
/// See [`NetlistError`].
pub fn read(json: &str, top: &str, target: Target) -> Result<(Counts, Path), NetlistError> {
    let netlist: Value = serde_json::from_str(json)?;
    let module = &netlist["modules"][top];
    let cells = module["cells"].as_object().ok_or(NetlistError::Missing("cells"))?;
    let mut counts = Counts::new();
    let mut parts = Vec::new();
    for cell in cells.values() {
        let name = cell["type"].as_str().ok_or(NetlistError::Missing("cell type"))?;
        *counts.entry(name.to_owned()).or_default() += 1;
        parts.push(connected(cell, kind(name))?);
    }
    let names = net_names(module);
    Ok((counts, walk(&parts, &names, target)?))
}

fn connected(cell: &Value, kind: Kind) -> Result<Cell<'_>, NetlistError> {
    let ports = cell["connections"].as_object().ok_or(NetlistError::Missing("connections"))?;
    let mut result = Cell { kind, inputs: Vec::new(), outputs: Vec::new() };
    for (port, bits) in ports {
        let is_output = cell["port_directions"][port] == "output";
        for (index, bit) in bits.as_array().into_iter().flatten().enumerate() {
            if let Some(net) = bit.as_u64() {
                let list = if is_output { &mut result.outputs } else { &mut result.inputs };
                list.push((port.as_str(), index, net as usize));
            }
        }
    }
    Ok(result)
}

fn net_names(module: &Value) -> HashMap<usize, String> {
    let mut names = HashMap::new();
    for (name, net) in module["netnames"].as_object().into_iter().flatten() {
        let is_hidden = net["hide_name"] == 1;
        let bits = net["bits"].as_array().map_or(&[][..], Vec::as_slice);
        for (index, bit) in bits.iter().enumerate() {
            if let Some(bit) = bit.as_u64() {
                let full = if bits.len() > 1 { format!("{name}[{index}]") } else { name.clone() };
                if !is_hidden {
                    names.insert(bit as usize, full);
                } else {
                    names.entry(bit as usize).or_insert(full);
                }
            }
        }
    }
    names
}

fn walk(cells: &[Cell], names: &HashMap<usize, String>, target: Target) -> Result<Path, NetlistError> {
    let delays = match target {
        Target::Xcup => &XCUP,
        Target::Ecp5 => &ECP5,
    };
    let nets =
        cells.iter().flat_map(|cell| cell.inputs.iter().chain(&cell.outputs)).map(|bit| bit.2 + 1).max();
    let nets = nets.unwrap_or(0);
    let mut fan_out = vec![0u32; nets];
    let mut edges: Vec<Vec<Edge>> = (0..nets).map(|_| Vec::new()).collect();
    let mut waiting = vec![0u32; nets];
    let mut arrival = vec![0.0f64; nets];
    let mut level = vec![0u32; nets];
    for cell in cells {
        for (_, _, net) in &cell.inputs {
            fan_out[*net] += 1;
        }
        for (to_port, to_index, to) in &cell.outputs {
            arrival[*to] = match cell.kind {
                Kind::Register => delays.register,
                Kind::LutRam => delays.lut_ram,
                Kind::BlockRam => delays.block_ram,
                Kind::UltraRam => delays.ultra_ram,
                _ => 0.0,
            };
            for (port, index, from) in &cell.inputs {
                if passes(cell.kind, (port, *index), (to_port, *to_index)) {
                    edges[*from].push(edge(cell.kind, port, to_port, *to, delays));
                    waiting[*to] += 1;
                }
            }
        }
    }
    let net_delay = |net: usize| delays.net + delays.fan_out * f64::from(fan_out[net].max(1)).log2();
    let mut ready: Vec<usize> = (0..nets).filter(|net| waiting[*net] == 0).collect();
    let mut done = 0;
    while let Some(net) = ready.pop() {
        done += 1;
        for edge in &edges[net] {
            let wire = if edge.is_direct { 0.0 } else { net_delay(net) };
            let arrives = arrival[net] + wire + edge.delay;
            if arrives > arrival[edge.to] {
                arrival[edge.to] = arrives;
                level[edge.to] = level[net] + edge.levels;
            }
            waiting[edge.to] -= 1;
            if waiting[edge.to] == 0 {
                ready.push(edge.to);
            }
        }
    }
    if done < nets {
        return Err(NetlistError::Loop(nets - done));
    }
    let mut path = Path::default();
    for cell in cells {
        let setup = match cell.kind {
            Kind::Register => delays.setup,
            Kind::LutRam | Kind::BlockRam | Kind::UltraRam => delays.ram_setup,
            _ => continue,
        };
        for (_, _, net) in &cell.inputs {
            let ns = arrival[*net] + net_delay(*net) + setup;
            path.levels = path.levels.max(level[*net]);
            if ns > path.ns {
                path.ns = ns;
                path.end = names.get(net).cloned().unwrap_or_default();
            }
        }
    }
    Ok(path)
}

fn edge(kind: Kind, from: &str, to: &str, net: usize, delays: &Delays) -> Edge {
    let is_carry_in = matches!(from, "CI" | "CIN");
    let (delay, levels) = match kind {
        Kind::Inverter => (0.0, 0),
        Kind::Carry if is_carry_in && matches!(to, "CO" | "COUT") => (delays.carry, 1),
        Kind::Carry => (delays.carry_in, 1),
        Kind::Mux => (delays.mux, 1),
        _ => (delays.lut, 1),
    };
    Edge { to: net, delay, levels, is_direct: is_carry_in || (kind == Kind::Mux && from.starts_with('I')) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn cell(kind: &str, ports: &[(&str, bool, &[usize])]) -> Value {
        let directions: HashMap<_, _> = ports
            .iter()
            .map(|(port, is_output, _)| (*port, if *is_output { "output" } else { "input" }))
            .collect();
        let connections: HashMap<_, _> = ports.iter().map(|(port, _, bits)| (*port, bits.to_vec())).collect();
        serde_json::json!({ "type": kind, "port_directions": directions, "connections": connections })
    }

    fn netlist(cells: &[Value]) -> String {
        let cells: HashMap<_, _> =
            cells.iter().enumerate().map(|(n, cell)| (format!("c{n}"), cell)).collect();
        let names = serde_json::json!({ "sum": { "hide_name": 0, "bits": [9, 7] } });
        serde_json::json!({ "modules": { "t": { "cells": cells, "netnames": names } } }).to_string()
    }

    #[test]
    fn levels_count_from_register_to_register() {
        let json = netlist(&[
            cell("FDRE", &[("D", false, &[6]), ("Q", true, &[2])]),
            cell("LUT2", &[("I0", false, &[2]), ("O", true, &[3])]),
            cell("INV", &[("I", false, &[3]), ("O", true, &[4])]),
            cell("LUT6", &[("I0", false, &[4]), ("O", true, &[5])]),
            cell("MUXF7", &[("I0", false, &[5]), ("S", false, &[2]), ("O", true, &[6])]),
        ]);
        let (counts, path) = read(&json, "t", Target::Xcup).unwrap();
        assert_eq!(counts["FDRE"], 1);
        assert_eq!(path.levels, 3);
        // Register, three nets of fan-out 1 and one of 2, two LUTs, one MUXF7 over its own wire, setup.
        let expected = 0.20 + 0.25 + 0.15 + 0.20 + 0.0 + 0.20 + 0.15 + 0.10 + 0.20 + 0.05;
        assert!((path.ns - expected).abs() < 1e-9, "{} {expected}", path.ns);
    }

    #[test]
    fn a_ram_starts_and_ends_paths_and_lut_memory_passes_them() {
        let json = netlist(&[
            cell("RAMB36E2", &[("ADDR", false, &[5]), ("DOUT", true, &[2])]),
            cell("RAM64M8", &[("ADDRA", false, &[2]), ("ADDRB", false, &[7]), ("DOA", true, &[5])]),
            cell("LUT1", &[("I0", false, &[5]), ("O", true, &[7])]),
        ]);
        let (_, path) = read(&json, "t", Target::Xcup).unwrap();
        assert_eq!((path.levels, path.end.as_str()), (2, "sum[1]"));
    }

    #[test]
    fn a_loop_and_a_broken_file_are_errors() {
        let json = netlist(&[
            cell("LUT1", &[("I0", false, &[2]), ("O", true, &[3])]),
            cell("LUT1", &[("I0", false, &[3]), ("O", true, &[2])]),
        ]);
        assert!(matches!(read(&json, "t", Target::Xcup), Err(NetlistError::Loop(2))));
        assert!(matches!(read("{", "t", Target::Xcup), Err(NetlistError::Json(_))));
        assert!(matches!(read("{}", "t", Target::Xcup), Err(NetlistError::Missing("cells"))));
    }

    #[test]
    fn a_carry_goes_up_only() {
        let json = netlist(&[
            cell("FDRE", &[("D", false, &[12]), ("Q", true, &[2])]),
            cell("CARRY4", &[("S", false, &[10, 2]), ("O", true, &[11, 12])]),
            cell("LUT1", &[("I0", false, &[11]), ("O", true, &[10])]),
        ]);
        assert!(matches!(read(&json, "t", Target::Xcup), Err(NetlistError::Loop(_))));
        let json = netlist(&[
            cell("FDRE", &[("D", false, &[12]), ("Q", true, &[2])]),
            cell("CARRY4", &[("S", false, &[2, 10]), ("O", true, &[11, 12])]),
            cell("LUT1", &[("I0", false, &[11]), ("O", true, &[10])]),
        ]);
        assert_eq!(read(&json, "t", Target::Xcup).unwrap().1.levels, 3);
    }
}
