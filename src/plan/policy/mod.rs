//! The scheduling policy: which bands a device takes next. It is a pure state machine without
//! threads and without a clock: callers pass in the time, and how long runs took. The runtime and
//! the simulator drive the same code.
//!
//! Devices take bands in runs, and each run that a device takes is a [`Task`]. The *strategy*
//! chooses the size of runs; each has a file: [`static_shares`], [`dynamic`], [`guided`], and our
//! own, [`adaptive`]. All strategies share the stock of bands, the tasks in flight (`flights`), the
//! estimate of each device's speed (`pace`), the handling of failures, and second runs.
//!
//! When no bands are left, idle devices may *redo* the straggler, the run that is expected to end
//! last, if that completes its bands sooner. Several devices share its bands in pieces. If the
//! straggler ends first, the pieces are void; if all pieces end first, the straggler is void. Only
//! the first result counts.
//!
//! Invariants: every band is handed out, and again only after a failure or to be redone. Each is
//! counted as done once. `finished` is true exactly when every band is done. While bands are left
//! and no task is in flight, some device that takes part gets bands when it asks.

mod dynamic;
mod flights;
mod guided;
mod prior;
mod stretches;

mod pace;
mod stock;

mod device;
mod static_shares;

mod adaptive;

#[cfg(test)]
mod interleaving_tests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

use adaptive::Outlook;
use device::{Device, TRIALS};
pub(crate) use flights::TaskId;
use flights::{Flight, Flights};
use pace::Pace;
pub(crate) use prior::{Prior, Speed};
use stock::Stock;

/// How large runs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// Each device gets its share at the beginning, in proportion to its speed as known before the
    /// launch.
    Static,
    /// Runs of one size.
    Dynamic,
    /// Each run is a fixed part of the remaining bands, weighted by the speeds known before the
    /// launch.
    Guided,
    /// Runs are sized by measured speeds, and shrink towards the end so that all devices end
    /// together.
    #[default]
    Adaptive,
    /// Each run is one band, since the caller chose the chunks. No device is left idle.
    Single,
}

/// A run of bands for a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) run: Range<u32>,
    /// The task that this run is a piece of, and that another device still works on.
    pub(crate) redoes: Option<TaskId>,
}

/// The answer to a device that asks for work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    Run(Task),
    /// No work at present. The device asks again when a task ends or fails, or at the given time.
    Wait(Option<f64>),
}

/// The consequences of the end of a task.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ended {
    /// Whether the result counts, or will count when the other pieces are complete.
    pub(crate) kept: bool,
    /// Tasks that became void: their results do not count.
    pub(crate) void: Vec<TaskId>,
    /// The task whose bands were all redone. The pieces count in its place.
    pub(crate) overtaken: Option<TaskId>,
}

/// Seconds after which a device that was refused work asks again while bands are left.
const FETCHED: f64 = 1e-3;

/// Hands out the bands of one launch.
#[derive(Debug)]
pub(crate) struct Policy {
    strategy: Strategy,
    bands: u32,
    done: u32,
    stock: Stock,
    flights: Flights,
    devices: Vec<Device>,
    outlook: Outlook,
    /// Tasks that are redone, with pieces that no device has taken yet.
    redone: VecDeque<TaskId>,
    /// Whether devices may redo runs.
    rerun: bool,
    /// The device that takes all bands.
    alone: Option<usize>,
    /// The number of devices that take part.
    able: usize,
    /// The sum and the number of the logarithms of the factors by which estimates were wrong.
    errors: (f64, u32),
    /// The summed speed of the idle devices, in bands per second.
    resting: f64,
}

