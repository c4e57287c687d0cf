//! Balance: when data that lies on devices is moved, so that all devices end at the same time.
//!
//! Each launch of a kernel whose data is on devices gives the speed of each device. One launch says little:
//! if devices share cores, or the machine has other load, speeds vary by tens of per cent from launch to
//! launch, and moving data after each change costs more than it gains. So a move has to pass two tests. Its
//! mean gain in recent launches must be surely positive, given the spread of the gains. And its total gain in
//! these launches must exceed its cost: the move would have paid then, and there is no better prediction.
//!
//! Each move doubles the gain that the next one needs, until many launches have passed without a move. Pure:
//! no clock, no device.

use std::collections::VecDeque;

/// The numbers of recent launches to examine, and the launches between two examinations. Few launches show a
/// large change; many are needed if they differ. The older half proposes shares and the younger half tests
/// them, because shares always look good on the launches that proposed them.
const LOOKS: [(usize, u64); 3] = [(16, 2), (64, 8), (WINDOW, 32)];
/// The number of launches that are kept.
const WINDOW: usize = 256;
/// The least gain of a launch that is worth a move, as a logarithm.
const SLACK: f64 = 0.05;
/// The same for devices that share hardware. A device that computes more slows the others down, so measured
/// speeds say little about other shares. Two equal logical devices of one software GPU measure as 1 : 2 for
/// hundreds of launches.
const SLACK_SHARED: f64 = 0.6;
/// The number of standard errors by which the mean gain must exceed the slack. The test is repeated all the
/// time, so errors in a few of a thousand tests would be too many. Few launches need more, because their
/// spread is a rough estimate.
fn sure(launches: f64) -> f64 {
    4.0 * (1.0 + 10.0 / launches)
}
/// The gain of one launch counts as at most this factor.
const OUTLIER: f64 = 2.0;
/// The gain that a move needs does not double beyond this number of moves.
const MOST_MOVES: u32 = 6;
/// The number of launches without a move after which the last one is forgotten.
const CALM: u32 = 512;

/// The recent speeds of devices in a kernel's launches, and its moves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Balance {
    /// By launch, the latest last, and device: bands per second; `None` for a device without bands.
    recent: VecDeque<Vec<Option<f64>>>,
    moves: u32,
    /// The number of launches since the last move.
    calm: u32,
    /// The number of all launches.
    seen: u64,
}

impl Balance {
    /// Takes a launch: the bands and the seconds of each device.
    pub(crate) fn observe(&mut self, done: &[(u32, f64)]) {
        let rate = |&(bands, seconds): &(u32, f64)| {
            (bands > 0 && seconds > 0.0).then(|| f64::from(bands) / seconds)
        };
        let rates: Vec<Option<f64>> = done.iter().map(rate).collect();
        if self.recent.back().is_some_and(|last| !alike(last, &rates)) {
            self.recent.clear();
        }
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(rates);
        self.seen += 1;
        self.calm += 1;
        if self.calm > CALM {
            (self.moves, self.calm) = (self.moves.saturating_sub(1), 0);
        }
    }

    /// Shares that are worth a move from `now`, if there are any. `expected` are bands per second, for
    /// devices that had no bands; 0 for a device that takes no part. `shared`: devices share hardware.
    /// `shares` gives the bands that each device should have at given speeds, and `cost` the seconds of the
    /// move.
    pub(crate) fn better<S: AsRef<[u32]>>(
        &self,
        now: &[u32],
        expected: &[f64],
        shared: bool,
        shares: impl Fn(&[f64]) -> S,
        cost: impl Fn(&S) -> f64,
    ) -> Option<S> {
        LOOKS.into_iter().find_map(|(launches, each)| {
            if self.recent.len() < launches || !self.seen.is_multiple_of(each) {
                return None;
            }
            let lately = self.recent.range(self.recent.len() - launches..);
            let lately: Vec<&Vec<Option<f64>>> = lately.collect();
            let (older, younger) = lately.split_at(launches / 2);
            let speeds = speeds(older, expected);
            let then = shares(&speeds);
            let least = cost(&then) * f64::from(1 << self.moves);
            let slack = if shared { SLACK_SHARED } else { SLACK };
            pays(younger, now, then.as_ref(), &speeds, (slack, least)).then_some(then)
        })
    }

    /// Takes a move of data, and forgets the launches before, which had other shares.
    pub(crate) fn moved(&mut self) {
        self.recent.clear();
        (self.moves, self.calm) = ((self.moves + 1).min(MOST_MOVES), 0);
    }
}

