//! When devices fail: what becomes of the chunk, of the device, and what the report says.
//!
//! A chunk that failed changed nothing in host memory, or can be computed again from what is there
//! ([`Session::again`]): it goes back to the queue. What becomes of its device follows from the
//! kind of the failure:
//!
//! - out of memory: it gets one chunk at a time, then smaller ones, then none in this launch;
//! - rejected, refused: it gets no more of this launch;
//! - anything else: it is *quarantined* in its [`Fleet`]: no launch asks it again until
//!   `Runtime::retry_quarantined`. Only a device that works in place, the CPU, is not: what
//!   panicked there is coexec's engine, on this kernel.
//!
//! A launch that has lost all its devices ends with all the causes, in the order in which they
//! were met. Mistakes of the kernel, and cancellation, end a launch at once. Who is asked instead
//! is the policy's business.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

use super::session::Session;
use super::worker::Shared;
use crate::device::{Device, DeviceInfo};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;
use crate::plan::{Merge, Plan, Task};

/// A failure that a launch survived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureEvent {
    /// The device: `gpu0`.
    pub device: String,
    /// In which way it failed.
    pub kind: FailureKind,
    /// What it was doing, and the driver's words.
    pub cause: String,
    /// What was done about it.
    pub remedy: Remedy,
}

/// What was done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The work went to other devices; this one took no more of this launch.
    PutAside,
    /// As `PutAside`, and no launch asks the device again until `Runtime::retry_quarantined`.
    Quarantined,
    /// All that the device had computed was computed again by another, and the device is
    /// quarantined.
    Recomputed,
    /// The device goes on with one chunk at a time.
    OneAtATime,
    /// The device goes on with chunks of at most so many workgroups.
    SmallerChunks(u64),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::PutAside => f.write_str("its work went to other devices"),
            Remedy::Quarantined => {
                f.write_str("its work went to other devices, and it is quarantined")
            }
            Remedy::Recomputed => {
                f.write_str("all that it had computed was computed again, and it is quarantined")
            }
            Remedy::OneAtATime => f.write_str("it goes on with one chunk at a time"),
            Remedy::SmallerChunks(1) => f.write_str("it goes on with chunks of one workgroup"),
            Remedy::SmallerChunks(most) => {
                write!(f, "it goes on with chunks of at most {most} workgroups")
            }
        }
    }
}

impl fmt::Display for FailureEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}; {}", self.device, self.kind, self.cause, self.remedy)
    }
}

/// A device that no launch asks; see [`Runtime::retry_quarantined`](super::Runtime::retry_quarantined).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The device: `gpu0`.
    pub device: String,
    /// In which way it failed.
    pub kind: FailureKind,
    /// What it was doing, and the driver's words.
    pub cause: String,
}

/// The devices of a runtime, and which of them are quarantined.
pub(super) struct Fleet {
    slots: RwLock<Vec<Member>>,
}

/// A device, as one launch sees it.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) device: Arc<dyn Device>,
    /// Why the launch does not ask it.
    pub(super) quarantined: Option<Quarantined>,
}

impl Fleet {
    pub(super) fn new(devices: Vec<Arc<dyn Device>>) -> Fleet {
        let slots = devices.into_iter().map(|device| Member { device, quarantined: None });
        Fleet { slots: RwLock::new(slots.collect()) }
    }

