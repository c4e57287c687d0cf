//! The connection to one logical device, and how it is opened and closed.
//!
//! A device is opened with the adapter's own limits and the few features in `limits::WANTED`. A
//! device of an application is used with the features and limits that it was created with, and its
//! callbacks are not replaced. A device that hangs is leaked when it is closed, because a driver
//! may wait for it forever.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::adapters::AdapterHandle;
use super::failure::{self, Health, panic_message};
use super::limits;
use crate::device::{DeviceInfo, DeviceKind};
use crate::error::{Error, FailureKind, Result};

/// The settings of a device that is opened.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Fill pooled memory with 0xCD before it is used again, so that a chunk that relies on its old
    /// contents goes wrong. On when `COEXEC_POISON` is set and not `0`.
    pub(crate) poison: bool,
    /// How long a chunk may take before the device counts as hung: by default two minutes, for a
    /// software adapter an hour. Chunks should take well under a second, and most systems reset a
    /// GPU that hangs for a few seconds, but a kernel that can't be split is one chunk.
    pub(crate) patience: Option<Duration>,
    /// The memory that all windows together may take, in bytes, instead of an estimate.
    pub(crate) memory: Option<u64>,
    /// Features to use, out of those that coexec supports.
    pub(crate) features: wgpu::Features,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            poison: std::env::var_os("COEXEC_POISON").is_some_and(|value| value != "0"),
            patience: None,
            memory: None,
            features: limits::WANTED,
        }
    }
}

/// An open device.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) device: ManuallyDrop<wgpu::Device>,
    pub(super) queue: ManuallyDrop<wgpu::Queue>,
    pub(super) info: DeviceInfo,
    pub(super) limits: wgpu::Limits,
    pub(super) health: Health,
    pub(super) settings: Settings,
    features: wgpu::Features,
    /// Whether the driver silently ends loops after some turns: Mesa's llvmpipe does after 65,535.
    pub(super) cuts_loops: bool,
    /// Whether coexec opened the device; otherwise it belongs to an application.
    ours: bool,
}

impl Link {
    /// Opens an adapter, which may be open already.
    pub(super) fn open(handle: &AdapterHandle, id: String, settings: Settings) -> Result<Link> {
        let failed = |cause: String| Error::Device {
            device: id.clone(),
            kind: FailureKind::Refused,
            doing: "open the device".to_owned(),
            cause,
        };
        let adapter = &handle.adapter;
        let features = adapter.features() & settings.features;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some(&id),
            required_features: features,
            required_limits: adapter.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let request = || pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = match catch_unwind(AssertUnwindSafe(request)) {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(panic) => return Err(failed(format!("wgpu panicked: {}", panic_message(&*panic)))),
        };
        let memory = settings.memory.unwrap_or(handle.info.limits.memory);
        let mut link = Link::new(device, queue, memory, id, settings);
        link.ours = true;
        let health = link.health.clone();
        link.device.set_device_lost_callback(move |reason, message| {
            let reason = match reason {
                wgpu::DeviceLostReason::Destroyed => "the device was destroyed",
                wgpu::DeviceLostReason::Unknown => "the device was lost",
            };
            let message = message.trim();
            let colon = if message.is_empty() { "" } else { ": " };
            health.fail(FailureKind::Lost, format!("{reason}{colon}{message}"));
        });
        // Errors outside of a scope come from wgpu's own upkeep, and no call of ours reports them.
        let health = link.health.clone();
        link.device.on_uncaptured_error(std::sync::Arc::new(move |error: wgpu::Error| {
            // A failed allocation of wgpu's own leaves wgpu in an unusable state.
            let (_, cause) = failure::explained(&error);
            health.fail(FailureKind::Lost, cause);
        }));
        Ok(link)
    }

    /// Uses a device that belongs to an application.
    pub(super) fn adopt(
        device: wgpu::Device,
        queue: wgpu::Queue,
        id: String,
        settings: Settings,
    ) -> Link {
        let memory = settings.memory.unwrap_or_else(|| {
            // The application needs memory too, and its device does not tell how much there is.
            device.limits().max_buffer_size.min(1 << 30)
        });
        Link::new(device, queue, memory, id, settings)
    }

