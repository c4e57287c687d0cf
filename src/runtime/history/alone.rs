//! Whether one device alone runs a kernel's launches faster than all together, by size.
//!
//! Running together has costs: threads, transfers, and contention for cores and memory. Their sum is not
//! known in advance, so it is tried. If after a few launches together a device is expected to be about as
//! fast alone, some launches run on it alone, and the faster way is kept. Later the other way is tried again,
//! more and more rarely. The launches of a trial are consecutive, and do not alternate as in `cores`, because
//! data moves between the ways.
//!
//! What always holds: only launches of one size are compared. The first launch of each way is not counted,
//! because its data is elsewhere. If all together are much faster, nothing is tried. Pure: no clock, no
//! device.

use std::collections::{HashMap, VecDeque};

/// The number of launches of each way whose medians are compared.
const LOOK: usize = 3;

/// The number of launches together before the first trial. The first of them is not counted.
const FIRST: u32 = 1 + LOOK as u32;

/// A device is tried if it is expected to take at most this many times as long as all together.
const MAYBE: f64 = 1.1;

/// The other way must take less than this fraction of the time to be worth a change.
const GAIN: f64 = 0.97;

/// A trial ends with a launch that takes this many times as long as usual.
const HOPELESS: f64 = 2.0;

/// The number of launches before the next trial. It doubles with each trial.
const PAUSE: u32 = 32;
/// The most launches before a trial.
const RAREST: u32 = 8192;

/// The result of a trial is clear if one way is this many times as fast as the other.
const CLEAR: f64 = 1.5;
/// The factor of the pause after a clear result.
const CLEARLY: u32 = 8;

/// The most sizes of one kernel.
const SIZES: usize = 32;

/// The way to run a launch: on one device alone, or (`None`) on all together.
pub(crate) type Way = Option<usize>;

/// The state for launches of a kernel, by their workgroups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alone {
    sizes: HashMap<u64, Size>,
}

/// The state for launches of one size.
#[derive(Debug, Clone)]
struct Size {
    kept: Way,
    /// The seconds of the latest launches in the kept way.
    usual: VecDeque<f64>,
    /// The launches left until the next trial.
    until: u32,
    pause: u32,
    /// Whether the data of the next launch lies where the other way left it.
    moves: bool,
    trial: Option<(Way, Vec<f64>)>,
}

impl Default for Size {
    fn default() -> Size {
        let usual = VecDeque::with_capacity(LOOK + 1);
        Size { kept: None, usual, until: FIRST, pause: PAUSE, moves: true, trial: None }
    }
}

impl Size {
    fn way(&self) -> Way {
        self.trial.as_ref().map_or(self.kept, |trial| trial.0)
    }

    fn observe(&mut self, seconds: f64, expected: impl FnOnce() -> Option<(usize, f64)>) {
        self.until = self.until.saturating_sub(1);
        if std::mem::take(&mut self.moves) {
            return;
        }
        let usual = middle(self.usual.iter().copied());
        if let Some((way, times)) = &mut self.trial {
            times.push(seconds);
            let (way, tried) = (*way, middle(times.iter().copied()));
            if times.len() < LOOK && seconds < HOPELESS * usual {
                return;
            }
            let better = tried < GAIN * usual;
            if better {
                tracing::debug!(
                    ?way,
                    tried,
                    usual,
                    "changed between one device alone and all together"
                );
                self.usual = self.trial.take().map(|trial| trial.1.into()).unwrap_or_default();
                (self.kept, self.pause) = (way, PAUSE);
            }
            (self.trial, self.moves) = (None, !better);
            let clear = (usual / tried).max(tried / usual) > CLEAR;
            self.until = self.pause.saturating_mul(if clear { CLEARLY } else { 1 });
            self.pause = self.pause.saturating_mul(2).min(RAREST);
            return;
        }
        if self.usual.len() == LOOK {
            self.usual.pop_front();
        }
        self.usual.push_back(seconds);
        if self.until > 0 || self.usual.len() < LOOK {
            return;
        }
        let usual = middle(self.usual.iter().copied());
        let other = match self.kept {
            Some(_) => Some(None),
            None => expected().filter(|alone| alone.1 <= MAYBE * usual).map(|alone| Some(alone.0)),
        };
        match other {
            Some(way) => (self.trial, self.moves) = (Some((way, Vec::with_capacity(LOOK))), true),
            // There was no trial, so the pause does not grow.
            None => self.until = PAUSE,
        }
    }
}

