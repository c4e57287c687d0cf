//! Arithmetic and built-in functions, with exact results, or against f64 where WGSL leaves room.

use super::{bits, floats, launch, output};

/// A result as the bits that the kernel stores.
enum Wanted {
    F(f32),
    U(u32),
    I(i32),
    B(bool),
}
use Wanted::{B, F, I, U};

/// Runs every case in one kernel: declarations (`var`, so that nothing is folded), expression,
/// result.
fn check(enable: &str, cases: &[(&str, &str, Wanted)]) {
    let mut body = String::new();
    let mut wanted = Vec::new();
    for (k, (setup, expression, result)) in cases.iter().enumerate() {
        let (word, stored) = match *result {
            F(x) => (x.to_bits(), format!("bitcast<u32>(f32({expression}))")),
            U(x) => (x, format!("u32({expression})")),
            I(x) => (x as u32, format!("bitcast<u32>(i32({expression}))")),
            B(x) => (u32::from(x), format!("select(0u, 1u, {expression})")),
        };
        body += &format!("{{ {setup} out[{k}] = {stored}; }}\n");
        wanted.push(word);
    }
    let text = format!(
        "{enable}
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1) fn main() {{ {body} }}"
    );
    let mut data = [vec![0xdead; cases.len()]];
    launch(&text, [1, 1, 1], &mut data);
    for (k, (setup, expression, _)) in cases.iter().enumerate() {
        let (got, wanted) = (data[0][k], wanted[k]);
        assert_eq!(
            got,
            wanted,
            "{setup} {expression}: got {got:#x} ({}), wanted {wanted:#x} ({})",
            f32::from_bits(got),
            f32::from_bits(wanted)
        );
    }
}

#[test]
fn integers_wrap_and_never_trap() {
    check(
        "",
        &[
            ("var a = 0x7fffffffi; var b = 1i;", "a + b", I(i32::MIN)),
            ("var a = 5u; var b = 7u;", "a - b", U(u32::MAX - 1)),
            ("var a = 0x10001u;", "a * a", U(0x20001)),
            ("var a = -7i; var b = 2i;", "a / b", I(-3)),
            ("var a = -7i; var b = 2i;", "a % b", I(-1)),
            ("var a = 7u; var b = 0u;", "a / b", U(7)),
            ("var a = 7u; var b = 0u;", "a % b", U(0)),
            ("var a = -7i; var b = 0i;", "a / b", I(-7)),
            ("var a = -7i; var b = 0i;", "a % b", I(0)),
            ("var a = i32(-2147483648); var b = -1i;", "a / b", I(i32::MIN)),
            ("var a = i32(-2147483648); var b = -1i;", "a % b", I(0)),
            ("var a = i32(-2147483648);", "-a", I(i32::MIN)),
            ("var a = i32(-2147483648);", "abs(a)", I(i32::MIN)),
            ("var a = -5i;", "abs(a)", I(5)),
            ("var a = 5u;", "abs(a)", U(5)),
            ("var a = -5i;", "sign(a)", I(-1)),
            ("var a = -8i; var s = 1u;", "a >> s", I(-4)),
            ("var a = 0x80000000u; var s = 33u;", "a >> s", U(0x4000_0000)),
            ("var a = 1u; var s = 35u;", "a << s", U(8)),
            ("var a = 6u; var b = 3u;", "(a & b) | (a ^ 9u)", U(15)),
            ("var a = 6u;", "~a", U(!6)),
            ("var a = -1i; var b = 1i;", "a < b", B(true)),
            ("var a = 0xffffffffu; var b = 1u;", "a < b", B(false)),
            ("var a = -1i; var b = 1i;", "a >= b", B(false)),
            ("var a = 3u; var b = 3u;", "a <= b && a >= b && a == b && !(a != b)", B(true)),
            ("var a = -3i; var b = 2i;", "min(a, b) * 100 + max(a, b)", I(-298)),
            ("var a = 0xfffffff0u; var b = 2u;", "min(a, b)", U(2)),
            ("var a = -9i;", "clamp(a, -4, 4)", I(-4)),
            ("var a = 9u;", "clamp(a, 2u, 4u)", U(4)),
            ("var a = vec3(1, -2, 3); var b = vec3(4, 5, 6);", "dot(a, b)", I(12)),
        ],
    );
}

