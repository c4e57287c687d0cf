//! Tests of the workers with the policy, on scripted devices: no engine, no GPU.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::device::{
    Chunk, ChunkBinding, ChunkCost, Device, DeviceInfo, DeviceKind, DeviceLimits, Running,
};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;
use crate::memory::Buffer;
use crate::runtime::{Remedy, Report, Runtime};

const KERNEL: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<u32>;
    @compute @workgroup_size(1)
    fn main(@builtin(workgroup_id) group: vec3<u32>) { out[group.x] = group.x * 3u; }";

/// What a scripted device does with its chunks.
#[derive(Clone, Copy)]
pub(crate) enum Script {
    /// Computes; each chunk takes this long.
    Work(Duration),
    /// Computes; each workgroup takes this long.
    Each(Duration),
    /// Fails its `n`th chunk, from 0.
    FailAt(u32),
    /// Fails while the flag is set.
    FailWhen(&'static AtomicBool),
    /// Panics at its first chunk.
    Panic,
    /// Reports an endless loop.
    Endless,
    /// Has memory for this many workgroups in all its chunks in flight.
    Memory(u32),
    /// Leaves its `n`th chunk half done until it is called off.
    StallAt(u32),
    /// As `StallAt`, and fails when it is called off.
    StallAndFailAt(u32),
    /// As `StallAt`, but completes when it is called off.
    StallAndEndAt(u32),
}

struct Scripted {
    info: DeviceInfo,
    script: Script,
    depth: usize,
    chunks: AtomicU32,
    /// Workgroups in flight.
    held: AtomicU32,
    in_place: bool,
}

/// Computes `KERNEL` as its text says.
struct Begun<'a> {
    device: &'a Scripted,
    chunk: Chunk<'a>,
    outcome: Result<()>,
    takes: Duration,
    stalls: bool,
}

impl Running for Begun<'_> {
    fn finish(self: Box<Self>) -> Result<ChunkCost> {
        self.device.held.fetch_sub(self.chunk.groups.count[0], Ordering::Relaxed);
        self.outcome?;
        std::thread::sleep(self.takes);
        if self.stalls {
            let ChunkBinding::Storage { memory, .. } = &self.chunk.bindings[0] else {
                panic!("one storage buffer")
            };
            let first = self.chunk.groups.first[0];
            memory.write(first as usize * 4, &[0xee; 4]);
            let cancel = self.chunk.cancel.expect("every chunk can be called off");
            let begun = std::time::Instant::now();
            while !cancel.is_set() {
                assert!(begun.elapsed().as_secs() < 30, "nobody calls it off");
                std::thread::sleep(Duration::from_millis(1));
            }
            match self.device.script {
                Script::StallAndEndAt(_) => {}
                Script::StallAndFailAt(_) => return Err(self.device.lost()),
                _ => return Err(Error::Cancelled),
            }
        }
        let ChunkBinding::Storage { memory, .. } = &self.chunk.bindings[0] else {
            panic!("the kernel has one storage binding")
        };
        let (first, count) = (self.chunk.groups.first[0], self.chunk.groups.count[0]);
        for group in first..first + count {
            memory.u32_at(group as usize * 4).store(group * 3, Ordering::Relaxed);
        }
        Ok(ChunkCost { busy: self.takes, ..ChunkCost::default() })
    }
}

impl Scripted {
    fn lost(&self) -> Error {
        Error::Device {
            device: self.info.id.clone(),
            kind: FailureKind::Lost,
            doing: "run a chunk".to_owned(),
            cause: "scripted".to_owned(),
        }
    }
}

impl Device for Scripted {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn prepare(&self, _: &Kernel) -> Result<()> {
        Ok(())
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn in_place(&self) -> bool {
        self.in_place
    }

    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        let groups = chunk.groups.count[0];
        let held = self.held.fetch_add(groups, Ordering::Relaxed) + groups;
        if matches!(self.script, Script::Memory(most) if held > most) {
            self.held.fetch_sub(groups, Ordering::Relaxed);
            return Err(Error::Device {
                device: self.info.id.clone(),
                kind: FailureKind::OutOfMemory,
                doing: "allocate".to_owned(),
                cause: "out of memory".to_owned(),
            });
        }
        let number = self.chunks.fetch_add(1, Ordering::Relaxed);
        let (outcome, takes) = match self.script {
            Script::Work(takes) => (Ok(()), takes),
            Script::Each(takes) => (Ok(()), takes * groups),
            Script::FailAt(at) if number == at => (Err(self.lost()), Duration::ZERO),
            Script::FailWhen(set) if set.load(Ordering::Relaxed) => {
                (Err(self.lost()), Duration::ZERO)
            }
            Script::FailAt(_) | Script::FailWhen(_) | Script::Memory(_) => (Ok(()), Duration::ZERO),
            Script::StallAt(_) | Script::StallAndFailAt(_) | Script::StallAndEndAt(_) => {
                (Ok(()), Duration::ZERO)
            }
            Script::Panic => panic!("scripted panic"),
            Script::Endless => (
                Err(Error::EndlessLoop { budget: 1, device: None, at: String::new() }),
                Duration::ZERO,
            ),
        };
        let stalls = matches!(
            self.script,
            Script::StallAt(at) | Script::StallAndFailAt(at) | Script::StallAndEndAt(at)
                if at == number
        );
        Ok(Box::new(Begun { device: self, chunk, outcome, takes, stalls }))
    }
}

