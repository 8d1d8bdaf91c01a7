//! Every device against the reference. One program of all, not one of each, so that its tests keep all processors busy: many are a
//! long simulation on one of them.
//!
//! `cargo test -p wiresift-tests --test end_to_end -- sets::` runs those of one module.

mod classbench;
mod corpus;
mod failover;
mod random;
mod sets;
mod updates;
