//! The facts that choose between two versions of a region, and spans of workgroups.
//!
//! A version without guards runs if the facts hold that a workgroup checks for itself. Spans of workgroups are
//! executed row by row (`spmd::spans`). A span has an edge at either end, whose gangs run the other version, so
//! that a whole row of the grid can be one span.
//!
//! What always holds: `span` workgroups, in the order of the loop over workgroups, are done when the loop
//! advances; they lie in one row of the chunk's grid and in the batch.

use super::emitter::Emitter;
use super::instructions::{Instructions, Scalar, Size};
use crate::cpu::spmd::spans;
use crate::cpu::spmd::types::Ty;
use crate::cpu::spmd::wide::{Facts, Number, Wide};
use crate::error::Result;

/// Workgroups at the end of a span for which its facts need not hold.
const EDGE: u32 = 2;

/// Whether workgroups are executed in spans.
pub(super) fn has_spans<I: Instructions>(e: &Emitter<'_, I>) -> bool {
    spans::longest(e.kernel) > 1
}

/// The number of gangs in a row of a span, if there are spans; one workgroup has `parts`.
pub(super) fn long_row<I: Instructions>(e: &mut Emitter<'_, I>, parts: u32) -> Option<I::Value> {
    has_spans(e).then(|| {
        let (span, parts) = (e.b.read_scalar(&e.span), e.b.int(parts));
        e.b.scalar(Scalar::Product, Size::Word, &span, &parts)
    })
}

/// The most workgroups that a span may have from this one on: the rest of the row.
fn longest<I: Instructions>(e: &mut Emitter<'_, I>) -> I::Value {
    let left = e.b.read_scalar(&e.left);
    let in_row = e.b.scalar(Scalar::Sub, Size::Word, &e.args.count[0], &e.column);
    let in_row = e.b.extend(&in_row, false);
    let most = e.b.scalar(Scalar::MinU, Size::Long, &left, &in_row);
    let limit = e.b.long(spans::longest(e.kernel).into());
    let most = e.b.scalar(Scalar::MinU, Size::Long, &most, &limit);
    e.b.narrow(&most)
}

/// Executes as many workgroups at once as a span may have.
pub(super) fn whole_span<I: Instructions>(e: &mut Emitter<'_, I>) {
    let most = longest(e);
    e.b.write_scalar(&e.span, &most);
}

/// Makes a span of the workgroups from this one on for which the facts hold, with an edge at either end. Its
/// gangs from the first to the second result, along x, run the version for which the facts hold.
pub(super) fn span_with_edges<I: Instructions>(
    e: &mut Emitter<'_, I>,
    given: &Facts,
) -> Result<(I::Value, I::Value)> {
    let word = Size::Word;
    let (holds, numbers) = facts(e, given)?;
    let most = longest(e);
    // Comparisons of numbers that are the same in the whole row.
    let other = spans::along_x(given);
    let row = all_less(e, given, &numbers, |a, b| !(other[a as usize] || other[b as usize]));
    let (head, look, grow, end) = (e.b.block(), e.b.block(), e.b.block(), e.b.block());
    let (zero, one) = (e.b.int(0), e.b.int(1));
    let lead = e.b.choose(&holds, word, &zero, &one);
    e.b.write_scalar(&e.span, &lead);
    e.b.branch(&head);
    e.b.begin_loop(&head);
    let span = e.b.read_scalar(&e.span);
    let room = e.b.scalar(Scalar::LtU, word, &span, &most);
    let go = e.b.both(Some(&room), &row);
    e.b.branch_if(&go, &look, &end);
    e.b.begin(&look);
    let packed = e.b.int(e.kernel.packed);
    let further = e.b.scalar(Scalar::Mul, word, &span, &packed);
    let x = e.b.scalar(Scalar::Add, word, &e.group[0], &further);
    let holds = facts_at(e, given, &numbers, &x)?;
    e.b.branch_if(&holds, &grow, &end);
    e.b.begin(&grow);
    let next = e.b.scalar(Scalar::Sum, word, &span, &one);
    e.b.write_scalar(&e.span, &next);
    e.b.branch(&head);
    e.b.close_loop(&head);
    e.b.begin(&end);
    let edge = e.b.int(EDGE);
    let with_edge = e.b.scalar(Scalar::Sum, word, &span, &edge);
    let some = e.b.scalar(Scalar::MinU, word, &with_edge, &most);
    // A row in which they hold nowhere is all edge.
    let all = e.b.choose(&row, word, &some, &most);
    e.b.write_scalar(&e.span, &all);
    let parts = e.b.int(e.kernel.workgroup_size[0] / e.b.width());
    let first = e.b.scalar(Scalar::Product, word, &lead, &parts);
    let last = e.b.scalar(Scalar::Product, word, &span, &parts);
    Ok((first, last))
}

