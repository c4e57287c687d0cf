//! Which device gets how many bands next. A pure state machine: callers tell it the time that
//! chunks took, it never looks at a clock.
//!
//! Bands are handed out from the front, in runs. A device's first run is one band, a probe; from
//! then on a run is half of the device's fair share of what is left, by measured speed: large
//! ones first, smaller towards the end, so that all finish together. A device takes nothing when
//! the others are expected to finish everything that is left before it could finish one band.
//! A run that failed goes back to the front and its device gets no more.
//!
//! Invariants: every band is handed out, and handed out again only after a failure; `finished`
//! is true exactly when every band was completed.

use std::ops::Range;

/// What is known of a device's speed before the launch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// Bands of this launch per second, measured on an earlier launch of the kernel.
    Measured(f64),
    /// Only how devices of its kind compare, in no unit.
    Guess(f64),
}

/// Hands out the bands of one launch.
#[derive(Debug)]
pub(crate) struct Policy {
    next: u32,
    bands: u32,
    done: u32,
    returned: Vec<Range<u32>>,
    devices: Vec<Device>,
    /// Each run is one band, and no device is left idle: the user asked for these very chunks.
    fixed: bool,
}

#[derive(Debug)]
struct Device {
    takes_part: bool,
    guess: f64,
    /// Bands per second, a running mean weighted to the newest.
    rate: Option<f64>,
    in_flight: u32,
}

impl Policy {
    /// A policy for `bands` bands and one device per entry of `speeds`; `None` stays idle.
    pub(crate) fn new(bands: u32, speeds: &[Option<Speed>], fixed: bool) -> Policy {
        let devices = speeds
            .iter()
            .map(|speed| Device {
                takes_part: speed.is_some(),
                guess: match speed {
                    Some(Speed::Guess(guess)) => *guess,
                    _ => 1.0,
                },
                rate: match speed {
                    Some(Speed::Measured(rate)) => Some(*rate),
                    _ => None,
                },
                in_flight: 0,
            })
            .collect();
        Policy { next: 0, bands, done: 0, returned: Vec::new(), devices, fixed }
    }

    /// Whether every band is complete.
    pub(crate) fn finished(&self) -> bool {
        self.done == self.bands
    }

    /// Whether a device may be given bands: it was not left out, and has not failed.
    pub(crate) fn takes_part(&self, device: usize) -> bool {
        self.devices[device].takes_part
    }

    /// The bands that the next run would begin with and could extend to.
    pub(crate) fn front(&self) -> Range<u32> {
        self.returned.last().cloned().unwrap_or(self.next..self.bands)
    }

    /// The next run for a device, at most `most` bands; nothing when there is none for it now.
    /// There may be later, if a run comes back.
    pub(crate) fn take(&mut self, device: usize, most: u32) -> Option<Range<u32>> {
        if !self.devices[device].takes_part || most == 0 {
            return None;
        }
        if let Some(mut run) = self.returned.pop() {
            if run.end - run.start > most {
                self.returned.push(run.start + most..run.end);
                run.end = run.start + most;
            }
            self.devices[device].in_flight += run.end - run.start;
            return Some(run);
        }
        let left = self.bands - self.next;
        if left == 0 || !self.pays(device, left) {
            return None;
        }
        let count = self.share(device, left).min(most).min(left);
        let run = self.next..self.next + count;
        self.next += count;
        self.devices[device].in_flight += count;
        Some(run)
    }

    /// A run is complete; `seconds` is what the device took for it alone.
    pub(crate) fn complete(&mut self, device: usize, run: &Range<u32>, seconds: f64) {
        let count = run.end - run.start;
        let device = &mut self.devices[device];
        device.in_flight -= count;
        self.done += count;
        let now = f64::from(count) / seconds.max(1e-9);
        device.rate = Some(device.rate.map_or(now, |old| 0.5 * old + 0.5 * now));
    }

    /// A run is not to be done in one piece, or not now; its device goes on.
    pub(crate) fn give_back(&mut self, device: usize, run: Range<u32>) {
        self.devices[device].in_flight -= run.end - run.start;
        self.returned.push(run);
    }

    /// A run failed; its device is put aside.
    pub(crate) fn fail(&mut self, device: usize, run: Range<u32>) {
        self.devices[device].in_flight -= run.end - run.start;
        self.devices[device].takes_part = false;
        self.returned.push(run);
    }

    /// Measured bands per second, if the device completed any.
    pub(crate) fn rate(&self, device: usize) -> Option<f64> {
        self.devices[device].rate
    }

    /// Speeds in one unit: measured where all are, else scaled from the guesses.
    fn speeds(&self) -> Vec<f64> {
        // Bands per second of a device whose guess is 1, by those that are measured.
        let known: Vec<f64> = self.devices.iter().filter_map(|d| Some(d.rate? / d.guess)).collect();
        let unit =
            if known.is_empty() { 1.0 } else { known.iter().sum::<f64>() / known.len() as f64 };
        self.devices
            .iter()
            .map(|d| if d.takes_part { d.rate.unwrap_or(d.guess * unit) } else { 0.0 })
            .collect()
    }