fn runtime(scripts: &[(Script, usize)]) -> Runtime {
    Runtime::of(devices(scripts))
}

pub(crate) fn devices(scripts: &[(Script, usize)]) -> Vec<Arc<dyn Device>> {
    let devices = scripts.iter().enumerate().map(|(i, &(script, depth))| {
        let info = DeviceInfo {
            id: format!("d{i}"),
            name: format!("scripted {i}"),
            driver: String::new(),
            advice: None,
            kind: DeviceKind::Cpu,
            limits: DeviceLimits {
                max_binding: u64::MAX,
                memory: u64::MAX,
                max_storage_bindings: 8,
                max_uniform_bindings: 8,
                max_invocations: 1024,
                max_workgroup_size: [1024; 3],
                max_workgroup_memory: 1 << 15,
                f16: true,
                subgroup_size: None,
            },
        };
        let device = Scripted {
            info,
            script,
            depth,
            chunks: AtomicU32::new(0),
            held: AtomicU32::new(0),
            in_place: false,
        };
        Arc::new(device) as Arc<dyn Device>
    });
    devices.collect()
}

pub(crate) fn launch(runtime: &Runtime, chunks: Option<u32>) -> (Result<Report>, Buffer<u32>) {
    let kernel = Kernel::from_wgsl(KERNEL).unwrap();
    let out = Buffer::<u32>::zeroed(100);
    let mut launch = runtime.launch(&kernel).bind("out", &out).workgroups([100, 1, 1]);
    if let Some(chunks) = chunks {
        launch = launch.chunks(chunks);
    }
    (launch.run(), out)
}

pub(crate) fn right(out: &Buffer<u32>) -> bool {
    out.to_vec().unwrap().iter().enumerate().all(|(i, &x)| x == i as u32 * 3)
}

const QUICK: Script = Script::Work(Duration::from_micros(50));

#[test]
fn every_workgroup_is_computed_and_accounted_for_once() {
    for depth in [1, 3] {
        for chunks in [None, Some(1), Some(7), Some(100), Some(1000)] {
            let (report, out) = launch(&runtime(&[(QUICK, depth), (QUICK, 1), (QUICK, 2)]), chunks);
            let report = report.unwrap();
            assert!(right(&out));
            assert_eq!(report.devices.iter().map(|d| d.workgroups).sum::<u64>(), 100);
            if let Some(chunks) = chunks {
                let ran: u32 = report.devices.iter().map(|d| d.chunks).sum();
                assert_eq!(ran, chunks.min(100));
            }
        }
    }
}

#[test]
fn chunks_of_a_failing_device_are_done_by_the_others() {
    for at in 0..3 {
        for depth in [1, 3] {
            let rt = runtime(&[(Script::FailAt(at), depth), (QUICK, 1)]);
            let (report, out) = launch(&rt, Some(50));
            let report = report.unwrap();
            assert!(right(&out));
            assert!(report.events.len() <= 1, "{:?}", report.events);
            assert_eq!(report.devices.iter().map(|d| d.workgroups).sum::<u64>(), 100);
        }
    }
}

/// Launches until another device has taken over work of the first. This may take several launches, since a
/// thread that starts late may get no work.
fn until_taken_over(scripts: &[(Script, usize)]) -> bool {
    (0..40).any(|_| {
        let (report, out) = launch(&runtime(scripts), None);
        let report = report.unwrap();
        assert!(right(&out), "{out:?}");
        assert_eq!(report.devices.iter().map(|d| d.workgroups).sum::<u64>(), 100);
        let failed = matches!(scripts[0].0, Script::StallAndFailAt(_));
        assert!(report.events.len() <= usize::from(failed), "{report}");
        report.devices[1..].iter().any(|d| d.taken_over > 0)
    })
}

