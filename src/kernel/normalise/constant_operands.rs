//! Operands that naga refuses when it can see their value: a constant index beyond the end, a
//! constant shift by the width or more, an integer divided by a constant zero.
//!
//! WGSL makes these compile-time errors only where the text has constants. Inlining may turn an
//! argument into a constant at a place where WGSL defines the result at run time;
//! `normalise::inline` then hides the value. The rules mirror naga's validator.

use naga::{
    Arena, ArraySize, BinaryOperator, Expression, Handle, Literal, Module, ScalarKind, TypeInner,
};

/// The module and the expressions that are checked.
pub(super) struct Checked<'a> {
    pub(super) module: &'a Module,
    pub(super) expressions: &'a Arena<Expression>,
}

/// The operand that naga would refuse, with its type. `base` is the type of the indexed value or of
/// the left operand.
pub(super) fn refused_operand(
    at: &Checked<'_>,
    base: &TypeInner,
    expression: &Expression,
) -> Option<(Handle<Expression>, TypeInner)> {
    match *expression {
        Expression::Access { index, .. } => {
            let value = at.integer(index)?;
            let scalar = at.scalar_of(index)?;
            let length = at.length(base)?;
            (value < 0 || value >= i64::from(length)).then_some((index, TypeInner::Scalar(scalar)))
        }
        Expression::Binary { op, right, .. } => {
            let (size, scalar) = base.vector_size_and_scalar()?;
            if !matches!(scalar.kind, ScalarKind::Sint | ScalarKind::Uint) {
                return None;
            }
            match op {
                BinaryOperator::Divide | BinaryOperator::Modulo => {
                    let refused = at.any_component(right, 0, &|value| value == 0);
                    let ty = match size {
                        Some(size) => TypeInner::Vector { size, scalar },
                        None => TypeInner::Scalar(scalar),
                    };
                    refused.then_some((right, ty))
                }
                BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight => {
                    let bits = i64::from(scalar.width) * 8;
                    let refused = at.any_component(right, 0, &|value| value >= bits);
                    // The right operand of a shift is always u32.
                    let ty = match size {
                        Some(size) => TypeInner::Vector { size, scalar: naga::Scalar::U32 },
                        None => TypeInner::Scalar(naga::Scalar::U32),
                    };
                    refused.then_some((right, ty))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

impl Checked<'_> {
    fn literal(&self, handle: Handle<Expression>) -> Option<Literal> {
        let (expressions, handle) = match self.expressions[handle] {
            Expression::Constant(constant) => {
                (&self.module.global_expressions, self.module.constants[constant].init)
            }
            _ => (self.expressions, handle),
        };
        match expressions[handle] {
            Expression::Literal(value) => Some(value),
            Expression::ZeroValue(ty) => match self.module.types[ty].inner {
                TypeInner::Scalar(scalar) => Literal::zero(scalar),
                _ => None,
            },
            _ => None,
        }
    }

    fn integer(&self, handle: Handle<Expression>) -> Option<i64> {
        match self.literal(handle)? {
            Literal::I32(value) => Some(i64::from(value)),
            Literal::U32(value) => Some(i64::from(value)),
            _ => None,
        }
    }

    fn scalar_of(&self, handle: Handle<Expression>) -> Option<naga::Scalar> {
        match self.literal(handle)? {
            Literal::I32(_) => Some(naga::Scalar::I32),
            Literal::U32(_) => Some(naga::Scalar::U32),
            _ => None,
        }
    }

    /// Whether a known component of a value fulfils the test.
    fn any_component(
        &self,
        handle: Handle<Expression>,
        depth: u32,
        test: &dyn Fn(i64) -> bool,
    ) -> bool {
        // A vector consists at most of vectors of scalars.
        if depth > 4 {
            return false;
        }
        if let Some(value) = self.integer(handle) {
            return test(value);
        }
        match self.expressions[handle] {
            Expression::Splat { value, .. } => self.any_component(value, depth + 1, test),
            Expression::Compose { ref components, .. } => {
                components.iter().any(|&component| self.any_component(component, depth + 1, test))
            }
            // A vector constant: its components are not examined, since hiding a valid one changes
            // nothing.
            Expression::Constant(_) => true,
            Expression::ZeroValue(_) => test(0),
            _ => false,
        }
    }

    /// The number of elements that an index into `base` may choose from, if it is known.
    fn length(&self, base: &TypeInner) -> Option<u32> {
        match *base {
            TypeInner::Vector { size, .. } | TypeInner::ValuePointer { size: Some(size), .. } => {
                Some(size as u32)
            }
            TypeInner::Matrix { columns, .. } => Some(columns as u32),
            TypeInner::Array { size: ArraySize::Constant(count), .. } => Some(count.get()),
            TypeInner::Pointer { base, .. } => self.length(&self.module.types[base].inner),
            _ => None,
        }
    }
}
