//! Control flow: branches for uniform conditions, masks for varying ones, loops over gangs.
//!
//! A construct that lanes leave at different times has two masks of its own: the lanes still in it, and those
//! still in this iteration. Leaving removes lanes from the masks of every construct that they leave. A body under
//! a divergent condition is skipped if no lane executes it. Where that pays, it is emitted a second time, without
//! masks, for the case that all lanes do.

use std::collections::BTreeSet;

use super::array::{clear, gang_arrays, local_load, local_store};
use super::atomic::atomic;
use super::builtins;
use super::emitter::{Emitter, Frame, Mask};
use super::functions::pure;
use super::instructions::{Instructions, Kind, Scalar, Size};
use super::memory::{Accesses, load, prefetch, store};
use super::subgroup::{ballot, fold, gather};
use super::versions::{facts, has_spans, long_row, span_with_edges};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::ir::{Loop, Node, Region, Target, Versions};
use crate::cpu::spmd::liveness::{Access, access};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Operations in a region, at any depth.
fn size(region: &Region) -> usize {
    let mut count = 0;
    region.for_each(&mut |_| count += 1);
    count
}

/// Whether any node of a region, at any depth, is such.
fn has(region: &Region, wanted: impl Fn(&Node) -> bool) -> bool {
    let mut found = false;
    region.for_each(&mut |node| found |= wanted(node));
    found
}

/// Whether a second, unmasked version of a region would gain anything.
fn gains(region: &Region) -> bool {
    has(region, |node| {
        matches!(node, Node::Op(Op::Load(_) | Op::Store(_) | Op::LocalStore { .. }) | Node::Loop(_))
    })
}

pub(super) fn region<I: Accesses>(e: &mut Emitter<'_, I>, region: &Region) -> Result<()> {
    e.enter();
    for item in &region.nodes {
        node(e, item)?;
        if e.b.ended() {
            break;
        }
    }
    e.leave();
    Ok(())
}

fn node<I: Accesses>(e: &mut Emitter<'_, I>, node: &Node) -> Result<()> {
    match node {
        Node::Op(op) | Node::UniformLoad(op) => return operation(e, op),
        Node::If { condition, accept, reject } => return branches(e, *condition, accept, reject),
        Node::Loop(l) => return loops(e, l),
        Node::Once { target, body } => return once(e, *target, body),
        Node::Gangs { body, most } => return gangs(e, body, *most),
        Node::Versions(given) => return versions(e, given),
        Node::Prefetch(address) => return prefetch(e, address),
        Node::Barrier => return Err(e.broken("a barrier is left")),
        Node::Break(target) => jump(e, *target, true),
        Node::Continue(target) => jump(e, *target, false),
        Node::Return => returns(e),
    }
    Ok(())
}

fn operation<I: Accesses>(e: &mut Emitter<'_, I>, op: &Op) -> Result<()> {
    match op {
        Op::Load(access) => load(e, access),
        Op::Store(access) => store(e, access),
        Op::LocalLoad { dst, var, index } => local_load(e, *dst, *var, *index),
        Op::LocalStore { var, index, src, .. } => local_store(e, *var, *index, *src),
        Op::Clear { var, count } => clear(e, *var, *count),
        Op::Atomic(update) => atomic(e, update),
        Op::Fence => {
            e.b.fence();
            Ok(())
        }
        Op::Ballot { dst, predicate, .. } => ballot(e, *dst, *predicate),
        Op::SubgroupGather { mode, dst, src, index, .. } => gather(e, *mode, *dst, *src, *index),
        Op::SubgroupFold(given) => fold(e, given),
        op if op.is_pure() => pure(e, op),
        _ => Err(e.unsupported("this operation")),
    }
}

// Leaving.

/// Whether lanes may leave a region, by masks, for a target that is not `own`.
fn leaves<I: Instructions>(e: &Emitter<'_, I>, region: &Region, own: Option<Target>) -> bool {
    has(region, |node| match node {
        Node::Break(t) | Node::Continue(t) => Some(*t) != own && e.shapes.masked[*t as usize],
        Node::Return => e.shapes.returns,
        _ => false,
    })
}

fn jump<I: Instructions>(e: &mut Emitter<'_, I>, target: Target, breaks: bool) {
    let Some(at) = e.frames.iter().rposition(|frame| frame.target == Some(target)) else {
        return;
    };
    if e.frames[at].masks.is_none() {
        let block = if breaks { &e.frames[at].exit } else { &e.frames[at].next };
        e.b.branch(block);
        return;
    }
    let gone = e.mask_lanes();
    for inner in (at..e.frames.len()).rev() {
        take_out(e, inner, &gone, inner > at || breaks);
    }
    if !breaks {
        e.frames[at].continued = true;
    }
    e.mask = e.no_lanes();
}

