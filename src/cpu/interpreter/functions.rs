//! The scalar functions of the bytecode, and their application to planes.
//!
//! A scalar is 32 bits: i32 and u32 are stored directly, f32 as its bits, f16 as the bits of the f32 that equals
//! it, bool as all zeros or all ones. A function is total and pure, so it may be applied to lanes that are
//! masked off. Functions that multiply and add do so with one rounding or two, depending on the machine
//! (`FUSED`; see `math::ops`). A plane is `rows` rows of [`WIDTH`] lanes. Destination and sources may be the
//! same plane, since a row is read whole before it is written.

use crate::cpu::math;
use crate::kernel::host_has_fma;

/// Lanes of one row; planes are padded to whole rows.
pub(in crate::cpu) const WIDTH: usize = 16;

/// One row of a plane.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::cpu) struct Row(pub(in crate::cpu) [u32; WIDTH]);

/// A plane: virtual before register allocation, a slot of the register file after it.
pub(in crate::cpu) type Reg = u32;

#[inline(always)]
fn f(bits: u32) -> f32 {
    f32::from_bits(bits)
}

#[inline(always)]
fn b(x: f32) -> u32 {
    x.to_bits()
}

#[inline(always)]
fn all(x: bool) -> u32 {
    0u32.wrapping_sub(u32::from(x))
}

/// Evaluates an expression whose arguments come from an array.
macro_rules! bound {
    (($($arg:ident),+), $args:expr, $value:expr) => {{
        let [$($arg),+] = $args;
        $value
    }};
}

/// Evaluates an expression for each lane of a plane.
macro_rules! each_lane {
    (($($arg:ident),+), $file:ident, $rows:ident, $dst:ident, $at:ident, $value:expr) => {
        for k in 0..$rows {
            let [$(ref $arg),+] = $at.map(|first| $file[first + k].0);
            let out = &mut $file[$dst + k].0;
            for i in 0..WIDTH {
                $(let $arg = $arg[i];)+
                out[i] = $value;
            }
        }
    };
}

macro_rules! scalar_functions {
    ($(#[$doc:meta])* $name:ident $arity:literal $args:tt { $($variant:ident => $value:expr,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(in crate::cpu) enum $name { $($variant),* }

        impl $name {
            /// Evaluates the function for one lane, on this machine.
            pub(in crate::cpu) fn eval(self, args: [u32; $arity]) -> u32 {
                if !host_has_fma() {
                    return self.eval_as::<false>(args);
                }
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the processor has the feature by the check above.
                return unsafe { self.eval_fused(args) };
                #[cfg(not(target_arch = "x86_64"))]
                self.eval_as::<true>(args)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "fma")]
            fn eval_fused(self, args: [u32; $arity]) -> u32 {
                self.eval_as::<true>(args)
            }

            #[inline(always)]
            fn eval_as<const FUSED: bool>(self, args: [u32; $arity]) -> u32 {
                match self { $($name::$variant => bound!($args, args, $value)),* }
            }

            /// Applies the function to every lane of a plane.
            pub(in crate::cpu) fn apply(
                self,
                file: &mut [Row],
                rows: usize,
                dst: Reg,
                sources: [Reg; $arity],
            ) {
                let dst = dst as usize * rows;
                let at = sources.map(|reg| reg as usize * rows);
                #[cfg(target_arch = "x86_64")]
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has the features by the check above.
                    return unsafe { self.apply_avx2(file, rows, dst, at) };
                }
                if !host_has_fma() {
                    return self.apply_as::<false>(file, rows, dst, at);
                }
                #[cfg(not(target_arch = "x86_64"))]
                self.apply_as::<true>(file, rows, dst, at);
                // A processor with FMA but without AVX2 is rare, and not worth more code.
                #[cfg(target_arch = "x86_64")]
                for k in 0..rows {
                    for lane in 0..WIDTH {
                        file[dst + k].0[lane] = self.eval(at.map(|first| file[first + k].0[lane]));
                    }
                }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn apply_avx2(self, file: &mut [Row], rows: usize, dst: usize, at: [usize; $arity]) {
                self.apply_as::<true>(file, rows, dst, at);
            }

            #[inline(always)]
            fn apply_as<const FUSED: bool>(
                self,
                file: &mut [Row],
                rows: usize,
                dst: usize,
                at: [usize; $arity],
            ) {
                match self {
                    $($name::$variant => each_lane!($args, file, rows, dst, at, $value)),*
                }
            }
        }
    };
}

