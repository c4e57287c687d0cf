//! Devices that fail during launches. The result is right, or the error is clear and the buffers are
//! unchanged or poisoned.
//!
//! `COEXEC_SOAK=10000` runs 10,000 launches under random faults, and 200 with a destroyed GPU.

use std::sync::Once;
use std::time::Duration;

use coexec::{Buffer, Error, FailureKind, Kernel, Launch, Remedy, Report, Runtime};

/// Suppresses the messages of injected panics.
fn quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.to_string().contains("an injected fault") {
                usual(info);
            }
        }));
    });
}

fn soak() -> Option<u64> {
    std::env::var("COEXEC_SOAK").ok().map(|n| n.parse().expect("COEXEC_SOAK is a number"))
}

fn runtime(devices: &str, faults: &str) -> Runtime {
    quiet();
    let builder = Runtime::builder().devices(devices).inject(faults);
    builder.threads(3).patience(Duration::from_millis(40)).build().expect("a runtime")
}

const N: usize = 3000;

/// A kernel for each way to combine the writes of chunks.
const KERNELS: [&str; 5] = [
    // In place, reading the elements that it writes.
    "@group(0) @binding(0) var<storage, read> x: array<f32>;
     @group(0) @binding(1) var<storage, read_write> y: array<f32>;
     @compute @workgroup_size(32) fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x < arrayLength(&y) { y[id.x] = 1.5 * x[id.x] + y[id.x]; }
     }",
    // In place, reading halos of another buffer. Some elements are never written.
    "@group(0) @binding(0) var<storage, read> x: array<f32>;
     @group(0) @binding(1) var<storage, read_write> y: array<f32>;
     @compute @workgroup_size(32) fn stencil(@builtin(global_invocation_id) id: vec3<u32>) {
         let i = id.x;
         if i > 0u && i + 1u < arrayLength(&y) && i % 7u != 3u {
             y[i] = 0.25 * x[i - 1u] + 0.5 * x[i] + 0.25 * x[i + 1u];
         }
     }",
    // Merged by difference.
    "@group(0) @binding(0) var<storage, read> x: array<f32>;
     @group(0) @binding(1) var<storage, read_write> y: array<f32>;
     @compute @workgroup_size(32) fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
         let n = arrayLength(&y);
         if id.x < n { y[(id.x * 7u + (id.x & 1u) * 0u + (u32(x[id.x]) & 0u)) % n] = x[id.x]; }
     }",
    // Reduced.
    "@group(0) @binding(0) var<storage, read> x: array<f32>;
     @group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;
     @compute @workgroup_size(32) fn histogram(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x < arrayLength(&x) { atomicAdd(&y[u32(x[id.x]) % 37u], id.x); }
     }",
    // Whole.
    "@group(0) @binding(0) var<storage, read> x: array<f32>;
     @group(0) @binding(1) var<storage, read_write> y: array<f32>;
     @compute @workgroup_size(32) fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x == 0u { for (var i = 1u; i < arrayLength(&y); i++) { y[i] = y[i - 1u] + x[i]; } }
     }",
];

fn kernels() -> Vec<Kernel> {
    KERNELS.iter().map(|text| Kernel::from_wgsl(text).expect("valid WGSL")).collect()
}

struct Data {
    x: Buffer<f32>,
    y: Buffer<u8>,
    before: Vec<u8>,
}

fn data(seed: u64) -> Data {
    let x: Vec<f32> = (0..N as u64).map(|i| ((i * 37 + seed * 11) % 1009) as f32).collect();
    let before: Vec<u8> =
        (0..N as u64).flat_map(|i| (((i * 13 + seed) % 97) as f32).to_le_bytes()).collect();
    Data { x: Buffer::from_slice(&x), y: Buffer::from_slice(&before), before }
}

fn launch(rt: &Runtime, kernel: &Kernel, data: &Data) -> Launch {
    let launch = rt.launch(kernel).bind("x", &data.x).bind("y", &data.y);
    launch.invocations([N as u64, 1, 1])
}

/// The results of a kernel without faults.
fn clean(kernel: &Kernel, seed: u64) -> Vec<u8> {
    let rt = Runtime::builder().devices("cpu").threads(1).inject("").build().unwrap();
    let data = data(seed);
    launch(&rt, kernel, &data).run().unwrap();
    data.y.to_vec().unwrap()
}

