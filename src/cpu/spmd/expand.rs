//! Expands numeric functions into the operations that they consist of.
//!
//! The functions are those of `cpu::math`, instantiated on [`Value`], which appends its operations to the
//! kernel. A back end then emits only short operations, and the bits are the interpreter's. Sines and their
//! like have a rare case that is no vector code, such as arguments far from zero. That case stays a call,
//! under a condition that most gangs never meet. In a kernel with barriers, functions of values that are
//! uniform in the workgroup stay calls altogether: their results may decide about a barrier, and a variable
//! that a branch sets counts as a gang's. Functions in the preamble, which are called once for a launch,
//! stay as well.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Shl, Shr, Sub};

use super::ir::{Kernel, Node, Region};
use super::shape::{Class as Alike, Shapes};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::cpu::interpreter::shape::Kind;
use crate::cpu::math::ops::{Float, Operand, Truth, Word};
use crate::cpu::math::{
    exponential, guess, hyperbolic, inverse_trigonometric, logarithm, power, remainder, root,
    scaling, trigonometric,
};
use crate::kernel::host_has_fma;

/// The code that is appended, and the kernel's registers.
struct Code {
    nodes: Vec<Node>,
    classes: Vec<Class>,
    constants: HashMap<u32, Reg>,
    fused: bool,
}

impl Code {
    fn register(&mut self, class: Class) -> Reg {
        self.classes.push(class);
        (self.classes.len() - 1) as Reg
    }

    fn constant(&mut self, value: u32) -> Reg {
        if let Some(&reg) = self.constants.get(&value) {
            return reg;
        }
        let reg = self.register(Class::Constant(value));
        self.constants.insert(value, reg);
        reg
    }

    fn push(&mut self, make: impl FnOnce(Reg) -> Op) -> Reg {
        let dst = self.register(Class::Temporary);
        self.nodes.push(Node::Op(make(dst)));
        dst
    }
}

struct Expand<'k> {
    kernel: &'k mut Kernel,
    shapes: &'k Shapes,
    code: RefCell<Code>,
    barriers: bool,
    changed: bool,
}

/// Expands the functions in the body. Returns whether there were any.
pub(super) fn expand(kernel: &mut Kernel, shapes: &Shapes) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let classes = std::mem::take(&mut kernel.classes);
    let constants = (0..)
        .zip(&classes)
        .filter_map(|(reg, class)| match *class {
            Class::Constant(value) => Some((value, reg)),
            _ => None,
        })
        .collect();
    let code = Code { nodes: Vec::new(), classes, constants, fused: host_has_fma() };
    let mut expand = Expand {
        kernel,
        shapes,
        code: RefCell::new(code),
        barriers: body.has_barrier(),
        changed: false,
    };
    expand.region(&mut body);
    let Expand { code, changed, .. } = expand;
    kernel.classes = code.into_inner().classes;
    kernel.body = body;
    changed
}

