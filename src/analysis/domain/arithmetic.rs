//! The effect of WGSL's operators and built-in functions on abstract values.
//!
//! Sums, differences and products with a constant stay linear forms, modulo 2³². The quotient and the remainder
//! of a non-negative value by a constant are tied by `x = d q + r`, so that an index that was taken apart can
//! be put together again. Other results get a symbol with the interval that `interval::apply` gives.

use std::rc::Rc;

use naga::{BinaryOperator, MathFunction, ScalarKind, UnaryOperator};

use super::interval::{IntType, Interval, Operator};
use super::knowledge::Knowledge;
use super::linear::{Linear, Symbol};
use super::refine::refine;
use super::symbols::Symbols;
use super::value::{Condition, Value, int_type};

/// Forms with more terms than this get a symbol of their own.
const MAX_TERMS: usize = 10;

/// The symbols that a walk has made, and the operations that have one.
#[derive(Debug, Default)]
pub(crate) struct Arithmetic {
    pub(crate) symbols: Symbols,
    remembered: Vec<Remembered>,
}

/// An operation that has a symbol.
#[derive(Debug, Clone)]
struct Remembered {
    operator: Operator,
    ty: IntType,
    a: Linear,
    b: Linear,
    symbol: Symbol,
}

/// A state of the symbols to go back to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    symbols: usize,
    operations: usize,
}

impl Arithmetic {
    pub(crate) fn mark(&self) -> Mark {
        Mark { symbols: self.symbols.len(), operations: self.remembered.len() }
    }

