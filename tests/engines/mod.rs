//! The engines that tests run on, and what to do where there is no GPU.
//!
//! The CPU is several: the interpreter, and every compiled engine that is here. An engine is
//! always forced, and a forced engine never falls back, so a kernel that an engine does not take
//! fails the test. `COEXEC_CPU_ENGINE` names the one engine to test; without it, each has its
//! turn. `COEXEC_REQUIRE_GPU=1` makes a missing adapter a failure, `COEXEC_REQUIRE_LLVM=15,22` a
//! missing libLLVM of one of these versions.

#![allow(dead_code, reason = "each test binary uses its part of this")]

use coexec::{Engine, Runtime};

/// Which rules a result is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Cpu,
    Gpu,
}

/// A runtime, and how its launches are cut.
pub(crate) struct Setup {
    pub(crate) label: String,
    pub(crate) runtime: Runtime,
    /// Nothing: as the planner likes.
    pub(crate) chunks: Option<u32>,
    pub(crate) class: Class,
}

/// The engines of the CPU to test: those that are here, or the one that the environment names.
pub(crate) fn cpu_engines() -> Vec<Engine> {
    let Ok(name) = std::env::var("COEXEC_CPU_ENGINE") else { return available() };
    vec![name.parse().unwrap_or_else(|error| panic!("COEXEC_CPU_ENGINE={name}: {error}"))]
}

/// The engines of the CPU that are here, the interpreter first.
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

/// The CPU under every cutting, for each of its engines. The first of each is the unsplit run.
pub(crate) fn cpus() -> Vec<Vec<Setup>> {
    cpu_engines().into_iter().map(|engine| cuttings("cpu", Class::Cpu, engine)).collect()
}

/// Every adapter, including software, each with every cutting. The first of each is the unsplit
/// run. If there are several adapters, all of them together with the CPU come last.
///
/// # Panics
/// When there is none and one is required.
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

/// `gpu0`, `gpu1`…
pub(crate) fn gpu_ids() -> Vec<String> {
    if !cfg!(feature = "gpu") {
        return Vec::new();
    }
    let all = runtime("all");
    all.devices().into_iter().map(|device| device.id).filter(|id| id.starts_with("gpu")).collect()
}

/// Says that a test does not run here, and fails where CI promised that it would.
pub(crate) fn skip(test: &str, why: &str) {
    let required = std::env::var("COEXEC_REQUIRE_GPU").is_ok_and(|value| value == "1");
    assert!(!required, "{test}: {why}, and COEXEC_REQUIRE_GPU=1");
    eprintln!("SKIPPED {test}: {why}");
}

/// Whether a kernel was refused because the device lacks a feature, which is no fault of either.
pub(crate) fn is_beyond_the_device(error: &coexec::Error) -> bool {
    error.to_string().trim_end().ends_with("which the device does not have")
}

/// A runtime on these devices; the CPU with the engine that the environment names, or whichever
/// it takes.
pub(crate) fn runtime(devices: &str) -> Runtime {
    let engine = match std::env::var("COEXEC_CPU_ENGINE") {
        Ok(_) => cpu_engines()[0],
        Err(_) => Engine::Auto,
    };
    runtime_with(devices, engine)
}

/// A runtime on these devices, the CPU with this engine.
pub(crate) fn runtime_with(devices: &str, engine: Engine) -> Runtime {
    Runtime::builder()
        .devices(devices)
        .cpu_engine(engine)
        .build()
        .unwrap_or_else(|error| panic!("devices {devices}: {error}"))
}

/// Every engine of the CPU that is here, unsplit, the interpreter first, whatever the environment
/// names.
pub(crate) fn every_cpu_engine() -> Vec<Setup> {
    let setup = |engine: Engine| Setup {
        label: format!("cpu, {engine}"),
        runtime: runtime_with("cpu", engine),
        chunks: Some(1),
        class: Class::Cpu,
    };
    let mut all: Vec<Setup> = available().into_iter().map(setup).collect();
    // Shorter vectors than the processor has are other code from the same text.
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