fn returns<I: Instructions>(e: &mut Emitter<'_, I>) {
    if !e.shapes.returns {
        if let Some(frame) = e.frames.first() {
            e.b.branch(&frame.exit);
        }
        return;
    }
    let gone = e.mask_lanes();
    for frame in (0..e.frames.len()).rev() {
        take_out(e, frame, &gone, true);
    }
    e.mask = e.no_lanes();
}

/// Takes lanes out of a frame's iteration, and out of the frame.
fn take_out<I: Instructions>(e: &mut Emitter<'_, I>, frame: usize, gone: &I::Lanes, out: bool) {
    let Some([live, active]) = e.frames[frame].masks.clone() else { return };
    for slot in if out { vec![live, active] } else { vec![active] } {
        let old = e.b.read(&slot);
        let new = e.and_not(&old, gone);
        e.b.write(&slot, &new);
    }
}

/// After a node that lanes may have left: sets the mask of the remaining lanes, or goes on behind the
/// construct if none remain.
fn after_leaving<I: Instructions>(e: &mut Emitter<'_, I>, before: Mask<I::Lanes>) {
    let masked = e.frames.iter().enumerate().rev();
    let masked = masked.filter_map(|(at, frame)| Some((at, frame, frame.masks.as_ref()?)));
    let Some((at, frame, [_, active])) = { masked }.next() else {
        e.mask = before;
        return;
    };
    // Lanes outside of a divergent branch may still have to run: go to the branch's end only.
    let away = match e.arms.last() {
        Some((frames, end)) if *frames > at => end.clone(),
        _ if frame.continued => frame.next.clone(),
        _ => frame.exit.clone(),
    };
    let active = e.b.read(active);
    let mask = match before {
        Mask::Full => active,
        Mask::Some(before) => e.and(&before, &active),
    };
    let any = e.b.any(&mask);
    e.mask = Mask::Some(mask);
    let rest = e.b.block();
    e.b.branch_if(&any, &rest, &away);
    e.b.begin(&rest);
}

// Branches.

fn branches<I: Accesses>(
    e: &mut Emitter<'_, I>,
    condition: Reg,
    accept: &Region,
    reject: &Region,
) -> Result<()> {
    let before = e.mask.clone();
    let leaving = leaves(e, accept, None) || leaves(e, reject, None);
    let merge = e.b.block();
    if e.is_uniform(condition) {
        let c = e.scalar(condition, Ty::Bool)?;
        let (yes, no) = (e.b.block(), e.b.block());
        e.b.branch_if(&c, &yes, &no);
        let mut reached = false;
        for (block, arm) in [(yes, accept), (no, reject)] {
            e.b.begin(&block);
            e.mask = before.clone();
            region(e, arm)?;
            reached |= !e.b.ended();
            e.b.branch(&merge);
        }
        if reached {
            e.b.begin(&merge);
        }
        e.mask = before.clone();
        if reached && leaving {
            after_leaving(e, before);
        }
        return Ok(());
    }
    let c = e.vector(condition, Ty::Bool)?;
    if before.is_full() {
        // One version for the case that all lanes agree.
        let (main, first) = if accept.nodes.is_empty() {
            (reject, e.b.not(&c, Ty::Bool, true))
        } else {
            (accept, c.clone())
        };
        let cost = size(main);
        if gains(main) && cost <= e.clones {
            e.clones -= cost;
            let every = e.b.all(&first);
            let (full, part) = (e.b.block(), e.b.block());
            e.b.branch_if(&every, &full, &part);
            e.b.begin(&full);
            e.mask = Mask::Full;
            arm(e, main, &merge)?;
            e.b.begin(&part);
        }
    }
    for (side, wanted) in [(accept, true), (reject, false)] {
        if side.nodes.is_empty() {
            continue;
        }
        let mask = match (&before, wanted) {
            (Mask::Full, true) => c.clone(),
            (Mask::Full, false) => e.b.not(&c, Ty::Bool, true),
            (Mask::Some(base), true) => e.and(base, &c),
            (Mask::Some(base), false) => e.and_not(base, &c),
        };
        if let [jump @ (Node::Break(_) | Node::Continue(_) | Node::Return)] = &side.nodes[..] {
            // A few instructions on masks cost less than a branch.
            e.mask = Mask::Some(mask);
            node(e, jump)?;
            continue;
        }
        let any = e.b.any(&mask);
        let (inside, outside) = (e.b.block(), e.b.block());
        e.b.branch_if(&any, &inside, &outside);
        e.b.begin(&inside);
        e.mask = Mask::Some(mask);
        arm(e, side, &outside)?;
        e.b.begin(&outside);
    }
    e.b.branch(&merge);
    e.b.begin(&merge);
    e.mask = before.clone();
    if leaving {
        after_leaving(e, before);
    }
    Ok(())
}

