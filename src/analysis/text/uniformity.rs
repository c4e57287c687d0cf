//! Uniformity: finds barriers in control flow that may differ between the invocations of a workgroup.
//!
//! A value is *varying* if it depends on the ids that distinguish the invocations of a workgroup. Control flow
//! is divergent if a condition on a varying value, or an earlier exit of some invocations, may separate them.
//! Loads from one place count as one value in all invocations. The answer may be wrong both ways: a value that
//! is varying by the text may be uniform with a launch's data, and memory may hold varying values.

use std::collections::HashSet;

use naga::{BuiltIn, Expression, Function, Handle, Span, Statement};

use super::pointers::global_root;
use crate::kernel::{Kernel, expression_operands};

/// The most rounds; after them the result so far is used. Each round follows assignments one step further
/// against the order of the text; few kernels need more than three.
const ROUNDS: usize = 32;

/// The first barrier in divergent control flow, in text order.
pub(crate) fn divergent_barrier(kernel: &Kernel) -> Option<Span> {
    let function = &kernel.entry_point().function;
    let mut walk = Walk {
        kernel,
        function,
        varying: vec![false; function.expressions.len()],
        variables: HashSet::new(),
        divergent_loops: HashSet::new(),
        loops: 0,
        barrier: None,
        changed: true,
    };
    // Each varying value may make others varying, so rounds go on to a fixed point.
    for _ in 0..ROUNDS {
        if !std::mem::take(&mut walk.changed) {
            break;
        }
        walk.values();
        (walk.loops, walk.barrier) = (0, None);
        walk.block(&function.body, false);
    }
    walk.barrier
}

/// The ways in which some invocations of a workgroup may have left before a place.
#[derive(Clone, Copy, Default)]
struct Left {
    breaks: bool,
    continues: bool,
    returns: bool,
}

impl Left {
    fn any(self) -> bool {
        self.breaks || self.continues || self.returns
    }

    fn add(&mut self, other: Left) {
        self.breaks |= other.breaks;
        self.continues |= other.continues;
        self.returns |= other.returns;
    }
}

/// A variable of an invocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Variable {
    Local(Handle<naga::LocalVariable>),
    Private(Handle<naga::GlobalVariable>),
}

struct Walk<'k> {
    kernel: &'k Kernel,
    function: &'k Function,
    /// By expression: whether it is varying.
    varying: Vec<bool>,
    variables: HashSet<Variable>,
    /// Loops that invocations may leave in different iterations, by their number in text order.
    divergent_loops: HashSet<usize>,
    /// The number of loops met in this round.
    loops: usize,
    barrier: Option<Span>,
    changed: bool,
}

