//! The GPUs of this machine.
//!
//! Adapters are enumerated once per process and kept, so that ids mean the same GPU to the end:
//! `gpu0` is the first of discrete, integrated, other and software adapters, in that order. A GPU
//! that several backends show is listed once, under the first of Vulkan, Metal and DX12. A
//! machine without a driver or a loader has no adapters; that is not an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use super::failure::panic_message;
use super::limits;
use crate::device::DeviceInfo;
use crate::error::{Error, Result};

/// One GPU of this machine, not yet opened. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct AdapterHandle {
    /// The adapter's features, and its own limits. The id is `gpu0`, `gpu1`…
    pub(crate) info: DeviceInfo,
    pub(super) adapter: wgpu::Adapter,
}

/// The GPUs of this machine, best kind first. Only the first call enumerates them.
///
/// # Errors
/// [`Error::Internal`] when wgpu or a driver panics meanwhile.
pub(crate) fn adapters() -> Result<Vec<AdapterHandle>> {
    static ADAPTERS: OnceLock<Result<Vec<AdapterHandle>>> = OnceLock::new();
    ADAPTERS
        .get_or_init(|| {
            catch_unwind(AssertUnwindSafe(enumerate)).map_err(|panic| Error::Internal {
                place: "gpu::adapters".to_owned(),
                cause: panic_message(&*panic),
            })
        })
        .clone()
}

/// Turns off Mesa's device-select layer. The layer looks for the GPU of the desktop, and prints an
/// error where there is no Wayland. coexec does not need it, since it looks at all adapters and
/// does not depend on their order. Only an environment variable turns the layer off, and setting
/// one is sound only in a program with a single thread. Other programs set `NODEVICE_SELECT=1`
/// themselves.
#[cfg(target_os = "linux")]
fn quiet_mesa() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && threads() == 1 {
        // SAFETY: no other thread exists that could read or write the environment, and only this
        // thread could start one.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

fn enumerate() -> Vec<AdapterHandle> {
    #[cfg(target_os = "linux")]
    quiet_mesa();
    const BACKENDS: [wgpu::Backends; 3] =
        [wgpu::Backends::VULKAN, wgpu::Backends::METAL, wgpu::Backends::DX12];
    let built_in = wgpu::Instance::enabled_backend_features();
    let mut found: Vec<(wgpu::Adapter, wgpu::AdapterInfo)> = Vec::new();
    for backend in BACKENDS.into_iter().filter(|&b| built_in.contains(b)) {
        // No debug layers: they are for wgpu's own debugging and slow everything down. The
        // environment variables of wgpu can still turn them on.
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: backend,
            flags: wgpu::InstanceFlags::empty().with_env(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let earlier = found.len();
        for adapter in pollster::block_on(instance.enumerate_adapters(backend)) {
            let info = adapter.get_info();
            // Equal cards in one backend are two GPUs. The same card in a later backend is a
            // duplicate.
            if !found[..earlier].iter().any(|(_, other)| same_hardware(&info, other)) {
                found.push((adapter, info));
            }
        }
    }
    found.sort_by_key(|(_, info)| rank(info.device_type));
    found
        .into_iter()
        .enumerate()
        .map(|(i, (adapter, info))| AdapterHandle {
            info: limits::describe(
                &info,
                &adapter.limits(),
                adapter.features(),
                limits::memory_of(&adapter, &info),
                format!("gpu{i}"),
            ),
            adapter,
        })
        .collect()
}

fn same_hardware(a: &wgpu::AdapterInfo, b: &wgpu::AdapterInfo) -> bool {
    a.name == b.name || (a.vendor, a.device) == (b.vendor, b.device)
}

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    }
}
