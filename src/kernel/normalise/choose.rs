//! Pass 1: choose the one compute entry point and drop everything that it does not use.

use naga::compact::{KeepUnused, compact};

use crate::error::{Error, Result};

/// Leaves exactly one entry point, and what it statically uses.
pub(super) fn choose(module: &mut naga::Module, wanted: Option<&str>) -> Result<()> {
    let name = name(module, wanted)?;
    module.entry_points.retain(|e| e.stage == naga::ShaderStage::Compute && e.name == name);
    compact(module, KeepUnused::No);
    Ok(())
}

/// The name of the compute entry point to use.
fn name(module: &naga::Module, wanted: Option<&str>) -> Result<String> {
    let names: Vec<&str> = module
        .entry_points
        .iter()
        .filter(|e| e.stage == naga::ShaderStage::Compute)
        .map(|e| e.name.as_str())
        .collect();
    let problem =
        |name: &str, problem: String| Error::EntryPoint { name: name.to_owned(), problem };
    match (wanted, names.as_slice()) {
        (Some(name), all) if all.contains(&name) => Ok(name.to_owned()),
        (_, []) => Err(problem(
            wanted.unwrap_or("(none given)"),
            "the module has no compute entry point; mark one with @compute @workgroup_size(…)"
                .to_owned(),
        )),
        (Some(name), all) => Err(problem(
            name,
            format!("no such compute entry point; the module has {}", all.join(", ")),
        )),
        (None, [one]) => Ok((*one).to_owned()),
        (None, all) => Err(problem(
            "(none given)",
            format!(
                "the module has several; name one of {}, with `KernelBuilder::entry_point` or \
                 `--entry` on the command line",
                all.join(", ")
            ),
        )),
    }
}