#[test]
fn what_a_device_is_late_with_others_compute_again() {
    for depth in [1, 2] {
        assert!(until_taken_over(&[(Script::StallAt(0), depth), (QUICK, 1), (QUICK, 2)]));
    }
}

#[test]
fn a_late_chunk_that_fails_or_ends_after_all_does_no_harm() {
    assert!(until_taken_over(&[(Script::StallAndFailAt(0), 1), (QUICK, 1)]));
    // It completes after all: its own result counts.
    until_taken_over(&[(Script::StallAndEndAt(0), 1), (QUICK, 1)]);
}

#[test]
fn a_kernel_that_reads_what_it_writes_is_never_run_twice() {
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1)
        fn main(@builtin(workgroup_id) group: vec3<u32>) { out[group.x] += group.x * 3u; }";
    let kernel = Kernel::from_wgsl(text).unwrap();
    let rt = runtime(&[(QUICK, 1), (QUICK, 1)]);
    let out = Buffer::<u32>::zeroed(100);
    let launch = rt.launch(&kernel).bind("out", &out).workgroups([100, 1, 1]);
    assert!(!launch.plan().unwrap().rerunnable);
    let kernel = Kernel::from_wgsl(KERNEL).unwrap();
    let launch = rt.launch(&kernel).bind("out", &out).workgroups([100, 1, 1]);
    assert!(launch.plan().unwrap().rerunnable);
}

fn done_alone(report: &Report) -> bool {
    let why = report.devices[1].left_out.as_ref();
    report.devices[0].chunks == 1 && why.is_some_and(|why| why.contains("d0 alone"))
}

/// Launches one kernel repeatedly, and checks each result.
fn repeated(rt: Runtime) -> impl Fn(&dyn Fn(crate::Launch) -> crate::Launch) -> Report {
    let kernel = Kernel::from_wgsl(KERNEL).unwrap();
    let out = Buffer::<u32>::zeroed(100);
    move |wish| {
        out.write(0, &[7; 100]).unwrap();
        let launch = rt.launch(&kernel).bind("out", &out).workgroups([100, 1, 1]);
        let report = wish(launch).run().unwrap();
        assert!(right(&out), "{report}");
        assert_eq!(report.devices.iter().map(|d| d.workgroups).sum::<u64>(), 100);
        report
    }
}

#[test]
fn a_launch_that_one_device_does_sooner_alone_is_left_to_it() {
    let launch = repeated(runtime(&[(QUICK, 1), (Script::Work(Duration::from_millis(5)), 1)]));
    assert!((0..100).any(|_| done_alone(&launch(&|launch| launch))));
    // Not if the caller fixes the chunks, or wants reproducible launches.
    for _ in 0..10 {
        let report = launch(&|launch| launch.reproducible());
        assert!(report.devices.iter().all(|device| device.chunks > 0), "{report}");
        let report = launch(&|launch| launch.chunks(20));
        assert_eq!(report.devices.iter().map(|device| device.chunks).sum::<u32>(), 20);
    }
}

#[test]
fn when_the_device_that_does_it_alone_fails_the_others_do_it() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    let slow = Script::Work(Duration::from_millis(3));
    let launch = repeated(runtime(&[(Script::FailWhen(&FAILS), 1), (slow, 1)]));
    assert!((0..100).any(|_| done_alone(&launch(&|launch| launch))));
    // A trial takes several launches, so the next one runs alone, too.
    FAILS.store(true, Ordering::Relaxed);
    let report = launch(&|launch| launch);
    assert!(!report.events.is_empty(), "{report}");
    assert_eq!(report.devices[1].workgroups, 100, "{report}");
}

#[test]
fn reproducible_launches_give_each_device_the_same_share_each_time() {
    let rt = runtime(&[(QUICK, 1), (Script::Work(Duration::from_millis(3)), 1), (QUICK, 2)]);
    let kernel = Kernel::from_wgsl(KERNEL).unwrap();
    let out = Buffer::<u32>::zeroed(100);
    let shares = || {
        let launch = rt.launch(&kernel).bind("out", &out).workgroups([100, 1, 1]);
        let report = launch.reproducible().run().unwrap();
        report.devices.iter().map(|d| (d.chunks, d.workgroups, d.taken_over)).collect::<Vec<_>>()
    };
    let first = shares();
    assert!(first.iter().all(|(chunks, ..)| *chunks == 1), "{first:?}");
    (0..3).for_each(|_| assert_eq!(shares(), first));
    assert!(right(&out));
}

