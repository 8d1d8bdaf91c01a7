//! From the packet stream to header vectors: the window, and the parser behind it.

mod assemble;
mod base;
mod bounds;
mod delay;
mod element;
mod ether_type;
mod ethernet;
mod extension;
mod next_header;
pub mod parser;
mod slots;
mod transport;
mod vlan;
pub mod window;
mod wire_order;

#[cfg(test)]
mod testing;

pub use parser::Parser;
pub use window::Window;
