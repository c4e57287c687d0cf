//! Correct use of the library: buffers, launches from several threads, futures, odd sizes.

use std::sync::Barrier;

use coexec::{Buffer, Error, Kernel, Launch, LaunchFuture, Plan, Report, Runtime};

use super::{affine, engines, increment};

/// The selections of devices, which must all give the same integers.
fn selections() -> Vec<String> {
    let mut all = vec!["cpu".to_owned(), "virtual:2:cpu".to_owned()];
    let gpus = engines::gpu_ids();
    if gpus.is_empty() {
        engines::skip("the selections with a GPU", "this machine has no adapter");
    } else {
        all.extend(["all".to_owned(), "gpu".to_owned(), "virtual:3".to_owned()]);
        all.push(format!("cpu,{}", gpus[0]));
    }
    all
}

#[test]
fn what_a_user_shares_is_send_and_sync() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Runtime>();
    shared::<Kernel>();
    shared::<Buffer<f32>>();
    shared::<Report>();
    shared::<Plan>();
    shared::<Error>();
    fn sent<T: Send + 'static>() {}
    sent::<Launch>();
    sent::<LaunchFuture>();
}

#[test]
fn buffers_are_read_and_written_by_range() {
    let buffer = Buffer::from_slice(&[1u32, 2, 3, 4, 5]);
    buffer.write(1, &[20, 30]).expect("inside");
    assert_eq!(buffer.read(..).expect("all"), [1, 20, 30, 4, 5]);
    assert_eq!(buffer.read(1..3).expect("some"), [20, 30]);
    assert_eq!(buffer.read(3..=4).expect("inclusive"), [4, 5]);
    assert_eq!(buffer.read(5..).expect("empty at the end"), [0u32; 0]);
    buffer.write(5, &[]).expect("nothing at the end");
    let clone = buffer.clone();
    clone.write(0, &[9]).expect("inside");
    assert_eq!(buffer.read(..1).expect("a clone shares"), [9]);
    assert_eq!(Buffer::<f32>::zeroed(3).to_vec().expect("zeros"), [0.0; 3]);
    assert!(Buffer::<f32>::zeroed(0).is_empty());
}

#[test]
fn every_selection_of_devices_gives_the_same_integers_at_awkward_sizes() {
    let kernel = affine();
    for selection in selections() {
        let runtime = engines::runtime(&selection);
        for size in [1usize, 2, 17, 97, 1009] {
            let input: Vec<u32> = (0..size as u32).map(|n| n.wrapping_mul(2_654_435_761)).collect();
            let src = Buffer::from_slice(&input);
            let dst = Buffer::<u32>::zeroed(size);
            let report = runtime
                .launch(&kernel)
                .bind("src", &src)
                .bind("dst", &dst)
                .invocations([size as u64, 1, 1])
                .run()
                .expect("a launch");
            let expected: Vec<u32> = (0..size as u32)
                .map(|i| input[i as usize].wrapping_mul(3).wrapping_add(i))
                .collect();
            assert_eq!(dst.to_vec().expect("a result"), expected, "{selection}, {size} elements");
            let done: u64 = report.devices.iter().map(|device| device.workgroups).sum();
            assert_eq!(done, (size as u64).div_ceil(4), "{selection}: {report}");
            assert_eq!(report.workgroups, done);
            let shares: f64 = report.devices.iter().map(|device| device.share).sum();
            assert!((shares - 1.0).abs() < 1e-9, "{selection}: shares add up to {shares}");
        }
    }
}

#[test]
fn a_grid_with_a_zero_does_nothing_on_any_selection() {
    for selection in selections() {
        let runtime = engines::runtime(&selection);
        let data = Buffer::from_slice(&[7u32; 4]);
        for grid in [[0, 1, 1], [3, 0, 3], [1, 1, 0], [0, 0, 0]] {
            let launch = runtime.launch(&increment()).bind("data", &data);
            launch.workgroups(grid).run().expect("success");
            let launch = runtime.launch(&increment()).bind("data", &data);
            launch.invocations(grid).run().expect("success");
        }
        assert_eq!(data.to_vec().expect("as before"), [7; 4], "{selection}");
    }
}

