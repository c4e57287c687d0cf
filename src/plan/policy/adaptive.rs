//! Our own policy, and the default.
//!
//! It keeps an *outlook*: the time at which all that is left could be done, if every device worked
//! at its believed pace from when it is free, each run costing its overhead, and no device did a
//! part of a band. A device that asks gets a fixed part of what it could do until then: so runs
//! are large first, in proportion to speed, and shrink towards the end, where the last run takes
//! up just what is left of the time. A device that could not do one band until then gets nothing:
//! the others are done sooner without it.
//!
//! Three numbers decide. A run of a device that was never measured, a *probe*, takes a smaller
//! part of the time, so that it does not become the straggler even if the device is several times
//! slower than believed. A run of a measured device takes such a part that a device which becomes
//! five times slower in the middle of it still ends in time. And no run is so short that its
//! overhead shows, but for the last.

use super::device::Device;

/// The part of the time left that a run of a measured device takes.
const PART: f64 = 0.22;

/// The same of a probe.
const PROBE: f64 = 0.1;

/// Of a long launch a run takes a smaller part, so that what jitter adds to some and takes from
/// others evens out,
const FINE: f64 = 0.03;

/// as long as it takes so many times its overhead.
const CHEAP: f64 = 30.0;

/// A run takes at least so many times its overhead.
const WORTH: f64 = 7.0;

/// The outlook is made anew after a change, or after so many changes as this part of the devices:
/// so its cost per change does not grow with their number.
const AMORTISED: usize = 16;

/// When everything should be done.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    end: f64,
    made: f64,
    changes: usize,
    valid: bool,
    able: Vec<(f64, f64)>,
}

impl Outlook {
    /// Something was given out, done, or lost.
    pub(super) fn changed(&mut self) {
        self.changes += 1;
    }

    /// What was believed until now does not hold: a device failed, or came back.
    pub(super) fn invalidate(&mut self) {
        self.valid = false;
    }

    /// When `left` more bands could be done.
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

/// The earliest time, to a thousandth, until which all devices together could do `left` bands.
/// `able` is scratch: when each device could begin, and its speed.
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
    // Without whole bands it would be this, if all that begin before the end do.
    let (mut low, mut weighted) = (now + left / speed, 0.0);
    for &(from, speed) in able.iter() {
        weighted += from * speed;
    }
    low = low.max((left + weighted) / speed);
    if done(low) {
        // Some begin after the end, and pulled the mean up.
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

/// How many bands a device should be given that could work until `end`; 0 when it would not help.
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
    // A rest that is not worth an overhead is better taken now.
    let run = if time - run < 0.5 * least { time } else { run };
    (run / band).round().clamp(1.0, most).min(f64::from(u32::MAX)) as u32
}
