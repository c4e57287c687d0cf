//! From the normalised module to the SPMD form: statements to nodes.
//!
//! The interpreter's front end lowers expressions, variables and pointers. The operations that it
//! appends are moved to the place of the statement. A switch becomes a chain of `If`s, inside a `Once` if a
//! case breaks in its middle.

use naga::{Block, Expression, Handle, Statement, SwitchCase, SwitchValue};

use super::ir::{Array, Kernel, Loop, Node, Region, Target};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class;
use crate::cpu::interpreter::compiler::{Compiler, Scope};
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};
use crate::cpu::interpreter::shape::{Measure, Shape};
use crate::cpu::interpreter::{expressions, places, together, variables};
use crate::error::{Error, Result};
use crate::kernel::Kernel as Source;

/// The target of `break` or `continue`.
#[derive(Clone, Copy)]
enum Frame {
    Loop(Target),
    Switch(Target),
}

struct Walk<'k> {
    c: Compiler<'k>,
    frames: Vec<Frame>,
    targets: Target,
    finite: std::vec::IntoIter<bool>,
}

/// Lowers a kernel for gangs of `width` lanes, or of a subgroup's if it uses subgroups. `finite` says of
/// each loop whether it surely ends, in the order of `analysis::Facts::finite_loops`.
pub(super) fn lower(
    source: &Source,
    finite: Vec<bool>,
    width: u32,
    subgroup_size: u32,
) -> Result<Kernel> {
    let mut c = Compiler::new(source)?;
    c.declare_globals()?;
    c.exec = c.register(Class::Mask);
    c.full = true;
    c.copies = true;
    variables::initialise_variables(&mut c)?;
    let mut walk = Walk { c, frames: Vec::new(), targets: 0, finite: finite.into_iter() };
    let mut nodes = walk.take();
    walk.block(&walk.c.function.body, &mut nodes)?;
    walk.finish(nodes, width, subgroup_size)
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported { what: format!("{what} in the CPU's compiler"), at: String::new() }
}

impl<'k> Walk<'k> {
    /// The operations that were appended since the last call.
    fn take(&mut self) -> Vec<Node> {
        self.c.body.drain(..).map(Node::Op).collect()
    }

    fn region(&mut self, block: &'k Block) -> Result<Region> {
        let mut nodes = Vec::new();
        self.block(block, &mut nodes)?;
        Ok(Region { id: 0, nodes })
    }

    fn block(&mut self, block: &'k Block, out: &mut Vec<Node>) -> Result<()> {
        for (statement, &span) in block.span_iter() {
            self.c.span = span;
            self.statement(statement, span, out)?;
            if matches!(out.last(), Some(Node::Break(_) | Node::Continue(_) | Node::Return)) {
                // The rest of the block is never executed.
                break;
            }
        }
        Ok(())
    }