#[test]
fn bits_are_counted_found_and_moved() {
    check(
        "",
        &[
            ("var a = 0xf0u;", "countOneBits(a)", U(4)),
            ("var a = 0xf0u;", "countLeadingZeros(a)", U(24)),
            ("var a = 0u;", "countLeadingZeros(a)", U(32)),
            ("var a = 0xf0u;", "countTrailingZeros(a)", U(4)),
            ("var a = 0u;", "countTrailingZeros(a)", U(32)),
            ("var a = 1u;", "reverseBits(a)", U(0x8000_0000)),
            ("var a = 0xf0u;", "firstLeadingBit(a)", U(7)),
            ("var a = 0u;", "firstLeadingBit(a)", U(u32::MAX)),
            ("var a = -1i;", "firstLeadingBit(a)", I(-1)),
            ("var a = -17i;", "firstLeadingBit(a)", I(4)),
            ("var a = 0xf0i;", "firstLeadingBit(a)", I(7)),
            ("var a = 0xf0u;", "firstTrailingBit(a)", U(4)),
            ("var a = 0i;", "firstTrailingBit(a)", I(-1)),
            ("var a = 0xabcd1234u; var o = 8u; var c = 8u;", "extractBits(a, o, c)", U(0x12)),
            ("var a = 0xabcd1234u; var o = 28u; var c = 40u;", "extractBits(a, o, c)", U(0xa)),
            ("var a = 0xf0i; var o = 4u; var c = 4u;", "extractBits(a, o, c)", I(-1)),
            ("var a = 0xf0i; var o = 4u; var c = 0u;", "extractBits(a, o, c)", I(0)),
            (
                "var a = 0u; var b = 0xffu; var o = 4u; var c = 4u;",
                "insertBits(a, b, o, c)",
                U(0xf0),
            ),
            (
                "var a = 1u; var b = 0xffu; var o = 30u; var c = 9u;",
                "insertBits(a, b, o, c)",
                U(0xc000_0001),
            ),
            ("var a = 1u; var b = 0xffu; var o = 32u; var c = 9u;", "insertBits(a, b, o, c)", U(1)),
            ("var a = 0u; var b = 7u; var o = 0u; var c = 32u;", "insertBits(a, b, o, c)", U(7)),
        ],
    );
}

#[test]
fn conversions_follow_wgsl() {
    check(
        "",
        &[
            ("var a = -1.9;", "i32(a)", I(-1)),
            ("var a = 3e9;", "i32(a)", I(2_147_483_520)),
            ("var a = -3e9;", "i32(a)", I(i32::MIN)),
            ("var a = 1e10;", "u32(a)", U(4_294_967_040)),
            ("var a = -1.0;", "u32(a)", U(0)),
            ("var z = 0.0;", "i32(z / z)", I(0)),
            ("var a = 16777217u;", "f32(a)", F(16_777_216.0)),
            ("var a = -1i;", "u32(a)", U(u32::MAX)),
            ("var a = 7u;", "bool(a)", B(true)),
            ("var a = -0.0;", "bool(a)", B(false)),
            ("var a = true;", "f32(a)", F(1.0)),
            ("var a = true;", "u32(a)", U(1)),
            ("var a = 1.0;", "bitcast<u32>(a)", U(0x3f80_0000)),
            ("var a = vec2(1.0, 2.0);", "bitcast<vec2<u32>>(a).y", U(0x4000_0000)),
            ("var a = vec2<bool>(true, false);", "vec2<u32>(a).x + vec2<u32>(a).y * 5u", U(1)),
        ],
    );
}

