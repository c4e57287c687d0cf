//! A launch whose buffers are granted, with its plan, which may be kept from an earlier launch.
//!
//! Bands are made finer if a device has no room for them. Contents that only a device has are fetched if
//! footprints depend on them.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::checked::Checked;
use crate::analysis::Argument;
use crate::device::{DeviceInfo, DeviceKind, HostBytes};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::plan::{Merge, Plan, Room, Speed, Split, Wishes, plan};
use crate::runtime::fleet::{self, Member};
use crate::runtime::history::{Expected, Question, guess};
use crate::runtime::report::{DeviceReport, FailureEvent};

/// A launch that is ready to run.
pub(super) struct Planned<'a> {
    pub(super) checked: &'a Checked,
    /// By binding.
    pub(super) memory: &'a [HostBytes<'a>],
    /// By binding; 0 for values.
    pub(super) elements: Vec<u64>,
    pub(super) plan: Plan,
    /// By device: why it can't run the launch.
    pub(super) unable: Vec<Option<String>>,
    /// Failures from before anything ran.
    pub(super) events: Vec<FailureEvent>,
}

impl<'a> Planned<'a> {
    pub(super) fn new(checked: &'a Checked, memory: &'a [HostBytes<'a>]) -> Result<Planned<'a>> {
        Planned::with_bands(checked, memory, checked.wishes.clone())
    }

    /// The launch in finer bands, if it can be cut finer.
    pub(super) fn finer(&self) -> Option<Planned<'a>> {
        if self.checked.wishes.chunks.is_some() {
            return None;
        }
        let bands = self.plan.bands().len();
        let least_bands = (bands as u32).saturating_mul(8).clamp(64, FINEST);
        let wishes = Wishes { least_bands, ..self.checked.wishes.clone() };
        let finer = Planned::with_bands(self.checked, self.memory, wishes).ok()?;
        (finer.plan.bands().len() > bands).then_some(finer)
    }

    fn with_bands(
        checked: &'a Checked,
        memory: &'a [HostBytes<'a>],
        asked_for: Wishes,
    ) -> Result<Planned<'a>> {
        let absent = AtomicBool::new(false);
        let planned = Self::make(checked, memory, asked_for.clone(), &absent, false)?;
        if !absent.load(Ordering::Relaxed) || planned.knows_enough() {
            return Ok(planned);
        }
        // The footprints depend on contents that only a device has.
        for buffer in checked.buffers.iter().flatten() {
            buffer.fetch(&(0..buffer.len()), &|_, _| {})?;
        }
        Self::make(checked, memory, asked_for, &AtomicBool::new(false), false)
    }

    /// Plans a launch without its buffers' contents, which may change before it runs.
    pub(super) fn blind(checked: &'a Checked, memory: &'a [HostBytes<'a>]) -> Result<Planned<'a>> {
        let wishes = checked.wishes.clone();
        Self::make(checked, memory, wishes, &AtomicBool::new(false), true)
    }

    /// Whether further contents would not improve the plan: no footprint was widened, or only one device can
    /// run the launch.
    fn knows_enough(&self) -> bool {
        let bands = self.plan.bands().iter();
        let mut footprints = bands.flat_map(|band| &band.footprints);
        self.unable.iter().filter(|why| why.is_none()).count() <= 1
            || footprints.all(|footprint| footprint.unbounded.is_none())
    }

    fn make(
        checked: &'a Checked,
        memory: &'a [HostBytes<'a>],
        asked_for: Wishes,
        absent: &AtomicBool,
        blind: bool,
    ) -> Result<Planned<'a>> {
        let devices = &checked.devices;
        let infos: Vec<&DeviceInfo> = devices.iter().map(|m| m.device.info()).collect();
        let fleet = &checked.resources.fleet;
        let (mut unable, events) = fleet::unable(devices, &checked.kernel, fleet);
        let arguments = checked.arguments(memory, absent, blind);
        let elements: Vec<u64> = arguments
            .bindings
            .iter()
            .map(|argument| match argument {
                Argument::Storage { elements, .. } => *elements,
                Argument::Value(_) => 0,
            })
            .collect();
        let memo = &checked.resources.memo;
        let question = Question {
            kernel: checked.kernel.id(),
            grid: checked.grid,
            values: &checked.values,
            elements: &elements,
            wishes: &asked_for,
            unable: &unable,
        };
        if let Some((plan, unable)) = memo.planned(&question, &arguments) {
            return Ok(Planned { checked, memory, elements, plan, unable, events });
        }
        let asked = question.to_owned();
        let analysis = memo.analysis(&checked.kernel);
        let mut wishes = asked_for.clone();
        let mut made;
        loop {
            let Some(preferred) = preferred(&infos, &unable) else {
                return Err(fleet::no_device(&checked.kernel, &infos, &unable));
            };
            made =
                plan(&checked.kernel, &analysis, &arguments, &infos, &unable, preferred, &wishes);
            let misfit = first_misfit(&checked.kernel, &made, devices, &unable);
            let Some((device, why)) = misfit else { break };
            // Finer bands have smaller windows. If they do not help, the device can't run it.
            let finer = (made.bands().len() as u32).saturating_mul(4).max(64);
            let whole_for_good =
                matches!(made.split, Split::Whole { .. }) && wishes.least_bands > 1;
            let finest = made.grid.iter().copied().max().unwrap_or(1).min(FINEST);
            if let Some(room) = wishes.tiles.take() {
                let id = format!("{}: ", infos[device].id);
                let bands = room.why.strip_prefix(&id).unwrap_or(&why);
                let tiles = made.no_tiles.filter(|no| !no.is_empty());
                let tiles =
                    tiles.map(|no| format!(". Nor can it be cut into tiles that fit: {no}"));
                unable[device] = Some(format!("{bands}{}", tiles.unwrap_or_default()));
                wishes = asked_for.clone();
                continue;
            }
            // `finest` may be of an axis along which no cut is sound; `tried` ends the search then.
            let tried = finer.min(FINEST) <= wishes.least_bands;
            if checked.wishes.chunks.is_none()
                && !whole_for_good
                && !tried
                && (made.bands().len() as u32) < finest
            {
                wishes.least_bands = finer.min(FINEST);
            } else if checked.wishes.chunks.is_none()
                && let Some(room) = room(&checked.kernel, &made, devices, &unable)
            {
                wishes = Wishes { tiles: Some(room), ..asked_for.clone() };
            } else {
                unable[device] = Some(why);
                wishes = asked_for.clone();
            }
        }
        if !absent.load(Ordering::Relaxed) {
            memo.keep_plan(asked, &arguments, &made, &unable);
        }
        Ok(Planned { checked, memory, elements, plan: made, unable, events })
    }

    /// Whether a device takes part in the plan.
    pub(super) fn takes_part(&self, device: usize) -> bool {
        self.unable.get(device).is_some_and(Option::is_none)
            && self.plan.devices[device].left_out.is_none()
    }

    /// The workgroups of a launch that several devices share and one might run alone, if it is such a launch.
    /// Logical devices never run alone: one would get the hardware of all.
    pub(super) fn may_be_alone(&self) -> Option<u64> {
        let Checked { devices, wishes, verification, .. } = self.checked;
        let split = matches!(self.plan.split, Split::Bands { .. });
        let free = !wishes.reproducible && wishes.chunks.is_none() && verification.fraction == 0.0;
        let several = (0..devices.len()).filter(|&device| self.takes_part(device)).count() > 1;
        let whole = |member: &Member| !member.device.info().id.contains('.');
        let may = split && free && several && devices.iter().all(whole);
        may.then(|| self.workgroups(&self.all()))
    }

    /// The number of GPUs that take part, if the CPU does too and shares are not fixed.
    pub(super) fn fed(&self) -> Option<usize> {
        let wishes = &self.checked.wishes;
        let split = matches!(self.plan.split, Split::Bands { .. });
        let able = self.checked.devices.iter().zip(&self.unable).zip(&self.plan.devices);
        let able = able.filter(|((_, no), planned)| no.is_none() && planned.left_out.is_none());
        let (cpus, gpus): (Vec<_>, Vec<_>) =
            able.partition(|((member, _), _)| member.device.info().kind == DeviceKind::Cpu);
        let shared = !cpus.is_empty() && !gpus.is_empty();
        (split && shared && !wishes.reproducible && wishes.chunks.is_none()).then_some(gpus.len())
    }

    /// A report per device, without any work.
    pub(super) fn blank_reports(&self) -> Vec<DeviceReport> {
        let devices = self.checked.devices.iter();
        devices
            .map(|Member { device, .. }| DeviceReport {
                id: device.info().id.clone(),
                name: device.info().name.clone(),
                driver: device.info().driver.clone(),
                ..DeviceReport::default()
            })
            .collect()
    }

    /// The devices that can run a whole launch, in order of preference; `None` for a split launch.
    pub(super) fn whole_on(&self) -> Option<Vec<usize>> {
        matches!(self.plan.split, Split::Whole { .. }).then(|| self.order(0))
    }

    /// The expectation of each device that can run the launch.
    pub(super) fn expectations(&self) -> Vec<Option<Expected>> {
        let Checked { resources, kernel, devices, wishes, .. } = self.checked;
        let groups = crate::grid::GroupBox::whole(self.plan.grid).workgroups() as f64;
        let able = devices.iter().zip(&self.unable);
        let able = able.map(|(member, unable)| unable.is_none().then(|| member.device.info()));
        resources.memo.expect(kernel, able, &self.plan, groups, wishes.reproducible)
    }

    /// By device: its fraction of the sum of speeds, and whether its speed was measured; `None` for a device
    /// that takes no part.
    pub(super) fn shares(&self) -> Vec<Option<(f64, bool)>> {
        let devices = self.expectations().into_iter().zip(&self.plan.devices);
        let speeds: Vec<Option<(f64, bool)>> = devices
            .map(|(expected, planned)| match expected?.prior.speed {
                _ if planned.left_out.is_some() => None,
                Speed::Measured(speed) => Some((speed, true)),
                Speed::Estimated(speed) => Some((speed, false)),
            })
            .collect();
        let total: f64 = speeds.iter().flatten().map(|speed| speed.0).sum();
        let part = |(speed, measured): (f64, bool)| (speed / total, measured);
        speeds.into_iter().map(|speed| speed.map(part)).collect()
    }

    /// The devices that can take part, in order of preference. `place` rotates the equally fast devices in front.
    pub(super) fn order(&self, place: usize) -> Vec<usize> {
        let devices = &self.checked.devices;
        let mut order: Vec<usize> =
            (0..devices.len()).filter(|&i| self.unable[i].is_none()).collect();
        order.sort_by(|&a, &b| {
            let speed = |index: usize| guess(devices[index].device.info().kind);
            speed(b).total_cmp(&speed(a))
        });
        let speed = |index: usize| guess(devices[index].device.info().kind);
        let equals = order.iter().take_while(|&&i| speed(i) == speed(order[0])).count();
        if equals > 1 {
            order[..equals].rotate_left(place % equals);
        }
        order
    }

    /// All bands.
    pub(super) fn all(&self) -> Range<u32> {
        0..self.plan.bands().len() as u32
    }

    /// The workgroups of a run of bands.
    pub(super) fn workgroups(&self, run: &Range<u32>) -> u64 {
        u64::try_from(self.plan.groups(run).workgroups()).unwrap_or(u64::MAX)
    }

    /// Whether a run can be computed again after a device that works in place computed a part of it: it reads
    /// no element that it may have written.
    pub(super) fn can_be_repeated(&self, run: &Range<u32>) -> bool {
        let bindings = self.checked.kernel.signature().bindings.iter().enumerate();
        bindings.filter(|(_, binding)| binding.space.is_storage()).all(|(id, _)| {
            if *self.plan.merge(id) != Merge::Apart {
                return true;
            }
            let footprint = self.plan.footprint(run, id);
            !footprint.writes_header && !footprint.read.may_meet(&footprint.may_write)
        })
    }
}

