//! Appends the notes of a watched program during compilation. `note` defines them.

use naga::{Expression, Handle, Span};

use super::addressing;
use super::bytecode::{NONE, Op};
use super::class::Class;
use super::compiler::{Compiler, Entry, Scope, Value};
use super::functions::{Reg, Unary};
use super::note::{Checked, Extent, Fact, Note, Step, Wrapping};
use super::place::{Place, Root};
use super::shape::{Kind, Measure, Shape};
use super::touch::Touch;
use crate::error::Result;

fn lints(c: &Compiler<'_>) -> bool {
    c.watch.as_ref().is_some_and(|watch| watch.lints)
}

/// Appends a note about the next event of `span`, in a watched program.
pub(super) fn note(c: &mut Compiler<'_>, span: Span, touch: Touch, fact: Fact) {
    let mask = c.exec;
    if let Some(watch) = &mut c.watch {
        let site = watch.site(span, touch);
        c.push(Op::Note(Box::new(Note { mask, site, fact })));
    }
}

/// Records that a variable has no initial value in the text.
pub(super) fn note_unset(c: &mut Compiler<'_>, var: Reg, name: Option<&str>) {
    if let Some(watch) = &mut c.watch {
        watch.unset.insert(var, name.unwrap_or("a variable").to_owned());
    }
}

/// The steps of a pointer to a whole variable.
pub(super) fn first_step(c: &Compiler<'_>, name: Option<&str>) -> Vec<Step> {
    match &c.watch {
        Some(_) => vec![Step::Name(name.unwrap_or("a variable").to_owned())],
        None => Vec::new(),
    }
}

/// The current value of an index, also after the variable that it was read from changes.
pub(super) fn kept(c: &mut Compiler<'_>, reg: Reg) -> Reg {
    if !matches!(c.classes[reg as usize], Class::Variable(_)) {
        return reg;
    }
    let dst = c.register(Class::Temporary);
    c.push(Op::Unary { f: Unary::Copy, dst, a: reg });
    dst
}

/// Notes that a place is about to be accessed.
pub(super) fn note_touch(c: &mut Compiler<'_>, place: &Place, touch: Touch) -> Result<()> {
    if c.watch.is_none() {
        return Ok(());
    }
    let span = c.span;
    if !place.checked.is_empty() {
        let fact = Fact::Indices { steps: place.steps.clone(), checked: place.checked.clone() };
        note(c, span, touch, fact);
    }
    let lints = lints(c);
    match place.root {
        Root::Value(_) => {}
        Root::Local(base) => {
            let unset = c.watch.as_ref().and_then(|watch| watch.unset.get(&base)).cloned();
            if let (true, Some(name)) = (lints, unset) {
                let var = base + place.first_plane();
                let count = c.flat(place.shape)? as u32;
                let index = place.inner_index().unwrap_or(NONE);
                let fact = if touch == Touch::Read {
                    Fact::LocalRead { var, count, index, name }
                } else {
                    Fact::LocalWrite { var, count, index }
                };
                note(c, span, touch, fact);
            }
        }
        Root::Workgroup | Root::Storage(_) => {
            let address = addressing::address(c, place)?;
            let parts = addressing::parts(c, place)?
                .into_iter()
                .map(|(offset, kind)| {
                    let half = kind == Kind::F16 && place.root != Root::Workgroup;
                    (offset, if half { 2 } else { 4 })
                })
                .collect();
            let atomic = addressing::is_atomic(c, place);
            note(c, span, touch, Fact::Access { address, parts, touch, atomic });
        }
    }
    Ok(())
}

/// Notes an index into a value.
pub(super) fn note_pick(
    c: &mut Compiler<'_>,
    base: Handle<Expression>,
    index: Reg,
    signed: bool,
    count: u32,
) {
    if c.watch.is_none() || c.known(index).is_some_and(|known| known < count) {
        return;
    }
    let text = c.expression_span(Scope::Function, base).to_range();
    let text = text.and_then(|range| c.kernel.text().get(range)).unwrap_or_default();
    let name =
        if text.is_empty() || text.len() > 40 || text.contains('\n') { "a value" } else { text };
    let steps = vec![Step::Name(name.to_owned()), Step::Index { reg: index, signed }];
    let checked = vec![Checked { step: 1, extent: Extent::Fixed(count) }];
    note(c, c.span, Touch::Read, Fact::Indices { steps, checked });
}

/// Notes, for the lint, the operands of an expression of floats.
pub(super) fn note_computed(
    c: &mut Compiler<'_>,
    handle: Handle<Expression>,
    entry: &Entry,
) -> Result<()> {
    use Expression as E;
    if !lints(c) {
        return Ok(());
    }
    let Entry::Value(results) = entry else { return Ok(()) };
    let expression = c.expression(Scope::Function, handle);
    let operands: Vec<Handle<Expression>> = match *expression {
        E::Binary { left, right, .. } => vec![left, right],
        E::Unary { expr, .. } => vec![expr],
        E::As { expr, convert: Some(_), .. } => vec![expr],
        E::Math { arg, arg1, arg2, arg3, .. } => {
            [Some(arg), arg1, arg2, arg3].into_iter().flatten().collect()
        }
        _ => return Ok(()),
    };
    let shape = c.info[handle].ty.inner_with(&c.module.types).scalar();
    if !shape.and_then(Kind::of).is_some_and(Kind::is_float) {
        return Ok(());
    }
    let mut from = Vec::new();
    for operand in operands {
        if let Ok(kind) = c.kind(Scope::Function, operand)
            && kind.is_float()
        {
            from.extend_from_slice(&c.ready_value(Scope::Function, operand)?);
        }
    }
    let fact = Fact::Computed { results: results.to_vec(), operands: from };
    note(c, c.span, Touch::Read, fact);
    Ok(())
}

/// Notes, for the lint, the arithmetic that computed an index.
pub(super) fn note_made(c: &mut Compiler<'_>, index: Handle<Expression>) -> Result<()> {
    use naga::BinaryOperator as B;
    if !lints(c) {
        return Ok(());
    }
    let mut stack = vec![index];
    // Index expressions are short; the walk ends early in a long one.
    let mut steps = 0;
    while let Some(handle) = stack.pop() {
        steps += 1;
        if steps > 64 {
            break;
        }
        match *c.expression(Scope::Function, handle) {
            Expression::As { expr, .. } => stack.push(expr),
            Expression::Binary { op, left, right } => {
                let operation = match op {
                    B::Add => Wrapping::Add,
                    B::Subtract => Wrapping::Subtract,
                    B::Multiply => Wrapping::Multiply,
                    _ => continue,
                };
                let (Ok(kind), Ok(a), Ok(b)) = (
                    c.kind(Scope::Function, left),
                    c.ready_value(Scope::Function, left),
                    c.ready_value(Scope::Function, right),
                ) else {
                    continue;
                };
                if let ([a], [b]) = (&a[..], &b[..])
                    && !kind.is_float()
                {
                    let span = c.expression_span(Scope::Function, handle);
                    let signed = kind == Kind::I32;
                    let fact = Fact::Made { operation, a: *a, b: *b, signed };
                    note(c, span, Touch::Read, fact);
                    stack.extend([left, right]);
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The number of elements of an indexed value.
pub(super) fn value_count(c: &Compiler<'_>, value: &Value, shape: Shape) -> u32 {
    let elements = c.shapes.elements(shape, Measure::Flat);
    let stride = elements.map_or(1, |elements| elements.stride.max(1));
    (value.len() as u64 / stride) as u32
}
