//! What a launch leaves on devices, and what it finds there.
//!
//! A binding is *kept* when a device may have a part of it as a range: a runtime-sized array of
//! whole words, bound once, of which bands write ranges apart. A chunk finds the kept bindings in
//! windows of its device, to which only what is missing was brought; what it writes stays there,
//! and the host's memory is out of date. All other bindings are in host memory, whole, from the
//! beginning of the launch to its end: the way of merged buffers, of headers, of columns.
//!
//! When inputs lie on devices, each device's *home* is the run of bands whose data it has, so that
//! a launch that is repeated moves only what its bands read of others'.
//!
//! A chunk that fails has spoilt what it may have written in its window. That range is current
//! elsewhere, or it is lost, and computed again when it is needed (`log`).

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::report::DeviceReport;
use super::session::Session;
use crate::device::{Device, DeviceInfo, DeviceKind, Held};
use crate::error::{Error, Result};
use crate::kernel::{Binding, Space};
use crate::memory::{BufferRange, DeviceMemory, Entry, Moved};
use crate::plan::Split;

/// The memories of a runtime's devices.
#[derive(Debug, Default)]
pub(super) struct Memories {
    all: Mutex<Vec<Arc<DeviceMemory>>>,
}

impl Memories {
    /// The memory of a device, if it can keep things.
    fn of(&self, device: &Arc<dyn Device>) -> Option<Arc<DeviceMemory>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|memory| memory.is_of(device)) {
            return Some(Arc::clone(known));
        }
        let new = DeviceMemory::of(device)?;
        // Those of devices that were opened again, and of whom nobody has anything any more.
        all.retain(|memory| Arc::strong_count(memory) > 1);
        all.push(Arc::clone(&new));
        Some(new)
    }
}

#[cfg(all(test, feature = "gpu"))]
impl Memories {
    /// Bytes of all windows.
    pub(super) fn used(&self) -> u64 {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|memory| memory.used()).sum()
    }
}

/// Bytes that moved to and from one device for a launch.
#[derive(Debug, Default)]
struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
}

/// Which bindings and devices keep what in a launch.
#[derive(Debug)]
pub(super) struct Keeping {
    /// By device; nothing for one that keeps nothing.
    memories: Vec<Option<Arc<DeviceMemory>>>,
    /// By binding.
    pub(super) kept: Vec<bool>,
    traffic: Vec<Traffic>,
    /// By device: whether the launch is too large to stay, and goes through in pieces.
    streams: Vec<AtomicBool>,
}

/// How a chunk that was brought its data has ended.
#[derive(Clone, Copy)]
pub(super) enum Ended<'o> {
    /// The device has not touched anything.
    NotBegun,
    /// What it would have written may be anything.
    Failed,
    /// With a result; and how to compute that again, if it is recorded.
    Done(Option<&'o Arc<Entry>>),
}

/// Who writes in the host's memory where it is no device: what was computed twice is put in place.
const NOBODY: usize = usize::MAX;

/// Seconds that a byte takes on its way, for weighing a move against an imbalance: a bus of a few
/// gigabytes a second, down and up.
const SECONDS_PER_BYTE: f64 = 0.5e-9;

