//! Rules, compiler, engines, captures and reports of Wiresift.
//!
//! A rule's way: [`rules`] (text to [`rules::model`]) → [`compile`] (to a rule image and its [`metadata`]).
//! A packet's way: [`capture`] → [`session`] → a [`device`] ([`engine`] or a card) → [`decision`] → [`report`].
#![deny(unsafe_code)]

pub mod capture;
pub mod compile;
pub mod decision;
pub mod device;
pub mod devices;
pub mod engine;
pub mod metadata;
pub mod patterns;
pub mod report;
pub mod rules;
pub mod session;
pub mod verify;
pub mod watch;
