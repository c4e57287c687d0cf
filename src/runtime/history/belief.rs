//! Which speeds of devices are believed before a launch, and when a belief is tested.
//!
//! A measurement by this runtime is believed. A speed that an earlier program left in the file of profiles is
//! *hearsay*: it may be of another machine, or of a time when the machine had a problem. Hearsay is dropped
//! if it contradicts the devices' rooflines by more than hardware differs. Rooflines are dropped if they
//! contradict the guesses for such devices in the same way. Estimates are scaled by the measurements.
//!
//! A device gets no bands if the others are expected to finish without it. Then no measurement can show that
//! the expectation is wrong, so such a device is tried from time to time. What always holds: trials of a
//! device that is as slow as believed take a small part of all time, however slow it is. Pure: no clock, no
//! device.

use crate::plan::{Prior, Speed};

/// Of two ratios of speeds that are this many times apart, one is wrong. An interpreter is that much slower
/// than compiled code.
const APART: f64 = 64.0;

/// A trial is due when launches without the device have taken this many times the cost of a trial, so trials
/// take a sixteenth of all time.
const PATIENCE: f64 = 16.0;

/// The known speeds of one device that can run a launch, in bands per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) measured: Option<Measured>,
    /// The speed by the roofline that launches have shown.
    pub(crate) shown: f64,
    /// The speed by the guessed roofline of such a device.
    pub(crate) guess: f64,
}

/// The speed of a device in launches of the same kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) speed: f64,
    /// Whether the launches were of another size.
    pub(crate) near: bool,
    /// Whether the measurement is by an earlier program.
    pub(crate) hearsay: bool,
}

/// Whether ratios are further apart than hardware is. This does not tell which of them is wrong.
fn are_apart(ratios: impl Iterator<Item = f64>) -> bool {
    let (least, most) = ratios.fold((f64::INFINITY, 0.0f64), |(l, m), r| (l.min(r), m.max(r)));
    most > APART * least
}

/// Whether the rooflines that launches have shown are believed.
pub(crate) fn rooflines_hold(devices: &[Option<Known>]) -> bool {
    !are_apart(devices.iter().flatten().map(|known| known.shown / known.guess))
}

/// The believed speed of each device.
pub(crate) fn speeds(devices: &[Option<Known>]) -> Vec<Option<Speed>> {
    let hold = rooflines_hold(devices);
    let estimate = |known: &Known| if hold { known.shown } else { known.guess };
    let off = |known: &Known| Some(known.measured?.speed / estimate(known));
    let contradicts = are_apart(devices.iter().flatten().filter_map(off));
    let believed = |known: &Known| known.measured.filter(|m| !(contradicts && m.hearsay));
    let kept = devices.iter().flatten().filter(|known| believed(known).is_some());
    let (sum, count) =
        kept.filter_map(off).fold((0.0, 0), |(sum, count), off| (sum + off.ln(), count + 1));
    let unit = if count == 0 { 1.0 } else { (sum / f64::from(count)).exp() };
    let speed = |known: &Known| match believed(known) {
        Some(Measured { speed, near: false, .. }) => Speed::Measured(speed),
        Some(Measured { speed, near: true, .. }) => Speed::Estimated(speed),
        None => Speed::Estimated(estimate(known) * unit),
    };
    devices.iter().map(|known| known.as_ref().map(speed)).collect()
}

