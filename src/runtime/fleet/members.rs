//! The devices of a runtime, and their quarantine.
//!
//! A device that may not recover from a failure is *quarantined* in its [`Fleet`]: launches do not use it
//! until `Runtime::retry_quarantined`. A failed chunk or compilation does not quarantine a device that works
//! in place (the CPU), because it is an error of coexec's engine with one kernel. Every call into a device
//! goes through [`guarded`], which turns a panic into an error of that device.

use std::sync::{Arc, PoisonError, RwLock};

use crate::device::{Device, DeviceInfo};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;
use crate::runtime::report::{FailureEvent, Remedy};

/// A device that launches do not use; see [`Runtime::retry_quarantined`](crate::Runtime::retry_quarantined).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The device: `gpu0`.
    pub device: String,
    /// The kind of its failure.
    pub kind: FailureKind,
    /// What it was doing, and the driver's message.
    pub cause: String,
}

/// The devices of a runtime, and their quarantine.
pub(crate) struct Fleet {
    slots: RwLock<Vec<Member>>,
}

/// A device as one launch sees it.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) device: Arc<dyn Device>,
    /// Why the launch does not use it; `None` if it does.
    pub(crate) quarantined: Option<Quarantined>,
}

impl Fleet {
    pub(crate) fn new(devices: Vec<Arc<dyn Device>>) -> Fleet {
        let slots = devices.into_iter().map(|device| Member { device, quarantined: None });
        Fleet { slots: RwLock::new(slots.collect()) }
    }

    /// The devices in their current state.
    pub(crate) fn members(&self) -> Vec<Member> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn infos(&self) -> Vec<DeviceInfo> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|slot| slot.device.info().clone()).collect()
    }

    pub(crate) fn quarantined(&self) -> Vec<Quarantined> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().filter_map(|slot| slot.quarantined.clone()).collect()
    }

    /// Quarantines a device, unless another has replaced it. The first cause is kept.
    pub(crate) fn quarantine(&self, index: usize, device: &Arc<dyn Device>, why: Quarantined) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(index)
            && Arc::ptr_eq(&slot.device, device)
        {
            slot.quarantined.get_or_insert(why);
        }
    }

    /// Reports a failure that a launch survives to `tracing`, and quarantines the device if the remedy
    /// includes that.
    pub(crate) fn record_failure(&self, index: usize, member: &Member, event: &FailureEvent) {
        let FailureEvent { device, kind, cause, remedy } = event;
        if matches!(remedy, Remedy::Quarantined | Remedy::Recomputed) {
            let (device, cause) = (device.clone(), cause.clone());
            self.quarantine(index, &member.device, Quarantined { device, kind: *kind, cause });
        }
        tracing::warn!(device, %kind, cause, %remedy, "a device failed");
    }

    /// Opens quarantined devices again, and returns the result of each.
    pub(crate) fn retry(&self) -> Vec<(String, Result<()>)> {
        let members = self.members();
        let aside = members.iter().enumerate().filter(|(_, m)| m.quarantined.is_some());
        aside
            .map(|(index, member)| {
                let id = member.device.info().id.clone();
                // Opening may take seconds, so no lock is held: launches go on meanwhile.
                let opened = guarded(&*member.device, || member.device.reopen());
                let outcome = opened.map(|fresh| {
                    let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
                    if let Some(slot) = slots.get_mut(index)
                        && Arc::ptr_eq(&slot.device, &member.device)
                    {
                        slot.device = fresh.unwrap_or_else(|| Arc::clone(&member.device));
                        slot.quarantined = None;
                    }
                });
                (id, outcome)
            })
            .collect()
    }
}

/// By device, why it can't run a kernel; and the failures of compiling it.
pub(crate) fn unable(
    members: &[Member],
    kernel: &Kernel,
    fleet: &Fleet,
) -> (Vec<Option<String>>, Vec<FailureEvent>) {
    let mut events = Vec::new();
    let unable = members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            if let Some(Quarantined { kind, cause, .. }) = &member.quarantined {
                return Some(format!("quarantined ({kind}): {cause}"));
            }
            let error = prepare(index, member, kernel, fleet).err()?;
            if let Some(Quarantined { device, kind, cause }) = quarantines(member, &error) {
                events.push(FailureEvent { device, kind, cause, remedy: Remedy::Quarantined });
            }
            Some(error.to_string())
        })
        .collect();
    (unable, events)
}

/// Compiles a kernel on a device, and quarantines the device if it may not recover from a failure.
pub(crate) fn prepare(index: usize, member: &Member, kernel: &Kernel, fleet: &Fleet) -> Result<()> {
    if let Some(Quarantined { device, kind, cause }) = &member.quarantined {
        return Err(Error::Device {
            device: device.clone(),
            kind: *kind,
            doing: "take a kernel".to_owned(),
            cause: format!("it is quarantined, since {cause}"),
        });
    }
    guarded(&*member.device, || member.device.prepare(kernel)).inspect_err(|error| {
        if let Some(why) = quarantines(member, error) {
            fleet.quarantine(index, &member.device, why);
        }
    })
}

/// The quarantine of a device that failed to compile a kernel, if it needs one.
fn quarantines(member: &Member, error: &Error) -> Option<Quarantined> {
    let Error::Device { device, kind, doing, cause } = error else { return None };
    (kind.quarantines() && !member.device.in_place()).then(|| Quarantined {
        device: device.clone(),
        kind: *kind,
        cause: format!("it failed to {doing}: {cause}"),
    })
}

/// Calls into a device; a panic becomes an error of that device.
pub(crate) fn guarded<R>(device: &dyn Device, call: impl FnOnce() -> Result<R>) -> Result<R> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let cause = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(Error::Device {
            device: device.info().id.clone(),
            kind: FailureKind::Panicked,
            doing: "run a chunk".to_owned(),
            cause: format!("it panicked: {cause}"),
        })
    })
}

/// The error of a launch that no device can begin.
pub(crate) fn no_device(
    kernel: &Kernel,
    infos: &[&DeviceInfo],
    unable: &[Option<String>],
) -> Error {
    Error::NoDevice {
        kernel: kernel.signature().entry_point.clone(),
        causes: infos
            .iter()
            .zip(unable)
            .map(|(info, why)| format!("  {}: {}", info.id, why.as_deref().unwrap_or("?")))
            .collect(),
    }
}
