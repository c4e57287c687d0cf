//! Work in the background: a launch, a sequence, a read.
//!
//! The work runs on a thread of its own. It shares a [`Job`], with the cancellation and the
//! progress, with its owner. The modules that start work decide how soon it reacts to a
//! cancellation.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use futures::channel::oneshot;

use crate::error::{Error, FailureKind, Result};

/// The future result of submitted work. It is a `Future` that works with any executor, and
/// [`Pending::wait`] waits without an executor.
///
/// Dropping a `Pending` before it is ready cancels the work, as [`Pending::cancel`] does.
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
    /// Runs `work`, which consists of `units` units, on a thread of its own. `name` stands for the
    /// work in errors, such as "launch".
    pub(crate) fn spawn(
        name: &str,
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
            .name(format!("coexec-{name}"))
            .spawn(move || {
                let outcome = work(&own);
                if outcome.is_ok() {
                    own.done.store(units, Ordering::Relaxed);
                }
                // The receiver is gone if the owner has dropped the `Pending`.
                let _ = sender.send(outcome);
            })
            .map_err(|error| Error::Device {
                device: "cpu".to_owned(),
                kind: FailureKind::Refused,
                doing: format!("start a thread for a {name}"),
                cause: error.to_string(),
            })?;
        Ok(Pending { result, job, thread, ended: false })
    }

    /// Waits for the result, without an executor.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let report = launch.submit()?.wait()?;
    /// assert!(!report.devices.is_empty());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// The errors of the blocking call for the same work: [`Launch::run`](crate::Launch::run),
    /// [`Sequence::run`](crate::Sequence::run), [`Buffer::read`](crate::Buffer::read).
    pub fn wait(self) -> Result<T> {
        pollster::block_on(self)
    }

    /// Asks the work to stop, and returns at once. Chunks that have not begun do not run. The result
    /// is [`Error::Cancelled`], unless all chunks had already run.
    ///
    /// Work that has not begun leaves its buffers unchanged. If it has begun, the buffers that it
    /// writes are poisoned; a [transactional](crate::Launch::transactional) launch restores their
    /// contents instead.
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

    /// The fraction of the work that is done, from 0 to 1. It counts the workgroups of the launch, or
    /// of all launches of the sequence, as their chunks end. It goes back to 0 when a GPU that runs a
    /// whole sequence fails, because other devices then start the sequence over.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// let future = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).submit()?;
    /// assert!((0.0..=1.0).contains(&future.progress()));
    /// future.wait()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn progress(&self) -> f64 {
        self.job.progress()
    }

    /// Whether the work has ended, with or without success: `wait` returns at once.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// let future = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).submit()?;
    /// while !future.is_finished() {
    ///     std::thread::yield_now(); // or do something useful
    /// }
    /// future.wait()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
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

/// The cancellation and the progress of work, shared by the work and its owner. Blocking calls make
/// a `Job` too.
#[derive(Debug, Default)]
pub(crate) struct Job {
    cancelled: AtomicBool,
    /// The number of units of the whole work.
    units: u64,
    done: AtomicU64,
}

impl Job {
    /// Whether the owner has cancelled the work.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Adds `units` to the units that are done.
    pub(crate) fn advance(&self, units: u64) {
        self.done.fetch_add(units, Ordering::Relaxed);
    }

    /// Resets the progress, for work that begins again.
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
    fn cancelling_or_dropping_it_stops_the_work() {
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
