//! Calls with constant arguments, which naga evaluates while it parses, against the same calls at
//! run time.

use std::collections::BTreeSet;

use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::super::{CpuDevice, CpuOptions};
use super::launch_on;
use crate::device::Engine;

/// Absolute values of the arguments, around the points at which functions change their method.
const FLOATS: [f64; 32] = [
    0.0,
    1e-15,
    1e-7,
    0.001,
    0.1,
    0.25,
    0.3,
    0.5,
    0.7,
    0.9,
    0.9375,
    0.95,
    0.99,
    0.999,
    0.999_9,
    0.999_999_9,
    1.0,
    1.000_001,
    1.25,
    1.5,
    2.0,
    2.5,
    3.0,
    std::f64::consts::PI,
    7.5,
    10.0,
    50.5,
    88.0,
    1000.0,
    65504.0,
    1e9,
    1e15,
];
const INTEGERS: [i64; 14] = [0, 1, 2, 3, 5, 7, 31, 32, 33, 127, 128, 255, 0x1234_5678, 0x7fff_ffff];

const OF_FLOATS: [&str; 3] = [
    "abs acos acosh asin asinh atan atanh ceil cos cosh degrees exp exp2 floor fract \
        inverseSqrt log log2 quantizeToF16 radians round saturate sign sin sinh sqrt tan tanh trunc i32 u32 f32 f16 \
        bool",
    "atan2 max min pow step",
    "clamp fma mix smoothstep",
];
const OF_VECTORS: [&str; 3] = ["length normalize", "cross distance dot reflect", "faceForward"];
const OF_INTEGERS: [&str; 3] = [
    "abs countLeadingZeros countOneBits countTrailingZeros firstLeadingBit \
        firstTrailingBit reverseBits sign bitcast<f32> unpack4x8snorm unpack4xU8 i32 u32 f32 f16 \
        bool",
    "max min dot4I8Packed dot4U8Packed",
    "clamp extractBits",
];

/// A call: the function, and the type and the text of its arguments.
struct Call {
    function: &'static str,
    ty: String,
    arguments: Vec<String>,
}

impl Call {
    /// A block that stores the results of the call with constants, and with variables. For a vector
    /// it stores the second component.
    fn block(&self, k: usize) -> String {
        let Call { function, ty, arguments } = self;
        let constants = arguments.join(", ");
        let (mut declared, mut variables) = (String::new(), Vec::new());
        for (i, argument) in arguments.iter().enumerate() {
            declared += &format!("var a{i}: {ty} = {argument}; ");
            variables.push(format!("a{i}"));
        }
        let vector = ["normalize", "cross", "reflect", "faceForward"].contains(function)
            || function.starts_with("unpack");
        let part = if vector { ".y" } else { "" };
        let kept = |arguments: &str| format!("f32({function}({arguments}){part})");
        format!(
            "{{ {declared} out[{}] = {}; out[{}] = {}; }}\n",
            2 * k,
            kept(&constants),
            2 * k + 1,
            kept(&variables.join(", "))
        )
    }
}

fn kernel(body: &str) -> String {
    format!(
        "enable f16;
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(1) fn main() {{ {body} }}"
    )
}

fn is_valid(text: &str) -> bool {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    naga::front::wgsl::parse_str(text).is_ok_and(|module| validator.validate(&module).is_ok())
}

