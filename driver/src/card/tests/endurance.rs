//! A thousand starts and stops, resets and unplugs under load; and a million packets with faults at random.

use std::time::Instant;

use super::*;

/// Random packets of 64 to 9000 bytes, most of them short.
fn packet(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let length = match rng.random_range(0..20) {
        0 => rng.random_range(64..=9000),
        1..4 => rng.random_range(64..1600),
        _ => rng.random_range(64..200),
    };
    // One random word at the start tells packets apart, and the rest costs nothing.
    let mut packet = vec![length as u8; length];
    packet[..8].copy_from_slice(&rng.random::<u64>().to_le_bytes());
    packet
}

fn batch(rng: &mut ChaCha8Rng, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| packet(rng)).collect()
}

/// A loaded card with packets in flight.
fn under_load(seed: u64, faults: Vec<Fault>) -> Caller {
    let fake = FakeCard::new(&LAB, seed, faults).contained();
    let mut caller = Caller::on(fake, seed).unwrap();
    caller.card.load(&image(&LAB, 10)).unwrap();
    let packets = batch(&mut ChaCha8Rng::seed_from_u64(seed), 60);
    let taken = caller.card.post(packets.iter().map(Vec::as_slice)).unwrap();
    caller.posted.extend(packets.into_iter().take(taken));
    caller.counters.posted += taken as u64;
    caller.card.doorbell().unwrap();
    caller
}

#[test]
fn starts_and_stops_under_load_leave_nothing_behind() {
    let (cycles, start) = (1000_u64, Instant::now());
    for seed in 0..cycles {
        let mut caller = under_load(seed, vec![]);
        for _ in 0..seed % 7 {
            caller.poll().unwrap();
        }
        let mappings = caller.card.transport().mappings();
        let in_flight = caller.card.in_flight();
        if seed % 2 == 0 {
            drop(caller.card);
        } else {
            assert_eq!(caller.card.shutdown().unwrap().discarded, in_flight);
        }
        assert_eq!(look(&mappings), (0, 0), "a mapping is left, or went while the card was running");
    }
    println!("{cycles} starts and stops in {:?}", start.elapsed());
}

#[test]
fn resets_under_load_lose_nothing() {
    let (resets, start) = (1000_u64, Instant::now());
    let mut caller = under_load(1, vec![]);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..resets {
        let at = caller.card.transport().packets() + rng.random_range(0..40);
        caller.card.transport_mut().add(Fault::Reset { at });
        let packets = batch(&mut rng, 50);
        caller.run(&packets).unwrap();
    }
    caller.card.conservation(caller.counters).unwrap();
    let recoveries = caller.card.counters().recoveries;
    assert!(recoveries > resets / 2, "{recoveries} recoveries");
    println!("{resets} resets by others, {recoveries} recoveries in {:?}", start.elapsed());
}

#[test]
fn unplugs_under_load_end_with_an_error_and_leave_nothing_behind() {
    let (unplugs, start) = (1000_u64, Instant::now());
    let mut longest = 0;
    for seed in 0..unplugs {
        let mut caller = under_load(seed, vec![Fault::Unplug { at: seed % 50 }]);
        let more = batch(&mut ChaCha8Rng::seed_from_u64(!seed), 60);
        let error = caller.run(&more).unwrap_err();
        assert!(matches!(error, DriverError::GaveUp { .. }), "{error:?}");
        let counters = caller.card.counters().clone();
        assert_eq!(counters.posted, counters.verdicts + counters.discarded);
        assert_eq!(counters.discarded as usize, caller.posted.len(), "the caller knows what is not answered");
        let fake = caller.card.transport();
        longest = longest.max(fake.now_ns() - fake.gone_ns().unwrap());
        let mappings = fake.mappings();
        drop(caller.card);
        assert_eq!(look(&mappings), (0, 0));
    }
    assert!(longest < 1_000_000_000, "{longest} ns");
    println!("{unplugs} unplugs in {:?}; given up at the latest {longest} ns after", start.elapsed());
}

/// Without an IOMMU a card that cannot be stopped keeps its memory for ever.
#[test]
fn memory_of_a_card_that_may_still_write_is_kept() {
    let faults = vec![Fault::Hang { at: 5, forever: true }, Fault::NoReset { at: 1 }];
    let mut caller = Caller::on(FakeCard::new(&LAB, 1, faults), 1).unwrap();
    caller.card.load(&image(&LAB, 10)).unwrap();
    let mappings = caller.card.transport().mappings();
    caller.run(&packets(&mut ChaCha8Rng::seed_from_u64(1), 40)).unwrap_err();
    drop(caller.card);
    assert_eq!(look(&mappings), (3, 0), "rings and status line");
}

/// A million packets of 64 to 9000 bytes with a fault every few hundred: each has exactly one verdict, the right one.
#[test]
fn every_packet_has_one_right_verdict_whatever_happens() {
    let (count, start) = (1_000_000, Instant::now());
    let fake = FakeCard::new(&LAB, 9, vec![]).contained().troubled(150);
    // Several faults may hit one recovery after the other.
    let patient = Config { recoveries: 12, ..config() };
    let mut caller = Caller::with(fake, patient, 9).unwrap();
    caller.card.load(&image(&LAB, 10)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    while (caller.counters.verdicts as usize) < count {
        let packets = batch(&mut rng, 100);
        caller.run(&packets).unwrap();
        if rng.random_ratio(1, 8) {
            // Nothing is in flight: an interrupt comes late or never, and nobody hangs for it.
            let waited = caller.card.wait(10_000);
            waited.map(|_| ()).or_else(|error| caller.recover(error)).unwrap();
        }
    }
    assert_eq!(caller.counters.verdicts, caller.counters.posted);
    let counters = caller.card.counters();
    assert_eq!((counters.posted, counters.discarded), (counters.verdicts, 0));
    let Counters { recoveries, replayed, errors, .. } = counters.clone();
    let missing: Vec<usize> = (0..errors.len()).filter(|n| errors[*n] == 0).collect();
    assert!(missing.is_empty(), "no error of cause {missing:?} came: {errors:?}");
    println!(
        "{} packets, {} faults, {recoveries} recoveries, {replayed} packets posted again, errors {errors:?}, in {:?}",
        caller.counters.verdicts,
        caller.card.transport().troubles(),
        start.elapsed()
    );
}
