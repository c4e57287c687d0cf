//! The inverse of the square root.
//!
//! It takes a guess from the bits of `x` (its exponent halved and negated), one Newton step and one step of
//! third order. That takes a third of the time of the exact root and the exact quotient, which are slow on
//! processors, and is less than one unit in the last place off. Anything but a positive normal number is rare,
//! and takes the exact operations.
//!
//! A processor with AVX-512 has a better guess: `vrsqrt14ps`, right to 2^-14 and defined for all floats, so that
//! one Newton step is enough and no case is special. Counted on `nbody`: 22 instructions a turn instead of 34
//! and a branch.
//!
//! Source of the guess from bits, and of the constants of the first step: J. Kadlec, "Rrrola", 2010 (an error of
//! 6.5e-4 after the first step). The second step is the series of `(1 - e)^(-1/2)` with `e = 1 - x y^2`.

use super::guess::host_has_guess;
use super::ops::{Float, Lane, Word};

const GUESS: u32 = 0x5f1f_fff9;

/// Whether the exact operations are needed: not for a positive normal number.
#[inline(always)]
pub(in crate::cpu) fn is_special<F: Float>(x: F) -> F::Truth {
    // NaN counts as usual, since both ways give NaN.
    x.below(f32::MIN_POSITIVE) | x.equals(f32::INFINITY)
}

/// The inverse of the square root of a positive normal number.
#[inline(always)]
pub(in crate::cpu) fn usual_inverse_sqrt<F: Float>(x: F) -> F {
    let y = ((x.bits() >> 1) ^ u32::MAX) + (GUESS + 1);
    let y = y.float();
    let near = (x * -y).mul_add(y, 2.389_244_6);
    let y = y * 0.703_952_25 * near;
    let e = (x * -y).mul_add(y, 1.0);
    e.mul_add(0.375, 0.5).mul_add(y * e, y)
}

/// A function that replaces floats by the processor's guesses.
#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) type Guess = unsafe extern "sysv64" fn(*mut f32);

/// The function for one, two or four times four floats. It must be called only if the processor has the
/// instruction ([`host_has_guess`]), with the address of that many floats. It clobbers only xmm16 to xmm19,
/// which every caller must declare, and which Cranelift never uses.
#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) fn guesses(quads: usize) -> Guess {
    use std::arch::naked_asm;

    macro_rules! in_place {
        ($name:ident, $($register:literal $offset:literal),+) => {
            #[unsafe(naked)]
            unsafe extern "sysv64" fn $name(at: *mut f32) {
                naked_asm!(
                    $(concat!("vrsqrt14ps ", $register, ", [rdi + ", $offset, "]"),)+
                    $(concat!("vmovups [rdi + ", $offset, "], ", $register),)+
                    "ret",
                )
            }
        };
    }
    in_place!(one, "xmm16" "0");
    in_place!(two, "xmm16" "0", "xmm17" "16");
    in_place!(four, "xmm16" "0", "xmm17" "16", "xmm18" "32", "xmm19" "48");
    match quads {
        1 => one,
        2 => two,
        _ => four,
    }
}

/// The inverse of the square root of any float, from the processor's guess.
#[inline(always)]
pub(in crate::cpu) fn guessed_inverse_sqrt<F: Float>(x: F) -> F {
    let y = x.inverse_sqrt_guess();
    let e = (x * -y).mul_add(y, 1.0);
    let near = (y * 0.5).mul_add(e, y);
    // `e` is NaN for zero, infinity, NaN and negative numbers: the guess is the result already.
    y.but(e.equals(e), near)
}

/// The inverse of the square root of any float.
#[inline(always)]
pub(crate) fn inverse_sqrt<const FUSED: bool>(x: f32) -> f32 {
    let lane = Lane::<FUSED>(x);
    if host_has_guess() {
        return guessed_inverse_sqrt(lane).0;
    }
    if is_special(lane) { 1.0 / x.sqrt() } else { usual_inverse_sqrt(lane).0 }
}
