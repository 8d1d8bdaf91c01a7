//! The configuration space of the card.
//!
//! Offsets and bits are those of the PCI Local Bus Specification 3.0, chapter 6 and 6.8.2 (MSI-X), and of the PCI
//! Express Base Specification, 7.5.3 (capability), 6.6.2 (function-level reset).

use wiresift_abi::pci::{
    BAR0_BYTES, CLASS, DEVICE_ID, MSIX_VECTORS, SUBSYSTEM_ID, SUBSYSTEM_VENDOR_ID, VENDOR_ID,
};

/// Bytes of the configuration space of a PCI Express function.
pub const CONFIG_BYTES: usize = 4096;
/// BAR with the MSI-X table, and its bytes.
pub const MSIX_BAR: u32 = 2;
/// Bytes of that BAR.
pub const MSIX_BAR_BYTES: usize = 4096;
/// Where in it the pending bits begin.
const PENDING_OFFSET: u32 = 0x800;

const COMMAND: usize = 0x04;
const COMMAND_MASTER: u16 = 1 << 2;
const CAPABILITIES: usize = 0x34;
const POWER: usize = 0x40;
const MSIX: usize = 0x50;
const EXPRESS: usize = 0x60;
const DEVICE_CONTROL: usize = EXPRESS + 8;
const INITIATE_RESET: u16 = 1 << 15;

/// What a write to the configuration space brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing but the values themselves.
    None,
    /// A function-level reset.
    Reset,
}

/// The configuration space.
#[derive(Clone, Debug)]
pub struct ConfigSpace {
    bytes: Box<[u8; CONFIG_BYTES]>,
    /// Bits that can be written.
    mask: Box<[u8; CONFIG_BYTES]>,
}

impl Default for ConfigSpace {
    fn default() -> Self {
        let mut space = Self { bytes: Box::new([0; CONFIG_BYTES]), mask: Box::new([0; CONFIG_BYTES]) };
        space.identity();
        space.power();
        space.msix();
        space.express();
        space
    }
}

impl ConfigSpace {
    fn set16(&mut self, at: usize, value: u16, mask: u16) {
        self.bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
        self.mask[at..at + 2].copy_from_slice(&mask.to_le_bytes());
    }

    fn set32(&mut self, at: usize, value: u32, mask: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self.mask[at..at + 4].copy_from_slice(&mask.to_le_bytes());
    }

