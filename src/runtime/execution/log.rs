//! Records launches in the launch log, and makes checkpoints, which shorten it.
//!
//! A chunk whose results stay on a device is recorded before it begins: the kernel, the values, the run of
//! bands, and the sources of its inputs (`memory/entries.rs`). If the device fails, the chunk is computed
//! again in host memory, on a device of the same kind if one is left, otherwise on any. The same kind gives
//! the same bits if a second run on the failed device would have. Chunks of devices that work in host memory
//! are not recorded, because their results are there.
//!
//! Two kinds of launches are not repeated: those whose result may depend on the order of invocations
//! (`Plan::unrepeatable`), and those that also change a buffer that is not kept on devices. Checkpoints fetch
//! their results like all others; until then a failed device loses them.
//!
//! A *checkpoint* fetches the results of launches to the host. It is due when computing them again would take
//! as long as [`interval`] says. So checkpoints take under 1 % of the time, mostly far less, and the time for
//! repeating is bounded. It is also due when half of the log's memory is in use.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::planned::Planned;
use super::residency::Residency;
use super::resources::Resources;
use crate::analysis::Use;
use crate::device::{Chunk, ChunkBinding, ChunkCost, DeviceKind, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::{Kernel, Space};
use crate::memory::{BufferRange, Entry, Recorder, Repeat, Weight};
use crate::plan::Plan;
use crate::runtime::fleet::{Quarantined, guarded};

/// The assumed mean time between failures of a device: a low estimate.
const BETWEEN_FAILURES: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest interval: less work is cheap to repeat.
const LEAST: Duration = Duration::from_secs(2);

/// The longest interval, since a much slower device may have to repeat the work.
const MOST: Duration = Duration::from_secs(60);

/// An interval is at least this many times the cost of a checkpoint, even beyond `MOST`.
const WORTH: u32 = 100;

/// The cost of a checkpoint: a wait for the device, and a time per byte.
const WAIT: Duration = Duration::from_micros(100);
const SECONDS_PER_BYTE: f64 = 0.5e-9;

/// A launch with all that is needed to compute parts of it again.
pub(super) struct Recorded {
    resources: Arc<Resources>,
    kernel: Kernel,
    grid: [u32; 3],
    values: Vec<Vec<u8>>,
    /// By binding; 0 for values.
    elements: Vec<u64>,
    plan: Plan,
    loop_budget: u64,
    _weight: Weight,
}

/// The approximate number of bytes of a footprint.
const FOOTPRINT: u64 = 256;

impl Recorded {
    /// Computes a run of bands again. `memory` has the storage bindings in order.
    fn repeat(&self, run: &Range<u32>, kind: DeviceKind, memory: &[HostBytes<'_>]) -> Result<()> {
        let fleet = &self.resources.fleet;
        let mut members: Vec<_> = fleet.members().into_iter().enumerate().collect();
        // The same kind gives the same bits; the CPU is the most reliable.
        members.sort_by_key(|(_, member)| {
            let its = member.device.info().kind;
            (its != kind, its != DeviceKind::Cpu)
        });
        let mut causes = Vec::new();
        for (index, member) in &members {
            let device = &*member.device;
            let id = &device.info().id;
            if let Some(aside) = &member.quarantined {
                causes.push(format!("  {id}: quarantined ({}): {}", aside.kind, aside.cause));
                continue;
            }
            let ran = guarded(device, || {
                device.prepare(&self.kernel)?;
                device.start(self.chunk(run, memory))?.finish()
            });
            let error = match ran {
                Ok(ChunkCost { .. }) => return Ok(()),
                Err(error) => error,
            };
            causes.push(format!("  {error}"));
            let (name, kind, cause) = error.of_device()?;
            if device.in_place() && kind == FailureKind::Panicked {
                // It may have overwritten its input.
                break;
            }
            if kind.quarantines() && !device.in_place() {
                let why = Quarantined { device: name, kind, cause };
                fleet.quarantine(*index, &member.device, why);
            }
        }
        Err(Error::NoDevice { kernel: self.kernel.signature().entry_point.clone(), causes })
    }

    fn chunk<'s>(&'s self, run: &Range<u32>, memory: &[HostBytes<'s>]) -> Chunk<'s> {
        let mut memory = memory.iter();
        let bindings = self.kernel.signature().bindings.iter().enumerate();
        let bindings = bindings.map(|(id, binding)| {
            if binding.space.is_storage() {
                let memory = memory.next().copied().unwrap_or_else(HostBytes::empty);
                let (plan, stride) = (&self.plan, binding.layout.stride);
                plan.chunk_storage(stride, run, id, memory, self.elements[id])
            } else {
                ChunkBinding::Value(&self.values[id])
            }
        });
        let (bindings, groups) = (bindings.collect(), self.plan.groups(run));
        // As for a chunk on a device of unknown speed.
        let deadline = self.resources.patience.map(|least| least * 4);
        let budget = self.loop_budget;
        Chunk { deadline, ..Chunk::new(&self.kernel, self.grid, groups, bindings, budget) }
    }
}

/// Chunks in order, and how many times all of them run.
struct Chunks {
    kind: DeviceKind,
    steps: Vec<(Arc<Recorded>, Range<u32>)>,
    times: u32,
}

impl Repeat for Chunks {
    fn repeat(&self, memory: &[HostBytes<'_>]) -> Result<()> {
        for _ in 0..self.times {
            let mut rest = memory;
            for (launch, run) in &self.steps {
                let bindings = launch.kernel.signature().bindings.iter();
                let count = bindings.filter(|binding| binding.space.is_storage()).count();
                let (own, others) = rest.split_at(count.min(rest.len()));
                launch.repeat(run, self.kind, own)?;
                rest = others;
            }
        }
        Ok(())
    }
}

/// The recorded launch, made when its first run is recorded, or why it can't be repeated.
#[derive(Default)]
pub(super) struct Recording {
    launch: OnceLock<Result<Arc<Recorded>, String>>,
}

impl Recording {
    /// The launch as the log keeps it, or why it can't be repeated.
    fn launch(&self, residency: &Residency<'_>) -> std::result::Result<Arc<Recorded>, String> {
        let made = self.launch.get_or_init(|| {
            let Planned { checked, plan, elements, .. } = residency.planned;
            if let Some(why) = &plan.unrepeatable {
                return Err(format!("`{}` is not run twice: {why}", plan.kernel));
            }
            let analysis = checked.resources.memo.analysis(&checked.kernel);
            for (id, binding, _) in checked.storage() {
                let uses = &analysis.facts().uses[id];
                let unseen = matches!(uses.as_slice(), [(_, Use::Write | Use::Reduce(_))]);
                if binding.space == Space::StorageWrite && !residency.is_kept[id] && !unseen {
                    return Err(format!(
                        "`{}` is not run twice: it changes `{}` in host memory",
                        plan.kernel, binding.name
                    ));
                }
            }
            let values: u64 = checked.values.iter().map(|value| value.len() as u64).sum();
            let footprints = plan.bands().len() * checked.values.len();
            let log = &checked.resources.log;
            Ok(Arc::new(Recorded {
                _weight: log.weigh(values + footprints as u64 * FOOTPRINT)?,
                resources: Arc::clone(&checked.resources),
                kernel: checked.kernel.clone(),
                grid: plan.grid,
                values: checked.values.clone(),
                elements: elements.clone(),
                plan: plan.clone(),
                loop_budget: checked.loop_budget,
            }))
        });
        made.clone()
    }
}

/// Records the bytes that a run needs of each binding. `made` has the ranges that earlier steps have surely
/// written, by buffer.
fn record_inputs(
    residency: &Residency<'_>,
    run: &Range<u32>,
    recorder: &mut Recorder,
    made: &mut Vec<(u64, Range<u64>)>,
) {
    let mut written = Vec::new();
    let Planned { checked, plan, .. } = residency.planned;
    for (id, binding, buffer) in checked.storage() {
        let stride = binding.layout.stride;
        let bytes = |range: &Range<u64>| range.start * stride..range.end * stride;
        let (writes, kept) = (binding.space == Space::StorageWrite, residency.is_kept[id]);
        let needed = match (kept, writes) {
            (true, _) => bytes(&plan.written_and_needed(run, id).1),
            (false, false) => 0..buffer.len(),
            // Its contents have no effect on kept bindings.
            (false, true) => 0..0,
        };
        let place = buffer.place();
        let whole = place.start + needed.start..place.start + needed.end;
        let buffer_id = buffer.buffer_id();
        let is_made = made.iter().any(|(of, range)| {
            *of == buffer_id && range.start <= whole.start && whole.end <= range.end
        });
        buffer.record(recorder, if is_made { &(0..0) } else { &needed });
        if kept && writes {
            let must = bytes(&plan.footprint(run, id).must_write);
            written.push((buffer_id, place.start + must.start..place.start + must.end));
        }
    }
    made.extend(written);
}

/// Checkpoints the results of a launch at its end, if that is due.
pub(super) fn tend(residency: &Residency<'_>) {
    let log = &residency.planned.checked.resources.log;
    if !log.is_on() {
        return;
    }
    let meter = residency.meter();
    let kept = residency.kept();
    for (_, _, buffer) in kept.filter(|(_, b, _)| b.space == Space::StorageWrite) {
        let (bytes, chain) = buffer.at_stake();
        let cost = WAIT + Duration::from_secs_f64(bytes as f64 * SECONDS_PER_BYTE);
        if bytes == 0 || chain >= interval(cost) {
            checkpoint(buffer, |buffer| buffer.checkpoint(&meter));
        }
    }
    make_room(residency);
}

/// Makes room in a nearly full log: checkpoints the launch's kept buffers, and fetches unused ones.
pub(super) fn make_room(residency: &Residency<'_>) {
    let log = &residency.planned.checked.resources.log;
    if log.is_nearly_full() {
        let meter = residency.meter();
        for (_, _, buffer) in residency.kept() {
            checkpoint(buffer, |buffer| buffer.checkpoint(&meter));
        }
        log.relieve();
    }
}

/// The time of work after which a checkpoint of this cost pays.
/// Source: Young, "A first order approximation to the optimum checkpoint interval", 1974.
fn interval(cost: Duration) -> Duration {
    let best = (2.0 * cost.as_secs_f64() * BETWEEN_FAILURES.as_secs_f64()).sqrt();
    Duration::from_secs_f64(best).min(MOST).max(cost.saturating_mul(WORTH)).max(LEAST)
}

/// Makes a checkpoint of a buffer. If it fails, the buffer's next reader gets the error.
fn checkpoint(buffer: &BufferRange, fetch: impl FnOnce(&BufferRange) -> Result<()>) {
    if let Err(error) = fetch(buffer) {
        tracing::warn!(%error, "a checkpoint failed");
    }
}

/// Records runs that a device is about to compute in order, `times` times, if their results will stay there.
pub(super) fn record(
    device: usize,
    run: &Range<u32>,
    launches: &[(&Recording, &Residency<'_>)],
    times: u32,
) -> Option<Arc<Entry>> {
    let checked = launches.first()?.1.planned.checked;
    let log = &checked.resources.log;
    let stays = |(_, residency): &(&Recording, &Residency<'_>)| {
        let mut kept = residency.kept();
        residency.memory_of(device).is_some()
            && kept.any(|(_, binding, _)| binding.space == Space::StorageWrite)
    };
    if !log.is_on() || !launches.iter().any(stays) {
        return None;
    }
    let mut recorder = Recorder::new(log);
    let (mut steps, mut obstacle, mut made) = (Vec::new(), None, Vec::new());
    for (recording, residency) in launches {
        record_inputs(residency, run, &mut recorder, &mut made);
        match recording.launch(residency) {
            Ok(launch) => steps.push((launch, run.clone())),
            Err(why) => obstacle = obstacle.or(Some(why)),
        }
    }
    let kind = checked.devices[device].device.info().kind;
    let work = match obstacle {
        Some(why) => Err(why),
        None => Ok(Box::new(Chunks { kind, steps, times }) as Box<dyn Repeat>),
    };
    Some(recorder.entry(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_as_rare_as_failures_allow_and_cost_little() {
        let seconds = |cost: f64| interval(Duration::from_secs_f64(cost)).as_secs_f64();
        // Nothing to fetch; by the formula; at most a minute of work to repeat.
        assert_eq!(seconds(0.0), 2.0);
        assert!((seconds(1e-3) - 13.145).abs() < 1e-2, "{}", seconds(1e-3));
        assert_eq!(seconds(0.033), 60.0);
        // An expensive checkpoint is rare.
        assert_eq!(seconds(10.0), 1000.0);
        for cost in [1e-5, 1e-3, 0.1, 5.0, 1e9] {
            assert!(cost <= 0.0101 * seconds(cost), "{cost}");
        }
    }
}
