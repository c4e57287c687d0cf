//! Compares every function with the exact value, over all of f32.

use std::f64::consts::PI;

use crate::cpu::interpreter::functions::{Binary, Unary};
use crate::cpu::math;

/// The distance to the exact value, in units in the last place of an f32 of that size. Denormals have the unit
/// of the smallest normal number. An infinite result counts as 2^128.
fn ulps(got: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if got.to_bits() == rounded.to_bits() || got.is_nan() && exact.is_nan() {
        return 0.0;
    }
    let wrong_zero = exact == 0.0 && (got.is_sign_negative() != exact.is_sign_negative());
    if got.is_nan() || exact.is_nan() || exact.is_infinite() || wrong_zero {
        return f64::INFINITY;
    }
    let value =
        if got.is_infinite() { 2f64.powi(128).copysign(f64::from(got)) } else { f64::from(got) };
    let exponent = (exact.abs().to_bits() >> 52) as i32 - 1023;
    (value - exact).abs() / 2f64.powi(exponent.max(-126) - 23)
}

/// Special values, and values around which a function changes its method.
fn edges() -> Vec<f32> {
    let around = [
        0.0,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::INFINITY,
        2f32.powi(-12),
        0.5,
        1.0,
        2.0 / 3.0,
        4.0 / 3.0,
        1.5,
        2.0,
        88.722_84,
        89.0,
        90.0,
        87.336_55,
        103.972_08,
        104.0,
        126.0,
        128.0,
        149.0,
        150.0,
        151.0,
        8192.0,
        131_072.0,
        1_048_576.0,
        1e10,
        1e30,
        std::f32::consts::PI,
        std::f32::consts::FRAC_PI_2,
        std::f32::consts::FRAC_PI_4,
    ];
    let mut values = vec![f32::NAN, -f32::NAN, f32::from_bits(0x7f80_0001)];
    for x in around {
        for step in -40..=40i32 {
            let x = f32::from_bits(x.to_bits().saturating_add_signed(step));
            values.extend([x, -x]);
        }
    }
    // Multiples of pi / 2 and their neighbours.
    for n in 0..2000 {
        let x = (f64::from(n) * PI / 2.0) as f32;
        values.extend([x, -x, x.next_up(), x.next_down()]);
    }
    values
}

type Function = (&'static str, Unary, [fn(f32) -> f32; 2], fn(f64) -> f64);

macro_rules! functions {
    ($($name:ident $variant:ident $exact:expr;)*) => {
        [$((
            stringify!($name),
            Unary::$variant,
            [math::$name::<false>, math::$name::<true>],
            $exact as fn(f64) -> f64,
        ) as Function,)*]
    };
}

/// Each function: its operation, its code without and with fused multiply-add, and its reference.
fn functions() -> impl IntoIterator<Item = Function> {
    functions! {
        exp Exp f64::exp;
        exp2 Exp2 f64::exp2;
        log Log f64::ln;
        log2 Log2 f64::log2;
        sin Sin f64::sin;
        cos Cos f64::cos;
        tan Tan f64::tan;
        asin Asin f64::asin;
        acos Acos f64::acos;
        atan Atan f64::atan;
        sinh Sinh f64::sinh;
        cosh Cosh f64::cosh;
        tanh Tanh f64::tanh;
        asinh Asinh libm::asinh;
        acosh Acosh |x| if x < 1.0 { f64::NAN } else { libm::acosh(x) };
        atanh Atanh libm::atanh;
        inverse_sqrt InverseSqrt |x| 1.0 / x.sqrt();
    }
}

/// Checks a function for the values (within 4 units, or 2 where WGSL asks for that), and prints its largest
/// error.
fn check(
    name: &str,
    f: impl Fn(f32) -> f32,
    exact: fn(f64) -> f64,
    values: impl Iterator<Item = f32>,
) {
    let (mut worst, mut at) = (0.0, 0.0);
    for x in values {
        let error = ulps(f(x), exact(f64::from(x)));
        if error > worst {
            (worst, at) = (error, x);
        }
    }
    println!("{name}: {worst:.3} units at {at:e} ({:#x})", at.to_bits());
    let allowed = if name.starts_with("inverse_sqrt") { 2.0 } else { 4.0 };
    assert!(
        worst <= allowed,
        "{name}({at:e}) is {worst} units off: {:e} instead of {:e}",
        f(at),
        exact(f64::from(at))
    );
}

#[test]
fn functions_are_within_four_units_of_the_real_value_everywhere_and_at_the_edges() {
    // The reduction of angles is least accurate just below its limit.
    let large = 131_072f32.to_bits()..1_048_576f32.to_bits();
    let all = (0..=u32::MAX).step_by(16_411).chain(large.step_by(61));
    let sample = || all.clone().map(f32::from_bits).chain(edges());
    for (name, operation, ways, exact) in functions() {
        for (f, fused) in ways.into_iter().zip(["", ", fused"]) {
            check(&format!("{name}{fused}"), f, exact, sample());
        }
        let machines = |x: f32| f32::from_bits(operation.eval([x.to_bits()]));
        check(&format!("{name} here"), machines, exact, sample().step_by(7));
    }
}

/// Random bits, the same in every run.
pub(super) fn noise(count: usize) -> impl Iterator<Item = u64> {
    let mut state = 88_172_645_463_325_252u64;
    (0..count).map(move |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    })
}

