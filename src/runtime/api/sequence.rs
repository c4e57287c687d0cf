//! Sequences: launches that are described once and run together any number of times.
//!
//! A launch of a sequence sees the results of those before it. If all run on one GPU whose memory holds all
//! their buffers, they are sent in few submissions, with one wait at the end. Otherwise they run in *levels*.
//! The level of a launch is one above the highest level that it depends on through a buffer. The launches of
//! a level run at the same time, each on its own device if there are enough of one kind. A level waits for
//! the one before it.
//!
//! What always holds: the buffers of all launches are reserved in one step, for the whole run. A run that
//! fails poisons all buffers that it may have written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::launch::Launch;
use crate::device::HostBytes;
use crate::error::{Error, Result};
use crate::memory::{Reservation, reserve};
use crate::pending::{Job, Pending};
use crate::runtime::execution::{Checked, Resources, Step, batch, levels, run_level, written};
use crate::runtime::report::{SequenceReport, add_launch};

/// Launches in order; made by [`Runtime::sequence`](crate::Runtime::sequence).
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
    resources: Arc<Resources>,
    launches: Vec<Launch>,
}

impl Sequence {
    pub(crate) fn new(resources: Arc<Resources>) -> Sequence {
        Sequence { resources, launches: Vec::new() }
    }

    /// Adds a launch at the end. It runs on the devices of the sequence's runtime.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let step = || rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// rt.sequence().then(step()).then(step()).run(1)?;
    /// assert_eq!(data.read(..1)?, [3]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn then(mut self, launch: Launch) -> Self {
        self.launches.push(launch.on(&self.resources));
        self
    }

    /// Runs all launches in order, `times` times, and waits for the end.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let step = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// println!("{}", rt.sequence().then(step).run(100)?);
    /// assert_eq!(data.read(..1)?, [101]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Launch::run`], for the first launch that fails. If a launch has run by then, all buffers
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
        Ok(Queued { resources: Arc::clone(&self.resources), checked, buffers, times })
    }
}

/// A sequence with its places in the queues of all its buffers.
struct Queued {
    resources: Arc<Resources>,
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
        let (begun, log) = (Instant::now(), &self.resources.log);
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
            add_launch(&mut report.devices, &ran);
            return Ok(());
        }
        let levels = levels(steps);
        for _ in 0..times {
            for level in &levels {
                for one in run_level(steps, level, job) {
                    let one = one.inspect_err(|error| buffers.poison(&error.to_string()))?;
                    report.launches += 1;
                    add_launch(&mut report.devices, &one.devices);
                    report.events.extend(one.events);
                }
                // The level has written to these buffers, so knowledge of their contents is outdated.
                for &step in level {
                    written(&steps[step]).for_each(|part| part.changed());
                }
            }
        }
        Ok(())
    }
}
