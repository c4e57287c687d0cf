//! The types of generated values, and the scopes of names.

/// The kind of a scalar. There are three kinds of f32, with different rules for comparing engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    I32,
    U32,
    Bool,
    /// An f32 that is a multiple of 1/16 in [-64, 64). Sums and products of two are exact however
    /// they are rounded or fused, so it may decide branches and be converted to an integer.
    Exact,
    /// An f32 in [-8, 8] with rounding errors. It flows into approximate floats only, through
    /// operations that do not amplify errors.
    Approximate,
    /// Any f32, infinities and NaN too. CPU-only kernels have it, because the CPU defines every bit.
    Wild,
    /// Any f16, in CPU-only kernels.
    Half,
}

impl Scalar {
    pub(crate) fn wgsl(self) -> &'static str {
        match self {
            Scalar::I32 => "i32",
            Scalar::U32 => "u32",
            Scalar::Bool => "bool",
            Scalar::Half => "f16",
            Scalar::Exact | Scalar::Approximate | Scalar::Wild => "f32",
        }
    }
}

/// A scalar type, or a vector type of 2 to 4 components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type {
    pub(crate) scalar: Scalar,
    /// 1 for a scalar.
    pub(crate) size: u8,
}

impl Type {
    pub(crate) fn scalar(scalar: Scalar) -> Type {
        Type { scalar, size: 1 }
    }

    pub(crate) fn vector(scalar: Scalar, size: u8) -> Type {
        Type { scalar, size }
    }

    pub(crate) fn wgsl(self) -> String {
        match self.size {
            1 => self.scalar.wgsl().to_owned(),
            n => format!("vec{n}<{}>", self.scalar.wgsl()),
        }
    }
}

/// A variable or a member of one, which an expression names.
#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) mutable: bool,
}

/// An array in any address space.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) element: Type,
    pub(crate) len: u64,
    pub(crate) mutable: bool,
}

/// A local matrix of exact floats.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    pub(crate) name: String,
    pub(crate) columns: u8,
    pub(crate) rows: u8,
}

/// A function that takes one value of each base type and a pointer to an i32.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) name: String,
    pub(crate) result: Type,
}

/// The names in scope at a point of the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) variables: Vec<Variable>,
    pub(crate) arrays: Vec<Array>,
    pub(crate) matrices: Vec<Matrix>,
}
