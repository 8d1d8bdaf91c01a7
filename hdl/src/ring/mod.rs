//! Both ends of the pipeline inside the rings' formats: batches in, records out.

pub mod pack;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
pub(crate) mod testing;
pub mod unpack;
