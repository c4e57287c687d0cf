//! What must hold of a kernel in SPMD form before a back end sees it.
//!
//! Every register that is read has been set before, in the same region or one around it, or is a
//! constant, an invariant, a built-in value or a variable; a register is set once; barriers are
//! gone; `Gangs` regions are on the workgroup's level and nothing there is divergent; a variable of
//! the workgroup is never set by a gang.

use std::collections::HashSet;

use super::ir::{Kernel, Node, Region};
use super::shape::{Class, Shapes};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::compile::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};
use crate::error::{Error, Result};

struct Verifier<'k> {
    kernel: &'k Kernel,
    shapes: &'k Shapes,
    set: HashSet<Reg>,
    ever: HashSet<Reg>,
}

/// Checks a kernel. A failure is a bug of the compiler, not of the kernel.
pub(super) fn verify(kernel: &Kernel, shapes: &Shapes) -> Result<()> {
    let mut verifier = Verifier { kernel, shapes, set: HashSet::new(), ever: HashSet::new() };
    for op in &kernel.preamble {
        verifier.op(op, true)?;
    }
    verifier.region(&kernel.body, false)
}

fn broken(what: String) -> Error {
    Error::Internal { place: "cpu::spmd".to_owned(), cause: what }
}

impl Verifier<'_> {
    fn read(&self, reg: Reg) -> Result<()> {
        let there = match self.kernel.classes.get(reg as usize) {
            Some(RegClass::Temporary) => self.set.contains(&reg),
            // Variables are read by copies only, which is checked where they are.
            Some(RegClass::Constant(_) | RegClass::Builtin | RegClass::Variable(_)) => true,
            Some(RegClass::Invariant) => {
                self.set.contains(&reg) || self.kernel.builtins.contains_key(&reg)
            }
            // Masks belong to the interpreter.
            Some(RegClass::Mask) | None => false,
        };
        if there { Ok(()) } else { Err(broken(format!("r{reg} is read before it is set"))) }
    }

    fn op(&mut self, op: &Op, once: bool) -> Result<()> {
        let mut op = op.clone();
        let mut problem = Ok(());
        let ignored = mask_of(&op);
        op.for_each_source(&mut |reg| {
            if Some(*reg) != ignored && problem.is_ok() {
                problem = self.read(*reg);
            }
        });
        problem?;
        let mut results = Vec::new();
        op.for_each_result(&mut |reg| results.push(*reg));
        for reg in results {
            if self.kernel.is_variable(reg) {
                let class = self.shapes.regs[reg as usize].class;
                if class == Class::Workgroup && !once {
                    return Err(broken(format!("a gang sets r{reg}, which is the workgroup's")));
                }
                continue;
            }
            self.set.insert(reg);
            if !self.ever.insert(reg) {
                return Err(broken(format!("r{reg} is set twice")));
            }
        }
        if let Op::Unary { f, a, .. } = op
            && f != Unary::Copy
            && self.kernel.is_variable(a)
        {
            return Err(broken(format!("the variable r{a} is used without a copy")));
        }
        Ok(())
    }

    fn region(&mut self, region: &Region, in_gang: bool) -> Result<()> {
        let outside = self.set.clone();
        self.nodes(region, in_gang)?;
        self.set = outside;
        Ok(())
    }

    fn nodes(&mut self, region: &Region, in_gang: bool) -> Result<()> {
        for node in &region.nodes {
            match node {
                Node::Op(op) => self.op(op, !in_gang)?,
                Node::UniformLoad(op) if !in_gang => self.op(op, true)?,
                Node::UniformLoad(_) | Node::Barrier => {
                    return Err(broken("a barrier is left".to_owned()));
                }
                Node::If { condition, accept, reject } => {
                    self.read(*condition)?;
                    self.decided(*condition, in_gang)?;
                    self.region(accept, in_gang)?;
                    self.region(reject, in_gang)?;
                }
                Node::Loop(l) => {
                    // `continuing` and the condition see what the body computes.
                    let outside = self.set.clone();
                    self.nodes(&l.body, in_gang)?;
                    self.nodes(&l.continuing, in_gang)?;
                    if let Some(condition) = l.break_if {
                        self.read(condition)?;
                        self.decided(condition, in_gang)?;
                    }
                    self.set = outside;
                }
                Node::Once { body, .. } => self.region(body, in_gang)?,
                Node::Gangs(body) => {
                    if in_gang {
                        return Err(broken("gangs inside of gangs".to_owned()));
                    }
                    self.region(body, true)?;
                }
                Node::Break(_) | Node::Continue(_) | Node::Return => {}
            }
        }
        Ok(())
    }

    /// On the workgroup's level every decision is the workgroup's.
    fn decided(&self, condition: Reg, in_gang: bool) -> Result<()> {
        if in_gang || self.shapes.regs[condition as usize].class <= Class::Workgroup {
            return Ok(());
        }
        Err(broken(format!("r{condition} decides for the workgroup but is not the workgroup's")))
    }
}

/// The interpreter's mask, which means nothing here.
fn mask_of(op: &Op) -> Option<Reg> {
    match op {
        Op::Load(access) | Op::Store(access) => Some(access.mask),
        Op::LocalStore { mask, .. } | Op::Ballot { mask, .. } | Op::SubgroupGather { mask, .. } => {
            Some(*mask)
        }
        Op::SubgroupFold(fold) => Some(fold.mask),
        Op::Atomic(atomic) => Some(atomic.mask),
        _ => None,
    }
}