scalar_functions! {
    /// Functions of one scalar. `F` is f32, `H` f16, `I` i32, `U` u32.
    Unary 1 (x) {
        Copy => x,
        Not => !x,
        NegI => x.wrapping_neg(),
        NegF => x ^ 0x8000_0000,
        AbsI => (x as i32).wrapping_abs() as u32,
        AbsF => x & 0x7fff_ffff,
        SignI => (x as i32).signum() as u32,
        SignF => b(math::sign(f(x))),
        IToF => b(x as i32 as f32),
        UToF => b(x as f32),
        IToH => b(math::int_to_f16(i64::from(x as i32))),
        UToH => b(math::int_to_f16(i64::from(x))),
        FToI => math::to_i32(f(x)) as u32,
        FToU => math::to_u32(f(x)),
        HToI => math::f16_to_i32(f(x)) as u32,
        HToU => math::f16_to_u32(f(x)),
        NonZeroI => all(x != 0),
        NonZeroF => all(f(x) != 0.0),
        BoolToI => x & 1,
        BoolToF => x & 0x3f80_0000,
        RoundH => b(math::round_f16(f(x))),
        HBits => math::f16_bits(f(x)),
        FromHBits => b(math::from_f16_bits(x)),
        Ceil => b(math::ceil(f(x))),
        Floor => b(math::floor(f(x))),
        Round => b(math::round(f(x))),
        Trunc => b(math::trunc(f(x))),
        Fract => b(math::fract(f(x))),
        Sqrt => b(math::sqrt(f(x))),
        InverseSqrtGuess => b(math::inverse_sqrt_guess(f(x))),
        InverseSqrt => b(math::inverse_sqrt::<FUSED>(f(x))),
        Sin => b(math::sin::<FUSED>(f(x))),
        Cos => b(math::cos::<FUSED>(f(x))),
        Tan => b(math::tan::<FUSED>(f(x))),
        Asin => b(math::asin::<FUSED>(f(x))),
        Acos => b(math::acos::<FUSED>(f(x))),
        Atan => b(math::atan::<FUSED>(f(x))),
        Sinh => b(math::sinh::<FUSED>(f(x))),
        Cosh => b(math::cosh::<FUSED>(f(x))),
        Tanh => b(math::tanh::<FUSED>(f(x))),
        Asinh => b(math::asinh::<FUSED>(f(x))),
        Acosh => b(math::acosh::<FUSED>(f(x))),
        Atanh => b(math::atanh::<FUSED>(f(x))),
        Exp => b(math::exp::<FUSED>(f(x))),
        Exp2 => b(math::exp2::<FUSED>(f(x))),
        Log => b(math::log::<FUSED>(f(x))),
        Log2 => b(math::log2::<FUSED>(f(x))),
        FrexpFract => b(math::frexp_fract::<FUSED>(f(x))),
        FrexpExponent => math::frexp_exponent::<FUSED>(f(x)),
        IsNan => all(f(x).is_nan()),
        IsInf => all(f(x).is_infinite()),
        CountOnes => x.count_ones(),
        TrailingZeros => x.trailing_zeros(),
        LeadingZeros => x.leading_zeros(),
        ReverseBits => x.reverse_bits(),
        FirstTrailing => math::first_trailing(x),
        FirstLeadingU => math::first_leading_u32(x),
        FirstLeadingI => math::first_leading_i32(x as i32),
    }
}

scalar_functions! {
    /// Functions of two scalars.
    Binary 2 (x, y) {
        AddF => b(f(x) + f(y)),
        SubF => b(f(x) - f(y)),
        MulF => b(f(x) * f(y)),
        DivF => b(f(x) / f(y)),
        RemF => b(math::rem::<FUSED>(f(x), f(y))),
        MinF => b(math::min(f(x), f(y))),
        MaxF => b(math::max(f(x), f(y))),
        StepF => b(math::step(f(x), f(y))),
        PowF => b(math::pow::<FUSED>(f(x), f(y))),
        Atan2F => b(math::atan2::<FUSED>(f(x), f(y))),
        Ldexp => b(math::ldexp::<FUSED>(f(x), y)),
        EqF => all(f(x) == f(y)),
        NeF => all(f(x) != f(y)),
        LtF => all(f(x) < f(y)),
        LeF => all(f(x) <= f(y)),
        AddI => x.wrapping_add(y),
        SubI => x.wrapping_sub(y),
        MulI => x.wrapping_mul(y),
        DivI => math::div_i32(x as i32, y as i32) as u32,
        RemI => math::rem_i32(x as i32, y as i32) as u32,
        DivU => math::div_u32(x, y),
        RemU => math::rem_u32(x, y),
        MinI => (x as i32).min(y as i32) as u32,
        MaxI => (x as i32).max(y as i32) as u32,
        MinU => x.min(y),
        MaxU => x.max(y),
        EqI => all(x == y),
        NeI => all(x != y),
        LtI => all((x as i32) < (y as i32)),
        LeI => all((x as i32) <= (y as i32)),
        LtU => all(x < y),
        LeU => all(x <= y),
        And => x & y,
        Or => x | y,
        Xor => x ^ y,
        AndNot => x & !y,
        Shl => x << (y & 31),
        ShrU => x >> (y & 31),
        ShrI => ((x as i32) >> (y & 31)) as u32,
    }
}

scalar_functions! {
    /// Functions of three scalars.
    Ternary 3 (x, y, z) {
        FmaF => b(math::fma(f(x), f(y), f(z))),
        FmaH => b(math::fma_f16(f(x), f(y), f(z))),
        // x where the mask z is set, else y.
        Select => (x & z) | (y & !z),
    }
}