impl Policy {
    /// A policy for `bands` bands and one device per entry of `priors`; `None` stays idle.
    pub(crate) fn new(strategy: Strategy, bands: u32, priors: &[Option<Prior>]) -> Policy {
        let speed = |prior: &Option<Prior>| {
            prior.map_or(0.0, |prior| 1.0 / Pace::new(prior.speed).band(1.0))
        };
        let speeds: Vec<f64> = priors.iter().map(speed).collect();
        let total: f64 = speeds.iter().sum();
        let devices = priors
            .iter()
            .zip(&speeds)
            .map(|(prior, speed)| Device {
                takes_part: prior.is_some(),
                pace: Pace::new(prior.map_or(Speed::Measured(1.0), |prior| prior.speed)),
                share: speed / total,
                overhead: prior.map_or(0.0, |prior| prior.overhead.clamp(0.0, 1e6)),
                free: 0.0,
                flying: 0,
                void: 0,
                resting: 0.0,
                refused: None,
                tried: false,
                trials: 0,
            })
            .collect();
        let stock = match strategy {
            Strategy::Static => static_shares::stock(bands, &speeds),
            _ => Stock::row(bands),
        };
        let mut policy = Policy {
            strategy,
            bands,
            done: 0,
            stock,
            flights: Flights::default(),
            devices,
            outlook: Outlook::default(),
            redone: VecDeque::new(),
            rerun: false,
            alone: None,
            able: priors.iter().flatten().count(),
            errors: (0.0, 0),
            resting: 0.0,
        };
        (0..priors.len()).for_each(|device| policy.rest(device));
        policy
    }

    /// Lets idle devices redo stragglers. Only the adaptive strategy does.
    pub(crate) fn with_reruns(mut self, rerun: bool) -> Policy {
        self.rerun = rerun && self.strategy == Strategy::Adaptive;
        self
    }

    /// Gives all bands to one device. The other devices ask only after it has failed.
    pub(crate) fn alone(mut self, device: usize) -> Policy {
        self.alone = Some(device);
        self
    }

    /// Gives a device a band even if the others are expected to finish without it, since its
    /// expected speed may be wrong. Only the adaptive strategy leaves devices without bands.
    pub(crate) fn with_trial(mut self, device: usize) -> Policy {
        let this = &mut self.devices[device];
        (this.tried, this.trials) = (true, TRIALS);
        this.pace.doubt();
        self
    }

    /// Gives each device a *home*, a range of bands that it takes from first. When its home is
    /// empty, it takes from the ends of others' homes; with the strategies static and single, it
    /// takes only the bands of failed devices. The homes cover all bands.
    pub(crate) fn with_homes(mut self, homes: Vec<Range<u32>>) -> Policy {
        let shared = !matches!(self.strategy, Strategy::Static | Strategy::Single);
        self.stock = Stock::with_homes(self.bands, homes, shared);
        self
    }

    /// Keeps the bands of each device contiguous, as far as that needs no waiting. Static shares are
    /// contiguous already.
    pub(crate) fn with_neighbours(mut self) -> Policy {
        if self.strategy != Strategy::Static {
            let share = |device: &Device| if device.takes_part { device.share } else { 0.0 };
            let shares: Vec<f64> = self.devices.iter().map(share).collect();
            self.stock = Stock::stretches(self.bands, &shares);
        }
        self
    }

    /// Whether every band is complete.
    pub(crate) fn finished(&self) -> bool {
        self.done == self.bands
    }

    /// Whether a device may take bands: it was not left out, and has not failed.
    pub(crate) fn takes_part(&self, device: usize) -> bool {
        self.devices[device].takes_part
    }

    /// Whether a task that is not void is in flight.
    pub(crate) fn is_working(&self) -> bool {
        !self.flights.is_idle()
    }

    /// Measured bands per second, if a run of the device was measured.
    pub(crate) fn rate(&self, device: usize) -> Option<f64> {
        let pace = &self.devices[device].pace;
        pace.is_measured().then(|| 1.0 / pace.band(1.0))
    }

    /// Why a device was last refused work: the seconds that it needed for one band, and the seconds
    /// in which all remaining bands were expected to be done.
    pub(crate) fn refusal(&self, device: usize) -> Option<(f64, f64)> {
        self.devices[device].refused
    }

    /// The correction of estimated times: the geometric mean of the errors of the estimates of
    /// devices that were measured since.
    fn unit(&self) -> f64 {
        let (sum, count) = self.errors;
        if count == 0 { 1.0 } else { (sum / f64::from(count)).exp() }
    }