#[test]
fn throttled_devices_compute_the_same_and_unknown_ones_are_refused() {
    let rt = Runtime::builder()
        .devices("virtual:2:cpu")
        .throttle("cpu.1", 3.0)
        .delay("cpu.0", Duration::from_micros(200))
        .build()
        .unwrap();
    assert!(rt.devices()[1].name.contains("3 times slower"));
    let (report, out) = launch(&rt, Some(10));
    assert_eq!(report.unwrap().devices.iter().map(|d| d.chunks).sum::<u32>(), 10);
    assert!(right(&out));
    let wrong = Runtime::builder().devices("cpu").throttle("gpu7", 2.0).build();
    assert!(matches!(wrong, Err(Error::NoSuchDevice { name, .. }) if name == "`gpu7`"));
}

#[test]
fn paced_devices_take_their_time_whatever_the_real_one_takes() {
    let workgroup = Duration::from_millis(2);
    let builder = Runtime::builder().devices("virtual:2:cpu").pace("cpu.0", workgroup);
    let rt = builder.pace("cpu.1", 3 * workgroup).build().unwrap();
    assert!(rt.devices()[1].name.contains("6ms a workgroup"), "{}", rt.devices()[1].name);
    let (report, out) = launch(&rt, Some(20));
    for device in &report.unwrap().devices {
        let workgroups = u32::try_from(device.workgroups).unwrap();
        let least = workgroups * if device.id == "cpu.0" { workgroup } else { 3 * workgroup };
        assert!(device.busy >= least, "{device:?}");
    }
    assert!(right(&out));
}

#[test]
fn what_one_kernel_showed_of_devices_is_expected_of_them_for_the_next() {
    let workgroup = Duration::from_millis(1);
    let builder = Runtime::builder().devices("virtual:2:cpu").pace("cpu.0", workgroup);
    let rt = builder.pace("cpu.1", 20 * workgroup).build().unwrap();
    let other = Kernel::from_wgsl(&KERNEL.replace("3u", "5u")).unwrap();
    let out = Buffer::from_slice(&[0u32; 40]);
    let expected = || {
        let plan = rt.launch(&other).bind("out", &out).workgroups([40, 1, 1]).plan().unwrap();
        plan.devices[1].share.unwrap()
    };
    let (share, measured) = expected();
    assert!((share - 0.5).abs() < 1e-9 && !measured, "{share}");
    let (report, _) = launch(&rt, Some(20));
    report.unwrap();
    let (share, measured) = expected();
    assert!(share < 0.2 && !measured, "{share}");
}

#[test]
fn an_unsplit_launch_falls_to_the_next_device() {
    let rt = runtime(&[(Script::FailAt(0), 1), (QUICK, 1)]);
    let (report, out) = launch(&rt, Some(1));
    assert_eq!(report.unwrap().events.len(), 1);
    assert!(right(&out));
}

#[test]
fn a_panicking_device_is_put_aside() {
    let (report, out) = launch(&runtime(&[(Script::Panic, 2), (QUICK, 1)]), Some(10));
    assert!(report.unwrap().events.iter().all(|e| e.cause.contains("scripted panic")));
    assert!(right(&out));
}

#[test]
fn when_all_devices_fail_the_causes_are_told_and_the_output_is_poisoned() {
    let rt = runtime(&[(Script::FailAt(0), 1), (Script::FailAt(0), 2)]);
    let (report, out) = launch(&rt, Some(10));
    let Err(Error::NoDevice { causes, .. }) = report else { panic!("{report:?}") };
    assert_eq!(causes.len(), 2);
    assert!(causes.iter().all(|cause| cause.contains("(lost): it failed to run a chunk")));
    assert!(matches!(out.to_vec(), Err(Error::Poisoned { name, .. }) if name == "out"));
    out.write(0, &[0; 100]).unwrap();
    assert!(out.to_vec().is_ok(), "overwriting all of it heals it");
}

#[test]
fn a_device_short_of_memory_gets_smaller_chunks_and_goes_on() {
    for (most, depth) in [(2, 1), (7, 1), (30, 1), (7, 2), (2, 3)] {
        let (report, out) = launch(&runtime(&[(Script::Memory(most), depth)]), None);
        let report = report.unwrap();
        assert!(right(&out));
        assert!(!report.events.is_empty());
        for event in &report.events {
            assert_eq!(event.kind, FailureKind::OutOfMemory);
            let goes_on = matches!(event.remedy, Remedy::OneAtATime | Remedy::SmallerChunks(_));
            assert!(goes_on, "{event}");
        }
    }
    // The first device has no memory for a single workgroup.
    let (report, out) = launch(&runtime(&[(Script::Memory(0), 2), (QUICK, 1)]), None);
    let events = report.unwrap().events;
    assert!(right(&out));
    assert!(events.is_empty() || events.last().unwrap().remedy == Remedy::PutAside);
}

