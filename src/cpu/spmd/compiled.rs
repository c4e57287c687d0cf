//! A compiled kernel: the code, the shapes of registers, and the liveness of variables.

use std::collections::HashSet;

use super::ir::Kernel;
use super::liveness::Liveness;
use super::shape::Shapes;
use crate::cpu::interpreter::functions::Reg;

/// A kernel in SPMD form, with the results of the analyses.
#[derive(Debug)]
pub(in crate::cpu) struct Compiled {
    pub(in crate::cpu) code: Kernel,
    pub(in crate::cpu) shapes: Shapes,
    pub(in crate::cpu) liveness: Liveness,
    /// Variables that may be set without a mask.
    pub(in crate::cpu) loose: HashSet<Reg>,
}
