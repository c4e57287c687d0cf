//! Safety of generated code: it stays inside of its buffers, and its memory is never writable and
//! executable at once. Every engine stops endless kernels and dropped launches.

mod engines;

use std::time::{Duration, Instant};

use coexec::{Buffer, Engine, Error, Kernel, Runtime};
use engines::{cpu_engines, gpu_ids, runtime_with};

/// Every available engine of the CPU, and every adapter.
fn everywhere() -> Vec<(String, Runtime)> {
    let cpu = cpu_engines();
    let cpu = cpu.into_iter().map(|engine| (engine.to_string(), runtime_with("cpu", engine)));
    let gpu = gpu_ids().into_iter().map(|id| (id.clone(), runtime_with(&id, Engine::Auto)));
    cpu.chain(gpu).collect()
}

/// The environment variable of the child process that compiles kernels only. Other tests open
/// adapters, whose drivers generate code too.
#[cfg(target_os = "linux")]
const ALONE: &str = "COEXEC_TEST_ALONE";

#[cfg(target_os = "linux")]
#[test]
fn no_memory_is_writable_and_executable_at_once() {
    if std::env::var_os(ALONE).is_none() {
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args(["--exact", "no_memory_is_writable_and_executable_at_once"]).env(ALONE, "1");
        let output = test.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    for engine in cpu_engines() {
        let rt = runtime_with("cpu", engine);
        let kernel = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> data: array<f32>;
             @compute @workgroup_size(16)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                 for (var i = 0u; i < 9u; i++) { data[id.x] = sin(data[id.x]) + f32(i); }
             }",
        )
        .unwrap();
        let data = Buffer::from_slice(&[1.0f32; 64]);
        rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).run().unwrap();
        // The code is kept with the kernel.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let both: Vec<&str> = maps
            .lines()
            .filter(|line| line.split_whitespace().nth(1).is_some_and(|p| p.contains("wx")))
            .collect();
        assert!(both.is_empty(), "{engine}: {both:?}");
        drop(kernel);
    }
}

/// Accesses with hostile indices that no compiler can predict: `k` runs over `INDICES`.
const HOSTILE: &str = "
    struct Inner { a: u32, v: vec4<u32>, list: array<u32, 3> }
    @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    @group(0) @binding(1) var<storage, read_write> inner: array<Inner>;
    @group(0) @binding(2) var<storage, read> indices: array<u32>;
    @group(0) @binding(3) var<uniform> table: array<vec4<u32>, 4>;
    var<workgroup> tile: array<u32, 16>;
    var<private> own: array<u32, 8>;
    @compute @workgroup_size(16)
    fn main(@builtin(local_invocation_index) l: u32, @builtin(workgroup_id) group: vec3<u32>) {
        let k = indices[group.x];
        let i = k + l;
        let s = bitcast<i32>(k) - i32(l);
        var here = array<vec4<u32>, 5>();
        var m = mat4x4<f32>();
        data[i] = 0xABCDu;
        data[s] = 0xABCDu;
        inner[i].a = 1u;
        inner[s].v[i] = 2u;
        inner[l % 2u].list[i] = 3u;
        inner[l % 2u].list[s] = 3u;
        tile[i] = 4u;
        tile[s] = 4u;
        own[i] = 5u;
        own[s] += 5u;
        here[i][s] = 6u;
        here[s][i] = 6u;
        m[i][s] = 7.0;
        workgroupBarrier();
        let read = data[i] + inner[i].a + inner[s].v[s] + inner[0].list[i] + tile[i] + tile[s] + own[i]
            + own[s] + here[i][i] + table[i][s] + table[s][i] + u32(m[s][i]) + indices[i] + indices[s];
        if read != 0u && l == 77u { data[0] = read; }
    }";

const INDICES: [u32; 14] = [
    0,
    3,
    15,
    16,
    63,
    64,
    65,
    1 << 16,
    1 << 30,
    (1 << 30) + 7,
    i32::MAX as u32,
    1 << 31,
    u32::MAX - 20,
    u32::MAX,
];