    fn statement(
        &mut self,
        statement: &'k Statement,
        span: naga::Span,
        out: &mut Vec<Node>,
    ) -> Result<()> {
        match *statement {
            Statement::Emit(ref range) => {
                for handle in range.clone() {
                    expressions::ensure(&mut self.c, Scope::Function, handle)?;
                }
                out.extend(self.take());
            }
            Statement::Block(ref block) => self.block(block, out)?,
            Statement::If { condition, ref accept, ref reject } => {
                let condition = expressions::scalar_value(&mut self.c, condition)?;
                out.extend(self.take());
                let accept = self.region(accept)?;
                let reject = self.region(reject)?;
                out.push(Node::If { condition, accept, reject });
            }
            Statement::Switch { selector, ref cases } => self.switch(selector, cases, out)?,
            Statement::Loop { ref body, ref continuing, break_if } => {
                let target = self.target();
                let finite = self.finite.next().unwrap_or(false);
                self.frames.push(Frame::Loop(target));
                let body = self.region(body)?;
                let mut continuing = self.region(continuing)?;
                self.frames.pop();
                let break_if = match break_if {
                    Some(condition) => {
                        let condition = expressions::scalar_value(&mut self.c, condition)?;
                        continuing.nodes.extend(self.take());
                        Some(condition)
                    }
                    None => None,
                };
                let l = Loop { target, body, continuing, break_if, finite, span };
                out.push(Node::Loop(Box::new(l)));
            }
            Statement::Break => match self.frames.last() {
                Some(&(Frame::Loop(target) | Frame::Switch(target))) => {
                    out.push(Node::Break(target));
                }
                None => return Err(self.c.broken("a break outside of a loop")),
            },
            Statement::Continue => {
                let target = self.frames.iter().rev().find_map(|frame| match *frame {
                    Frame::Loop(target) => Some(target),
                    Frame::Switch(_) => None,
                });
                match target {
                    Some(target) => out.push(Node::Continue(target)),
                    None => return Err(self.c.broken("a continue outside of a loop")),
                }
            }
            Statement::Return { .. } => out.push(Node::Return),
            Statement::ControlBarrier(barrier) => {
                if barrier.contains(naga::Barrier::STORAGE) {
                    out.push(Node::Op(Op::Fence));
                }
                out.push(Node::Barrier);
            }
            Statement::MemoryBarrier(_) => out.push(Node::Op(Op::Fence)),
            Statement::Store { pointer, value } => {
                let place = expressions::place(&mut self.c, pointer)?;
                let value = expressions::value(&mut self.c, value)?;
                places::store(&mut self.c, &place, &value)?;
                out.extend(self.take());
            }
            Statement::Atomic { pointer, ref fun, value, result } => {
                together::atomic(&mut self.c, pointer, fun, value, result)?;
                out.extend(self.take());
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                let place = expressions::place(&mut self.c, pointer)?;
                out.extend(self.take());
                let entry = places::load(&mut self.c, &place)?;
                self.c.set(Scope::Function, result, entry);
                out.push(Node::Barrier);
                for node in self.take() {
                    out.push(match node {
                        Node::Op(op @ Op::Load(_)) => Node::UniformLoad(op),
                        other => other,
                    });
                }
                out.push(Node::Barrier);
            }
            Statement::SubgroupBallot { result, predicate } => {
                together::ballot(&mut self.c, result, predicate)?;
                out.extend(self.take());
            }
            Statement::SubgroupGather { mode, argument, result } => {
                together::gather(&mut self.c, mode, argument, result)?;
                out.extend(self.take());
            }
            Statement::SubgroupCollectiveOperation { op, collective_op, argument, result } => {
                together::collective(&mut self.c, op, collective_op, argument, result)?;
                out.extend(self.take());
            }
            _ => return Err(unsupported("this statement")),
        }
        Ok(())
    }

