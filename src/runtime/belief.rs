//! What is believed of devices' speeds before a launch, and when a belief is put to the test.
//!
//! What this runtime measured is believed. What an earlier program left in the file of profiles is
//! *hearsay*: it may be of another machine, or have been measured while something was wrong. Hearsay
//! that sets devices further apart than hardware is, against what their rooflines say, is dropped; so
//! are rooflines that do, against what one guesses of such devices.
//! What is only estimated is put in proportion to what was measured.
//!
//! A device that the others are expected to be done without computes nothing, so nothing would ever
//! show that this is wrong. So it is tried now and then. What always holds: trials of a device that
//! is as slow as believed cost a small part of all time, however slow it is. Pure: no clock, no device.

use crate::plan::{Prior, Speed};

/// Devices that are so many times further apart than they should be are measured wrongly: an
/// interpreter is that much slower than compiled code.
const APART: f64 = 64.0;

/// A trial is due when launches without the device took so many times what it would cost: then
/// trials cost a sixteenth of all time.
const PATIENCE: f64 = 16.0;

/// What is known of one device that can run a launch. Speeds are in bands per second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) measured: Option<Measured>,
    /// By what launches have shown of its roofline.
    pub(super) shown: f64,
    /// By what one guesses of such a device.
    pub(super) guess: f64,
}

/// What a device did in launches of the same kernel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) speed: f64,
    /// Whether the launches were of another size.
    pub(super) near: bool,
    /// Whether an earlier program says so.
    pub(super) hearsay: bool,
}

/// Whether ratios are further apart than hardware is. Which of them is wrong does not show.
fn are_apart(ratios: impl Iterator<Item = f64>) -> bool {
    let (least, most) = ratios.fold((f64::INFINITY, 0.0f64), |(l, m), r| (l.min(r), m.max(r)));
    most > APART * least
}

/// Whether what launches have shown of the devices' rooflines is believed.
pub(super) fn rooflines_hold(devices: &[Option<Known>]) -> bool {
    !are_apart(devices.iter().flatten().map(|known| known.shown / known.guess))
}

/// The speed of each device that is believed.
pub(super) fn speeds(devices: &[Option<Known>]) -> Vec<Option<Speed>> {
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

/// Whether a device is to be tried that computed nothing in launches that took `idle` seconds.
pub(super) fn is_due(idle: f64, device: usize, priors: &[Option<Prior>], bands: u32) -> bool {
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
        // A tiny launch shows next to nothing of what a device can do.
        assert_eq!(rates(&[shown(1e-3), shown(100.0)]), two(100.0, 100.0));
        assert_eq!(rates(&[shown(1e9), shown(100.0)]), two(100.0, 100.0));
    }

    #[test]
    fn hearsay_that_sets_devices_apart_as_no_hardware_is_is_dropped() {
        let believed = speeds(&[known(1e-5, true, 2.0), known(3.0, true, 1.0), None]);
        assert_eq!(believed, [Some(Speed::Estimated(2.0)), Some(Speed::Estimated(1.0)), None]);
        // What all say alike says nothing of their balance, and is their kernel's.
        let believed = speeds(&[known(1e-5, true, 2.0), known(2e-5, true, 1.0)]);
        assert_eq!(believed, [Some(Speed::Measured(1e-5)), Some(Speed::Measured(2e-5))]);
        // What this runtime has measured itself it believes, and only that.
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
            // Together the others take a second; this one takes longer for its smallest part.
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