/// The most bands for finer plans: more cost more to analyse than they gain.
const FINEST: u32 = 4096;

/// The device that gets a whole launch: the first of the fastest kind.
fn preferred(infos: &[&DeviceInfo], unable: &[Option<String>]) -> Option<usize> {
    (0..infos.len())
        .filter(|&i| unable[i].is_none())
        .reduce(|best, i| if guess(infos[i].kind) > guess(infos[best].kind) { i } else { best })
}

/// The first device of the plan for which a single band is too large, and why.
fn first_misfit(
    kernel: &Kernel,
    plan: &Plan,
    members: &[Member],
    unable: &[Option<String>],
) -> Option<(usize, String)> {
    let taking_part = |i: &usize| {
        unable[*i].is_none()
            && plan.devices[*i].left_out.is_none()
            && members[*i].device.info().kind != DeviceKind::Cpu
    };
    let mut devices = (0..members.len()).filter(taking_part);
    devices.find_map(|i| Some((i, misfit(kernel, plan, &members[i])?)))
}

/// Why a single band is too large for a device, if one is.
fn misfit(kernel: &Kernel, plan: &Plan, member: &Member) -> Option<String> {
    let info = member.device.info();
    let memory = plan.chunk_memory(info, member.device.depth());
    let bands = 0..plan.bands().len() as u32;
    bands.into_iter().find_map(|band| plan.fits(kernel, &(band..band + 1), info, memory).err())
}

/// The limits of tiles, by the smallest device. `None` if the bands fit some GPU: it runs them without the
/// GPUs that they do not fit, which is faster than tiles.
fn room(
    kernel: &Kernel,
    plan: &Plan,
    members: &[Member],
    unable: &[Option<String>],
) -> Option<Room> {
    let mut room: Option<Room> = None;
    for (member, _) in members.iter().zip(unable).filter(|(_, unable)| unable.is_none()) {
        let info = member.device.info();
        if info.kind == DeviceKind::Cpu {
            continue;
        }
        let why = format!("{}: {}", info.id, misfit(kernel, plan, member)?);
        // Room for the tiles in flight, and for one that is being uploaded.
        let memory = info.limits.memory / (member.device.depth().max(1) as u64 + 1);
        let known = room.get_or_insert(Room { memory, binding: info.limits.max_binding, why });
        known.memory = known.memory.min(memory);
        known.binding = known.binding.min(info.limits.max_binding);
    }
    room
}