/// Emits an arm of a divergent branch, up to the arm's end.
fn arm<I: Accesses>(e: &mut Emitter<'_, I>, body: &Region, end: &I::Block) -> Result<()> {
    e.arms.push((e.frames.len(), end.clone()));
    region(e, body)?;
    e.arms.pop();
    e.b.branch(end);
    Ok(())
}

// Loops.

/// Counts an iteration of a loop that may not end.
fn count_iteration<I: Instructions>(e: &mut Emitter<'_, I>, span: naga::Span) {
    let left = e.b.read_scalar(&e.budget);
    let (zero, one) = (e.b.long(0), e.b.long(1));
    let some = e.b.scalar(Scalar::LtU, Size::Long, &zero, &left);
    let (stop, go) = (e.b.block(), e.b.block());
    e.b.branch_if(&some, &go, &stop);
    e.b.begin(&stop);
    let status = e.status_of(span);
    e.b.return_status(status);
    e.b.begin(&go);
    let less = e.b.scalar(Scalar::Sub, Size::Long, &left, &one);
    e.b.write_scalar(&e.budget, &less);
}

/// The masks of a frame, which start with the active lanes.
fn frame_masks<I: Instructions>(e: &mut Emitter<'_, I>) -> [I::Slot; 2] {
    let mask = e.mask_lanes();
    [(); 2].map(|()| {
        let slot = e.b.slot(Kind::Lanes(Ty::Bool));
        e.b.write(&slot, &mask);
        slot
    })
}

fn open<I: Instructions>(e: &mut Emitter<'_, I>, target: Target) -> Frame<I::Block, I::Slot> {
    let masks = e.shapes.masked[target as usize].then(|| frame_masks(e));
    let (next, exit) = (e.b.block(), e.b.block());
    Frame { target: Some(target), next, exit, masks, continued: false }
}

fn loops<I: Accesses>(e: &mut Emitter<'_, I>, l: &Loop) -> Result<()> {
    let before = e.mask.clone();
    let frame = open(e, l.target);
    let head = e.b.block();
    e.b.branch(&head);
    e.b.begin_loop(&head);
    if !l.finite {
        count_iteration(e, l.span);
    }
    if let Some([live, active]) = &frame.masks {
        let lanes = e.b.read(live);
        e.b.write(active, &lanes);
        e.mask = Mask::Some(lanes);
    }
    e.frames.push(frame.clone());
    region(e, &l.body)?;
    // In one block with the body, its loads can be operands of the instructions that use them.
    let continued = has(&l.body, |node| matches!(node, Node::Continue(t) if *t == l.target));
    if e.b.ended() || frame.masks.is_some() || continued {
        e.b.branch(&frame.next);
        e.b.begin(&frame.next);
    }
    e.mask = before.clone();
    if let Some([live, active]) = &frame.masks {
        let lanes = e.b.read(live);
        let any = e.b.any(&lanes);
        let go = e.b.block();
        e.b.branch_if(&any, &go, &frame.exit);
        e.b.begin(&go);
        e.b.write(active, &lanes);
        e.mask = Mask::Some(lanes);
    }
    // `continuing` can use the body's values, and computes the condition.
    e.enter();
    for item in &l.continuing.nodes {
        node(e, item)?;
    }
    match (l.break_if, &frame.masks) {
        (Some(condition), Some([live, _])) => {
            let leaving = e.vector(condition, Ty::Bool)?;
            let lanes = e.b.read(live);
            let lanes = e.and_not(&lanes, &leaving);
            e.b.write(live, &lanes);
            let any = e.b.any(&lanes);
            e.b.branch_if(&any, &head, &frame.exit);
        }
        (Some(condition), None) => {
            let leaving = e.scalar(condition, Ty::Bool)?;
            e.b.branch_if(&leaving, &frame.exit, &head);
        }
        (None, _) => e.b.branch(&head),
    }
    e.b.close_loop(&head);
    e.leave();
    e.frames.pop();
    e.b.begin(&frame.exit);
    e.mask = before.clone();
    if frame.masks.is_some() && leaves(e, &l.body, Some(l.target)) {
        after_leaving(e, before);
    }
    Ok(())
}

