//! Control flow: branches for uniform conditions, masks for varying ones.
//!
//! The mask is part of the emitter's state. A construct that lanes leave at different times has two masks of
//! its own: the lanes still in it, and those still in this iteration. Leaving removes lanes from the masks of
//! every construct that they leave. A body under a divergent condition is skipped if no lane executes it. Where
//! that pays, it is emitted a second time, without masks, for the case that all lanes do.

use std::rc::Rc;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, types};

use super::emit::{Emitter, Frame, Lanes, Mask};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::ir::{Loop, Node, Region, Target};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Operations in a region, at any depth.
fn size(region: &Region) -> usize {
    let mut count = 0;
    region.for_each(&mut |_| count += 1);
    count
}

/// Whether a second, unmasked version of a region would gain anything.
fn gains(region: &Region) -> bool {
    let mut found = false;
    region.for_each(&mut |node| {
        found |= matches!(
            node,
            Node::Op(Op::Load(_) | Op::Store(_) | Op::LocalStore { .. }) | Node::Loop(_)
        );
    });
    found
}

impl Emitter<'_, '_> {
    pub(super) fn region(&mut self, region: &Region) -> Result<()> {
        self.enter();
        for node in &region.nodes {
            self.node(node)?;
            if self.ended {
                break;
            }
        }
        self.leave();
        Ok(())
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        match node {
            Node::Op(op) | Node::UniformLoad(op) => self.op(op),
            Node::If { condition, accept, reject } => self.branches(*condition, accept, reject),
            Node::Loop(l) => self.loops(l),
            Node::Once { target, body } => self.once(*target, body),
            Node::Break(target) => {
                self.jump(*target, true);
                Ok(())
            }
            Node::Continue(target) => {
                self.jump(*target, false);
                Ok(())
            }
            Node::Return => {
                self.returns();
                Ok(())
            }
            Node::Barrier => Err(self.broken("a barrier is left")),
            Node::Gangs { body, most } => self.gangs(body, *most),
            Node::Versions(versions) => self.versions(versions),
            // Cranelift has no prefetch instruction.
            Node::Prefetch(_) => Ok(()),
        }
    }