/// Whether all facts hold for the workgroup, and their numbers.
pub(super) fn facts<I: Instructions>(
    e: &mut Emitter<'_, I>,
    facts: &Facts,
) -> Result<(I::Value, Vec<I::Value>)> {
    let mut numbers: Vec<I::Value> = Vec::new();
    let x = e.group[0].clone();
    for wide in &facts.numbers {
        let number = wide_number(e, *wide, &numbers, &x)?;
        numbers.push(number);
    }
    let all = all_less(e, facts, &numbers, |_, _| true);
    Ok((all, numbers))
}

/// Whether facts also hold for the `x`-th workgroup of the row; `numbers` are those of this one.
fn facts_at<I: Instructions>(
    e: &mut Emitter<'_, I>,
    facts: &Facts,
    numbers: &[I::Value],
    x: &I::Value,
) -> Result<I::Value> {
    let mut there = numbers.to_vec();
    let other = spans::along_x(facts);
    for (at, &wide) in facts.numbers.iter().enumerate() {
        if other[at] {
            there[at] = wide_number(e, wide, &there, x)?;
        }
    }
    Ok(all_less(e, facts, &there, |a, b| other[a as usize] || other[b as usize]))
}

/// A number, from those before it; `x` is the workgroup's id along x.
fn wide_number<I: Instructions>(
    e: &mut Emitter<'_, I>,
    wide: Wide,
    numbers: &[I::Value],
    x: &I::Value,
) -> Result<I::Value> {
    let at = |n: Number| &numbers[n as usize];
    let (op, a, b) = match wide {
        Wide::Constant(value) => return Ok(e.b.long(value)),
        Wide::Held(a) => return Ok(at(a).clone()),
        Wide::Register(reg) => {
            if e.kernel.is_variable(reg) {
                let value = e.load_variable(reg);
                e.define(reg, value);
            }
            let word = e.scalar(reg, Ty::Int)?;
            return Ok(e.b.extend(&word, false));
        }
        Wide::Workgroup(0) => return Ok(e.b.extend(x, false)),
        Wide::Workgroup(axis) => return Ok(e.b.extend(&e.group[usize::from(axis)], false)),
        Wide::Length(binding) => return Ok(e.b.extend(&e.args.bindings[binding].length, false)),
        Wide::Add(a, b) => (Scalar::Add, at(a), at(b).clone()),
        Wide::Sub(a, b) => (Scalar::Sub, at(a), at(b).clone()),
        Wide::Mul(a, b) => (Scalar::Mul, at(a), at(b).clone()),
        Wide::Min(a, b) => (Scalar::MinI, at(a), at(b).clone()),
        Wide::Max(a, b) => (Scalar::MaxI, at(a), at(b).clone()),
        Wide::Shr(a, by) => (Scalar::ShrI, at(a), e.b.long(by.into())),
        Wide::Div(a, by) => (Scalar::DivI, at(a), e.b.long(by.into())),
    };
    Ok(e.b.scalar(op, Size::Long, a, &b))
}

/// Whether the relevant comparisons hold.
fn all_less<I: Instructions>(
    e: &mut Emitter<'_, I>,
    facts: &Facts,
    numbers: &[I::Value],
    matters: impl Fn(Number, Number) -> bool,
) -> I::Value {
    let mut all = None;
    for &(a, b) in facts.less.iter().filter(|(a, b)| matters(*a, *b)) {
        let (a, b) = (&numbers[a as usize], &numbers[b as usize]);
        let less = e.b.scalar(Scalar::LtI, Size::Long, a, b);
        all = Some(e.b.both(all.as_ref(), &less));
    }
    all.unwrap_or_else(|| I::only(&e.b.number(1, Ty::Bool, false)))
}