    /// Answers a device that asks for work. A run for which `fits` is false is made shorter, unless
    /// it is a single band.
    pub(crate) fn take(
        &mut self,
        device: usize,
        now: f64,
        fits: &mut dyn FnMut(&Range<u32>) -> bool,
    ) -> Next {
        if !self.devices[device].takes_part || self.finished() {
            return Next::Wait(None);
        }
        let devices = &mut self.devices;
        self.flights.revise(now, |device, delay| devices[device].free += delay);
        let count = self.size(device, now);
        if count > 0
            && let Some(run) = self.stock.take(device, count, fits)
        {
            return Next::Run(self.begin(device, run, None, now));
        }
        if self.rerun
            && self.stock.left() == 0
            && let Some((run, original)) = self.redo(device, now, fits)
        {
            return Next::Run(self.begin(device, run, Some(original), now));
        }
        if self.strategy != Strategy::Adaptive {
            return Next::Wait(None);
        }
        // The device that the remaining bands are left for may not take them, or may end late. No
        // event tells of either, so the refused device asks again.
        let fetched = (self.stock.left() > 0).then_some(now + FETCHED);
        let ends = self.flights.first_end();
        Next::Wait(match (fetched, ends) {
            (Some(fetched), Some(end)) if end > now => Some(fetched.min(end)),
            (fetched, ends) => fetched.or(ends),
        })
    }

    fn size(&mut self, device: usize, now: f64) -> u32 {
        let left = self.stock.left();
        if left == 0 {
            return 0;
        }
        match self.strategy {
            Strategy::Single => 1,
            _ if self.able == 1 || self.alone == Some(device) => left,
            Strategy::Static => static_shares::size(&self.stock, device),
            Strategy::Dynamic => dynamic::size(self.bands, self.devices.len()),
            Strategy::Guided => guided::size(left, self.devices[device].share),
            Strategy::Adaptive => {
                if self.flights.is_idle() {
                    // Some device has to begin. An outlook made at this moment gives work to one.
                    self.outlook.invalidate();
                }
                let unit = self.unit();
                let end = self.outlook.end(&self.devices, unit, left, now);
                let this = &mut self.devices[device];
                let count = adaptive::size(this, unit, end, now);
                if count == 0 && this.trials > 0 {
                    this.trials -= 1;
                    return 1;
                }
                if count == 0 {
                    let one = this.free.max(now) - now + this.overhead + this.pace.band(unit);
                    this.refused = Some((one, end - now));
                }
                count
            }
        }
    }

    /// Records that a device took a run.
    fn begin(&mut self, device: usize, run: Range<u32>, redoes: Option<TaskId>, now: f64) -> Task {
        let unit = self.unit();
        self.unrest(device);
        let this = &mut self.devices[device];
        let bands = f64::from(run.end - run.start);
        let begun = this.free.max(now);
        this.free = begun + this.overhead + bands * this.pace.band(unit);
        this.flying += 1;
        let flight =
            Flight { device, run: run.clone(), begun, end: this.free, redoes, void: false };
        self.outlook.changed();
        Task { id: self.flights.add(flight), run, redoes }
    }

    /// Takes a piece of a straggler, if the pieces are expected to end before the straggler.
    fn redo(
        &mut self,
        device: usize,
        now: f64,
        fits: &mut dyn FnMut(&Range<u32>) -> bool,
    ) -> Option<(Range<u32>, TaskId)> {
        let unit = self.unit();
        let this = &self.devices[device];
        if this.flying > 0 {
            return None;
        }
        let band = this.pace.band(unit);
        let begin = now + this.overhead;
        let pays = |end: f64, time: f64| begin + time + 0.1 * (end - now) < end;
        let resting = self.resting.max(1.0 / band);
        if self.redone.is_empty() {
            let (id, last) = self.flights.last_single()?;
            let together = f64::from(last.run.end - last.run.start) / resting;
            if last.device == device || !pays(last.end, together.max(band)) {
                return None;
            }
            self.flights.redo(id);
            self.redone.push_back(id);
        }
        let original = *self.redone.front()?;
        let end = self.flights.get(original).map_or(f64::INFINITY, |flight| flight.end);
        if end.is_finite() && !pays(end, band) {
            return None;
        }
        let redo = self.flights.redos.get_mut(&original)?;
        let waiting: u32 = redo.waiting.iter().map(|range| range.end - range.start).sum();
        let mut count = (f64::from(waiting) / (band * resting)).ceil().max(1.0) as u32;
        let range = redo.waiting.pop()?;
        count = count.min(range.end - range.start);
        while count > 1 && !fits(&(range.start..range.start + count)) {
            count /= 2;
        }
        let run = range.start..range.start + count;
        if run.end < range.end {
            redo.waiting.push(run.end..range.end);
        }
        if redo.waiting.is_empty() {
            self.redone.pop_front();
        }
        Some((run, original))
    }

