//! What the card is on the PCI bus.
//!
//! The bridge in front of the card decides most of it; these are the values that the boards and the simulated
//! card are made with. Whether a function is a Wiresift card says the register ID in BAR0 alone.

/// Vendor: the maker of the bridge.
pub const VENDOR_ID: u16 = 0x10ee;
/// Device: the bridge's own number for Gen3 x16.
pub const DEVICE_ID: u16 = 0x903f;
/// Vendor of the subsystem.
pub const SUBSYSTEM_VENDOR_ID: u16 = VENDOR_ID;
/// Subsystem: "WS".
pub const SUBSYSTEM_ID: u16 = 0x5753;
/// Class: processing accelerator (PCI Code and ID Assignment, 1.18).
pub const CLASS: u32 = 0x12_0000;
/// Bytes of BAR0, which holds the registers.
pub const BAR0_BYTES: usize = 1 << crate::csr::ADDRESS_BITS;
/// Interrupts (MSI-X): the card has one request line.
pub const MSIX_VECTORS: usize = 1;

/// Vendor of a function behind the AWS F2 shell.
pub const AWS_VENDOR_ID: u16 = 0x1d0f;
/// Device number that the image for AWS F2 is registered with; its makers leave 0xf000 to 0xf0ff to everybody.
pub const AWS_DEVICE_ID: u16 = 0xf057;

/// Whether a function has the numbers that a card is made with: vendor and device, and those of the subsystem.
pub const fn is_card((vendor, device): (u16, u16), (subsystem_vendor, subsystem): (u16, u16)) -> bool {
    let is_function = matches!((vendor, device), (VENDOR_ID, DEVICE_ID) | (AWS_VENDOR_ID, AWS_DEVICE_ID));
    is_function && subsystem_vendor == SUBSYSTEM_VENDOR_ID && subsystem == SUBSYSTEM_ID
}
