//! The scalars of a type: their order and their offsets.
//!
//! Values, variables of the function or private address space, and workgroup variables are lists of scalars in
//! declaration order, matrices by columns, without padding: the *flat* measure. Buffers that the host sees have
//! WGSL's layout, in *bytes*.

use naga::proc::Alignment;
use naga::{ArraySize, Handle, Scalar, ScalarKind, Type, TypeInner, VectorSize};

/// The scalar types of a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Kind {
    F32,
    F16,
    I32,
    U32,
    Bool,
}

impl Kind {
    /// The kind of a naga scalar; `None` for 64 bits. A scalar that naga left abstract is 32 bits wide.
    pub(in crate::cpu) fn of(scalar: Scalar) -> Option<Kind> {
        Some(match (scalar.kind, scalar.width) {
            (ScalarKind::Float, 4) | (ScalarKind::AbstractFloat, _) => Kind::F32,
            (ScalarKind::Float, 2) => Kind::F16,
            (ScalarKind::Sint, 4) | (ScalarKind::AbstractInt, _) => Kind::I32,
            (ScalarKind::Uint, 4) => Kind::U32,
            (ScalarKind::Bool, _) => Kind::Bool,
            _ => return None,
        })
    }

    pub(in crate::cpu) fn is_float(self) -> bool {
        matches!(self, Kind::F32 | Kind::F16)
    }
}

/// The unit in which offsets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Measure {
    /// One for each scalar.
    Flat,
    /// Bytes of WGSL's layout.
    Bytes,
}

/// A scalar of a type.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Leaf {
    pub(in crate::cpu) offset: u64,
    pub(in crate::cpu) kind: Kind,
}

/// A type of the module, or one that arises while a pointer is followed.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) enum Shape {
    Type(Handle<Type>),
    /// Columns and rows.
    Matrix(VectorSize, VectorSize, Scalar),
    Vector(VectorSize, Scalar),
    Scalar(Scalar),
}

/// The extents of a scalar, vector or matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Extent {
    Scalar,
    Vector(usize),
    /// Columns and rows.
    Matrix(usize, usize),
    /// Arrays and structs.
    Other,
}

/// The elements that an index into a type selects.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Elements {
    pub(in crate::cpu) shape: Shape,
    /// From one element to the next.
    pub(in crate::cpu) stride: u64,
    /// The number of elements; `None` for a runtime-sized array.
    pub(in crate::cpu) count: Option<u32>,
}

/// Sizes of a module's types.
pub(in crate::cpu) struct Shapes<'m> {
    module: &'m naga::Module,
    /// The number of scalars in each type; `None` if it contains a type that planes cannot hold, such as a
    /// scalar of 64 bits.
    flat: Vec<Option<u64>>,
}

impl<'m> Shapes<'m> {
    pub(in crate::cpu) fn new(module: &'m naga::Module) -> Self {
        let mut flat: Vec<Option<u64>> = Vec::with_capacity(module.types.len());
        // A type comes after the types that it is made of.
        for (_, ty) in module.types.iter() {
            let of = |handle: Handle<Type>| flat.get(handle.index()).copied().flatten();
            let size = match ty.inner {
                TypeInner::Scalar(s) | TypeInner::Atomic(s) => Kind::of(s).map(|_| 1),
                TypeInner::Vector { size, scalar } => Kind::of(scalar).map(|_| size as u64),
                TypeInner::Matrix { columns, rows, scalar } => {
                    Kind::of(scalar).map(|_| columns as u64 * rows as u64)
                }
                TypeInner::Array { base, size: ArraySize::Constant(n), .. } => {
                    of(base).and_then(|size| size.checked_mul(u64::from(n.get())))
                }
                TypeInner::Array { base, .. } => of(base).map(|_| 0),
                TypeInner::Struct { ref members, .. } => {
                    members.iter().try_fold(0u64, |sum, member| sum.checked_add(of(member.ty)?))
                }
                _ => None,
            };
            flat.push(size);
        }
        Shapes { module, flat }
    }

