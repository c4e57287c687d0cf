//! Turns small branches into selections: `if c { v = x } else { v = y }` becomes `v = select(x, y, c)`.
//!
//! Every scalar function is total and pure, so computing both sides is always right; it pays if they are a
//! few cheap operations. An `&&` or `||` of WGSL, which arrives as a branch around the second operand,
//! becomes one `And` or `Or` that later passes can look through.

use super::ir::{Kernel, Node, Region};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::cpu::interpreter::shape::Kind;

/// The most operations of both sides together.
const MOST: usize = 8;

/// The bits of `true`.
const TRUE: u32 = u32::MAX;

/// Rewrites the kernel.
pub(super) fn flatten(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    region(kernel, &mut body);
    kernel.body = body;
}

fn region(kernel: &mut Kernel, inside: &mut Region) {
    for mut node in std::mem::take(&mut inside.nodes) {
        for inner in node.regions_mut() {
            region(kernel, inner);
        }
        match node {
            Node::If { condition, ref accept, ref reject } => {
                match (side(kernel, accept), side(kernel, reject)) {
                    (Some(yes), Some(no)) if yes.ops.len() + no.ops.len() <= MOST => {
                        select(kernel, condition, yes, no, &mut inside.nodes);
                    }
                    _ => inside.nodes.push(node),
                }
            }
            other => inside.nodes.push(other),
        }
    }
}

/// One side of a branch.
struct Side {
    ops: Vec<Op>,
    /// Variables, and the values that they are set to.
    sets: Vec<(Reg, Reg)>,
}

/// A side that can be executed unconditionally, or `None`.
fn side(kernel: &Kernel, region: &Region) -> Option<Side> {
    let mut side = Side { ops: Vec::new(), sets: Vec::new() };
    for node in &region.nodes {
        let Node::Op(op) = node else { return None };
        match *op {
            Op::Unary { f: Unary::Copy, dst, a } if kernel.is_variable(dst) => {
                let again = side.sets.iter().any(|(var, _)| *var == dst);
                if again || kernel.array_of(dst).is_some() || kernel.is_variable(a) {
                    return None;
                }
                side.sets.push((dst, a));
            }
            Op::Unary { f: Unary::Copy, a, .. } if kernel.is_variable(a) => {
                // The read would have to give the value that this side has set.
                if side.sets.iter().any(|(var, _)| *var == a) || kernel.array_of(a).is_some() {
                    return None;
                }
                side.ops.push(op.clone());
            }
            ref op if cheap(op) => side.ops.push(op.clone()),
            _ => return None,
        }
    }
    Some(side)
}

/// Whether an operation is an instruction or two on every machine.
fn cheap(op: &Op) -> bool {
    use Binary as B;
    match op {
        Op::Unary { f, .. } => matches!(
            f,
            Unary::Copy
                | Unary::Not
                | Unary::NegI
                | Unary::NegF
                | Unary::AbsI
                | Unary::AbsF
                | Unary::IToF
                | Unary::NonZeroI
                | Unary::NonZeroF
                | Unary::BoolToI
                | Unary::BoolToF
        ),
        Op::Binary { f, .. } => matches!(
            f,
            B::AddF
                | B::SubF
                | B::MulF
                | B::EqF
                | B::NeF
                | B::LtF
                | B::LeF
                | B::AddI
                | B::SubI
                | B::MulI
                | B::EqI
                | B::NeI
                | B::LtI
                | B::LeI
                | B::LtU
                | B::LeU
                | B::MinI
                | B::MaxI
                | B::MinU
                | B::MaxU
                | B::And
                | B::Or
                | B::Xor
                | B::AndNot
                | B::Shl
                | B::ShrU
                | B::ShrI
        ),
        Op::Ternary { f, .. } => matches!(f, Ternary::Select),
        _ => false,
    }
}

fn fresh(kernel: &mut Kernel) -> Reg {
    kernel.classes.push(Class::Temporary);
    (kernel.classes.len() - 1) as Reg
}

fn select(kernel: &mut Kernel, c: Reg, yes: Side, no: Side, out: &mut Vec<Node>) {
    let mut vars: Vec<Reg> = yes.sets.iter().chain(&no.sets).map(|(var, _)| *var).collect();
    vars.sort_unstable();
    vars.dedup();
    out.extend(yes.ops.into_iter().chain(no.ops).map(Node::Op));
    let mut sets = Vec::new();
    for var in vars {
        let mut value = |sets: &[(Reg, Reg)]| match sets.iter().find(|(v, _)| *v == var) {
            Some((_, value)) => *value,
            None => {
                let dst = fresh(kernel);
                out.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a: var }));
                dst
            }
        };
        let (a, b) = (value(&yes.sets), value(&no.sets));
        let dst = fresh(kernel);
        let op = if kernel.planes.get(&var) == Some(&Kind::Bool) {
            match (kernel.known(a), kernel.known(b)) {
                (Some(TRUE), Some(0)) => Op::Unary { f: Unary::Copy, dst, a: c },
                (Some(0), Some(TRUE)) => Op::Unary { f: Unary::Not, dst, a: c },
                (_, Some(0)) => Op::Binary { f: Binary::And, dst, a: c, b: a },
                (Some(TRUE), _) => Op::Binary { f: Binary::Or, dst, a: c, b },
                (Some(0), _) => Op::Binary { f: Binary::AndNot, dst, a: b, b: c },
                (_, Some(TRUE)) => {
                    let not = fresh(kernel);
                    out.push(Node::Op(Op::Unary { f: Unary::Not, dst: not, a: c }));
                    Op::Binary { f: Binary::Or, dst, a: not, b: a }
                }
                _ => Op::Ternary { f: Ternary::Select, dst, a, b, c },
            }
        } else {
            Op::Ternary { f: Ternary::Select, dst, a, b, c }
        };
        out.push(Node::Op(op));
        sets.push(Node::Op(Op::Unary { f: Unary::Copy, dst: var, a: dst }));
    }
    out.extend(sets);
}