    /// The devices as they are now.
    pub(super) fn members(&self) -> Vec<Member> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn infos(&self) -> Vec<DeviceInfo> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|slot| slot.device.info().clone()).collect()
    }

    pub(super) fn quarantined(&self) -> Vec<Quarantined> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().filter_map(|slot| slot.quarantined.clone()).collect()
    }

    /// Puts a device aside, unless it is another by now. The first cause stays.
    pub(super) fn quarantine(&self, index: usize, device: &Arc<dyn Device>, why: Quarantined) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(index)
            && Arc::ptr_eq(&slot.device, device)
        {
            slot.quarantined.get_or_insert(why);
        }
    }

    /// Opens quarantined devices again. Says of each whether it is back.
    pub(super) fn retry(&self) -> Vec<(String, Result<()>)> {
        let members = self.members();
        let aside = members.iter().enumerate().filter(|(_, m)| m.quarantined.is_some());
        aside
            .map(|(index, member)| {
                let id = member.device.info().id.clone();
                // Opening may take seconds: launches go on meanwhile.
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

/// What a launch has seen of failures.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) events: Vec<FailureEvent>,
    /// For each device that is out of the launch, why, in the order in which they left it.
    pub(super) causes: Vec<String>,
    /// The errors of devices that left the launch because their drivers allow fewer iterations of a
    /// loop than the launch does.
    endless: Vec<Error>,
    /// By device: the most bands of a run, since it had no memory for more.
    most: Vec<Option<u32>>,
    /// By device: whether it gets one chunk at a time.
    one_at_a_time: Vec<bool>,
    /// Every device ran out of memory before anything was done: smaller bands may help.
    pub(super) memory_alone: bool,
}

impl Failures {
    pub(super) fn new(devices: usize, events: &[FailureEvent]) -> Failures {
        Failures {
            events: events.to_vec(),
            most: vec![None; devices],
            one_at_a_time: vec![false; devices],
            ..Failures::default()
        }
    }

    /// Adds what a launch, or an attempt at it, has seen until its end.
    pub(super) fn add(&mut self, attempt: Failures, nothing_done: bool) {
        let short = |event: &FailureEvent| event.kind == FailureKind::OutOfMemory;
        self.memory_alone = nothing_done && attempt.events.iter().any(short);
        self.events.extend(attempt.events);
        self.causes = attempt.causes;
        self.endless = attempt.endless;
    }

    /// The error of a launch without any device left; `unable` has the causes of devices that could
    /// not begin.
    pub(super) fn no_device_left(&mut self, kernel: &str, mut unable: Vec<String>) -> Error {
        unable.append(&mut self.causes);
        match self.endless.pop() {
            // A loop that ends on no device is the fault of the kernel, and not of the devices.
            Some(error) if self.endless.len() + 1 == unable.len() => error,
            _ => Error::NoDevice { kernel: kernel.to_owned(), causes: unable },
        }
    }

    /// The devices that had no memory get another go, at finer bands.
    pub(super) fn cut_finer(&mut self, plan: &Plan) {
        let most = u64::try_from(plan.groups(&(0..1)).workgroups()).unwrap_or(u64::MAX);
        for event in &mut self.events {
            if event.kind == FailureKind::OutOfMemory && event.remedy == Remedy::PutAside {
                event.remedy = Remedy::SmallerChunks(most);
            }
        }
    }

    /// The most bands that a device gets at once.
    pub(super) fn most(&self, device: usize) -> u32 {
        self.most[device].unwrap_or(u32::MAX)
    }

    /// The most runs that a device has in flight.
    pub(super) fn depth(&self, device: usize, usual: usize) -> usize {
        if self.one_at_a_time[device] { 1 } else { usual }
    }
}

impl Session<'_> {
    /// Whether a run can be computed again after a device that works in place computed some of it:
    /// nothing that it reads is what it may have written.
    pub(super) fn again(&self, run: &Range<u32>) -> bool {
        let bindings = self.checked.kernel.signature().bindings.iter().enumerate();
        bindings.filter(|(_, binding)| binding.space.is_storage()).all(|(id, _)| {
            if *self.plan.merge(id) != Merge::Apart {
                return true;
            }
            let footprint = self.plan.footprint(run, id);
            !footprint.writes_header && !footprint.read.may_meet(&footprint.may_write)
        })
    }

    /// A run failed on a device that has so many others in flight.
    pub(super) fn failed(
        &self,
        device: usize,
        task: &Task,
        error: Error,
        others: usize,
        shared: &Shared<'_>,
    ) {
        let member = &self.checked.devices[device];
        let in_place = member.device.in_place();
        let (mut state, run, now) = (shared.lock(), &task.run, shared.now());
        state.reruns.released(task.id);
        let endless = matches!(error, Error::EndlessLoop { .. }).then(|| error.clone());
        let (id, kind, cause) = match error.of_device() {
            Ok(failure) => failure,
            Err(error) => {
                // A fault of the kernel, a cancellation or a bug: another device would not do
                // better.
                state.policy.fail(task.id, now);
                state.stopped.get_or_insert(error);
                shared.tell(state);
                return;
            }
        };
        state.failures.endless.extend(endless);
        let bands = run.end - run.start;
        let remedy = match kind {
            FailureKind::OutOfMemory if others > 0 => Remedy::OneAtATime,
            FailureKind::OutOfMemory if bands > 1 => {
                let half = run.start..run.start + bands / 2;
                let groups = self.plan.groups(&half).workgroups();
                Remedy::SmallerChunks(u64::try_from(groups).unwrap_or(u64::MAX))
            }
            kind if kind.quarantines() && !in_place => Remedy::Quarantined,
            _ => Remedy::PutAside,
        };
        match remedy {
            Remedy::OneAtATime => {
                state.failures.one_at_a_time[device] = true;
                state.policy.give_back(task.id, now);
            }
            Remedy::SmallerChunks(_) => {
                state.failures.most[device] = Some(bands / 2);
                state.policy.give_back(task.id, now);
            }
            Remedy::PutAside | Remedy::Quarantined | Remedy::Recomputed => {
                state.failures.causes.push(format!("  {id} ({kind}): {cause}"));
                // A panic may have come in the middle of it.
                if in_place && kind == FailureKind::Panicked && !self.again(run) {
                    let causes = state.failures.causes.clone();
                    let kernel = self.plan.kernel.clone();
                    state
                        .stopped
                        .get_or_insert(Error::NoDevice { kernel: kernel.to_string(), causes });
                }
                state.policy.fail(task.id, now);
            }
        }
        if remedy == Remedy::Quarantined {
            let why = Quarantined { device: id.clone(), kind, cause: cause.clone() };
            self.checked.runtime.inner.fleet.quarantine(device, &member.device, why);
        }
        tracing::warn!(device = id, %kind, cause, %remedy, "a device failed");
        state.failures.events.push(FailureEvent { device: id, kind, cause, remedy });
        shared.tell(state);
    }
}

/// Why devices can't run a kernel, by device; and the failures met in finding out.
pub(super) fn unable(
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

/// Compiles a kernel on a device, which is quarantined if it fails in a way that it may not recover
/// from.
pub(super) fn prepare(index: usize, member: &Member, kernel: &Kernel, fleet: &Fleet) -> Result<()> {
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
pub(super) fn guarded<R>(device: &dyn Device, call: impl FnOnce() -> Result<R>) -> Result<R> {
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
pub(super) fn no_device(
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
