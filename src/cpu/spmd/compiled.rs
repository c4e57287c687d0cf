//! A compiled kernel: the code, the shape of every register, and the variables that matter where.

use std::collections::HashSet;

use super::ir::Kernel;
use super::liveness::Liveness;
use super::shape::Shapes;
use crate::cpu::interpreter::functions::Reg;

/// A kernel in SPMD form, and what is known of it.
#[derive(Debug)]
pub(in crate::cpu) struct Compiled {
    pub(in crate::cpu) code: Kernel,
    pub(in crate::cpu) shapes: Shapes,
    pub(in crate::cpu) liveness: Liveness,
    /// Variables that may be set in lanes that are off, too.
    pub(in crate::cpu) loose: HashSet<Reg>,
}
