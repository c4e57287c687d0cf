//! Runs rewritten modules through wgpu, whole or in pieces, without the rest of coexec.
//!
//! The shader gets none of wgpu's own bounds checks and loop bounds, so that the tests see only the
//! effects of the rewritten module.

use std::ops::Range;
use std::sync::OnceLock;

use crate::analysis::Facts;
use crate::kernel::{BindingId, Kernel};
use crate::rewrite::{ChunkParams, ParamSpace, Rewritten, Slot, Window, for_gpu};

pub(super) struct Gpu {
    pub(super) device: wgpu::Device,
    queue: wgpu::Queue,
}

/// The test adapter: lavapipe if it is there. Without an adapter the test says so and is skipped,
/// unless `COEXEC_REQUIRE_GPU=1`.
pub(super) fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let gpu = GPU.get_or_init(|| {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
        adapters.sort_by_key(|a| a.get_info().device_type != wgpu::DeviceType::Cpu);
        let adapter = adapters.into_iter().next()?;
        let wanted =
            wgpu::Features::IMMEDIATES | wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: adapter.features() & wanted,
            required_limits: adapter.limits(),
            ..Default::default()
        }))
        .unwrap();
        Some(Gpu { device, queue })
    });
    if gpu.is_none() {
        assert!(
            std::env::var_os("COEXEC_REQUIRE_GPU").is_none_or(|v| v != "1"),
            "COEXEC_REQUIRE_GPU=1 and there is no adapter"
        );
        eprintln!("skipped: no GPU adapter");
    }
    gpu.as_ref()
}

/// Some workgroups of a launch, and the window of each binding: without one, all elements.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) first: [u32; 3],
    pub(super) count: [u32; 3],
    pub(super) windows: Vec<Option<Range<u64>>>,
}

pub(super) struct Launch {
    pub(super) kernel: Kernel,
    pub(super) finite_loops: Vec<bool>,
    pub(super) grid: [u32; 3],
    /// By `BindingId`.
    pub(super) arguments: Vec<Vec<u8>>,
    pub(super) loop_budget: u32,
    pub(super) cuts_loops: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outcome {
    /// The arguments afterwards.
    pub(super) arguments: Vec<Vec<u8>>,
    pub(super) fault: bool,
}

impl Outcome {
    pub(super) fn u32s(&self, id: BindingId) -> Vec<u32> {
        bytemuck::pod_collect_to_vec(&self.arguments[id])
    }