    fn new(
        device: wgpu::Device,
        queue: wgpu::Queue,
        memory: u64,
        id: String,
        settings: Settings,
    ) -> Link {
        let (limits, features) = (device.limits(), device.features() & settings.features);
        let adapter = device.adapter_info();
        let cuts_loops = adapter.driver == "llvmpipe" || adapter.name.starts_with("llvmpipe");
        let info = limits::describe(&adapter, &limits, features, memory, id);
        Link {
            device: ManuallyDrop::new(device),
            queue: ManuallyDrop::new(queue),
            info,
            limits,
            health: Health::default(),
            settings,
            features,
            cuts_loops,
            ours: false,
        }
    }

    /// Whether coexec opened the device; otherwise it belongs to an application.
    pub(super) fn is_ours(&self) -> bool {
        self.ours
    }

    /// How long to wait for a chunk that should finish within `deadline`.
    pub(super) fn patience(&self, deadline: Option<Duration>) -> Duration {
        let software = self.info.kind == DeviceKind::SoftwareGpu;
        let usual = Duration::from_secs(if software { 3600 } else { 120 });
        self.settings.patience.or(deadline).unwrap_or(usual)
    }

    /// Bytes of immediates that a kernel may have.
    pub(super) fn immediate_bytes(&self) -> u32 {
        let there = self.features.contains(wgpu::Features::IMMEDIATES);
        if there { self.limits.max_immediate_size } else { 0 }
    }

    /// Runs wgpu calls; see [`failure::watched`]. A refusal by a lost device is reported as the
    /// loss.
    pub(super) fn watched<T>(&self, doing: &str, calls: impl FnOnce() -> T) -> Result<T> {
        let outcome = failure::watched(&self.device, &self.health, &self.info.id, doing, calls);
        match outcome {
            Err(error) if !failure::is_out_of_memory(&error) => {
                self.check_alive(doing)?;
                Err(error)
            }
            other => other,
        }
    }

    /// Fails on a lost device. wgpu makes invalid objects on a lost device without an error. The
    /// device-lost callback may come late, and an adopted device has none of ours. But a buffer
    /// that should be mapped at creation is not mapped on a lost device.
    pub(super) fn check_alive(&self, doing: &str) -> Result<()> {
        let probe = || {
            let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 4,
                usage: wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: true,
            });
            buffer.get_mapped_range(..).is_ok()
        };
        if !failure::watched(&self.device, &self.health, &self.info.id, doing, probe)? {
            self.health.fail(FailureKind::Lost, "the device was lost");
        }
        match self.health.cause() {
            Some((kind, cause)) => Err(self.failed(kind, doing, cause)),
            None => Ok(()),
        }
    }

    /// The error for a request that the device refuses.
    pub(super) fn error(&self, doing: &str, cause: impl Into<String>) -> Error {
        self.failed(FailureKind::Refused, doing, cause)
    }

    /// An error of this device.
    pub(super) fn failed(&self, kind: FailureKind, doing: &str, cause: impl Into<String>) -> Error {
        let (device, doing) = (self.info.id.clone(), doing.to_owned());
        Error::Device { device, kind, doing, cause: cause.into() }
    }

    /// The recorded fatal failure, as an error.
    pub(super) fn fatal(&self, doing: &str) -> Error {
        let (kind, cause) = self.health.cause().unwrap_or((FailureKind::Lost, String::new()));
        self.failed(kind, doing, cause)
    }

    /// Abandons a device that does not answer. It is never closed.
    pub(super) fn give_up(&self, cause: String) {
        self.health.fail(FailureKind::Deadline, cause);
        // A leaked handle keeps wgpu from waiting for the device to be idle.
        std::mem::forget((wgpu::Device::clone(&self.device), wgpu::Queue::clone(&self.queue)));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // SAFETY: neither is used afterwards, since this is the drop of their owner.
        let (device, queue) =
            unsafe { (ManuallyDrop::take(&mut self.device), ManuallyDrop::take(&mut self.queue)) };
        // wgpu panics when the queue of a lost device does not become idle.
        if catch_unwind(AssertUnwindSafe(|| drop((queue, device)))).is_err() {
            tracing::warn!(device = self.info.id, "closing the device failed");
        }
    }
}
