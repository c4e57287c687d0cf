//! From any valid module to the one form that everything above works on.
//!
//! [`normalise`] reads as the algorithm; each pass is a file. Between passes the module is always
//! valid; every expression and statement keeps the span of what it stands for.

mod call_sizes;
mod choose;
mod constant_operands;
mod forwarding;
mod fuse;
mod overrides;

mod inline;

#[cfg(test)]
mod inlining_tests;
#[cfg(test)]
mod override_tests;

use std::collections::BTreeMap;

use naga::compact::{KeepUnused, compact};
use naga::valid::ModuleInfo;

pub(super) use call_sizes::MOST_INLINED;
pub(crate) use fuse::host_has_fma;
#[allow(unused_imports)]
pub(crate) use inline::MAX_NESTING;

use super::parse::{validate, validate_anything};
use super::signature::Constant;
use super::source::Source;
use super::unsupported;
use crate::error::Result;

/// The normalised module, naga's analysis of it, and the module's override constants as they
/// were.
pub(super) struct Normalised {
    pub(super) module: naga::Module,
    pub(super) info: ModuleInfo,
    pub(super) constants: Vec<Constant>,
}

pub(super) fn normalise(
    source: &Source,
    mut module: naga::Module,
    entry_point: Option<&str>,
    constants: &BTreeMap<String, f64>,
    most_inlined: u64,
) -> Result<Normalised> {
    let given = overrides::given(&module, constants)?;
    let listed = overrides::list(&module, &given);
    choose::choose(&mut module, entry_point)?;
    unsupported::check(source, &module, &validate_anything(source, &module)?)?;
    overrides::resolve(source, &mut module, &given)?;
    forwarding::forward(&mut module);
    let info = validate(source, &module)?;
    inline::inline(source, &mut module, &info, most_inlined)?;
    compact(&mut module, KeepUnused::No);
    let mut info = validate(source, &module)?;
    if host_has_fma() {
        fuse::fuse(&mut module, info.get_entry_point(0))?;
        info = validate(source, &module)?;
    }
    Ok(Normalised { module, info, constants: listed })
}
