//! `coexec devices`: the processors of this machine, measured.

use std::time::{Duration, Instant};

use anyhow::Result;
use coexec::{Buffer, DeviceInfo, Kernel, Runtime};
use serde_json::{Value, json};

use crate::args::DevicesArgs;
use crate::{json, output};

/// Copies an array, one vec4 per invocation.
const COPY: &str = "
@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;
@compute @workgroup_size(256)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = src[id.x];
}";

/// Four independent chains of multiply-adds on vectors: 256 × 4 × 4 × 2 operations.
const MULTIPLY_ADD: &str = "
@group(0) @binding(0) var<storage, read_write> dst: array<vec4<f32>>;
@compute @workgroup_size(256)
fn multiply_add(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = vec4(f32(id.x) * 1e-9);
    var a = x;
    var b = x + 1.0;
    var c = x + 2.0;
    var d = x + 3.0;
    for (var i = 0; i < 256; i++) {
        a = fma(a, x, x);
        b = fma(b, x, x);
        c = fma(c, x, x);
        d = fma(d, x, x);
    }
    dst[id.x] = a + b + c + d;
}";
const OPERATIONS: f64 = 256.0 * 4.0 * 4.0 * 2.0;

/// Time given to each measurement.
const BUDGET: Duration = Duration::from_millis(150);

/// The measured rates of a device.
struct Rates {
    /// Bytes read and written per second, host to host: for a GPU it includes both transfers.
    copy: f64,
    /// f32 operations per second.
    compute: f64,
}

pub(crate) fn devices(args: &DevicesArgs) -> Result<()> {
    let runtime = Runtime::builder().devices("all").build()?;
    let mut rates = Vec::new();
    for device in runtime.devices() {
        let rate = if args.no_measure { None } else { Some(measure(&device)) };
        rates.push((device, rate));
    }
    if args.json {
        return json::print(&rates.iter().map(|(d, r)| as_json(d, r.as_ref())).collect());
    }
    let mut rows = vec![
        ["id", "kind", "copy GB/s", "GFLOP/s", "binding", "memory", "f16", "subgroup", "name"]
            .map(str::to_owned),
    ];
    let mut notes = String::new();
    for (device, rates) in &rates {
        let rate = |pick: fn(&Rates) -> f64| match rates {
            Some(Ok(rates)) => format!("{:.2}", pick(rates) / 1e9),
            _ => "-".to_owned(),
        };
        if let Some(Err(error)) = rates {
            notes += &format!("! {} could not be measured: {error:#}\n", device.id);
        }
        let limits = &device.limits;
        rows.push([
            device.id.clone(),
            device.kind.to_string(),
            rate(|r| r.copy),
            rate(|r| r.compute),
            size(limits.max_binding),
            size(limits.memory),
            if limits.f16 { "yes" } else { "no" }.to_owned(),
            match limits.subgroup_size {
                None => "-".to_owned(),
                Some((least, most)) if least == most => least.to_string(),
                Some((least, most)) => format!("{least}-{most}"),
            },
            if device.driver.is_empty() {
                device.name.clone()
            } else {
                format!("{} ({})", device.name, device.driver)
            },
        ]);
    }
    let mut text = output::table(&rows).join("\n") + "\n" + &notes;
    for (device, _) in &rates {
        if let Some(advice) = &device.advice {
            text += &format!("{} could be faster: {advice}.\n", device.id);
        }
    }
    let gpus: Vec<_> = rates.iter().filter(|(d, _)| !d.kind.shares_cpu_cores()).collect();
    if gpus.is_empty() {
        text += if cfg!(feature = "gpu") {
            "No GPU was found. A GPU needs a Vulkan, Metal or DirectX 12 driver.\n"
        } else {
            "coexec looks for no GPU: it was built without the feature `gpu`.\n"
        };
    }
    if rates.iter().any(|(d, _)| d.kind == coexec::DeviceKind::SoftwareGpu) {
        text += "A software GPU computes on the CPU's cores: it is used only when it is named, or \
                 with --devices all or gpu.\n";
    }
    output::print(&text)
}

fn measure(device: &DeviceInfo) -> Result<Rates> {
    let runtime = Runtime::builder().devices(&device.id).build()?;
    Ok(Rates { copy: measure_copy(&runtime)?, compute: measure_compute(&runtime)? })
}

fn measure_copy(runtime: &Runtime) -> Result<f64> {
    let kernel = Kernel::from_wgsl(COPY)?;
    largest(|invocations| {
        let src = Buffer::from_slice(&vec![[1.0f32; 4]; invocations as usize]);
        let dst = Buffer::<[f32; 4]>::zeroed(invocations as usize);
        let launch = || {
            runtime.launch(&kernel).bind("src", &src).bind("dst", &dst).invocations([
                invocations,
                1,
                1,
            ])
        };
        Ok((fastest(|| Ok(launch().run().map(|_| ())?))?, 32.0 * invocations as f64))
    })
}

fn measure_compute(runtime: &Runtime) -> Result<f64> {
    let kernel = Kernel::from_wgsl(MULTIPLY_ADD)?;
    largest(|invocations| {
        let dst = Buffer::<[f32; 4]>::zeroed(invocations as usize);
        let launch = || runtime.launch(&kernel).bind("dst", &dst).invocations([invocations, 1, 1]);
        Ok((fastest(|| Ok(launch().run().map(|_| ())?))?, OPERATIONS * invocations as f64))
    })
}

/// The rate of work at the largest size that fits the budget: small launches measure overheads.
fn largest(mut run: impl FnMut(u64) -> Result<(Duration, f64)>) -> Result<f64> {
    let start = Instant::now();
    let mut best = 0.0f64;
    // Up to 64 MiB in each buffer.
    for exponent in (8..=22).step_by(2) {
        let (time, work) = run(1 << exponent)?;
        best = best.max(work / time.as_secs_f64());
        if start.elapsed() + 4 * 2 * time > BUDGET {
            break;
        }
    }
    Ok(best)
}

/// The faster of two runs; the first also compiles.
fn fastest(mut run: impl FnMut() -> Result<()>) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..2 {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if value.fract() == 0.0 {
                format!("{value} {unit}")
            } else {
                format!("{value:.1} {unit}")
            };
        }
        value /= 1024.0;
    }
    if value > 1e6 { "any".to_owned() } else { format!("{value:.1} TiB") }
}

fn as_json(device: &DeviceInfo, rates: Option<&Result<Rates>>) -> Value {
    let limits = &device.limits;
    json!({
        "id": device.id,
        "name": device.name,
        "driver": device.driver,
        "advice": device.advice,
        "kind": device.kind.to_string(),
        "copy_bytes_per_s": rates.and_then(|r| r.as_ref().ok()).map(|r| r.copy),
        "flop_per_s": rates.and_then(|r| r.as_ref().ok()).map(|r| r.compute),
        "error": rates.and_then(|r| r.as_ref().err()).map(|e| format!("{e:#}")),
        "limits": {
            "max_binding_bytes": limits.max_binding,
            "memory_bytes": limits.memory,
            "max_storage_bindings": limits.max_storage_bindings,
            "max_uniform_bindings": limits.max_uniform_bindings,
            "max_invocations": limits.max_invocations,
            "max_workgroup_size": limits.max_workgroup_size,
            "max_workgroup_memory_bytes": limits.max_workgroup_memory,
            "f16": limits.f16,
            "subgroup_size": limits.subgroup_size.map(|(least, most)| [least, most]),
        },
    })
}