    /// Completes a task. `seconds` is the device's own time for it, if it was measured.
    pub(crate) fn complete(
        &mut self,
        id: TaskId,
        seconds: impl Into<Option<f64>>,
        now: f64,
    ) -> Ended {
        let Some(flight) = self.land(id, now) else { return Ended::default() };
        let bands = flight.run.end - flight.run.start;
        let device = &mut self.devices[flight.device];
        if let Some(seconds) = seconds.into() {
            device.trials = 0;
            let error = device.pace.observe(bands, seconds, device.overhead);
            // A device on trial has a measured speed that is in doubt. Its error is not that of an
            // estimate.
            if let Some(error) = error.filter(|_| !device.tried) {
                self.errors = (self.errors.0 + error.ln(), self.errors.1 + 1);
            }
        }
        if flight.void {
            return Ended::default();
        }
        let mut ended = Ended { kept: true, ..Ended::default() };
        match flight.redoes {
            None => {
                self.done += bands;
                if let Some(redo) = self.flights.redos.remove(&id) {
                    self.redone.retain(|redone| *redone != id);
                    ended.void = redo.pieces.into_iter().filter(|&p| self.annul(p)).collect();
                }
            }
            Some(original) => {
                let Some(redo) = self.flights.redos.get_mut(&original) else { return ended };
                redo.open -= bands;
                if redo.open == 0 {
                    self.done += redo.run.end - redo.run.start;
                    self.flights.redos.remove(&original);
                    self.redone.retain(|redone| *redone != original);
                    ended.overtaken = Some(original);
                    if self.annul(original) {
                        ended.void.push(original);
                    }
                }
            }
        }
        ended
    }

    /// A task failed. Its device takes no more bands, and its run goes to other devices.
    pub(crate) fn fail(&mut self, id: TaskId, now: f64) {
        if let Some(flight) = self.flights.get(id) {
            let device = flight.device;
            self.give_back(id, now);
            self.put_aside(device);
        }
    }

    /// The device gives back a task without computing it. The device still takes part.
    pub(crate) fn give_back(&mut self, id: TaskId, now: f64) {
        let Some(flight) = self.land(id, now) else { return };
        let original = flight.redoes.unwrap_or(id);
        match self.flights.redos.get_mut(&original) {
            _ if flight.void => {}
            // The pieces of the run continue, and count when all are complete.
            Some(_) if flight.redoes.is_none() => {}
            Some(redo) => {
                redo.waiting.push(flight.run);
                if !self.redone.contains(&original) {
                    self.redone.push_back(original);
                }
            }
            None => self.stock.give_back(flight.run),
        }
    }

    /// The device gave up a void task. The device still takes part.
    pub(crate) fn withdraw(&mut self, id: TaskId, now: f64) {
        self.land(id, now);
    }

    /// Excludes a device from further work.
    fn put_aside(&mut self, device: usize) {
        self.unrest(device);
        if std::mem::take(&mut self.devices[device].takes_part) {
            self.able -= 1;
        }
        self.stock.abandon(device);
        self.outlook.invalidate();
    }

    fn annul(&mut self, id: TaskId) -> bool {
        let Some(device) = self.flights.get(id).map(|flight| flight.device) else { return false };
        self.devices[device].void += 1;
        self.flights.annul(id)
    }

    /// Removes a task from those in flight, and corrects the time at which its device is free.
    fn land(&mut self, id: TaskId, now: f64) -> Option<Flight> {
        let flight = self.flights.remove(id)?;
        let device = &mut self.devices[flight.device];
        device.flying -= 1;
        device.void -= u32::from(flight.void);
        let late = now - flight.end;
        // Tasks queued behind this one begin as much earlier or later.
        device.free = if device.flying == 0 { now } else { (device.free + late).max(now) };
        self.outlook.changed();
        if device.flying == 0 {
            self.rest(flight.device);
        }
        Some(flight)
    }

    fn rest(&mut self, device: usize) {
        let unit = self.unit();
        let this = &mut self.devices[device];
        if this.takes_part && this.resting == 0.0 {
            this.resting = 1.0 / this.pace.band(unit);
            self.resting += this.resting;
        }
    }

    fn unrest(&mut self, device: usize) {
        self.resting -= std::mem::take(&mut self.devices[device].resting);
    }
}
