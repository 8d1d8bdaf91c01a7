//! The register document, written from the declarations of this crate.

use alloc::string::String;
use core::fmt::Write;

use crate::bits::Field;
use crate::{ABI_VERSION, command, csr, entry, geometry, payload, vector};

/// A size of a geometry.
type Size = fn(&geometry::Geometry) -> usize;

/// `docs/registers.md`.
pub fn registers() -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut text);
    text
}

fn write(text: &mut String) -> core::fmt::Result {
    writeln!(text, "# Registers and layouts, ABI version {ABI_VERSION}\n")?;
    writeln!(
        text,
        "Generated from `abi`: `cargo run -p wiresift-abi --example registers > docs/registers.md`.\n"
    )?;
    writeln!(text, "## Registers in BAR0\n\n| offset | name | access | meaning |\n|---|---|---|---|")?;
    for row in csr::REGISTERS {
        let access = match row.access {
            csr::Access::Ro => "RO",
            csr::Access::Rw => "RW",
            csr::Access::RwStopped => "RW, while stopped",
        };
        writeln!(text, "| 0x{:03x} | {} | {access} | {} |", row.csr as u16, row.name, row.text)?;
    }
    writeln!(
        text,
        "\n## Counters\n\n{} bits each: low word at the offset, high word behind it, latched when the low word is read.\n\n| offset | name | meaning |\n|---|---|---|",
        csr::COUNTER_BITS
    )?;
    for (counter, name, meaning) in csr::COUNTER_TABLE {
        writeln!(text, "| 0x{:03x} | {name} | {meaning} |", counter.offset())?;
    }
    writeln!(text, "\n## Error codes\n\n| code | name | meaning |\n|---|---|---|")?;
    for (code, name, meaning) in csr::ERROR_TABLE {
        writeln!(text, "| {} | {name} | {meaning} |", *code as u32)?;
    }
    writeln!(text, "\n## Geometries\n\n| | {} |", geometry::ALL.map(|g| g.name).join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(geometry::ALL.len()))?;
    let rows: [(&str, Size); 23] = [
        ("bytes in a beat", |g| g.beat_bytes),
        ("narrow tables", |g| g.narrow_tables),
        ("buckets of a way of a narrow table", |g| 1 << g.narrow_buckets_log2),
        ("wide tables", |g| g.wide_tables),
        ("buckets of a way of a wide table", |g| 1 << g.wide_buckets_log2),
        ("slots in a bucket", |g| g.bucket_slots),
        ("slots of all tables", |g| (0..g.tables()).map(|table| g.slots(table)).sum()),
        ("TCAM entries", |g| g.tcam_entries),
        ("beats of the read buffer", |g| g.read_buffer_beats),
        ("read bursts in flight", |g| g.reads_in_flight),
        ("writes in flight", |g| g.writes_in_flight),
        ("packets in flight", |g| g.packets_in_flight),
        ("payload: bits of the hash of a window", |g| g.payload.hash_bits),
        ("payload: filter memories", |g| g.payload.memories()),
        ("payload: words of a filter memory", |g| 1 << g.payload.filter_words_log2),
        ("payload: bits of such a word", |g| 1 << g.payload.filter_word_log2),
        ("payload: buckets of a way of the window index", |g| 1 << g.payload.window_buckets_log2),
        ("payload: patterns", |g| 1 << g.payload.patterns_log2),
        ("payload: bytes compared around a window", |g| g.payload.region_bytes),
        ("payload: those behind the window", |g| g.payload.region_after),
        ("payload: header lists", |g| 1 << g.payload.header_lists_log2),
        ("payload: headers of a list", |g| g.payload.headers_a_list),
        ("payload: patterns of one or two bytes", |g| g.payload.short_patterns),
    ];
    for (name, value) in rows {
        write!(text, "| {name} |")?;
        for geometry in geometry::ALL {
            write!(text, " {} |", value(geometry))?;
        }
        writeln!(text)?;
    }
    fields(text, "Header vector", &vector::FIELDS)?;
    writeln!(
        text,
        "\nBits 0 to {} are hashed, bits 0 to {} can be asked for by a rule.",
        vector::HASHED_BITS - 1,
        vector::KEY_BITS - 1
    )?;
    fields(text, "Slot of a narrow table", &slot_fields(entry::NARROW_SRC, entry::NARROW_DST))?;
    fields(text, "Slot of a wide table", &slot_fields(entry::WIDE_SRC, entry::WIDE_DST))?;
    fields(text, "Command", &[command::OPCODE, command::TABLE, command::SLOT, command::INDEX])?;
    writeln!(text, "| {}-{} | data |", command::DATA_LSB, command::DATA_LSB + command::DATA_BITS - 1)?;
    writeln!(text, "\n| opcode | name |\n|---|---|")?;
    for opcode in command::OPCODES {
        writeln!(text, "| {} | {opcode:?} |", opcode as u8)?;
    }
    fields(text, "Bucket of the window index", &payload::INDEX_FIELDS)?;
    writeln!(text, "\nBatches, packets and records: `abi/src/h2c.rs` and `abi/src/c2h.rs`.")
}

fn slot_fields(src: Field, dst: Field) -> [Field; 16] {
    [
        entry::ID,
        entry::KIND,
        entry::PROTO,
        entry::PROTO_MASK,
        entry::CLASS,
        entry::CLASS_MASK,
        entry::AUX,
        entry::AUX_MASK,
        entry::SPORT_LO,
        entry::SPORT_HI,
        entry::DPORT_LO,
        entry::DPORT_HI,
        entry::SRC_SHIFT,
        entry::DST_SHIFT,
        src,
        dst,
    ]
}

fn fields(text: &mut String, title: &str, fields: &[Field]) -> core::fmt::Result {
    writeln!(text, "\n## {title}\n\n| bits | field |\n|---|---|")?;
    for field in fields {
        writeln!(text, "| {}-{} | {} |", field.lsb, field.end() - 1, field.name)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_register_document_is_up_to_date() {
        assert!(
            super::registers() == include_str!("../../docs/registers.md"),
            "docs/registers.md is stale: cargo run -p wiresift-abi --example registers > docs/registers.md"
        );
    }
}