/// The median; infinity if there are no times.
fn middle(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::INFINITY)
}

impl Alone {
    /// The way to run the next launch of this size.
    pub(crate) fn way(&self, workgroups: u64) -> Way {
        self.sizes.get(&workgroups).and_then(Size::way)
    }

    /// Takes the time of a launch. `expected` gives the device that is expected to be the fastest alone, and
    /// its seconds.
    pub(crate) fn observe(
        &mut self,
        workgroups: u64,
        way: Way,
        seconds: f64,
        expected: impl FnOnce() -> Option<(usize, f64)>,
    ) {
        if self.sizes.len() >= SIZES && !self.sizes.contains_key(&workgroups) {
            self.sizes.clear();
        }
        let size = self.sizes.entry(workgroups).or_default();
        // Launches at the same time may all have been told the same.
        if size.way() == way {
            size.observe(seconds, expected);
        }
    }

    /// Takes the failure of a device that was to run a launch alone: launches of this size run together for a
    /// long time.
    pub(crate) fn failed(&mut self, workgroups: u64) {
        let until = PAUSE.saturating_mul(CLEARLY);
        self.sizes.insert(workgroups, Size { until, ..Size::default() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs launches of 64 workgroups, of which each takes `time`. Device 1 is expected to be the fastest.
    /// Returns the sum of seconds and the last way.
    fn run(launches: u32, expected: f64, mut time: impl FnMut(u32, Way) -> f64) -> (f64, Way) {
        let (mut alone, mut sum) = (Alone::default(), 0.0);
        for launch in 0..launches {
            let way = alone.way(64);
            let seconds = time(launch, way);
            sum += seconds;
            alone.observe(64, way, seconds, || Some((1, expected)));
        }
        (sum, alone.way(64))
    }

    #[test]
    fn a_device_that_is_faster_alone_is_left_alone_after_a_few_launches() {
        for gain in [0.02, 0.5, 0.9] {
            let took = |_: u32, way: Way| if way == Some(1) { gain } else { 1.0 };
            let (sum, way) = run(4000, 0.9, took);
            assert_eq!(way, Some(1));
            assert!(sum < 4000.0 * gain + 60.0, "{gain}: {sum}");
        }
    }

    #[test]
    fn where_all_together_are_faster_trials_cost_next_to_nothing() {
        for loss in [1.05, 1.5, 20.0] {
            let (sum, way) = run(4000, 1.0, |_, way| if way.is_some() { loss } else { 1.0 });
            assert_eq!(way, None, "{loss}");
            let most = 4000.0 + 40.0 * (loss - 1.0);
            assert!(sum < most, "{loss}: {sum}");
        }
    }

    #[test]
    fn what_is_much_faster_together_is_never_tried_alone() {
        let (_, way) = run(1000, 1.2, |_, way| {
            assert_eq!(way, None);
            1.0
        });
        assert_eq!(way, None);
    }

    #[test]
    fn a_way_that_became_slow_is_left_again() {
        let (_, way) = run(3000, 0.9, |launch, way| match way {
            Some(_) if launch < 200 => 0.8,
            Some(_) => 2.0,
            None => 1.0,
        });
        assert_eq!(way, None);
    }

    #[test]
    fn after_a_failure_all_do_it_together_for_long() {
        let mut alone = Alone::default();
        let mut launch = |fails: bool| {
            let way = alone.way(64);
            if fails && way.is_some() {
                alone.failed(64);
            } else {
                let seconds = if way.is_some() { 0.5 } else { 1.0 };
                alone.observe(64, way, seconds, || Some((1, 0.5)));
            }
            way
        };
        assert!((0..10).any(|_| launch(false).is_some()));
        assert_eq!(launch(true), Some(1));
        assert!((0..100).all(|_| launch(true).is_none()));
        assert!((0..300).any(|_| launch(false).is_some()));
    }

    #[test]
    fn sizes_are_judged_one_by_one() {
        let mut alone = Alone::default();
        for _ in 0..40 {
            for (size, together) in [(64, 1.0), (8, 0.1)] {
                let way = alone.way(size);
                let seconds = if way.is_some() { 0.5 } else { together };
                alone.observe(size, way, seconds, || Some((0, 0.1)));
            }
        }
        assert_eq!((alone.way(64), alone.way(8)), (Some(0), None));
        for size in 100..1000 {
            alone.observe(size, None, 1.0, || None);
        }
        assert!(alone.sizes.len() <= SIZES);
    }
}
