//! Control flow: branches for uniform conditions, masks for varying ones.
//!
//! The mask is part of the emitter's state. A construct that lanes leave at different times has two slots: the
//! lanes still in it, and those still in this iteration. Leaving removes lanes from the slots of every
//! construct that they leave. A body under a divergent condition is skipped if no lane executes it. Where that
//! pays, it is emitted a second time, without masks, for the case that all lanes do.

use super::emit::{Emitter, Frame, Mask};
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

impl Emitter<'_> {
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
            Node::Prefetch(address) => self.prefetch(address),
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
                self.line("fence seq_cst");
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
            let label = if breaks { &self.frames[at].exit } else { &self.frames[at].next };
            let label = label.clone();
            self.branch(&label);
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
        self.mask = Mask::Some("zeroinitializer".to_owned());
    }

    fn returns(&mut self) {
        if !self.shapes.returns {
            if let Some(frame) = self.frames.first() {
                let label = frame.exit.clone();
                self.branch(&label);
            }
            return;
        }
        let gone = self.mask_vector();
        for frame in (0..self.frames.len()).rev() {
            self.take_out(frame, &gone, true);
        }
        self.mask = Mask::Some("zeroinitializer".to_owned());
    }

    /// Takes lanes out of a frame's iteration, and out of the frame.
    fn take_out(&mut self, frame: usize, gone: &str, out: bool) {
        let Frame { live, active, masked, .. } = self.frames[frame].clone();
        if !masked {
            return;
        }
        let lanes = self.ty(Ty::Bool, true);
        for slot in if out { vec![live, active] } else { vec![active] } {
            let old = self.ins(&format!("load {lanes}, ptr {slot}"));
            let new = self.and_not(&old, gone);
            self.line(&format!("store {lanes} {new}, ptr {slot}"));
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
        let lanes = self.ty(Ty::Bool, true);
        let active = self.ins(&format!("load {lanes}, ptr {}", frame.active));
        let mask = match before {
            Mask::Full => active,
            Mask::Some(before) => self.and(&before, &active),
        };
        let any = self.any(&mask);
        self.mask = Mask::Some(mask);
        let rest = self.label();
        // Lanes outside of a divergent branch may still have to run: go to the branch's end only.
        let away = match self.arms.last() {
            Some((frames, end)) if *frames > at => end.clone(),
            _ if frame.continued => frame.next,
            _ => frame.exit,
        };
        self.branch_if(&any, &rest, &away);
        self.begin(&rest);
    }

    // Branches.

    fn branches(&mut self, condition: Reg, accept: &Region, reject: &Region) -> Result<()> {
        let before = self.mask.clone();
        let leaves = self.leaves(accept) || self.leaves(reject);
        let merge = self.label();
        if self.is_uniform(condition) {
            let c = self.scalar(condition, Ty::Bool)?;
            let (yes, no) = (self.label(), self.label());
            self.branch_if(&c, &yes, &no);
            let mut reached = false;
            for (label, region) in [(yes, accept), (no, reject)] {
                self.begin(&label);
                self.mask = before.clone();
                self.region(region)?;
                reached |= !self.ended;
                self.branch(&merge);
            }
            if reached {
                self.begin(&merge);
            }
            self.mask = before.clone();
            if reached && leaves {
                self.after_leaving(before);
            }
            return Ok(());
        }
        let c = self.vector(condition, Ty::Bool)?;
        if before == Mask::Full {
            // One version for the case that all lanes agree.
            let all = self.constant(u32::MAX, Ty::Bool);
            let lanes = self.ty(Ty::Bool, true);
            let (main, first) = if accept.nodes.is_empty() {
                (reject, self.ins(&format!("xor {lanes} {c}, {all}")))
            } else {
                (accept, c.clone())
            };
            let cost = size(main);
            if gains(main) && cost <= self.clones {
                self.clones -= cost;
                let every = self.all(&first);
                let (full, part) = (self.label(), self.label());
                self.branch_if(&every, &full, &part);
                self.begin(&full);
                self.mask = Mask::Full;
                self.arms.push((self.frames.len(), merge.clone()));
                self.region(main)?;
                self.arms.pop();
                self.branch(&merge);
                self.begin(&part);
            }
        }
        for (region, wanted) in [(accept, true), (reject, false)] {
            if region.nodes.is_empty() {
                continue;
            }
            let base = match before.clone() {
                Mask::Full => self.constant(u32::MAX, Ty::Bool),
                Mask::Some(mask) => mask,
            };
            let mask = if wanted { self.and(&base, &c) } else { self.and_not(&base, &c) };
            if let [jump @ (Node::Break(target) | Node::Continue(target))] = &region.nodes[..]
                && self.shapes.masked[*target as usize]
            {
                // Removing lanes from a mask costs less than a branch.
                self.mask = Mask::Some(mask);
                self.node(jump)?;
                continue;
            }
            let any = self.any(&mask);
            let (inside, outside) = (self.label(), self.label());
            self.branch_if(&any, &inside, &outside);
            self.begin(&inside);
            self.mask = Mask::Some(mask);
            self.arms.push((self.frames.len(), outside.clone()));
            self.region(region)?;
            self.arms.pop();
            self.branch(&outside);
            self.begin(&outside);
        }
        self.branch(&merge);
        self.begin(&merge);
        self.mask = before.clone();
        if leaves {
            self.after_leaving(before);
        }
        Ok(())
    }

    // Loops.

    /// Counts an iteration of a loop that may not end.
    fn count_iteration(&mut self, span: naga::Span) {
        let left = self.ins("load i64, ptr %budget");
        let none = self.ins(&format!("icmp eq i64 {left}, 0"));
        let (stop, go) = (self.label(), self.label());
        self.branch_if(&none, &stop, &go);
        self.begin(&stop);
        let status = match self.loop_spans.iter().position(|&known| known == span) {
            Some(at) => at + 1,
            None => {
                self.loop_spans.push(span);
                self.loop_spans.len()
            }
        };
        self.line(&format!("ret i32 {status}"));
        self.begin(&go);
        let less = self.ins(&format!("sub i64 {left}, 1"));
        self.line(&format!("store i64 {less}, ptr %budget"));
    }

    fn open(&mut self, target: Target) -> Frame {
        let masked = self.shapes.masked[target as usize];
        let (next, exit) = (self.label(), self.label());
        let (mut live, mut active) = (String::new(), String::new());
        if masked {
            let lanes = self.ty(Ty::Bool, true);
            (live, active) = (self.fresh("%live"), self.fresh("%active"));
            self.alloca(&live, &lanes);
            self.alloca(&active, &lanes);
            let mask = self.mask_vector();
            self.line(&format!("store {lanes} {mask}, ptr {live}"));
            self.line(&format!("store {lanes} {mask}, ptr {active}"));
        }
        Frame { target: Some(target), masked, next, exit, live, active, continued: false }
    }

    fn loops(&mut self, l: &Loop) -> Result<()> {
        let before = self.mask.clone();
        let frame = self.open(l.target);
        let head = self.label();
        let lanes = self.ty(Ty::Bool, true);
        self.branch(&head);
        self.begin(&head);
        if !l.finite {
            self.count_iteration(l.span);
        }
        if frame.masked {
            let live = self.ins(&format!("load {lanes}, ptr {}", frame.live));
            self.line(&format!("store {lanes} {live}, ptr {}", frame.active));
            self.mask = Mask::Some(live);
        }
        self.frames.push(frame.clone());
        self.region(&l.body)?;
        self.branch(&frame.next);
        self.begin(&frame.next);
        self.mask = before.clone();
        if frame.masked {
            let live = self.ins(&format!("load {lanes}, ptr {}", frame.live));
            let any = self.any(&live);
            let go = self.label();
            self.branch_if(&any, &go, &frame.exit);
            self.begin(&go);
            self.line(&format!("store {lanes} {live}, ptr {}", frame.active));
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
                let live = self.ins(&format!("load {lanes}, ptr {}", frame.live));
                let live = self.and_not(&live, &leaving);
                self.line(&format!("store {lanes} {live}, ptr {}", frame.live));
                let any = self.any(&live);
                self.branch_if(&any, &head, &frame.exit);
            }
            Some(condition) => {
                let leaving = self.scalar(condition, Ty::Bool)?;
                self.branch_if(&leaving, &frame.exit, &head);
            }
            None => self.branch(&head),
        }
        self.leave();
        self.frames.pop();
        self.begin(&frame.exit);
        self.mask = before.clone();
        if frame.masked && (self.leaves_beyond(&l.body, l.target)) {
            self.after_leaving(before);
        }
        Ok(())
    }

    fn once(&mut self, target: Target, body: &Region) -> Result<()> {
        let before = self.mask.clone();
        let mut frame = self.open(target);
        frame.next.clone_from(&frame.exit);
        self.frames.push(frame.clone());
        self.region(body)?;
        self.branch(&frame.exit);
        self.frames.pop();
        self.begin(&frame.exit);
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
            self.gang = "0".to_owned();
            self.gang_body(body, Mask::Full)?;
        } else if whole > 1 {
            let counter = self.shared_slot("%gang.slot", "i32");
            let (head, exit) = (self.label(), self.label());
            self.line(&format!("store i32 0, ptr {counter}"));
            self.branch(&head);
            self.begin(&head);
            self.gang = self.ins(&format!("load i32, ptr {counter}"));
            self.gang_body(body, Mask::Full)?;
            let gang = self.ins(&format!("load i32, ptr {counter}"));
            let next = self.ins(&format!("add nuw nsw i32 {gang}, 1"));
            self.line(&format!("store i32 {next}, ptr {counter}"));
            let more = self.ins(&format!("icmp ult i32 {next}, {whole}"));
            self.branch_if(&more, &head, &exit);
            self.begin(&exit);
        }
        if rest > 0 {
            self.gang = whole.to_string();
            let lanes: Vec<String> =
                (0..self.width).map(|lane| format!("i1 {}", lane < rest)).collect();
            self.gang_body(body, Mask::Some(format!("<{}>", lanes.join(", "))))?;
        }
        self.mask = Mask::Full;
        Ok(())
    }

    /// As `gangs`, for whole gangs in rows: loops along each axis, so that values that are uniform in a row are
    /// computed once.
    pub(super) fn rows(&mut self, body: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let [x, y, z] = self.kernel.workgroup_size;
        let parts = x / self.width;
        let mut place = ["0".to_owned(), "0".to_owned(), "0".to_owned()];
        let mut loops = Vec::new();
        for (axis, extent, slot) in [(2, z, "%gang.z"), (1, y, "%gang.y"), (0, parts, "%gang.x")] {
            let long = if axis == 0 { self.long_row(parts) } else { None };
            if extent == 1 && long.is_none() {
                continue;
            }
            let extent = long.unwrap_or_else(|| extent.to_string());
            let counter = self.shared_slot(slot, "i32");
            let (head, exit) = (self.label(), self.label());
            self.line(&format!("store i32 0, ptr {counter}"));
            self.branch(&head);
            self.begin(&head);
            place[axis] = self.ins(&format!("load i32, ptr {counter}"));
            loops.push((counter, extent, head, exit));
        }
        let mut gang = place[2].clone();
        for (axis, extent) in [(1, y), (0, parts)] {
            if gang != "0" && extent > 1 {
                gang = self.ins(&format!("mul nuw nsw i32 {gang}, {extent}"));
            }
            if gang == "0" {
                gang.clone_from(&place[axis]);
            } else if place[axis] != "0" {
                gang = self.ins(&format!("add nuw nsw i32 {gang}, {}", place[axis]));
            }
        }
        self.gang = gang;
        self.place = Some(place);
        body(self)?;
        for (counter, extent, head, exit) in loops.into_iter().rev() {
            let at = self.ins(&format!("load i32, ptr {counter}"));
            let next = self.ins(&format!("add nuw nsw i32 {at}, 1"));
            self.line(&format!("store i32 {next}, ptr {counter}"));
            let more = self.ins(&format!("icmp ult i32 {next}, {extent}"));
            self.branch_if(&more, &head, &exit);
            self.begin(&exit);
        }
        self.mask = Mask::Full;
        Ok(())
    }

    pub(super) fn gang_body(&mut self, body: &Region, mask: Mask) -> Result<()> {
        self.enter();
        self.mask = mask.clone();
        self.exists = mask;
        let exit = self.label();
        let lanes = self.ty(Ty::Bool, true);
        let mut frame = Frame {
            target: None,
            masked: self.shapes.returns,
            next: exit.clone(),
            exit: exit.clone(),
            live: String::new(),
            active: String::new(),
            continued: false,
        };
        if frame.masked {
            (frame.live, frame.active) = (self.fresh("%alive"), self.fresh("%here"));
            self.alloca(&frame.live.clone(), &lanes);
            self.alloca(&frame.active.clone(), &lanes);
            let all = self.mask_vector();
            self.line(&format!("store {lanes} {all}, ptr {}", frame.live));
            self.line(&format!("store {lanes} {all}, ptr {}", frame.active));
        }
        self.gang_builtins();
        self.restore(body)?;
        // Frames of the workgroup's level stay below: `Return` goes to the first.
        let outer = std::mem::replace(&mut self.frames, vec![frame]);
        let arms = std::mem::take(&mut self.arms);
        self.region(body)?;
        self.frames = outer;
        self.arms = arms;
        self.branch(&exit);
        self.begin(&exit);
        self.save(body);
        self.leave();
        self.mask = Mask::Full;
        Ok(())
    }
}