#[test]
fn a_lost_device_is_not_asked_again_until_somebody_says_so() {
    let rt = runtime(&[(Script::FailAt(0), 1), (QUICK, 1)]);
    let (report, _) = launch(&rt, Some(1));
    let event = report.unwrap().events.remove(0);
    assert_eq!((event.device.as_str(), event.kind), ("d0", FailureKind::Lost));
    assert_eq!(event.remedy, Remedy::Quarantined);
    assert!(event.to_string().contains("d0 (lost): it failed to run a chunk: scripted"), "{event}");
    assert_eq!(rt.quarantined()[0].device, "d0");

    // The device would work again, but it stays in quarantine.
    let (report, _) = launch(&rt, Some(50));
    let report = report.unwrap();
    assert_eq!((report.devices[0].chunks, report.events.len()), (0, 0));
    let plan = report.plan.to_string();
    assert!(plan.contains("quarantined (lost)"), "{plan}");

    let back = rt.retry_quarantined();
    assert!(matches!(&back[..], [(id, Ok(()))] if id == "d0"), "{back:?}");
    assert!(rt.quarantined().is_empty());
    let (report, out) = launch(&rt, Some(1));
    assert_eq!(report.unwrap().devices[0].chunks, 1);
    assert!(right(&out));
}

#[test]
fn the_kernels_own_fault_ends_the_launch_at_once() {
    // So slow that the endless device gets a chunk, even if its thread starts late.
    let slow = Script::Work(Duration::from_millis(20));
    let (report, out) = launch(&runtime(&[(Script::Endless, 1), (slow, 1)]), Some(10));
    assert!(matches!(report, Err(Error::EndlessLoop { .. })), "{report:?}");
    assert!(out.to_vec().is_err());
}

#[test]
fn a_dropped_future_cancels_and_poisons() {
    let rt = runtime(&[(Script::Work(Duration::from_millis(5)), 1)]);
    let kernel = Kernel::from_wgsl(KERNEL).unwrap();
    let out = Buffer::<u32>::zeroed(100);
    let future =
        rt.launch(&kernel).bind("out", &out).workgroups([100, 1, 1]).chunks(100).submit().unwrap();
    std::thread::sleep(Duration::from_millis(12));
    drop(future);
    assert!(matches!(out.to_vec(), Err(Error::Poisoned { .. })));
}

#[test]
fn a_uniform_is_set_whole_or_field_by_field_and_never_in_part() {
    let rt = runtime(&[(QUICK, 1)]);
    let kernel = Kernel::from_wgsl(
        "struct P { a: u32, b: f32 }
         @group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @group(0) @binding(1) var<uniform> p: P;
         @compute @workgroup_size(1) fn main() { out[p.a] = u32(p.b); }",
    )
    .unwrap();
    let out = Buffer::<u32>::zeroed(4);
    let launch = || rt.launch(&kernel).bind("out", &out).workgroups([1, 1, 1]);
    assert!(launch().set_field("p.a", 1).set_field("p.b", 2.5).plan().is_ok());
    assert!(launch().set_bytes("p", [0; 8]).plan().is_ok());
    let message = |launch: crate::Launch| launch.plan().unwrap_err().to_string();
    assert!(message(launch().set_field("p.a", 1)).contains("no value was given for `p.b`"));
    assert!(message(launch().set_bytes("p", [0; 8]).set_field("p.a", 1)).contains("given twice"));
    assert!(message(launch().set_field("p.c", 1)).contains("no `c`"));
    assert!(message(launch().set_field("out", 1)).contains("use bind"));
    assert!(message(launch().set_bytes("p", [0; 7])).contains("7 bytes"));
}

#[test]
fn a_vec_is_computed_on_in_place_and_comes_back() {
    let rt = Runtime::builder().devices("cpu").build().unwrap();
    let kernel = Kernel::from_wgsl(&KERNEL.replace("workgroup_size(1)", "workgroup_size(1, 1, 1)"));
    let kernel = kernel.unwrap();
    for len in [1u32, 17, 1009, 100_000] {
        let groups = u64::from(len);
        let data = vec![7u32; len as usize];
        let place = data.as_ptr();
        let out = Buffer::from_vec(data);
        rt.launch(&kernel).bind("out", &out).workgroups([groups, 1, 1]).run().unwrap();
        let data = out.into_vec().unwrap();
        assert_eq!(data.as_ptr(), place, "{len}");
        assert!((0..len).zip(&data).all(|(i, &x)| x == i * 3), "{len}");
    }
}
