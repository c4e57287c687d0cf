//! Launches that are recorded, and then run together as often as one likes.
//!
//! A launch of a sequence sees what those before it wrote. Where all of them run on one GPU whose
//! memory holds all that they touch, they go there in few submissions, and nothing is waited for
//! before the end. Else they run in *levels*: a launch is a level above the highest that it depends
//! on through a buffer; those of one level run at once, on devices of their own where there are
//! enough of one kind, and a level waits for the one before it.
//!
//! What always holds: the buffers of all launches are reserved together, in one step, for the
//! whole run; a run that fails poisons all that it may have written.

use std::fmt;
use std::time::{Duration, Instant};

use super::Runtime;
use super::execute::{self, Checked};
use super::failure::{FailureEvent, Quarantined, Remedy, guarded};
use super::launch::Launch;
use super::log;
use super::report::{self, DeviceReport, Report};
use super::residency::Ended;
use super::session::Session;
use crate::device::{Cancel, Held, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Space;
use crate::memory::{BufferRange, Reservation, reserve};
use crate::pending::{Job, Pending};

/// Launches in their order; made by [`Runtime::sequence`].
///
/// ```
/// use coexec::{Buffer, Kernel, Runtime};
/// let rt = Runtime::builder().devices("cpu").build()?;
/// let double = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read> src: array<u32>;
///      @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
///      @compute @workgroup_size(64)
///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { dst[id.x] = 2u * src[id.x]; }",
/// )?;
/// let (a, b) = (Buffer::from_slice(&[1u32; 100]), Buffer::<u32>::zeroed(100));
/// let step = |src, dst| {
///     rt.launch(&double).bind("src", src).bind("dst", dst).invocations([100, 1, 1])
/// };
/// let report = rt.sequence().then(step(&a, &b)).then(step(&b, &a)).run(5)?;
/// assert_eq!(report.launches, 10);
/// assert_eq!(a.read(..1)?, [1024]);
/// # Ok::<(), coexec::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a sequence does nothing until it is run"]
pub struct Sequence {
    runtime: Runtime,
    launches: Vec<Launch>,
}

/// The account of a sequence that has run. `Display` is a small table.
#[derive(Debug, Clone)]
pub struct SequenceReport {
    /// From the granting of the buffers to the end.
    pub elapsed: Duration,
    /// Launches that were run, each as often as it was.
    pub launches: u64,
    /// One for each device of the runtime, in its order: the sums over all launches.
    pub devices: Vec<DeviceReport>,
    /// Failures that the launches survived, in the order in which they were met.
    pub events: Vec<FailureEvent>,
    /// Chunks of earlier launches, of this sequence's own too, that were computed once more in its
    /// course, since only a lost device had their results. Launches at the same time count, too.
    pub repeated: u64,
    /// The device that got all launches at once, without a wait between them, if one did.
    pub batched: Option<String>,
}

impl Sequence {
    pub(super) fn new(runtime: Runtime) -> Sequence {
        Sequence { runtime, launches: Vec::new() }
    }

    /// Adds a launch behind the others. It runs on the devices of the sequence's runtime.
    pub fn then(mut self, launch: Launch) -> Self {
        self.launches.push(launch.on(&self.runtime));
        self
    }

    /// Runs all launches in their order, so many times, and waits for the end.
    ///
    /// # Errors
    /// Those of [`Launch::run`], of the first launch that has one. Once something ran, all buffers
    /// that the sequence writes are poisoned.
    pub fn run(&self, times: u32) -> Result<SequenceReport> {
        self.queued(times)?.run(&Job::default())
    }

    /// Starts the sequence as [`Sequence::run`] does, and returns a future of its report. Later
    /// launches and reads of the same buffers wait for it.
    ///
    /// ```
    /// # use coexec::{Buffer, Kernel, Runtime};
    /// # let rt = Runtime::builder().devices("cpu").build()?;
    /// # let increment = Kernel::from_wgsl(
    /// #     "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
    /// #      @compute @workgroup_size(64)
    /// #      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] += 1u; }",
    /// # )?;
    /// let data = Buffer::<u32>::zeroed(1000);
    /// let step = rt.launch(&increment).bind("data", &data).invocations([1000, 1, 1]);
    /// let pending = rt.sequence().then(step).submit(100)?;
    /// println!("{:.0} % of all workgroups are done", 100.0 * pending.progress());
    /// let report = pending.wait()?; // or `pending.await?`
    /// assert_eq!((report.launches, data.read(..1)?), (100, vec![100]));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Sequence::run`] before anything ran; the future gives the others.
    pub fn submit(&self, times: u32) -> Result<Pending<SequenceReport>> {
        let queued = self.queued(times)?;
        let once = queued.checked.iter().map(Checked::workgroups).fold(0, u64::saturating_add);
        let units = once.saturating_mul(times.into());
        Pending::spawn("sequence", units, move |job| queued.run(job))
    }

    /// Checks all launches, and queues for their buffers.
    fn queued(&self, times: u32) -> Result<Queued> {
        let checked: Vec<Checked> =
            self.launches.iter().cloned().map(Launch::checked).collect::<Result<_>>()?;
        let buffers = reserve(checked.iter().flat_map(Checked::reservations).collect());
        Ok(Queued { runtime: self.runtime.clone(), checked, buffers, times })
    }
}

/// A sequence with its places in the queues of all its buffers.
struct Queued {
    runtime: Runtime,
    checked: Vec<Checked>,
    buffers: Reservation,
    times: u32,
}

impl Queued {
    fn run(&self, job: &Job) -> Result<SequenceReport> {
        let mut views = self.buffers.wait()?.into_iter();
        if job.is_cancelled() {
            return Err(Error::Cancelled);
        }
        let steps: Vec<Step<'_>> = self
            .checked
            .iter()
            .map(|checked| {
                let own: Vec<HostBytes<'_>> =
                    views.by_ref().take(checked.reservations().len()).collect();
                Step { checked, memory: checked.memory(own) }
            })
            .collect();
        let mut report = SequenceReport {
            elapsed: Duration::ZERO,
            launches: 0,
            devices: Vec::new(),
            events: Vec::new(),
            repeated: 0,
            batched: None,
        };
        let (begun, log) = (Instant::now(), &self.runtime.inner.log);
        let repeated = log.repeated();
        let outcome = self.go(&steps, job, &mut report);
        report.elapsed = begun.elapsed();
        report.repeated = log.repeated() - repeated;
        outcome.map(|()| report)
    }

    fn go(&self, steps: &[Step<'_>], job: &Job, report: &mut SequenceReport) -> Result<()> {
        let Queued { buffers, times, .. } = self;
        let times = *times;
        if steps.is_empty() || times == 0 {
            return Ok(());
        }
        if let Some(ran) = batch(steps, times, job, buffers, report)? {
            report.launches = steps.len() as u64 * u64::from(times);
            report.batched = ran.iter().find(|d| d.chunks > 0).map(|d| d.id.clone());
            add(&mut report.devices, &ran);
            return Ok(());
        }
        let levels = levels(steps);
        for _ in 0..times {
            for level in &levels {
                for one in run_level(steps, level, job) {
                    let one = one.inspect_err(|error| buffers.poison(&error.to_string()))?;
                    report.launches += 1;
                    add(&mut report.devices, &one.devices);
                    report.events.extend(one.events);
                }
                // What is known of contents is of those before this level.
                for &step in level {
                    written(&steps[step]).for_each(|part| part.changed());
                }
            }
        }
        Ok(())
    }
}

/// A launch of a sequence, and its memory.
struct Step<'a> {
    checked: &'a Checked,
    memory: Vec<HostBytes<'a>>,
}

/// The parts that a step writes.
fn written<'s>(step: &'s Step<'_>) -> impl Iterator<Item = &'s BufferRange> {
    let bindings = step.checked.kernel.signature().bindings.iter();
    let both = bindings.zip(&step.checked.buffers);
    both.filter(|(binding, _)| binding.space == Space::StorageWrite).filter_map(|(_, b)| b.as_ref())
}

/// Whether one step must wait for another that comes before it.
fn depends(later: &Step<'_>, earlier: &Step<'_>) -> bool {
    let meets = |writer: &Step<'_>, other: &Step<'_>| {
        written(writer).any(|part| other.checked.buffers.iter().flatten().any(|b| b.overlaps(part)))
    };
    meets(earlier, later) || meets(later, earlier)
}

/// The steps, by number, in groups that depend on earlier groups only.
fn levels(steps: &[Step<'_>]) -> Vec<Vec<usize>> {
    let mut level_of: Vec<usize> = Vec::with_capacity(steps.len());
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let before = (0..number).filter(|&i| depends(step, &steps[i])).map(|i| level_of[i] + 1);
        let level = before.max().unwrap_or(0);
        level_of.push(level);
        if levels.len() <= level {
            levels.resize(level + 1, Vec::new());
        }
        levels[level].push(number);
    }
    levels
}

/// Runs independent steps, at once.
fn run_level(steps: &[Step<'_>], level: &[usize], job: &Job) -> Vec<Result<Report>> {
    if let [one] = level {
        let step = &steps[*one];
        return vec![execute::run_granted(step.checked, &step.memory, job, None)];
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = level
            .iter()
            .enumerate()
            .map(|(place, &number)| {
                let step = &steps[number];
                let run =
                    move || execute::run_granted(step.checked, &step.memory, job, Some(place));
                scope.spawn(run)
            })
            .collect();
        let ended = running.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| {
                Err(Error::Internal {
                    place: "runtime::sequence".to_owned(),
                    cause: "a launch panicked".to_owned(),
                })
            })
        });
        ended.collect()
    })
}

