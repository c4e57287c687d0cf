//! A logical device: its link to wgpu, its pipelines, and its pool of buffers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::adapters::AdapterHandle;
use super::failure;
use super::open::{Link, Settings};
use super::pipeline::Pipelines;
use super::pool::{self, Pool, Use};
use crate::device::Cancel;
use crate::error::{Error, FailureKind, Result};

/// The interval between checks for a cancellation while waiting for a device.
const LOOK_UP: Duration = Duration::from_millis(50);

/// Receives the outcome of mapping a download.
pub(super) type Mapped = Receiver<Result<(), wgpu::BufferAsyncError>>;

/// A logical device on a GPU.
#[derive(Debug)]
pub(crate) struct GpuDevice {
    pub(super) pipelines: Pipelines,
    pub(super) pool: Arc<Pool>,
    /// When the last chunk finished. The time of a chunk starts no earlier, so that it does not
    /// include the wait for the previous chunk.
    pub(super) last_done: Mutex<Option<Instant>>,
    /// The adapter that it was opened from; `None` for an application's device.
    pub(super) adapter: Option<AdapterHandle>,
    /// Dropped last: it closes the device that the others belong to.
    pub(super) link: Link,
}

impl GpuDevice {
    /// Opens an adapter. It may be opened more than once, under different ids.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the driver refuses.
    pub(crate) fn open_with(
        adapter: &AdapterHandle,
        id: String,
        settings: Settings,
    ) -> Result<GpuDevice> {
        Ok(Self::new(Link::open(adapter, id, settings)?, Some(adapter.clone())))
    }

    /// Uses a device of an application, with the features and limits that it was created with.
    /// Its callbacks are left as they are.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when it is lost already.
    pub(crate) fn from_wgpu(
        device: wgpu::Device,
        queue: wgpu::Queue,
        id: String,
    ) -> Result<GpuDevice> {
        let link = Link::adopt(device, queue, id, Settings::default());
        link.check_alive("join an application's device")?;
        Ok(Self::new(link, None))
    }

    pub(super) fn new(link: Link, adapter: Option<AdapterHandle>) -> GpuDevice {
        // Resident windows take the rest.
        let keep = link.info.limits.memory / 4;
        GpuDevice {
            pipelines: Pipelines::default(),
            pool: Arc::new(Pool::new(keep)),
            last_done: Mutex::new(None),
            adapter,
            link,
        }
    }

    /// A buffer of at least `bytes` bytes, with arbitrary contents.
    pub(super) fn take(&self, purpose: Use, bytes: u64) -> Result<wgpu::Buffer> {
        let link = &self.link;
        let class = pool::class(bytes, link.limits.max_buffer_size & !3);
        if let Some(buffer) = self.pool.take(purpose, class) {
            return Ok(buffer);
        }
        let doing = format!("allocate {class} bytes");
        let create = || {
            link.watched(&doing, || {
                link.device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: class,
                    usage: purpose.usages(),
                    mapped_at_creation: false,
                })
            })
        };
        match create() {
            Err(error) if failure::is_out_of_memory(&error) => {
                self.pool.clear();
                create()
            }
            other => other,
        }
    }

    /// Records that a chunk has finished. Returns the time that the device spent on it.
    pub(super) fn busy_since(&self, started: Instant) -> Duration {
        let now = Instant::now();
        let mut last = self.last_done.lock().unwrap_or_else(PoisonError::into_inner);
        let from = last.map_or(started, |last| last.max(started));
        *last = Some(now);
        now.saturating_duration_since(from)
    }

    /// Waits until the device has finished a submission and those before it, and until the download
    /// is mapped.
    pub(super) fn wait_for(
        &self,
        doing: &str,
        submission: wgpu::SubmissionIndex,
        mapped: Option<&Mapped>,
        (deadline, cancel): (Option<Duration>, Option<&Cancel<'_>>),
    ) -> Result<()> {
        let link = &self.link;
        let cancelled = || cancel.is_some_and(|cancel| cancel.is_set());
        let patience = link.patience(deadline);
        let hung = || {
            link.give_up(format!("no answer within {} s", patience.as_secs_f32()));
            Err(link.fatal(doing))
        };
        let lost = |kind, cause: &str| {
            link.health.fail(kind, cause);
            Err(link.fatal(doing))
        };
        let waiting = Instant::now();
        loop {
            let left = patience.saturating_sub(waiting.elapsed());
            let poll = || {
                link.device.poll(wgpu::PollType::Wait {
                    submission_index: Some(submission.clone()),
                    timeout: Some(left.min(LOOK_UP)),
                })
            };
            // wgpu-core 30.0.1 asserts that an empty queue has finished the awaited submission. It
            // has, but wgpu read the number that it compares earlier: another thread's poll or
            // submission may have emptied the queue in between. By the second poll the number is up
            // to date.
            let polled = link
                .watched(doing, || catch_unwind(AssertUnwindSafe(poll)).unwrap_or_else(|_| poll()));
            match polled? {
                Ok(_) => break,
                Err(wgpu::PollError::Timeout) if cancelled() => return Err(Error::Cancelled),
                Err(wgpu::PollError::Timeout) if waiting.elapsed() < patience => {}
                Err(wgpu::PollError::Timeout) => return hung(),
                Err(wgpu::PollError::WrongSubmissionIndex(..)) => {
                    let cause = "the device was lost before it took the chunk";
                    return lost(FailureKind::Lost, cause);
                }
            }
        }
        let Some(mapped) = mapped else { return Ok(()) };
        // The poll above, or another thread's, calls back when the download is mapped. The other
        // thread may not have done so yet.
        match mapped.recv_timeout(patience) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => {
                lost(FailureKind::Mapping, "the device was lost: the download could not be mapped")
            }
            Err(RecvTimeoutError::Timeout) => hung(),
        }
    }
}