#[test]
fn floats_round_compare_and_keep_denormals() {
    check(
        "",
        &[
            ("var a = 2.5;", "round(a)", F(2.0)),
            ("var a = -3.5;", "round(a)", F(-4.0)),
            ("var a = -1.5;", "floor(a) * 100.0 + ceil(a) * 10.0 + trunc(a)", F(-211.0)),
            ("var a = -1.25;", "fract(a)", F(0.75)),
            ("var a = 7.5; var b = -2.0;", "a % b", F(1.5)),
            ("var a = -7.5; var b = 2.0;", "a % b", F(-1.5)),
            ("var a = 1.0; var z = 0.0;", "a / z", F(f32::INFINITY)),
            ("var z = 0.0; var n = z / z;", "n == n || n < 1.0 || n >= 1.0", B(false)),
            ("var z = 0.0; var n = z / z;", "n != n", B(true)),
            ("var z = 0.0; var n = z / z;", "min(n, 2.0) + max(3.0, n)", F(5.0)),
            ("var z = 0.0;", "-z", F(-0.0)),
            ("var d = bitcast<f32>(3u);", "d + d", F(f32::from_bits(6))),
            ("var d = bitcast<f32>(0x00800000u);", "d * 0.5", F(f32::from_bits(0x0040_0000))),
            (
                "var a = 16777217.0; var b = 3.0;",
                "fma(a, b, -1.0)",
                F(16_777_216.0f32.mul_add(3.0, -1.0)),
            ),
            (
                "var a = 1.0 + 1.0 / 4096.0;",
                "fma(a, a, -1.0)",
                F((1.0 + 1.0 / 4096.0f32).mul_add(1.0 + 1.0 / 4096.0, -1.0)),
            ),
            ("var a = -3.0;", "abs(a) + sign(a)", F(2.0)),
            ("var a = 3.0;", "step(a, 3.0) + step(a, 2.0)", F(1.0)),
            ("var a = 1.5;", "clamp(a, 0.0, 1.0) + saturate(-a)", F(1.0)),
            ("var a = 2.0; var b = 6.0;", "mix(a, b, 0.25)", F(3.0)),
            ("var a = 2.0; var b = 6.0;", "smoothstep(a, b, 4.0)", F(0.5)),
            ("var a = 2.0; var b = 6.0;", "smoothstep(a, b, 9.0)", F(1.0)),
            ("var a = 4.0;", "sqrt(a) + inverseSqrt(a)", F(2.5)),
            ("var a = 180.0;", "radians(a)", F(180.0 * (std::f32::consts::PI / 180.0))),
            ("var a = 3.0; var n = 4i;", "ldexp(a, n)", F(48.0)),
            ("var a = -3.75;", "modf(a).fract * 100.0 + modf(a).whole", F(-78.0)),
            ("var a = -6.0;", "frexp(a).fract", F(-0.75)),
            ("var a = -6.0;", "frexp(a).exp", I(3)),
            ("var a = vec2(8.0, 0.75);", "frexp(a).exp.x * 10 + frexp(a).exp.y", I(40)),
            ("var a = vec2(8.5, 0.75);", "modf(a).fract.x + modf(a).whole.x", F(8.5)),
            ("var a = 1.0 + 1.0 / 2048.0;", "quantizeToF16(a)", F(1.0)),
            ("var a = 1.0 + 3.0 / 2048.0;", "quantizeToF16(a)", F(1.0 + 2.0 / 1024.0)),
            ("var a = vec3(1.0, 2.0, 3.0);", "any(a > vec3(2.5)) && !all(a > vec3(2.5))", B(true)),
            (
                "var a = vec3(1.0, 2.0, 3.0);",
                "select(a, -a, a > vec3(1.5)).y + select(a, -a, a > vec3(1.5)).x",
                F(-1.0),
            ),
            ("var c = true; var a = vec2(1.0, 2.0);", "select(a, a.yx, c).x", F(2.0)),
        ],
    );
}

