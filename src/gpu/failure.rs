//! Conversion of wgpu's failures to error values.
//!
//! wgpu reports failures in five ways: error scopes, an uncaptured-error handler, a device-lost
//! callback, results, and panics. [`Health`] keeps the first fatal failure, and every later call
//! fails with its cause. [`watched`] runs a few wgpu calls under scopes for all three kinds of
//! error and turns every failure into [`Error::Device`]. It pushes and pops the scopes on the
//! calling thread, since wgpu keeps them per thread. Nothing here decides what to do about a
//! failure.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, FailureKind, Result};

/// Whether a device still works, and if not, why. Shared with wgpu's callbacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Health {
    fatal: Arc<Mutex<Option<(FailureKind, String)>>>,
}

impl Health {
    /// Records a failure after which the device is not used again. The first one stays.
    pub(super) fn fail(&self, kind: FailureKind, cause: impl Into<String>) {
        let mut fatal = self.fatal.lock().unwrap_or_else(PoisonError::into_inner);
        if fatal.is_none() {
            let cause = cause.into();
            tracing::warn!(%kind, cause, "a GPU failed permanently");
            *fatal = Some((kind, cause));
        }
    }

    /// The first fatal failure.
    pub(super) fn cause(&self) -> Option<(FailureKind, String)> {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Runs wgpu calls and gives their value only if no error occurred meanwhile.
///
/// A panic is fatal, since it leaves wgpu in an unknown state.
pub(super) fn watched<T>(
    device: &wgpu::Device,
    health: &Health,
    id: &str,
    doing: &str,
    calls: impl FnOnce() -> T,
) -> Result<T> {
    let failed = |(kind, cause): (FailureKind, String)| Error::Device {
        device: id.to_owned(),
        kind,
        doing: doing.to_owned(),
        cause,
    };
    if let Some(cause) = health.cause() {
        return Err(failed(cause));
    }
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        // The panic is caught here, so that the scopes are popped in order before anything else.
        let value = catch_unwind(AssertUnwindSafe(calls));
        let errors = [memory, internal, validation].map(|scope| pollster::block_on(scope.pop()));
        (value, errors)
    }));
    match outcome {
        Err(panic) | Ok((Err(panic), _)) => {
            let cause = format!("wgpu panicked: {}", panic_message(&*panic));
            health.fail(FailureKind::Panicked, cause);
        }
        Ok((Ok(value), errors)) => match errors.into_iter().flatten().next() {
            // A lost device may show up as a validation error about an invalid object. The loss is
            // then the better cause.
            Some(error) if health.cause().is_none() => return Err(failed(explained(&error))),
            Some(_) => {}
            None if health.cause().is_none() => return Ok(value),
            None => {}
        },
    }
    Err(failed(health.cause().unwrap_or((FailureKind::Lost, String::new()))))
}

/// The kind of an error, and its cause in words.
pub(super) fn explained(error: &wgpu::Error) -> (FailureKind, String) {
    let kind = match error {
        wgpu::Error::OutOfMemory { .. } => FailureKind::OutOfMemory,
        _ => FailureKind::Refused,
    };
    (kind, cause_of(error))
}

/// wgpu's message without its headings and line breaks.
fn cause_of(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => "out of memory".to_owned(),
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            let text = description.strip_prefix("Validation Error").unwrap_or(description);
            let text = text.trim_start().strip_prefix("Caused by:").unwrap_or(text);
            let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
            lines.join(": ")
        }
    }
}

/// Whether this is a failed allocation, after which freeing pooled memory may help.
pub(super) fn is_out_of_memory(error: &Error) -> bool {
    matches!(error, Error::Device { kind: FailureKind::OutOfMemory, .. })
}

/// The message of a panic.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
        (Some(text), _) => text.trim().to_owned(),
        (None, Some(text)) => text.trim().to_owned(),
        (None, None) => "without a message".to_owned(),
    }
}