    fn share(&self, device: usize, left: u32) -> u32 {
        if self.fixed {
            return 1;
        }
        let alone = self.devices.iter().filter(|d| d.takes_part).count() == 1;
        if alone {
            return left;
        }
        if self.devices[device].rate.is_none() {
            return 1;
        }
        let speeds = self.speeds();
        let total: f64 = speeds.iter().sum();
        let fair = f64::from(left) * speeds[device] / total;
        ((fair / 2.0) as u32).max(1)
    }

    fn pays(&self, device: usize, left: u32) -> bool {
        if self.fixed {
            return true;
        }
        let speeds = self.speeds();
        let others: f64 = speeds.iter().sum::<f64>() - speeds[device];
        if others <= 0.0 {
            return true;
        }
        let waiting: u32 = self
            .devices
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != device)
            .map(|(_, d)| d.in_flight)
            .sum();
        // The others can't do what is left faster than the fastest of them does one band; so the
        // fastest device of all never refuses while it is idle, and the launch goes on.
        let fastest = speeds
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != device)
            .fold(0.0, |most: f64, (_, speed)| most.max(*speed));
        let theirs = (f64::from(left + waiting) / others).max(1.0 / fastest);
        let mine = f64::from(self.devices[device].in_flight + 1) / speeds[device].max(1e-30);
        mine <= theirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs a launch in virtual time; gives the makespan and each device's bands.
    fn simulate(bands: u32, rates: &[f64], mut policy: Policy) -> (f64, Vec<u32>) {
        let mut free: Vec<f64> = vec![0.0; rates.len()];
        let mut taken = vec![0; rates.len()];
        let mut idle = vec![false; rates.len()];
        while !policy.finished() {
            let (device, _) = free
                .iter()
                .enumerate()
                .filter(|(d, _)| !idle[*d])
                .min_by(|a, b| a.1.total_cmp(b.1))
                .expect("some device works while bands are left");
            match policy.take(device, u32::MAX) {
                Some(run) => {
                    let count = run.end - run.start;
                    let seconds = f64::from(count) / rates[device];
                    free[device] += seconds;
                    taken[device] += count;
                    policy.complete(device, &run, seconds);
                    idle.fill(false);
                }
                None => idle[device] = true,
            }
        }
        assert_eq!(taken.iter().sum::<u32>(), bands);
        (free.iter().copied().fold(0.0, f64::max), taken)
    }

    #[test]
    fn unequal_devices_finish_together() {
        let speeds = [Some(Speed::Guess(1.0)); 3];
        let (makespan, taken) = simulate(256, &[1.0, 3.0, 10.0], Policy::new(256, &speeds, false));
        let best = 256.0 / 14.0;
        assert!(makespan < 1.15 * best, "{makespan} against {best}, {taken:?}");
    }

    #[test]
    fn a_hopeless_device_takes_nothing() {
        let speeds = [Some(Speed::Guess(1.0)), Some(Speed::Guess(1000.0))];
        let (makespan, taken) = simulate(64, &[1.0, 1000.0], Policy::new(64, &speeds, false));
        assert_eq!(taken, [0, 64]);
        assert!(makespan < 0.065);
    }

    #[test]
    fn a_device_alone_gets_everything_at_once() {
        let mut policy = Policy::new(64, &[None, Some(Speed::Guess(1.0))], false);
        assert_eq!(policy.take(0, 64), None);
        assert_eq!(policy.take(1, 64), Some(0..64));
    }

    #[test]
    fn a_failed_run_is_done_by_another_device() {
        let mut policy = Policy::new(2, &[Some(Speed::Guess(1.0)); 2], true);
        let (a, b) = (policy.take(0, 9).unwrap(), policy.take(1, 9).unwrap());
        policy.complete(1, &b, 1.0);
        policy.fail(0, a.clone());
        assert_eq!(policy.take(0, 9), None);
        assert!(!policy.finished() && !policy.takes_part(0));
        assert_eq!(policy.take(1, 9), Some(a.clone()));
        policy.complete(1, &a, 1.0);
        assert!(policy.finished());
    }

    #[test]
    fn a_device_that_failed_gets_no_more() {
        let mut policy = Policy::new(1, &[Some(Speed::Guess(1.0))], false);
        let run = policy.take(0, 1).unwrap();
        policy.fail(0, run);
        assert!(!policy.finished() && policy.take(0, 1).is_none());
    }

    proptest! {
        #[test]
        fn every_band_is_handed_out_once(
            bands in 1u32..300,
            rates in proptest::collection::vec(0.01f64..100.0, 1..6),
            guesses in proptest::collection::vec(0.01f64..100.0, 6),
            fixed in any::<bool>(),
        ) {
            let speeds: Vec<_> =
                rates.iter().zip(&guesses).map(|(_, g)| Some(Speed::Guess(*g))).collect();
            simulate(bands, &rates, Policy::new(bands, &speeds, fixed));
        }
    }
}
