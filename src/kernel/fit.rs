//! Checks that the arguments of a launch fit the WGSL layouts of their bindings.
//!
//! A Rust type is described by its name and size ([`RustType`]). A number or an array of numbers is
//! compared with the WGSL type in kind, size and rows; any other type only in size. The elements of
//! a buffer fit if their stride is that of the WGSL elements, or if they are the scalar that a WGSL
//! element without padding consists of, or bytes. A value fits if it ends where the WGSL type does,
//! with or without the padding at its end. Every message names the remedy.

use super::scalar_type::ScalarType;
use super::signature::Binding;
use super::value_type::ValueType;
use crate::error::{Error, Result};

/// A Rust type, as far as layouts depend on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RustType {
    name: &'static str,
    size: u64,
}

impl RustType {
    pub(crate) fn of<T>() -> RustType {
        RustType { name: std::any::type_name::<T>(), size: size_of::<T>() as u64 }
    }

    /// The numbers that the type consists of, if it is a number or an array of numbers.
    ///
    /// Only the name gives the element type of an array for every `T`. Rust does not promise the
    /// form of type names, so a type whose name is not understood is compared only in size. Structs
    /// are such types, and so are bytes, which may hold any data.
    fn numbers(self) -> Option<Numbers> {
        let (mut element, mut bytes) = (self.name, self.size);
        let mut strides = Vec::new();
        while let Some(array) = element.strip_prefix('[') {
            let (inner, count) = array.strip_suffix(']')?.rsplit_once("; ")?;
            bytes = bytes.checked_div(count.parse().ok()?)?;
            strides.push(bytes);
            element = inner;
        }
        let float = match element {
            "f32" | "f64" => true,
            "i16" | "u16" | "i32" | "u32" | "i64" | "u64" | "isize" | "usize" => false,
            name if name == std::any::type_name::<half::f16>() => true,
            _ => return None,
        };
        Some(Numbers { float, size: bytes, strides })
    }

    /// Whether the type may be given for a WGSL type with these scalars, as far as is known.
    fn agrees(self, ty: &ValueType, scalars: &[(u64, ScalarType)]) -> bool {
        let Some(numbers) = self.numbers() else { return true };
        let mut known = vec![self.size];
        let rows = numbers.strides.split_last().map_or(&[][..], |(_, rows)| rows);
        (scalars.iter().all(|(_, scalar)| numbers.are(*scalar)) || numbers.are_words_of(scalars))
            && (!strides(ty, &mut known) || rows.iter().all(|row| known.contains(row)))
    }
}

/// A number or an array of numbers.
struct Numbers {
    float: bool,
    /// Bytes of a number.
    size: u64,
    /// Bytes from one element to the next, those of the outermost array first.
    strides: Vec<u64>,
}

impl Numbers {
    /// Whether they may be given for a WGSL scalar. `i32` and `u32` are the same bits, a wider
    /// integer is several words, and 16-bit integers may hold the bits of `f16` in a program
    /// without a type for it.
    fn are(&self, scalar: ScalarType) -> bool {
        match scalar {
            ScalarType::F32 => self.float && self.size == 4,
            ScalarType::F16 => self.size == 2,
            ScalarType::I32 | ScalarType::U32 => !self.float && self.size.is_multiple_of(4),
        }
    }

    /// Whether they are integers that hold the words of a type with scalars of several kinds.
    fn are_words_of(&self, scalars: &[(u64, ScalarType)]) -> bool {
        let is_mixed = scalars.iter().any(|(_, scalar)| *scalar != scalars[0].1);
        is_mixed && self.are(ScalarType::U32)
    }
}

/// Adds the strides of a type's arrays and columns. Returns false for a type with structs, since an
/// array may cover several of their fields.
fn strides(ty: &ValueType, known: &mut Vec<u64>) -> bool {
    match ty {
        ValueType::Scalar(_) | ValueType::Vector { .. } => true,
        ValueType::Matrix { column_stride, .. } => {
            known.push(*column_stride);
            true
        }
        ValueType::Array { element, stride, .. } => {
            known.push(*stride);
            strides(element, known)
        }
        ValueType::Struct { .. } => false,
    }
}

