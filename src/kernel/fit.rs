//! Whether what a launch gives fits a binding's WGSL layout.
//!
//! Elements of a buffer fit when they lie as far apart as WGSL's, or are the scalar that a WGSL
//! element without padding is made of, or are bytes. A value fits when it ends where the WGSL type
//! does, with or without the padding at its end. Every message names the remedy.

use std::any::TypeId;

use super::signature::{Binding, ScalarType};
use super::value_type::ValueType;
use crate::error::{Error, Result};

/// A Rust element type, as far as a layout cares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RustType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) size: u64,
}

fn wrong(binding: &Binding, problem: String) -> Result<()> {
    Err(Error::Binding { name: binding.name.clone(), problem })
}

/// Whether buffers of this Rust element type may be bound.
pub(crate) fn check_element(binding: &Binding, rust: RustType) -> Result<()> {
    if rust.id == TypeId::of::<u8>() {
        return Ok(());
    }
    let layout = &binding.layout;
    let rust_float = [TypeId::of::<f32>(), TypeId::of::<half::f16>(), TypeId::of::<f64>()];
    let rust_integer = [TypeId::of::<i32>(), TypeId::of::<u32>()];
    let is_float = rust_float.contains(&rust.id);
    let fits = match layout.scalar {
        // A lone scalar must be of the right kind; i32 and u32 are the same bits.
        Some(scalar) if is_float || rust_integer.contains(&rust.id) => {
            is_float == scalar.is_float() && rust.size == scalar.size()
        }
        _ => rust.size == layout.stride && rust.id != TypeId::of::<f64>(),
    };
    if fits {
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

/// What to bind instead.
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

/// Whether a buffer of so many bytes may be bound: it holds at least one element of a
/// runtime-sized array, or all of any other type, and no more elements than WGSL can count. Bytes
/// at the end that make no whole element are allowed and not used.
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

/// Whether a Rust value of so many bytes may be the value of a uniform or an immediate.
pub(crate) fn check_value(binding: &Binding, given: u64, rust: &str) -> Result<()> {
    let ty = &binding.value_type;
    // Trailing padding of nested structs may be there or not, so sizes between are possible too.
    if given >= ty.used_size() && given <= ty.size() {
        return Ok(());
    }
    let fields = ty.describe();
    let shown = if fields.is_empty() { String::new() } else { format!(":\n{fields}") };
    wrong(
        binding,
        format!(
            "the value ({rust}) has {}, and {ty} has {}; lay it out as WGSL does{shown}",
            bytes(given),
            ty.size()
        ),
    )
}

impl ScalarType {
    fn is_float(self) -> bool {
        matches!(self, ScalarType::F32 | ScalarType::F16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    /// The binding `v` of a kernel that does with it what `used` says.
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
        let rust = RustType {
            id: TypeId::of::<T>(),
            name: std::any::type_name::<T>(),
            size: size_of::<T>() as u64,
        };
        let structs = "struct Cell { at: vec3<f32>, kind: u32 } struct Pair { a: f32, b: f32 }";
        check_element(
            &binding(structs, "storage, read_write", &format!("array<{ty}>"), "arrayLength(&v)"),
            rust,
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

    #[test]
    fn values_end_where_the_wgsl_type_does() {
        let structs = "struct Grid { size: vec2<u32>, dir: vec3<f32> }";
        let grid = binding(structs, "uniform", "Grid", "v");
        for (given, fits) in [(12, false), (20, false), (28, true), (32, true), (36, false)] {
            assert_eq!(check_value(&grid, given, "G").is_ok(), fits, "{given}");
        }
        let problem = check_value(&grid, 20, "app::G").unwrap_err().to_string();
        assert!(
            problem.contains(
                "the value (app::G) has 20 bytes, and Grid has 32; lay it out as WGSL does:\n  \
                 offset   0,   8 bytes: size: vec2<u32>\n  offset  16,  12 bytes: dir: vec3<f32>"
            ),
            "{problem}"
        );
        let table = binding("", "uniform", "array<vec4<f32>, 3>", "v");
        assert!(check_value(&table, 48, "T").is_ok() && check_value(&table, 16, "T").is_err());
        let number = binding("", "uniform", "f32", "v");
        assert!(check_value(&number, 4, "f32").is_ok() && check_value(&number, 8, "f64").is_err());
    }
}
