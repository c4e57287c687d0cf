//! The width of a kernel's gangs: one vector of 32-bit values, or two.
//!
//! An iteration of a loop depends on the one before, and the work of one iteration is a chain, too. With two
//! vectors per value a gang has two chains, shares uniform values between them, and needs half as many
//! iterations. Without a loop the next gang's work fills the gaps, and short gangs compile faster. Measured
//! with AVX-512, one thread, two vectors against one: matmul_naive 2.0, mandelbrot 1.3, nbody 1.3, csr_spmv and
//! histogram 1.1; stencil7, which has no loop, 0.8.

use crate::cpu::spmd::{Compiled, pressure};

/// The nodes in loops up to which twice the time to compile pays.
const LONG: usize = 200;

/// The lanes of one vector on this machine, with at most `bits` bits.
pub(super) fn of_vectors(bits: Option<u32>) -> u32 {
    let most = if registers() == 32 { 16 } else { 8 };
    bits.map_or(most, |bits| most.min(bits / 32))
}

/// The number of the processor's vector registers.
fn registers() -> u32 {
    #[cfg(target_arch = "x86_64")]
    {
        let wide =
            std::is_x86_feature_detected!("avx512vl") && std::is_x86_feature_detected!("avx512dq");
        if wide { 32 } else { 16 }
    }
    #[cfg(not(target_arch = "x86_64"))]
    16
}

/// Whether a kernel, compiled for gangs of one vector, should have gangs of two: it has loops, and the values
/// that are live across iterations leave half of the registers to the iteration's own.
pub(super) fn suits_two_vectors(compiled: &Compiled) -> bool {
    // Subgroups fix the size of gangs.
    !compiled.code.subgroups
        && pressure::of_loops(compiled)
            .is_some_and(|loops| 4 * loops.kept <= registers() && loops.steps <= LONG)
}

/// The most values per lane that a loop of a gang of one vector may set and keep live, if a loop has more. The
/// other registers are for the values of an iteration.
pub(super) fn too_many(compiled: &Compiled) -> Option<u32> {
    let most = registers() * 5 / 8;
    pressure::of_loops(compiled).is_some_and(|loops| loops.kept > most).then_some(most)
}

/// Whether gangs of two vectors fit into rows of invocations as well as those of one.
pub(super) fn fits_rows(one: &Compiled, two: &Compiled) -> bool {
    two.code.width == 2 * one.code.width && (two.code.packed == 1 || one.code.packed > 1)
}

#[cfg(test)]
mod tests {
    use super::super::lowered;
    use super::*;
    use crate::cpu::widths::Widths;
    use crate::kernel::Kernel;

    /// The number of vectors of a gang of a kernel from the library.
    fn vectors(name: &str) -> u32 {
        let entry = crate::ops::library().iter().find(|entry| entry.name == name).unwrap();
        let kernel = Kernel::from_wgsl(entry.text).unwrap();
        lowered(&kernel, Widths::default()).unwrap().code.width / of_vectors(None)
    }

    #[test]
    fn loops_have_gangs_of_two_vectors_unless_registers_or_rows_are_too_few() {
        let wide = registers() == 32;
        // Few values; the iterations are counted once for the gang.
        assert_eq!(vectors("mandelbrot"), 2);
        assert_eq!(vectors("nbody"), if wide { 2 } else { 1 });
        // Sixteen sums; no loop.
        assert_eq!(vectors("matmul"), 1);
        assert_eq!(vectors("saxpy"), 1);
    }

    #[test]
    fn vectors_of_a_given_length_are_one_to_a_gang() {
        assert_eq!(of_vectors(Some(128)), 4);
        assert_eq!(of_vectors(Some(1024)), of_vectors(None));
    }
}