fn once<I: Accesses>(e: &mut Emitter<'_, I>, target: Target, body: &Region) -> Result<()> {
    let before = e.mask.clone();
    let mut frame = open(e, target);
    frame.next = frame.exit.clone();
    let exit = frame.exit.clone();
    e.frames.push(frame);
    region(e, body)?;
    e.b.branch(&exit);
    e.frames.pop();
    e.b.begin(&exit);
    e.mask = before.clone();
    if leaves(e, body, Some(target)) {
        after_leaving(e, before);
    }
    Ok(())
}

// Versions.

/// Emits the version for which the facts hold, and the other one.
fn versions<I: Accesses>(e: &mut Emitter<'_, I>, versions: &Versions) -> Result<()> {
    if has_spans(e)
        && let ([Node::Gangs { body: inner, .. }], [Node::Gangs { body: edge, .. }]) =
            (&versions.inner.nodes[..], &versions.edge.nodes[..])
    {
        let (first, last) = span_with_edges(e, &versions.facts)?;
        return rows(e, |e| {
            let gang = e.place.as_ref().map_or(&first, |place| &place[0]).clone();
            let from = e.b.scalar(Scalar::LeU, Size::Word, &first, &gang);
            let to = e.b.scalar(Scalar::LtU, Size::Word, &gang, &last);
            let inside = e.b.both(Some(&from), &to);
            either(
                e,
                &inside,
                |e| gang_body(e, inner, Mask::Full),
                |e| gang_body(e, edge, Mask::Full),
            )
        });
    }
    let (holds, _) = facts(e, &versions.facts)?;
    either(e, &holds, |e| region(e, &versions.inner), |e| region(e, &versions.edge))
}

