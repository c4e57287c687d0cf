//! Work that goes on while its owner does something else: a launch, a sequence, a read.
//!
//! The work runs on a thread of its own. It and its owner share a [`Job`]: whether the result is still
//! wanted, and how much of the work is done. What the work is, and how soon it heeds a cancellation,
//! is left to whoever starts it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use futures::channel::oneshot;

use crate::error::{Error, FailureKind, Result};

/// The end of work that was submitted: a `Future` that works with any executor, and without one
/// ([`Pending::wait`]).
///
/// Dropping it before it is ready cancels the work, as [`Pending::cancel`] does.
///
/// ```
/// use coexec::{Buffer, Kernel, Runtime};
/// let rt = Runtime::builder().devices("cpu").build()?;
/// let kernel = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
///      @compute @workgroup_size(64)
///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] += id.x; }",
/// )?;
/// let data = Buffer::from_slice(&[10u32; 100]);
/// let launch = rt.launch(&kernel).bind("data", &data).invocations([100, 1, 1]);
/// let pending = launch.submit()?;
/// while !pending.is_finished() {
///     println!("{:.0} %", 100.0 * pending.progress());
///     std::thread::sleep(std::time::Duration::from_millis(1));
/// }
/// let report = pending.wait()?; // or `pending.await?`
/// assert_eq!(report.workgroups, 2);
/// # Ok::<(), coexec::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it cancels the work"]
pub struct Pending<T> {
    result: oneshot::Receiver<Result<T>>,
    job: Arc<Job>,
    thread: JoinHandle<()>,
    ended: bool,
}

impl<T> Pending<T> {
    /// Runs `work`, which has so many units, on a thread of its own. `what` is its name: "launch".
    pub(crate) fn spawn(
        what: &str,
        units: u64,
        work: impl FnOnce(&Job) -> Result<T> + Send + 'static,
    ) -> Result<Pending<T>>
    where
        T: Send + 'static,
    {
        let units = units.max(1);
        let job = Arc::new(Job { units, ..Job::default() });
        let (sender, result) = oneshot::channel();
        let own = Arc::clone(&job);
        let thread = std::thread::Builder::new()
            .name(format!("coexec-{what}"))
            .spawn(move || {
                let outcome = work(&own);
                if outcome.is_ok() {
                    own.done.store(units, Ordering::Relaxed);
                }
                // The receiver may be gone: then nobody wants the result.
                let _ = sender.send(outcome);
            })
            .map_err(|error| Error::Device {
                device: "cpu".to_owned(),
                kind: FailureKind::Refused,
                doing: format!("start a thread for a {what}"),
                cause: error.to_string(),
            })?;
        Ok(Pending { result, job, thread, ended: false })
    }

    /// Waits for the end, without an executor.
    ///
    /// # Errors
    /// Those of the call that waits: [`Launch::run`](crate::Launch::run),
    /// [`Sequence::run`](crate::Sequence::run), [`Buffer::read`](crate::Buffer::read).
    pub fn wait(self) -> Result<T> {
        pollster::block_on(self)
    }

    /// Asks the work to stop, and does not wait until it has. Chunks that have not begun are not
    /// run. The end is then [`Error::Cancelled`], unless all was done before.
    ///
    /// Work that has not begun leaves its buffers as they are. If it has, the buffers that it writes
    /// are poisoned, or, in a [transactional](crate::Launch::transactional) launch, as they were before.
    ///
    /// ```
    /// # use coexec::{Buffer, Error, Kernel, Runtime};
    /// # let rt = Runtime::builder().devices("cpu").build()?;
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
    ///      @compute @workgroup_size(1)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    ///          for (var i = 0u; i < 100000u; i++) { data[id.x] = data[id.x] * 5u + i; }
    ///      }",
    /// )?;
    /// let data = Buffer::<u32>::zeroed(1 << 20);
    /// let pending = rt.launch(&kernel).bind("data", &data).workgroups([1 << 20, 1, 1]).submit()?;
    /// pending.cancel(); // it would take minutes
    /// assert!(matches!(pending.wait(), Err(Error::Cancelled)));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn cancel(&self) {
        self.job.cancelled.store(true, Ordering::Relaxed);
    }

    /// The part of the work that is done, from 0 to 1. Of a launch these are workgroups, counted when
    /// their chunk is done; of a sequence, those of all its launches. It goes back to 0 where a GPU that was
    /// given a whole sequence fails, since others begin it again.
    pub fn progress(&self) -> f64 {
        self.job.progress()
    }

    /// Whether the work has ended, with or without success: `wait` returns at once.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(context).map(|result| {
            self.ended = true;
            result.unwrap_or_else(|_| {
                Err(Error::Internal {
                    place: self.thread.thread().name().unwrap_or("a thread").to_owned(),
                    cause: "it panicked".to_owned(),
                })
            })
        })
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if !self.ended {
            self.cancel();
        }
    }
}

/// What submitted work and its owner share. Work that is waited for has one that nobody else sees.
#[derive(Debug, Default)]
pub(crate) struct Job {
    cancelled: AtomicBool,
    /// How much there is to do.
    units: u64,
    done: AtomicU64,
}

impl Job {
    /// Whether nobody wants the result any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// So many more units of the work are done.
    pub(crate) fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    /// Nothing of the work is done: it begins again.
    pub(crate) fn start_over(&self) {
        self.done.store(0, Ordering::Relaxed);
    }

    fn progress(&self) -> f64 {
        (self.done.load(Ordering::Relaxed) as f64 / self.units as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_goes_from_nothing_to_all() {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let pending = Pending::spawn("test", 8, move |job| {
            for units in [2, 1] {
                job.advance(units);
                tell.send(()).unwrap();
                wait.recv().unwrap();
            }
            Ok(())
        })
        .unwrap();
        told.recv().unwrap();
        assert_eq!((pending.progress(), pending.is_finished()), (0.25, false));
        go.send(()).unwrap();
        told.recv().unwrap();
        assert_eq!(pending.progress(), 0.375);
        go.send(()).unwrap();
        while !pending.is_finished() {
            std::thread::yield_now();
        }
        assert_eq!(pending.progress(), 1.0);
        pending.wait().unwrap();
    }

    #[test]
    fn whoever_cancels_or_drops_it_stops_the_work() {
        let work = |job: &Job| {
            while !job.is_cancelled() {
                std::thread::yield_now();
            }
            Err::<(), _>(Error::Cancelled)
        };
        let pending = Pending::spawn("test", 1, work).unwrap();
        pending.cancel();
        assert!(matches!(pending.wait(), Err(Error::Cancelled)));
        let pending = Pending::spawn("test", 1, work).unwrap();
        let job = Arc::clone(&pending.job);
        drop(pending);
        assert!(job.is_cancelled());
    }

    #[test]
    fn work_that_panics_is_an_error() {
        let pending = Pending::<()>::spawn("test", 1, |_| panic!("on purpose")).unwrap();
        assert!(
            matches!(pending.wait(), Err(Error::Internal { place, .. }) if place == "coexec-test")
        );
    }
}
