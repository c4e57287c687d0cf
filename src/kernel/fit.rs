//! Whether what a launch gives fits a binding's WGSL layout.

use std::any::TypeId;

use super::signature::{Binding, ScalarType};
use crate::error::{Error, Result};

/// A Rust element type, as far as a layout cares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RustType {
    pub(crate) id: TypeId,
    pub(crate) name: &'static str,
    pub(crate) size: u64,
}

/// A Rust element fits when it has the WGSL element's stride, or is the scalar that a WGSL
/// element without padding is made of, or is a byte.
pub(crate) fn check_element(binding: &Binding, rust: RustType) -> Result<()> {
    let layout = &binding.layout;
    let wrong = |remedy: String| {
        Err(Error::Binding {
            name: binding.name.clone(),
            problem: format!(
                "its WGSL element is {}, {} bytes apart, and the buffer's is {} of {} bytes; {remedy}",
                layout.element_name, layout.stride, rust.name, rust.size
            ),
        })
    };
    if rust.id == TypeId::of::<u8>() {
        return Ok(());
    }
    let float = if rust.id == TypeId::of::<f32>() || rust.id == TypeId::of::<half::f16>() {
        Some(true)
    } else if rust.id == TypeId::of::<i32>() || rust.id == TypeId::of::<u32>() {
        Some(false)
    } else {
        None
    };
    if let (Some(float), Some(scalar)) = (float, layout.scalar) {
        let wanted = matches!(scalar, ScalarType::F32 | ScalarType::F16);
        if float != wanted || rust.size != scalar.size() {
            return wrong(format!("use a buffer of {scalar}"));
        }
        return Ok(());
    }
    if rust.size == layout.stride {
        return Ok(());
    }
    wrong(format!("use an element type of {} bytes, with WGSL's padding", layout.stride))
}

/// A buffer must hold at least one element.
pub(crate) fn check_buffer(binding: &Binding, bytes: u64) -> Result<()> {
    let least = binding.layout.min_bytes();
    if bytes >= least {
        return Ok(());
    }
    Err(Error::Binding {
        name: binding.name.clone(),
        problem: format!(
            "the buffer has {bytes} bytes, and {} needs at least {least}",
            binding.type_name
        ),
    })
}

/// A value must have the type's size, with or without the padding at its end.
pub(crate) fn check_value(binding: &Binding, bytes: u64, rust: &str) -> Result<()> {
    let layout = &binding.layout;
    if bytes == layout.whole_bytes() || bytes == layout.min_bytes() {
        return Ok(());
    }
    Err(Error::Binding {
        name: binding.name.clone(),
        problem: format!(
            "the value ({rust}) has {bytes} bytes, and {} has {}; lay the fields out as WGSL does",
            binding.type_name,
            layout.whole_bytes()
        ),
    })
}
