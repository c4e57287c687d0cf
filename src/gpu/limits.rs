//! The limits of a GPU, and whether a kernel exceeds them.
//!
//! Limits are found once, when an adapter is listed or a device opened. [`check`] compares a kernel
//! with them before it is compiled, so that a refusal gives the required and the available number,
//! and not a driver's message.

use naga::AddressSpace;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::device::{DeviceInfo, DeviceKind, DeviceLimits};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;
use crate::rewrite::{Rewritten, Slot};

/// The features that this executor uses where a device has them.
pub(super) const WANTED: wgpu::Features = wgpu::Features::IMMEDIATES
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::SUBGROUP_BARRIER);

/// Converts wgpu's description of an adapter or a device to coexec's.
pub(super) fn describe(
    adapter: &wgpu::AdapterInfo,
    limits: &wgpu::Limits,
    features: wgpu::Features,
    memory: u64,
    id: String,
) -> DeviceInfo {
    let kind = match adapter.device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
        wgpu::DeviceType::Cpu => DeviceKind::SoftwareGpu,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => DeviceKind::OtherGpu,
    };
    let driver = format!("{} {}", adapter.driver, adapter.driver_info);
    let immediates = features.contains(wgpu::Features::IMMEDIATES);
    DeviceInfo {
        id,
        name: adapter.name.clone(),
        driver: driver.trim().to_owned(),
        advice: None,
        kind,
        limits: DeviceLimits {
            // A binding's size is a multiple of 4.
            max_binding: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size) & !3,
            memory,
            // One storage binding is reserved for the fault word, and one uniform for the chunk's
            // parameters.
            max_storage_bindings: limits.max_storage_buffers_per_shader_stage.saturating_sub(1),
            max_uniform_bindings: limits
                .max_uniform_buffers_per_shader_stage
                .saturating_sub(u32::from(!immediates)),
            max_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_size: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            max_workgroup_memory: limits.max_compute_workgroup_storage_size,
            f16: features.contains(wgpu::Features::SHADER_F16),
            subgroup_size: features
                .contains(wgpu::Features::SUBGROUP)
                .then_some((adapter.subgroup_min_size, adapter.subgroup_max_size)),
        },
    }
}

/// The memory that all windows together may take. wgpu does not report a device's memory; Vulkan
/// does. Where Vulkan is absent or does not answer, this is the size of four of the largest
/// buffers, at most 2 GiB.
///
/// Windows take three quarters of a discrete GPU's own memory: the staging buffers of transfers and
/// other programs need the rest. A GPU that shares the host's memory gets a quarter of it, since
/// the host's copy of the data lies there, too.
pub(super) fn memory_of(adapter: &wgpu::Adapter, info: &wgpu::AdapterInfo) -> u64 {
    const UNKNOWN: u64 = 2 << 30;
    match largest_heap(adapter) {
        Some(heap) if info.device_type == wgpu::DeviceType::DiscreteGpu => heap / 4 * 3,
        Some(heap) => heap / 4,
        None => adapter.limits().max_buffer_size.saturating_mul(4).min(UNKNOWN),
    }
}

#[cfg(not(target_vendor = "apple"))]
fn largest_heap(adapter: &wgpu::Adapter) -> Option<u64> {
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the guard is only read from, nothing of it is destroyed or kept.
    let vulkan = unsafe { adapter.as_hal::<wgpu::hal::api::Vulkan>() }?;
    let instance = vulkan.shared_instance().raw_instance();
    // SAFETY: the physical device belongs to this instance, and both are alive while `vulkan` is.
    let memory =
        unsafe { instance.get_physical_device_memory_properties(vulkan.raw_physical_device()) };
    let heaps = memory.memory_heaps.iter().take(memory.memory_heap_count as usize);
    heaps.filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).max()
}

#[cfg(target_vendor = "apple")]
fn largest_heap(_adapter: &wgpu::Adapter) -> Option<u64> {
    None
}

