//! Making the plan of a launch: for these arguments, or kept from an earlier launch. Finer bands, or tiles, if a device has
//! no room for a band; contents that are fetched if the footprints follow from them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::checked::Checked;
use super::planned::Planned;
use crate::analysis::Argument;
use crate::device::{DeviceInfo, DeviceKind, HostBytes};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::plan::{Plan, Room, Split, Wishes, plan};
use crate::runtime::fleet::{self, Member};
use crate::runtime::history::{Question, guess};

pub(crate) fn plan_launch<'a>(
    checked: &'a Checked,
    memory: &'a [HostBytes<'a>],
) -> Result<Planned<'a>> {
    with_bands(checked, memory, checked.wishes.clone())
}

/// The launch in finer bands, if it can be cut finer.
pub(crate) fn finer<'a>(planned: &Planned<'a>) -> Option<Planned<'a>> {
    if planned.checked.wishes.chunks.is_some() {
        return None;
    }
    let bands = planned.plan.bands().len();
    let least_bands = (bands as u32).saturating_mul(8).clamp(64, FINEST);
    let wishes = Wishes { least_bands, ..planned.checked.wishes.clone() };
    let finer = with_bands(planned.checked, planned.memory, wishes).ok()?;
    (finer.plan.bands().len() > bands).then_some(finer)
}

fn with_bands<'a>(
    checked: &'a Checked,
    memory: &'a [HostBytes<'a>],
    asked_for: Wishes,
) -> Result<Planned<'a>> {
    let absent = AtomicBool::new(false);
    let planned = plan_once(checked, memory, asked_for.clone(), &absent, false)?;
    if !absent.load(Ordering::Relaxed) || planned.knows_enough() {
        return Ok(planned);
    }
    // The footprints depend on what a device has written: it has to be here first.
    for buffer in checked.buffers.iter().flatten() {
        buffer.fetch(&(0..buffer.len()), &|_, _| {})?;
    }
    plan_once(checked, memory, asked_for, &AtomicBool::new(false), false)
}

/// A launch that is planned without a look at any contents, which may be others when it runs.
pub(crate) fn plan_blind<'a>(
    checked: &'a Checked,
    memory: &'a [HostBytes<'a>],
) -> Result<Planned<'a>> {
    let wishes = checked.wishes.clone();
    plan_once(checked, memory, wishes, &AtomicBool::new(false), true)
}

fn plan_once<'a>(
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
        return Ok(Planned { checked, memory, elements, plan, unable, events, spare: 0 });
    }
    let asked = question.to_owned();
    let analysis = memo.analysis(&checked.kernel);
    let mut wishes = asked_for.clone();
    let mut made;
    loop {
        let Some(preferred) = preferred(&infos, &unable) else {
            return Err(fleet::no_device(&checked.kernel, &infos, &unable));
        };
        made = plan(&checked.kernel, &analysis, &arguments, &infos, &unable, preferred, &wishes);
        let misfit = first_misfit(&checked.kernel, &made, devices, &unable);
        let Some((device, why)) = misfit else { break };
        // Finer bands have smaller windows; where they do not help the device can't.
        let finer = (made.bands().len() as u32).saturating_mul(4).max(64);
        let whole_for_good = matches!(made.split, Split::Whole { .. }) && wishes.least_bands > 1;
        let finest = made.grid.iter().copied().max().unwrap_or(1).min(FINEST);
        if let Some(room) = wishes.tiles.take() {
            let id = format!("{}: ", infos[device].id);
            let bands = room.why.strip_prefix(&id).unwrap_or(&why);
            let tiles = made.no_tiles.filter(|no| !no.is_empty());
            let tiles = tiles.map(|no| format!(". Nor can it be cut into tiles that fit: {no}"));
            unable[device] = Some(format!("{bands}{}", tiles.unwrap_or_default()));
            wishes = asked_for.clone();
            continue;
        }
        // The axis with the most workgroups may be one along which no cut is sound.
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
    Ok(Planned { checked, memory, elements, plan: made, unable, events, spare: 0 })
}

/// Bands beyond this cost more to analyse than they gain.
const FINEST: u32 = 4096;

/// The device that gets a launch that is not split: the fastest by kind, of equals the first.
fn preferred(infos: &[&DeviceInfo], unable: &[Option<String>]) -> Option<usize> {
    (0..infos.len())
        .filter(|&i| unable[i].is_none())
        .reduce(|best, i| if guess(infos[i].kind) > guess(infos[best].kind) { i } else { best })
}

/// The first device, among those that the plan uses, for which some single band is too large.
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

/// Why some single band is too large for a device.
fn misfit(kernel: &Kernel, plan: &Plan, member: &Member) -> Option<String> {
    let info = member.device.info();
    let memory = plan.chunk_memory(info, member.device.depth());
    let bands = 0..plan.bands().len() as u32;
    bands.into_iter().find_map(|band| plan.fits(kernel, &(band..band + 1), info, memory).err())
}

/// What tiles may take: there is none where the bands fit a device that brings its part as ranges.
/// It is better off without tiles, and does without the others.
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
        // As for a launch that is split: the next tiles go up meanwhile.
        let memory = info.limits.memory / (member.device.depth().max(1) as u64 + 1);
        let known = room.get_or_insert(Room { memory, binding: info.limits.max_binding, why });
        known.memory = known.memory.min(memory);
        known.binding = known.binding.min(info.limits.max_binding);
    }
    room
}
