//! The policy *adaptive*, the default.
//!
//! It keeps an *outlook*: the expected end of the launch. This is the time at which the remaining
//! bands could be done if every device worked at its estimated pace from when it is free, each run
//! cost its overhead, and devices did whole bands only. A device that asks gets a fixed part of the
//! bands that it could do by the outlook. So runs are large at first, in proportion to speed, and
//! shrink towards the end, where the last run takes all of the remaining time. A device that could
//! not do one band by the outlook gets nothing: the others end sooner without it.
//!
//! Three rules size a run. A run of a device that was never measured, a *probe*, takes a smaller
//! part of the time: the device does not become the straggler even if it is several times
//! slower than estimated. A run of a measured device takes a part so small that the device still
//! ends in time if it becomes five times slower in the middle of it. And every run but the last takes
//! several times its overhead.

use super::device::Device;

/// The part of the remaining time that a run of a measured device takes.
const PART: f64 = 0.22;

/// The part of the remaining time that a probe takes.
const PROBE: f64 = 0.1;

/// The part of the remaining time that a run takes in a long launch. More and smaller runs average
/// out jitter. A run that is shortened to this part still takes [`CHEAP`] times its overhead.
const FINE: f64 = 0.03;

/// The least time, in multiples of its overhead, to which [`FINE`] shortens a run.
const CHEAP: f64 = 30.0;

/// The least time of a run, in multiples of its overhead.
const WORTH: f64 = 7.0;

/// The outlook is computed again once the changes, times this, reach the number of devices. So its
/// cost per change does not grow with that number.
const AMORTISED: usize = 16;

/// The expected end of the launch.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    end: f64,
    made: f64,
    changes: usize,
    valid: bool,
    able: Vec<(f64, f64)>,
}

impl Outlook {
    /// A task began or ended.
    pub(super) fn changed(&mut self) {
        self.changes += 1;
    }

    /// Discards the outlook, as after the failure of a device.
    pub(super) fn invalidate(&mut self) {
        self.valid = false;
    }

    /// The time at which the `left` remaining bands could be done.
    pub(super) fn end(&mut self, devices: &[Device], unit: f64, left: u32, now: f64) -> f64 {
        let stale = now - self.made > 0.02 * (self.end - self.made);
        let rest = self.changes.max(1) * AMORTISED >= devices.len();
        if !self.valid || (rest && (stale || self.changes > 0)) || now >= self.end {
            self.end = end(&mut self.able, devices, unit, left, now);
            (self.made, self.changes, self.valid) = (now, 0, true);
        }
        self.end
    }
}

/// The earliest time, to 0.2 % of the time from now, by which all devices together could do `left`
/// bands. `able` is scratch memory: for each device, when it could begin, and its speed.
fn end(able: &mut Vec<(f64, f64)>, devices: &[Device], unit: f64, left: u32, now: f64) -> f64 {
    able.clear();
    let can = devices.iter().filter(|device| device.is_able());
    able.extend(
        can.map(|device| (device.free.max(now) + device.overhead, 1.0 / device.pace.band(unit))),
    );
    let speed: f64 = able.iter().map(|(_, speed)| speed).sum();
    if left == 0 || speed <= 0.0 {
        return now;
    }
    let left = f64::from(left);
    let done = |until: f64| {
        let count = |&(from, speed): &(f64, f64)| ((until - from) * speed).max(0.0).floor();
        able.iter().map(count).sum::<f64>() >= left
    };
    // The end if parts of bands could be done, and every device began before the end.
    let (mut low, mut weighted) = (now + left / speed, 0.0);
    for &(from, speed) in able.iter() {
        weighted += from * speed;
    }
    low = low.max((left + weighted) / speed);
    if done(low) {
        // Some devices begin after the end, and raised the mean.
        low = now + left / speed;
    }
    let mut step = (low - now) * 0.02;
    let mut high = low + step;
    while !done(high) && step < 1e30 {
        low = high;
        step *= 2.0;
        high += step;
    }
    while high - low > 2e-3 * (high - now) {
        let middle = 0.5 * (low + high);
        if done(middle) { high = middle } else { low = middle }
    }
    high
}

/// How many bands a device takes that could work until `end`; 0 if it can't do one by then.
pub(super) fn size(device: &Device, unit: f64, end: f64, now: f64) -> u32 {
    let band = device.pace.band(unit);
    let time = end - device.free.max(now) - device.overhead;
    let most = (time / band + 0.01).floor();
    if most < 1.0 {
        return 0;
    }
    let part = if device.pace.is_estimate() { PROBE } else { PART };
    let least = WORTH * device.overhead;
    let run = (part * time).min((FINE * time).max(CHEAP * device.overhead)).max(least);
    // If a run of the rest would not be worth its overhead, this run takes the rest too.
    let run = if time - run < 0.5 * least { time } else { run };
    (run / band).round().clamp(1.0, most).min(f64::from(u32::MAX)) as u32
}