#[test]
fn compiled_code_cannot_leave_its_buffers() {
    let kernel = Kernel::from_wgsl(HOSTILE).unwrap();
    for (name, rt) in everywhere() {
        for chunks in [1, 5] {
            // The bound parts lie in the middle of larger buffers.
            let canary = |bytes: usize| Buffer::from_slice(&vec![0xA5u8; bytes]);
            let outer = [canary(16384), canary(16384)];
            let inside = [8192..8192 + 256, 8192..8192 + 3 * 48];
            let part = |i: usize| outer[i].slice(inside[i].clone()).unwrap();
            let indices = Buffer::from_slice(&INDICES);
            let launch = rt.launch(&kernel).bind("data", part(0)).bind("inner", part(1));
            let launch = launch.bind("indices", &indices).set_bytes("table", vec![0; 64]);
            let groups = [INDICES.len() as u64, 1, 1];
            let outcome = launch.chunks(chunks).workgroups(groups).run();
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            for (buffer, inside) in outer.iter().zip(&inside) {
                let bytes = buffer.to_vec().unwrap();
                let changed = |at: &usize| bytes[*at] != 0xA5;
                let outside = (0..bytes.len()).filter(|at| !inside.contains(at)).find(changed);
                assert_eq!(outside, None, "{name}: a byte outside of {inside:?} changed");
                assert!(inside.clone().any(|at| changed(&at)), "{name}: nothing was written");
            }
        }
    }
}

/// With elements of two bytes, an index fits 32 bits though its byte offset does not. The system
/// provides only the pages that are touched.
#[cfg(target_pointer_width = "64")]
#[test]
fn buffers_whose_offsets_do_not_fit_are_refused_by_compiled_code() {
    let kernel = Kernel::from_wgsl(
        "enable f16;
         @group(0) @binding(0) var<storage, read_write> data: array<f16>;
         @compute @workgroup_size(16)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             data[2147483648u + id.x] = f16(id.x);
         }",
    )
    .unwrap();
    for engine in cpu_engines() {
        let rt = runtime_with("cpu", engine);
        let data = Buffer::<half::f16>::zeroed((1 << 31) + 16);
        let outcome = rt.launch(&kernel).bind("data", &data).workgroups([1, 1, 1]).run();
        match (engine, outcome) {
            (Engine::Llvm | Engine::Cranelift, Err(error)) => {
                assert!(error.to_string().contains("4 GiB"), "{error}");
            }
            (Engine::Llvm | Engine::Cranelift, Ok(_)) => panic!("{engine} cannot have run this"),
            (_, outcome) => {
                outcome.unwrap();
                let end = data.read(1 << 31..(1 << 31) + 16).unwrap();
                assert!((0..16).all(|i| end[i].to_f32() == i as f32), "{engine}: {end:?}");
            }
        }
    }
}

#[test]
fn endless_kernels_end_with_an_error_everywhere() {
    for (name, rt) in everywhere() {
        for body in [
            "loop { if data[0] == 9u { break; } data[1] = 1u; }",
            "loop { data[id.x] += 1u; }",
            "while data[0] != 5u { data[1] = 3u; }",
            "for (var i = 0u; i < 10u; i += data[1]) { data[2] = i; }",
        ] {
            let kernel = Kernel::from_wgsl(&format!(
                "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
                 @compute @workgroup_size(8)
                 fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {body} }}"
            ))
            .unwrap();
            let data = Buffer::<u32>::zeroed(64);
            let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
            let error = launch.loop_budget(100_000).run().expect_err(body);
            assert!(matches!(error, Error::EndlessLoop { .. }), "{name}: {body}: {error}");
            assert!(matches!(data.to_vec(), Err(Error::Poisoned { .. })), "{name}: {body}");
        }
    }
}

#[test]
fn a_dropped_launch_stops_in_the_middle_of_a_chunk() {
    // A workgroup takes some milliseconds, all of them many minutes.
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(8)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var x = id.x;
             for (var i = 0u; i < 60000u; i++) { x = x * 1664525u + 1013904223u + (x >> 3u); }
             data[id.x % 64u] = x;
         }",
    )
    .unwrap();
    for (name, rt) in everywhere() {
        let data = Buffer::<u32>::zeroed(64);
        // A GPU finishes what it has begun, and closing the device waits for that.
        let groups = if name.starts_with("gpu") { [3000, 1, 1] } else { [60_000, 60, 1] };
        let launch = rt.launch(&kernel).bind("data", &data).workgroups(groups).chunks(1);
        let future = launch.submit().unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let asked = Instant::now();
        drop(future);
        // Reading waits for the end of the launch.
        let outcome = data.to_vec();
        eprintln!("{name}: over after {:?}", asked.elapsed());
        // A real GPU may be done by then.
        let over = name.starts_with("gpu") && outcome.is_ok();
        assert!(over || matches!(outcome, Err(Error::Poisoned { .. })), "{name}: {outcome:?}");
    }
}
