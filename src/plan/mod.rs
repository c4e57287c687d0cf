//! How a launch is split over devices, and why. Pure: no device, no thread, no clock.
//!
//! [`plan`] turns a kernel, its arguments and the devices at hand into a [`Plan`]; `policy` hands
//! the plan's bands out to devices as they become free. A plan is data and prints as sentences.
//!
//! Invariants of a plan that splits: its bands cover the grid, in order and without overlap. In a
//! buffer that is written in place, the elements that any two bands may write are disjoint (their
//! enclosing ranges may overlap), and no band reads elements that another may write. Other buffers
//! are written to private copies and merged. So bands may run anywhere, at any time, in any
//! grouping.

mod band;
mod facts;
mod policy;
mod subgroups;
mod tiling;
mod unions;
mod wording;

pub mod simulate;
mod split;

mod cost;
mod soundness;

mod bands;

mod order;
mod tiles;
mod warnings;

// The sentences print the `Plan` that this file defines.
mod sentences;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use band::Band;
pub(crate) use cost::{Bound, Roofline, Work};
pub(crate) use facts::facts_in_words;
pub(crate) use policy::{Next, Policy, Prior, Speed, Strategy, Task, TaskId};
#[cfg(test)]
pub(crate) use split::ByMember;
pub(crate) use split::{Merge, Split, Wishes};
use subgroups::{Able, common_size};
pub(crate) use tiling::{Room, Tiling};
use unions::Unions;

use crate::analysis::{Analysis, Argument, Arguments, Footprint, Use, Uses};
use crate::device::{ChunkBinding, DeviceInfo, DeviceKind, HostBytes};
use crate::grid::GroupBox;
use crate::kernel::{Kernel, ScalarType};
use crate::region::Region;

/// How a launch is split over devices, and why. `Display` prints it as sentences.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) kernel: Arc<str>,
    pub(crate) grid: [u32; 3],
    pub(crate) workgroup_size: [u32; 3],
    pub(crate) split: Split,
    pub(crate) devices: Vec<PlannedDevice>,
    pub(crate) buffers: Arc<[BufferUse]>,
    /// By binding: whether the ranges that bands write in place are disjoint, so that a device may keep
    /// its part.
    pub(crate) apart: Arc<[bool]>,
    /// Candidates for the length of an array's row, in elements: the integers among the uniforms.
    pub(crate) row_lengths: Arc<[u64]>,
    /// Why there are no tiles, although they were requested.
    pub(crate) no_tiles: Option<String>,
    /// Whether any band may be computed twice, also at the same time: no band reads elements that it
    /// may write in place.
    pub(crate) rerunnable: bool,
    /// Why a second run on the same device might give other bits; `None` if it cannot.
    pub(crate) unrepeatable: Option<Arc<str>>,
    /// Why another device may rightly give other bits: the kernel shows an order, or subgroups
    /// differ.
    pub(crate) shows_order: Option<Arc<str>>,
    /// The size of the subgroups that the kernel uses, if it is the same on all devices.
    pub(crate) subgroup_size: Option<u32>,
    /// Requests of the caller that have no effect, a sentence each.
    pub(crate) without_effect: Arc<[String]>,
    /// The estimated cost of a band.
    pub(crate) work: Work,
    warnings: Arc<[String]>,
    unions: Unions,
    /// A sentence that says where the analysis exhausted its budget, if it did.
    hurried: Option<String>,
}

/// A device of the runtime, and its role in the plan.
#[derive(Debug, Clone)]
pub(crate) struct PlannedDevice {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    /// Why the device takes no part; `None` if it does.
    pub(crate) left_out: Option<String>,
    /// Its expected part of the work, and whether that was measured; `None` if not requested.
    pub(crate) share: Option<(f64, bool)>,
}

/// A storage binding as the plan's sentences need it.
#[derive(Debug, Clone)]
pub(crate) struct BufferUse {
    pub(crate) name: String,
    pub(crate) elements: u64,
    pub(crate) element_name: String,
    pub(crate) stride: u64,
    /// The WGSL line at which a footprint was widened to the whole buffer: that of the band in the
    /// middle, or else of any band.
    pub(crate) unbounded_line: Option<u32>,
    /// Position in the footprints of a band.
    pub(crate) binding: usize,
    /// The number of its elements that were summarised, if its contents bounded indices.
    pub(crate) consulted: Option<u64>,
}