    fn inner(&self, ty: Handle<Type>) -> &'m TypeInner {
        &self.module.types[ty].inner
    }

    /// The number of scalars of the type, without those of a runtime-sized array.
    pub(in crate::cpu) fn flat(&self, shape: Shape) -> Option<u64> {
        match shape {
            Shape::Type(ty) => self.flat[ty.index()],
            Shape::Matrix(columns, rows, _) => Some(columns as u64 * rows as u64),
            Shape::Vector(size, _) => Some(size as u64),
            Shape::Scalar(_) => Some(1),
        }
    }

    /// The scalar that a scalar, vector, matrix or atomic is made of.
    pub(in crate::cpu) fn scalar(&self, shape: Shape) -> Option<Scalar> {
        match shape {
            Shape::Type(ty) => self.inner(ty).scalar(),
            Shape::Matrix(_, _, scalar) | Shape::Vector(_, scalar) | Shape::Scalar(scalar) => {
                Some(scalar)
            }
        }
    }

    pub(in crate::cpu) fn is_atomic(&self, shape: Shape) -> bool {
        matches!(shape, Shape::Type(ty) if matches!(self.inner(ty), TypeInner::Atomic(_)))
    }

    /// The extents of the type.
    pub(in crate::cpu) fn extent(&self, shape: Shape) -> Extent {
        match shape {
            Shape::Scalar(_) => Extent::Scalar,
            Shape::Vector(size, _) => Extent::Vector(size as usize),
            Shape::Matrix(columns, rows, _) => Extent::Matrix(columns as usize, rows as usize),
            Shape::Type(ty) => match *self.inner(ty) {
                TypeInner::Scalar(_) | TypeInner::Atomic(_) => Extent::Scalar,
                TypeInner::Vector { size, .. } => Extent::Vector(size as usize),
                TypeInner::Matrix { columns, rows, .. } => {
                    Extent::Matrix(columns as usize, rows as usize)
                }
                _ => Extent::Other,
            },
        }
    }

    /// The elements of the type, if it has any.
    pub(in crate::cpu) fn elements(&self, shape: Shape, measure: Measure) -> Option<Elements> {
        let vector = |size: VectorSize, scalar: Scalar| Elements {
            shape: Shape::Scalar(scalar),
            stride: match measure {
                Measure::Flat => 1,
                Measure::Bytes => u64::from(scalar.width),
            },
            count: Some(size as u32),
        };
        let matrix = |columns: VectorSize, rows: VectorSize, scalar: Scalar| Elements {
            shape: Shape::Vector(rows, scalar),
            stride: match measure {
                Measure::Flat => rows as u64,
                Measure::Bytes => u64::from(Alignment::from(rows) * u32::from(scalar.width)),
            },
            count: Some(columns as u32),
        };
        match shape {
            Shape::Scalar(_) => None,
            Shape::Vector(size, scalar) => Some(vector(size, scalar)),
            Shape::Matrix(columns, rows, scalar) => Some(matrix(columns, rows, scalar)),
            Shape::Type(ty) => match *self.inner(ty) {
                TypeInner::Vector { size, scalar } => Some(vector(size, scalar)),
                TypeInner::Matrix { columns, rows, scalar } => Some(matrix(columns, rows, scalar)),
                TypeInner::Array { base, size, stride } => Some(Elements {
                    shape: Shape::Type(base),
                    stride: match measure {
                        Measure::Flat => self.flat(Shape::Type(base))?,
                        Measure::Bytes => u64::from(stride),
                    },
                    count: match size {
                        ArraySize::Constant(n) => Some(n.get()),
                        _ => None,
                    },
                }),
                _ => None,
            },
        }
    }

    /// The name of a struct's member.
    pub(in crate::cpu) fn member_name(&self, shape: Shape, index: u32) -> Option<&'m str> {
        match shape {
            Shape::Type(ty) => match self.inner(ty) {
                TypeInner::Struct { members, .. } => members.get(index as usize)?.name.as_deref(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The type and the offset of a struct's member, or of an element.
    pub(in crate::cpu) fn child(
        &self,
        shape: Shape,
        index: u32,
        measure: Measure,
    ) -> Option<(Shape, u64)> {
        if let Shape::Type(ty) = shape
            && let TypeInner::Struct { ref members, .. } = *self.inner(ty)
        {
            let member = members.get(index as usize)?;
            let offset = match measure {
                Measure::Bytes => u64::from(member.offset),
                Measure::Flat => members[..index as usize]
                    .iter()
                    .try_fold(0, |sum, m| Some(sum + self.flat(Shape::Type(m.ty))?))?,
            };
            return Some((Shape::Type(member.ty), offset));
        }
        let elements = self.elements(shape, measure)?;
        if elements.count.is_some_and(|count| index >= count) {
            return None;
        }
        Some((elements.shape, elements.stride * u64::from(index)))
    }

    /// Every scalar of the type, in flat order. `None` for a type with a runtime-sized array or with a scalar
    /// that planes cannot hold.
    pub(in crate::cpu) fn leaves(&self, shape: Shape, measure: Measure) -> Option<Vec<Leaf>> {
        let mut leaves = Vec::with_capacity(self.flat(shape)? as usize);
        // The stack is explicit, because structs may be nested deeply.
        let mut stack = vec![(shape, 0u64)];
        while let Some((shape, offset)) = stack.pop() {
            let scalar = match shape {
                Shape::Scalar(scalar) => Some(scalar),
                Shape::Type(ty) => match *self.inner(ty) {
                    TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => Some(scalar),
                    _ => None,
                },
                Shape::Vector(..) | Shape::Matrix(..) => None,
            };
            if let Some(scalar) = scalar {
                leaves.push(Leaf { offset, kind: Kind::of(scalar)? });
                continue;
            }
            let count = match shape {
                Shape::Type(ty) => match *self.inner(ty) {
                    TypeInner::Struct { ref members, .. } => members.len() as u32,
                    _ => self.elements(shape, measure)?.count?,
                },
                _ => self.elements(shape, measure)?.count?,
            };
            for index in (0..count).rev() {
                let (child, at) = self.child(shape, index, measure)?;
                stack.push((child, offset + at));
            }
        }
        Some(leaves)
    }
}
