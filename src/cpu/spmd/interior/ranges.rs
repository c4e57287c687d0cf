//! The ranges of registers, and the facts that these need.
//!
//! Ranges begin with the ids of a workgroup, constants and values that are uniform in the workgroup. They
//! follow integer operations as if these did not wrap. Where the wrapped value matters, `exact` adds the
//! facts under which nothing has wrapped.

use std::collections::HashMap;

use crate::cpu::interpreter::bytecode::{Builtin, Op};
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};
use crate::cpu::spmd::ir::Kernel;
use crate::cpu::spmd::shape::{Class, Shapes};
use crate::cpu::spmd::wide::{Facts, Less, Number, WORD, Wide};

/// The most comparisons that a workgroup makes.
pub(super) const MOST_FACTS: usize = 48;

/// The range of a value without wrapping: the register holds the value modulo 2^32.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    pub(super) low: Number,
    pub(super) high: Number,
    /// The facts under which the range holds.
    pub(super) needs: Vec<Less>,
}

/// The ranges of registers at one point of a walk over a region.
pub(super) struct Ranges<'k> {
    pub(super) kernel: &'k mut Kernel,
    pub(super) shapes: &'k mut Shapes,
    /// The operation that sets each register of the region.
    pub(super) ops: HashMap<Reg, Op>,
    pub(super) facts: Facts,
    pub(super) known: HashMap<Reg, Option<Interval>>,
    /// The ranges of variables at this point.
    pub(super) variables: HashMap<Reg, Interval>,
    /// The register that was stored: for each register read from a variable, and for each variable.
    pub(super) same: HashMap<Reg, Reg>,
    pub(super) stored: HashMap<Reg, Reg>,
    /// Variables of the workgroup to which each iteration of the loop around the region adds a constant.
    pub(super) steps: &'k [(Reg, i32)],
    /// The number of invocations that execute the region, if not all.
    pub(super) most: Option<i64>,
}

