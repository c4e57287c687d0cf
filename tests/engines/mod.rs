//! The engines that tests run on, and what to do where there is no GPU.
//!
//! `COEXEC_REQUIRE_GPU=1` makes a missing adapter a failure. `COEXEC_CPU_ENGINE` names the CPU
//! engine, the interpreter where it is not set. A forced engine never falls back: a runtime
//! refuses what it does not have, and the test fails.

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

/// The CPU under every cutting. The first is the unsplit run.
pub(crate) fn cpu() -> Vec<Setup> {
    cuttings("cpu", Class::Cpu)
}

/// Every adapter, software too, each under every cutting. The first of each is the unsplit run.
///
/// # Panics
/// When there is none and one is required.
pub(crate) fn gpus(test: &str) -> Vec<Vec<Setup>> {
    let found: Vec<Vec<Setup>> = gpu_ids().iter().map(|id| cuttings(id, Class::Gpu)).collect();
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

/// A runtime on these devices, with the CPU engine that the environment names.
pub(crate) fn runtime(devices: &str) -> Runtime {
    let engine = match std::env::var("COEXEC_CPU_ENGINE").as_deref() {
        Err(_) => Engine::Interpreter,
        Ok(name) => {
            name.parse().unwrap_or_else(|error| panic!("COEXEC_CPU_ENGINE={name}: {error}"))
        }
    };
    Runtime::builder()
        .devices(devices)
        .cpu_engine(engine)
        .build()
        .unwrap_or_else(|error| panic!("devices {devices}: {error}"))
}

/// Every engine of the CPU that is there, unsplit, the interpreter first.
pub(crate) fn every_cpu_engine() -> Vec<Setup> {
    let mut all = Vec::new();
    for name in ["interpreter", "llvm", "cranelift"] {
        let Ok(engine) = name.parse::<Engine>() else { continue };
        match Runtime::builder().devices("cpu").cpu_engine(engine).build() {
            Ok(runtime) => all.push(Setup {
                label: format!("cpu, {name}"),
                runtime,
                chunks: Some(1),
                class: Class::Cpu,
            }),
            Err(error) => eprintln!("SKIPPED the engine {name}: {error}"),
        }
    }
    all
}

fn cuttings(device: &str, class: Class) -> Vec<Setup> {
    let one = runtime(device);
    let setup = |runtime: &Runtime, chunks: Option<u32>, how: &str| Setup {
        label: format!("{device}, {how}"),
        runtime: runtime.clone(),
        chunks,
        class,
    };
    let mut all = vec![setup(&one, None, "as planned")];
    for chunks in [1, 2, 3, 7] {
        all.push(setup(&one, Some(chunks), &format!("{chunks} chunks")));
    }
    for count in [2, 3] {
        let many = runtime(&format!("virtual:{count}:{device}"));
        all.push(setup(&many, None, &format!("{count} logical devices")));
    }
    all
}