    /// Forgets all symbols that were made since `mark`.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.symbols.infos.truncate(mark.symbols);
        self.forget_operations(mark);
    }

    /// Forgets the operations since `mark`, and keeps their symbols. Operations of a branch must be forgotten
    /// where the branch ends, since their symbols have the branch's bounds.
    pub(crate) fn forget_operations(&mut self, mark: Mark) {
        self.remembered.truncate(mark.operations);
    }

    /// Any integer of an interval.
    pub(crate) fn any_of(&mut self, ty: IntType, within: Interval, known: &mut Knowledge) -> Value {
        let form = match within.value() {
            Some(only) => Linear::constant(only as i64),
            None => Linear::symbol(known.opaque(&mut self.symbols, ty, within)),
        };
        Value::Int(ty, form.wrapped())
    }

    /// The symbol for an operation. The same operation on one path has the same symbol.
    pub(crate) fn operation(
        &mut self,
        ty: IntType,
        operator: Operator,
        a: &Linear,
        b: &Linear,
        known: &mut Knowledge,
    ) -> Linear {
        let same = |r: &&Remembered| r.operator == operator && r.ty == ty && r.a == *a && r.b == *b;
        if let Some(done) = self.remembered.iter().rev().take(32).find(same) {
            return Linear::symbol(done.symbol);
        }
        let symbol = known.operation(&mut self.symbols, ty, operator, a, b);
        let (a, b) = (a.clone(), b.clone());
        self.remembered.push(Remembered { operator, ty, a, b, symbol });
        Linear::symbol(symbol)
    }

    pub(crate) fn unary(&self, op: UnaryOperator, value: Value) -> Value {
        match (op, value) {
            (UnaryOperator::Negate, Value::Int(ty, form)) => {
                Value::Int(ty, form.scaled_wrapped(-1))
            }
            (UnaryOperator::BitwiseNot, Value::Int(ty, form)) => {
                Value::Int(ty, Linear::constant(-1).plus(&form, -1).wrapped())
            }
            (UnaryOperator::LogicalNot, Value::Bool(c)) => Value::Bool(Condition::not(&c)),
            (_, Value::Many(parts)) => {
                Value::Many(Rc::new(parts.iter().map(|p| self.unary(op, p.clone())).collect()))
            }
            _ => Value::Unknown,
        }
    }

    pub(crate) fn binary(
        &mut self,
        op: BinaryOperator,
        left: &Value,
        right: &Value,
        known: &mut Knowledge,
    ) -> Value {
        match (left, right) {
            (Value::Many(a), Value::Many(b)) if a.len() == b.len() => {
                let parts = a.iter().zip(b.iter()).map(|(a, b)| self.binary(op, a, b, known));
                Value::Many(Rc::new(parts.collect()))
            }
            (Value::Many(_), Value::Many(_)) => Value::Unknown,
            (Value::Many(a), b) => {
                let parts = a.iter().map(|a| self.binary(op, a, b, known));
                Value::Many(Rc::new(parts.collect()))
            }
            (a, Value::Many(b)) => {
                let parts = b.iter().map(|b| self.binary(op, a, b, known));
                Value::Many(Rc::new(parts.collect()))
            }
            (Value::Int(ty, a), Value::Int(_, b)) => self.binary_integers(op, *ty, a, b, known),
            (Value::Bool(a), Value::Bool(b)) => Condition::binary(op, a, b),
            (Value::Bool(a), Value::Unknown) => {
                Condition::binary(op, a, &Rc::new(Condition::Unknown))
            }
            (Value::Unknown, Value::Bool(b)) => {
                Condition::binary(op, &Rc::new(Condition::Unknown), b)
            }
            _ => Value::Unknown,
        }
    }

    fn binary_integers(
        &mut self,
        op: BinaryOperator,
        ty: IntType,
        a: &Linear,
        b: &Linear,
        known: &mut Knowledge,
    ) -> Value {
        let less = |a: &Linear, b: &Linear| Condition::Less(ty, a.clone(), b.clone());
        let equal = || Rc::new(Condition::Equal(ty, a.clone(), b.clone()));
        let form = match op {
            BinaryOperator::Add => self.sum(ty, a, b, 1, known),
            BinaryOperator::Subtract => self.sum(ty, a, b, -1, known),
            BinaryOperator::Multiply => self.product(ty, a, b, known),
            BinaryOperator::Divide => self.quotient(ty, a, b, known),
            BinaryOperator::Modulo => self.remainder(ty, a, b, known),
            BinaryOperator::And => self.and(ty, a, b, known),
            BinaryOperator::ExclusiveOr => self.or(ty, Operator::Xor, a, b, known),
            BinaryOperator::InclusiveOr => self.or(ty, Operator::Or, a, b, known),
            BinaryOperator::ShiftLeft => self.shift_left(ty, a, b, known),
            BinaryOperator::ShiftRight => self.shift_right(ty, a, b, known),
            BinaryOperator::Less => return Value::Bool(Rc::new(less(a, b))),
            BinaryOperator::Greater => return Value::Bool(Rc::new(less(b, a))),
            BinaryOperator::LessEqual => {
                return Value::Bool(Condition::not(&Rc::new(less(b, a))));
            }
            BinaryOperator::GreaterEqual => {
                return Value::Bool(Condition::not(&Rc::new(less(a, b))));
            }
            BinaryOperator::Equal => return Value::Bool(equal()),
            BinaryOperator::NotEqual => return Value::Bool(Condition::not(&equal())),
            BinaryOperator::LogicalAnd | BinaryOperator::LogicalOr => return Value::Unknown,
        };
        Value::Int(ty, form)
    }

    /// The value, if only one is possible on this path.
    fn only(&self, ty: IntType, form: &Linear, known: &mut Knowledge) -> Option<i64> {
        let (range, _) = known.value_range(&self.symbols, form, ty);
        range.value().and_then(|v| i64::try_from(v).ok())
    }

    fn sum(
        &mut self,
        ty: IntType,
        a: &Linear,
        b: &Linear,
        sign: i64,
        known: &mut Knowledge,
    ) -> Linear {
        let sum = a.plus(b, sign).wrapped();
        if sum.terms().len() <= MAX_TERMS {
            return sum;
        }
        let (range, _) = known.value_range(&self.symbols, &sum, ty);
        Linear::symbol(known.opaque(&mut self.symbols, ty, range))
    }

    fn product(&mut self, ty: IntType, a: &Linear, b: &Linear, known: &mut Knowledge) -> Linear {
        if let Some(factor) = self.only(ty, b, known) {
            return a.scaled_wrapped(factor);
        }
        if let Some(factor) = self.only(ty, a, known) {
            return b.scaled_wrapped(factor);
        }
        self.operation(ty, Operator::Multiply, a, b, known)
    }

    /// The form as a mathematical integer, if it is surely non-negative.
    fn natural(
        &self,
        ty: IntType,
        form: &Linear,
        known: &mut Knowledge,
    ) -> Option<(Linear, Interval)> {
        let (range, shift) = known.value_range(&self.symbols, form, ty);
        (range.lo >= 0).then_some((form.plus_constant(-shift?), range))
    }

    fn quotient(&mut self, ty: IntType, a: &Linear, b: &Linear, known: &mut Knowledge) -> Linear {
        match self.only(ty, b, known) {
            Some(1) => a.clone(),
            Some(d) if d > 1 => match self.natural(ty, a, known) {
                Some((a, range)) => self.natural_quotient(ty, &a, range, d, known),
                None => self.operation(ty, Operator::Divide, a, &Linear::constant(d), known),
            },
            _ => self.operation(ty, Operator::Divide, a, b, known),
        }
    }

    /// `a / d` for a non-negative mathematical `a` and a `d` above 1.
    fn natural_quotient(
        &mut self,
        ty: IntType,
        a: &Linear,
        range: Interval,
        d: i64,
        known: &mut Knowledge,
    ) -> Linear {
        let divisor = i128::from(d);
        if range.lo / divisor == range.hi / divisor {
            return Linear::constant((range.lo / divisor) as i64);
        }
        // d x + y with 0 <= y < d gives x.
        let (whole, rest): (Vec<_>, Vec<_>) = a.terms().iter().partition(|t| t.1 % d == 0);
        let rest = Linear::from_terms(a.k.rem_euclid(d), &rest);
        let rest = known.bounds(&self.symbols, &rest);
        if Interval::new(0, divisor - 1).contains(rest) {
            let whole: Vec<_> = whole.iter().map(|t| (t.0, t.1 / d)).collect();
            return Linear::from_terms(a.k.div_euclid(d), &whole).wrapped();
        }
        let dividend = a.clone().wrapped();
        let quotient = self.operation(ty, Operator::Divide, &dividend, &Linear::constant(d), known);
        // 0 <= a - d q < d
        known.constrain(&a.plus(&quotient, -d), Interval::new(0, divisor - 1));
        quotient
    }

    fn remainder(&mut self, ty: IntType, a: &Linear, b: &Linear, known: &mut Knowledge) -> Linear {
        if let Some(d) = self.only(ty, b, known).filter(|&d| d >= 1)
            && let Some((natural, range)) = self.natural(ty, a, known)
        {
            if range.hi < i128::from(d) {
                return natural.wrapped();
            }
            if d == 1 {
                return Linear::constant(0);
            }
            let quotient = self.natural_quotient(ty, &natural, range, d, known);
            let remainder = natural.plus(&quotient.scaled_wrapped(d), -1).wrapped();
            if remainder.terms().len() <= MAX_TERMS {
                return remainder;
            }
        }
        self.operation(ty, Operator::Remainder, a, b, known)
    }

    /// Bits `low` to `high` (exclusive) of a value that is surely non-negative, as a number.
    fn bits(
        &mut self,
        ty: IntType,
        a: &Linear,
        (low, high): (u32, u32),
        known: &mut Knowledge,
    ) -> Option<Linear> {
        let (natural, range) = self.natural(ty, a, known)?;
        let shifted = match low {
            0 => a.clone(),
            _ => self.natural_quotient(ty, &natural, range, 1 << low, known),
        };
        if range.hi < 1 << high {
            return Some(shifted);
        }
        Some(self.remainder(ty, &shifted, &Linear::constant(1 << (high - low)), known))
    }

    /// One operand, with the bits of the other if its value is known.
    fn masked<'f>(
        &self,
        ty: IntType,
        a: &'f Linear,
        b: &'f Linear,
        known: &mut Knowledge,
    ) -> Option<(&'f Linear, u32)> {
        match (self.only(ty, b, known), self.only(ty, a, known)) {
            (Some(mask), _) => Some((a, mask as u32)),
            (None, Some(mask)) => Some((b, mask as u32)),
            (None, None) => None,
        }
    }

    fn and(&mut self, ty: IntType, a: &Linear, b: &Linear, known: &mut Knowledge) -> Linear {
        let Some((a, mask)) = self.masked(ty, a, b, known) else {
            return self.operation(ty, Operator::And, a, b, known);
        };
        match mask {
            0 => return Linear::constant(0),
            u32::MAX => return a.clone(),
            _ => {}
        }
        if let Some((low, high)) = run_of_ones(mask)
            && let Some(bits) = self.bits(ty, a, (low, high), known)
        {
            return bits.scaled_wrapped(1 << low);
        }
        let mask = match ty {
            IntType::U32 => i64::from(mask),
            IntType::I32 => i64::from(mask as i32),
        };
        self.operation(ty, Operator::And, a, &Linear::constant(mask), known)
    }

    /// `a | b` or `a ^ b`. If no bit can be set in both, the result is the sum. If one operand is a known run
    /// of bits, it is the sum, less the other operand's bits of that run once (`|`) or twice (`^`).
    fn or(
        &mut self,
        ty: IntType,
        operator: Operator,
        a: &Linear,
        b: &Linear,
        known: &mut Knowledge,
    ) -> Linear {
        for (high, low) in [(a, b), (b, a)] {
            let terms = high.terms().iter().map(|t| t.1);
            let zeros = terms.chain([high.k]).map(i64::trailing_zeros).min().unwrap_or(0).min(32);
            let (range, _) = known.value_range(&self.symbols, low, ty);
            if zeros > 0 && range.lo >= 0 && range.hi < 1 << zeros {
                return self.sum(ty, a, b, 1, known);
            }
        }
        if let Some((a, mask)) = self.masked(ty, a, b, known)
            && let Some((low, high)) = run_of_ones(mask)
            && let Some(bits) = self.bits(ty, a, (low, high), known)
        {
            let doubled = u32::from(operator == Operator::Xor);
            let both = bits.scaled_wrapped(1 << (low + doubled));
            let sum = a.plus_constant(mask.into()).wrapped();
            return self.sum(ty, &sum, &both, -1, known);
        }
        self.operation(ty, operator, a, b, known)
    }

    fn shift_left(&mut self, ty: IntType, a: &Linear, b: &Linear, known: &mut Knowledge) -> Linear {
        match self.only(IntType::U32, b, known) {
            Some(count) => a.scaled_wrapped(1 << (count & 31)),
            None => self.operation(ty, Operator::ShiftLeft, a, b, known),
        }
    }

    fn shift_right(
        &mut self,
        ty: IntType,
        a: &Linear,
        b: &Linear,
        known: &mut Knowledge,
    ) -> Linear {
        if let Some(count) = self.only(IntType::U32, b, known).map(|c| c & 31) {
            if count == 0 {
                return a.clone();
            }
            // 2³¹ is no i32, but then no non-negative value remains.
            if let Some((natural, range)) = self.natural(ty, a, known) {
                return self.natural_quotient(ty, &natural, range, 1 << count, known);
            }
        }
        self.operation(ty, Operator::ShiftRight, a, b, known)
    }

    /// `accept` where the condition holds, `reject` elsewhere, each under its side of the condition.
    pub(crate) fn select(
        &mut self,
        condition: &Value,
        accept: &Value,
        reject: &Value,
        known: &mut Knowledge,
    ) -> Value {
        let several = |conditions: &Value| match (conditions, accept, reject) {
            (Value::Many(c), Value::Many(a), Value::Many(b)) => {
                Some((c.clone(), a.clone(), b.clone()))
            }
            _ => None,
        };
        if let Some((c, a, b)) = several(condition) {
            let parts = (0..c.len()).map(|i| {
                let part = |v: &Rc<Vec<Value>>| v.get(i).cloned().unwrap_or(Value::Unknown);
                self.select(&part(&c), &part(&a), &part(&b), known)
            });
            return Value::Many(Rc::new(parts.collect()));
        }
        let condition = condition.condition();
        self.choose(&condition, accept, reject, known)
    }

    fn choose(
        &mut self,
        condition: &Rc<Condition>,
        accept: &Value,
        reject: &Value,
        known: &mut Knowledge,
    ) -> Value {
        match (accept, reject) {
            (Value::Many(a), Value::Many(b)) if a.len() == b.len() => {
                let parts =
                    a.iter().zip(b.iter()).map(|(a, b)| self.choose(condition, a, b, known));
                Value::Many(Rc::new(parts.collect()))
            }
            (Value::Int(ty, a), Value::Int(_, b)) => {
                if a == b {
                    return accept.clone();
                }
                let mut range = None;
                for (form, truth) in [(a, true), (b, false)] {
                    let mut side = known.clone();
                    if refine(&mut side, &self.symbols, condition, truth) {
                        let (part, _) = side.value_range(&self.symbols, form, *ty);
                        range = Some(range.map_or(part, |r: Interval| r.hull(part)));
                    }
                }
                self.any_of(*ty, range.unwrap_or(ty.range()), known)
            }
            _ if matches!((accept, reject), (Value::Bool(_), _) | (_, Value::Bool(_))) => {
                let (a, b) = (accept.condition(), reject.condition());
                Value::Bool(Condition::choose(condition, &a, &b))
            }
            _ => Value::Unknown,
        }
    }

    /// Built-in functions of integers; `Unknown` for untracked ones.
    pub(crate) fn math(
        &mut self,
        fun: MathFunction,
        first: Value,
        rest: [Option<Value>; 2],
        known: &mut Knowledge,
    ) -> Value {
        if let (MathFunction::Dot, Value::Many(a), Some(Value::Many(b))) = (fun, &first, &rest[0]) {
            let mut sum: Option<Value> = None;
            for (a, b) in a.iter().zip(b.iter()) {
                let product = self.binary(BinaryOperator::Multiply, a, b, known);
                sum = Some(match sum {
                    None => product,
                    Some(so_far) => self.binary(BinaryOperator::Add, &so_far, &product, known),
                });
            }
            return sum.unwrap_or(Value::Unknown);
        }
        // Functions of several vectors that are not componentwise.
        if !componentwise(fun) {
            return Value::Unknown;
        }
        if let Value::Many(parts) = &first {
            let parts = parts.iter().enumerate().map(|(i, part)| {
                let rest = [0, 1].map(|r: usize| {
                    rest[r].as_ref().map(|v| match v {
                        Value::Many(_) => v.component(i),
                        v => v.clone(),
                    })
                });
                self.math(fun, part.clone(), rest, known)
            });
            return Value::Many(Rc::new(parts.collect()));
        }
        let Value::Int(ty, x) = first else { return Value::Unknown };
        let form = |value: &Option<Value>| match value {
            Some(Value::Int(_, form)) => Some(form.clone()),
            _ => None,
        };
        let (y, z) = (form(&rest[0]), form(&rest[1]));
        let bits = |hi: i128| Interval::new(0, hi);
        match (fun, y, z) {
            (MathFunction::Min, Some(y), _) => {
                Value::Int(ty, self.extreme(ty, Operator::Minimum, &x, &y, known))
            }
            (MathFunction::Max, Some(y), _) => {
                Value::Int(ty, self.extreme(ty, Operator::Maximum, &x, &y, known))
            }
            // min(max(x, low), high), also if low > high.
            (MathFunction::Clamp, Some(low), Some(high)) => {
                let above = self.extreme(ty, Operator::Maximum, &x, &low, known);
                Value::Int(ty, self.extreme(ty, Operator::Minimum, &above, &high, known))
            }
            (MathFunction::Abs, _, _) => {
                if ty == IntType::U32 || self.natural(ty, &x, known).is_some() {
                    return Value::Int(ty, x);
                }
                let zero = Linear::constant(0);
                Value::Int(ty, self.operation(ty, Operator::Absolute, &x, &zero, known))
            }
            (MathFunction::Sign, _, _) => self.any_of(ty, Interval::new(-1, 1), known),
            (
                MathFunction::CountOneBits
                | MathFunction::CountLeadingZeros
                | MathFunction::CountTrailingZeros,
                _,
                _,
            ) => self.any_of(ty, bits(32), known),
            (MathFunction::FirstLeadingBit | MathFunction::FirstTrailingBit, _, _) => {
                let (range, _) = known.value_range(&self.symbols, &x, ty);
                match ty {
                    IntType::I32 => self.any_of(ty, Interval::new(-1, 31), known),
                    IntType::U32 if range.lo > 0 => {
                        let top = i128::from(127 - range.hi.leading_zeros());
                        self.any_of(ty, bits(top), known)
                    }
                    IntType::U32 => self.any_of(ty, ty.range(), known),
                }
            }
            // extractBits(x, offset, count)
            (MathFunction::ExtractBits, Some(offset), Some(count)) if ty == IntType::U32 => {
                let numbers = [&offset, &count].map(|form| self.only(IntType::U32, form, known));
                if let [Some(low), Some(length)] = numbers.map(|n| n.map(|n| n.min(32) as u32))
                    && low < 32
                    && length > 0
                    && let Some(bits) = self.bits(ty, &x, (low, (low + length).min(32)), known)
                {
                    return Value::Int(ty, bits);
                }
                let (count, _) = known.value_range(&self.symbols, &count, IntType::U32);
                let count = count.hi.min(32);
                self.any_of(ty, bits((1 << count) - 1), known)
            }
            _ => Value::Unknown,
        }
    }

    /// The smaller or the larger of two values: the operand itself if it is known which.
    fn extreme(
        &mut self,
        ty: IntType,
        operator: Operator,
        a: &Linear,
        b: &Linear,
        known: &mut Knowledge,
    ) -> Linear {
        let (x, _) = known.value_range(&self.symbols, a, ty);
        let (y, _) = known.value_range(&self.symbols, b, ty);
        let (below, above) = (x.hi <= y.lo, y.hi <= x.lo);
        match operator {
            Operator::Minimum if below => a.clone(),
            Operator::Minimum if above => b.clone(),
            Operator::Maximum if above => a.clone(),
            Operator::Maximum if below => b.clone(),
            _ => self.operation(ty, operator, a, b, known),
        }
    }

    /// A conversion or a bitcast, which are the same for integers.
    pub(crate) fn convert(
        &mut self,
        value: Value,
        kind: ScalarKind,
        known: &mut Knowledge,
    ) -> Value {
        match (value, int_type(kind)) {
            (Value::Many(parts), _) => {
                let parts = parts.iter().map(|p| self.convert(p.clone(), kind, known)).collect();
                Value::Many(Rc::new(parts))
            }
            // Between i32 and u32 the bits stay.
            (Value::Int(_, form), Some(ty)) => Value::Int(ty, form),
            (Value::Bool(_), Some(ty)) => self.any_of(ty, Interval::new(0, 1), known),
            (Value::Bool(condition), None) if kind == ScalarKind::Bool => Value::Bool(condition),
            (Value::Int(ty, form), None) if kind == ScalarKind::Bool => {
                let zero = Condition::Equal(ty, form, Linear::constant(0));
                Value::Bool(Condition::not(&Rc::new(zero)))
            }
            _ => Value::Unknown,
        }
    }
}

/// The positions of the lowest set bit and of the first clear bit above it, if no higher bit is
/// set.
fn run_of_ones(mask: u32) -> Option<(u32, u32)> {
    let low = mask.trailing_zeros();
    let above = u64::from(mask).checked_shr(low)?;
    let high = low + above.trailing_ones();
    (mask != 0 && above.count_ones() == high - low).then_some((low, high))
}

fn componentwise(fun: MathFunction) -> bool {
    matches!(
        fun,
        MathFunction::Min
            | MathFunction::Max
            | MathFunction::Clamp
            | MathFunction::Abs
            | MathFunction::Sign
            | MathFunction::CountOneBits
            | MathFunction::CountLeadingZeros
            | MathFunction::CountTrailingZeros
            | MathFunction::FirstLeadingBit
            | MathFunction::FirstTrailingBit
            | MathFunction::ExtractBits
    )
}