#[test]
fn a_bound_part_is_a_buffer_of_its_own() {
    for selection in selections() {
        let runtime = engines::runtime(&selection);
        let data = Buffer::from_slice(&[10u32; 20]);
        let part = data.slice(3..8).expect("inside");
        // Eight invocations on five elements: three accesses are out of bounds, and must not touch
        // element 8 of the buffer.
        let launch = runtime.launch(&increment()).bind("data", &part);
        launch.workgroups([1, 1, 1]).run().expect("a launch");
        let expected: Vec<u32> =
            (0..20).map(|i| if (3..8).contains(&i) { 11 } else { 10 }).collect();
        assert_eq!(data.to_vec().expect("a result"), expected, "{selection}");
    }
}

#[test]
fn parts_of_one_buffer_that_do_not_overlap_may_be_read_and_written() {
    let runtime = engines::runtime("cpu");
    let all = Buffer::from_slice(&(0..20u32).collect::<Vec<_>>());
    runtime
        .launch(&affine())
        .bind("src", all.slice(0..10).expect("inside"))
        .bind("dst", all.slice(10..20).expect("inside"))
        .invocations([10, 1, 1])
        .run()
        .expect("a launch");
    assert_eq!(all.read(10..).expect("a result"), (0..10).map(|i| 4 * i).collect::<Vec<u32>>());
    assert_eq!(all.read(..10).expect("the input"), (0..10).collect::<Vec<u32>>());
}

#[test]
fn bindings_are_found_by_group_and_binding_too() {
    let runtime = engines::runtime("cpu");
    let src = Buffer::from_slice(&[5u32]);
    let dst = Buffer::<u32>::zeroed(1);
    let launch = runtime.launch(&affine()).bind("0:0", &src).bind("0:1", &dst);
    launch.workgroups([1, 1, 1]).run().expect("a launch");
    assert_eq!(dst.to_vec().expect("a result"), [15]);
}

#[test]
fn a_uniform_takes_the_bytes_of_a_longer_buffer() {
    let kernel = Kernel::from_wgsl(
        "struct P { add: u32, times: u32 }
         @group(0) @binding(0) var<uniform> p: P;
         @group(0) @binding(1) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(1) fn main() { data[0] = data[0] * p.times + p.add; }",
    )
    .expect("valid WGSL");
    for selection in selections() {
        let mut padded = [0u32; 64];
        padded[..3].copy_from_slice(&[3, 5, 99]);
        let (params, data) = (Buffer::from_slice(&padded), Buffer::from_slice(&[2u32]));
        let bytes = bytemuck::cast_slice(&params.to_vec().expect("as given")).to_vec();
        let launch = engines::runtime(&selection).launch(&kernel).bind("data", &data);
        launch.set_bytes("p", bytes).workgroups([1, 1, 1]).run().expect("a launch");
        assert_eq!(data.to_vec().expect("a result"), [13], "{selection}");
    }
}

#[test]
fn a_signature_is_asked_for_a_binding_as_a_launch_is() {
    let kernel = affine();
    let signature = kernel.signature();
    assert_eq!(signature.binding("0:1").map(|b| b.name.as_str()), Some("dst"));
    assert_eq!(signature.binding("src").and_then(|b| b.slot), Some((0, 0)));
    for missing in ["sorce", "0:2", "1:0", "0:", ":0", "0:0:0", ""] {
        assert!(signature.binding(missing).is_none(), "{missing}");
    }
    let runtime = engines::runtime("cpu");
    let kernel = Kernel::from_wgsl(
        "struct P { by: u32 }
         @group(1) @binding(2) var<uniform> p: P;
         @group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(1) fn main() { data[0] += p.by; }",
    )
    .expect("valid WGSL");
    let data = Buffer::from_slice(&[1u32]);
    let launch = || runtime.launch(&kernel).bind("0:0", &data).workgroups([1, 1, 1]);
    launch().set("1:2", &2u32).run().expect("a launch");
    launch().set_field("1:2.by", 4).run().expect("a launch");
    let by = kernel.encode("1:2", &coexec::Value::Fields(vec![("by".to_owned(), 8.into())]));
    launch().set_bytes("1:2", by.expect("it fits")).run().expect("a launch");
    assert_eq!(data.to_vec().expect("a result"), [15]);
}

