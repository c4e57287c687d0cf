//! The types of registers: float, integer or truth value.
//!
//! Operations determine the types of their operands and results. Only copies, selections and loads, which
//! pass values through, need to be followed. An i32 and a u32 have the same type, and an f16 is held as the
//! f32 that equals it.

use std::collections::HashSet;

use super::ir::{Kernel, Node, Region};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::cpu::interpreter::shape::Kind;

/// The type of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::cpu) enum Ty {
    Float,
    Int,
    Bool,
}

/// The types of all registers.
#[derive(Debug)]
pub(in crate::cpu) struct Types {
    types: Vec<Option<Ty>>,
    /// Operands of operations on floats.
    floats: HashSet<Reg>,
}

impl Types {
    pub(in crate::cpu) fn of(kernel: &Kernel) -> Types {
        let mut types: Vec<Option<Ty>> = vec![None; kernel.classes.len()];
        for (&reg, &kind) in &kernel.planes {
            types[reg as usize] = Some(match kind {
                Kind::F32 | Kind::F16 => Ty::Float,
                Kind::I32 | Kind::U32 => Ty::Int,
                Kind::Bool => Ty::Bool,
            });
        }
        let mut types = Types { types, floats: HashSet::new() };
        for op in &kernel.preamble {
            types.op(kernel, op);
        }
        types.region(kernel, &kernel.body);
        types
    }

    /// The type of a register. A register without a type of its own, such as a constant, is an integer.
    pub(in crate::cpu) fn of_reg(&self, reg: Reg) -> Ty {
        self.types.get(reg as usize).copied().flatten().unwrap_or(Ty::Int)
    }

    /// Whether any operation uses a word from memory as a float.
    pub(in crate::cpu) fn is_used_as_float(&self, reg: Reg) -> bool {
        self.floats.contains(&reg)
    }

    fn region(&mut self, kernel: &Kernel, region: &Region) {
        for node in &region.nodes {
            if let Node::Op(op) | Node::UniformLoad(op) = node {
                self.op(kernel, op);
            }
            for inner in node.regions() {
                self.region(kernel, inner);
            }
        }
    }

    fn op(&mut self, kernel: &Kernel, op: &Op) {
        use Binary as B;
        match *op {
            Op::Binary {
                f: B::AddF | B::SubF | B::MulF | B::DivF | B::MinF | B::MaxF | B::LtF | B::LeF,
                a,
                b,
                ..
            } => self.floats.extend([a, b]),
            Op::Ternary { f: Ternary::FmaF, a, b, c, .. } => self.floats.extend([a, b, c]),
            _ => {}
        }
        let (dst, ty) = match *op {
            Op::Unary { dst, .. } if kernel.is_variable(dst) => return,
            Op::Unary { f, dst, a } => (dst, self.unary(f, a)),
            Op::Binary { f, dst, a, b } => (dst, self.binary(kernel, f, a, b)),
            Op::Ternary { f, dst, a, b, c } => (dst, self.ternary(kernel, f, [a, b, c])),
            Op::Pick { dst, ref planes, .. } => {
                let ty = planes.iter().find_map(|&reg| self.types[reg as usize]);
                (dst, ty.unwrap_or(Ty::Int))
            }
            Op::LocalLoad { dst, var, .. } => (dst, self.of_reg(var)),
            Op::SubgroupGather { dst, src, .. } => (dst, self.of_reg(src)),
            Op::SubgroupFold(ref fold) => {
                (fold.dst, self.binary(kernel, fold.combine, fold.src, fold.src))
            }
            Op::Atomic(ref atomic) => {
                if let Some(slot) = self.types.get_mut(atomic.exchanged as usize) {
                    *slot = Some(Ty::Bool);
                }
                return;
            }
            _ => return,
        };
        self.types[dst as usize] = Some(ty);
    }

    fn unary(&self, f: Unary, a: Reg) -> Ty {
        use Unary as U;
        match f {
            U::Copy | U::Not => self.of_reg(a),
            U::NegI
            | U::AbsI
            | U::SignI
            | U::FToI
            | U::FToU
            | U::HToI
            | U::HToU
            | U::BoolToI
            | U::HBits
            | U::FrexpExponent
            | U::CountOnes
            | U::TrailingZeros
            | U::LeadingZeros
            | U::ReverseBits
            | U::FirstTrailing
            | U::FirstLeadingU
            | U::FirstLeadingI => Ty::Int,
            U::NonZeroI | U::NonZeroF | U::IsNan | U::IsInf => Ty::Bool,
            _ => Ty::Float,
        }
    }

    fn binary(&self, kernel: &Kernel, f: Binary, a: Reg, b: Reg) -> Ty {
        use Binary as B;
        match f {
            B::AddF
            | B::SubF
            | B::MulF
            | B::DivF
            | B::RemF
            | B::MinF
            | B::MaxF
            | B::StepF
            | B::PowF
            | B::Atan2F
            | B::Ldexp => Ty::Float,
            B::EqF
            | B::NeF
            | B::LtF
            | B::LeF
            | B::EqI
            | B::NeI
            | B::LtI
            | B::LeI
            | B::LtU
            | B::LeU => Ty::Bool,
            B::And | B::Or | B::Xor | B::AndNot => {
                let truth = |reg: Reg| match kernel.known(reg) {
                    Some(value) => value == 0 || value == u32::MAX,
                    None => self.of_reg(reg) == Ty::Bool,
                };
                if truth(a) && truth(b) { Ty::Bool } else { Ty::Int }
            }
            _ => Ty::Int,
        }
    }

    fn ternary(&self, kernel: &Kernel, f: Ternary, [a, b, c]: [Reg; 3]) -> Ty {
        match f {
            Ternary::FmaF | Ternary::FmaH => Ty::Float,
            // `c` is a mask of single bits.
            Ternary::Select if self.of_reg(c) != Ty::Bool => Ty::Int,
            Ternary::Select => {
                // A constant takes the type of the other operand.
                let of = |reg: Reg| match kernel.known(reg) {
                    Some(_) => None,
                    None => Some(self.of_reg(reg)),
                };
                match (of(a), of(b)) {
                    (Some(x), Some(y)) if x != y => Ty::Int,
                    (Some(x), _) | (None, Some(x)) => x,
                    (None, None) => Ty::Int,
                }
            }
        }
    }
}
