//! The cost of transfers and launches, against the unavoidable cost: the halo of an iterated stencil,
//! data streamed through a small memory, and launches in a sequence.
//!
//!     cargo bench --bench memory                    # all three, on gpu0
//!     cargo bench --bench memory -- halo stream launches

use std::time::{Duration, Instant};

use coexec::{Buffer, Kernel, Runtime};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let has = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    if has("halo") {
        halo(4096, 1000);
    }
    if has("stream") {
        stream();
    }
    if has("launches") {
        launches();
    }
}

fn runtime(devices: &str) -> Runtime {
    Runtime::builder().devices(devices).build().expect("the machine has a GPU, or lavapipe")
}

fn library(name: &str) -> Kernel {
    let text = coexec::ops::library().iter().find(|k| k.name == name).expect(name).text;
    Kernel::from_wgsl(text).expect(name)
}

/// The bytes that a step moves between two logical devices, against the two rows of the halo.
fn halo(side: u32, steps: u32) {
    let kernel = library("stencil5");
    // No launch log: its checkpoints download the whole field every few seconds.
    let builder = Runtime::builder().devices("virtual:2:gpu0").log_memory(0);
    let rt = builder.build().expect("the machine has a GPU, or lavapipe");
    let cells = (side * side) as usize;
    let (a, b) = (Buffer::from_slice(&vec![1.0f32; cells]), Buffer::<f32>::zeroed(cells));
    let row = f64::from(side) * 4.0;
    println!(
        "stencil5, {side} x {side} on two logical devices; the halo is {} B a step",
        2.0 * row
    );
    // The first steps upload the field and allocate windows for the results.
    const SETTLED: u32 = 4;
    let (mut moved, mut most, mut moves) = (0.0, 0.0f64, 0);
    for step in 0..steps {
        let (src, dst) = if step % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let launch = rt.launch(&kernel).bind("src", src).bind("dst", dst);
        let launch = launch.set_field("grid.width", side).set_field("grid.height", side);
        let launch = launch.set_field("grid.alpha", 0.2f32);
        let report = launch.invocations([side.into(), side.into(), 1]).run().expect("a step");
        let up: u64 = report.devices.iter().map(|d| d.uploaded).sum();
        let down: u64 = report.devices.iter().map(|d| d.downloaded).sum();
        let shares: Vec<String> =
            report.devices.iter().map(|d| format!("{:.0}%", d.share * 100.0)).collect();
        let halos = up.max(down) as f64 / (2.0 * row);
        if step >= SETTLED {
            (moved, most) = (moved + halos, most.max(halos));
            moves += u32::from(halos > 1.5);
        }
        if step > SETTLED && halos < 1.5 && step % 100 != 0 {
            continue;
        }
        println!(
            "  step {step:>2}: {up:>10} B up, {down:>10} B down: {:>9.3} and {:>9.3} of the halo; {:>8.1?}; {}",
            up as f64 / (2.0 * row),
            down as f64 / (2.0 * row),
            report.elapsed,
            shares.join(" and ")
        );
    }
    println!(
        "  mean of steps {SETTLED} to {}: {:.3} of the halo, at most {most:.3}; {moves} steps moved a band",
        steps - 1,
        moved / f64::from(steps - SETTLED)
    );
}

/// The time to stream 256 MiB through 8 MiB, against the unavoidable time.
fn stream() {
    const BUDGET: u64 = 8 << 20;
    const WORDS: usize = 32 << 20;
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> src: array<u32>;
         @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(64)
         fn mix(@builtin(global_invocation_id) id: vec3<u32>,
                @builtin(num_workgroups) groups: vec3<u32>) {
             let i = id.y * groups.x * 64u + id.x;
             if i >= arrayLength(&dst) { return; }
             var x = src[i];
             for (var k = 0u; k < 24u; k++) { x = (x ^ (x >> 15u)) * 0x2c1b3c6du + k; }
             dst[i] = x;
         }",
    )
    .expect("valid WGSL");
    let input: Vec<u32> = (0..WORDS as u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
    let grid = [64 * 1024, (WORDS / (64 * 1024)) as u64, 1];
    let run = |rt: &Runtime, src: &Buffer<u32>, dst: &Buffer<u32>| {
        rt.launch(&kernel).bind("src", src).bind("dst", dst).invocations(grid).run().expect("a run")
    };
    let (src, dst) = (Buffer::from_slice(&input), Buffer::<u32>::zeroed(WORDS));
    let small = Runtime::builder().devices("gpu0").memory_budget("gpu0", BUDGET).build();
    let small = small.expect("a GPU");
    let (mut times, mut chunks) = (Vec::new(), 0);
    for _ in 0..15 {
        let report = run(&small, &src, &dst);
        times.push(report.elapsed);
        chunks = report.devices[0].chunks;
    }
    let mix = |x: u32| {
        (0..24u32).fold(x, |x, k| (x ^ (x >> 15)).wrapping_mul(0x2c1b_3c6d).wrapping_add(k))
    };
    let exact = dst.to_vec().expect("a result").iter().zip(&input).all(|(got, x)| *got == mix(*x));
    // With all data on the device, launches after the first move nothing.
    let large = runtime("gpu0");
    let on_device = Buffer::<u32>::zeroed(WORDS);
    let compute = median((0..8).map(|_| run(&large, &src, &on_device).elapsed).skip(1).collect());
    let transfer = transfer(&input, WORDS.div_ceil(chunks.max(1) as usize));
    // The first upload comes before all computing, the last download after it.
    let serial = (transfer + compute).div_f64(f64::from(chunks.max(1)));
    let least = transfer.max(compute) + serial;
    let took = median(times);
    println!(
        "256 MiB through 8 MiB in {chunks} chunks: {took:.0?}, {}; transfer alone {transfer:.0?}, \
         compute alone {compute:.0?}, their unavoidable serial part {serial:.0?}: {:.2} of {least:.0?}",
        if exact { "every word right" } else { "WRONG" },
        took.as_secs_f64() / least.as_secs_f64()
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn wgpu_device() -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    let adapter = adapters.into_iter().next().expect("an adapter");
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: adapter.limits(),
        ..wgpu::DeviceDescriptor::default()
    };
    pollster::block_on(adapter.request_device(&descriptor)).expect("a device")
}

