//! Compiled kernels of one device, cached.
//!
//! A kernel is rewritten, checked against the device's limits and compiled once for each set of
//! bindings whose windows are boxes. [`Pipelines`] keeps the most recently used results.
//! Compilation runs on a thread with a large stack, because naga's writers and the drivers'
//! compilers recurse over the kernel's nesting. A refused kernel is tried again the next time,
//! since the cause may have been a shortage of memory.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use naga::{Handle, Statement};

use super::limits;
use super::open::Link;
use crate::analysis::{self, Facts};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::{BindingId, Kernel, isolated};
use crate::rewrite::{self, ParamSpace, Rewritten, Slot};

/// A kernel, ready to run on one device.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) group: wgpu::BindGroupLayout,
    pub(super) rewritten: Rewritten,
    /// For each slot, the fewest bytes that may be bound there.
    pub(super) least_bytes: Vec<u64>,
    /// The loop that may exceed its budget, rendered; empty if there are several.
    pub(super) endless: String,
    /// Whether a chunk has run through it. Some drivers compile the kernel only for the first
    /// chunk.
    pub(super) has_run: AtomicBool,
}

/// The most recently used pipelines of a device.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    /// The most recently used last.
    kept: Mutex<Vec<(Variant, Arc<Pipeline>)>>,
}

/// A kernel's id, and the bindings whose windows are boxes.
type Variant = (u64, Vec<BindingId>);

impl Pipelines {
    const KEEP: usize = 128;

    /// The kernel's pipeline, compiled if necessary. Other threads that want a pipeline of this
    /// device wait meanwhile, so that no kernel is compiled twice.
    pub(super) fn get(
        &self,
        link: &Link,
        kernel: &Kernel,
        pitched: &[BindingId],
    ) -> Result<Arc<Pipeline>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            match kept.iter().position(|((id, boxes), _)| *id == kernel.id() && boxes == pitched) {
                Some(at) => kept.remove(at),
                None => {
                    let compiled = compile(link, kernel, pitched)?;
                    if kept.len() >= Self::KEEP {
                        kept.remove(0);
                    }
                    ((kernel.id(), pitched.to_vec()), Arc::new(compiled))
                }
            };
        let pipeline = entry.1.clone();
        kept.push(entry);
        Ok(pipeline)
    }
}

fn compile(link: &Link, kernel: &Kernel, pitched: &[BindingId]) -> Result<Pipeline> {
    let name = &kernel.signature().entry_point;
    let doing = format!("compile the kernel `{name}`");
    isolated("gpu::pipeline", || {
        let space = match link.immediate_bytes() {
            0 => ParamSpace::Uniform,
            max_bytes => ParamSpace::Immediate { max_bytes },
        };
        let facts = analysis::facts(kernel);
        let rewritten =
            rewrite::for_gpu_with_boxes(kernel, &facts, space, link.cuts_loops, pitched)?;
        let largest_uniform = link.limits.max_uniform_buffer_binding_size;
        limits::check(kernel, &rewritten, &link.info, largest_uniform)?;
        let endless = endless_loop(kernel, &facts);
        let pipeline =
            link.watched(&doing, || create(link, kernel, rewritten, endless)).map_err(rejected)?;
        link.check_alive(&doing)?;
        Ok(pipeline)
    })
}

/// Attributes a refusal during compilation to the kernel.
fn rejected(mut error: Error) -> Error {
    if let Error::Device { kind: kind @ FailureKind::Refused, .. } = &mut error {
        *kind = FailureKind::Rejected;
    }
    error
}

fn create(link: &Link, kernel: &Kernel, rewritten: Rewritten, endless: String) -> Pipeline {
    let device = &link.device;
    let label = Some(kernel.signature().entry_point.as_str());
    let entries: Vec<wgpu::BindGroupLayoutEntry> = rewritten
        .slots
        .iter()
        .zip(0..)
        .map(|(slot, binding)| {
            let uniform = wgpu::BufferBindingType::Uniform;
            let (ty, has_dynamic_offset) = match *slot {
                Slot::Storage { read_only, .. } => {
                    (wgpu::BufferBindingType::Storage { read_only }, false)
                }
                Slot::Fault => (wgpu::BufferBindingType::Storage { read_only: false }, false),
                Slot::Uniform { .. } => (uniform, false),
                Slot::Params => (uniform, true),
            };
            wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
                count: None,
            }
        })
        .collect();
    let group = device
        .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label, entries: &entries });
    let params = &rewritten.params;
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label,
        bind_group_layouts: &[Some(&group)],
        immediate_size: if params.is_immediate() { params.bytes() } else { 0 },
    });
    // Division by zero is the only check that `rewrite` leaves to naga.
    let checks = wgpu::ShaderRuntimeChecks {
        int_div_checks: true,
        ..wgpu::ShaderRuntimeChecks::unchecked()
    };
    let descriptor = wgpu::ShaderModuleDescriptor {
        label,
        source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(rewritten.module.clone())),
    };
    // SAFETY: `rewrite` guards every dynamic index in every address space against the bounds that
    // the per-chunk block gives (which `chunk` makes no larger than what is bound), and gives
    // every loop that is not proved finite a budget (`rewrite/trusted_tests.rs` looks for one that is
    // not); there are no ray queries or mesh shaders.
    let module = unsafe { device.create_shader_module_trusted(descriptor, checks) };
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: Some(&layout),
        module: &module,
        entry_point: Some(&rewritten.entry_point),
        // Workgroup memory starts at zero, which is the default here.
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let least_bytes = least_bytes(&rewritten);
    let has_run = AtomicBool::new(false);
    Pipeline { pipeline, group, rewritten, least_bytes, endless, has_run }
}

/// The one loop that is not proved finite, rendered; empty if there is none or more than one, since
/// the fault word does not identify a loop.
fn endless_loop(kernel: &Kernel, facts: &Facts) -> String {
    // In the order of `Facts::finite_loops`: a pre-order walk, `body` before `continuing`.
    fn loops(block: &naga::Block, found: &mut Vec<naga::Span>) {
        for (statement, &span) in block.span_iter() {
            match statement {
                Statement::Block(inner) => loops(inner, found),
                Statement::If { accept, reject, .. } => {
                    loops(accept, found);
                    loops(reject, found);
                }
                Statement::Switch { cases, .. } => {
                    cases.iter().for_each(|case| loops(&case.body, found));
                }
                Statement::Loop { body, continuing, .. } => {
                    found.push(span);
                    loops(body, found);
                    loops(continuing, found);
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    loops(&kernel.entry_point().function.body, &mut found);
    let finite = |i: usize| facts.finite_loops.get(i).copied().unwrap_or(false);
    let mut unproved = found.iter().enumerate().filter(|(i, _)| !finite(*i));
    match (unproved.next(), unproved.next()) {
        (Some((_, &span)), None) => kernel.source().render(span),
        _ => String::new(),
    }
}

/// The size of each slot's type, which wgpu requires to be bound, whatever the window.
fn least_bytes(rewritten: &Rewritten) -> Vec<u64> {
    let module = &rewritten.module;
    let size_at = |binding: u32| {
        let mut variables = module.global_variables.iter().map(|(_, variable)| variable);
        let variable = variables.find(|variable| {
            variable.binding.is_some_and(|b| b.group == 0 && b.binding == binding)
        });
        let ty: Option<Handle<naga::Type>> = variable.map(|variable| variable.ty);
        ty.map_or(0, |ty| limits::type_size(module, ty))
    };
    (0..rewritten.slots.len() as u32).map(size_at).collect()
}