/// Emits both versions. The one for edges has nothing twice.
fn either<I: Accesses>(
    e: &mut Emitter<'_, I>,
    holds: &I::Value,
    inner: impl FnOnce(&mut Emitter<'_, I>) -> Result<()>,
    edge: impl FnOnce(&mut Emitter<'_, I>) -> Result<()>,
) -> Result<()> {
    let (quick, slow, join) = (e.b.block(), e.b.block(), e.b.block());
    e.b.branch_if(holds, &quick, &slow);
    e.b.begin(&quick);
    inner(e)?;
    e.b.branch(&join);
    e.b.begin(&slow);
    let clones = std::mem::take(&mut e.clones);
    edge(e)?;
    e.clones = clones;
    e.b.branch(&join);
    e.b.begin(&join);
    Ok(())
}

// Gangs.

/// A loop that counts from zero.
struct Count<I: Instructions> {
    counter: I::Slot,
    head: I::Block,
    limit: I::Value,
}

/// Begins a loop that counts up to a limit above zero; the number of the iteration.
fn begin_count<I: Instructions>(b: &mut I, limit: I::Value) -> (Count<I>, I::Value) {
    let counter = b.slot(Kind::Scalar(Ty::Int));
    let head = b.block();
    let zero = b.int(0);
    b.write_scalar(&counter, &zero);
    b.branch(&head);
    b.begin_loop(&head);
    let at = b.read_scalar(&counter);
    (Count { counter, head, limit }, at)
}

fn end_count<I: Instructions>(b: &mut I, count: &Count<I>) {
    let at = b.read_scalar(&count.counter);
    let one = b.int(1);
    let next = b.scalar(Scalar::Sum, Size::Word, &at, &one);
    b.write_scalar(&count.counter, &next);
    let more = b.scalar(Scalar::LtU, Size::Word, &next, &count.limit);
    let exit = b.block();
    b.branch_if(&more, &count.head, &exit);
    b.close_loop(&count.head);
    b.begin(&exit);
}

/// Emits a region for each gang of the workgroup.
fn gangs<I: Accesses>(e: &mut Emitter<'_, I>, body: &Region, most: Option<u32>) -> Result<()> {
    let [x, y, z] = e.kernel.workgroup_size;
    let width = e.b.width();
    let total = x * y * z;
    let (mut whole, mut rest) = (total / width, total % width);
    if let Some(most) = most.filter(|most| *most <= whole) {
        (whole, rest) = (most, 0);
    } else if x.is_multiple_of(width) {
        return rows(e, |e| gang_body(e, body, Mask::Full));
    }
    e.place = None;
    if whole == 1 {
        e.gang = e.b.int(0);
        gang_body(e, body, Mask::Full)?;
    } else if whole > 1 {
        let limit = e.b.int(whole);
        let (count, gang) = begin_count(&mut e.b, limit);
        e.gang = gang;
        gang_body(e, body, Mask::Full)?;
        end_count(&mut e.b, &count);
    }
    if rest > 0 {
        e.gang = e.b.int(whole);
        let mask = e.b.lanes_below(rest);
        gang_body(e, body, Mask::Some(mask))?;
    }
    e.mask = Mask::Full;
    Ok(())
}

/// As `gangs`, for whole gangs in rows: loops along each axis, so that values that are uniform in a row are
/// computed once.
fn rows<I: Accesses>(
    e: &mut Emitter<'_, I>,
    body: impl FnOnce(&mut Emitter<'_, I>) -> Result<()>,
) -> Result<()> {
    let [x, y, z] = e.kernel.workgroup_size;
    let parts = x / e.b.width();
    let zero = e.b.int(0);
    let mut place = [0; 3].map(|_| zero.clone());
    let mut counts = Vec::new();
    for (axis, extent) in [(2, z), (1, y), (0, parts)] {
        let long = if axis == 0 { long_row(e, parts) } else { None };
        if extent == 1 && long.is_none() {
            continue;
        }
        let limit = long.unwrap_or_else(|| e.b.int(extent));
        let (count, at) = begin_count(&mut e.b, limit);
        place[axis] = at;
        counts.push(count);
    }
    let mut gang = place[2].clone();
    for (axis, extent) in [(1, y), (0, parts)] {
        let extent = e.b.int(extent);
        let before = e.b.scalar(Scalar::Product, Size::Word, &gang, &extent);
        gang = e.b.scalar(Scalar::Sum, Size::Word, &before, &place[axis]);
    }
    e.gang = gang;
    e.place = Some(place);
    body(e)?;
    for count in counts.iter().rev() {
        end_count(&mut e.b, count);
    }
    e.mask = Mask::Full;
    Ok(())
}

fn gang_body<I: Accesses>(
    e: &mut Emitter<'_, I>,
    body: &Region,
    mask: Mask<I::Lanes>,
) -> Result<()> {
    e.enter();
    e.mask = mask.clone();
    e.exists = mask;
    let exit = e.b.block();
    let masks = e.shapes.returns.then(|| frame_masks(e));
    let frame =
        Frame { target: None, next: exit.clone(), exit: exit.clone(), masks, continued: false };
    builtins::of_gang(e);
    restore(e, body);
    // Frames of the workgroup's level stay below: `Return` goes to the first.
    let outer = std::mem::replace(&mut e.frames, vec![frame]);
    let arms = std::mem::take(&mut e.arms);
    region(e, body)?;
    e.frames = outer;
    e.arms = arms;
    e.b.branch(&exit);
    e.b.begin(&exit);
    save(e, body);
    e.leave();
    e.mask = Mask::Full;
    Ok(())
}

/// Loads the values that earlier regions left for this one.
fn restore<I: Instructions>(e: &mut Emitter<'_, I>, body: &Region) {
    gang_arrays(e);
    if !e.kernel.is_split() {
        e.b.write_scalar(&e.budget, &e.args.budget);
        return;
    }
    for &var in &e.liveness.entry[body.id as usize] {
        if is_kept(e, var) {
            e.restore_variable(var);
        }
    }
}

/// Stores the values that later regions need of this one.
fn save<I: Instructions>(e: &mut Emitter<'_, I>, body: &Region) {
    if !e.kernel.is_split() {
        return;
    }
    let mut written = BTreeSet::new();
    body.for_each(&mut |node| {
        if let Node::Op(op) | Node::UniformLoad(op) = node
            && let Some(Access::Set(var) | Access::Change(var)) = access(e.kernel, op)
        {
            written.insert(var);
        }
    });
    for var in &e.liveness.after[body.id as usize] {
        if written.contains(var) && is_kept(e, *var) {
            e.save_variable(*var);
        }
    }
}

/// Whether each gang has a value of a variable that is kept between regions.
fn is_kept<I: Instructions>(e: &Emitter<'_, I>, var: Reg) -> bool {
    e.class(var) > Class::Workgroup && e.kernel.array_of(var).is_none()
}
