//! `coexec explain`: the signature of a kernel and, for a launch with a grid and data, its accesses
//! and its cost in words. Nothing runs, except with --measure and --iterations.

use std::fmt::Write;

use anyhow::Result;
use coexec::{Buffer, Kernel, Listing, Runtime, Space};

use crate::args::ExplainArgs;
use crate::output;
use crate::prepare::{self, Prepared, engine};
use crate::progress::Progress;

pub(crate) fn explain(args: &ExplainArgs) -> Result<()> {
    let stages = [
        (args.spmd, Listing::Spmd),
        (args.llvm, Listing::Optimised),
        (args.asm, Listing::Assembly),
    ];
    if let Some((_, stage)) = stages.into_iter().find(|(wanted, _)| *wanted) {
        let (kernel, _) = prepare::kernel(&args.launch)?;
        return output::print(&coexec::listing(&kernel, engine(&args.launch.devices), stage)?);
    }
    let runtime = prepare::runtime(&args.launch.devices, None)?;
    let (kernel, path) = prepare::kernel(&args.launch)?;
    let facts = runtime.launch(&kernel).facts().join(" ");
    output::print(&format!("{}{facts}\n\n", signature(&kernel)?))?;
    if args.launch.describes_no_launch() {
        return output::print(&format!(
            "To see how a launch of the kernel would be split, add{}\n",
            prepare::flags(&kernel)
        ));
    }
    let prepared = Prepared::of(kernel, path, &args.launch)?;
    let progress = Progress::of(format!("explaining {}", prepared.path));
    let text = in_words(args, &prepared, &runtime);
    drop(progress);
    output::print(&text?)
}

/// The accesses and the cost of a launch.
fn in_words(args: &ExplainArgs, prepared: &Prepared, runtime: &Runtime) -> Result<String> {
    let buffers = prepared.upload();
    let plan = prepared.launch(runtime, &buffers).plan()?;
    let (without_effect, plan) = (plan.without_effect().to_vec(), plan.to_string());
    let mut text = format!("{}\n", plan.trim_end());
    for sentence in &without_effect {
        writeln!(text, "{sentence}.")?;
    }
    // One device takes the whole grid, but the accesses of a band are of interest.
    if runtime.devices().len() == 1 && args.launch.chunks.is_none() {
        // So few chunks may be too large for the device.
        if let Ok(cut) = prepared.launch(runtime, &buffers).chunks(CHUNKS).plan()
            && cut.to_string() != plan
        {
            let cut = cut.to_string();
            write!(text, "\nIf the launch were cut into {CHUNKS} chunks:\n{}\n", cut.trim_end())?;
        }
    }
    if args.measure {
        let chunks = args.launch.chunks.unwrap_or(MEASURED);
        let measured = prepared.launch(runtime, &buffers).chunks(chunks).measure()?;
        writeln!(text, "\nIn {chunks} chunks, elements inferred / touched:")?;
        for tightness in measured {
            writeln!(text, "  {tightness}")?;
        }
    }
    if let Some(steps) = args.iterations {
        text += &iterations(args, prepared, runtime, buffers, steps)?;
    }
    Ok(text)
}

/// Runs the launch several times and reports the transfers of each step.
fn iterations(
    args: &ExplainArgs,
    prepared: &Prepared,
    runtime: &Runtime,
    mut buffers: Vec<Buffer<u8>>,
    steps: u32,
) -> Result<String> {
    let swaps: Vec<(usize, usize)> = args
        .swap
        .iter()
        .map(|(a, b)| Ok((prepared.buffer(a)?, prepared.buffer(b)?)))
        .collect::<Result<_>>()?;
    let mut rows = Vec::new();
    for step in 1..=steps {
        let report = prepared.launch(runtime, &buffers).run()?;
        for device in &report.devices {
            rows.push([
                format!("step {step}"),
                device.id.clone(),
                format!("{:.1} %", device.share * 100.0),
                format!("{} B up", device.uploaded),
                format!("{} B down", device.downloaded),
            ]);
        }
        for &(a, b) in &swaps {
            buffers.swap(a, b);
        }
    }
    let lines = output::table(&rows).into_iter().map(|line| format!("  {line}\n"));
    Ok(format!(
        "\nIn {steps} steps, the share of each device and the bytes that were moved for it:\n{}",
        lines.collect::<String>()
    ))
}

/// The number of chunks for which footprints are measured.
const MEASURED: u32 = 8;

/// The number of chunks of the additional plan that is shown for a single device.
const CHUNKS: u32 = 4;

/// The bindings and constants of a kernel as a table.
fn signature(kernel: &Kernel) -> Result<String> {
    let signature = kernel.signature();
    let [x, y, z] = signature.workgroup_size;
    let mut text = String::new();
    let invocations = u64::from(x) * u64::from(y) * u64::from(z);
    writeln!(
        text,
        "kernel `{}`, workgroups of {x} × {y} × {z} = {invocations} invocation{}",
        signature.entry_point,
        if invocations == 1 { "" } else { "s" }
    )?;
    let rows: Vec<[String; 5]> = signature
        .bindings
        .iter()
        .map(|binding| {
            let slot = binding.slot.map_or("-".to_owned(), |(g, b)| format!("{g}:{b}"));
            let space = match binding.space {
                Space::Uniform => "uniform",
                Space::Immediate => "immediate",
                Space::StorageRead => "storage, read",
                Space::StorageWrite => "storage, written",
            };
            let form = kernel.value_form(&binding.name).unwrap_or_default();
            let layout = &binding.layout;
            let ty = if form.contains('{') {
                format!("{} = {form}", binding.type_name)
            } else {
                binding.type_name.clone()
            };
            let size = match layout.count {
                Some(_) => format!("{} B", layout.min_bytes()),
                None if layout.header > 0 => {
                    format!("{} B and {} B per element", layout.header, layout.stride)
                }
                None => format!("{} B per element", layout.stride),
            };
            [slot, binding.name.clone(), space.to_owned(), size, ty]
        })
        .collect();
    for line in output::table(&rows) {
        writeln!(text, "  {line}")?;
    }
    for constant in &signature.constants {
        let value = match constant.value {
            Some(value) => format!("= {value}"),
            None => "at its default".to_owned(),
        };
        writeln!(text, "  override {}: {} {value}", constant.name, constant.type_name)?;
    }
    Ok(text)
}
