//! The SPMD compiler's middle: from the normalised module to structured code for gangs of lanes.
//!
//! [`compile`] lists the passes in order; each pass has its file. The result is what a back end needs:
//! the code, the shape of every register, and the liveness of variables.

mod gangs;
pub(in crate::cpu) mod wide;

pub(in crate::cpu) mod ir;

mod combine;
mod flatten;
mod guards;
mod leading;
pub(in crate::cpu) mod liveness;
mod lower_stmt;
mod pack;
mod reuse;
pub(in crate::cpu) mod spans;
pub(in crate::cpu) mod types;
mod unused;

mod counted;
mod loose;
mod scopes;
pub(in crate::cpu) mod shape;
mod starts;
mod unroll;

mod compiled;
mod distribute;
mod divergence;
mod expand;
mod in_step;
mod interior;
mod regions;
mod turns;
mod verify;

pub(in crate::cpu) mod pressure;
mod straighten;
mod text;

pub(in crate::cpu) use compiled::Compiled;
pub(in crate::cpu) use gangs::Gangs;
pub(in crate::cpu) use text::print;

use crate::analysis::facts;
use crate::error::Result;
use crate::kernel::Kernel;

/// Compiles a kernel.
///
/// # Errors
/// `Unsupported`, with the reason, if only the interpreter runs the kernel.
pub(in crate::cpu) fn compile(kernel: &Kernel, gangs: Gangs) -> Result<Compiled> {
    let Gangs { width, subgroup, pack, values } = gangs;
    let mut code = lower_stmt::lower(kernel, facts(kernel).finite_loops.clone(), width, subgroup)?;
    verify::between(&code, "lowering")?;
    unused::drop_results(&mut code);
    pack::fit(&mut code, pack);
    counted::mark(&mut code);
    unroll::unroll(&mut code);
    flatten::flatten(&mut code);
    guards::structure(&mut code);
    verify::between(&code, "guards")?;
    reuse::share(&mut code);
    verify::between(&code, "reuse")?;
    combine::combine(&mut code);
    verify::between(&code, "combine")?;
    starts::sink(&mut code);
    let mut liveness = liveness::analyse(&mut code);
    verify::between(&code, "starts")?;
    let mut shapes = shape::analyse(&code, kernel, &liveness)?;
    if turns::split(&mut code, &shapes) {
        verify::between(&code, "turns")?;
        liveness = liveness::analyse(&mut code);
        shapes = shape::analyse(&code, kernel, &liveness)?;
    }
    if straighten::straighten(&mut code, &shapes, &liveness) {
        // Registers are out of scope until the repair, so verification waits for it.
        scopes::repair(&mut code);
        verify::between(&code, "straighten, scopes")?;
        liveness = liveness::analyse(&mut code);
        shapes = shape::analyse(&code, kernel, &liveness)?;
    }
    if expand::expand(&mut code, &shapes) {
        verify::between(&code, "expand")?;
        liveness = liveness::analyse(&mut code);
        shapes = shape::analyse(&code, kernel, &liveness)?;
    }
    if values.is_some_and(|values| distribute::distribute(&mut code, &shapes, values)) {
        verify::between(&code, "distribute")?;
        liveness = liveness::analyse(&mut code);
        shapes = shape::analyse(&code, kernel, &liveness)?;
    }
    if let Some(mut stepped) = in_step::in_step(&code, &shapes) {
        let live = liveness::analyse(&mut stepped);
        let found = shape::analyse(&stepped, kernel, &live)?;
        if in_step::holds(&stepped, &found) {
            verify::between(&stepped, "in step")?;
            (code, shapes) = (stepped, found);
        }
    }
    regions::split(&mut code, &mut shapes)?;
    leading::limit(&mut code);
    interior::split(&mut code, kernel, &mut shapes);
    // Fission has made regions, and variables that carry values between them.
    let liveness = liveness::analyse(&mut code);
    verify::verify(&code, &shapes)?;
    let loose = loose::find(&code, &liveness);
    Ok(Compiled { code, shapes, liveness, loose })
}
