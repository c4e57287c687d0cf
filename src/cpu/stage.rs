//! The stages of the CPU's compiler that can be listed.

/// A stage of the CPU compiler, for whoever tunes a kernel by reading what is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// The SPMD form: gangs of lanes, what is uniform, strided and varying.
    Spmd,
    /// The back end's IR as it is handed over.
    Llvm,
    /// The back end's IR after optimisation.
    Optimised,
    /// Assembly.
    Assembly,
}