/// Pairs of special numbers, of random numbers, and of a random number with the one that `close` makes of two
/// words.
pub(super) fn pairs(count: usize, close: fn(u32, u32) -> f32) -> Vec<(f32, f32)> {
    let numbers = [
        0.0,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        1e-45,
        f32::MIN_POSITIVE,
        f32::MAX,
        8_388_607.5,
        16_777_215.0,
        16_777_216.0,
        1f32.next_up(),
        1f32.next_down(),
        f32::INFINITY,
        f32::NAN,
    ];
    let special: Vec<f32> = numbers.iter().flat_map(|&x| [x, -x]).collect();
    let mut pairs: Vec<(f32, f32)> =
        special.iter().flat_map(|&x| special.iter().map(move |&y| (x, y))).collect();
    for (k, bits) in noise(count).enumerate() {
        let (a, b) = (bits as u32, (bits >> 32) as u32);
        let y = if k % 3 == 0 { f32::from_bits(b) } else { close(a, b) };
        pairs.push((f32::from_bits(a), y));
    }
    pairs
}

fn check_pairs(
    name: &str,
    f: impl Fn(f32, f32) -> f32,
    exact: fn(f64, f64) -> f64,
    pairs: &[(f32, f32)],
) {
    for &(x, y) in pairs {
        let (got, wanted) = (f(x, y), exact(f64::from(x), f64::from(y)));
        let error = ulps(got, wanted);
        assert!(error <= 4.0, "{name}({x:e}, {y:e}) is {error} off: {got:e} instead of {wanted:e}");
    }
}

/// An exponent for which the power is about within f32's range, or an integer.
fn exponent(x: u32, bits: u32) -> f32 {
    if bits.is_multiple_of(5) {
        return (bits >> 8) as f32 % 41.0 - 20.0;
    }
    let power = f64::from(bits) / 4_294_967_296.0 * 304.0 - 152.0;
    (power / f64::from(f32::from_bits(x).abs()).log2()) as f32
}

/// A number of a similar size.
pub(super) fn neighbour(x: u32, bits: u32) -> f32 {
    f32::from_bits(x.wrapping_add_signed(bits as i32 >> 4))
}

#[test]
fn functions_of_two_are_within_four_units_of_the_real_value() {
    let machines =
        |f: Binary| move |x: f32, y: f32| f32::from_bits(f.eval([x.to_bits(), y.to_bits()]));
    let powers = pairs(300_000, exponent);
    check_pairs("pow", math::pow::<false>, f64::powf, &powers);
    check_pairs("pow, fused", math::pow::<true>, f64::powf, &powers[..100_000]);
    check_pairs("pow here", machines(Binary::PowF), f64::powf, &powers);
    let angles = pairs(300_000, neighbour);
    check_pairs("atan2", math::atan2::<false>, f64::atan2, &angles);
    check_pairs("atan2, fused", math::atan2::<true>, f64::atan2, &angles[..100_000]);
    check_pairs("atan2 here", machines(Binary::Atan2F), f64::atan2, &angles);
}

#[test]
#[ignore = "every f32, minutes for each function: COEXEC_MATH=exp cargo test --release --lib -- --ignored for_every_float"]
fn functions_are_within_four_units_of_the_real_value_for_every_float() {
    let only = std::env::var("COEXEC_MATH").ok();
    for (name, operation, _, exact) in functions() {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let machines = |x: f32| f32::from_bits(operation.eval([x.to_bits()]));
        check(name, machines, exact, (0..=u32::MAX).map(f32::from_bits));
    }
}