/// Bands per second of each device: the median of some launches, or else as `expected`.
fn speeds(launches: &[&Vec<Option<f64>>], expected: &[f64]) -> Vec<f64> {
    let middle = |device: usize| {
        let rates = launches.iter().filter_map(|rates| *rates.get(device)?);
        let mut rates: Vec<f64> = rates.collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied()
    };
    let known: Vec<Option<f64>> = (0..expected.len()).map(middle).collect();
    // Expected speeds are scaled by the ratio of measured speeds to expected ones.
    let (mut seen, mut thought) = (0.0, 0.0);
    for (known, expected) in known.iter().zip(expected) {
        if let (Some(known), true) = (known, *expected > 0.0) {
            (seen, thought) = (seen + known, thought + expected);
        }
    }
    let scale = if thought > 0.0 { seen / thought } else { 1.0 };
    let speed = |(known, &expected): (Option<f64>, &f64)| match known {
        Some(known) if expected > 0.0 => known,
        _ => expected * scale,
    };
    known.into_iter().zip(expected).map(speed).collect()
}

/// Whether these launches would surely have been shorter with the shares `then` instead of `now`: by `slack`
/// on average, and by `least` seconds in total. `speeds` are for devices that had no bands.
fn pays(
    launches: &[&Vec<Option<f64>>],
    now: &[u32],
    then: &[u32],
    speeds: &[f64],
    (slack, least): (f64, f64),
) -> bool {
    let (mut gained, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for rates in launches {
        let time = |shares: &[u32]| {
            let of = |device: usize| match rates.get(device).copied().flatten() {
                _ if shares[device] == 0 => 0.0,
                Some(rate) => f64::from(shares[device]) / rate,
                None => f64::from(shares[device]) / speeds[device],
            };
            (0..shares.len()).map(of).fold(0.0, f64::max)
        };
        let (before, after) = (time(now), time(then));
        gained += before - after;
        let gain = (before / after).clamp(1.0 / OUTLIER, OUTLIER).ln();
        (sum, squares) = (sum + gain, squares + gain * gain);
    }
    let count = launches.len() as f64;
    let mean = sum / count;
    let spread = ((squares - sum * mean).max(0.0) / (count - 1.0)).max(swing(launches)).sqrt();
    now != then && mean - sure(count) * spread / count.sqrt() > slack && gained > least
}

/// The variance of devices' speeds, as logarithms, relative to all of the launch. Gains may vary less than
/// speeds, and would then seem too sure.
fn swing(launches: &[&Vec<Option<f64>>]) -> f64 {
    let devices = launches.first().map_or(0, |rates| rates.len());
    let count = launches.len() as f64;
    let (mut sums, mut squares) = (vec![0.0; devices], 0.0);
    for rates in launches {
        let logs = || rates.iter().flatten().map(|rate| rate.ln());
        let all = logs().sum::<f64>() / logs().count().max(1) as f64;
        for (sum, rate) in sums.iter_mut().zip(rates.iter()) {
            let log = rate.map_or(0.0, |rate| rate.ln() - all);
            (*sum, squares) = (*sum + log, squares + log * log);
        }
    }
    let squares = squares - sums.iter().map(|sum| sum * sum / count).sum::<f64>();
    (squares / (count - 1.0)).max(0.0)
}

/// Whether the same devices took part.
fn alike(a: &[Option<f64>], b: &[Option<f64>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_some() == b.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers: SplitMix64.
    struct Chance(u64);

    impl Chance {
        fn uniform(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }

        /// Log-normal.
        fn jitter(&mut self, sigma: f64) -> f64 {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
            (sigma * radius * (std::f64::consts::TAU * self.uniform()).cos()).exp()
        }
    }

    const BANDS: u32 = 64;
    /// The seconds to move one band. A device of speed 1 computes a band in a millisecond.
    const MOVE: f64 = 0.5e-3;

    /// The outcome of many launches.
    struct Run {
        moves: u32,
        bands_moved: u32,
        /// Of all launches and moves.
        seconds: f64,
        first: Option<u32>,
    }

    /// Runs launches on two devices that begin with equal shares; `speed` gives their speeds.
    fn run(launches: u32, mut speed: impl FnMut(u32) -> [f64; 2]) -> Run {
        let mut balance = Balance::default();
        let mut shares = [BANDS / 2, BANDS / 2];
        let mut run = Run { moves: 0, bands_moved: 0, seconds: 0.0, first: None };
        for launch in 0..launches {
            let wanted = |speeds: &[f64]| {
                let part = f64::from(BANDS) * speeds[0] / (speeds[0] + speeds[1]);
                [part.round() as u32, BANDS - part.round() as u32]
            };
            let bands = |wanted: &[u32; 2]| wanted[0].abs_diff(shares[0]);
            let cost = |wanted: &[u32; 2]| f64::from(bands(wanted)) * MOVE;
            if let Some(better) = balance.better(&shares, &[1.0, 1.0], false, wanted, cost) {
                balance.moved();
                run.moves += 1;
                run.bands_moved += bands(&better);
                run.seconds += cost(&better);
                run.first.get_or_insert(launch);
                shares = better;
            }
            let speeds = speed(launch);
            let took = |device: usize| f64::from(shares[device]) * 1e-3 / speeds[device];
            run.seconds += took(0).max(took(1));
            balance.observe(&[(shares[0], took(0)), (shares[1], took(1))]);
        }
        run
    }

    #[test]
    fn equal_devices_on_a_noisy_machine_move_next_to_nothing_in_a_thousand_launches() {
        // A band has 64 rows, and the halo is two rows a step: a twentieth of all halos is less
        // than two bands.
        let mut most = 0;
        for seed in 1000..1060 {
            let mut chance = Chance(seed);
            let sigma = [0.1, 0.2, 0.4][seed as usize % 3];
            // Some noise lasts for one launch, some for dozens, like the load of another process.
            let mut slow = [1.0f64; 2];
            let found = run(1000, |launch| {
                if launch % 37 == 0 {
                    slow = [chance.jitter(0.03), chance.jitter(0.03)];
                }
                [slow[0] * chance.jitter(sigma), slow[1] * chance.jitter(sigma)]
            });
            most = most.max(found.bands_moved);
            assert!(found.bands_moved <= 1, "seed {seed}: {}", found.bands_moved);
        }
        assert!(most <= 1, "{most}");
    }

    #[test]
    fn devices_that_share_hardware_keep_what_they_have_whatever_they_seem_to_do() {
        for seed in 0..50 {
            let (mut chance, mut balance) = (Chance(seed), Balance::default());
            for _ in 0..1000 {
                // While both compute, the first gets two thirds of the cores.
                let (a, b) = (chance.jitter(0.1) * 0.67, chance.jitter(0.1) * 0.33);
                balance.observe(&[(32, 32.0 / a), (32, 32.0 / b)]);
                let better = balance.better(&[32, 32], &[1.0; 2], true, |_| [43, 21], |_| 0.0);
                assert_eq!(better, None, "seed {seed}");
            }
            // But a launch that takes four times as long as necessary is corrected.
            for _ in 0..100 {
                balance.observe(&[(32, 32.0), (32, 32.0 * 9.0)]);
            }
            let share = |_: &[f64]| [58, 6];
            let looks = (0..64).find_map(|_| {
                balance.observe(&[(32, 32.0), (32, 32.0 * 9.0)]);
                balance.better(&[32, 32], &[1.0; 2], true, share, |_| 0.0)
            });
            assert_eq!(looks, Some([58, 6]), "seed {seed}");
        }
    }

    #[test]
    fn a_device_that_is_slower_gets_less_at_once() {
        for seed in 0..40 {
            let mut chance = Chance(seed);
            let found = run(1000, |_| [chance.jitter(0.1), 3.0 * chance.jitter(0.1)]);
            assert!(found.first.is_some_and(|first| first <= 32), "seed {seed}: {:?}", found.first);
            assert!(found.moves <= 4, "seed {seed}: {} moves", found.moves);
            // 64 bands take 16 ms at best; noise costs some more.
            assert!(found.seconds < 1000.0 * 16e-3 * 1.25, "seed {seed}: {}", found.seconds);
        }
    }

    #[test]
    fn a_device_that_becomes_slow_loses_what_it_has_and_gets_it_back() {
        for seed in 0..40 {
            let mut chance = Chance(seed);
            let found = run(2000, |launch| {
                let slow = if (500..1000).contains(&launch) { 0.25 } else { 1.0 };
                [slow * chance.jitter(0.1), chance.jitter(0.1)]
            });
            assert!(found.moves >= 2, "seed {seed}");
            // Without a move 500 launches would take four times as long; with, 1.6 times.
            let possible = 1500.0 * 32e-3 + 500.0 * 32e-3 * 1.6;
            assert!(found.seconds < possible * 1.25, "seed {seed}: {} {possible}", found.seconds);
        }
    }

    #[test]
    fn a_move_that_costs_more_than_was_lost_waits() {
        let mut balance = Balance::default();
        for _ in 0..16 {
            balance.observe(&[(32, 1.0), (32, 2.0)]);
        }
        let better = |balance: &Balance, now: [u32; 2], cost: f64| {
            let shares = |speeds: &[f64]| {
                assert_eq!(speeds, [32.0, 16.0]);
                [43, 21]
            };
            balance.better(&now, &[1.0, 1.0], false, shares, |_| cost)
        };
        // Each launch takes 2 seconds, and would take 43 / 32.
        let lost = 8.0 * (2.0 - 43.0 / 32.0);
        assert_eq!(better(&balance, [32, 32], lost * 0.99), Some([43, 21]));
        assert_eq!(better(&balance, [32, 32], lost * 1.01), None);
        assert_eq!(better(&balance, [43, 21], 0.0), None);
        balance.moved();
        assert_eq!(better(&balance, [32, 32], 0.0), None, "nothing was seen since");
    }

    #[test]
    fn who_had_nothing_counts_as_expected_beside_the_others() {
        let rates = vec![Some(8.0), None, Some(4.0)];
        assert_eq!(speeds(&[&rates], &[16.0, 3.0, 8.0]), [8.0, 1.5, 4.0]);
        assert_eq!(speeds(&[&rates], &[16.0, 0.0, 8.0]), [8.0, 0.0, 4.0]);
    }
}