#[test]
fn vectors_and_matrices_compute() {
    check(
        "",
        &[
            ("var a = vec3(3.0, 4.0, 12.0);", "length(a)", F(13.0)),
            ("var a = -3.0;", "length(a)", F(3.0)),
            ("var a = vec2(3.0, 4.0);", "distance(a, vec2(0.0))", F(5.0)),
            ("var a = vec2(3.0, 4.0);", "normalize(a).y", F(0.8)),
            ("var a = vec3(1.0, 2.0, 3.0); var b = vec3(4.0, 5.0, 7.0);", "cross(a, b).x", F(-1.0)),
            ("var a = vec3(1.0, 2.0, 3.0); var b = vec3(4.0, 5.0, 7.0);", "cross(a, b).y", F(5.0)),
            ("var a = vec3(1.0, 2.0, 3.0); var b = vec3(4.0, 5.0, 7.0);", "cross(a, b).z", F(-3.0)),
            ("var a = vec3(1.0, 2.0, 3.0); var b = vec3(4.0, 5.0, 7.0);", "dot(a, b)", F(35.0)),
            ("var a = vec2(1.0, -1.0); var n = vec2(0.0, 1.0);", "reflect(a, n).y", F(1.0)),
            ("var a = vec2(0.0, -1.0); var n = vec2(0.0, 1.0);", "refract(a, n, 0.5).y", F(-1.0)),
            ("var a = vec2(1.0, 0.0); var n = vec2(0.0, 1.0);", "refract(a, n, 2.0).x", F(0.0)),
            ("var a = vec2(1.0, 2.0); var n = vec2(0.0, 1.0);", "faceForward(a, n, -n).y", F(2.0)),
            ("var a = vec2(1.0, 2.0); var n = vec2(0.0, 1.0);", "faceForward(a, n, n).y", F(-2.0)),
            (
                "var a = vec4(1.0, 2.0, 3.0, 4.0);",
                "dot(a.wzyx * 2.0, vec4(1.0, 10.0, 100.0, 1000.0))",
                F(2468.0),
            ),
            (
                "var m = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); var v = vec2(10.0, 100.0);",
                "(m * v).z",
                F(630.0),
            ),
            (
                "var m = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); var v = vec3(1.0, 10.0, 100.0);",
                "(v * m).y",
                F(654.0),
            ),
            (
                "var m = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); var n = mat3x2(1.0, 0.0, 0.0, 1.0, 2.0, 3.0);",
                "(m * n)[2][1]",
                F(19.0),
            ),
            (
                "var m = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);",
                "(m * 2.0)[1].x + (m + m)[0].z",
                F(14.0),
            ),
            ("var m = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);", "transpose(m)[2][1]", F(6.0)),
            ("var m = mat2x2(1.0, 2.0, 3.0, 4.0);", "determinant(m)", F(-2.0)),
            (
                "var m = mat3x3(2.0, 0.0, 1.0, 1.0, 3.0, 2.0, 1.0, 1.0, 4.0);",
                "determinant(m)",
                F(18.0),
            ),
            (
                "var m = mat4x4(1.0, 0.0, 2.0, 0.0, 0.0, 3.0, 0.0, 1.0, 1.0, 0.0, 1.0, 2.0, 0.0, 1.0, 0.0, 1.0);",
                "determinant(m)",
                F(-2.0),
            ),
            (
                "var m = mat3x2(1.0, 2.0, 3.0, 4.0, 5.0, 6.0); var c = 2; var r = 1u;",
                "m[c][r]",
                F(6.0),
            ),
            ("var i = 2; let v = vec3(7.0, 8.0, 9.0);", "v[i]", F(9.0)),
            ("var i = 1; let a = array(7.0, 8.0, 9.0);", "a[i]", F(8.0)),
            (
                "var v = vec3(7.0, 8.0, 9.0); var i = 1; v[i] = 1.0; v.z += 3.0;",
                "v.x * 100.0 + v.y * 10.0 + v.z",
                F(722.0),
            ),
        ],
    );
}

