//! A launch that runs while its owner does something else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::channel::oneshot;

use super::report::Report;
use crate::error::{Error, FailureKind, Result};

/// The end of a submitted launch. Works with any executor.
///
/// Dropping it before it is ready cancels the launch: chunks that have not begun are not run, and
/// the buffers that the launch writes are poisoned if it had begun.
#[derive(Debug)]
#[must_use = "dropping the future cancels the launch"]
pub struct LaunchFuture {
    result: oneshot::Receiver<Result<Report>>,
    cancel: Arc<AtomicBool>,
    ended: bool,
}

impl LaunchFuture {
    /// Runs `body` on a thread of its own; it is given the flag that asks it to stop.
    pub(super) fn spawn(
        body: impl FnOnce(&AtomicBool) -> Result<Report> + Send + 'static,
    ) -> Result<LaunchFuture> {
        let cancel = Arc::new(AtomicBool::new(false));
        let (sender, result) = oneshot::channel();
        let flag = Arc::clone(&cancel);
        std::thread::Builder::new()
            .name("coexec-launch".to_owned())
            .spawn(move || {
                // The receiver may be gone: then nobody wants the result.
                let _ = sender.send(body(&flag));
            })
            .map_err(|error| Error::Device {
                device: "cpu".to_owned(),
                kind: FailureKind::Refused,
                doing: "start a thread for a launch".to_owned(),
                cause: error.to_string(),
            })?;
        Ok(LaunchFuture { result, cancel, ended: false })
    }

    /// Waits for the end, without an executor.
    ///
    /// # Errors
    /// Those of `Launch::run`.
    pub fn wait(self) -> Result<Report> {
        pollster::block_on(self)
    }
}

impl Future for LaunchFuture {
    type Output = Result<Report>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.result).poll(context).map(|result| {
            self.ended = true;
            result.unwrap_or_else(|_| {
                Err(Error::Internal {
                    place: "runtime".to_owned(),
                    cause: "the launch's thread panicked".to_owned(),
                })
            })
        })
    }
}

impl Drop for LaunchFuture {
    fn drop(&mut self) {
        if !self.ended {
            self.cancel.store(true, Ordering::Relaxed);
        }
    }
}