fn status(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(field));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

#[test]
fn launches_under_random_faults_are_right_or_fail_clearly() {
    let count = soak().unwrap_or(300);
    let kernels = kernels();
    let wanted: Vec<Vec<Vec<u8>>> =
        kernels.iter().map(|kernel| (0..4).map(|seed| clean(kernel, seed)).collect()).collect();
    let rt = runtime("virtual:3:cpu", "*:any%6:2026");
    let mut kinds = std::collections::BTreeMap::<String, u64>::new();
    let (mut failed, mut threads, mut memory) = (0, 0, 0);
    for number in 0..count {
        let (which, seed) = (number as usize % kernels.len(), number / 5 % 4);
        let data = data(seed);
        let transactional = number % 3 == 0;
        let mut launch = launch(&rt, &kernels[which], &data);
        if transactional {
            launch = launch.transactional();
        }
        if number % 2 == 0 {
            launch = launch.chunks(1 + (number % 23) as u32);
        }
        let right = |y: &Buffer<u8>| {
            let got = y.to_vec().expect("a launch that succeeded poisons nothing");
            let wrong = (0..4 * N).find(|&i| got[i] != wanted[which][seed as usize][i]);
            assert_eq!(wrong, None, "launch {number}, kernel {which}");
        };
        match launch.run() {
            Ok(report) => {
                right(&data.y);
                for event in &report.events {
                    *kinds.entry(event.kind.to_string()).or_default() += 1;
                }
            }
            Err(Error::NoDevice { causes, .. }) => {
                failed += 1;
                assert!(!causes.is_empty());
                match data.y.to_vec() {
                    // The launch may have failed before any chunk began.
                    Ok(bits) => assert!(bits == data.before, "launch {number}: half written"),
                    Err(Error::Poisoned { .. }) => assert!(!transactional),
                    Err(other) => panic!("{other}"),
                }
            }
            Err(other) => panic!("launch {number}: {other}"),
        }
        if rt.quarantined().len() == 3 || number % 4 == 3 {
            for (id, outcome) in rt.retry_quarantined() {
                outcome.unwrap_or_else(|error| panic!("{id}: {error}"));
            }
        }
        if number == count / 4 {
            (threads, memory) = (status("Threads:"), status("VmRSS:"));
        }
    }
    eprintln!("{count} launches, {failed} without a device left, survived: {kinds:?}");
    assert!(kinds.len() >= 5, "{kinds:?}");
    // Without a soak run, other tests of this process change these numbers.
    if soak().is_some() {
        let (now, kib) = (status("Threads:"), status("VmRSS:"));
        eprintln!("threads {threads} -> {now}, resident {memory} -> {kib} KiB");
        assert!(now <= threads + 2 && kib < memory + 65536, "a leak");
    }
}

#[test]
fn a_transactional_launch_that_fails_leaves_its_buffers_as_they_were() {
    for kernel in &kernels() {
        // The device is lost after two chunks.
        let rt = runtime("cpu", "cpu:lost@3+");
        let data = data(1);
        let outcome = launch(&rt, kernel, &data).chunks(10).transactional().run();
        if let Err(error) = outcome {
            assert!(matches!(error, Error::NoDevice { .. }), "{error}");
            assert_eq!(data.y.to_vec().unwrap(), data.before);
        } else {
            assert!(kernel.text().contains("fn gather"), "only that one is a single chunk");
        }
        // Without a transaction, the buffer is poisoned.
        let rt = runtime("cpu", "cpu:lost@3+");
        let outcome = launch(&rt, kernel, &data).chunks(10).run();
        assert_eq!(outcome.is_err(), data.y.to_vec().is_err());
    }
}

/// The results on three devices. The first writes a wrong bit in each chunk; the others are slow, so
/// that the first gets chunks on a busy machine too.
fn spoilt(launch: impl Fn(Launch) -> Launch) -> Vec<(usize, coexec::Result<Report>, Vec<u8>)> {
    let mut all = Vec::new();
    for (which, kernel) in kernels().iter().enumerate() {
        quiet();
        let builder = Runtime::builder().devices("virtual:3:cpu").inject("cpu.0:wrong@1+");
        let slow = Duration::from_millis(5);
        let rt = builder.delay("cpu.1", slow).delay("cpu.2", slow).build().unwrap();
        let data = data(2);
        let described = self::launch(&rt, kernel, &data).chunks(12);
        let outcome = launch(described).run();
        all.push((which, outcome, data.y.to_vec().unwrap_or_default()));
    }
    all
}