/// Refuses a kernel that needs more than the device has. `largest_uniform` is in bytes.
pub(super) fn check(
    kernel: &Kernel,
    rewritten: &Rewritten,
    info: &DeviceInfo,
    largest_uniform: u64,
) -> Result<()> {
    let limits = &info.limits;
    let signature = kernel.signature();
    let refuse = |cause: String| {
        Err(Error::Device {
            device: info.id.clone(),
            kind: FailureKind::Rejected,
            doing: format!("prepare the kernel `{}`", signature.entry_point),
            cause,
        })
    };
    let size = signature.workgroup_size;
    for (axis, (&needed, &there)) in
        ["x", "y", "z"].iter().zip(size.iter().zip(&limits.max_workgroup_size))
    {
        if needed > there {
            return refuse(format!(
                "its workgroups are {needed} invocations long along {axis}, and the device runs at most {there}"
            ));
        }
    }
    let invocations: u64 = size.iter().map(|&n| u64::from(n)).product();
    if invocations > u64::from(limits.max_invocations) {
        return refuse(format!(
            "its workgroups have {invocations} invocations, and the device runs at most {}",
            limits.max_invocations
        ));
    }
    let memory = workgroup_memory(&rewritten.module);
    if memory > u64::from(limits.max_workgroup_memory) {
        return refuse(format!(
            "it needs {memory} bytes of workgroup memory, and the device has {}",
            limits.max_workgroup_memory
        ));
    }
    let count = |wanted: fn(&Slot) -> bool| rewritten.slots.iter().filter(|s| wanted(s)).count();
    let storage = count(|slot| matches!(slot, Slot::Storage { .. }));
    if storage > limits.max_storage_bindings as usize {
        return refuse(format!(
            "it has {storage} storage bindings, and the device takes at most {}",
            limits.max_storage_bindings
        ));
    }
    let uniform = count(|slot| matches!(slot, Slot::Uniform { .. }));
    if uniform > limits.max_uniform_bindings as usize {
        return refuse(format!(
            "it has {uniform} uniform bindings, and the device takes at most {}",
            limits.max_uniform_bindings
        ));
    }
    for slot in &rewritten.slots {
        if let Slot::Uniform { id, bytes } = *slot
            && bytes > largest_uniform
        {
            let name = signature.bindings.get(id).map_or("", |binding| binding.name.as_str());
            return refuse(format!(
                "its uniform `{name}` has {bytes} bytes, and the device takes at most {largest_uniform}"
            ));
        }
    }
    for (there, capability, what) in [
        (limits.f16, Capabilities::SHADER_FLOAT16, "f16"),
        (
            limits.subgroup_size.is_some(),
            Capabilities::SUBGROUP.union(Capabilities::SUBGROUP_BARRIER),
            "subgroup operations",
        ),
    ] {
        if !there && needs(kernel.module(), capability) {
            return refuse(format!("it uses {what}, which the device does not have"));
        }
    }
    Ok(())
}

/// Whether the module needs a capability, by naga's validation as wgpu uses it.
fn needs(module: &naga::Module, capability: Capabilities) -> bool {
    let others = Capabilities::all() - capability;
    Validator::new(ValidationFlags::all(), others).validate(module).is_err()
}

/// Bytes of the workgroup variables, each rounded up to 16 as WebGPU counts them.
fn workgroup_memory(module: &naga::Module) -> u64 {
    let variables = module.global_variables.iter().map(|(_, variable)| variable);
    variables
        .filter(|variable| variable.space == AddressSpace::WorkGroup)
        .map(|variable| type_size(module, variable.ty).next_multiple_of(16))
        .sum()
}

/// Bytes of a type; a runtime-sized array counts as one element. Saturates.
pub(super) fn type_size(module: &naga::Module, ty: naga::Handle<naga::Type>) -> u64 {
    module.types[ty].inner.try_size(module.to_ctx()).map_or(u64::MAX / 64, u64::from)
}