impl Walk<'_> {
    /// Updates every expression; operands come before the expressions that use them.
    fn values(&mut self) {
        for (handle, expression) in self.function.expressions.iter() {
            let varies = match *expression {
                Expression::FunctionArgument(_) => self.argument(handle, None),
                Expression::AccessIndex { base, index } => self.argument(base, Some(index)),
                Expression::AtomicResult { .. } => true,
                Expression::Load { pointer } => {
                    self.varies(pointer)
                        || self.variable(pointer).is_some_and(|v| self.variables.contains(&v))
                }
                ref other => {
                    let mut any = false;
                    expression_operands(&mut other.clone(), |operand| any |= self.varies(*operand));
                    any
                }
            };
            self.varying[handle.index()] = varies;
        }
    }

    fn varies(&self, expression: Handle<Expression>) -> bool {
        self.varying[expression.index()]
    }

    /// Whether an argument, or a part of one, is varying.
    fn argument(&self, base: Handle<Expression>, part: Option<u32>) -> bool {
        let arguments = &self.function.arguments;
        let (argument, mut parts) = match self.function.expressions[base] {
            Expression::FunctionArgument(argument) => (argument, [part, None]),
            Expression::AccessIndex { base: outer, index } => {
                match self.function.expressions[outer] {
                    Expression::FunctionArgument(argument) => (argument, [Some(index), part]),
                    _ => return self.varies(base),
                }
            }
            _ => return self.varies(base),
        };
        let Some(argument) = arguments.get(argument as usize) else { return true };
        let binding = match (&argument.binding, &self.kernel.module().types[argument.ty].inner) {
            (Some(binding), _) => Some(binding),
            (None, naga::TypeInner::Struct { members, .. }) => {
                let [member, component] = parts;
                parts = [component, None];
                // A whole struct is varying if its parts are.
                let Some(member) = member else { return false };
                members.get(member as usize).and_then(|member| member.binding.as_ref())
            }
            _ => None,
        };
        let size = self.kernel.signature().workgroup_size;
        let many = size.iter().any(|&extent| extent > 1);
        match binding {
            Some(naga::Binding::BuiltIn(builtin)) => match builtin {
                BuiltIn::LocalInvocationId | BuiltIn::GlobalInvocationId => match parts[0] {
                    Some(axis) => size.get(axis as usize).is_some_and(|&extent| extent > 1),
                    None => many,
                },
                BuiltIn::LocalInvocationIndex
                | BuiltIn::SubgroupInvocationId
                | BuiltIn::SubgroupId => many,
                _ => false,
            },
            _ => true,
        }
    }

    /// The variable of an invocation that a pointer points into, if any.
    fn variable(&self, pointer: Handle<Expression>) -> Option<Variable> {
        let mut at = pointer;
        loop {
            match self.function.expressions[at] {
                Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => at = base,
                Expression::LocalVariable(local) => return Some(Variable::Local(local)),
                _ => break,
            }
        }
        let global = global_root(self.function, pointer)?;
        let space = self.kernel.module().global_variables[global].space;
        (space == naga::AddressSpace::Private).then_some(Variable::Private(global))
    }

    /// Walks a block; `divergent` says whether invocations may enter it separately.
    fn block(&mut self, block: &naga::Block, divergent: bool) -> Left {
        let mut left = Left::default();
        for (statement, &span) in block.span_iter() {
            let divergent = divergent || left.any();
            match statement {
                Statement::Block(inner) => left.add(self.block(inner, divergent)),
                Statement::If { condition, accept, reject } => {
                    let divergent = divergent || self.varies(*condition);
                    left.add(self.block(accept, divergent));
                    left.add(self.block(reject, divergent));
                }
                Statement::Switch { selector, cases } => {
                    let divergent = divergent || self.varies(*selector);
                    for case in cases {
                        let inner = self.block(&case.body, divergent);
                        left.add(Left { breaks: false, ..inner });
                    }
                }
                Statement::Loop { body, continuing, break_if } => {
                    let number = self.loops;
                    self.loops += 1;
                    let divergent = divergent || self.divergent_loops.contains(&number);
                    let inner = self.block(body, divergent);
                    self.block(continuing, divergent);
                    let parts = break_if.is_some_and(|condition| self.varies(condition));
                    if inner.breaks || inner.returns || parts {
                        self.changed |= self.divergent_loops.insert(number);
                    }
                    left.returns |= inner.returns;
                }
                Statement::Break => left.breaks |= divergent,
                Statement::Continue => left.continues |= divergent,
                Statement::Return { .. } => left.returns |= divergent,
                Statement::Store { pointer, value }
                    if divergent || self.varies(*value) || self.varies(*pointer) =>
                {
                    let variable = self.variable(*pointer);
                    self.changed |= variable.is_some_and(|v| self.variables.insert(v));
                }
                Statement::ControlBarrier(flags)
                    if divergent && !flags.contains(naga::Barrier::SUB_GROUP) =>
                {
                    self.barrier.get_or_insert(span);
                }
                Statement::WorkGroupUniformLoad { .. } if divergent => {
                    self.barrier.get_or_insert(span);
                }
                _ => {}
            }
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of the barrier that is found in a body; the body's first line is 1.
    fn found(body: &str) -> Option<u32> {
        let text = format!(
            "struct In {{ @builtin(local_invocation_index) l: u32, @builtin(workgroup_id) w: vec3u }}
            @group(0) @binding(0) var<storage, read_write> a: array<u32>;
            var<workgroup> t: array<u32, 64>; var<private> p: u32;
            @compute @workgroup_size(64, 1, 1)
            fn main(in: In, @builtin(global_invocation_id) g: vec3u) {{ let l = in.l;
            {body}
            }}"
        );
        let kernel = Kernel::from_wgsl(&text).expect("a kernel");
        divergent_barrier(&kernel).map(|span| kernel.source().line(span).expect("a line") - 5)
    }

    #[test]
    fn a_barrier_that_the_ids_of_an_invocation_lead_to_is_found() {
        for (body, line) in [
            ("if l < 32u {\n workgroupBarrier(); }", 2),
            ("if g.x < 32u {\n workgroupBarrier(); }", 2),
            ("let far = l > 3u && a[0] == 1u;\n if far {\n workgroupBarrier(); }", 3),
            ("if a[l] == 1u { return; }\n workgroupBarrier();", 2),
            ("for (var i = l; i < 100u; i += 64u) {\n workgroupBarrier(); }", 2),
            ("var n = 0u; if l == 3u { n = 1u; }\n if n == 1u { storageBarrier(); }", 2),
            ("p = l; if p == 0u {\n storageBarrier(); }", 2),
            ("loop { if a[l] == 0u { break; }\n workgroupBarrier(); }", 2),
            ("loop {\n workgroupBarrier(); continuing { break if t[l] == 1u; } }", 2),
            ("loop { if a[0] == 0u { break; } if l == 1u { continue; }\n workgroupBarrier(); }", 2),
            ("if l == 0u { let x =\n workgroupUniformLoad(&t[0]); a[0] = x; }", 2),
            ("switch l { case 1u: {\n workgroupBarrier(); } default: {} }", 2),
        ] {
            assert_eq!(found(body), Some(line), "{body}");
        }
    }

    #[test]
    fn a_barrier_that_a_whole_workgroup_reaches_is_not() {
        for body in [
            "workgroupBarrier();",
            "if l < 32u { t[l] = 1u; } workgroupBarrier();",
            "if in.w.x == 3u { workgroupBarrier(); }",
            "if g.y == 3u { workgroupBarrier(); }",
            "if a[in.w.x] == 0u { return; } workgroupBarrier();",
            "for (var s = 32u; s > 0u; s /= 2u) { if l < s { t[l] += t[l + s]; } workgroupBarrier(); }",
            "for (var i = 0u; i < a[0]; i++) { workgroupBarrier(); }",
            "for (var i = l; i < 100u; i += 64u) { t[l] += a[i]; } workgroupBarrier();",
            "if workgroupUniformLoad(&t[3]) == 0u { workgroupBarrier(); }",
            "loop { workgroupBarrier(); if l == 1u { continue; } t[l] = 1u;
               continuing { break if a[0] == 1u; } }",
        ] {
            assert_eq!(found(body), None, "{body}");
        }
    }
}