fn wrong(binding: &Binding, problem: String) -> Result<()> {
    Err(Error::Binding { name: binding.name.clone(), problem })
}

/// Whether buffers of this Rust element type may be bound.
pub(crate) fn check_element(binding: &Binding, rust: RustType) -> Result<()> {
    if rust.name == "u8" {
        return Ok(());
    }
    let layout = &binding.layout;
    let one_number = rust.numbers().is_some_and(|numbers| numbers.strides.is_empty());
    let one_scalar = one_number && layout.scalar.is_some_and(|s| s.size() == rust.size);
    let sized = rust.size == layout.stride || one_scalar;
    if sized && rust.agrees(binding.value_type.element(), &binding.element_scalars) {
        return Ok(());
    }
    wrong(
        binding,
        format!(
            "the buffer's elements are {} of {}, and WGSL's are {} with a stride of {}; {}",
            rust.name,
            bytes(rust.size),
            layout.element_name,
            bytes(layout.stride),
            remedy(binding)
        ),
    )
}

fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// The types that may be bound instead.
fn remedy(binding: &Binding) -> String {
    let layout = &binding.layout;
    let element = binding.value_type.element();
    let array = match &element {
        ValueType::Vector { scalar, .. } | ValueType::Matrix { scalar, .. } => {
            Some(format!("[{scalar}; {}]", layout.stride / scalar.size()))
        }
        _ => None,
    };
    match (layout.scalar, array) {
        (Some(scalar), None) if layout.stride == scalar.size() => format!("use {scalar}"),
        (Some(scalar), Some(array)) => format!("use {array}, or a buffer of {scalar}"),
        (Some(scalar), None) => {
            format!("use a type of {} bytes, or a buffer of {scalar}", layout.stride)
        }
        (None, Some(array)) => format!("pad to {array}"),
        (None, None) => {
            let fields = element.describe();
            let shown = if fields.is_empty() { String::new() } else { format!(":\n{fields}") };
            format!("use a #[repr(C)] type of {} bytes, padded as WGSL does{shown}", layout.stride)
        }
    }
}

/// Whether a buffer of `given` bytes may be bound: it holds at least one element of a runtime-sized
/// array, or all of any other type, and no more elements than WGSL can count. Bytes at the end that
/// make no whole element are allowed and not used.
pub(crate) fn check_buffer(binding: &Binding, given: u64) -> Result<()> {
    let layout = &binding.layout;
    let least = layout.min_bytes();
    if given < least {
        let header = match layout.header {
            0 => String::new(),
            header => format!("{} before the array and ", bytes(header)),
        };
        let parts = match layout.count {
            None => format!(
                " ({header}at least one element of {}, {})",
                layout.element_name,
                bytes(layout.stride)
            ),
            Some(_) => String::new(),
        };
        return wrong(
            binding,
            format!(
                "the buffer has {}, and {} needs at least {least}{parts}; bind a larger buffer",
                bytes(given),
                binding.type_name
            ),
        );
    }
    if layout.elements(given) > u64::from(u32::MAX) {
        return wrong(
            binding,
            format!(
                "the buffer has {} elements, and WGSL indices reach 2^32 - 1; bind a part of it",
                layout.elements(given)
            ),
        );
    }
    Ok(())
}

