//! WGSL text to a valid naga module, and every way in which that fails, rendered with its line.

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};

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
    let module = naga::front::wgsl::parse_str(&source.text).map_err(|e| Error::Wgsl {
        line: e.location(&source.text).map(|at| at.line_number),
        rendered: e.emit_to_string_with_path(&source.text, &source.name),
    })?;
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