/// Runs everything on one device without a wait in between, if that can be done.
fn batch(
    steps: &[Step<'_>],
    times: u32,
    job: &Job,
    buffers: &Reservation,
    report: &mut SequenceReport,
) -> Result<Option<Vec<DeviceReport>>> {
    let mut sessions = Vec::with_capacity(steps.len());
    for step in steps {
        sessions.push(Session::blind(step.checked, &step.memory)?);
    }
    let Some(device) = common_device(steps, &sessions) else { return Ok(None) };
    let all = sessions.iter().filter(|session| !session.plan.bands().is_empty());
    let all: Vec<&Session<'_>> = all.collect();
    let run = 0..1;
    all.iter().for_each(|session| session.make_room_in_log());
    let origin = log::record(device, &run, &all, times);
    let member = &*steps[0].checked.devices[device].device;
    // What devices had before, the host or the log has still.
    let one_by_one = |error: Error, report: &mut SequenceReport| match error.of_device() {
        Ok((id, kind, cause)) => {
            report.events.push(put_aside(steps[0].checked, device, id, kind, cause));
            job.start_over();
            Ok(None)
        }
        Err(error) => {
            buffers.poison(&error.to_string());
            Err(error)
        }
    };
    // Windows grow to what all steps need before any is bound.
    let mut held: Vec<Vec<Option<Held>>> = Vec::with_capacity(all.len());
    for bound in [false, true] {
        for session in &all {
            let found = match guarded(member, || session.bring(device, &run, false)) {
                Ok(found) => found,
                Err(error) => {
                    for (held, session) in held.iter().zip(&all) {
                        session.ended(device, &run, held, Ended::NotBegun);
                    }
                    return one_by_one(error, report);
                }
            };
            if bound {
                held.push(found);
            } else {
                session.ended(device, &run, &found, Ended::NotBegun);
            }
        }
    }
    let complete = held.iter().zip(&all).all(|(held, session)| session.all_held(held));
    let let_go = |how: Ended<'_>| {
        for (held, session) in held.iter().zip(&all) {
            session.ended(device, &run, held, how);
        }
    };
    if !complete {
        let_go(Ended::NotBegun);
        return Ok(None);
    }
    let cancel = Cancel::new(job);
    let chunks: Vec<_> = all
        .iter()
        .zip(&held)
        .map(|(session, held)| (session.chunk(&run, &[], Some(&cancel), None), held.clone()))
        .collect();
    let ran = guarded(member, || {
        member.run_many(&chunks, times).unwrap_or_else(|| {
            Err(Error::Internal {
                place: "runtime::sequence".to_owned(),
                cause: "the device can't run many".to_owned(),
            })
        })
    });
    let cost = match ran {
        Ok(cost) => {
            origin.iter().for_each(|origin| origin.took(cost.busy));
            let_go(Ended::Done(origin.as_ref()));
            cost
        }
        Err(error) => {
            let_go(Ended::Failed);
            return one_by_one(error, report);
        }
    };
    all.iter().for_each(|session| session.tend_log());
    let mut reports = all[0].blank_reports();
    for session in &all {
        session.keeping.account(&mut reports);
    }
    let own = &mut reports[device];
    let groups = all.iter().map(|s| u64::try_from(s.plan.groups(&run).workgroups()).unwrap_or(0));
    own.workgroups = groups.sum::<u64>().saturating_mul(times.into());
    own.chunks = (all.len() as u32).saturating_mul(times);
    own.share = 1.0;
    own.busy = cost.busy;
    own.uploaded += cost.uploaded;
    Ok(Some(reports))
}

