//! The engines and devices that tests run on.
//!
//! The CPU has several engines: the interpreter, and every compiled engine that is available. Tests
//! force the engine, and a forced engine never falls back, so a kernel that an engine rejects fails
//! the test. `COEXEC_CPU_ENGINE` names the only engine to test; without it, tests run on each.
//! Tests without their GPU are skipped. `COEXEC_REQUIRE_GPU=1` makes a missing adapter a failure,
//! `COEXEC_REQUIRE_LLVM=15,22` a missing libLLVM of one of these versions.

#![allow(dead_code, reason = "each test binary uses its part of this")]

use coexec::{Engine, Runtime};

/// The class of a device, which determines the tolerance of its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Cpu,
    Gpu,
}

/// A runtime, and the cutting of its launches.
pub(crate) struct Setup {
    pub(crate) label: String,
    pub(crate) runtime: Runtime,
    /// The number of chunks; `None` leaves it to the planner.
    pub(crate) chunks: Option<u32>,
    pub(crate) class: Class,
}

/// The CPU's engines to test: the one that the environment names, or all that are available.
pub(crate) fn cpu_engines() -> Vec<Engine> {
    let Ok(name) = std::env::var("COEXEC_CPU_ENGINE") else { return available() };
    vec![name.parse().unwrap_or_else(|error| panic!("COEXEC_CPU_ENGINE={name}: {error}"))]
}

/// The CPU's engines that are available, the interpreter first.
fn available() -> Vec<Engine> {
    let mut found = vec![Engine::Interpreter];
    for name in ["cranelift", "llvm"] {
        let Ok(engine) = name.parse::<Engine>() else { continue };
        match Runtime::builder().devices("cpu").cpu_engine(engine).build() {
            Ok(_) => found.push(engine),
            Err(error) => {
                let required = std::env::var_os("COEXEC_REQUIRE_LLVM").is_some();
                assert!(!required || name != "llvm", "{error}, and COEXEC_REQUIRE_LLVM is set");
                eprintln!("SKIPPED {engine}: {error}");
            }
        }
    }
    found
}

/// For each engine of the CPU, every cutting. The first is the reference for the others.
pub(crate) fn cpus() -> Vec<Vec<Setup>> {
    cpu_engines().into_iter().map(|engine| cuttings("cpu", Class::Cpu, engine)).collect()
}

/// For each adapter, software adapters included, every cutting. The first is the reference for the
/// others. If there are several adapters, all of them together with the CPU come last.
///
/// # Panics
/// If there is no adapter and the environment requires one.
pub(crate) fn gpus(test: &str) -> Vec<Vec<Setup>> {
    let ids = gpu_ids();
    let mut found: Vec<Vec<Setup>> =
        ids.iter().map(|id| cuttings(id, Class::Gpu, Engine::Auto)).collect();
    if ids.len() > 1 {
        let devices = format!("cpu,{}", ids.join(","));
        let label = format!("{devices}, 7 chunks");
        let runtime = runtime(&devices);
        found.push(vec![Setup { label, runtime, chunks: Some(7), class: Class::Gpu }]);
    }
    if found.is_empty() {
        skip(test, "this machine has no Vulkan, Metal or DirectX 12 adapter");
    }
    found
}

/// The ids of the adapters: `gpu0`, `gpu1`…
pub(crate) fn gpu_ids() -> Vec<String> {
    if !cfg!(feature = "gpu") {
        return Vec::new();
    }
    let all = runtime("all");
    all.devices().into_iter().map(|device| device.id).filter(|id| id.starts_with("gpu")).collect()
}

/// Reports that a test is skipped.
///
/// # Panics
/// If the environment requires a GPU.
pub(crate) fn skip(test: &str, why: &str) {
    let required = std::env::var("COEXEC_REQUIRE_GPU").is_ok_and(|value| value == "1");
    assert!(!required, "{test}: {why}, and COEXEC_REQUIRE_GPU=1");
    eprintln!("SKIPPED {test}: {why}");
}

/// Whether the error says that the device lacks a feature, which is no failure of a test.
pub(crate) fn is_beyond_the_device(error: &coexec::Error) -> bool {
    error.to_string().trim_end().ends_with("which the device does not have")
}

/// A runtime on these devices, with the CPU engine that the environment names, else
/// [`Engine::Auto`].
pub(crate) fn runtime(devices: &str) -> Runtime {
    let engine = match std::env::var("COEXEC_CPU_ENGINE") {
        Ok(_) => cpu_engines()[0],
        Err(_) => Engine::Auto,
    };
    runtime_with(devices, engine)
}

/// A runtime on these devices with this engine of the CPU.
pub(crate) fn runtime_with(devices: &str, engine: Engine) -> Runtime {
    Runtime::builder()
        .devices(devices)
        .cpu_engine(engine)
        .build()
        .unwrap_or_else(|error| panic!("devices {devices}: {error}"))
}

/// Every engine of the CPU that is available, unsplit, the interpreter first. The environment does
/// not restrict them.
pub(crate) fn every_cpu_engine() -> Vec<Setup> {
    let setup = |engine: Engine| Setup {
        label: format!("cpu, {engine}"),
        runtime: runtime_with("cpu", engine),
        chunks: Some(1),
        class: Class::Cpu,
    };
    let mut all: Vec<Setup> = available().into_iter().map(setup).collect();
    // Vectors that are shorter than the processor's take other paths of the compiler.
    let short = Runtime::builder().devices("cpu").cpu_engine(Engine::Llvm).vector_bits(128).build();
    if let Ok(runtime) = short {
        let label = "cpu, llvm with vectors of 128 bits".to_owned();
        all.push(Setup { label, runtime, chunks: Some(1), class: Class::Cpu });
    }
    all
}

fn cuttings(device: &str, class: Class, engine: Engine) -> Vec<Setup> {
    let one = runtime_with(device, engine);
    let name = match class {
        Class::Cpu => format!("{device} ({engine})"),
        Class::Gpu => device.to_owned(),
    };
    let setup = |runtime: &Runtime, chunks: Option<u32>, how: &str| Setup {
        label: format!("{name}, {how}"),
        runtime: runtime.clone(),
        chunks,
        class,
    };
    let mut all = vec![setup(&one, None, "as planned")];
    for chunks in [1, 2, 3, 7] {
        all.push(setup(&one, Some(chunks), &format!("{chunks} chunks")));
    }
    for count in [2, 3] {
        let many = runtime_with(&format!("virtual:{count}:{device}"), engine);
        all.push(setup(&many, None, &format!("{count} logical devices")));
    }
    all
}