impl Keeping {
    pub(super) fn new<'d>(
        memories: &Memories,
        devices: impl Iterator<Item = &'d Arc<dyn Device>>,
        bindings: &[Binding],
        buffers: &[Option<BufferRange>],
        apart: &[bool],
    ) -> Keeping {
        let kept = |id: usize| {
            let Some(buffer) = &buffers[id] else { return false };
            let layout = &bindings[id].layout;
            let alone = |(other, part): (usize, &Option<BufferRange>)| {
                other == id || part.as_ref().is_none_or(|part| !part.same_buffer(buffer))
            };
            apart.get(id).copied().unwrap_or(false)
                && layout.header == 0
                && layout.count.is_none()
                && layout.stride.is_multiple_of(4)
                && layout.element_size == layout.stride
                && buffers.iter().enumerate().all(alone)
        };
        let memories: Vec<_> = devices.map(|device| memories.of(device)).collect();
        Keeping {
            kept: (0..bindings.len()).map(kept).collect(),
            traffic: memories.iter().map(|_| Traffic::default()).collect(),
            streams: memories.iter().map(|_| AtomicBool::new(false)).collect(),
            memories,
        }
    }

    pub(super) fn meter(&self) -> impl Fn(&DeviceMemory, Moved) {
        |memory, moved| {
            // Devices of another runtime that share a buffer are not in our report.
            let ours = |m: &Option<Arc<DeviceMemory>>| {
                m.as_ref().is_some_and(|m| std::ptr::eq(Arc::as_ptr(m), memory))
            };
            let Some(device) = self.memories.iter().position(ours) else { return };
            match moved {
                Moved::Up(bytes) => self.traffic[device].up.fetch_add(bytes, Relaxed),
                Moved::Down(bytes) => self.traffic[device].down.fetch_add(bytes, Relaxed),
            };
        }
    }

    /// Adds what was moved outside of chunks to the devices' reports.
    pub(super) fn account(&self, reports: &mut [DeviceReport]) {
        for (traffic, report) in self.traffic.iter().zip(reports) {
            report.uploaded += traffic.up.load(Relaxed);
            report.downloaded += traffic.down.load(Relaxed);
        }
    }
}

