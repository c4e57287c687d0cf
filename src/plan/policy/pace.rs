//! The estimate of a device's speed: the speed known before the launch, corrected by every chunk
//! that the device completes.
//!
//! A chunk costs its device a fixed overhead (launch, link) and a time per band. The overhead is
//! given. The time per band is a running mean of the chunks' times beyond the overhead. A small
//! deviation is jitter, and moves the mean by the weight of one chunk. A large one shows that the
//! device's speed changed, and the mean follows at once.

use super::prior::Speed;

/// The most chunks that the mean takes into account.
const MEMORY: f64 = 4.0;

/// A chunk that is more than this factor slower or faster than the mean is not jitter. For jitter
/// of 20 % it would be about three standard deviations away.
const CHANGE: f64 = 1.8;

/// The weight of the old mean when the device's speed changed.
const KEPT: f64 = 0.25;

/// The estimate for one device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Seconds per band.
    band: f64,
    /// The number of chunks in the mean, at most [`MEMORY`]; 0 for an estimate.
    weight: f64,
    /// Whether a chunk of this launch was measured.
    measured: bool,
}

impl Pace {
    pub(super) fn new(speed: Speed) -> Pace {
        let (rate, weight) = match speed {
            Speed::Measured(rate) => (rate, 1.0),
            Speed::Estimated(rate) => (rate, 0.0),
        };
        let rate = if rate.is_finite() { rate.clamp(1e-12, 1e15) } else { 1.0 };
        Pace { band: 1.0 / rate, weight, measured: false }
    }

    /// Whether no measurement supports the speed.
    pub(super) fn is_estimate(&self) -> bool {
        self.weight == 0.0
    }

    /// Demotes the speed that was known before the launch to an estimate.
    pub(super) fn doubt(&mut self) {
        self.weight = 0.0;
    }

    /// Whether a chunk of this launch was measured.
    pub(super) fn is_measured(&self) -> bool {
        self.measured
    }

    /// Seconds per band. `unit` corrects an estimate, and leaves a measured speed as it is.
    pub(super) fn band(&self, unit: f64) -> f64 {
        if self.is_estimate() { self.band * unit } else { self.band }
    }

    /// Records that a chunk of `bands` bands took `seconds`. If this is the first measurement,
    /// returns how many times slower than estimated the chunk was.
    pub(super) fn observe(&mut self, bands: u32, seconds: f64, overhead: f64) -> Option<f64> {
        // An overhead that was estimated too high must not make the device infinitely fast.
        let seconds = seconds.max(1e-9);
        let band = (seconds - overhead).max(seconds * 0.3) / f64::from(bands.max(1));
        self.measured = true;
        if self.is_estimate() {
            let error = band / self.band;
            (self.band, self.weight) = (band, 1.0);
            return Some(error);
        }
        let ratio = band / self.band;
        let share = if !(1.0 / CHANGE..=CHANGE).contains(&ratio) {
            self.weight = 1.0;
            1.0 - KEPT
        } else {
            self.weight = (self.weight + 1.0).min(MEMORY);
            1.0 / self.weight
        };
        self.band += share * (band - self.band);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_averaged_and_a_change_is_followed_at_once() {
        let mut pace = Pace::new(Speed::Estimated(1.0));
        assert_eq!(pace.observe(10, 20.0, 0.0), Some(2.0));
        for seconds in [24.0, 16.0, 24.0, 16.0, 20.0] {
            assert_eq!(pace.observe(10, seconds, 0.0), None);
            assert!((1.7..2.3).contains(&pace.band(9.0)), "{pace:?}");
        }
        pace.observe(10, 100.0, 0.0);
        assert!(pace.band(1.0) > 7.0, "{pace:?}");
    }

    #[test]
    fn the_overhead_is_no_part_of_the_time_per_band() {
        let mut pace = Pace::new(Speed::Estimated(1.0));
        pace.observe(10, 5.0, 3.0);
        assert!((pace.band(1.0) - 0.2).abs() < 1e-12);
        pace.observe(10, 1.0, 4.0);
        assert!(pace.band(1.0) > 0.0);
    }

    #[test]
    fn speeds_that_are_no_numbers_do_no_harm() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let band = Pace::new(Speed::Measured(rate)).band(1.0);
            assert!(band.is_finite() && band > 0.0, "{rate}: {band}");
        }
    }
}
