//! The scalars that buffers and uniforms consist of.

/// A scalar type as it lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScalarType {
    /// `f32`
    F32,
    /// `f16`
    F16,
    /// `i32` or `atomic<i32>`
    I32,
    /// `u32` or `atomic<u32>`
    U32,
}

impl ScalarType {
    /// Bytes of one scalar.
    ///
    /// ```
    /// assert_eq!(coexec::ScalarType::F16.size(), 2);
    /// ```
    pub fn size(self) -> u64 {
        match self {
            ScalarType::F16 => 2,
            _ => 4,
        }
    }
}

impl std::fmt::Display for ScalarType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ScalarType::F32 => "f32",
            ScalarType::F16 => "f16",
            ScalarType::I32 => "i32",
            ScalarType::U32 => "u32",
        })
    }
}