/// Plans a launch. `unable` says for each device why it can't run the kernel; `None` if it can.
/// `preferred` is the device that runs a launch that is not split.
pub(crate) fn plan(
    kernel: &Kernel,
    analysis: &Analysis,
    arguments: &Arguments<'_>,
    devices: &[&DeviceInfo],
    unable: &[Option<String>],
    preferred: usize,
    wishes: &Wishes,
) -> Plan {
    let signature = kernel.signature();
    let keeps = devices.iter().any(|info| info.kind != DeviceKind::Cpu);
    let infos = devices;
    let able = infos.iter().zip(unable).filter(|(_, unable)| unable.is_none());
    let able: Vec<&DeviceInfo> = able.map(|(info, _)| *info).collect();
    let able = Able::new(&able, signature.workgroup_size);
    let mut devices: Vec<PlannedDevice> = devices
        .iter()
        .zip(unable)
        .map(|(info, unable)| PlannedDevice {
            id: info.id.as_str().into(),
            name: info.name.as_str().into(),
            left_out: unable.clone(),
            share: None,
        })
        .collect();
    let mut consulted = vec![false; signature.bindings.len()];
    let analysis = &analysis.of_launch(arguments);
    let row_lengths = row_lengths(kernel, arguments);
    let tiled = wishes.tiles.as_ref().map(|room| {
        tiles::split(kernel, analysis, &able, wishes, (room, &row_lengths), &mut consulted)
    });
    let (split, no_tiles) = match tiled {
        Some(Ok(split)) => (split, None),
        Some(Err(why)) => {
            (bands::split(kernel, analysis, &able, wishes, &mut consulted), Some(why))
        }
        None => (bands::split(kernel, analysis, &able, wishes, &mut consulted), None),
    };
    let rerunnable = split::rerunnable(&split);
    // Any device that has subgroups may compute the launch again.
    let with = infos.iter().copied().filter(|info| info.limits.subgroup_size.is_some());
    let subgroups = common_size(&with.collect::<Vec<_>>(), signature.workgroup_size);
    let facts = analysis.facts();
    let of_text: Option<Arc<str>> = order::order_shown(kernel, facts, &subgroups).map(Arc::from);
    // Only results that stay on a device are ever computed again.
    let may_meet = || {
        let why = keeps.then(|| order::unrepeatable(kernel, analysis, &split)).flatten();
        why.map(Arc::from)
    };
    let unrepeatable = of_text.clone().filter(|_| keeps).or_else(may_meet);
    let of_accesses = || order::order_of_accesses(kernel, analysis, &split).map(Arc::from);
    let shows_order = of_text.or_else(of_accesses);
    let subgroup_size = facts.subgroups.and_then(|_| subgroups.ok());
    let without_effect = without_effect(&split, &facts.uses, wishes).into();
    let groups = GroupBox::whole(arguments.grid);
    let trips = analysis.trips();
    let work = Work::of(kernel, &split, groups.workgroups() as f64, &trips);
    let buffers = buffer_uses(kernel, arguments, &split, &consulted);
    let warnings = warnings::warnings(kernel, analysis.facts(), arguments, split.bands()).into();
    if let Split::Whole { .. } = split {
        for (index, device) in devices.iter_mut().enumerate() {
            if index != preferred && device.left_out.is_none() {
                device.left_out = Some("the launch is not split".to_owned());
            }
        }
    }
    let apart = (0..signature.bindings.len()).map(|id| match &split {
        Split::Nothing => false,
        Split::Whole { .. } => true,
        // Tiles share the elements that they read, so no device keeps a part.
        Split::Bands { tiling: Some(_), .. } => false,
        Split::Bands { bands, merges, .. } => {
            merges[id] == Merge::Apart && band::ranges_apart(bands, id)
        }
    });
    let apart = apart.collect();
    Plan {
        apart,
        kernel: signature.entry_point.as_str().into(),
        grid: arguments.grid,
        workgroup_size: signature.workgroup_size,
        split,
        devices,
        buffers,
        row_lengths: row_lengths.into(),
        no_tiles,
        rerunnable,
        unrepeatable,
        shows_order,
        subgroup_size,
        without_effect,
        work,
        warnings,
        unions: Unions::default(),
        hurried: analysis.hurried().map(|span| facts::hurried(kernel, span)),
    }
}

/// The caller's requests that have no effect, a sentence each.
fn without_effect(split: &Split, uses: &[Uses], wishes: &Wishes) -> Vec<String> {
    let mut sentences = Vec::new();
    let (bands, axis, merges): (usize, usize, &[Merge]) = match split {
        Split::Nothing => return sentences,
        Split::Whole { .. } => (1, 0, &[]),
        Split::Bands { bands, axis, merges, .. } => (bands.len(), *axis, merges),
    };
    match (wishes.chunks, split) {
        (Some(wanted), _) if wanted as usize == bands => {}
        (Some(wanted), Split::Whole { reason, .. }) => sentences.push(format!(
            "{wanted} chunks were requested, and there is one: {reason}"
        )),
        (Some(wanted), _) => sentences.push(format!(
            "{wanted} chunks were requested, and there are {bands}: the grid has no more workgroups \
             along {}",
            ["x", "y", "z"][axis]
        )),
        (None, _) => {}
    }
    let mut both = uses.iter().zip(merges);
    let promised = both.any(|(uses, merge)| {
        let exchanged = |(_, used): &(_, Use)| matches!(used, Use::ReadWrite | Use::Signal(_));
        merge.keeps_the_last() && uses.iter().any(exchanged)
    });
    if wishes.race_free && !promised {
        sentences.push(match split {
            Split::Whole { reason, .. } => {
                format!("the promise of freedom from data races has no effect: {reason}")
            }
            _ => {
                "the promise of freedom from data races is not needed: the launch is split safely without it"
                    .to_owned()
            }
        });
    }
    sentences
}