    fn get16(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    fn identity(&mut self) {
        self.set16(0x00, VENDOR_ID, 0);
        self.set16(0x02, DEVICE_ID, 0);
        // Memory, bus master, parity and SERR reporting, INTx off.
        self.set16(COMMAND, 0, 1 << 1 | COMMAND_MASTER | 1 << 6 | 1 << 8 | 1 << 10);
        // Status: it has a list of capabilities.
        self.set16(0x06, 1 << 4, 0);
        self.set32(0x08, CLASS << 8, 0);
        // Cache line size.
        self.set16(0x0c, 0, 0xff);
        self.set32(0x10, 0, !(BAR0_BYTES as u32 - 1));
        self.set32(0x10 + 4 * MSIX_BAR as usize, 0, !(MSIX_BAR_BYTES as u32 - 1));
        self.set16(0x2c, SUBSYSTEM_VENDOR_ID, 0);
        self.set16(0x2e, SUBSYSTEM_ID, 0);
        self.bytes[CAPABILITIES] = POWER as u8;
        self.set16(0x3c, 0xff, 0xff);
    }

    /// Power management, version 3, no state but D0 and D3 (PCI Power Management 1.2, 3.2).
    fn power(&mut self) {
        self.set16(POWER, 0x01 | (MSIX as u16) << 8, 0);
        self.set16(POWER + 2, 3, 0);
        // No soft reset on the way from D3 to D0, so that D3 is no hidden reset.
        self.set16(POWER + 4, 1 << 3, 0b11);
    }

    fn msix(&mut self) {
        self.set16(MSIX, 0x11 | (EXPRESS as u16) << 8, 0);
        // Enable and function mask can be written.
        self.set16(MSIX + 2, MSIX_VECTORS as u16 - 1, 0b11 << 14);
        self.set32(MSIX + 4, MSIX_BAR, 0);
        self.set32(MSIX + 8, PENDING_OFFSET | MSIX_BAR, 0);
    }

    /// Endpoint, version 2, Gen3 x16.
    fn express(&mut self) {
        self.set16(EXPRESS, 0x10, 0);
        self.set16(EXPRESS + 2, 2, 0);
        // Payloads of 256 bytes, role-based errors, function-level reset.
        self.set32(EXPRESS + 4, 1 | 1 << 15 | 1 << 28, 0);
        self.set16(DEVICE_CONTROL, 0x2810, 0x7fff);
        let (speed, width) = (3, 16 << 4);
        self.set32(EXPRESS + 0x0c, speed | width, 0);
        self.set16(EXPRESS + 0x12, (speed | width) as u16, 0);
        // Completion time-outs can be turned off.
        self.set32(EXPRESS + 0x24, 1 << 4, 0);
        self.set16(EXPRESS + 0x28, 0, 1 << 4);
        // Gen1, Gen2 and Gen3.
        self.set32(EXPRESS + 0x2c, 0b111 << 1, 0);
    }

    /// Reads bytes; `None` where they are not inside.
    pub fn read(&self, offset: u64, count: usize) -> Option<&[u8]> {
        let start = usize::try_from(offset).ok()?;
        self.bytes.get(start..start.checked_add(count)?)
    }

    /// Writes bytes; `None` where they are not inside.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Option<Effect> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(data.len()).filter(|end| *end <= CONFIG_BYTES)?;
        let mut effect = Effect::None;
        for (at, value) in (start..end).zip(data) {
            let mask = self.mask[at];
            self.bytes[at] = self.bytes[at] & !mask | value & mask;
            // The bit reads as 0, so it is looked for in what is written.
            if at == DEVICE_CONTROL + 1 && value & (INITIATE_RESET >> 8) as u8 != 0 {
                effect = Effect::Reset;
            }
        }
        if effect == Effect::Reset {
            *self = Self::default();
        }
        Some(effect)
    }

    /// Whether the card may reach memory.
    pub fn is_bus_master(&self) -> bool {
        self.get16(COMMAND) & COMMAND_MASTER != 0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_capabilities_are_a_list_that_a_host_can_follow() {
        let space = ConfigSpace::default();
        assert_eq!(space.get16(0x06) & 1 << 4, 1 << 4);
        let mut found = Vec::new();
        let mut at = usize::from(space.bytes[CAPABILITIES]);
        while at != 0 {
            assert!(at >= 0x40 && at.is_multiple_of(4) && found.len() < 10);
            found.push(space.bytes[at]);
            at = usize::from(space.bytes[at + 1]);
        }
        assert_eq!(found, [0x01, 0x11, 0x10]);
    }

    #[test]
    fn bars_tell_their_size_and_what_is_fixed_stays() {
        let mut space = ConfigSpace::default();
        for (bar, bytes) in [(0, BAR0_BYTES), (1, 0), (2, MSIX_BAR_BYTES)] {
            let at = 0x10 + 4 * bar;
            assert_eq!(space.write(at, &[0xff; 4]), Some(Effect::None));
            let is = u32::from_le_bytes(space.read(at, 4).unwrap().try_into().unwrap());
            assert_eq!(is, (bytes as u32).wrapping_neg());
        }
        space.write(0, &[0; 4]).unwrap();
        assert_eq!(space.get16(0), VENDOR_ID);
        assert_eq!(space.write(CONFIG_BYTES as u64 - 1, &[0; 2]), None);
        assert!(space.read(u64::MAX, 4).is_none() && space.read(4095, 2).is_none());
    }

    #[test]
    fn a_reset_is_asked_for_by_one_bit_and_forgets_what_was_written() {
        let mut space = ConfigSpace::default();
        space.write(COMMAND as u64, &COMMAND_MASTER.to_le_bytes()).unwrap();
        assert!(space.is_bus_master());
        assert_eq!(space.write(DEVICE_CONTROL as u64, &[0x10, 0x28]), Some(Effect::None));
        assert!(space.is_bus_master());
        assert_eq!(space.write(DEVICE_CONTROL as u64, &[0x10, 0xa8]), Some(Effect::Reset));
        assert!(!space.is_bus_master());
        assert_eq!(space.get16(DEVICE_CONTROL), 0x2810);
    }
}