#[test]
fn packing_and_unpacking_follow_wgsl() {
    check(
        "",
        &[
            ("var a = vec4(1.0, -1.0, 0.5, 2.0);", "pack4x8snorm(a)", U(0x7f40_817f)),
            ("var a = vec4(1.0, -1.0, 0.5, 2.0);", "pack4x8unorm(a)", U(0xff80_00ff)),
            ("var a = vec2(1.0, -1.0);", "pack2x16snorm(a)", U(0x8001_7fff)),
            ("var a = vec2(1.0, 0.5);", "pack2x16unorm(a)", U(0x8000_ffff)),
            ("var a = vec2(1.0, -2.0);", "pack2x16float(a)", U(0xc000_3c00)),
            ("var a = vec4(1, -1, 127, 300);", "pack4xI8(a)", U(0x2c7f_ff01)),
            ("var a = vec4(1u, 2u, 255u, 256u);", "pack4xU8(a)", U(0x00ff_0201)),
            ("var a = vec4(1, -1, 127, 300);", "pack4xI8Clamp(a)", U(0x7f7f_ff01)),
            ("var a = vec4(1u, 2u, 255u, 256u);", "pack4xU8Clamp(a)", U(0xffff_0201)),
            ("var a = 0x7f40817fu;", "unpack4x8snorm(a).y", F(-1.0)),
            ("var a = 0x80000000u;", "unpack4x8snorm(a).w", F(-1.0)),
            ("var a = 0xff8000ffu;", "unpack4x8unorm(a).z", F(128.0 / 255.0)),
            ("var a = 0x80017fffu;", "unpack2x16snorm(a).y", F(-1.0)),
            ("var a = 0x8000ffffu;", "unpack2x16unorm(a).x", F(1.0)),
            ("var a = 0xc0003c00u;", "unpack2x16float(a).y", F(-2.0)),
            ("var a = 0x0001u;", "unpack2x16float(a).x", F(5.960_464_5e-8)),
            ("var a = 0xfe01ff80u;", "unpack4xI8(a).x * 1000 + unpack4xI8(a).w", I(-128_002)),
            ("var a = 0xfe01ff80u;", "unpack4xU8(a).x * 1000u + unpack4xU8(a).w", U(128_254)),
            (
                "var a = 0xff02037fu; var b = 0x02040501u;",
                "dot4I8Packed(a, b)",
                I(127 + 15 + 8 - 2),
            ),
            (
                "var a = 0xff02037fu; var b = 0x02040501u;",
                "dot4U8Packed(a, b)",
                U(127 + 15 + 8 + 510),
            ),
        ],
    );
}

#[test]
fn f16_is_rounded_after_each_operation() {
    check(
        "enable f16;",
        &[
            ("var a = 2048h; var b = 1h;", "a + b", F(2048.0)),
            ("var a = 2048h; var b = 3h;", "a + b", F(2052.0)),
            ("var a = 65504h; var b = 32h;", "a + b", F(f32::INFINITY)),
            ("var a = 1h; var b = 3h;", "a / b", F(half::f16::from_f32(1.0 / 3.0).to_f32())),
            ("var a = 300h;", "a * a", F(f32::INFINITY)),
            ("var a = 2049.0;", "f16(a)", F(2048.0)),
            ("var a = 100000i;", "f16(a)", F(f32::INFINITY)),
            ("var a = 2049u;", "f16(a)", F(2048.0)),
            ("var a = -7.5h;", "i32(a)", I(-7)),
            ("var a = 6e4h; var b = 2h;", "i32(a * b)", I(65504)),
            ("var a = 2h;", "sqrt(a)", F(half::f16::from_f32(2f32.sqrt()).to_f32())),
            ("var a = 2h;", "exp(a)", F(half::f16::from_f32(2f32.exp()).to_f32())),
            ("var a = vec2<f16>(3h, 4h);", "length(a)", F(5.0)),
            (
                "var a = 1.001h;",
                "fma(a, a, -1h)",
                F(half::f16::from_f64(f64::from(half::f16::from_f32(1.001)).powi(2) - 1.0)
                    .to_f32()),
            ),
            ("var a = 1h; var b = -2h;", "min(a, b) * 10h + max(a, b)", F(-19.0)),
            ("var a = 1h;", "a < 2h && -a < a", B(true)),
            ("var m = mat2x2<f16>(1h, 2h, 3h, 4h);", "(m * vec2<f16>(10h, 1h)).y", F(24.0)),
            ("var a = true;", "f16(a)", F(1.0)),
        ],
    );
}