impl Session<'_> {
    /// The storage bindings with their buffers.
    pub(super) fn storage(&self) -> impl Iterator<Item = (usize, &Binding, &BufferRange)> {
        let bindings = self.checked.kernel.signature().bindings.iter();
        let both = bindings.zip(&self.checked.buffers).enumerate();
        both.filter_map(|(id, (binding, buffer))| Some((id, binding, buffer.as_ref()?)))
    }

    /// Brings to the host what chunks will work on there.
    pub(super) fn gather(&self) -> Result<()> {
        let meter = self.keeping.meter();
        for (id, binding, buffer) in self.storage() {
            if !self.keeping.kept[id] {
                let all = 0..buffer.len();
                buffer.fetch(&all, &meter)?;
                if binding.space == Space::StorageWrite {
                    buffer.preserve(&all);
                    buffer.written_on_host(&all);
                }
            }
        }
        Ok(())
    }

    /// Lets go of windows that the devices' bands do not fit into, so that they can stream; and
    /// brings what each device's home needs, while none computes.
    pub(super) fn settle(&self, homes: &[Range<u32>]) -> Result<()> {
        let meter = self.keeping.meter();
        let all = 0..self.plan.bands().len() as u32;
        for (device, memory) in self.keeping.memories.iter().enumerate() {
            let Some(memory) = memory else { continue };
            let run = homes.get(device).unwrap_or(&all);
            // Tiles leave nothing there, and are as large as fits.
            let streams = self.plan.tiling().is_some();
            if streams || !memory.could_hold(self.kept_bytes(run)) {
                for (_, _, buffer) in self.storage() {
                    buffer.leave(memory, &meter)?;
                }
                memory.clear(&meter);
                self.keeping.streams[device].store(true, Relaxed);
            } else if !homes.is_empty() && !run.is_empty() && self.unable[device].is_none() {
                match self.bring(device, run, false) {
                    Ok(held) => self.ended(device, run, &held, Ended::NotBegun),
                    // Its worker will meet the failure again, and knows what to do.
                    Err(Error::Device { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Bytes of the windows that a run of bands needs of kept bindings.
    fn kept_bytes(&self, run: &Range<u32>) -> u64 {
        let kept = self.storage().filter(|(id, ..)| self.keeping.kept[*id]);
        let bytes = kept.map(|(id, binding, _)| {
            let window = self.plan.window(run, id);
            (window.end - window.start).saturating_mul(binding.layout.stride)
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// The memory of a device in which the launch leaves things.
    pub(super) fn memory_of(&self, device: usize) -> Option<&Arc<DeviceMemory>> {
        let memory = self.keeping.memories[device].as_ref()?;
        (!self.keeping.streams[device].load(Relaxed)).then_some(memory)
    }

    /// Whether something may stay on some device.
    pub(super) fn keeps(&self) -> bool {
        let devices = 0..self.keeping.memories.len();
        self.keeping.kept.contains(&true) && { devices }
            .any(|device| self.memory_of(device).is_some())
    }

    /// Whether all that chunks touch stays on a device, so that it need not fit beside others.
    pub(super) fn stays_on(&self, device: usize) -> bool {
        self.memory_of(device).is_some() && self.storage().all(|(id, ..)| self.keeping.kept[id])
    }

    /// Makes a device have what a run of bands needs. Of a device that keeps nothing, and of a
    /// binding that it has no room for, the host has it; also of what it computes a second time,
    /// which it writes to copies.
    pub(super) fn bring(
        &self,
        device: usize,
        run: &Range<u32>,
        second: bool,
    ) -> Result<Vec<Option<Held>>> {
        let meter = self.keeping.meter();
        let mut all: Vec<Option<Held>> = vec![None; self.checked.buffers.len()];
        for (id, binding, buffer) in self.storage() {
            if !self.keeping.kept[id] {
                continue;
            }
            let stride = binding.layout.stride;
            let bytes = |range: &Range<u64>| range.start * stride..range.end * stride;
            let (_, needed) = self.plan.written_and_needed(run, id);
            let window = self.plan.window(run, id);
            if window.is_empty() {
                continue;
            }
            let copied = second && binding.space == Space::StorageWrite;
            let brought = match self.memory_of(device) {
                Some(memory) if !copied => {
                    buffer.bring(memory, &bytes(&window), &bytes(&needed), stride, &meter)
                }
                _ => Ok(None),
            };
            let outcome = match brought {
                Ok(Some(brought)) => {
                    let elements = brought.bytes.start / stride..brought.bytes.end / stride;
                    all[id] = Some(Held { block: brought.block, elements });
                    Ok(())
                }
                Ok(None) => {
                    if binding.space == Space::StorageWrite && !copied {
                        let (written, _) = self.plan.written_and_needed(run, id);
                        buffer.preserve(&bytes(&written));
                        let outcome = buffer.fetch(&bytes(&needed), &meter);
                        buffer.begins_to_write(device, &bytes(&written));
                        outcome
                    } else {
                        buffer.fetch(&bytes(&needed), &meter)
                    }
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.ended(device, run, &all, Ended::NotBegun);
                return Err(error);
            }
        }
        Ok(all)
    }

    /// Whether all that a chunk touches was found to be held.
    pub(super) fn all_held(&self, held: &[Option<Held>]) -> bool {
        self.storage().all(|(id, ..)| held[id].is_some())
    }

    /// A chunk has ended that was brought its data.
    pub(super) fn ended(
        &self,
        device: usize,
        run: &Range<u32>,
        held: &[Option<Held>],
        how: Ended<'_>,
    ) {
        for (id, binding, buffer) in self.storage() {
            if !self.keeping.kept[id] {
                continue;
            }
            let stride = binding.layout.stride;
            let of_run = self.plan.written_and_needed(run, id).0;
            let of_run = of_run.start * stride..of_run.end * stride;
            let written = match (binding.space, &how) {
                (Space::StorageWrite, Ended::Failed | Ended::Done(_)) => of_run.clone(),
                _ => 0..0,
            };
            match (&held[id], self.memory_of(device), &how) {
                (Some(_), Some(memory), Ended::Done(origin)) if !written.is_empty() => {
                    buffer.written_on(memory, &written, *origin);
                }
                (Some(_), Some(memory), _) => buffer.not_written_on(memory, &written),
                (_, _, Ended::Done(_)) if !written.is_empty() => {
                    buffer.written_on_host(&written);
                }
                _ => {}
            }
            if held[id].is_none() && binding.space == Space::StorageWrite {
                buffer.ends_to_write(device, &of_run);
            }
        }
    }

    /// What a run writes is about to be put into the host's memory.
    pub(super) fn preserve(&self, run: &Range<u32>) {
        for (id, binding, buffer) in self.storage() {
            if self.keeping.kept[id] && binding.space == Space::StorageWrite {
                let (written, stride) =
                    (self.plan.written_and_needed(run, id).0, binding.layout.stride);
                let written = written.start * stride..written.end * stride;
                buffer.preserve(&written);
                buffer.begins_to_write(NOBODY, &written);
            }
        }
    }

    /// What a run writes has been put into the host's memory.
    pub(super) fn put_on_host(&self, run: &Range<u32>) {
        for (id, binding, buffer) in self.storage() {
            if self.keeping.kept[id] && binding.space == Space::StorageWrite {
                let (written, stride) =
                    (self.plan.written_and_needed(run, id).0, binding.layout.stride);
                let written = written.start * stride..written.end * stride;
                buffer.written_on_host(&written);
                buffer.ends_to_write(NOBODY, &written);
            }
        }
    }

    /// The bands that each device should compute because their data is there: none where no data
    /// is on devices alone. `speeds` are in bands per second; 0 takes no part, and nothing is one
    /// that is not known.
    pub(super) fn homes(&self, speeds: &[Option<f64>], fixed: bool) -> Option<Vec<Range<u32>>> {
        let Split::Bands { bands, tiling: None, .. } = &self.plan.split else { return None };
        let able = speeds.iter().filter(|speed| **speed != Some(0.0)).count();
        let elsewhere =
            self.storage().any(|(id, _, buffer)| self.keeping.kept[id] && !buffer.on_host());
        // What one device can't hold several may.
        let bytes = self.kept_bytes(&(0..bands.len() as u32));
        let large = self.keeping.memories.iter().flatten().any(|m| !m.could_hold(bytes));
        if able < 2 || !(elsewhere || large) || (!fixed && speeds.contains(&None)) {
            return None;
        }
        let count = bands.len() as u32;
        // Equal shares where the caller wants to know who does what.
        let weights: Vec<f64> = speeds
            .iter()
            .map(|speed| match speed {
                Some(0.0) => 0.0,
                _ if fixed => 1.0,
                speed => speed.unwrap_or(1.0),
            })
            .collect();
        let host = self.host_worker(&weights);
        let owners: Vec<Option<(usize, bool)>> =
            (0..count).map(|band| self.owner(band, host.is_some())).collect();
        let by_devices = owners.iter().map(|owner| owner.map(|(device, _)| device)).collect();
        let with_host = || with_host(&owners, host?, &weights);
        let owners = with_host().unwrap_or(by_devices);
        // Who had how much of it when all ended together says more than one measurement does.
        let owned = |device: usize| owners.iter().filter(|o| **o == Some(device)).count() as f64;
        let found: Vec<f64> = (0..weights.len()).map(owned).collect();
        let all_own = found.iter().sum::<f64>() == f64::from(count)
            && weights.iter().zip(&found).all(|(w, f)| (*w > 0.0) == (*f > 0.0));
        let weights = if all_own && !fixed { found } else { weights };
        let balanced = shares(count, &weights, &order(&owners, weights.len()));
        let fits = |homes: &[Range<u32>]| {
            let held = homes.iter().zip(&self.keeping.memories);
            held.into_iter().all(|(home, memory)| {
                memory.as_ref().is_none_or(|memory| memory.could_hold(self.kept_bytes(home)))
            })
        };
        if !elsewhere && !fits(&balanced) {
            return None;
        }
        let able = |homes: &Vec<Range<u32>>| {
            homes.iter().zip(&weights).all(|(home, weight)| *weight > 0.0 || home.start == home.end)
        };
        let now = runs(&owners, weights.len()).filter(able);
        let Some(now) = now.filter(|_| !fixed) else {
            return Some(balanced);
        };
        let band_bytes: u64 = self
            .storage()
            .filter(|(id, ..)| self.keeping.kept[*id])
            .map(|(id, binding, _)| {
                self.plan.written_and_needed(&(0..1), id).1.end * binding.layout.stride
            })
            .fold(0, u64::saturating_add);
        let cost = |homes: &Homes| {
            let moved: u32 = now.iter().zip(&homes.runs).map(|(a, b)| leaving(a, b)).sum();
            f64::from(moved) * band_bytes as f64 * SECONDS_PER_BYTE
        };
        let order = order(&owners, weights.len());
        let homes = |speeds: &[f64]| Homes::new(shares(count, speeds, &order));
        let bands = Homes::new(now.clone()).bands;
        let shared = self.share_hardware(&weights);
        let memo = &self.checked.runtime.inner.memo;
        let better = memo.balance(&self.checked.kernel, |balance| {
            let better =
                balance.better(&bands, &weights, shared, homes, cost).filter(|h| fits(&h.runs));
            better.inspect(|_| balance.moved())
        });
        Some(better.flatten().map_or(now, |better| better.runs))
    }

    /// The device that computes in the host's memory, if one alone does.
    fn host_worker(&self, weights: &[f64]) -> Option<usize> {
        let able = (0..weights.len()).filter(|&device| weights[device] > 0.0);
        let mut host = able.filter(|&device| self.memory_of(device).is_none());
        host.next().filter(|_| host.next().is_none())
    }

    /// Whether two of the devices that take part compute on the same cores or on the same GPU.
    fn share_hardware(&self, weights: &[f64]) -> bool {
        let devices = self.checked.devices.iter().zip(weights).filter(|(_, w)| **w > 0.0);
        let infos: Vec<&DeviceInfo> = devices.map(|(member, _)| member.device.info()).collect();
        let host =
            |info: &DeviceInfo| matches!(info.kind, DeviceKind::Cpu | DeviceKind::SoftwareGpu);
        // Logical devices are called `gpu0.0`, `gpu0.1`.
        let whole = |info: &DeviceInfo| info.id.split('.').next().map(str::to_owned);
        infos
            .iter()
            .enumerate()
            .any(|(at, a)| infos[..at].iter().any(|b| host(a) && host(b) || whole(a) == whole(b)))
    }

    /// Notes how fast devices were at what was theirs.
    pub(super) fn observe(&self, homes: &[Range<u32>], busy: impl Iterator<Item = Duration>) {
        let bands = homes.iter().map(|home| home.end - home.start);
        let done: Vec<(u32, f64)> = bands.zip(busy.map(|busy| busy.as_secs_f64())).collect();
        let memo = &self.checked.runtime.inner.memo;
        memo.balance(&self.checked.kernel, |balance| balance.observe(&done));
    }

    /// The device that has most of what a band needs, and whether that is more than half of it;
    /// nothing where only the host has any. Where somebody computes in the host's memory, what that has
    /// as well is nobody's.
    fn owner(&self, band: u32, beyond_host: bool) -> Option<(usize, bool)> {
        let run = band..band + 1;
        let held = |memory: &DeviceMemory| -> u64 {
            let kept = self.storage().filter(|(id, ..)| self.keeping.kept[*id]);
            kept.map(|(id, binding, buffer)| {
                let (_, needed) = self.plan.written_and_needed(&run, id);
                let stride = binding.layout.stride;
                buffer.held(memory, &(needed.start * stride..needed.end * stride), beyond_host)
            })
            .sum()
        };
        let memories = self.keeping.memories.iter().enumerate();
        let held = memories.filter_map(|(device, memory)| Some((held(memory.as_ref()?), device)));
        let most = held.filter(|(bytes, _)| *bytes > 0);
        let (bytes, device) = most.max_by_key(|h| (h.0, std::cmp::Reverse(h.1)))?;
        let kept = self.storage().filter(|(id, ..)| self.keeping.kept[*id]);
        let needed = kept.map(|(id, binding, _)| {
            let (_, needed) = self.plan.written_and_needed(&run, id);
            (needed.end - needed.start).saturating_mul(binding.layout.stride)
        });
        Some((device, bytes > needed.fold(0, u64::saturating_add) / 2))
    }
}

/// Imbalance up to which what lies on the host counts as the bands of the device that computes there.
const LEFT_ON_HOST: f64 = 1.25;

/// Owners of all bands, if what no device has most of is taken for the host's: if so each has one run,
/// and they about end together. Else the host has the data because nobody else was given any yet.
fn with_host(
    owners: &[Option<(usize, bool)>],
    host: usize,
    speeds: &[f64],
) -> Option<Vec<Option<usize>>> {
    let owner = |owner: &Option<(usize, bool)>| match owner {
        Some((device, true)) => Some(*device),
        _ => Some(host),
    };
    let filled: Vec<Option<usize>> = owners.iter().map(owner).collect();
    let now = runs(&filled, speeds.len())?;
    let time = |device: usize| match now[device].end - now[device].start {
        0 => 0.0,
        count => f64::from(count) / speeds[device],
    };
    let longest = (0..speeds.len()).map(time).fold(0.0, f64::max);
    let best = filled.len() as f64 / speeds.iter().sum::<f64>();
    (longest <= LEFT_ON_HOST * best).then_some(filled)
}

/// Runs of bands by device, and how many bands these are.
struct Homes {
    runs: Vec<Range<u32>>,
    bands: Vec<u32>,
}

impl Homes {
    fn new(runs: Vec<Range<u32>>) -> Homes {
        Homes { bands: runs.iter().map(|run| run.end - run.start).collect(), runs }
    }
}

impl AsRef<[u32]> for Homes {
    fn as_ref(&self) -> &[u32] {
        &self.bands
    }
}

/// Bands of `a` that are not in `b`.
fn leaving(a: &Range<u32>, b: &Range<u32>) -> u32 {
    let common = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    (a.end - a.start) - common
}

/// The devices in the order in which their bands lie; those without any behind.
fn order(owners: &[Option<usize>], devices: usize) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for device in owners.iter().flatten().copied().chain(0..devices) {
        if !order.contains(&device) {
            order.push(device);
        }
    }
    order
}

/// The run of bands of each device, if each has at most one run and together they have all.
fn runs(owners: &[Option<usize>], devices: usize) -> Option<Vec<Range<u32>>> {
    let mut homes: Vec<Range<u32>> = vec![0..0; devices];
    for (band, owner) in (0..).zip(owners) {
        let home = &mut homes[(*owner)?];
        if home.start == home.end {
            *home = band..band + 1;
        } else if home.end == band {
            home.end = band + 1;
        } else {
            return None;
        }
    }
    Some(homes)
}

/// Runs in proportion to weights, laid out in an order; given by device.
fn shares(count: u32, weights: &[f64], order: &[usize]) -> Vec<Range<u32>> {
    let total: f64 = weights.iter().sum();
    let mut homes = vec![0..0; weights.len()];
    let (mut sum, mut start) = (0.0, 0);
    let last = order.iter().rev().copied().find(|&device| weights[device] > 0.0);
    for &device in order {
        sum += weights[device];
        let end = (f64::from(count) * sum / total).round() as u32;
        let end = if Some(device) == last { count } else { end.clamp(start, count) };
        if weights[device] > 0.0 {
            homes[device] = start..end;
            start = end;
        }
    }
    homes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_cover_all_bands_in_the_order_in_which_devices_lie() {
        assert_eq!(shares(64, &[1.0, 3.0], &[0, 1]), [0..16, 16..64]);
        assert_eq!(shares(64, &[1.0, 3.0], &[1, 0]), [48..64, 0..48]);
        assert_eq!(shares(10, &[1.0, 0.0, 1.0], &[0, 1, 2]), [0..5, 0..0, 5..10]);
        assert_eq!(shares(10, &[1.0, 1.0, 0.0], &[2, 1, 0]), [5..10, 0..5, 0..0]);
        assert_eq!(shares(1, &[1e-9, 1.0], &[0, 1]), [0..0, 0..1]);
    }

    #[test]
    fn what_nobody_has_is_the_hosts_where_that_is_about_its_share() {
        let owners = |host: usize, gpu: usize| {
            let mut all = vec![None; host];
            all.push(Some((1, false)));
            all.extend(vec![Some((1, true)); gpu]);
            all
        };
        let filled = with_host(&owners(29, 70), 0, &[3.0, 6.0]).unwrap();
        assert_eq!((filled[29], filled[30]), (Some(0), Some(1)));
        assert_eq!(with_host(&owners(90, 10), 0, &[3.0, 6.0]), None);
        let mut scattered = owners(29, 70);
        scattered[50] = None;
        assert_eq!(with_host(&scattered, 0, &[3.0, 6.0]), None);
    }

    #[test]
    fn devices_have_runs_only_where_nothing_is_scattered() {
        let (a, b) = (Some(0), Some(1));
        assert_eq!(runs(&[b, b, a], 2), Some(vec![2..3, 0..2]));
        assert_eq!(runs(&[b, a, b], 2), None);
        assert_eq!(runs(&[b, None], 2), None);
        assert_eq!(order(&[b, None, a], 3), [1, 0, 2]);
        assert_eq!(leaving(&(0..10), &(4..12)), 4);
        assert_eq!(leaving(&(0..4), &(8..12)), 4);
    }
}
