//! The kernel's built-in inputs, with their values in the whole launch.
//!
//! The kernel may take built-ins as plain arguments and as members of struct arguments. The new
//! entry point takes each used built-in once, as a plain argument. The first workgroup of the
//! dispatch is added to `workgroup_id`, and its invocations to `global_invocation_id`;
//! `num_workgroups` comes from the block. All this is computed at the start of the function.

use std::collections::BTreeMap;

use naga::{
    BinaryOperator, Binding, BuiltIn, Expression, FunctionArgument, Handle, Literal, Span,
    TypeInner,
};

use super::builder::Builder;
use super::params::Word;
use super::prelude::Block;
use crate::error::Result;
use crate::kernel::Kernel;

/// The built-in that an expression of the old function is, if it is one.
pub(super) fn builtin_of(kernel: &Kernel, handle: Handle<Expression>) -> Option<BuiltIn> {
    let function = &kernel.entry_point().function;
    let binding = match function.expressions[handle] {
        Expression::FunctionArgument(i) => &function.arguments.get(i as usize)?.binding,
        Expression::AccessIndex { base, index } => match function.expressions[base] {
            Expression::FunctionArgument(i) => {
                let argument = function.arguments.get(i as usize)?;
                match kernel.module().types[argument.ty].inner {
                    TypeInner::Struct { ref members, .. } => &members.get(index as usize)?.binding,
                    _ => return None,
                }
            }
            _ => return None,
        },
        _ => return None,
    };
    binding.as_ref().and_then(Binding::to_built_in)
}

/// An argument of the old entry point that is used, and how.
pub(super) enum Input {
    /// An expression that is the built-in: the argument, or a member of a struct argument.
    Plain(Handle<Expression>, BuiltIn),
    /// A struct argument taken as a value: the argument, and the built-ins of its members.
    Struct(Handle<Expression>, Vec<BuiltIn>),
}

/// The old function's uses of its inputs.
pub(super) fn inputs(kernel: &Kernel) -> Vec<Input> {
    let function = &kernel.entry_point().function;
    let info = kernel.info().get_entry_point(0);
    let mut inputs = Vec::new();
    // References to struct arguments that are not accesses to a member.
    let mut whole = BTreeMap::new();
    for (handle, expression) in function.expressions.iter() {
        if info[handle].ref_count == 0 {
            // An unused access still counts as a reference to the argument.
        } else if let Some(builtin) = builtin_of(kernel, handle) {
            inputs.push(Input::Plain(handle, builtin));
        } else if let Expression::FunctionArgument(i) = *expression {
            whole.insert(handle, (i, info[handle].ref_count));
        }
        if let Expression::AccessIndex { base, .. } = *expression
            && let Some((_, count)) = whole.get_mut(&base)
        {
            *count -= 1;
        }
    }
    for (handle, (i, count)) in whole {
        let ty = function.arguments[i as usize].ty;
        if count > 0
            && let TypeInner::Struct { ref members, .. } = kernel.module().types[ty].inner
        {
            let builtins = members
                .iter()
                .filter_map(|m| m.binding.as_ref().and_then(Binding::to_built_in))
                .collect();
            inputs.push(Input::Struct(handle, builtins));
        }
    }
    inputs
}

/// The words of the block that the inputs need.
pub(super) fn words(inputs: &[Input]) -> Vec<Word> {
    let all = || {
        inputs.iter().flat_map(|input| match input {
            Input::Plain(_, builtin) => std::slice::from_ref(builtin),
            Input::Struct(_, builtins) => builtins,
        })
    };
    let mut words = Vec::new();
    if all().any(|b| matches!(b, BuiltIn::WorkGroupId | BuiltIn::GlobalInvocationId)) {
        words.extend((0..3).map(Word::First));
    }
    if all().any(|b| matches!(b, BuiltIn::NumWorkGroups)) {
        words.extend((0..3).map(Word::Grid));
    }
    words
}

/// Old expressions with their new ones.
pub(super) type Values = Vec<(Handle<Expression>, Handle<Expression>)>;

