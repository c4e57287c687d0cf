//! A cheap upper bound for an index, to leave out guards that can't trip.
//!
//! It looks at one expression tree, never at memory. All bounds are on the bit pattern taken as a
//! u32, so a bound below 2³¹ also shows that a signed value is not negative. A bound that it misses
//! costs speed only. The interval analysis of `analysis` is separate, and runs per launch.

use naga::{
    BinaryOperator, BuiltIn, Expression, Handle, Literal, MathFunction, ScalarKind, TypeInner,
};

use super::builtins::builtin_of;
use crate::kernel::Kernel;

/// The most levels of operands that are followed.
const DEPTH: u32 = 12;

/// The largest value that the bit pattern of a 32-bit integer expression can have, if known.
pub(super) fn upper_bound(kernel: &Kernel, index: Handle<Expression>) -> Option<u32> {
    Bounds { kernel }.of(index, DEPTH)
}

/// Whether an index is an i32.
pub(super) fn is_signed(kernel: &Kernel, index: Handle<Expression>) -> bool {
    let ty = &kernel.info().get_entry_point(0)[index].ty;
    ty.inner_with(&kernel.module().types).scalar_kind() == Some(ScalarKind::Sint)
}

struct Bounds<'a> {
    kernel: &'a Kernel,
}

impl Bounds<'_> {
    fn expression(&self, handle: Handle<Expression>) -> &Expression {
        &self.kernel.entry_point().function.expressions[handle]
    }

    fn kind(&self, handle: Handle<Expression>) -> Option<ScalarKind> {
        let info = self.kernel.info().get_entry_point(0);
        match *info[handle].ty.inner_with(&self.kernel.module().types) {
            TypeInner::Scalar(scalar) => Some(scalar.kind),
            _ => None,
        }
    }

    /// As `of`, for a value that is known not to be negative when it is signed.
    fn natural(&self, handle: Handle<Expression>, depth: u32) -> Option<u32> {
        match self.kind(handle)? {
            ScalarKind::Uint => Some(self.of(handle, depth).unwrap_or(u32::MAX)),
            ScalarKind::Sint => self.of(handle, depth).filter(|&b| b <= i32::MAX as u32),
            _ => None,
        }
    }

    fn constant(&self, handle: Handle<Expression>) -> Option<u32> {
        match *self.expression(handle) {
            Expression::Literal(literal) => bits(literal),
            Expression::ZeroValue(_) => Some(0),
            Expression::Constant(constant) => {
                let module = self.kernel.module();
                match module.global_expressions[module.constants[constant].init] {
                    Expression::Literal(literal) => bits(literal),
                    Expression::ZeroValue(_) => Some(0),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of(&self, handle: Handle<Expression>, depth: u32) -> Option<u32> {
        if let Some(value) = self.constant(handle) {
            return Some(value);
        }
        let depth = depth.checked_sub(1)?;
        let [x, y, z] = self.kernel.signature().workgroup_size;
        let function = &self.kernel.entry_point().function;
        if let Some(BuiltIn::LocalInvocationIndex) = builtin_of(self.kernel, handle) {
            return x.checked_mul(y)?.checked_mul(z)?.checked_sub(1);
        }
        match *self.expression(handle) {
            Expression::AccessIndex { base, index } => {
                if let Some(BuiltIn::LocalInvocationId) = builtin_of(self.kernel, base) {
                    return [x, y, z].get(index as usize)?.checked_sub(1);
                }
                match function.expressions[base] {
                    Expression::Compose { ty, ref components }
                        if matches!(
                            self.kernel.module().types[ty].inner,
                            TypeInner::Vector { size, .. } if size as usize == components.len()
                        ) =>
                    {
                        self.of(*components.get(index as usize)?, depth)
                    }
                    _ => None,
                }
            }
            Expression::Binary { op, left, right } => self.binary(op, left, right, depth),
            Expression::Select { accept, reject, .. } => {
                Some(self.of(accept, depth)?.max(self.of(reject, depth)?))
            }
            Expression::As { expr, kind: ScalarKind::Sint | ScalarKind::Uint, convert } => {
                match (self.kind(expr)?, convert) {
                    (ScalarKind::Bool, _) => Some(1),
                    (ScalarKind::Sint | ScalarKind::Uint, None | Some(4)) => self.of(expr, depth),
                    _ => None,
                }
            }
            Expression::Math { fun, arg, arg1: Some(second), arg2, .. } => {
                let unsigned = self.kind(arg)? == ScalarKind::Uint;
                match fun {
                    MathFunction::Min if unsigned => {
                        match (self.of(arg, depth), self.of(second, depth)) {
                            (Some(a), Some(b)) => Some(a.min(b)),
                            (a, b) => a.or(b),
                        }
                    }
                    MathFunction::Min => {
                        Some(self.natural(arg, depth)?.min(self.natural(second, depth)?))
                    }
                    MathFunction::Max => {
                        Some(self.natural(arg, depth)?.max(self.natural(second, depth)?))
                    }
                    MathFunction::Clamp if unsigned => self.of(arg2?, depth),
                    MathFunction::Clamp => {
                        self.natural(second, depth)?;
                        self.natural(arg2?, depth)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn binary(
        &self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
        depth: u32,
    ) -> Option<u32> {
        match op {
            BinaryOperator::Add => self.of(left, depth)?.checked_add(self.of(right, depth)?),
            BinaryOperator::Multiply => self.of(left, depth)?.checked_mul(self.of(right, depth)?),
            BinaryOperator::And => match (self.of(left, depth), self.of(right, depth)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            BinaryOperator::InclusiveOr | BinaryOperator::ExclusiveOr => {
                let most = self.of(left, depth)? | self.of(right, depth)?;
                Some(u32::MAX.checked_shr(most.leading_zeros()).unwrap_or(0))
            }
            BinaryOperator::Modulo => {
                let last =
                    self.constant(right).filter(|&c| (1..=i32::MAX as u32).contains(&c))? - 1;
                Some(self.natural(left, depth)?.min(last))
            }
            BinaryOperator::Divide => {
                let by = self.constant(right).filter(|&c| (1..=i32::MAX as u32).contains(&c))?;
                Some(self.natural(left, depth)? / by)
            }
            BinaryOperator::ShiftRight => {
                Some(self.natural(left, depth)? >> self.constant(right).filter(|&c| c < 32)?)
            }
            BinaryOperator::ShiftLeft => {
                let by = self.constant(right).filter(|&c| c < 32)?;
                self.of(left, depth)?.checked_mul(1 << by)
            }
            _ => None,
        }
    }
}

fn bits(literal: Literal) -> Option<u32> {
    match literal {
        Literal::U32(value) => Some(value),
        Literal::I32(value) => Some(value as u32),
        _ => None,
    }
}