/// Whether a Rust value of this type may be the value of a uniform or an immediate.
pub(crate) fn check_value(binding: &Binding, rust: RustType) -> Result<()> {
    let ty = &binding.value_type;
    // Trailing padding of nested structs may be there or not, so sizes between are possible too.
    let sized = (ty.used_size()..=ty.size()).contains(&rust.size);
    if sized && rust.agrees(ty, &binding.element_scalars) {
        return Ok(());
    }
    let sizes = if sized {
        format!("the value is {}, and WGSL's is {ty}", rust.name)
    } else {
        let given = bytes(rust.size);
        format!("the value ({}) has {given}, and {ty} has {}", rust.name, ty.size())
    };
    let remedy = rust_form(ty).map_or_else(|| laid_out(ty), |form| format!("use {form}"));
    wrong(binding, format!("{sizes}; {remedy}"))
}

/// Whether `given` bytes hold the value of a uniform or an immediate. Bytes beyond its end are
/// ignored.
pub(crate) fn check_value_bytes(binding: &Binding, given: u64) -> Result<()> {
    let ty = &binding.value_type;
    if given >= ty.used_size() {
        return Ok(());
    }
    let (given, needed) = (bytes(given), ty.size());
    wrong(binding, format!("the value has {given}, and {ty} needs {needed}; {}", laid_out(ty)))
}

fn laid_out(ty: &ValueType) -> String {
    let fields = ty.describe();
    let shown = if fields.is_empty() { String::new() } else { format!(":\n{fields}") };
    format!("lay it out as WGSL does{shown}")
}

