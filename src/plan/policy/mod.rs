//! The scheduling policy: which bands a device takes next. A pure state machine without threads and
//! without a clock: callers say what time it is, and how long runs took. The runtime and the
//! simulator drive the same code.
//!
//! Bands go out in runs; each handing-out is a [`Task`]. How large a run is, is the *strategy*'s
//! business, one file each: [`static_shares`], [`dynamic`], [`guided`], and our own, [`adaptive`].
//! What all have in common is here: the stock of bands, who works on what until when (`flights`),
//! what is believed of each device (`pace`), failures, and runs that are computed a second time.
//!
//! A device that finds nothing left may *redo* the run that is expected to end last, where that
//! ends sooner: several devices share its bands in pieces. If the run's own device ends first, the
//! pieces are void; if all pieces are complete first, the run is. The first result is the only
//! one that counts.
//!
//! Invariants: every band is handed out, and again only after a failure or to be redone; each is
//! counted as done once; `finished` is true exactly when every band is; while bands are left and
//! nobody works, some device that takes part gets one when it asks.

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
    /// Each device has its share from the beginning, by what is known of speeds.
    Static,
    /// Runs of one size.
    Dynamic,
    /// Runs that shrink with what is left, by what is known of speeds.
    Guided,
    /// Ours: by measured speeds, with an eye on the end.
    #[default]
    Adaptive,
    /// One band each: the caller asked for these very chunks. No device is left idle.
    Single,
}

/// A run of bands for a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    pub(crate) run: Range<u32>,
    /// The task that this is a piece of, which another device still works on.
    pub(crate) redoes: Option<TaskId>,
}

/// The answer to a device that asks for work.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Next {
    Run(Task),
    /// Nothing now. There may be something when a task ends or fails, and from the given time on
    /// even if none does.
    Wait(Option<f64>),
}

/// What the end of a task means.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Ended {
    /// Whether the result counts, or will when the other pieces are complete.
    pub(crate) kept: bool,
    /// Tasks whose results nobody needs any more.
    pub(crate) void: Vec<TaskId>,
    /// The task all of whose bands were redone: the pieces count in its place.
    pub(crate) overtaken: Option<TaskId>,
}

/// Seconds after which a device that was refused looks whether others took what is left.
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
    /// Tasks with pieces that wait to be given out.
    redone: VecDeque<TaskId>,
    /// Whether a run may be computed twice.
    rerun: bool,
    /// The device that gets all there is, as nobody else will ask unless it fails.
    alone: Option<usize>,
    /// Devices that take part.
    able: usize,
    /// Sum and number of the logarithms of what estimates were wrong by.
    errors: (f64, u32),
    /// Speed of the devices that have nothing to do.
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

    /// Lets devices compute runs a second time that others are late with. Only our own strategy
    /// does.
    pub(crate) fn with_reruns(mut self, rerun: bool) -> Policy {
        self.rerun = rerun && self.strategy == Strategy::Adaptive;
        self
    }

    /// Gives all there is to one device, whenever it asks: the others ask only once it has failed.
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

    /// Gives each device a *home*: it takes from its own range first, and from others' ends when
    /// that is empty; where shares are static, or each band a run, nothing but what a failed device
    /// leaves. The ranges cover all bands.
    pub(crate) fn with_homes(mut self, homes: Vec<Range<u32>>) -> Policy {
        let shared = !matches!(self.strategy, Strategy::Static | Strategy::Single);
        self.stock = Stock::with_homes(self.bands, homes, shared);
        self
    }

    /// Lets devices take bands so that what each computes lies together, as far as that goes without
    /// waiting for one another. Not where shares are static.
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

    /// Whether a device may be given bands: it was not left out, and has not failed.
    pub(crate) fn takes_part(&self, device: usize) -> bool {
        self.devices[device].takes_part
    }

    /// Whether some task in the air is still needed.
    pub(crate) fn is_working(&self) -> bool {
        !self.flights.is_idle()
    }

    /// Measured bands per second, if the device completed any.
    pub(crate) fn rate(&self, device: usize) -> Option<f64> {
        let pace = &self.devices[device].pace;
        pace.is_measured().then(|| 1.0 / pace.band(1.0))
    }

    /// Of a device that was refused work: the seconds that one band would have taken it, and in
    /// how many the others were expected to do everything that was left.
    pub(crate) fn refusal(&self, device: usize) -> Option<(f64, f64)> {
        self.devices[device].refused
    }

    /// What estimates have to be multiplied with, by those that turned out wrong.
    fn unit(&self) -> f64 {
        let (sum, count) = self.errors;
        if count == 0 { 1.0 } else { (sum / f64::from(count)).exp() }
    }

    /// What a device gets that asks at a time. A run for which `fits` is false is made shorter,
    /// unless it is a single band.
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
        // What is left for a device that is idle may not be fetched, or be late once it is; and
        // nobody tells of that.
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
                    // Somebody has to begin: judged by this moment, it is the right one.
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

    /// A device has been given a run.
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

    /// A part of a late run that the device could do before the run's own device ends it.
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

    /// Completes a task. `seconds` is the device's own time for it, if that is known.
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
            // A wrong belief says nothing about the quality of estimates.
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

    /// A task failed; its device is put aside, and others do what it had.
    pub(crate) fn fail(&mut self, id: TaskId, now: f64) {
        if let Some(flight) = self.flights.get(id) {
            let device = flight.device;
            self.give_back(id, now);
            self.put_aside(device);
        }
    }

    /// A task is not to be done in one piece, or not now; its device goes on.
    pub(crate) fn give_back(&mut self, id: TaskId, now: f64) {
        let Some(flight) = self.land(id, now) else { return };
        let original = flight.redoes.unwrap_or(id);
        match self.flights.redos.get_mut(&original) {
            _ if flight.void => {}
            // Its pieces go on, and count when all are complete.
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

    /// A task that is void was given up. Its device goes on.
    pub(crate) fn withdraw(&mut self, id: TaskId, now: f64) {
        self.land(id, now);
    }

    /// A device gets no more.
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

    /// A task is no longer in the air.
    fn land(&mut self, id: TaskId, now: f64) -> Option<Flight> {
        let flight = self.flights.remove(id)?;
        let device = &mut self.devices[flight.device];
        device.flying -= 1;
        device.void -= u32::from(flight.void);
        let late = now - flight.end;
        // What is queued behind it begins as much earlier or later.
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
