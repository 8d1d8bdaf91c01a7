//! Rates of several contenders in one run, in turns, so that whatever else the machine does meets all of them.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Headers that are looked up together.
pub const BURST: usize = 256;

/// Something that looks up the headers of a list from a number on, so many of them.
pub struct Contender<'a> {
    /// Name in the table.
    pub name: String,
    /// Headers of its list.
    pub headers: usize,
    /// Looks up.
    pub look_up: Box<dyn FnMut(usize, usize) + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender.
    pub fn new(name: impl Into<String>, headers: usize, look_up: impl FnMut(usize, usize) + 'a) -> Self {
        Self { name: name.into(), headers, look_up: Box::new(look_up) }
    }

    /// Millions of headers a second of this thread's processor time, over at least that time.
    fn rate(&mut self, time: Duration) -> f64 {
        let (clock, wall) = (Clock::start(), Instant::now());
        let mut count = 0;
        while wall.elapsed() < time {
            for from in (0..self.headers).step_by(BURST) {
                let burst = BURST.min(self.headers - from);
                (self.look_up)(from, burst);
                count += burst;
            }
        }
        count as f64 / clock.busy().as_secs_f64() / 1e6
    }
}

/// Rates of one contender, round by round.
pub struct Rates(Vec<f64>);

impl Rates {
    /// The one in the middle.
    pub fn median(&self) -> f64 {
        median(self.0.clone())
    }

    /// Lowest and highest.
    pub fn spread(&self) -> (f64, f64) {
        let ends = |(lowest, highest): (f64, f64), rate: &f64| (lowest.min(*rate), highest.max(*rate));
        self.0.iter().fold((f64::INFINITY, 0.0), ends)
    }

    /// The ratio in the middle of those to another contender in the same rounds: what the machine's clock does from
    /// round to round meets both.
    pub fn ratio(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(rate, other)| rate / other).collect())
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Rates of every contender: in each round every one of them, after one round that does not count.
pub fn in_turns(contenders: &mut [Contender<'_>], rounds: usize, time: Duration) -> Vec<Rates> {
    let mut rates = vec![Vec::with_capacity(rounds); contenders.len()];
    for contender in contenders.iter_mut() {
        contender.rate(time / 4);
    }
    for _ in 0..rounds {
        for (contender, rates) in contenders.iter_mut().zip(&mut rates) {
            rates.push(contender.rate(time));
        }
    }
    rates.into_iter().map(Rates).collect()
}

/// Time that this thread ran, so that others on the machine count as little as possible.
pub struct Clock {
    start: Duration,
}

impl Clock {
    /// From now on.
    pub fn start() -> Self {
        Self { start: ran() }
    }

    /// How long the thread ran since.
    pub fn busy(&self) -> Duration {
        ran() - self.start
    }
}

/// Time that this thread ran so far.
fn ran() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
