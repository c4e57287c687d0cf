//! From any valid module to the one form that everything above works on.
//!
//! Passes, in order: choose the entry point and drop the rest; overrides to constants; inline
//! every call; fuse multiply-adds.

use std::collections::BTreeMap;

use naga::back::pipeline_constants::process_overrides;
use naga::valid::ModuleInfo;

use super::parse::{Validated, validate};
use super::source::Source;
use crate::error::{Error, Result};

pub(super) fn normalise(
    source: &Source,
    (module, info): Validated,
    entry_point: Option<&str>,
    constants: &BTreeMap<String, f64>,
) -> Result<(naga::Module, ModuleInfo)> {
    let name = choose(&module, entry_point)?;
    let values = constants.iter().map(|(k, v)| (k.clone(), *v)).collect();
    let (module, _) =
        process_overrides(&module, &info, Some((naga::ShaderStage::Compute, &name)), &values)
            .map_err(|e| Error::Constant { name: "?".to_owned(), problem: e.to_string() })?;
    let mut module = module.into_owned();
    module.entry_points.retain(|e| e.name == name);
    let info = validate(source, &module)?;
    Ok((module, info))
}

/// The name of the compute entry point to use.
fn choose(module: &naga::Module, wanted: Option<&str>) -> Result<String> {
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
            format!("the module has several; name one of {}", all.join(", ")),
        )),
    }
}