#[test]
fn a_kernel_is_prepared_with_the_engine_that_then_runs_it() {
    for engine in engines::cpu_engines() {
        let runtime = engines::runtime_with("cpu", engine);
        let kernel = increment();
        let prepared = runtime.prepare(&kernel).expect("every engine runs it");
        assert_eq!(prepared.len(), 1);
        assert_eq!((prepared[0].device.as_str(), prepared[0].engine), ("cpu", Some(engine)));
        assert!(prepared[0].error.is_none() && prepared[0].fallback.is_none(), "{prepared:?}");
        let data = Buffer::<u32>::zeroed(16);
        let launch = runtime.launch(&kernel).bind("data", &data).invocations([16, 1, 1]);
        let report = launch.run().expect("a launch");
        assert_eq!(report.devices[0].engine, Some(engine));
        let shown = report.to_string().to_lowercase();
        assert!(shown.contains(&format!(", {engine}")), "{report}");
    }
    for id in engines::gpu_ids() {
        let prepared = engines::runtime(&id).prepare(&increment()).expect("a GPU runs it");
        assert_eq!((prepared[0].device.as_str(), prepared[0].engine), (id.as_str(), None));
    }
}

#[test]
fn launches_from_many_threads_on_one_buffer_all_count() {
    for selection in selections() {
        let runtime = engines::runtime(&selection);
        let kernel = increment();
        let data = Buffer::from_slice(&[0u32; 100]);
        let start = Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..5 {
                        let launch = runtime.launch(&kernel).bind("data", &data);
                        launch.invocations([100, 1, 1]).run().expect("a launch");
                    }
                });
            }
        });
        assert_eq!(data.to_vec().expect("a result"), [30; 100], "{selection}");
    }
}

#[test]
fn a_launch_inside_a_rayon_job_ends() {
    let runtime = engines::runtime("cpu");
    let kernel = increment();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    let data: Vec<Buffer<u32>> = (0..8).map(|_| Buffer::zeroed(50)).collect();
    let (runtime, kernel) = (&runtime, &kernel);
    pool.scope(|scope| {
        for buffer in &data {
            scope.spawn(move |_| {
                let launch = runtime.launch(kernel).bind("data", buffer);
                launch.invocations([50, 1, 1]).run().expect("a launch");
            });
        }
    });
    for buffer in &data {
        assert_eq!(buffer.to_vec().expect("a result"), [1; 50]);
    }
}

#[test]
fn submitted_launches_on_one_buffer_run_in_the_order_of_submission() {
    for selection in selections() {
        let runtime = engines::runtime(&selection);
        let times_three = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
             @compute @workgroup_size(8)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] *= 3u; }",
        )
        .expect("valid WGSL");
        let data = Buffer::<u32>::zeroed(64);
        let mut ends = Vec::new();
        for turn in 0..10 {
            let kernel = if turn % 2 == 0 { increment() } else { times_three.clone() };
            let launch = runtime.launch(&kernel).bind("data", &data).invocations([64, 1, 1]);
            ends.push(launch.submit().expect("a submission"));
        }
        // Five times x -> 3 (x + 1), from zero. Reading waits for all submitted launches.
        assert_eq!(data.to_vec().expect("a result"), [363; 64], "{selection}");
        for end in ends {
            end.wait().expect("success");
        }
    }
}

#[test]
fn a_future_gives_the_report_or_the_error() {
    let runtime = engines::runtime("cpu");
    let data = Buffer::<u32>::zeroed(16);
    let launch = runtime.launch(&increment()).bind("data", &data).invocations([16, 1, 1]);
    let report = launch.submit().expect("a submission").wait().expect("a report");
    assert_eq!(report.workgroups, 2);
    let refused = runtime.launch(&increment()).invocations([16, 1, 1]).submit();
    assert!(matches!(refused, Err(Error::Binding { .. })), "{refused:?}");
}