/// Makes the new arguments and computes the inputs. Returns the arguments and the new value of each
/// old expression in `inputs`.
pub(super) fn compute(
    kernel: &Kernel,
    inputs: &[Input],
    block: &Block,
    out: &mut Builder,
) -> Result<(Vec<FunctionArgument>, Values)> {
    let mut sources = Sources { kernel, block, arguments: Vec::new(), known: BTreeMap::new() };
    let mut values = Vec::new();
    for input in inputs {
        match input {
            Input::Plain(handle, builtin) => {
                let ty = kernel.info().get_entry_point(0)[*handle].ty.clone();
                let ty = match ty.handle() {
                    Some(ty) => ty,
                    None => out.ty(ty.inner_with(&kernel.module().types).clone()),
                };
                values.push((*handle, sources.value(*builtin, ty, out)?));
            }
            Input::Struct(handle, builtins) => {
                let function = &kernel.entry_point().function;
                let Expression::FunctionArgument(i) = function.expressions[*handle] else {
                    continue;
                };
                let ty = function.arguments[i as usize].ty;
                let members: Vec<_> = match kernel.module().types[ty].inner {
                    TypeInner::Struct { ref members, .. } => members.iter().map(|m| m.ty).collect(),
                    _ => continue,
                };
                let components = builtins
                    .iter()
                    .zip(members)
                    .map(|(&builtin, ty)| sources.value(builtin, ty, out))
                    .collect::<Result<_>>()?;
                let span = function.expressions.get_span(*handle);
                values.push((*handle, out.expr(Expression::Compose { ty, components }, span)));
            }
        }
    }
    Ok((sources.arguments, values))
}

struct Sources<'a> {
    kernel: &'a Kernel,
    block: &'a Block,
    arguments: Vec<FunctionArgument>,
    known: BTreeMap<BuiltIn, Handle<Expression>>,
}

impl Sources<'_> {
    fn value(
        &mut self,
        builtin: BuiltIn,
        ty: Handle<naga::Type>,
        out: &mut Builder,
    ) -> Result<Handle<Expression>> {
        if let Some(&known) = self.known.get(&builtin) {
            return Ok(known);
        }
        let span = Span::UNDEFINED;
        let value = match builtin {
            BuiltIn::NumWorkGroups => self.vector(Word::Grid, ty, out)?,
            BuiltIn::WorkGroupId => {
                let first = self.vector(Word::First, ty, out)?;
                let id = self.argument(builtin, ty, out);
                out.binary(BinaryOperator::Add, id, first, span)
            }
            BuiltIn::GlobalInvocationId => {
                let first = self.vector(Word::First, ty, out)?;
                let size = self.kernel.signature().workgroup_size;
                let size = size.map(|n| out.leaf(Expression::Literal(Literal::U32(n)), span));
                let size = out.expr(Expression::Compose { ty, components: size.to_vec() }, span);
                let skipped = out.binary(BinaryOperator::Multiply, first, size, span);
                let id = self.argument(builtin, ty, out);
                out.binary(BinaryOperator::Add, id, skipped, span)
            }
            _ => self.argument(builtin, ty, out),
        };
        self.known.insert(builtin, value);
        Ok(value)
    }

    fn vector(
        &self,
        word: fn(usize) -> Word,
        ty: Handle<naga::Type>,
        out: &mut Builder,
    ) -> Result<Handle<Expression>> {
        let components = (0..3).map(|axis| self.block.word(word(axis))).collect::<Result<_>>()?;
        Ok(out.expr(Expression::Compose { ty, components }, Span::UNDEFINED))
    }

    fn argument(
        &mut self,
        builtin: BuiltIn,
        ty: Handle<naga::Type>,
        out: &mut Builder,
    ) -> Handle<Expression> {
        let index = self.arguments.len() as u32;
        self.arguments.push(FunctionArgument {
            name: None,
            ty,
            binding: Some(Binding::BuiltIn(builtin)),
        });
        out.leaf(Expression::FunctionArgument(index), Span::UNDEFINED)
    }
}
