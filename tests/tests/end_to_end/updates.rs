//! Rules that change under traffic: every decision is the reference's by the rules that were in force at
//! its packet, through long rows of random transactions.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use wiresift_abi::geometry::{Geometry, LAB, LINE};
use wiresift_host::engine::cpu::{CpuDevice, CpuEngine};
use wiresift_tests::changes::{Changing, Ran};
use wiresift_tests::{long, seeded};

/// Transactions of the long runs.
const LONG: usize = 100_000;

fn on_cpu(test: &str, seed: u64, geometry: &'static Geometry, transactions: usize) {
    let mut changing = Changing::new(seeded(test, seed), geometry);
    let mut device = CpuDevice::new(CpuEngine::new(&changing.live().image().unwrap()).unwrap()).unwrap();
    tell(test, changing.run(&mut device, transactions));
}

/// Prints a run, and sees to it that it was one: packets matched, and rules were changed.
fn tell(test: &str, ran: Ran) {
    println!("{test}: {ran:?}");
    assert!(ran.matched * 10 > ran.packets && ran.matched < ran.packets, "{ran:?}");
    assert!(ran.changes > ran.transactions && ran.refused < ran.transactions, "{ran:?}");
}

#[test]
fn the_cpu_engine_follows_every_transaction() {
    on_cpu("cpu, lab", 1, &LAB, if long() { LONG } else { 1500 });
    on_cpu("cpu, line", 2, &LINE, if long() { LONG / 10 } else { 150 });
}

/// The simulated card by the driver, with packets in flight while every transaction is posted. The device
/// checks that every verdict carries the version that it was to be decided by.
#[cfg(feature = "rtl")]
mod on_the_simulated_card {
    use std::sync::Arc;

    use wiresift_host::engine::card::CardDevice;
    use wiresift_testbench::library::BuildError;
    use wiresift_testbench::model::ModelError;
    use wiresift_testbench::{Options, SimCard, SimError};

    use super::*;

    fn run(test: &str, seed: u64, geometry: &'static Geometry, transactions: usize) {
        let mut changing = Changing::new(seeded(test, seed), geometry);
        let sim = match SimCard::new(&Options::new(geometry)) {
            Err(SimError::Model(ModelError::Build(BuildError::NoTool(tool))))
                if std::env::var_os("REQUIRE_TOOLS").is_none_or(|value| value != "1") =>
            {
                println!("skipped: {tool} is not installed");
                return;
            }
            result => result.unwrap(),
        };
        let image = changing.live().image().unwrap();
        let (metadata, engine) = (Arc::clone(changing.live().metadata()), CpuEngine::new(&image).unwrap());
        let check = |card: &SimCard| Ok(card.check()?);
        let mut device = CardDevice::open("rtl", sim, check, &image, metadata, engine).unwrap();
        tell(test, changing.run(&mut device, transactions));
    }

    #[test]
    fn lab_follows_every_transaction() {
        run("rtl, lab", 3, &LAB, if long() { LONG } else { 1500 });
    }

    #[test]
    fn line_follows_every_transaction() {
        run("rtl, line", 4, &LINE, if long() { LONG / 50 } else { 100 });
    }
}
