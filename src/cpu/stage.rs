//! The stages of the CPU's compiler that can be listed.

/// A stage of the CPU compiler whose output can be listed, to tune a kernel by reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// The SPMD form: gangs of lanes, with uniform, strided and varying values.
    Spmd,
    /// The back end's IR as it is handed over.
    Llvm,
    /// The back end's IR after optimisation.
    Optimised,
    /// Assembly.
    Assembly,
}
