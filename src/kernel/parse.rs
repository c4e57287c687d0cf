//! WGSL text to a valid naga module, and every way in which that fails, rendered with its line.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Block, Statement};

use super::normalise::always_returns;
use super::source::Source;
use crate::error::{Error, Result};

/// What WGSL may use: what coexec's engines can give, not what one device has.
pub(super) fn capabilities() -> Capabilities {
    Capabilities::IMMEDIATES
        | Capabilities::SUBGROUP
        | Capabilities::SUBGROUP_BARRIER
        | Capabilities::SHADER_FLOAT16
}

/// A module and naga's analysis of it.
pub(super) type Validated = (naga::Module, ModuleInfo);

/// Parses and validates.
pub(super) fn parse(source: &Source) -> Result<Validated> {
    let mut module = naga::front::wgsl::parse_str(&source.text).map_err(|e| Error::Wgsl {
        line: e.location(&source.text).map(|at| at.line_number),
        rendered: e.emit_to_string_with_path(&source.text, &source.name),
    })?;
    for (_, function) in module.functions.iter_mut() {
        if function.result.is_some() {
            drop_unreachable_return(&mut function.body);
        }
    }
    let info = validate(source, &module)?;
    Ok((module, info))
}

/// Validates a module whose spans point into `source`.
pub(super) fn validate(source: &Source, module: &naga::Module) -> Result<ModuleInfo> {
    Validator::new(ValidationFlags::all(), capabilities()).validate(module).map_err(|e| {
        Error::Wgsl {
            line: e.location(&source.text).map(|at| at.line_number),
            rendered: e.emit_to_string_with_path(&source.text, &source.name),
        }
    })
}

/// naga ends a function that ends in a loop with a `return` without a value, and then refuses it
/// where the function has a result. Where the loop ends only by returning, that `return` is never
/// reached and the WGSL is valid.
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