/// The time to copy all words to a device and back in pieces, two in flight, without computing.
fn transfer(input: &[u32], piece: usize) -> Duration {
    let (device, queue) = wgpu_device();
    let bytes = piece as u64 * 4;
    let buffer = |usage| {
        device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    };
    let slots: Vec<_> = (0..2)
        .map(|_| {
            let there = buffer(wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC);
            (there, buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST))
        })
        .collect();
    let mut out = vec![0u32; input.len()];
    let once = |out: &mut [u32]| {
        let begun = Instant::now();
        let mut under_way = std::collections::VecDeque::new();
        let finish = |(number, len, submission): (usize, usize, wgpu::SubmissionIndex),
                      out: &mut [u32]| {
            let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
            device.poll(wait).expect("it ends");
            let down = &slots[number % 2].1;
            let view = down.get_mapped_range(0..len as u64 * 4).expect("mapped");
            let to = &mut out[number * piece..number * piece + len];
            to.copy_from_slice(bytemuck::cast_slice(&view));
            drop(view);
            down.unmap();
        };
        for (number, part) in input.chunks(piece).enumerate() {
            if under_way.len() == 2 {
                finish(under_way.pop_front().expect("two"), out);
            }
            let (there, down) = &slots[number % 2];
            queue.write_buffer(there, 0, bytemuck::cast_slice(part));
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(there, 0, down, 0, part.len() as u64 * 4);
            let submission = queue.submit([encoder.finish()]);
            down.slice(0..part.len() as u64 * 4).map_async(wgpu::MapMode::Read, |_| {});
            under_way.push_back((number, part.len(), submission));
        }
        for one in under_way {
            finish(one, out);
        }
        begun.elapsed()
    };
    let time = median((0..4).map(|_| once(&mut out)).skip(1).collect());
    assert!(out == input, "the downloaded words differ from the uploaded ones");
    time
}

const COUNT: &str = "
    @group(0) @binding(0) var<storage, read_write> n: array<u32>;
    @compute @workgroup_size(1)
    fn count() { n[0] += 1u; }";

/// The time of 10,000 launches of a tiny kernel, against wgpu with the same batching.
fn launches() {
    const TIMES: u32 = 10_000;
    const PAIRS: u32 = 31;
    let rt = runtime("gpu0");
    let kernel = Kernel::from_wgsl(COUNT).expect("valid WGSL");
    let n = Buffer::from_slice(&[0u32; 4]);
    let launch = rt.launch(&kernel).bind("n", &n).workgroups([1, 1, 1]);
    let sequence = rt.sequence().then(launch.clone());
    let raw = raw_launches();
    // The two take turns, so that other work of the machine affects both.
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..PAIRS {
        let begun = Instant::now();
        let report = sequence.run(TIMES).expect("a sequence");
        ours.push(begun.elapsed());
        assert!(report.batched.is_some(), "{report}");
        theirs.push(raw(TIMES));
        ratios.push(ours[ours.len() - 1].as_secs_f64() / theirs[theirs.len() - 1].as_secs_f64());
    }
    assert_eq!(n.read(..1).expect("a result"), [PAIRS * TIMES]);
    let begun = Instant::now();
    for _ in 0..1000 {
        launch.clone().run().expect("a launch");
    }
    let single = begun.elapsed() / 1000;
    ratios.sort_by(f64::total_cmp);
    println!(
        "{TIMES} launches in a sequence: {:.1?}, wgpu with the same batching {:.1?}: ratio {:.3} \
         (quartiles {:.3} to {:.3}); one launch on its own, waited for: {single:.1?}",
        median(ours),
        median(theirs),
        ratios[ratios.len() / 2],
        ratios[ratios.len() / 4],
        ratios[3 * ratios.len() / 4]
    );
}

/// The same launches in plain wgpu: 1,024 dispatches a submission, one pass each, a wait at the end.
fn raw_launches() -> impl Fn(u32) -> Duration {
    let (device, queue) = wgpu_device();
    let text = naga::front::wgsl::parse_str(COUNT).expect("valid WGSL");
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(text)),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 16,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
    });
    move |times| {
        let begun = Instant::now();
        let mut left = times;
        while left > 0 {
            let now = left.min(1024);
            left -= now;
            let mut encoder = device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                for _ in 0..now {
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
            queue.submit([encoder.finish()]);
        }
        device.poll(wgpu::PollType::wait_indefinitely()).expect("it ends");
        begun.elapsed()
    }
}