impl Ranges<'_> {
    /// The register that a register was copied from, through variables.
    pub(super) fn origin(&self, mut reg: Reg) -> Reg {
        loop {
            if let Some(&from) = self.same.get(&reg) {
                reg = from;
                continue;
            }
            match self.ops.get(&reg) {
                Some(&Op::Unary { f: Unary::Copy, a, .. }) if !self.kernel.is_variable(a) => {
                    reg = a;
                }
                _ => return reg,
            }
        }
    }

    /// The facts under which a condition is true, or false; `None` if the condition has more than `left`
    /// operations.
    pub(super) fn assume(
        &mut self,
        condition: Reg,
        truth: bool,
        left: &mut u32,
    ) -> Option<Vec<Less>> {
        *left = left.checked_sub(1)?;
        let condition = self.origin(condition);
        let one = self.facts.constant(1)?;
        match (self.ops.get(&condition)?.clone(), truth) {
            (Op::Unary { f: Unary::Not, a, .. }, _) => self.assume(a, !truth, left),
            (Op::Binary { f: Binary::And, a, b, .. }, true)
            | (Op::Binary { f: Binary::Or, a, b, .. }, false) => {
                let mut needs = self.assume(a, truth, left)?;
                needs.extend(self.assume(b, truth, left)?);
                Some(needs)
            }
            (Op::Binary { f, a, b, .. }, _) => {
                let (signed, less) = match f {
                    Binary::LtU => (false, true),
                    Binary::LtI => (true, true),
                    Binary::LeU => (false, false),
                    Binary::LeI => (true, false),
                    _ => return None,
                };
                let (x, y) = (self.interval(a)?, self.interval(b)?);
                let mut needs = self.exact(&x, signed)?;
                needs.extend(self.exact(&y, signed)?);
                // `a < b` and `a <= b`, or else `b <= a` and `b < a`.
                let (low, high, less) =
                    if truth { (x.high, y.low, less) } else { (y.high, x.low, !less) };
                let high = if less { high } else { self.facts.number(Wide::Add(high, one))? };
                self.facts.less(low, high, &mut needs).then_some(needs)
            }
            _ => None,
        }
    }

    /// The facts under which a register holds exactly this value, read as a u32 or as an i32 that is not
    /// negative.
    pub(super) fn exact(&mut self, value: &Interval, signed: bool) -> Option<Vec<Less>> {
        let mut needs = value.needs.clone();
        let below = self.facts.constant(-1)?;
        let end = self.facts.constant(if signed { 1 << 31 } else { WORD + 1 })?;
        let holds = self.facts.less(below, value.low, &mut needs)
            && self.facts.less(value.high, end, &mut needs);
        holds.then_some(needs)
    }

    /// The facts under which an index is below a bound.
    pub(super) fn below(&mut self, index: Reg, bound: i64) -> Option<Vec<Less>> {
        let index = self.interval(index)?;
        let mut needs = self.exact(&index, false)?;
        let bound = self.facts.constant(bound)?;
        self.facts.less(index.high, bound, &mut needs).then_some(needs)
    }

    /// The interval of a register at the time it was set.
    pub(super) fn interval(&mut self, reg: Reg) -> Option<Interval> {
        if let Some(known) = self.known.get(&reg) {
            return known.clone();
        }
        let mut interval = self.find(reg);
        if let Some(found) = &mut interval {
            // Both operands of a sum may need the same facts.
            found.needs.sort_unstable();
            found.needs.dedup();
        }
        let interval = interval.filter(|found| found.needs.len() <= MOST_FACTS);
        self.known.insert(reg, interval.clone());
        interval
    }

    fn between(&mut self, low: i64, high: i64) -> Option<Interval> {
        let (low, high) = (self.facts.constant(low)?, self.facts.constant(high)?);
        Some(Interval { low, high, needs: Vec::new() })
    }

    pub(super) fn variable(&mut self, var: Reg) -> Option<Interval> {
        if let Some(known) = self.variables.get(&var) {
            return Some(known.clone());
        }
        if self.shapes.regs[var as usize].class != Class::Workgroup {
            return None;
        }
        let number = self.facts.number(Wide::Register(var))?;
        Some(Interval { low: number, high: number, needs: Vec::new() })
    }

    fn find(&mut self, reg: Reg) -> Option<Interval> {
        if let Some(bits) = self.kernel.known(reg) {
            let value = i64::from(bits as i32);
            return self.between(value, value);
        }
        if let Some(&builtin) = self.kernel.builtins.get(&reg) {
            return self.builtin(builtin);
        }
        let Some(op) = self.ops.get(&reg).cloned() else {
            if self.shapes.regs[reg as usize].class > Class::Workgroup {
                return None;
            }
            let number = self.facts.number(Wide::Register(reg))?;
            return Some(Interval { low: number, high: number, needs: Vec::new() });
        };
        match op {
            Op::Unary { f: Unary::Copy, a, .. } if !self.kernel.is_variable(a) => self.interval(a),
            Op::Binary { f, a, b, .. } => self.binary(f, a, b),
            Op::ArrayLength { binding, .. } => {
                let number = self.facts.number(Wide::Length(binding))?;
                Some(Interval { low: number, high: number, needs: Vec::new() })
            }
            _ => None,
        }
    }

    fn builtin(&mut self, builtin: Builtin) -> Option<Interval> {
        let size = self.kernel.workgroup_size;
        match builtin {
            Builtin::LocalIndex => {
                let all = size.iter().map(|&n| i64::from(n)).product::<i64>();
                self.between(0, self.most.map_or(all, |most| all.min(most)) - 1)
            }
            Builtin::LocalId(0) if size[1] == 1 && size[2] == 1 => {
                let all = i64::from(size[0]);
                self.between(0, self.most.map_or(all, |most| all.min(most)) - 1)
            }
            Builtin::LocalId(axis) => self.between(0, i64::from(size[usize::from(axis)]) - 1),
            Builtin::WorkgroupId(axis) => {
                let number = self.facts.number(Wide::Workgroup(axis))?;
                Some(Interval { low: number, high: number, needs: Vec::new() })
            }
            Builtin::GlobalId(axis) => {
                let extent = i64::from(size[usize::from(axis)]);
                let group = self.facts.number(Wide::Workgroup(axis))?;
                let by = self.facts.constant(i64::from(self.kernel.extent(axis)))?;
                let low = self.facts.number(Wide::Mul(group, by))?;
                let last = self.facts.constant(extent - 1)?;
                let high = self.facts.number(Wide::Add(low, last))?;
                Some(Interval { low, high, needs: Vec::new() })
            }
            _ => None,
        }
    }

    /// A value that facts keep below 2^31, so that later values can't grow too large.
    fn held(&mut self, value: &Interval) -> Option<Interval> {
        let needs = self.exact(value, true)?;
        let low = self.facts.number(Wide::Held(value.low))?;
        let high = self.facts.number(Wide::Held(value.high))?;
        Some(Interval { low, high, needs })
    }

    /// Applies a function that grows with its arguments to both ends.
    fn grows(
        &mut self,
        x: &Interval,
        y: &Interval,
        f: fn(Number, Number) -> Wide,
    ) -> Option<Interval> {
        let mut needs = x.needs.clone();
        needs.extend(y.needs.iter().copied());
        let mut ends = |x: &Interval, y: &Interval| {
            Some((self.facts.number(f(x.low, y.low))?, self.facts.number(f(x.high, y.high))?))
        };
        if let Some((low, high)) = ends(x, y) {
            return Some(Interval { low, high, needs });
        }
        let (x, y) = (self.held(x)?, self.held(y)?);
        let low = self.facts.number(f(x.low, y.low))?;
        let high = self.facts.number(f(x.high, y.high))?;
        needs = x.needs;
        needs.extend(y.needs);
        Some(Interval { low, high, needs })
    }

    fn binary(&mut self, f: Binary, a: Reg, b: Reg) -> Option<Interval> {
        let constant = self.kernel.known(b);
        match (f, constant) {
            // This holds for every value of the other operand.
            (Binary::And, Some(mask)) if mask <= i32::MAX as u32 => {
                return self.between(0, i64::from(mask));
            }
            (Binary::RemU, Some(by)) if by > 0 => return self.between(0, i64::from(by) - 1),
            _ => {}
        }
        let (x, y) = (self.interval(a)?, self.interval(b)?);
        match (f, constant) {
            (Binary::AddI, _) => self.grows(&x, &y, Wide::Add),
            (Binary::SubI, _) => {
                let mut needs = x.needs.clone();
                needs.extend(y.needs.iter().copied());
                let low = self.facts.number(Wide::Sub(x.low, y.high))?;
                let high = self.facts.number(Wide::Sub(x.high, y.low))?;
                Some(Interval { low, high, needs })
            }
            (Binary::MulI, _) => {
                // A product grows with its factors if neither is negative.
                let below = self.facts.constant(-1)?;
                let (mut x, mut y) = (x, y);
                for value in [&mut x, &mut y] {
                    if !self.facts.less(below, value.low, &mut value.needs) {
                        return None;
                    }
                }
                self.grows(&x, &y, Wide::Mul)
            }
            (Binary::Shl, Some(by)) => {
                let factor = self.facts.constant(1 << (by & 31))?;
                let y = Interval { low: factor, high: factor, needs: Vec::new() };
                let below = self.facts.constant(-1)?;
                let mut x = x;
                if !self.facts.less(below, x.low, &mut x.needs) {
                    return None;
                }
                self.grows(&x, &y, Wide::Mul)
            }
            (Binary::ShrU, Some(by)) => {
                let needs = self.exact(&x, false)?;
                let low = self.facts.number(Wide::Shr(x.low, by & 31))?;
                let high = self.facts.number(Wide::Shr(x.high, by & 31))?;
                Some(Interval { low, high, needs })
            }
            (Binary::DivU, Some(by)) if by > 0 => {
                let needs = self.exact(&x, false)?;
                let low = self.facts.number(Wide::Div(x.low, by))?;
                let high = self.facts.number(Wide::Div(x.high, by))?;
                Some(Interval { low, high, needs })
            }
            (Binary::MinU | Binary::MinI | Binary::MaxU | Binary::MaxI, _) => {
                let signed = matches!(f, Binary::MinI | Binary::MaxI);
                let mut needs = self.exact(&x, signed)?;
                needs.extend(self.exact(&y, signed)?);
                let (x, y) =
                    (Interval { needs: needs.clone(), ..x }, Interval { needs: Vec::new(), ..y });
                let f =
                    if matches!(f, Binary::MinU | Binary::MinI) { Wide::Min } else { Wide::Max };
                self.grows(&x, &y, f)
            }
            _ => None,
        }
    }
}
