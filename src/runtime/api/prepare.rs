//! Compiling a kernel before it is launched.

use crate::device::Engine;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::runtime::execution::Resources;
use crate::runtime::fleet;

/// The result of compiling a kernel for one device; see [`Runtime::prepare`](crate::Runtime::prepare).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Prepared {
    /// `cpu`, `gpu0`…
    pub device: String,
    /// The engine that will run the kernel, if the device has several: never [`Engine::Auto`].
    pub engine: Option<Engine>,
    /// Why a faster engine is not used, if one was tried: "not llvm: …".
    pub fallback: Option<String>,
    /// Why the device can't run the kernel; `None` if it can.
    pub error: Option<Error>,
}

/// Compiles a kernel on every device of a runtime.
pub(crate) fn prepare(resources: &Resources, kernel: &Kernel) -> Result<Vec<Prepared>> {
    let members = resources.fleet.members();
    let mut prepared: Vec<Prepared> = members
        .iter()
        .enumerate()
        .map(|(index, member)| {
            let error = fleet::prepare(index, member, kernel, &resources.fleet).err();
            let engine = if error.is_none() { member.device.engine(kernel) } else { None };
            Prepared {
                device: member.device.info().id.clone(),
                engine: engine.as_ref().map(|chosen| chosen.engine),
                fallback: engine.and_then(|chosen| chosen.fallback),
                error,
            }
        })
        .collect();
    if prepared.iter().any(|one| one.error.is_none()) {
        // The first launch needs the analysis, too.
        resources.memo.analysis(kernel);
        return Ok(prepared);
    }
    if let [Prepared { error, .. }] = &mut prepared[..]
        && let Some(error) = error.take()
    {
        return Err(error);
    }
    let infos: Vec<_> = members.iter().map(|member| member.device.info()).collect();
    let causes: Vec<_> =
        prepared.iter().map(|one| one.error.as_ref().map(ToString::to_string)).collect();
    Err(fleet::no_device(kernel, &infos, &causes))
}