    fn target(&mut self) -> Target {
        self.targets += 1;
        self.targets - 1
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &'k [SwitchCase],
        out: &mut Vec<Node>,
    ) -> Result<()> {
        let selector = expressions::scalar_value(&mut self.c, selector)?;
        let target = self.target();
        // The condition and body of each case but the default.
        let mut arms: Vec<(Option<Reg>, &'k Block)> = Vec::new();
        let mut default: Option<&'k Block> = None;
        let (mut condition, mut has_default) = (None, false);
        for case in cases {
            let value = match case.value {
                SwitchValue::I32(value) => Some(value as u32),
                SwitchValue::U32(value) => Some(value),
                SwitchValue::Default => None,
            };
            match value {
                Some(value) => {
                    let value = self.c.constant(value);
                    let equal = self.c.binary(Binary::EqI, selector, value);
                    condition = Some(match condition {
                        Some(other) => self.c.binary(Binary::Or, other, equal),
                        None => equal,
                    });
                }
                None => has_default = true,
            }
            if case.fall_through {
                if !case.body.is_empty() {
                    return Err(unsupported("a case that falls through"));
                }
                continue;
            }
            if std::mem::take(&mut has_default) {
                default = Some(&case.body);
                condition = None;
            } else {
                arms.push((condition.take(), &case.body));
            }
        }
        out.extend(self.take());
        self.frames.push(Frame::Switch(target));
        let mut chain = match default {
            Some(block) => self.region(block)?,
            None => Region::default(),
        };
        let mut regions = Vec::new();
        for (condition, block) in arms {
            regions.push((condition, self.region(block)?));
        }
        self.frames.pop();
        let ends = |region: &mut Region| {
            if matches!(region.nodes.last(), Some(Node::Break(t)) if *t == target) {
                region.nodes.pop();
            }
        };
        ends(&mut chain);
        for (condition, mut accept) in regions.into_iter().rev() {
            ends(&mut accept);
            let Some(condition) = condition else {
                return Err(self.c.broken("a case without a value"));
            };
            let reject = std::mem::take(&mut chain);
            chain.nodes.push(Node::If { condition, accept, reject });
        }
        let mut breaks = false;
        chain.for_each(&mut |node| breaks |= matches!(node, Node::Break(t) if *t == target));
        if breaks {
            out.push(Node::Once { target, body: chain });
        } else {
            out.extend(chain.nodes);
        }
        Ok(())
    }

    fn finish(mut self, nodes: Vec<Node>, width: u32, subgroup_size: u32) -> Result<Kernel> {
        let mut planes = std::collections::HashMap::new();
        let mut variables = Vec::new();
        let declared = self
            .c
            .function
            .local_variables
            .iter()
            .map(|(handle, var)| (self.c.locals.get(&handle).copied(), var.ty))
            .chain(self.c.module.global_variables.iter().map(|(handle, var)| {
                let private = var.space == naga::AddressSpace::Private;
                (self.c.globals.get(&handle).copied().filter(|_| private), var.ty)
            }));
        for (first, ty) in declared {
            let Some(first) = first else { continue };
            let leaves = self
                .c
                .shapes
                .leaves(Shape::Type(ty), Measure::Flat)
                .ok_or_else(|| unsupported("a variable of this type"))?;
            for (k, leaf) in leaves.iter().enumerate() {
                planes.insert(first + k as u32, leaf.kind);
            }
            variables.push(Array { first, count: leaves.len() as u32 });
        }
        let mut region = Region { id: 0, nodes };
        let mut arrays: Vec<Array> = Vec::new();
        region.for_each(&mut |node| {
            if let Node::Op(Op::LocalLoad { var, .. } | Op::LocalStore { var, .. }) = node
                && let Some(&array) =
                    variables.iter().find(|a| (a.first..a.first + a.count).contains(var))
                && !arrays.contains(&array)
            {
                arrays.push(array);
            }
        });
        split_clears(&mut region, &arrays, self.c.constant(0));
        let builtins = self.c.builtins.iter().map(|(&builtin, &reg)| (reg, builtin)).collect();
        Ok(Kernel {
            width: if self.c.subgroups { subgroup_size } else { width },
            workgroup_size: self.c.kernel.signature().workgroup_size,
            packed: 1,
            anonymous: false,
            subgroups: self.c.subgroups,
            preamble: std::mem::take(&mut self.c.preamble),
            body: region,
            regions: 0,
            targets: self.targets,
            classes: std::mem::take(&mut self.c.classes),
            builtins,
            planes,
            arrays,
            workgroup_words: self.c.workgroup_words,
            storage_atomics: self.c.storage_atomics,
            inside: std::collections::HashSet::new(),
        })
    }
}

/// Turns `Clear`s of planes that are not in arrays into copies of zero.
fn split_clears(region: &mut Region, arrays: &[Array], zero: Reg) {
    let nodes = std::mem::take(&mut region.nodes);
    for mut node in nodes {
        for inner in node.regions_mut() {
            split_clears(inner, arrays, zero);
        }
        match node {
            Node::Op(Op::Clear { var, count })
                if !arrays.iter().any(|a| (a.first..a.first + a.count).contains(&var)) =>
            {
                region.nodes.extend(
                    (var..var + count)
                        .map(|dst| Node::Op(Op::Unary { f: Unary::Copy, dst, a: zero })),
                );
            }
            other => region.nodes.push(other),
        }
    }
}