/// Compares calls of each function with constants and at run time, to a few units of the type's
/// precision. Calls that naga refuses, as out of the function's domain, are left out. Returns the
/// functions that accepted any arguments.
fn compare(
    functions: &'static str,
    ty: &str,
    count: usize,
    values: &[String],
    precision: f64,
) -> BTreeSet<&'static str> {
    let options =
        CpuOptions { threads: Some(1), engine: Engine::Interpreter, ..CpuOptions::default() };
    let device = CpuDevice::new(options).unwrap();
    let mut compared = BTreeSet::new();
    for function in functions.split_whitespace() {
        // Values near each other, and far apart.
        let places = (0..values.len()).flat_map(|i| [[i, i + 1, i + 3], [i, 7 * i + 5, 3 * i + 1]]);
        let each = places.step_by(if count == 1 { 2 } else { 1 }).map(|places| Call {
            function,
            ty: ty.to_owned(),
            arguments: places[..count].iter().map(|&i| values[i % values.len()].clone()).collect(),
        });
        let calls: Vec<Call> = each.filter(|call| is_valid(&kernel(&call.block(0)))).collect();
        if calls.is_empty() {
            continue;
        }
        compared.insert(function);
        let body: String = calls.iter().enumerate().map(|(k, call)| call.block(k)).collect();
        let mut data = [vec![0u32; 2 * calls.len()]];
        launch_on(&device, &kernel(&body), [1, 1, 1], &mut data, 1 << 20).unwrap();
        for (call, words) in calls.iter().zip(data[0].chunks(2)) {
            let [constant, at_run_time] =
                [words[0], words[1]].map(|word| f64::from(f32::from_bits(word)));
            let near = (constant - at_run_time).abs() <= 4.0 * precision * at_run_time.abs();
            assert!(
                near || constant == at_run_time || constant.is_nan() && at_run_time.is_nan(),
                "{function}({}) is {constant} as a constant, and {at_run_time} at run time",
                call.arguments.join(", ")
            );
        }
    }
    compared
}

/// The finite values of the type, as WGSL literals.
fn literals(suffix: &str, round: fn(f64) -> f64) -> Vec<String> {
    let signed = FLOATS.iter().flat_map(|&x| [x, -x]).map(round).filter(|x| x.is_finite());
    signed.map(|x| format!("({x:?}{suffix})")).collect()
}

/// Compares functions of one argument, of two, and so on.
fn compare_all(
    of: &[&'static str],
    ty: &str,
    values: &[String],
    precision: f64,
) -> BTreeSet<&'static str> {
    let numbered = of.iter().zip(1..);
    numbered
        .flat_map(|(functions, count)| compare(functions, ty, count, values, precision))
        .collect()
}

fn vectors(values: &[String]) -> Vec<String> {
    values.windows(3).map(|v| format!("vec3({}, {}, {})", v[0], v[1], v[2])).collect()
}

fn names(of: &[&'static str]) -> BTreeSet<&'static str> {
    of.iter().flat_map(|functions| functions.split_whitespace()).collect()
}

#[test]
fn calls_with_constants_of_f32_give_what_they_give_at_run_time() {
    let values = literals("f", |x| f64::from(x as f32));
    let precision = f64::from(f32::EPSILON);
    assert_eq!(compare_all(&OF_FLOATS, "f32", &values, precision), names(&OF_FLOATS));
    let compared = compare_all(&OF_VECTORS, "vec3<f32>", &vectors(&values), precision);
    assert_eq!(compared, names(&OF_VECTORS));
}

/// Without vectors: a sum cancels in f32 where it does not in f64.
#[test]
fn calls_with_numbers_without_a_type_give_what_they_give_at_run_time() {
    let values = literals("", |x| f64::from(x as f32));
    compare_all(&OF_FLOATS, "f32", &values, f64::from(f32::EPSILON));
}

#[test]
fn calls_with_constants_of_f16_give_what_they_give_at_run_time() {
    let values = literals("h", |x| half::f16::from_f64(x).to_f64());
    let precision = half::f16::EPSILON.to_f64();
    compare_all(&OF_FLOATS, "f16", &values, precision);
    compare_all(&OF_VECTORS, "vec3<f16>", &vectors(&values), precision);
}

#[test]
fn calls_with_constant_integers_give_what_they_give_at_run_time() {
    let mut compared = BTreeSet::new();
    for (ty, suffix) in [("i32", "i"), ("u32", "u")] {
        let values = INTEGERS.iter().flat_map(|&n| [n, -n]).filter(|&n| n >= 0 || ty == "i32");
        let values: Vec<String> = values.map(|n| format!("({n}{suffix})")).collect();
        compared.extend(compare_all(&OF_INTEGERS, ty, &values, 0.0));
    }
    assert_eq!(compared, names(&OF_INTEGERS));
}
