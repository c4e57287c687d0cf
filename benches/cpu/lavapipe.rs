//! The same WGSL on a software GPU (Mesa's lavapipe), through plain wgpu.
//!
//! Only encoding, submission and execution of a dispatch are timed. The data is in the adapter's memory
//! before, and no result is copied back.

use std::time::{Duration, Instant};

use wgpu::util::DeviceExt;

use crate::reference::{Grid, Job};

/// An opened software adapter.
pub(crate) struct Lavapipe {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pub(crate) name: String,
}

impl Lavapipe {
    /// The first software adapter of the machine, if it has one.
    pub(crate) fn open() -> Option<Lavapipe> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: wgpu::Backends::VULKAN,
            flags: wgpu::InstanceFlags::empty(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
        let adapter =
            adapters.into_iter().find(|a| a.get_info().device_type == wgpu::DeviceType::Cpu)?;
        let info = adapter.get_info();
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_limits: adapter.limits(),
            ..Default::default()
        }))
        .ok()?;
        Some(Lavapipe { device, queue, name: format!("{}, {}", info.name, info.driver_info) })
    }

    /// The best time of a dispatch among those that start within `patience`. `None` if a buffer or
    /// the grid exceeds the adapter's limits.
    pub(crate) fn measure(
        &self,
        wgsl: &str,
        workgroup_size: [u32; 3],
        bindings: &[(String, (u32, u32))],
        job: &Job,
        patience: Duration,
    ) -> Option<Duration> {
        let most = self.device.limits().max_storage_buffer_binding_size;
        if job.buffers.iter().any(|(_, bytes)| bytes.len() as u64 > most) {
            return None;
        }
        let module = naga::front::wgsl::parse_str(wgsl).ok()?;
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(module)),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let contents = |name: &str| {
            let uniform = job.uniforms.iter().find(|(n, _)| *n == name);
            let storage = job.buffers.iter().find(|(n, _)| *n == name);
            match (uniform, storage) {
                (Some((_, bytes)), _) => (bytes, wgpu::BufferUsages::UNIFORM),
                (None, Some((_, bytes))) => (bytes, wgpu::BufferUsages::STORAGE),
                (None, None) => panic!("the job has nothing for `{name}`"),
            }
        };
        let buffers: Vec<_> = bindings
            .iter()
            .map(|(name, _)| {
                let (bytes, usage) = contents(name);
                let mut bytes = bytes.clone();
                bytes.resize(bytes.len().next_multiple_of(16), 0);
                self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
                    label: None,
                    contents: &bytes,
                    usage,
                })
            })
            .collect();
        let entries: Vec<_> = bindings
            .iter()
            .zip(&buffers)
            .zip(bindings)
            .map(|(((_, (_, binding)), buffer), (name, _))| {
                let (bytes, usage) = contents(name);
                // The size of a storage binding determines arrayLength, so the padding is left out.
                let size = (usage == wgpu::BufferUsages::STORAGE).then_some(bytes.len() as u64);
                wgpu::BindGroupEntry {
                    binding: *binding,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer,
                        offset: 0,
                        size: size.and_then(std::num::NonZero::new),
                    }),
                }
            })
            .collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let groups: [u32; 3] = match job.grid {
            Grid::Workgroups(count) => count,
            Grid::Invocations(count) => {
                std::array::from_fn(|axis| count[axis].div_ceil(workgroup_size[axis]))
            }
        };
        if groups.iter().any(|&n| n > self.device.limits().max_compute_workgroups_per_dimension) {
            return None;
        }
        let started = Instant::now();
        let mut best = Duration::MAX;
        loop {
            let begun = Instant::now();
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
            drop(pass);
            self.queue.submit([encoder.finish()]);
            self.device.poll(wgpu::PollType::wait_indefinitely()).ok()?;
            best = best.min(begun.elapsed());
            if started.elapsed() > patience {
                return Some(best);
            }
        }
    }
}