impl Expand<'_> {
    fn region(&mut self, region: &mut Region) {
        let mut out = Vec::with_capacity(region.nodes.len());
        for mut node in std::mem::take(&mut region.nodes) {
            for inner in node.regions_mut() {
                self.region(inner);
            }
            if !self.node(&node) {
                out.push(node);
                continue;
            }
            self.changed = true;
            out.append(&mut self.code.get_mut().nodes);
        }
        region.nodes = out;
    }

    /// Appends the expansion of a node. Returns false if it is no function to expand.
    fn node(&mut self, node: &Node) -> bool {
        let value = |reg| Value { code: &self.code, reg };
        let bits = |reg| Bits { code: &self.code, reg };
        let (dst, result) = match *node {
            Node::Op(Op::Unary { f, dst, a }) => {
                let x = value(a);
                let y = match f {
                    Unary::Exp => exponential::exp(x),
                    Unary::Exp2 => exponential::exp2(x),
                    Unary::Log => logarithm::log(x),
                    Unary::Log2 => logarithm::log2(x),
                    Unary::Asin => inverse_trigonometric::asin(x),
                    Unary::Acos => inverse_trigonometric::acos(x),
                    Unary::Atan => inverse_trigonometric::atan(x),
                    Unary::Sinh => hyperbolic::sinh(x),
                    Unary::Cosh => hyperbolic::cosh(x),
                    Unary::Tanh => hyperbolic::tanh(x),
                    Unary::Asinh => hyperbolic::asinh(x),
                    Unary::Acosh => hyperbolic::acosh(x),
                    Unary::Atanh => hyperbolic::atanh(x),
                    Unary::InverseSqrt if guess::host_has_guess() => root::guessed_inverse_sqrt(x),
                    Unary::FrexpFract => scaling::frexp_fract(x),
                    Unary::FrexpExponent => scaling::frexp_exponent(x).float(),
                    Unary::Sin | Unary::Cos | Unary::Tan | Unary::InverseSqrt => {
                        return self.rarely_special(f, dst, a);
                    }
                    _ => return false,
                };
                (dst, y.reg)
            }
            Node::Op(Op::Binary { f, dst, a, b }) => match f {
                Binary::PowF => (dst, power::pow(value(a), value(b)).reg),
                Binary::Atan2F => (dst, inverse_trigonometric::atan2(value(a), value(b)).reg),
                Binary::Ldexp => (dst, scaling::ldexp(value(a), bits(b)).reg),
                Binary::RemF if host_has_fma() => return self.remainder(dst, a, b),
                _ => return false,
            },
            _ => return false,
        };
        self.copy(dst, result);
        true
    }

    fn copy(&mut self, dst: Reg, a: Reg) {
        self.code.get_mut().nodes.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a }));
    }

    /// Whether the result may decide about a barrier, so that no branch may set it.
    fn decides(&self, of: &[Reg]) -> bool {
        self.barriers
            && of.iter().all(|&reg| self.shapes.regs[reg as usize].class <= Alike::Workgroup)
    }

    fn remainder(&mut self, dst: Reg, a: Reg, b: Reg) -> bool {
        if self.decides(&[a, b]) {
            return false;
        }
        let [x, y] = [a, b].map(|reg| Value { code: &self.code, reg });
        let (usual, is_rare) = (remainder::near_rem(x, y).reg, remainder::is_far(x, y).reg);
        self.guarded(dst, usual, is_rare, |dst| Op::Binary { f: Binary::RemF, dst, a, b });
        true
    }

    /// Expands a function of one number with a rare case.
    fn rarely_special(&mut self, f: Unary, dst: Reg, a: Reg) -> bool {
        if self.decides(&[a]) {
            return false;
        }
        let x = Value { code: &self.code, reg: a };
        let usual = match f {
            Unary::Sin => trigonometric::near_sin(x),
            Unary::Cos => trigonometric::near_cos(x),
            Unary::Tan => trigonometric::near_tan(x),
            _ => root::usual_inverse_sqrt(x),
        };
        let is_rare = match f {
            Unary::InverseSqrt => root::is_special(x),
            _ => trigonometric::is_far(x),
        };
        let (usual, is_rare) = (usual.reg, is_rare.reg);
        self.guarded(dst, usual, is_rare, |dst| Op::Unary { f, dst, a });
        true
    }

    /// Appends a selection: the result of the call where the condition holds, else the usual one.
    fn guarded(&mut self, dst: Reg, usual: Reg, is_rare: Reg, call: impl FnOnce(Reg) -> Op) {
        let code = self.code.get_mut();
        let rare = code.register(Class::Temporary);
        let result = code.register(Class::Temporary);
        code.classes[result as usize] = Class::Variable(result);
        self.kernel.planes.insert(result, Kind::F32);
        let mut region = |nodes: Vec<Node>| {
            self.kernel.regions += 1;
            Region { id: self.kernel.regions - 1, nodes }
        };
        let accept = region(vec![
            Node::Op(call(rare)),
            Node::Op(Op::Unary { f: Unary::Copy, dst: result, a: rare }),
        ]);
        let reject = region(Vec::new());
        self.copy(result, usual);
        self.code.get_mut().nodes.push(Node::If { condition: is_rare, accept, reject });
        self.copy(dst, result);
    }
}

/// A float register of the kernel.
#[derive(Clone, Copy)]
struct Value<'c> {
    code: &'c RefCell<Code>,
    reg: Reg,
}

/// An integer register.
#[derive(Clone, Copy)]
struct Bits<'c> {
    code: &'c RefCell<Code>,
    reg: Reg,
}

/// A register that holds a truth value.
#[derive(Clone, Copy)]
struct Condition<'c> {
    code: &'c RefCell<Code>,
    reg: Reg,
}

fn unary(code: &RefCell<Code>, f: Unary, a: Reg) -> Reg {
    code.borrow_mut().push(|dst| Op::Unary { f, dst, a })
}

fn binary(code: &RefCell<Code>, f: Binary, a: Reg, b: Reg) -> Reg {
    code.borrow_mut().push(|dst| Op::Binary { f, dst, a, b })
}

fn ternary(code: &RefCell<Code>, f: Ternary, a: Reg, b: Reg, c: Reg) -> Reg {
    code.borrow_mut().push(|dst| Op::Ternary { f, dst, a, b, c })
}

