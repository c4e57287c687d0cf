//! Footprints that hold for any kernel: all elements of each binding.
//!
//! The fallback of `footprints`, and the result for a kernel too large to be interpreted.

use naga::valid::GlobalUse;

use super::footprint::{Exchanged, Footprint, Outside};
use crate::analysis::arguments::{Argument, Arguments};
use crate::kernel::Kernel;
use crate::region::Region;

/// One footprint for each binding: all elements, read and written as the entry point uses the binding.
pub(crate) fn whole(kernel: &Kernel, arguments: &Arguments<'_>) -> Vec<Footprint> {
    let uses = kernel.info().get_entry_point(0);
    let bindings = &kernel.signature().bindings;
    bindings
        .iter()
        .zip(&arguments.bindings)
        .map(|(binding, argument)| {
            let (Argument::Storage { elements, .. }, true) = (argument, binding.space.is_storage())
            else {
                return Footprint::default();
            };
            let used = uses[binding.global];
            let all = |flag| match used.intersects(flag) {
                true => Region::from(0..*elements),
                false => Region::default(),
            };
            let read = all(GlobalUse::READ | GlobalUse::ATOMIC);
            let may_write = all(GlobalUse::WRITE | GlobalUse::ATOMIC);
            let writes_header =
                used.intersects(GlobalUse::WRITE | GlobalUse::ATOMIC) && binding.layout.header > 0;
            Footprint {
                read: read.clone(),
                may_write: may_write.clone(),
                exchanged: Exchanged { read, may_write, writes_header },
                must_write: 0..0,
                writes_header,
                consulted: false,
                unbounded: Some(kernel.module().global_variables.get_span(binding.global)),
                outside: Outside::default(),
            }
        })
        .collect()
}
