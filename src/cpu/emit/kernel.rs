//! The frame around a kernel's body: the loop over workgroups.
//!
//! The generated function runs a range of workgroups of a chunk, in linear order. Values that one region of
//! gangs leaves for another are in scratch memory that the calling thread lends.

use super::array::place_arrays;
use super::builtins;
use super::emitter::{Arguments, Emitter, Frame};
use super::flow::region;
use super::functions::pure;
use super::instructions::{Area, Kind, Scalar, Size};
use super::memory::{Accesses, load};
use super::versions::{has_spans, whole_span};
use crate::cpu::compiled::Needs;
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::Node;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Adds a kernel's code to a function, from the current block to the return of its status.
pub(in crate::cpu) fn emit<I: Accesses>(
    b: I,
    compiled: &Compiled,
    args: Arguments<I::Value>,
) -> Result<(I, Needs)> {
    let mut e = Emitter::new(b, compiled, args);
    let workgroup_bytes = (compiled.code.workgroup_words * 4).next_multiple_of(64);
    e.scratch = workgroup_bytes;
    place_arrays(&mut e);
    builtins::of_launch(&mut e);
    for op in &compiled.code.preamble {
        match op {
            Op::Load(access) => load(&mut e, access)?,
            op => pure(&mut e, op)?,
        }
    }
    workgroups(&mut e, workgroup_bytes)?;
    let (b, functions, scratch, loops) = e.into_parts();
    Ok((b, Needs { functions, scratch, loops }))
}

/// The loop over workgroups.
fn workgroups<I: Accesses>(e: &mut Emitter<'_, I>, workgroup_bytes: u64) -> Result<()> {
    let (word, long) = (Size::Word, Size::Long);
    let place = [(); 3].map(|()| e.b.slot(Kind::Scalar(Ty::Int)));
    let [start, head, end, advance, done] = [(); 5].map(|()| e.b.block());
    let [first, count] = e.args.batch.clone();
    let zero = e.b.long(0);
    let some = e.b.scalar(Scalar::LtU, long, &zero, &count);
    // Without workgroups there is no division: the counts may be zero then.
    e.b.branch_if(&some, &start, &done);
    e.b.begin(&start);
    let columns = e.b.extend(&e.args.count[0], false);
    let rows = e.b.extend(&e.args.count[1], false);
    let rest = e.b.scalar(Scalar::DivU, long, &first, &columns);
    let at = [
        e.b.scalar(Scalar::RemU, long, &first, &columns),
        e.b.scalar(Scalar::RemU, long, &rest, &rows),
        e.b.scalar(Scalar::DivU, long, &rest, &rows),
    ];
    for (at, place) in at.iter().zip(&place) {
        let at = e.b.narrow(at);
        e.b.write_scalar(place, &at);
    }
    e.b.write_scalar(&e.left, &count);
    e.b.branch(&head);
    e.b.begin_loop(&head);
    let inside = place.each_ref().map(|place| e.b.read_scalar(place));
    e.column = inside[0].clone();
    for (axis, mut at) in inside.into_iter().enumerate() {
        if axis == 0 && e.kernel.packed > 1 {
            let packed = e.b.int(e.kernel.packed);
            at = e.b.scalar(Scalar::Mul, word, &at, &packed);
        }
        e.group[axis] = e.b.scalar(Scalar::Add, word, &at, &e.args.first[axis]);
    }
    e.b.write_scalar(&e.budget, &e.args.budget);
    let one = e.b.int(1);
    e.b.write_scalar(&e.span, &one);
    if workgroup_bytes > 0 {
        e.b.zero(Area::Workgroup, &e.args.scratch, workgroup_bytes);
    }
    builtins::of_workgroup(e);
    let (next, exit) = (end.clone(), end.clone());
    e.frames.push(Frame { target: None, next, exit, masks: None, continued: false });
    let body = &e.kernel.body;
    if has_spans(e) && matches!(body.nodes[..], [Node::Gangs { .. }]) {
        whole_span(e);
    }
    region(e, body)?;
    e.b.branch(&end);
    e.b.begin(&end);
    let span = e.b.read_scalar(&e.span);
    let left = e.b.read_scalar(&e.left);
    let finished = e.b.extend(&span, false);
    let left = e.b.scalar(Scalar::Sub, long, &left, &finished);
    e.b.write_scalar(&e.left, &left);
    let zero = e.b.long(0);
    let more = e.b.scalar(Scalar::LtU, long, &zero, &left);
    e.b.branch_if(&more, &advance, &done);
    e.b.begin(&advance);
    let zero = e.b.int(0);
    let mut carry = span;
    for (place, count) in place.iter().zip(&e.args.count).take(2) {
        let at = e.b.read_scalar(place);
        let next = e.b.scalar(Scalar::Add, word, &at, &carry);
        let wraps = e.b.scalar(Scalar::Equal, word, &next, count);
        let new = e.b.choose(&wraps, word, &zero, &next);
        e.b.write_scalar(place, &new);
        carry = e.b.bit(&wraps);
    }
    let at = e.b.read_scalar(&place[2]);
    let next = e.b.scalar(Scalar::Add, word, &at, &carry);
    e.b.write_scalar(&place[2], &next);
    e.b.branch(&head);
    e.b.close_loop(&head);
    e.b.begin(&done);
    e.b.return_status(0);
    Ok(())
}
