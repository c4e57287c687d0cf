//! Homes: the bands that each device should compute because it has their data.
//!
//! If inputs lie on devices, each device's *home* is the run of bands whose data it has. A repeated launch
//! then moves only the bytes that bands read from other homes. Homes change when the balance of earlier
//! launches (`history/balance.rs`) shows that a move pays.

use std::ops::Range;
use std::time::Duration;

use super::planned::Planned;
use super::residency::Residency;
use crate::device::{DeviceInfo, DeviceKind};
use crate::memory::DeviceMemory;
use crate::plan::Split;

/// The seconds to move a byte, for weighing a move against an imbalance: a bus of a few gigabytes per second,
/// down and up.
const SECONDS_PER_BYTE: f64 = 0.5e-9;

/// The home of each device; `None` if the place of data does not matter, or if a speed is unknown. `speeds`
/// are in bands per second; 0 for a device that takes no part, `None` for an unknown speed. `fixed`: the
/// caller fixed the chunks.
pub(super) fn homes(
    residency: &Residency<'_>,
    speeds: &[Option<f64>],
    fixed: bool,
) -> Option<Vec<Range<u32>>> {
    let planned = residency.planned;
    let Split::Bands { bands, tiling: None, .. } = &planned.plan.split else { return None };
    let able = speeds.iter().filter(|speed| **speed != Some(0.0)).count();
    let elsewhere = residency.kept().any(|(_, _, buffer)| !buffer.on_host());
    // Data that is too large for one device may fit several.
    let bytes = residency.kept_bytes(&(0..bands.len() as u32));
    let large = residency.memories.iter().flatten().any(|m| !m.could_hold(bytes));
    if able < 2 || !(elsewhere || large) || (!fixed && speeds.contains(&None)) {
        return None;
    }
    let count = bands.len() as u32;
    // Equal shares where the caller fixed the chunks.
    let weights: Vec<f64> = speeds
        .iter()
        .map(|speed| match speed {
            Some(0.0) => 0.0,
            _ if fixed => 1.0,
            speed => speed.unwrap_or(1.0),
        })
        .collect();
    let host = host_worker(residency, &weights);
    let owners: Vec<Option<(usize, bool)>> =
        (0..count).map(|band| owner(residency, band, host.is_some())).collect();
    let by_devices = owners.iter().map(|owner| owner.map(|(device, _)| device)).collect();
    let with_host = || with_host(&owners, host?, &weights);
    let owners = with_host().unwrap_or(by_devices);
    // If the devices own all bands, these shares were balanced before: they tell more than one
    // measurement does.
    let owned = |device: usize| owners.iter().filter(|o| **o == Some(device)).count() as f64;
    let found: Vec<f64> = (0..weights.len()).map(owned).collect();
    let all_own = found.iter().sum::<f64>() == f64::from(count)
        && weights.iter().zip(&found).all(|(w, f)| (*w > 0.0) == (*f > 0.0));
    let weights = if all_own && !fixed { found } else { weights };
    let balanced = shares(count, &weights, &order(&owners, weights.len()));
    let fits = |homes: &[Range<u32>]| {
        let held = homes.iter().zip(&residency.memories);
        held.into_iter().all(|(home, memory)| {
            memory.as_ref().is_none_or(|memory| memory.could_hold(residency.kept_bytes(home)))
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
    let band_bytes: u64 = residency
        .kept()
        .map(|(id, binding, _)| {
            planned.plan.written_and_needed(&(0..1), id).1.end * binding.layout.stride
        })
        .fold(0, u64::saturating_add);
    let cost = |homes: &Homes| {
        let moved: u32 = now.iter().zip(&homes.runs).map(|(a, b)| leaving(a, b)).sum();
        f64::from(moved) * band_bytes as f64 * SECONDS_PER_BYTE
    };
    let order = order(&owners, weights.len());
    let homes = |speeds: &[f64]| Homes::new(shares(count, speeds, &order));
    let bands = Homes::new(now.clone()).bands;
    let shared = share_hardware(planned, &weights);
    let memo = &planned.checked.resources.memo;
    let better = memo.balance(&planned.checked.kernel, |balance| {
        let better =
            balance.better(&bands, &weights, shared, homes, cost).filter(|h| fits(&h.runs));
        better.inspect(|_| balance.moved())
    });
    Some(better.flatten().map_or(now, |better| better.runs))
}

/// The device that computes in host memory, if there is exactly one.
fn host_worker(residency: &Residency<'_>, weights: &[f64]) -> Option<usize> {
    let able = (0..weights.len()).filter(|&device| weights[device] > 0.0);
    let mut host = able.filter(|&device| residency.memory_of(device).is_none());
    host.next().filter(|_| host.next().is_none())
}

/// Whether two of the devices that take part compute on the same cores or on the same GPU.
fn share_hardware(planned: &Planned<'_>, weights: &[f64]) -> bool {
    let devices = planned.checked.devices.iter().zip(weights).filter(|(_, w)| **w > 0.0);
    let infos: Vec<&DeviceInfo> = devices.map(|(member, _)| member.device.info()).collect();
    let host = |info: &DeviceInfo| matches!(info.kind, DeviceKind::Cpu | DeviceKind::SoftwareGpu);
    // Logical devices are called `gpu0.0`, `gpu0.1`.
    let whole = |info: &DeviceInfo| info.id.split('.').next().map(str::to_owned);
    infos
        .iter()
        .enumerate()
        .any(|(at, a)| infos[..at].iter().any(|b| host(a) && host(b) || whole(a) == whole(b)))
}

/// Records the time that each device took for its home.
pub(super) fn observe(
    planned: &Planned<'_>,
    homes: &[Range<u32>],
    busy: impl Iterator<Item = Duration>,
) {
    let bands = homes.iter().map(|home| home.end - home.start);
    let done: Vec<(u32, f64)> = bands.zip(busy.map(|busy| busy.as_secs_f64())).collect();
    let memo = &planned.checked.resources.memo;
    memo.balance(&planned.checked.kernel, |balance| balance.observe(&done));
}

/// The device that has the most bytes that a band needs, and whether these are more than half; `None` if only
/// the host has any. `beyond_host`: bytes that the host has too do not count, because a device computes in
/// host memory.
fn owner(residency: &Residency<'_>, band: u32, beyond_host: bool) -> Option<(usize, bool)> {
    let (planned, run) = (residency.planned, band..band + 1);
    let held = |memory: &DeviceMemory| -> u64 {
        let kept = residency.kept();
        kept.map(|(id, binding, buffer)| {
            let (_, needed) = planned.plan.written_and_needed(&run, id);
            let stride = binding.layout.stride;
            buffer.held(memory, &(needed.start * stride..needed.end * stride), beyond_host)
        })
        .sum()
    };
    let memories = residency.memories.iter().enumerate();
    let held = memories.filter_map(|(device, memory)| Some((held(memory.as_ref()?), device)));
    let most = held.filter(|(bytes, _)| *bytes > 0);
    let (bytes, device) = most.max_by_key(|h| (h.0, std::cmp::Reverse(h.1)))?;
    let kept = residency.kept();
    let needed = kept.map(|(id, binding, _)| {
        let (_, needed) = planned.plan.written_and_needed(&run, id);
        (needed.end - needed.start).saturating_mul(binding.layout.stride)
    });
    Some((device, bytes > needed.fold(0, u64::saturating_add) / 2))
}

/// The imbalance up to which the device that computes in host memory owns the bands whose data is there.
const LEFT_ON_HOST: f64 = 1.25;

/// The owners of all bands, if the device `host` owns each band of which no device has more than half. `None`
/// unless each device then has one run and all end at about the same time: otherwise the host has the data
/// only because no other device got it yet.
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

/// Runs of bands by device, and their numbers of bands.
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

/// The number of bands of `a` that are not in `b`.
fn leaving(a: &Range<u32>, b: &Range<u32>) -> u32 {
    let common = a.end.min(b.end).saturating_sub(a.start.max(b.start));
    (a.end - a.start) - common
}

/// The devices in the order of their bands; devices without bands come last.
fn order(owners: &[Option<usize>], devices: usize) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    for device in owners.iter().flatten().copied().chain(0..devices) {
        if !order.contains(&device) {
            order.push(device);
        }
    }
    order
}

/// The run of bands of each device, if each has at most one run and together they own all bands.
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

/// Runs by device, in proportion to the weights. `order`: the devices in the order of their runs.
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
