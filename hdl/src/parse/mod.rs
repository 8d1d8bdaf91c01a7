//! From the packet stream to header vectors: the window, and the parser behind it.

pub(crate) mod slots;
pub mod window;

#[cfg(test)]
mod testing;