/// The words of uniforms and immediates that are `u32` or `i32` and more than 1.
fn row_lengths(kernel: &Kernel, arguments: &Arguments<'_>) -> Vec<u64> {
    let mut found = Vec::new();
    for (binding, argument) in kernel.signature().bindings.iter().zip(&arguments.bindings) {
        let Argument::Value(bytes) = argument else { continue };
        for (at, scalar) in binding.element_scalars() {
            let word = bytes.get(*at as usize..*at as usize + 4);
            if let (ScalarType::I32 | ScalarType::U32, Some(&[a, b, c, d])) = (scalar, word) {
                found.push(u64::from(u32::from_le_bytes([a, b, c, d])));
            }
        }
    }
    found.retain(|&word| word > 1);
    found
}

fn buffer_uses(
    kernel: &Kernel,
    arguments: &Arguments<'_>,
    split: &Split,
    consulted: &[bool],
) -> Arc<[BufferUse]> {
    let signature = kernel.signature();
    signature
        .bindings
        .iter()
        .enumerate()
        .filter(|(_, b)| b.space.is_storage())
        .map(|(binding, b)| BufferUse {
            name: b.name.clone(),
            elements: match arguments.bindings[binding] {
                Argument::Storage { elements, .. } => elements,
                Argument::Value(_) => 0,
            },
            element_name: b.layout.element_name.clone(),
            stride: b.layout.stride,
            unbounded_line: split::unbounded(split, binding)
                .and_then(|span| kernel.source().line(span)),
            binding,
            consulted: match &arguments.bindings[binding] {
                Argument::Storage { contents: Some(contents), .. } if consulted[binding] => {
                    Some(contents.version.looked_at())
                }
                _ => None,
            },
        })
        .collect()
}