fn constant(code: &RefCell<Code>, value: u32) -> Reg {
    code.borrow_mut().constant(value)
}

macro_rules! operators {
    ($type:ident: $($trait:ident $method:ident = $f:ident),*) => {$(
        impl $trait for $type<'_> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                Self { reg: binary(self.code, Binary::$f, self.reg, other.reg), ..self }
            }
        }
    )*};
}

macro_rules! operators_with_constants {
    ($type:ident, $with:ty, $bits:expr; $($trait:ident $method:ident = $f:ident),*) => {$(
        impl $trait<$with> for $type<'_> {
            type Output = Self;
            fn $method(self, other: $with) -> Self {
                let other = constant(self.code, $bits(other));
                Self { reg: binary(self.code, Binary::$f, self.reg, other), ..self }
            }
        }
    )*};
}

operators!(Value: Add add = AddF, Sub sub = SubF, Mul mul = MulF, Div div = DivF);
operators_with_constants!(Value, f32, f32::to_bits; Add add = AddF, Sub sub = SubF, Mul mul = MulF);
operators!(Bits: Add add = AddI, Sub sub = SubI, BitXor bitxor = Xor);
operators_with_constants!(Bits, u32, u32::from;
    Add add = AddI, Sub sub = SubI, BitAnd bitand = And, BitXor bitxor = Xor, Shl shl = Shl,
    Shr shr = ShrU);
operators!(Condition: BitAnd bitand = And, BitOr bitor = Or);

impl Neg for Value<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        Self { reg: unary(self.code, Unary::NegF, self.reg), ..self }
    }
}

impl Not for Condition<'_> {
    type Output = Self;
    fn not(self) -> Self {
        Self { reg: unary(self.code, Unary::Not, self.reg), ..self }
    }
}

impl Truth for Condition<'_> {}

impl<'c> Operand<Value<'c>> for Value<'c> {
    fn like(self, _: Value<'c>) -> Value<'c> {
        self
    }
}

impl<'c> Word for Bits<'c> {
    type Float = Value<'c>;
    type Truth = Condition<'c>;

    fn is_zero(self) -> Condition<'c> {
        let zero = constant(self.code, 0);
        Condition { code: self.code, reg: binary(self.code, Binary::EqI, self.reg, zero) }
    }
    fn float(self) -> Value<'c> {
        Value { code: self.code, reg: self.reg }
    }
    fn to_float(self) -> Value<'c> {
        Value { code: self.code, reg: unary(self.code, Unary::IToF, self.reg) }
    }
}

impl<'c> Value<'c> {
    fn one(self, f: Unary) -> Self {
        Value { reg: unary(self.code, f, self.reg), ..self }
    }

    fn compare(self, f: Binary, other: impl Operand<Self>) -> Condition<'c> {
        let other = other.like(self).reg;
        Condition { code: self.code, reg: binary(self.code, f, self.reg, other) }
    }
}

impl<'c> Float for Value<'c> {
    type Word = Bits<'c>;
    type Truth = Condition<'c>;

    fn constant(self, value: f32) -> Self {
        Value { reg: constant(self.code, value.to_bits()), ..self }
    }
    fn fused(self) -> bool {
        self.code.borrow().fused
    }
    fn fma(self, factor: Self, addend: Self) -> Self {
        let reg = ternary(self.code, Ternary::FmaF, self.reg, factor.reg, addend.reg);
        Value { reg, ..self }
    }
    fn abs(self) -> Self {
        self.one(Unary::AbsF)
    }
    fn sqrt(self) -> Self {
        self.one(Unary::Sqrt)
    }
    fn inverse_sqrt_guess(self) -> Self {
        self.one(Unary::InverseSqrtGuess)
    }
    fn trunc(self) -> Self {
        self.one(Unary::Trunc)
    }
    fn below(self, bound: impl Operand<Self>) -> Condition<'c> {
        self.compare(Binary::LtF, bound)
    }
    fn at_most(self, bound: impl Operand<Self>) -> Condition<'c> {
        self.compare(Binary::LeF, bound)
    }
    fn equals(self, other: impl Operand<Self>) -> Condition<'c> {
        self.compare(Binary::EqF, other)
    }
    fn but(self, condition: Condition<'c>, value: impl Operand<Self>) -> Self {
        let value = value.like(self).reg;
        let reg = ternary(self.code, Ternary::Select, value, self.reg, condition.reg);
        Value { reg, ..self }
    }
    fn bits(self) -> Bits<'c> {
        Bits { code: self.code, reg: self.reg }
    }
}
