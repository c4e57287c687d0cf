//! Two versions of a region, and rows of workgroups that are executed as one.
//!
//! A version without guards runs where facts hold that a workgroup checks for itself, and spans of
//! such workgroups are executed row by row (`spmd::spans`).
//!
//! What always holds: `span` workgroups, counted in those that the loop over workgroups runs, are
//! done when the loop advances; they lie in one row of the chunk's grid and in the batch.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::emit::Emitter;
use crate::cpu::spmd::ir::Versions;
use crate::cpu::spmd::types::Ty;
use crate::cpu::spmd::wide::{Facts, Number, Wide};
use crate::error::Result;

impl Emitter<'_, '_> {
    /// Whether workgroups are executed in spans.
    pub(super) fn spans(&self) -> bool {
        self.kernel.longest_span() > 1
    }

    /// The gangs in a row of a span, where there are spans; `parts` are in one workgroup.
    pub(super) fn long_row(&mut self, parts: u32) -> Option<Value> {
        self.spans().then(|| {
            let (span, parts) = (self.b.use_var(self.span), self.int(parts));
            self.b.ins().imul(span, parts)
        })
    }

    /// The version for where the facts hold, and the other one.
    pub(super) fn versions(&mut self, versions: &Versions) -> Result<()> {
        let (holds, numbers) = self.facts(&versions.facts)?;
        let (inner, edge, join) = (self.block(), self.block(), self.block());
        self.branch_if(holds, inner, edge);
        self.begin(inner);
        if self.spans() {
            self.span(&versions.facts, &numbers)?;
        }
        self.region(&versions.inner)?;
        self.branch(join);
        self.begin(edge);
        let clones = std::mem::take(&mut self.clones);
        self.region(&versions.edge)?;
        self.clones = clones;
        self.branch(join);
        self.begin(join);
        Ok(())
    }

    /// Counts the workgroups, from this one on, for which facts hold that hold for this one.
    pub(super) fn span(&mut self, facts: &Facts, numbers: &[Value]) -> Result<()> {
        let (head, look, grow, end) = (self.block(), self.block(), self.block(), self.block());
        let left = self.b.use_var(self.left);
        let in_row = self.b.ins().isub(self.args.count[0], self.column);
        let in_row = self.b.ins().uextend(types::I64, in_row);
        let most = self.b.ins().umin(left, in_row);
        let limit = self.long(self.kernel.longest_span().into());
        let most = self.b.ins().umin(most, limit);
        let most = self.b.ins().ireduce(types::I32, most);
        self.branch(head);
        self.begin_loop(head);
        let span = self.b.use_var(self.span);
        let room = self.b.ins().icmp(IntCC::UnsignedLessThan, span, most);
        self.branch_if(room, look, end);
        self.begin(look);
        let packed = self.int(self.kernel.packed);
        let further = self.b.ins().imul(span, packed);
        let x = self.b.ins().iadd(self.group[0], further);
        let holds = self.facts_at(facts, numbers, x)?;
        self.branch_if(holds, grow, end);
        self.begin(grow);
        let one = self.int(1);
        let next = self.b.ins().iadd(span, one);
        self.b.def_var(self.span, next);
        self.branch(head);
        self.b.seal_block(head);
        self.begin(end);
        Ok(())
    }

    /// Whether all of some facts hold for the workgroup, and their numbers.
    fn facts(&mut self, facts: &Facts) -> Result<(Value, Vec<Value>)> {
        let mut numbers: Vec<Value> = Vec::new();
        let x = self.group[0];
        for wide in &facts.numbers {
            let value = self.wide_number(*wide, &numbers, x)?;
            numbers.push(value);
        }
        let all = self.all_less(facts, &numbers, |_| true);
        Ok((all, numbers))
    }

    /// Whether facts also hold for another workgroup of the row, which is the `x`-th; `numbers`
    /// are those of this one.
    fn facts_at(&mut self, facts: &Facts, numbers: &[Value], x: Value) -> Result<Value> {
        let mut there = numbers.to_vec();
        let other = facts.along_x();
        for (at, &wide) in facts.numbers.iter().enumerate() {
            if other[at] {
                there[at] = self.wide_number(wide, &there, x)?;
            }
        }
        Ok(self.all_less(facts, &there, |n| other[n as usize]))
    }

    /// A number, from those before it; `x` is the workgroup's id along x.
    fn wide_number(&mut self, wide: Wide, numbers: &[Value], x: Value) -> Result<Value> {
        let at = |n: Number| numbers[n as usize];
        Ok(match wide {
            Wide::Constant(value) => self.b.ins().iconst(types::I64, value),
            Wide::Register(reg) => {
                if self.kernel.is_variable(reg) {
                    let value = self.load_variable(reg);
                    self.define(reg, value);
                }
                let word = self.scalar(reg, Ty::Int)?;
                self.b.ins().uextend(types::I64, word)
            }
            Wide::Workgroup(axis) => {
                let id = if axis == 0 { x } else { self.group[usize::from(axis)] };
                self.b.ins().uextend(types::I64, id)
            }
            Wide::Length(binding) => {
                let length = self.args.bindings[binding].1;
                self.b.ins().uextend(types::I64, length)
            }
            Wide::Add(a, b) => self.b.ins().iadd(at(a), at(b)),
            Wide::Sub(a, b) => self.b.ins().isub(at(a), at(b)),
            Wide::Mul(a, b) => self.b.ins().imul(at(a), at(b)),
            Wide::Min(a, b) => self.b.ins().smin(at(a), at(b)),
            Wide::Max(a, b) => self.b.ins().smax(at(a), at(b)),
            Wide::Shr(a, by) => self.b.ins().sshr_imm_u(at(a), i64::from(by)),
            Wide::Div(a, by) => self.b.ins().sdiv_imm_s(at(a), i64::from(by)),
            Wide::Held(a) => at(a),
        })
    }

    /// Whether those comparisons hold one of whose numbers matters.
    fn all_less(
        &mut self,
        facts: &Facts,
        numbers: &[Value],
        matters: impl Fn(Number) -> bool,
    ) -> Value {
        let mut all = self.b.ins().iconst(types::I8, 1);
        for &(a, b) in facts.less.iter().filter(|(a, b)| matters(*a) || matters(*b)) {
            let (a, b) = (numbers[a as usize], numbers[b as usize]);
            let less = self.b.ins().icmp(IntCC::SignedLessThan, a, b);
            all = self.b.ins().band(all, less);
        }
        all
    }
}