/// Whether a trial is due of a device that computed nothing in launches of `idle` seconds.
pub(crate) fn is_due(idle: f64, device: usize, priors: &[Option<Prior>], bands: u32) -> bool {
    let rate = |prior: &Prior| match prior.speed {
        Speed::Measured(rate) | Speed::Estimated(rate) => rate,
    };
    let Some(Some(own)) = priors.get(device) else { return false };
    let others = priors.iter().enumerate().filter(|(other, _)| *other != device);
    let others: f64 = others.filter_map(|(_, prior)| Some(rate(prior.as_ref()?))).sum();
    let longer = own.overhead + 1.0 / rate(own) - f64::from(bands) / others;
    idle > 0.0 && idle >= PATIENCE * longer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(speed: f64, hearsay: bool, estimate: f64) -> Option<Known> {
        let measured = Some(Measured { speed, near: false, hearsay });
        Some(Known { measured, shown: estimate, guess: estimate })
    }

    #[test]
    fn rooflines_count_in_proportion_and_not_where_they_are_further_apart_than_hardware() {
        let shown = |shown: f64| Some(Known { measured: None, shown, guess: 100.0 });
        let rates = |devices: &[Option<Known>]| speeds(devices);
        let two = |a: f64, b: f64| vec![Some(Speed::Estimated(a)), Some(Speed::Estimated(b))];
        assert_eq!(rates(&[shown(1e-3), shown(2e-2)]), two(1e-3, 2e-2));
        // A tiny launch shows almost nothing about the speed of a device.
        assert_eq!(rates(&[shown(1e-3), shown(100.0)]), two(100.0, 100.0));
        assert_eq!(rates(&[shown(1e9), shown(100.0)]), two(100.0, 100.0));
    }

    #[test]
    fn hearsay_that_sets_devices_apart_as_no_hardware_is_is_dropped() {
        let believed = speeds(&[known(1e-5, true, 2.0), known(3.0, true, 1.0), None]);
        assert_eq!(believed, [Some(Speed::Estimated(2.0)), Some(Speed::Estimated(1.0)), None]);
        // If all are off by about the same factor, the kernel is the reason, and the balance holds.
        let believed = speeds(&[known(1e-5, true, 2.0), known(2e-5, true, 1.0)]);
        assert_eq!(believed, [Some(Speed::Measured(1e-5)), Some(Speed::Measured(2e-5))]);
        // Own measurements are believed, and hearsay that contradicts them is not.
        let believed = speeds(&[known(1e-3, false, 1.0), known(1.0, true, 1.0)]);
        let Some(Speed::Estimated(other)) = believed[1] else { panic!("{believed:?}") };
        assert_eq!(believed[0], Some(Speed::Measured(1e-3)));
        assert!((other / 1e-3 - 1.0).abs() < 1e-9, "{other}");
        let believed = speeds(&[known(1e-3, false, 1.0), known(1.0, false, 1.0)]);
        assert_eq!(believed, [Some(Speed::Measured(1e-3)), Some(Speed::Measured(1.0))]);
    }

    #[test]
    fn what_is_estimated_is_in_proportion_to_what_was_measured() {
        let guessed = Some(Known { measured: None, shown: 10.0, guess: 10.0 });
        let believed = speeds(&[known(5.0, true, 500.0), guessed]);
        let Some(Speed::Estimated(rate)) = believed[1] else { panic!("{believed:?}") };
        assert!((rate - 0.1).abs() < 1e-9, "{rate}");
        assert_eq!(speeds(&[guessed, None]), [Some(Speed::Estimated(10.0)), None]);
    }

    #[test]
    fn trials_of_a_slow_device_cost_a_small_part_of_all_time() {
        let prior = |rate: f64| Some(Prior { speed: Speed::Measured(rate), overhead: 0.0 });
        for slow in [1.5, 6.0, 1e4] {
            // The other device takes a second for all bands; this one takes longer for a single band.
            let priors = [prior(64.0), prior(1.0 / slow)];
            let (mut idle, mut all, mut lost) = (0.0, 0.0, 0.0);
            for _ in 0..1_000_000 {
                if is_due(idle, 1, &priors, 64) {
                    (idle, all, lost) = (0.0, all + slow, lost + slow - 1.0);
                } else {
                    (idle, all) = (idle + 1.0, all + 1.0);
                }
            }
            assert!(lost > 0.0 && lost < all / 15.0, "{slow}: {lost} of {all}");
        }
        assert!(!is_due(0.0, 1, &[prior(1.0), prior(1.0)], 64), "it was not left out yet");
        assert!(!is_due(1e9, 1, &[prior(1.0), None], 64), "it can't");
    }
}