/// The Rust type of numbers that has the layout of the WGSL type, if there is one.
fn rust_form(ty: &ValueType) -> Option<String> {
    let row = |scalar: &ScalarType, bytes: u64| format!("[{scalar}; {}]", bytes / scalar.size());
    match ty {
        ValueType::Scalar(scalar) => Some(scalar.to_string()),
        ValueType::Vector { scalar, .. } => Some(row(scalar, ty.size())),
        ValueType::Matrix { scalar, columns, column_stride, .. } => {
            Some(format!("[{}; {columns}]", row(scalar, *column_stride)))
        }
        ValueType::Array { element, count, stride } => {
            let element = match &**element {
                ValueType::Scalar(scalar) | ValueType::Vector { scalar, .. }
                    if element.size() < *stride =>
                {
                    row(scalar, *stride)
                }
                packed => rust_form(packed)?,
            };
            Some(format!("[{element}; {}]", (*count)?))
        }
        ValueType::Struct { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    /// The binding `v` of a kernel that evaluates the expression `used`.
    fn binding(declarations: &str, space: &str, ty: &str, used: &str) -> Binding {
        let text = format!(
            "enable f16; {declarations}
            @group(0) @binding(0) var<{space}> v: {ty};
            @compute @workgroup_size(1) fn main() {{ let keep = {used}; }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"));
        kernel.signature().bindings[0].clone()
    }

    fn element<T: 'static>(ty: &str) -> Result<()> {
        let structs = "struct Cell { at: vec3<f32>, kind: u32 } struct Pair { a: f32, b: f32 }";
        check_element(
            &binding(structs, "storage, read_write", &format!("array<{ty}>"), "arrayLength(&v)"),
            RustType::of::<T>(),
        )
    }

    #[test]
    fn elements_that_fit() {
        element::<f32>("f32").unwrap();
        element::<i32>("u32").unwrap();
        element::<u32>("atomic<i32>").unwrap();
        element::<half::f16>("f16").unwrap();
        element::<[f32; 4]>("vec4<f32>").unwrap();
        element::<f32>("vec4<f32>").unwrap();
        element::<f32>("mat2x2<f32>").unwrap();
        element::<[f32; 4]>("vec3<f32>").unwrap();
        element::<[u32; 4]>("Cell").unwrap();
        element::<f32>("Pair").unwrap();
        element::<[f32; 2]>("Pair").unwrap();
        element::<u8>("Cell").unwrap();
        element::<u64>("vec2<u32>").unwrap();
        element::<[i32; 8]>("array<u32, 8>").unwrap();
        element::<[[f32; 4]; 3]>("mat3x3<f32>").unwrap();
        element::<u16>("f16").unwrap();
        element::<[half::f16; 2]>("vec2<f16>").unwrap();
    }

    #[test]
    fn elements_that_do_not_fit_say_what_would() {
        for (result, part) in [
            (
                element::<u32>("f32"),
                "u32 of 4 bytes, and WGSL's are f32 with a stride of 4 bytes; use f32",
            ),
            (element::<f32>("i32"), "use i32"),
            (element::<f32>("f16"), "use f16"),
            (element::<f64>("f32"), "f64 of 8 bytes"),
            (element::<f64>("vec2<f32>"), "use [f32; 2], or a buffer of f32"),
            (
                element::<[f32; 3]>("vec3<f32>"),
                "[f32; 3] of 12 bytes, and WGSL's are vec3<f32> with a stride of 16 bytes; pad to [f32; 4]",
            ),
            (element::<f32>("vec3<f32>"), "pad to [f32; 4]"),
            (element::<[f32; 9]>("mat3x3<f32>"), "pad to [f32; 12]"),
            (
                element::<[f32; 3]>("Cell"),
                "of 16 bytes, padded as WGSL does:\n  offset   0,  12 bytes: at: vec3<f32>\n  offset  12,   4 bytes: kind: u32",
            ),
            (element::<f64>("Cell"), "padded as WGSL does"),
            (element::<[f32; 4]>("Cell"), "padded as WGSL does"),
            (element::<[f32; 4]>("vec4<u32>"), "use [u32; 4], or a buffer of u32"),
            (element::<[u32; 4]>("vec3<f32>"), "pad to [f32; 4]"),
            (element::<[[f32; 4]; 2]>("mat4x2<f32>"), "use [f32; 8], or a buffer of f32"),
            (element::<[u16; 2]>("f32"), "use f32"),
            (element::<[f32; 3]>("Pair"), "use a type of 8 bytes, or a buffer of f32"),
        ] {
            let problem = result.unwrap_err().to_string();
            assert!(problem.starts_with("binding `v`: ") && problem.contains(part), "{problem}");
        }
    }

    #[test]
    fn buffers_need_room_for_one_element_and_may_have_a_spare_tail() {
        let whole = "struct W { n: u32, rest: array<vec2<f32>> }";
        let runtime = binding(whole, "storage", "W", "arrayLength(&v.rest)");
        for (given, fits) in [(0, false), (8, false), (15, false), (16, true), (17, true)] {
            assert_eq!(check_buffer(&runtime, given).is_ok(), fits, "{given}");
        }
        let problem = check_buffer(&runtime, 9).unwrap_err().to_string();
        assert!(
            problem.contains(
                "9 bytes, and W needs at least 16 (8 bytes before the array and at least one \
                 element of vec2<f32>, 8 bytes)"
            ),
            "{problem}"
        );
        let fixed = binding("", "storage", "array<f32, 4>", "v");
        assert!(check_buffer(&fixed, 16).is_ok() && check_buffer(&fixed, 20).is_ok());
        let problem = check_buffer(&fixed, 12).unwrap_err().to_string();
        assert!(problem.contains("array<f32, 4> needs at least 16"), "{problem}");
        let many = binding("", "storage", "array<u32>", "arrayLength(&v)");
        assert!(check_buffer(&many, 4 * u64::from(u32::MAX)).is_ok());
        assert!(
            check_buffer(&many, 1 << 34).unwrap_err().to_string().contains("4294967296 elements")
        );
    }

    /// A Rust type whose contents are unknown.
    #[repr(C)]
    struct Opaque<const BYTES: usize>([i8; BYTES]);

    #[test]
    fn values_end_where_the_wgsl_type_does() {
        let structs = "struct Grid { size: vec2<u32>, dir: vec3<f32> }";
        let grid = binding(structs, "uniform", "Grid", "v");
        let fits = |rust: RustType| check_value(&grid, rust).is_ok();
        assert!(!fits(RustType::of::<Opaque<12>>()) && !fits(RustType::of::<Opaque<20>>()));
        assert!(fits(RustType::of::<Opaque<28>>()) && fits(RustType::of::<Opaque<32>>()));
        assert!(!fits(RustType::of::<Opaque<36>>()));
        let problem = check_value(&grid, RustType::of::<Opaque<20>>()).unwrap_err().to_string();
        assert!(
            problem.contains(
                "Opaque<20>) has 20 bytes, and Grid has 32; lay it out as WGSL does:\n  \
                 offset   0,   8 bytes: size: vec2<u32>\n  offset  16,  12 bytes: dir: vec3<f32>"
            ),
            "{problem}"
        );
        for (given, fits) in [(27, false), (28, true), (32, true), (256, true)] {
            assert_eq!(check_value_bytes(&grid, given).is_ok(), fits, "{given}");
        }
    }

    fn value<T>(ty: &str) -> Result<()> {
        let structs = "struct Cell { at: vec3<f32>, kind: u32 } struct Pair { a: f32, b: f32 }";
        check_value(&binding(structs, "uniform", ty, "v"), RustType::of::<T>())
    }

    #[test]
    fn values_of_numbers_are_of_wgsl_s_kind_and_rows() {
        value::<f32>("f32").unwrap();
        value::<i32>("u32").unwrap();
        value::<[i32; 2]>("vec2<u32>").unwrap();
        value::<u64>("vec2<u32>").unwrap();
        value::<[f32; 3]>("vec3<f32>").unwrap();
        value::<half::f16>("f16").unwrap();
        value::<[u16; 2]>("vec2<f16>").unwrap();
        value::<[[f32; 4]; 3]>("mat3x3<f32>").unwrap();
        value::<[f32; 16]>("mat4x4<f32>").unwrap();
        value::<[[f32; 2]; 4]>("mat4x2<f32>").unwrap();
        value::<[[[f32; 2]; 2]; 4]>("array<mat2x2<f32>, 4>").unwrap();
        value::<[[f32; 4]; 300]>("array<vec4<f32>, 300>").unwrap();
        value::<[[f32; 4]; 2]>("array<mat2x2<f32>, 2>").unwrap();
        value::<[f32; 2]>("Pair").unwrap();
        value::<[u32; 4]>("Cell").unwrap();
        value::<[u8; 8]>("Pair").unwrap();
        for (result, part) in [
            (value::<i32>("f32"), "the value is i32, and WGSL's is f32; use f32"),
            (value::<f32>("u32"), "the value is f32, and WGSL's is u32; use u32"),
            (value::<usize>("u32"), "the value (usize) has 8 bytes, and u32 has 4; use u32"),
            (value::<f64>("f32"), "the value (f64) has 8 bytes, and f32 has 4; use f32"),
            (value::<f64>("vec2<f32>"), "use [f32; 2]"),
            (value::<[u32; 4]>("vec4<f32>"), "use [f32; 4]"),
            (value::<[u32; 2]>("Pair"), "lay it out as WGSL does:\n  offset   0"),
            (value::<[f32; 4]>("Cell"), "offset  12,   4 bytes: kind: u32"),
            (value::<[f32; 9]>("mat3x3<f32>"), "use [[f32; 4]; 3]"),
            (value::<[[f32; 4]; 2]>("mat4x2<f32>"), "use [[f32; 2]; 4]"),
            (value::<[[i32; 4]; 3]>("array<vec3<f32>, 3>"), "use [[f32; 4]; 3]"),
            (value::<[[f32; 3]; 4]>("array<vec4<f32>, 3>"), "use [[f32; 4]; 3]"),
            (value::<[f32; 0]>("f32"), "has 0 bytes, and f32 has 4"),
        ] {
            let problem = result.unwrap_err().to_string();
            assert!(problem.starts_with("binding `v`: ") && problem.contains(part), "{problem}");
        }
    }
}