impl Plan {
    /// Requests ([`Launch::chunks`](crate::Launch::chunks),
    /// [`Launch::assume_race_free`](crate::Launch::assume_race_free)) that have no effect on this
    /// plan, and why: a sentence each, without a full stop.
    ///
    /// ```
    /// use coexec::{Buffer, Kernel, Runtime};
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { y[id.x] = id.x; }",
    /// )?;
    /// let rt = Runtime::builder().devices("cpu").build()?;
    /// let y = Buffer::<u32>::zeroed(256);
    /// let plan = rt.launch(&kernel).bind("y", &y).workgroups([4, 1, 1]).chunks(9).plan()?;
    /// assert!(plan.without_effect()[0].starts_with("9 chunks were requested, and there are 4"));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn without_effect(&self) -> &[String] {
        &self.without_effect
    }

    /// The bands, in order.
    pub(crate) fn bands(&self) -> &[Band] {
        self.split.bands()
    }

    /// Probable mistakes in the launch, in sentences: buffers that the kernel certainly accesses
    /// out of bounds, and a barrier in control flow that may diverge. Accesses whose index depends
    /// on data are not included. `Launch::check` executes the launch, and reports the lines and the
    /// invocations.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> a: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) g: vec3u) { a[g.x] += 1.0; }",
    /// )?;
    /// let runtime = coexec::Runtime::builder().devices("cpu").build()?;
    /// let a = coexec::Buffer::<f32>::zeroed(1000);
    /// let plan = runtime.launch(&kernel).bind("a", &a).workgroups([64, 1, 1]).plan()?;
    /// assert!(plan.warnings()[0].contains("`a` has 1000 elements"));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The workgroups of a run of bands.
    pub(crate) fn groups(&self, run: &Range<u32>) -> GroupBox {
        let bands = &self.bands()[run.start as usize..run.end as usize];
        match (&self.split, bands) {
            (Split::Bands { axis, tiling, .. }, [first, ..]) => {
                let end = bands[bands.len() - 1].end;
                let groups = GroupBox::whole(self.grid).band(*axis, first.start, end);
                match tiling {
                    Some(tiling) => {
                        let across = tiling.across(run);
                        groups.band(tiling.axis, across.start, across.end)
                    }
                    None => groups,
                }
            }
            _ => GroupBox::whole(self.grid),
        }
    }

    /// How the grid is cut along a second axis, if it is.
    pub(crate) fn tiling(&self) -> Option<&Tiling> {
        match &self.split {
            Split::Bands { tiling, .. } => tiling.as_deref(),
            _ => None,
        }
    }

    /// The footprint of a run of bands in one binding.
    pub(crate) fn footprint(&self, run: &Range<u32>, binding: usize) -> Footprint {
        let bands = &self.bands()[run.start as usize..run.end as usize];
        self.unions.get(run, binding, || band::hull(bands, binding))
    }

    /// How the chunks' writes to a binding are merged.
    pub(crate) fn merge(&self, binding: usize) -> &Merge {
        match &self.split {
            Split::Bands { merges, .. } => merges.get(binding).unwrap_or(&Merge::Apart),
            _ => &Merge::Apart,
        }
    }

    /// The range that encloses all elements of a binding that a run of bands may touch.
    pub(crate) fn window(&self, run: &Range<u32>, binding: usize) -> Range<u64> {
        let footprint = self.footprint(run, binding);
        band::cover(&footprint.read.hull(), &footprint.may_write.hull())
    }

    /// The range that encloses the elements that a run of bands may write, and the range that the
    /// device needs beforehand: the elements that the run reads, and those of the first range that it
    /// may leave unwritten.
    pub(crate) fn written_and_needed(
        &self,
        run: &Range<u32>,
        binding: usize,
    ) -> (Range<u64>, Range<u64>) {
        let footprint = self.footprint(run, binding);
        (footprint.may_write.hull(), band::upload(&footprint))
    }

    /// The storage binding of a chunk that computes a run of bands. `memory` is the buffer, or the
    /// chunk's private copy if it has one. `stride` is the number of bytes of an element.
    pub(crate) fn chunk_storage<'a>(
        &self,
        stride: u64,
        run: &Range<u32>,
        binding: usize,
        memory: HostBytes<'a>,
        elements: u64,
    ) -> ChunkBinding<'a> {
        let footprint = self.footprint(run, binding);
        let window = band::cover(&footprint.read.hull(), &footprint.may_write.hull());
        let pitch = self.tiling().and_then(|tiling| tiling.pitch(stride, binding, &footprint));
        let (upload, write_back) = match self.merge(binding) {
            Merge::Apart => (band::upload(&footprint), footprint.may_write),
            // The whole private copy belongs to the chunk.
            _ => (window.clone(), Region::from(footprint.may_write.hull())),
        };
        // A box is uploaded as a whole or not at all: a part of its enclosing range may end outside
        // of the box.
        let partly = pitch.is_some() && !upload.is_empty();
        let upload = if partly { window.clone() } else { upload };
        ChunkBinding::Storage {
            memory,
            elements,
            upload,
            write_back,
            write_header: footprint.writes_header,
            window,
            pitch,
        }
    }

    /// The bytes that one chunk may take on a device with `depth` chunks in flight. A launch that is
    /// split leaves room for one more chunk, as buffers that are not in use take memory too.
    pub(crate) fn chunk_memory(&self, info: &DeviceInfo, depth: usize) -> u64 {
        match self.split {
            Split::Bands { .. } => info.limits.memory / (depth.max(1) as u64 + 1),
            _ => info.limits.memory,
        }
    }

    /// Checks that a run of bands fits a device's windows, which may take `memory` bytes together. The
    /// error says what does not fit.
    pub(crate) fn fits(
        &self,
        kernel: &Kernel,
        run: &Range<u32>,
        info: &DeviceInfo,
        memory: u64,
    ) -> Result<(), String> {
        let tiling = self.tiling();
        if tiling.is_some_and(|tiling| !tiling.is_box(run, self.bands().len() as u32)) {
            return Err("its tiles lie in several rows".to_owned());
        }
        if info.kind == DeviceKind::Cpu {
            return Ok(());
        }
        let mut total = 0;
        for (id, binding) in kernel.signature().bindings.iter().enumerate() {
            if !binding.space.is_storage() {
                continue;
            }
            let footprint = self.footprint(run, id);
            let pitch =
                tiling.and_then(|tiling| tiling.pitch(binding.layout.stride, id, &footprint));
            let elements = match pitch {
                Some(pitch) => pitch.len(),
                None => {
                    let (read, write) = (footprint.read.hull(), footprint.may_write.hull());
                    let window = band::cover(&read, &write);
                    window.end - window.start
                }
            };
            let bytes = binding.layout.header + elements.saturating_mul(binding.layout.stride);
            if bytes > info.limits.max_binding {
                return Err(format!(
                    "its part of `{}` takes {bytes} bytes, and a binding holds {} at most",
                    binding.name, info.limits.max_binding
                ));
            }
            total += bytes;
        }
        if total > memory {
            return Err(format!(
                "its part of all buffers takes {total} bytes, and a chunk may take {memory} at most"
            ));
        }
        Ok(())
    }
}