#[test]
fn a_dropped_future_leaves_a_whole_result_or_none() {
    let runtime = engines::runtime("cpu");
    let data = Buffer::<u32>::zeroed(4096);
    let launch = runtime.launch(&increment()).bind("data", &data).invocations([4096, 1, 1]);
    drop(launch.chunks(64).submit().expect("a submission"));
    match data.to_vec() {
        Ok(values) => assert!(values == [0; 4096] || values == [1; 4096], "half-written"),
        Err(error) => assert!(matches!(error, Error::Poisoned { .. }), "{error}"),
    }
}

#[test]
fn rust_types_bind_to_the_wgsl_types_that_lie_alike() {
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(C)]
    struct Particle {
        position: [f32; 3],
        mass: f32,
    }
    let kernel = Kernel::from_wgsl(
        "struct Particle { position: vec3<f32>, mass: f32 }
         struct Params { shift: vec3<f32>, times: u32 }
         @group(0) @binding(0) var<uniform> params: Params;
         @group(0) @binding(1) var<storage, read_write> particles: array<Particle>;
         @group(0) @binding(2) var<storage, read_write> flat: array<vec4<f32>>;
         @compute @workgroup_size(1)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             particles[id.x].position += params.shift * f32(params.times);
             flat[id.x] = vec4(particles[id.x].position, particles[id.x].mass);
         }",
    )
    .expect("valid WGSL");
    #[derive(Clone, Copy, bytemuck::NoUninit)]
    #[repr(C)]
    struct Params {
        shift: [f32; 3],
        times: u32,
    }
    let particles = Buffer::from_slice(&[Particle { position: [1.0, 2.0, 3.0], mass: 4.0 }; 2]);
    // A vec4<f32> has no padding, so a buffer of its scalars binds too.
    let flat = Buffer::<f32>::zeroed(8);
    engines::runtime("cpu")
        .launch(&kernel)
        .set("params", &Params { shift: [0.5, 0.0, -1.0], times: 2 })
        .bind("particles", &particles)
        .bind("flat", &flat)
        .workgroups([2, 1, 1])
        .run()
        .expect("a launch");
    assert_eq!(flat.to_vec().expect("a result"), [2.0, 2.0, 1.0, 4.0, 2.0, 2.0, 1.0, 4.0]);
    assert_eq!(particles.to_vec().expect("a result")[1].position, [2.0, 2.0, 1.0]);
}

#[test]
fn devices_say_what_they_are() {
    let runtime = engines::runtime("cpu");
    let devices = runtime.devices();
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0].id, "cpu");
    assert!(devices[0].kind.shares_cpu_cores());
    for id in engines::gpu_ids() {
        let devices = engines::runtime(&id).devices();
        assert_eq!(devices.len(), 1);
        assert_eq!(devices[0].id, id);
        assert!(!devices[0].name.is_empty());
        assert!(devices[0].limits.max_binding >= 1 << 20);
    }
}

#[cfg(feature = "gpu")]
#[test]
fn an_application_s_own_wgpu_device_runs_launches() {
    let instance = wgpu::Instance::default();
    let options = wgpu::RequestAdapterOptions::default();
    let Ok(adapter) = pollster::block_on(instance.request_adapter(&options)) else {
        return engines::skip("an application's own wgpu device", "this machine has no adapter");
    };
    let (device, queue) =
        pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))
            .expect("a device with the default limits");
    let runtime = Runtime::from_wgpu(device, queue).expect("a runtime");
    let data = Buffer::from_slice(&[41u32; 33]);
    let launch = runtime.launch(&increment()).bind("data", &data).invocations([33, 1, 1]);
    launch.run().expect("a launch");
    assert_eq!(data.to_vec().expect("a result"), [42; 33]);
}
