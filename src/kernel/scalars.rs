//! A type as a list of scalars and their offsets, to compare or show values.

use naga::{ArraySize, Handle, ScalarKind, Type, TypeInner};

use super::scalar_type::ScalarType;
use super::signature::MOST_SCALARS;

/// Scalars with their offsets in bytes.
type Placed = Vec<(u64, ScalarType)>;

/// The scalars of the members of a struct before its runtime-sized array, and those of the
/// element; of any other type no header. Offsets are in bytes from the start of each.
pub(super) fn scalars(module: &naga::Module, ty: Handle<Type>) -> (Placed, Placed) {
    let (mut header, mut element) = (Vec::new(), Vec::new());
    match module.types[ty].inner {
        TypeInner::Array { base, .. } => collect(module, base, 0, &mut element),
        TypeInner::Struct { ref members, .. } => {
            for member in members {
                if let TypeInner::Array { base, size: ArraySize::Dynamic, .. } =
                    module.types[member.ty].inner
                {
                    header = std::mem::take(&mut element);
                    collect(module, base, 0, &mut element);
                } else {
                    collect(module, member.ty, u64::from(member.offset), &mut element);
                }
            }
        }
        _ => collect(module, ty, 0, &mut element),
    }
    (header, element)
}

fn collect(module: &naga::Module, ty: Handle<Type>, at: u64, out: &mut Vec<(u64, ScalarType)>) {
    let mut put = |at: u64, scalar: naga::Scalar| {
        let scalar = match (scalar.kind, scalar.width) {
            (ScalarKind::Float, 4) => ScalarType::F32,
            (ScalarKind::Float, 2) => ScalarType::F16,
            (ScalarKind::Sint, 4) => ScalarType::I32,
            (ScalarKind::Uint, 4) => ScalarType::U32,
            _ => return,
        };
        if out.len() < MOST_SCALARS {
            out.push((at, scalar));
        }
    };
    match module.types[ty].inner {
        TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => put(at, scalar),
        TypeInner::Vector { size, scalar } => {
            for i in 0..size as u64 {
                put(at + i * u64::from(scalar.width), scalar);
            }
        }
        TypeInner::Matrix { columns, rows, scalar } => {
            // A column of three takes the room of four.
            let width = u64::from(scalar.width);
            let stride = (rows as u64).next_power_of_two() * width;
            for column in 0..columns as u64 {
                for row in 0..rows as u64 {
                    put(at + column * stride + row * width, scalar);
                }
            }
        }
        TypeInner::Array { base, size: ArraySize::Constant(count), stride } => {
            for i in 0..u64::from(count.get()) {
                if out.len() >= MOST_SCALARS {
                    break;
                }
                collect(module, base, at + i * u64::from(stride), out);
            }
        }
        TypeInner::Struct { ref members, .. } => {
            for member in members {
                if out.len() >= MOST_SCALARS {
                    break;
                }
                collect(module, member.ty, at + u64::from(member.offset), out);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Kernel, ScalarType::*};

    #[test]
    fn scalars_lie_where_wgsl_puts_them() {
        let kernel = Kernel::from_wgsl(
            "struct Inner { a: vec3<f32>, b: i32 }
             struct Whole { n: u32, m: mat2x3<f32>, rest: array<Inner> }
             @group(0) @binding(0) var<storage, read_write> whole: Whole;
             @compute @workgroup_size(1) fn main() { whole.rest[0].b = i32(whole.n); }",
        )
        .unwrap();
        let binding = &kernel.signature().bindings[0];
        assert_eq!(
            binding.header_scalars(),
            [(0, U32), (16, F32), (20, F32), (24, F32), (32, F32), (36, F32), (40, F32)]
        );
        assert_eq!(binding.element_scalars(), [(0, F32), (4, F32), (8, F32), (12, I32)]);
        assert_eq!(binding.layout.header, 48);
    }
}
