//! Loops whose variables scale indexes: the stages of a butterfly, a sorting network, a scan in place.
//!
//! If a counter doubles, or shifts, masks, multiplies or divides other values, indexes are linear only as long
//! as the counter keeps its value. [`Scaling`] finds such loops in the text; `walk::unroll` walks them
//! iteration by iteration.

use naga::{BinaryOperator, BuiltIn, Expression, Function, Handle};

use super::pointers::{Root, pointee};
use super::steps::{Step, any};
use crate::kernel::{Kernel, expression_operands};

/// The use of variables in indexes, as the text shows it.
pub(crate) struct Scaling<'a> {
    function: &'a Function,
    roots: &'a [Root],
    integral: &'a [bool],
    /// By expression: whether it may affect which elements are touched.
    steers: &'a [bool],
    /// By expression: whether its value is constant during a launch.
    fixed: Vec<bool>,
}

impl<'a> Scaling<'a> {
    pub(crate) fn new(
        kernel: &'a Kernel,
        roots: &'a [Root],
        integral: &'a [bool],
        steers: &'a [bool],
    ) -> Scaling<'a> {
        let function = &kernel.entry_point().function;
        let counts = Some(naga::Binding::BuiltIn(BuiltIn::NumWorkGroups));
        let mut fixed = vec![false; function.expressions.len()];
        for (handle, expression) in function.expressions.iter() {
            fixed[handle.index()] = match expression {
                Expression::Literal(_)
                | Expression::Constant(_)
                | Expression::ZeroValue(_)
                | Expression::ArrayLength(_) => true,
                Expression::FunctionArgument(at) => {
                    let argument = function.arguments.get(*at as usize);
                    argument.is_some_and(|argument| argument.binding == counts)
                }
                Expression::GlobalVariable(global) => {
                    matches!(roots[global.index()], Root::Uniform(_))
                }
                Expression::LocalVariable(_)
                | Expression::AtomicResult { .. }
                | Expression::WorkGroupUniformLoadResult { .. }
                | Expression::SubgroupBallotResult
                | Expression::SubgroupOperationResult { .. }
                | Expression::CallResult(_) => false,
                operation => {
                    let mut all = true;
                    expression_operands(&mut operation.clone(), |o| all &= fixed[o.index()]);
                    all
                }
            };
        }
        Scaling { function, roots, integral, steers, fixed }
    }

    /// Whether the variables that a loop changes scale indexes into storage in its body.
    pub(crate) fn scales(&self, blocks: &[&[Step]], changed: &[usize]) -> bool {
        let touches = |step: &Step| match step {
            Step::Store { pointer, .. } | Step::Atomic { pointer, .. } => self.in_storage(*pointer),
            Step::Emit(range) => {
                range.clone().any(|handle| match self.function.expressions[handle] {
                    Expression::Load { pointer } => self.in_storage(pointer),
                    _ => false,
                })
            }
            _ => false,
        };
        if !blocks.iter().any(|steps| any(steps, &mut { touches })) {
            return false;
        }
        let mut emitted = Vec::new();
        let mut stored = Vec::new();
        for steps in blocks {
            any(steps, &mut |step| {
                match step {
                    Step::Emit(range) => emitted.extend(range.clone()),
                    Step::Store { pointer, value, .. } => stored.push((*pointer, *value)),
                    _ => {}
                }
                false
            });
        }
        // Operands come before the expressions that use them.
        emitted.sort_unstable();
        let mut depends = vec![false; emitted.len()];
        let of = |depends: &[bool], handle: Handle<Expression>| {
            emitted.binary_search(&handle).is_ok_and(|at| depends[at])
        };
        for (at, &handle) in emitted.iter().enumerate() {
            let expression = &self.function.expressions[handle];
            depends[at] = match *expression {
                Expression::Load { pointer } => match self.root(pointer) {
                    Some(Root::Variable(variable)) => changed.contains(&variable),
                    _ => false,
                },
                _ => {
                    let mut any = false;
                    let mut operation = expression.clone();
                    expression_operands(&mut operation, |o| any |= of(&depends, *o));
                    any
                }
            };
            let Expression::Binary { op, left, right } = *expression else { continue };
            let (l, r) = (of(&depends, left), of(&depends, right));
            let varies = |handle: Handle<Expression>| !self.fixed[handle.index()];
            let scales = match op {
                BinaryOperator::ShiftLeft
                | BinaryOperator::ShiftRight
                | BinaryOperator::Divide
                | BinaryOperator::Modulo => r,
                BinaryOperator::Multiply
                | BinaryOperator::And
                | BinaryOperator::InclusiveOr
                | BinaryOperator::ExclusiveOr => l && varies(right) || r && varies(left),
                _ => false,
            };
            if scales && self.integral[handle.index()] && self.steers[handle.index()] {
                return true;
            }
        }
        stored.iter().any(|&(pointer, value)| self.grows(pointer, value))
    }

    /// Whether a variable is multiplied, divided or shifted.
    fn grows(&self, pointer: Handle<Expression>, value: Handle<Expression>) -> bool {
        let expressions = &self.function.expressions;
        let Expression::Binary { op, left, right } = expressions[value] else { return false };
        let own = |handle: Handle<Expression>| match expressions[handle] {
            Expression::Load { pointer: from } => expressions[from] == expressions[pointer],
            _ => false,
        };
        let scaled = match op {
            BinaryOperator::Multiply => own(left) || own(right),
            BinaryOperator::ShiftLeft | BinaryOperator::ShiftRight | BinaryOperator::Divide => {
                own(left)
            }
            _ => false,
        };
        let variable = matches!(self.root(pointer), Some(Root::Variable(_)));
        scaled && variable && self.integral[value.index()] && self.steers[value.index()]
    }

    fn root(&self, pointer: Handle<Expression>) -> Option<Root> {
        pointee(self.function, self.roots, pointer)
    }

    fn in_storage(&self, pointer: Handle<Expression>) -> bool {
        matches!(self.root(pointer), Some(Root::Storage(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::text::program::Program;

    /// For each loop, whether it would be unrolled.
    fn unrolled(text: &str) -> Vec<bool> {
        let kernel = Kernel::from_wgsl(text).unwrap_or_else(|e| panic!("{e}"));
        let program = Program::new(&kernel, &[]);
        let mut found = Vec::new();
        any(&program.steps, &mut |step| {
            if let Step::Loop(inner) = step {
                found.push(inner.unroll);
            }
            false
        });
        found
    }

    #[test]
    fn no_loop_of_the_library_is_walked_turn_by_turn() {
        let folder = format!("{}/kernels", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(!unrolled(&text).contains(&true), "{path:?}");
        }
    }

    #[test]
    fn loops_are_unrolled_whose_counters_scale_what_decides_what_is_touched() {
        let of = |body: &str| {
            unrolled(&format!(
                "@group(0) @binding(0) var<uniform> n: u32;
                 @group(0) @binding(1) var<storage, read_write> a: array<u32>;
                 var<workgroup> w: array<u32, 64>;
                 @compute @workgroup_size(64)
                 fn main(@builtin(local_invocation_index) l: u32) {{ _ = n; w[l] = a[l]; {body} }}"
            ))
        };
        for body in [
            "for (var s = 1u; s < n; s *= 2u) { a[l + s] = 1u; }",
            "for (var s = 0u; s < n; s++) { a[l >> s] = 1u; }",
            "for (var s = 0u; s < n; s++) { let m = (1u << s) - 1u; if (l & m) == 0u { a[l] = 1u; } }",
            "for (var s = 1u; s < n; s++) { a[l * s] = 1u; }",
            "var s = 64u; while s > 0u { a[l % s] = 1u; s = s / 2u; }",
        ] {
            assert_eq!(of(body), [true], "{body}");
        }
        for body in [
            // These are linear, whatever the uniform is.
            "for (var s = 0u; s < n; s++) { a[s * n + l] = s / n; }",
            "for (var s = l; s < n; s += 64u) { a[s & 63u] = a[s >> 1u]; }",
            // These affect no element, or no element of storage.
            "var h = 1u; for (var s = 0u; s < n; s++) { h = (h * 31u) ^ a[s]; } a[l] = h;",
            "for (var s = 32u; s > 0u; s /= 2u) { if l < s { w[l] += w[l + s]; } workgroupBarrier(); }",
        ] {
            assert_eq!(of(body), [false], "{body}");
        }
    }
}