/// A device failed with all launches of a sequence at once: they go on one by one, on others.
fn put_aside(
    checked: &Checked,
    index: usize,
    device: String,
    kind: FailureKind,
    cause: String,
) -> FailureEvent {
    let mut remedy = Remedy::PutAside;
    if kind.quarantines() {
        remedy = Remedy::Quarantined;
        let why = Quarantined { device: device.clone(), kind, cause: cause.clone() };
        checked.runtime.inner.fleet.quarantine(index, &checked.devices[index].device, why);
    }
    tracing::warn!(device, %kind, cause, %remedy, "a device failed");
    FailureEvent { device, kind, cause, remedy }
}

/// The device that runs every step whole and can keep all that they touch, if there is one.
fn common_device(steps: &[Step<'_>], sessions: &[Session<'_>]) -> Option<usize> {
    let mut device = None;
    for session in sessions.iter().filter(|session| !session.plan.bands().is_empty()) {
        let first = *session.whole_on()?.first()?;
        if *device.get_or_insert(first) != first {
            return None;
        }
    }
    let device = device?;
    steps[0].checked.devices[device].device.runs_many().then_some(device)
}

impl fmt::Display for SequenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::table(f, &self.devices)?;
        for event in &self.events {
            writeln!(f, "! {event}")?;
        }
        report::repeated(f, self.repeated)?;
        if let Some(device) = &self.batched {
            writeln!(f, "{device} got all launches at once")?;
        }
        write!(f, "{} launches in {}", self.launches, report::seconds(self.elapsed))
    }
}

/// Adds what devices did.
fn add(sum: &mut Vec<DeviceReport>, more: &[DeviceReport]) {
    if sum.is_empty() {
        sum.extend(more.iter().cloned());
        return;
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        sum.engine = sum.engine.or(more.engine);
        sum.fallback = sum.fallback.take().or_else(|| more.fallback.clone());
        sum.chunks = sum.chunks.saturating_add(more.chunks);
        sum.workgroups += more.workgroups;
        sum.busy += more.busy;
        sum.uploaded += more.uploaded;
        sum.downloaded += more.downloaded;
    }
    let all: u64 = sum.iter().map(|device| device.workgroups).sum();
    for device in sum {
        device.share = device.workgroups as f64 / all.max(1) as f64;
    }
}