    pub(super) fn f32s(&self, id: BindingId) -> Vec<f32> {
        bytemuck::pod_collect_to_vec(&self.arguments[id])
    }
}

pub(super) fn bytes<T: bytemuck::NoUninit>(data: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(data).to_vec()
}

impl Launch {
    pub(super) fn new(text: &str, grid: [u32; 3], arguments: Vec<Vec<u8>>) -> Launch {
        let kernel = Kernel::from_wgsl(text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(kernel.signature().bindings.len(), arguments.len(), "arguments");
        Launch {
            kernel,
            finite_loops: Vec::new(),
            grid,
            arguments,
            loop_budget: 1 << 16,
            cuts_loops: false,
        }
    }

    pub(super) fn whole(&self) -> Piece {
        Piece { first: [0; 3], count: self.grid, windows: vec![None; self.arguments.len()] }
    }

    /// Runs all workgroups on all elements, in both parameter spaces, with equal results.
    pub(super) fn run(&self, gpu: &Gpu) -> Outcome {
        let pieces = [self.whole()];
        let uniform = self.run_pieces(gpu, ParamSpace::Uniform, &pieces);
        if gpu.device.features().contains(wgpu::Features::IMMEDIATES) {
            let space = ParamSpace::Immediate { max_bytes: gpu.device.limits().max_immediate_size };
            assert_eq!(uniform, self.run_pieces(gpu, space, &pieces), "uniform = immediate");
        }
        uniform
    }

    /// Runs each piece on its own copy of the launch's input, then merges the differences.
    pub(super) fn run_pieces(&self, gpu: &Gpu, space: ParamSpace, pieces: &[Piece]) -> Outcome {
        let (rewritten, pipeline) = self.compile(gpu, space);
        let mut outcome = self.untouched();
        for piece in pieces {
            self.run_piece(gpu, &rewritten, &pipeline, piece, &mut outcome);
        }
        outcome
    }

    /// Runs each workgroup along x on its own, on the launch's input.
    pub(super) fn run_each(&self, gpu: &Gpu) -> Vec<Outcome> {
        let (rewritten, pipeline) = self.compile(gpu, ParamSpace::Uniform);
        (0..self.grid[0])
            .map(|group| {
                let mut piece = self.whole();
                (piece.first[0], piece.count[0]) = (group, 1);
                let mut outcome = self.untouched();
                self.run_piece(gpu, &rewritten, &pipeline, &piece, &mut outcome);
                outcome
            })
            .collect()
    }

    fn untouched(&self) -> Outcome {
        Outcome { arguments: self.arguments.clone(), fault: false }
    }

    fn compile(&self, gpu: &Gpu, space: ParamSpace) -> (Rewritten, Pipeline) {
        let facts = Facts { finite_loops: self.finite_loops.clone(), ..Facts::default() };
        let rewritten =
            for_gpu(&self.kernel, &facts, space, self.cuts_loops).unwrap_or_else(|e| panic!("{e}"));
        let pipeline = Pipeline::new(gpu, &rewritten);
        (rewritten, pipeline)
    }

    fn run_piece(
        &self,
        gpu: &Gpu,
        rewritten: &Rewritten,
        pipeline: &Pipeline,
        piece: &Piece,
        outcome: &mut Outcome,
    ) {
        let bindings = &self.kernel.signature().bindings;
        // For each bound byte, its place in the argument.
        let mut parts = Vec::new();
        let mut windows = Vec::new();
        for (id, binding) in bindings.iter().enumerate() {
            let layout = &binding.layout;
            let size = self.arguments[id].len() as u64;
            let elements = layout.elements(size);
            let window = match piece.windows[id].clone() {
                Some(window) if rewritten.windowable(id) => window,
                _ => 0..elements,
            };
            windows.push(Window {
                first: window.start as u32,
                len: (window.end - window.start) as u32,
                elements: elements as u32,
                pitch: None,
            });
            let at = |element: u64| (layout.header + element * layout.stride).min(size) as usize;
            let mut places: Vec<usize> = (0..layout.header as usize).collect();
            match rewritten.windowable(id) {
                true => places.extend(at(window.start)..at(window.end)),
                false => places = (0..size as usize).collect(),
            }
            parts.push(places);
        }
        let params = ChunkParams {
            first: piece.first,
            grid: self.grid,
            windows: &windows,
            immediate: bindings
                .iter()
                .position(|b| b.space == crate::kernel::Space::Immediate)
                .map(|id| self.arguments[id].as_slice()),
            loop_budget: self.loop_budget,
        };
        let block = rewritten.params.encode(&params);
        assert_eq!(block.len(), rewritten.params.bytes() as usize);

        let mut given = Vec::new();
        let buffers: Vec<wgpu::Buffer> = rewritten
            .slots
            .iter()
            .map(|slot| {
                let (data, usage) = match *slot {
                    Slot::Storage { id, .. } => {
                        let argument = &self.arguments[id];
                        let mut data: Vec<u8> = parts[id].iter().map(|&at| argument[at]).collect();
                        // The rest is bound memory that the kernel must not touch.
                        let layout = &bindings[id].layout;
                        let least = (layout.header + layout.stride) as usize;
                        data.resize(data.len().max(least).next_multiple_of(4), 0xEE);
                        (data, wgpu::BufferUsages::STORAGE)
                    }
                    Slot::Uniform { id, bytes } => {
                        let mut data = self.arguments[id].clone();
                        data.resize((bytes as usize).next_multiple_of(16), 0xEE);
                        (data, wgpu::BufferUsages::UNIFORM)
                    }
                    Slot::Fault => (vec![0; 4], wgpu::BufferUsages::STORAGE),
                    Slot::Params => (block.clone(), wgpu::BufferUsages::UNIFORM),
                };
                let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: data.len() as u64,
                    usage: usage | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
                    mapped_at_creation: false,
                });
                gpu.queue.write_buffer(&buffer, 0, &data);
                given.push(data);
                buffer
            })
            .collect();
        let group = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.layout,
            entries: &(0..)
                .zip(&buffers)
                .map(|(binding, b)| wgpu::BindGroupEntry {
                    binding,
                    resource: b.as_entire_binding(),
                })
                .collect::<Vec<_>>(),
        });
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline.pipeline);
            let offset = [0u32];
            let dynamic = rewritten.slots.contains(&Slot::Params);
            pass.set_bind_group(0, &group, if dynamic { &offset } else { &[] });
            if rewritten.params.is_immediate() && !block.is_empty() {
                pass.set_immediates(0, &block);
            }
            let [x, y, z] = piece.count;
            pass.dispatch_workgroups(x, y, z);
        }
        gpu.queue.submit([encoder.finish()]);
        for ((slot, buffer), given) in rewritten.slots.iter().zip(&buffers).zip(&given) {
            let got = read(gpu, buffer);
            match *slot {
                Slot::Storage { id, read_only: false } => {
                    for (i, (new, old)) in got.iter().zip(given).enumerate() {
                        if new == old {
                            continue;
                        }
                        let place = *parts[id].get(i).unwrap_or_else(|| {
                            panic!("binding {id}: written outside of its window")
                        });
                        outcome.arguments[id][place] = *new;
                    }
                }
                Slot::Fault => outcome.fault |= got != [0; 4],
                _ => assert_eq!(&got, given, "read-only memory was written"),
            }
        }
    }
}

fn read(gpu: &Gpu, buffer: &wgpu::Buffer) -> Vec<u8> {
    let copy = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
    gpu.queue.submit([encoder.finish()]);
    copy.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    copy.get_mapped_range(..).unwrap().to_vec()
}

struct Pipeline {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
}

impl Pipeline {
    fn new(gpu: &Gpu, rewritten: &Rewritten) -> Pipeline {
        let entries: Vec<_> = (0..)
            .zip(&rewritten.slots)
            .map(|(binding, slot)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match *slot {
                        Slot::Storage { read_only, .. } => {
                            wgpu::BufferBindingType::Storage { read_only }
                        }
                        Slot::Fault => wgpu::BufferBindingType::Storage { read_only: false },
                        Slot::Uniform { .. } | Slot::Params => wgpu::BufferBindingType::Uniform,
                    },
                    has_dynamic_offset: *slot == Slot::Params,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        });
        let immediate_size =
            if rewritten.params.is_immediate() { rewritten.params.bytes() } else { 0 };
        let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size,
        });
        let source = wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(rewritten.module.clone()));
        let checks = wgpu::ShaderRuntimeChecks {
            int_div_checks: true,
            ..wgpu::ShaderRuntimeChecks::unchecked()
        };
        // SAFETY: the rewritten module guards every dynamic index, and every endless loop in these
        // tests has a budget. These tests verify both.
        let module = unsafe {
            gpu.device.create_shader_module_trusted(
                wgpu::ShaderModuleDescriptor { label: None, source },
                checks,
            )
        };
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(&rewritten.entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        Pipeline { layout, pipeline }
    }
}