    fn op(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Load(access) => self.load(access),
            Op::Store(access) => self.store(access),
            Op::LocalLoad { dst, var, index } => self.local_load(*dst, *var, *index),
            Op::LocalStore { var, index, src, .. } => self.local_store(*var, *index, *src),
            Op::Clear { var, count } => self.clear(*var, *count),
            Op::Atomic(atomic) => self.atomic(atomic),
            Op::Fence => {
                self.b.ins().fence();
                Ok(())
            }
            Op::Ballot { dst, predicate, .. } => self.ballot(*dst, *predicate),
            Op::SubgroupGather { mode, dst, src, index, .. } => {
                self.subgroup_gather(*mode, *dst, *src, *index)
            }
            Op::SubgroupFold(fold) => self.subgroup_fold(fold),
            op if op.is_pure() => self.pure(op),
            _ => Err(self.unsupported("this operation")),
        }
    }

    // Leaving.

    /// Whether lanes may leave the region for a target outside of it, by masks.
    fn leaves(&self, region: &Region) -> bool {
        let mut found = false;
        region.for_each(&mut |node| {
            found |= match node {
                Node::Break(t) | Node::Continue(t) => self.shapes.masked[*t as usize],
                Node::Return => self.shapes.returns,
                _ => false,
            };
        });
        found
    }

    fn jump(&mut self, target: Target, breaks: bool) {
        let Some(at) = self.frames.iter().rposition(|frame| frame.target == Some(target)) else {
            return;
        };
        if !self.frames[at].masked {
            let block = if breaks { self.frames[at].exit } else { self.frames[at].next };
            self.branch(block);
            return;
        }
        let gone = self.mask_vector();
        for inner in (at..self.frames.len()).rev() {
            let out = inner > at || breaks;
            self.take_out(inner, &gone, out);
        }
        if !breaks {
            self.frames[at].continued = true;
        }
        self.mask = self.nobody();
    }

    fn returns(&mut self) {
        if !self.shapes.returns {
            if let Some(frame) = self.frames.first() {
                let block = frame.exit;
                self.branch(block);
            }
            return;
        }
        let gone = self.mask_vector();
        for frame in (0..self.frames.len()).rev() {
            self.take_out(frame, &gone, true);
        }
        self.mask = self.nobody();
    }

    /// Takes lanes out of a frame's iteration, and out of the frame.
    fn take_out(&mut self, frame: usize, gone: &Lanes, out: bool) {
        let Frame { live, active, masked, .. } = self.frames[frame].clone();
        if !masked {
            return;
        }
        for slots in if out { vec![live, active] } else { vec![active] } {
            let old = self.read_slots(&slots);
            let new = self.and_not(&old, gone);
            self.write_slots(&slots, &new);
        }
    }

    /// After a node that lanes may have left: sets the mask of the remaining lanes, or goes on behind the
    /// construct if none remain.
    fn after_leaving(&mut self, before: Mask) {
        let Some(at) = self.frames.iter().rposition(|frame| frame.masked) else {
            self.mask = before;
            return;
        };
        let frame = self.frames[at].clone();
        let active = self.read_slots(&frame.active);
        let mask = match before {
            Mask::Full => active,
            Mask::Some(before) => self.and(&before, &active),
        };
        let any = self.any(&mask);
        self.mask = Mask::Some(mask);
        let rest = self.block();
        // Lanes outside of a divergent branch may still have to run: go to the branch's end only.
        let away = match self.arms.last() {
            Some((frames, end)) if *frames > at => *end,
            _ if frame.continued => frame.next,
            _ => frame.exit,
        };
        self.branch_if(any, rest, away);
        self.begin(rest);
    }

    // Branches.

    fn branches(&mut self, condition: Reg, accept: &Region, reject: &Region) -> Result<()> {
        let before = self.mask.clone();
        let leaves = self.leaves(accept) || self.leaves(reject);
        let merge = self.block();
        if self.is_uniform(condition) {
            let c = self.scalar(condition, Ty::Bool)?;
            let (yes, no) = (self.block(), self.block());
            self.branch_if(c, yes, no);
            let mut reached = false;
            for (block, region) in [(yes, accept), (no, reject)] {
                self.begin(block);
                self.mask = before.clone();
                self.region(region)?;
                reached |= !self.ended;
                self.branch(merge);
            }
            if reached {
                self.begin(merge);
            }
            self.mask = before.clone();
            if reached && leaves {
                self.after_leaving(before);
            }
            return Ok(());
        }
        let c = self.vector(condition, Ty::Bool)?;
        if before.is_full() {
            // One version for the case that all lanes agree.
            let (main, first) = if accept.nodes.is_empty() {
                (reject, self.map(&c, |b, c| b.ins().bnot(c)))
            } else {
                (accept, c.clone())
            };
            let cost = size(main);
            if gains(main) && cost <= self.clones {
                self.clones -= cost;
                let every = self.all(&first);
                let (full, part) = (self.block(), self.block());
                self.branch_if(every, full, part);
                self.begin(full);
                self.mask = Mask::Full;
                self.arms.push((self.frames.len(), merge));
                self.region(main)?;
                self.arms.pop();
                self.branch(merge);
                self.begin(part);
            }
        }
        for (region, wanted) in [(accept, true), (reject, false)] {
            if region.nodes.is_empty() {
                continue;
            }
            let mask = match (before.clone(), wanted) {
                (Mask::Full, true) => c.clone(),
                (Mask::Full, false) => self.map(&c, |b, c| b.ins().bnot(c)),
                (Mask::Some(base), true) => self.and(&base, &c),
                (Mask::Some(base), false) => self.and_not(&base, &c),
            };
            if let [node @ (Node::Break(_) | Node::Continue(_) | Node::Return)] = &region.nodes[..]
            {
                // A few instructions on masks cost less than a branch.
                self.mask = Mask::Some(mask);
                self.node(node)?;
                continue;
            }
            let any = self.any(&mask);
            let (inside, outside) = (self.block(), self.block());
            self.branch_if(any, inside, outside);
            self.begin(inside);
            self.mask = Mask::Some(mask);
            self.arms.push((self.frames.len(), outside));
            self.region(region)?;
            self.arms.pop();
            self.branch(outside);
            self.begin(outside);
        }
        self.branch(merge);
        self.begin(merge);
        self.mask = before.clone();
        if leaves {
            self.after_leaving(before);
        }
        Ok(())
    }

    // Loops.

    /// Counts an iteration of a loop that may not end.
    fn count_iteration(&mut self, span: naga::Span) {
        let left = self.b.use_var(self.budget);
        let (stop, go) = (self.block(), self.block());
        self.branch_if(left, go, stop);
        self.begin(stop);
        let status = match self.loop_spans.iter().position(|&known| known == span) {
            Some(at) => at + 1,
            None => {
                self.loop_spans.push(span);
                self.loop_spans.len()
            }
        };
        let status = self.int(status as u32);
        self.b.ins().return_(&[status]);
        self.begin(go);
        let one = self.long(1);
        let less = self.b.ins().isub(left, one);
        self.b.def_var(self.budget, less);
    }

    fn open(&mut self, target: Target) -> Frame {
        let masked = self.shapes.masked[target as usize];
        let (next, exit) = (self.block(), self.block());
        let (live, active) =
            if masked { self.frame_masks() } else { (Rc::new([]) as _, Rc::new([]) as _) };
        Frame { target: Some(target), masked, next, exit, live, active, continued: false }
    }

    /// The masks of a frame, which start with the active lanes.
    fn frame_masks(
        &mut self,
    ) -> (Rc<[cranelift_frontend::Variable]>, Rc<[cranelift_frontend::Variable]>) {
        let (live, active) = (self.declare(Ty::Bool, true), self.declare(Ty::Bool, true));
        let mask = self.mask_vector();
        self.write_slots(&live, &mask);
        self.write_slots(&active, &mask);
        (live, active)
    }

    fn loops(&mut self, l: &Loop) -> Result<()> {
        let before = self.mask.clone();
        let frame = self.open(l.target);
        let head = self.block();
        self.branch(head);
        self.begin_loop(head);
        if !l.finite {
            self.count_iteration(l.span);
        }
        if frame.masked {
            let live = self.read_slots(&frame.live);
            self.write_slots(&frame.active, &live);
            self.mask = Mask::Some(live);
        }
        self.frames.push(frame.clone());
        self.region(&l.body)?;
        // In one block with the body, its loads can be operands of the instructions that use them.
        if self.ended || frame.masked || continues(&l.body, l.target) {
            self.branch(frame.next);
            self.begin(frame.next);
        }
        self.mask = before.clone();
        if frame.masked {
            let live = self.read_slots(&frame.live);
            let any = self.any(&live);
            let go = self.block();
            self.branch_if(any, go, frame.exit);
            self.begin(go);
            self.write_slots(&frame.active, &live);
            self.mask = Mask::Some(live);
        }
        // `continuing` can use the body's values, and computes the condition.
        self.enter();
        for node in &l.continuing.nodes {
            self.node(node)?;
        }
        match l.break_if {
            Some(condition) if frame.masked => {
                let leaving = self.vector(condition, Ty::Bool)?;
                let live = self.read_slots(&frame.live);
                let live = self.and_not(&live, &leaving);
                self.write_slots(&frame.live, &live);
                let any = self.any(&live);
                self.branch_if(any, head, frame.exit);
            }
            Some(condition) => {
                let leaving = self.scalar(condition, Ty::Bool)?;
                self.branch_if(leaving, frame.exit, head);
            }
            None => self.branch(head),
        }
        self.b.seal_block(head);
        self.leave();
        self.frames.pop();
        self.begin(frame.exit);
        self.mask = before.clone();
        if frame.masked && self.leaves_beyond(&l.body, l.target) {
            self.after_leaving(before);
        }
        Ok(())
    }

    fn once(&mut self, target: Target, body: &Region) -> Result<()> {
        let before = self.mask.clone();
        let mut frame = self.open(target);
        frame.next = frame.exit;
        self.frames.push(frame.clone());
        self.region(body)?;
        self.branch(frame.exit);
        self.frames.pop();
        self.begin(frame.exit);
        self.mask = before.clone();
        if self.leaves_beyond(body, target) {
            self.after_leaving(before);
        }
        Ok(())
    }

    /// Whether lanes may leave a construct's body for a target outside of the construct.
    fn leaves_beyond(&self, region: &Region, own: Target) -> bool {
        let mut found = false;
        region.for_each(&mut |node| {
            found |= match node {
                Node::Break(t) | Node::Continue(t) => *t != own && self.shapes.masked[*t as usize],
                Node::Return => self.shapes.returns,
                _ => false,
            };
        });
        found
    }

    // Gangs.

    /// Emits a region for each gang of the workgroup.
    fn gangs(&mut self, body: &Region, most: Option<u32>) -> Result<()> {
        let [x, y, z] = self.kernel.workgroup_size;
        let total = x * y * z;
        let (mut whole, mut rest) = (total / self.width, total % self.width);
        if let Some(most) = most.filter(|most| *most <= whole) {
            (whole, rest) = (most, 0);
        } else if x.is_multiple_of(self.width) {
            return self.rows(|this| this.gang_body(body, Mask::Full));
        }
        self.place = None;
        if whole == 1 {
            self.gang = self.int(0);
            self.gang_body(body, Mask::Full)?;
        } else if whole > 1 {
            let counter = self.b.declare_var(types::I32);
            let (head, exit) = (self.block(), self.block());
            let zero = self.int(0);
            self.b.def_var(counter, zero);
            self.branch(head);
            self.begin_loop(head);
            self.gang = self.b.use_var(counter);
            self.gang_body(body, Mask::Full)?;
            let gang = self.b.use_var(counter);
            let one = self.int(1);
            let next = self.b.ins().iadd(gang, one);
            self.b.def_var(counter, next);
            let whole = self.int(whole);
            let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, whole);
            self.branch_if(more, head, exit);
            self.b.seal_block(head);
            self.begin(exit);
        }
        if rest > 0 {
            self.gang = self.int(whole);
            let lane = |lane: u32| if lane < rest { u32::MAX } else { 0 };
            let mask: Lanes = (0..self.width)
                .step_by(4)
                .map(|k| self.words([lane(k), lane(k + 1), lane(k + 2), lane(k + 3)], Ty::Bool))
                .collect();
            self.gang_body(body, Mask::Some(mask))?;
        }
        self.mask = Mask::Full;
        Ok(())
    }

    /// As `gangs`, for whole gangs in rows: loops along each axis, so that values that are uniform in a row are
    /// computed once.
    pub(super) fn rows(&mut self, body: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let [x, y, z] = self.kernel.workgroup_size;
        let parts = x / self.width;
        let mut place = [0; 3].map(|_| self.int(0));
        let mut loops = Vec::new();
        for (axis, extent) in [(2, z), (1, y), (0, parts)] {
            let long = if axis == 0 { self.long_row(parts) } else { None };
            if extent == 1 && long.is_none() {
                continue;
            }
            let extent = long.unwrap_or_else(|| self.int(extent));
            let counter = self.b.declare_var(types::I32);
            let (head, exit) = (self.block(), self.block());
            let zero = self.int(0);
            self.b.def_var(counter, zero);
            self.branch(head);
            self.begin_loop(head);
            place[axis] = self.b.use_var(counter);
            loops.push((counter, extent, head, exit));
        }
        let mut gang = place[2];
        for (axis, extent) in [(1, y), (0, parts)] {
            let extent = self.int(extent);
            let before = self.b.ins().imul(gang, extent);
            gang = self.b.ins().iadd(before, place[axis]);
        }
        self.gang = gang;
        self.place = Some(place);
        body(self)?;
        for (counter, extent, head, exit) in loops.into_iter().rev() {
            let at = self.b.use_var(counter);
            let one = self.int(1);
            let next = self.b.ins().iadd(at, one);
            self.b.def_var(counter, next);
            let more = self.b.ins().icmp(IntCC::UnsignedLessThan, next, extent);
            self.branch_if(more, head, exit);
            self.b.seal_block(head);
            self.begin(exit);
        }
        self.mask = Mask::Full;
        Ok(())
    }

    pub(super) fn gang_body(&mut self, body: &Region, mask: Mask) -> Result<()> {
        self.enter();
        self.mask = mask;
        let exit = self.block();
        let masked = self.shapes.returns;
        let (live, active) =
            if masked { self.frame_masks() } else { (Rc::new([]) as _, Rc::new([]) as _) };
        let frame =
            Frame { target: None, masked, next: exit, exit, live, active, continued: false };
        self.gang_builtins();
        self.restore(body)?;
        // Frames of the workgroup's level stay below: `Return` goes to the first.
        let outer = std::mem::replace(&mut self.frames, vec![frame]);
        let arms = std::mem::take(&mut self.arms);
        self.region(body)?;
        self.frames = outer;
        self.arms = arms;
        self.branch(exit);
        self.begin(exit);
        self.save(body)?;
        self.leave();
        self.mask = Mask::Full;
        Ok(())
    }
}

/// Whether a loop's body has a `continue` of the loop.
fn continues(body: &Region, target: Target) -> bool {
    let mut found = false;
    body.for_each(&mut |node| found |= matches!(node, Node::Continue(t) if *t == target));
    found
}
