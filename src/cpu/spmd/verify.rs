//! Verifies the invariants of a kernel in SPMD form.
//!
//! Always: every register that is read has been set before, in the same region or one around it, or is a
//! constant, an invariant, a built-in value or a variable; a register is set once; a node leaves only
//! constructs around it. After fission: there are no barriers; `Gangs` regions are on the workgroup's level,
//! and nothing there is divergent; gangs never set a variable of the workgroup; a `Gangs` region is left at
//! its end, or by a return if it is the only one.

use std::collections::HashSet;

use super::ir::{Kernel, Node, Region, Target};
use super::shape::{Class, Shapes};
use super::wide::Wide;
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};
use crate::error::{Error, Result};

struct Verifier<'k> {
    kernel: &'k Kernel,
    /// Nothing before fission.
    shapes: Option<&'k Shapes>,
    set: HashSet<Reg>,
    ever: HashSet<Reg>,
    /// Loops and switches around the node.
    targets: Vec<Target>,
    /// Whether the kernel is one `Gangs` region, which a return may leave.
    whole: bool,
}

/// Checks a kernel that is ready for a back end. A failure is a bug of the compiler, not of the kernel.
pub(super) fn verify(kernel: &Kernel, shapes: &Shapes) -> Result<()> {
    check(kernel, Some(shapes))
}

/// Checks a kernel after a pass before fission, in builds with assertions.
pub(super) fn between(kernel: &Kernel, pass: &str) -> Result<()> {
    if !cfg!(debug_assertions) {
        return Ok(());
    }
    check(kernel, None).map_err(|error| match error {
        Error::Internal { place, cause } => {
            Error::Internal { place, cause: format!("after {pass}: {cause}") }
        }
        other => other,
    })
}

fn check(kernel: &Kernel, shapes: Option<&Shapes>) -> Result<()> {
    let mut verifier = Verifier {
        kernel,
        shapes,
        set: HashSet::new(),
        ever: HashSet::new(),
        targets: Vec::new(),
        whole: !kernel.is_split(),
    };
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
            // Only copies read variables, which `op` checks.
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
                let class = self.shapes.map(|shapes| shapes.regs[reg as usize].class);
                if class == Some(Class::Workgroup) && !once {
                    return Err(broken(format!(
                        "a gang sets r{reg}, which has one value per workgroup"
                    )));
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
                Node::Barrier if self.shapes.is_none() => {}
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
                    // `continuing` and the condition see the results of the body.
                    let outside = self.set.clone();
                    self.targets.push(l.target);
                    self.nodes(&l.body, in_gang)?;
                    self.nodes(&l.continuing, in_gang)?;
                    self.targets.pop();
                    if let Some(condition) = l.break_if {
                        self.read(condition)?;
                        self.decided(condition, in_gang)?;
                    }
                    self.set = outside;
                }
                Node::Once { target, body } => {
                    self.targets.push(*target);
                    self.region(body, in_gang)?;
                    self.targets.pop();
                }
                Node::Gangs { body, .. } => {
                    if in_gang {
                        return Err(broken("gangs inside of gangs".to_owned()));
                    }
                    let outside = std::mem::take(&mut self.targets);
                    self.region(body, true)?;
                    self.targets = outside;
                }
                Node::Break(target) | Node::Continue(target) => {
                    if !self.targets.contains(target) {
                        return Err(broken(format!("{target} is left from outside of it")));
                    }
                }
                Node::Return if self.shapes.is_some() && !self.whole => {
                    return Err(broken("a return from one stretch of several".to_owned()));
                }
                Node::Return => {}
                Node::Prefetch(address) => self.read(address.outer)?,
                Node::Versions(versions) => {
                    for wide in &versions.facts.numbers {
                        if let Wide::Register(reg) = *wide {
                            self.read(reg)?;
                            self.decided(reg, in_gang)?;
                        }
                    }
                    self.region(&versions.inner, in_gang)?;
                    self.region(&versions.edge, in_gang)?;
                }
            }
        }
        Ok(())
    }

    /// Checks that a decision on the workgroup's level is uniform in the workgroup.
    fn decided(&self, condition: Reg, in_gang: bool) -> Result<()> {
        let Some(shapes) = self.shapes else { return Ok(()) };
        if in_gang || shapes.regs[condition as usize].class <= Class::Workgroup {
            return Ok(());
        }
        Err(broken(format!("r{condition} decides for a workgroup but differs within it")))
    }
}

/// The interpreter's mask, which has no meaning here.
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
