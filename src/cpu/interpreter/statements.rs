//! Translates control flow to masks and jumps.
//!
//! Each branch, loop and case has a mask plane of its own, and the innermost mask governs execution. A leaving
//! statement (`break`, `continue`, `return`) removes the lanes from every mask from the innermost to the one
//! that is left, so that no mask has to be restored afterwards. Jumps skip code that no lane would execute.
//! Barriers need no code, because all lanes are always at the same operation. An explicit stack holds the blocks
//! still to be compiled.

use naga::{Block, Expression, Handle, Span, Statement, SwitchCase, SwitchValue};

use super::bytecode::{Label, NONE, Op};
use super::class::Class;
use super::compiler::{Compiler, Scope};
use super::functions::{Binary, Reg, Unary};
use super::note::Fact;
use super::place::Root;
use super::touch::Touch;
use super::{expressions, notes, places, together};
use crate::analysis::facts;
use crate::error::Result;

/// A mask that lanes are removed from when they leave.
#[derive(Clone, Copy)]
enum Frame {
    /// The function itself, a branch, or a loop's `continuing`.
    Branch(Reg),
    /// A case of a switch, which `break` leaves.
    Case(Reg),
    /// The lanes that are still in the loop, and those that are still in this iteration.
    Loop { active: Reg, body: Reg },
}

/// The kind of a leaving statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    Break,
    Continue,
    Return,
}

/// The remaining work; the next task is on top of the stack.
enum Task<'k> {
    Block {
        statements: Box<dyn Iterator<Item = (&'k Statement, &'k Span)> + 'k>,
        end: Label,
    },
    /// After `accept`: compiles the other branch.
    Reject {
        block: &'k Block,
        mask: Reg,
        left: usize,
    },
    /// After a branch: restores the mask around it.
    EndBranch {
        left: usize,
    },
    Cases(Cases<'k>),
    Continuing {
        continuing: &'k Block,
        break_if: Option<Handle<Expression>>,
        ends: LoopEnds,
    },
    EndLoop {
        break_if: Option<Handle<Expression>>,
        ends: LoopEnds,
    },
}

#[derive(Clone, Copy)]
struct LoopEnds {
    active: Reg,
    head: Label,
    exit: Label,
    /// The numbers of leaving statements and of returns that had been compiled before the loop.
    left: usize,
    returns: usize,
    span: Span,
}

struct Cases<'k> {
    cases: std::iter::Zip<std::slice::Iter<'k, SwitchCase>, std::vec::IntoIter<Reg>>,
    /// Whether a case is open, which is closed before the next.
    opened: bool,
    /// The lanes that fall through into the next case.
    carry: Option<Reg>,
    left: usize,
}

struct Walk<'c, 'k> {
    c: &'c mut Compiler<'k>,
    tasks: Vec<Task<'k>>,
    frames: Vec<Frame>,
    /// Leaving statements compiled so far.
    left: usize,
    /// Those of them that return.
    returns: usize,
    /// For each loop, in the order of the walk, whether it provably ends.
    finite: Vec<bool>,
    /// Loops met so far.
    met: usize,
}

/// Compiles the entry point's statements.
pub(super) fn compile_body(compiler: &mut Compiler<'_>) -> Result<()> {
    let function = compiler.function;
    let frames = vec![Frame::Branch(compiler.exec)];
    let finite = facts(compiler.kernel).finite_loops.clone();
    let mut walk =
        Walk { c: compiler, tasks: Vec::new(), frames, left: 0, returns: 0, finite, met: 0 };
    walk.block(&function.body);
    while let Some(task) = walk.tasks.pop() {
        walk.step(task)?;
    }
    Ok(())
}

