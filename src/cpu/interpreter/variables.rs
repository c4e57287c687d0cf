//! The initial values of private and function variables.

use naga::AddressSpace;

use super::bytecode::Op;
use super::compiler::{Compiler, Scope, Value};
use super::functions::{Reg, Unary};
use super::shape::Shape;
use super::{expressions, notes};
use crate::error::Result;

/// Sets private and function variables to their initial values.
pub(in crate::cpu) fn initialise_variables(c: &mut Compiler<'_>) -> Result<()> {
    for (handle, var) in c.module.global_variables.iter() {
        if let (AddressSpace::Private, Some(&base)) = (var.space, c.globals.get(&handle)) {
            c.span = c.module.global_variables.get_span(handle);
            let init = match var.init {
                Some(init) => {
                    expressions::ensure(c, Scope::Global, init)?;
                    Some(c.ready_value(Scope::Global, init)?)
                }
                None => None,
            };
            if init.is_none() {
                notes::note_unset(c, base, var.name.as_deref());
            }
            initialise(c, base, Shape::Type(var.ty), init)?;
        }
    }
    let function = c.function;
    for (handle, var) in function.local_variables.iter() {
        c.span = function.local_variables.get_span(handle);
        let base = c.variable(Shape::Type(var.ty))?;
        c.locals.insert(handle, base);
        let init = match var.init {
            Some(init) => Some(expressions::value(c, init)?),
            None => None,
        };
        if init.is_none() {
            notes::note_unset(c, base, var.name.as_deref());
        }
        initialise(c, base, Shape::Type(var.ty), init)?;
    }
    Ok(())
}

pub(super) fn initialise(
    c: &mut Compiler<'_>,
    var: Reg,
    shape: Shape,
    init: Option<Value>,
) -> Result<()> {
    let count = c.flat(shape)? as u32;
    match init {
        Some(value) => {
            for (k, &a) in value.iter().enumerate() {
                c.push(Op::Unary { f: Unary::Copy, dst: var + k as u32, a });
            }
        }
        None => c.push(Op::Clear { var, count }),
    }
    Ok(())
}
