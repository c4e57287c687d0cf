//! WGSL text to a valid naga module. Every failure is rendered with its line.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Block, Statement};

use super::constant_calls;
use super::directives::without_enable_subgroups;
use super::isolated::step_of_naga;
use super::layout;
use super::rejected::{readable, rejected};
use super::returns::always_returns;
use super::source::Source;
use super::text_limits;
use crate::error::{Error, Result};

/// The capabilities that WGSL may use: those of coexec's engines, not of one device.
fn capabilities() -> Capabilities {
    Capabilities::IMMEDIATES
        | Capabilities::SUBGROUP
        | Capabilities::SUBGROUP_BARRIER
        | Capabilities::SHADER_FLOAT16
        | Capabilities::SHADER_FLOAT16_IN_FLOAT32
}

/// Parses and validates with all capabilities of naga. What coexec lacks is refused later, with its
/// line, and only where the entry point uses it.
pub(super) fn parse(source: &Source) -> Result<naga::Module> {
    let module = parse_as_naga_does(source)?;
    let changed = |text| Source { text, name: source.name.clone() };
    let is_valid = |text| parse_as_naga_does(&changed(text)).is_ok();
    match constant_calls::left_to_run_time(source, is_valid)? {
        Some(text) => parse_as_naga_does(&changed(text)),
        None => Ok(module),
    }
}

/// As [`parse`], but with constants as naga evaluates them.
fn parse_as_naga_does(source: &Source) -> Result<naga::Module> {
    let text = without_enable_subgroups(&source.text);
    let parsed = step_of_naga("parser", || naga::front::wgsl::parse_str(&text))?;
    let mut module = parsed.map_err(|e| {
        let mut line = e.location(&source.text).map(|at| at.line_number);
        let mut rendered = readable(&e.emit_to_string_with_path(&source.text, &source.name));
        // This is the one error of naga's parser without a place.
        if line.is_none() && rendered.contains("recursion limit") {
            let deepest = text_limits::deepest(&source.text);
            line = source.line(deepest);
            rendered = format!(
                "error: brackets are nested deeper than the parser allows, at most about 100 deep\n\
                 {}",
                source.render(deepest)
            );
        }
        Error::Wgsl { line, rendered }
    })?;
    for (_, function) in module.functions.iter_mut() {
        if function.result.is_some() {
            drop_unreachable_return(&mut function.body);
        }
    }
    layout::correct(source, &text, &mut module)?;
    validate_anything(source, &module)?;
    Ok(module)
}

/// Validates a module whose spans point into `source`, and refuses what coexec's engines lack.
pub(super) fn validate(source: &Source, module: &naga::Module) -> Result<ModuleInfo> {
    validate_with(source, module, capabilities())
}

/// Validates a module whose spans point into `source`.
pub(super) fn validate_anything(source: &Source, module: &naga::Module) -> Result<ModuleInfo> {
    validate_with(source, module, Capabilities::all())
}

fn validate_with(
    source: &Source,
    module: &naga::Module,
    capabilities: Capabilities,
) -> Result<ModuleInfo> {
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let validated = step_of_naga("validator", || validator.validate(module).map_err(Box::new))?;
    validated.map_err(|e| rejected(source, Some(module), &e))
}

/// Drops a final `return` that is never reached. naga adds a `return` without a value to a function
/// that ends in a loop, and then refuses it where the function has a result. If the loop ends only
/// by returning, the WGSL is valid.
fn drop_unreachable_return(body: &mut Block) {
    if let Some((Statement::Return { value: None }, before)) = body.split_last() {
        if always_returns(before) {
            let last = before.len();
            body.cull(last..);
        }
        return;
    }
    match body.last_mut() {
        Some(Statement::Block(block)) => drop_unreachable_return(block),
        Some(Statement::If { accept, reject, .. }) => {
            drop_unreachable_return(accept);
            drop_unreachable_return(reject);
        }
        Some(Statement::Switch { cases, .. }) => {
            cases.iter_mut().for_each(|case| drop_unreachable_return(&mut case.body));
        }
        _ => {}
    }
}