#[test]
fn verification_finds_a_device_that_computes_wrongly_and_puts_its_work_right() {
    let kernels = kernels();
    let mut caught = 0;
    for fraction in [1.0, 0.01] {
        for (which, outcome, got) in spoilt(|launch| launch.verify(fraction)) {
            let report = outcome.unwrap_or_else(|error| panic!("kernel {which}: {error}"));
            let right = clean(&kernels[which], 2);
            let wrong: Vec<usize> = (0..4 * N).filter(|&i| got[i] != right[i]).collect();
            assert!(wrong.is_empty(), "kernel {which}, {fraction}: bytes {wrong:?}\n{report}");
            for event in &report.events {
                caught += 1;
                assert_eq!(
                    (event.device.as_str(), event.kind),
                    ("cpu.0", FailureKind::WrongAnswer)
                );
                assert_eq!(event.remedy, Remedy::Recomputed);
                let text = event.to_string();
                assert!(text.contains("`y[") && text.contains(" compute "), "{text}");
            }
        }
    }
    assert!(caught >= 5, "{caught}");
    // Without verification, the wrong bits are in the results.
    let wrong = |(which, _, got): &(usize, _, Vec<u8>)| *got != clean(&kernels[*which], 2);
    assert!(spoilt(|launch| launch).iter().any(wrong));
}

#[test]
fn verification_of_right_answers_finds_nothing() {
    for kernel in &kernels() {
        let rt = runtime("virtual:2:cpu", "");
        let data = data(3);
        let report = launch(&rt, kernel, &data).chunks(9).verify(1.0).run().unwrap();
        assert!(report.events.is_empty(), "{report}");
        let verified = report.verified.as_ref().expect("it was asked for");
        assert_eq!((verified.workgroups(), verified.disputes), (report.workgroups, 0), "{report}");
        assert!(report.to_string().contains("; all agree, floats within 1e-6"), "{report}");
        assert!(data.y.to_vec().unwrap() == clean(kernel, 3));
    }
}

#[test]
fn a_device_that_hangs_is_given_up_at_its_deadline() {
    let rt = runtime("virtual:2:cpu", "cpu.0:hang@1");
    let kernel = &kernels()[0];
    let data = data(0);
    let report = launch(&rt, kernel, &data).chunks(8).run().unwrap();
    assert!(data.y.to_vec().unwrap() == clean(kernel, 0));
    if let [event] = &report.events[..] {
        assert_eq!(event.kind, FailureKind::Deadline);
        assert_eq!(rt.quarantined().len(), 1);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn a_gpu_that_is_destroyed_in_mid_run_costs_nothing_but_time() {
    let required = std::env::var("COEXEC_REQUIRE_GPU").is_ok_and(|value| value == "1");
    quiet();
    let build = |faults: &str| Runtime::builder().devices("virtual:2:gpu0").inject(faults).build();
    if let Err(error) = build("") {
        assert!(!required, "{error}");
        eprintln!("skipped: {error}");
        return;
    }
    let kernels = kernels();
    let plain = build("").unwrap();
    let clean: Vec<Vec<u8>> = kernels
        .iter()
        .map(|kernel| {
            let data = data(1);
            launch(&plain, kernel, &data).run().unwrap();
            data.y.to_vec().unwrap()
        })
        .collect();
    let rt = build("gpu0.0:destroy%40:5").unwrap();
    let (runs, mut lost) = (if soak().is_some() { 200 } else { 15 }, 0);
    for number in 0..runs {
        let which = number % kernels.len();
        let data = data(1);
        let report = launch(&rt, &kernels[which], &data).chunks(6).run();
        let report = report.unwrap_or_else(|error| panic!("run {number}: {error}"));
        assert!(data.y.to_vec().unwrap() == clean[which], "run {number}");
        for event in &report.events {
            assert_eq!(event.device, "gpu0.0", "{event}");
            lost += 1;
        }
        for (id, outcome) in rt.retry_quarantined() {
            outcome.unwrap_or_else(|error| panic!("{id}: {error}"));
        }
    }
    eprintln!("{runs} of {runs} runs are right; the device was lost in {lost}");
    assert!(lost > 0);
}