#[test]
fn transcendental_functions_are_near_their_real_values() {
    type Case = (&'static str, fn(f64) -> f64, &'static [f32]);
    let cases: &[Case] = &[
        ("sin(x)", f64::sin, &[0.0, 0.5, -1.5, 3.0, 100.0]),
        ("cos(x)", f64::cos, &[0.0, 0.5, -1.0, 3.0, 100.0]),
        ("tan(x)", f64::tan, &[0.0, 0.5, -1.0, 3.0]),
        ("asin(x)", f64::asin, &[0.0, 0.5, -1.0]),
        ("acos(x)", f64::acos, &[0.0, 0.5, -1.0]),
        ("atan(x)", f64::atan, &[0.0, 0.5, -100.0]),
        ("sinh(x)", f64::sinh, &[0.0, 0.5, -5.0]),
        ("cosh(x)", f64::cosh, &[0.0, 0.5, -5.0]),
        ("tanh(x)", f64::tanh, &[0.0, 0.5, -5.0]),
        ("asinh(x)", f64::asinh, &[0.0, 0.5, -5.0]),
        ("acosh(x)", f64::acosh, &[1.0, 1.5, 50.0]),
        ("atanh(x)", f64::atanh, &[0.0, 0.5, -0.9]),
        ("exp(x)", f64::exp, &[0.0, 1.0, -20.0, 80.0]),
        ("exp2(x)", f64::exp2, &[0.0, 1.5, -20.0, 100.0]),
        ("log(x)", f64::ln, &[1.0, 0.5, 1e-30, 1e30]),
        ("log2(x)", f64::log2, &[1.0, 0.5, 1e-30, 3.0]),
        ("pow(x, 2.5)", |x| x.powf(2.5), &[0.0, 0.5, 3.0, 1000.0]),
        ("atan2(x, -2.0)", |x| x.atan2(-2.0), &[0.5, -0.5, 100.0]),
        ("degrees(x)", f64::to_degrees, &[0.0, 1.0, -3.0]),
        ("inverseSqrt(x)", |x| 1.0 / x.sqrt(), &[0.5, 2.0, 1e-20]),
    ];
    for (expression, exact, inputs) in cases {
        let text = format!(
            "@group(0) @binding(0) var<storage> x_in: array<f32>;
             @group(0) @binding(1) var<storage, read_write> out: array<f32>;
             @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {{
                 if i < arrayLength(&out) {{ let x = x_in[i]; out[i] = {expression}; }}
             }}"
        );
        let mut data = [bits(inputs), vec![0; inputs.len()]];
        launch(&text, [1, 1, 1], &mut data);
        for (x, got) in inputs.iter().zip(floats(&data[1])) {
            let wanted = exact(f64::from(*x));
            let error = (f64::from(got) - wanted).abs();
            assert!(error <= 3e-7 * wanted.abs().max(1e-9), "{expression} of {x}: {got} {wanted}");
        }
    }
}

#[test]
fn built_in_values_count_as_wgsl_says() {
    let text = "
        struct In { @builtin(local_invocation_id) l: vec3<u32>, @builtin(local_invocation_index) i: u32 }
        @compute @workgroup_size(2, 3, 4)
        fn main(in: In, @builtin(num_workgroups) n: vec3<u32>, @builtin(workgroup_id) w: vec3<u32>,
                @builtin(global_invocation_id) g: vec3<u32>) {
            let group = w.x + n.x * (w.y + n.y * w.z);
            out[group * 24u + in.i] = in.l.x + 10u * in.l.y + 100u * in.l.z + 1000u * g.x + 10000u * g.y + 100000u * g.z;
        }";
    let text = format!("@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n{text}");
    let grid = [2, 2, 2];
    let mut data = [vec![0; 24 * 8]];
    launch(&text, grid, &mut data);
    for (at, &got) in data[0].iter().enumerate() {
        let (group, i) = (at as u32 / 24, at as u32 % 24);
        let local = [i % 2, i / 2 % 3, i / 6];
        let id = [group % 2, group / 2 % 2, group / 4];
        let global = [id[0] * 2 + local[0], id[1] * 3 + local[1], id[2] * 4 + local[2]];
        let wanted = local[0]
            + 10 * local[1]
            + 100 * local[2]
            + 1000 * global[0]
            + 10_000 * global[1]
            + 100_000 * global[2];
        assert_eq!(got, wanted, "{at}");
    }
}

#[test]
fn a_value_that_is_assigned_later_is_the_old_one() {
    let text = "@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
        var a = vec2(i, 100u + i);
        let old = a;
        a = a.yx;
        if i > 1u { a.x = old.x; }
        for (var k = 0u; k < 2u; k++) { let b = a.x; a.x += 1u; a.y += b; }
        out[i] = a.x * 1000u + a.y + old.y * 1000000u;
    }";
    let wanted: Vec<u32> = (0..4u32)
        .map(|i| {
            let old = [i, 100 + i];
            let mut a = [old[1], old[0]];
            if i > 1 {
                a[0] = old[0];
            }
            for _ in 0..2 {
                let b = a[0];
                a[0] += 1;
                a[1] += b;
            }
            a[0] * 1000 + a[1] + old[1] * 1_000_000
        })
        .collect();
    assert_eq!(output(text, 4), wanted);
}