impl<'k> Walk<'_, 'k> {
    fn block(&mut self, block: &'k Block) {
        let end = self.c.label();
        self.tasks.push(Task::Block { statements: Box::new(block.span_iter()), end });
    }

    /// A new mask: `f` of two masks.
    fn mask(&mut self, f: Binary, a: Reg, b: Reg) -> Reg {
        let dst = self.c.register(Class::Mask);
        self.c.push(Op::Binary { f, dst, a, b });
        dst
    }

    /// Opens a branch for the lanes of a mask. Its task must be on the stack already.
    fn enter(&mut self, frame: Frame, mask: Reg) {
        self.frames.push(frame);
        self.c.exec = mask;
        self.c.full = false;
    }

    /// Closes the innermost frame.
    fn close(&mut self) -> Result<()> {
        self.frames.pop();
        let (Some(Frame::Branch(mask) | Frame::Case(mask)) | Some(Frame::Loop { body: mask, .. })) =
            self.frames.last().copied()
        else {
            return Err(self.c.broken("a branch closes the function"));
        };
        self.c.exec = mask;
        self.c.full = self.frames.len() == 1 && self.returns == 0;
        Ok(())
    }

    /// If lanes may have left since the count of leaving statements was `left`, jumps to the end of the block
    /// that is being compiled when no lane remains.
    fn skip_rest(&mut self, left: usize) {
        if self.left > left
            && let Some(Task::Block { end, .. }) =
                self.tasks.iter().rev().find(|task| matches!(task, Task::Block { .. }))
        {
            let to = *end;
            let mask = self.c.exec;
            self.c.push(Op::JumpIfNone { mask, to });
        }
    }

    fn step(&mut self, task: Task<'k>) -> Result<()> {
        match task {
            Task::Block { mut statements, end } => {
                let Some((statement, &span)) = statements.next() else {
                    self.c.push(Op::Label(end));
                    return Ok(());
                };
                self.c.span = span;
                let leave = match statement {
                    Statement::Break => Some(Leave::Break),
                    Statement::Continue => Some(Leave::Continue),
                    Statement::Return { .. } => Some(Leave::Return),
                    _ => None,
                };
                if let Some(leave) = leave {
                    // The rest of this block is never executed, but its loops are numbered.
                    self.leave(leave)?;
                    self.met += statements.map(|(statement, _)| loops_in(statement)).sum::<usize>();
                    self.c.push(Op::Label(end));
                    return Ok(());
                }
                self.tasks.push(Task::Block { statements, end });
                self.statement(statement, span)
            }
            Task::Reject { block, mask, left } => {
                self.close()?;
                self.tasks.push(Task::EndBranch { left });
                self.block(block);
                self.jump_over_block(mask);
                self.enter(Frame::Branch(mask), mask);
                Ok(())
            }
            Task::EndBranch { left } => {
                self.close()?;
                self.skip_rest(left);
                Ok(())
            }
            Task::Cases(cases) => self.next_case(cases),
            Task::Continuing { continuing, break_if, ends } => {
                self.frames.pop();
                self.enter(Frame::Branch(ends.active), ends.active);
                if self.left > ends.left {
                    self.c.push(Op::JumpIfNone { mask: ends.active, to: ends.exit });
                }
                self.tasks.push(Task::EndLoop { break_if, ends });
                self.block(continuing);
                Ok(())
            }
            Task::EndLoop { break_if, ends } => {
                if let Some(condition) = break_if {
                    let b = expressions::scalar_value(self.c, condition)?;
                    let active = ends.active;
                    self.c.push(Op::Binary { f: Binary::AndNot, dst: active, a: active, b });
                    self.c.push(Op::JumpIfNone { mask: active, to: ends.exit });
                }
                self.c.span = ends.span;
                self.c.push(Op::Jump { to: ends.head });
                self.c.push(Op::Label(ends.exit));
                self.c.heads.pop();
                self.close()?;
                // A break or a continue removes no lane from the masks around the loop.
                if self.returns > ends.returns {
                    self.skip_rest(ends.left);
                }
                Ok(())
            }
        }
    }

    /// Jumps over the block on top of the stack if the mask is empty.
    fn jump_over_block(&mut self, mask: Reg) {
        if let Some(Task::Block { end, .. }) = self.tasks.last() {
            let to = *end;
            self.c.push(Op::JumpIfNone { mask, to });
        }
    }

    /// Removes the executing lanes from all masks up to the one that they leave.
    fn leave(&mut self, leave: Leave) -> Result<()> {
        self.left += 1;
        self.returns += usize::from(leave == Leave::Return);
        let mut masks = Vec::new();
        for frame in self.frames.iter().rev() {
            match (*frame, leave) {
                (Frame::Branch(mask), _) => masks.push(mask),
                (Frame::Case(mask), _) => {
                    masks.push(mask);
                    if leave == Leave::Break {
                        break;
                    }
                }
                (Frame::Loop { active, body }, _) => {
                    masks.push(body);
                    if leave == Leave::Continue {
                        break;
                    }
                    masks.push(active);
                    if leave == Leave::Break {
                        break;
                    }
                }
            }
        }
        if leave == Leave::Return {
            let span = self.c.span;
            notes::note(self.c, span, Touch::Read, Fact::Leave);
        }
        // The innermost mask is the set of lanes itself, so it is changed last.
        let lanes = self.c.exec;
        for &mask in masks.iter().rev() {
            self.c.push(Op::Binary { f: Binary::AndNot, dst: mask, a: mask, b: lanes });
        }
        self.c.full = false;
        Ok(())
    }

    fn statement(&mut self, statement: &'k Statement, span: Span) -> Result<()> {
        if matches!(
            statement,
            Statement::If { .. } | Statement::Switch { .. } | Statement::Loop { .. }
        ) {
            // A copy inside the branch might be skipped, and its result used after the branch.
            self.c.detach_all();
        }
        match *statement {
            Statement::Emit(ref range) => {
                for handle in range.clone() {
                    expressions::ensure(self.c, Scope::Function, handle)?;
                }
            }
            Statement::Block(ref block) => self.block(block),
            Statement::If { condition, ref accept, ref reject } => {
                let condition = expressions::scalar_value(self.c, condition)?;
                let exec = self.c.exec;
                let left = self.left;
                match (accept.is_empty(), reject.is_empty()) {
                    (true, true) => {}
                    (false, true) | (true, false) => {
                        let (f, block) = if reject.is_empty() {
                            (Binary::And, accept)
                        } else {
                            (Binary::AndNot, reject)
                        };
                        let mask = self.mask(f, exec, condition);
                        self.tasks.push(Task::EndBranch { left });
                        self.block(block);
                        self.jump_over_block(mask);
                        self.enter(Frame::Branch(mask), mask);
                    }
                    (false, false) => {
                        let yes = self.mask(Binary::And, exec, condition);
                        let no = self.mask(Binary::AndNot, exec, condition);
                        self.tasks.push(Task::Reject { block: reject, mask: no, left });
                        self.block(accept);
                        self.jump_over_block(yes);
                        self.enter(Frame::Branch(yes), yes);
                    }
                }
            }
            Statement::Switch { selector, ref cases } => self.switch(selector, cases)?,
            Statement::Loop { ref body, ref continuing, break_if } => {
                let exec = self.c.exec;
                let active = self.c.register(Class::Mask);
                self.c.push(Op::Unary { f: Unary::Copy, dst: active, a: exec });
                let (head, exit) = (self.c.label(), self.c.label());
                self.c.heads.push(head);
                let ends =
                    LoopEnds { active, head, exit, left: self.left, returns: self.returns, span };
                self.c.push(Op::Label(head));
                let finite = self.finite.get(self.met).copied().unwrap_or(false);
                self.met += 1;
                let counter = if finite {
                    NONE
                } else {
                    self.c.loops.push(span);
                    (self.c.loops.len() - 1) as u32
                };
                self.c.push(Op::Iterate { counter, mask: active });
                let lanes = self.c.register(Class::Mask);
                self.c.push(Op::Unary { f: Unary::Copy, dst: lanes, a: active });
                self.tasks.push(Task::Continuing { continuing, break_if, ends });
                self.block(body);
                self.enter(Frame::Loop { active, body: lanes }, lanes);
            }
            Statement::ControlBarrier(barrier) | Statement::MemoryBarrier(barrier) => {
                if matches!(statement, Statement::ControlBarrier(_)) {
                    self.barrier(barrier, true);
                }
                if barrier.contains(naga::Barrier::STORAGE) {
                    self.c.push(Op::Fence);
                }
            }
            Statement::Store { pointer, value } => {
                let place = expressions::place(self.c, pointer)?;
                if let Root::Local(variable) = place.root {
                    self.c.detach(variable);
                }
                let value = expressions::value(self.c, value)?;
                places::store(self.c, &place, &value)?;
            }
            Statement::Atomic { pointer, ref fun, value, result } => {
                together::atomic(self.c, pointer, fun, value, result)?;
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let place = expressions::place(self.c, pointer)?;
                self.barrier(naga::Barrier::WORK_GROUP, true);
                let entry = places::load(self.c, &place)?;
                self.barrier(naga::Barrier::WORK_GROUP, false);
                self.c.set(Scope::Function, result, entry);
            }
            Statement::SubgroupBallot { result, predicate } => {
                self.subgroup();
                together::ballot(self.c, result, predicate)?;
            }
            Statement::SubgroupGather { mode, argument, result } => {
                self.subgroup();
                together::gather(self.c, mode, argument, result)?;
            }
            Statement::SubgroupCollectiveOperation { op, collective_op, argument, result } => {
                self.subgroup();
                together::collective(self.c, op, collective_op, argument, result)?;
            }
            Statement::Call { .. } => {
                return Err(self.c.broken("a call is left in the normalised module"));
            }
            _ => {
                return Err(self.c.unsupported("this statement in the CPU's interpreter", span));
            }
        }
        Ok(())
    }

    /// Notes a barrier.
    fn barrier(&mut self, barrier: naga::Barrier, meeting: bool) {
        // A barrier of a subgroup does not say which memory it orders. To treat it as ordering all memory hides
        // races, but reports no false ones.
        let subgroup = barrier.contains(naga::Barrier::SUB_GROUP);
        let fact = Fact::Barrier {
            workgroup: subgroup || barrier.contains(naga::Barrier::WORK_GROUP),
            storage: subgroup || barrier.contains(naga::Barrier::STORAGE),
            meeting: meeting && !subgroup,
        };
        let span = self.c.span;
        notes::note(self.c, span, Touch::Read, fact);
        if subgroup && meeting {
            self.subgroup();
        }
    }

    /// Notes a subgroup operation.
    fn subgroup(&mut self) {
        let span = self.c.span;
        notes::note(self.c, span, Touch::Read, Fact::Subgroup);
    }

    fn switch(&mut self, selector: Handle<Expression>, cases: &'k [SwitchCase]) -> Result<()> {
        let selector = expressions::scalar_value(self.c, selector)?;
        let exec = self.c.exec;
        let none = self.c.constant(0);
        let mut named = none;
        let mut selected = Vec::with_capacity(cases.len());
        for case in cases {
            let value = match case.value {
                SwitchValue::I32(value) => value as u32,
                SwitchValue::U32(value) => value,
                SwitchValue::Default => {
                    selected.push(None);
                    continue;
                }
            };
            let value = self.c.constant(value);
            let equal = self.c.binary(Binary::EqI, selector, value);
            named = self.c.binary(Binary::Or, named, equal);
            selected.push(Some(equal));
        }
        // The masks are computed before the first case. The cases change only their own masks and `exec`.
        let masks: Vec<Reg> = selected
            .into_iter()
            .map(|equal| match equal {
                Some(equal) => self.mask(Binary::And, exec, equal),
                None => self.mask(Binary::AndNot, exec, named),
            })
            .collect();
        self.next_case(Cases {
            cases: cases.iter().zip(masks),
            opened: false,
            carry: None,
            left: self.left,
        })
    }

    fn next_case(&mut self, mut cases: Cases<'k>) -> Result<()> {
        if std::mem::take(&mut cases.opened) {
            self.close()?;
        }
        let mut carry: Option<Reg> = cases.carry.take();
        while let Some((case, mask)) = cases.cases.next() {
            if let Some(carry) = carry.take() {
                self.c.push(Op::Binary { f: Binary::Or, dst: mask, a: mask, b: carry });
            }
            if case.fall_through {
                carry = Some(mask);
            }
            if case.body.is_empty() {
                continue;
            }
            cases.carry = carry;
            cases.opened = true;
            self.tasks.push(Task::Cases(cases));
            self.block(&case.body);
            self.jump_over_block(mask);
            self.enter(Frame::Case(mask), mask);
            return Ok(());
        }
        self.skip_rest(cases.left);
        Ok(())
    }
}

/// The number of loops in a statement, at any depth.
fn loops_in(statement: &Statement) -> usize {
    let mut stack = vec![statement];
    let mut loops = 0;
    while let Some(statement) = stack.pop() {
        match statement {
            Statement::Block(block) => stack.extend(block.iter()),
            Statement::If { accept, reject, .. } => {
                stack.extend(accept.iter().chain(reject.iter()))
            }
            Statement::Switch { cases, .. } => {
                stack.extend(cases.iter().flat_map(|case| case.body.iter()));
            }
            Statement::Loop { body, continuing, .. } => {
                loops += 1;
                stack.extend(body.iter().chain(continuing.iter()));
            }
            _ => {}
        }
    }
    loops
}
