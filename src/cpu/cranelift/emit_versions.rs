//! Two versions of a region, and rows of workgroups that are executed as one span.
//!
//! A version without guards runs if the facts hold that a workgroup checks for itself. Spans of workgroups are
//! executed row by row (`spmd::spans`). A span has an edge at either end, whose gangs run the other version, so
//! that a whole row of the grid can be one span.
//!
//! What always holds: `span` workgroups, in the order of the loop over workgroups, are done when the loop
//! advances; they lie in one row of the chunk's grid and in the batch.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::emit::{Emitter, Mask};
use crate::cpu::spmd::ir::{Node, Versions};
use crate::cpu::spmd::spans;
use crate::cpu::spmd::types::Ty;
use crate::cpu::spmd::wide::{Facts, Number, Wide};
use crate::error::Result;

/// Workgroups at the end of a span for which its facts need not hold.
const EDGE: u32 = 2;

impl Emitter<'_, '_> {
    /// Whether workgroups are executed in spans.
    pub(super) fn spans(&self) -> bool {
        spans::longest(self.kernel) > 1
    }

    /// The number of gangs in a row of a span, if there are spans; one workgroup has `parts`.
    pub(super) fn long_row(&mut self, parts: u32) -> Option<Value> {
        self.spans().then(|| {
            let (span, parts) = (self.b.use_var(self.span), self.int(parts));
            self.b.ins().imul(span, parts)
        })
    }

    /// Emits the version for which the facts hold, and the other one.
    pub(super) fn versions(&mut self, versions: &Versions) -> Result<()> {
        if self.spans()
            && let ([Node::Gangs { body: inner, .. }], [Node::Gangs { body: edge, .. }]) =
                (&versions.inner.nodes[..], &versions.edge.nodes[..])
        {
            let (first, last) = self.span_with_edges(&versions.facts)?;
            return self.rows(|this| {
                let gang = this.place.map_or(first, |place| place[0]);
                let from = this.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, gang, first);
                let to = this.b.ins().icmp(IntCC::UnsignedLessThan, gang, last);
                let inside = this.b.ins().band(from, to);
                let (quick, slow, join) = (this.block(), this.block(), this.block());
                this.branch_if(inside, quick, slow);
                this.begin(quick);
                this.gang_body(inner, Mask::Full)?;
                this.branch(join);
                this.begin(slow);
                let clones = std::mem::take(&mut this.clones);
                this.gang_body(edge, Mask::Full)?;
                this.clones = clones;
                this.branch(join);
                this.begin(join);
                Ok(())
            });
        }
        let (holds, _) = self.facts(&versions.facts)?;
        let (inner, edge, join) = (self.block(), self.block(), self.block());
        self.branch_if(holds, inner, edge);
        self.begin(inner);
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

    /// The most workgroups that a span may have from this one on: the rest of the row.
    fn longest(&mut self) -> Value {
        let left = self.b.use_var(self.left);
        let in_row = self.b.ins().isub(self.args.count[0], self.column);
        let in_row = self.b.ins().uextend(types::I64, in_row);
        let most = self.b.ins().umin(left, in_row);
        let limit = self.long(spans::longest(self.kernel).into());
        let most = self.b.ins().umin(most, limit);
        self.b.ins().ireduce(types::I32, most)
    }

    /// Makes the longest possible span.
    pub(super) fn whole_span(&mut self) {
        let most = self.longest();
        self.b.def_var(self.span, most);
    }

    /// Makes a span of workgroups for which facts hold, with an edge at either end. Returns the range of gangs
    /// of a row for which these facts hold: the first, and the one after the last.
    fn span_with_edges(&mut self, facts: &Facts) -> Result<(Value, Value)> {
        let along = spans::along_x(facts);
        let (holds, numbers) = self.facts(facts)?;
        let fixed = |a: Number, b: Number| !along[a as usize] && !along[b as usize];
        let row = self.all_less(facts, &numbers, fixed);
        let most = self.longest();
        let (head, look, grow, end) = (self.block(), self.block(), self.block(), self.block());
        let (zero, one) = (self.int(0), self.int(1));
        let lead = self.b.ins().select(holds, zero, one);
        self.b.def_var(self.span, lead);
        self.branch(head);
        self.begin_loop(head);
        let span = self.b.use_var(self.span);
        let room = self.b.ins().icmp(IntCC::UnsignedLessThan, span, most);
        let go = self.b.ins().band(room, row);
        self.branch_if(go, look, end);
        self.begin(look);
        let packed = self.int(self.kernel.packed);
        let further = self.b.ins().imul(span, packed);
        let x = self.b.ins().iadd(self.group[0], further);
        let holds = self.facts_at(facts, &numbers, x)?;
        self.branch_if(holds, grow, end);
        self.begin(grow);
        let next = self.b.ins().iadd(span, one);
        self.b.def_var(self.span, next);
        self.branch(head);
        self.b.seal_block(head);
        self.begin(end);
        let edge = self.int(EDGE);
        let with_edge = self.b.ins().iadd(span, edge);
        let some = self.b.ins().umin(with_edge, most);
        // A row in which they hold nowhere is all edge.
        let all = self.b.ins().select(row, some, most);
        self.b.def_var(self.span, all);
        let parts = self.int(self.kernel.workgroup_size[0] / self.width);
        let first = self.b.ins().imul(lead, parts);
        let last = self.b.ins().imul(span, parts);
        Ok((first, last))
    }

    /// Whether all facts hold for the workgroup, and their numbers.
    fn facts(&mut self, facts: &Facts) -> Result<(Value, Vec<Value>)> {
        let mut numbers: Vec<Value> = Vec::new();
        let x = self.group[0];
        for wide in &facts.numbers {
            let value = self.wide_number(*wide, &numbers, x)?;
            numbers.push(value);
        }
        let all = self.all_less(facts, &numbers, |_, _| true);
        Ok((all, numbers))
    }

    /// Whether facts also hold for the `x`-th workgroup of the row; `numbers` are those of this one.
    fn facts_at(&mut self, facts: &Facts, numbers: &[Value], x: Value) -> Result<Value> {
        let mut there = numbers.to_vec();
        let other = spans::along_x(facts);
        for (at, &wide) in facts.numbers.iter().enumerate() {
            if other[at] {
                there[at] = self.wide_number(wide, &there, x)?;
            }
        }
        Ok(self.all_less(facts, &there, |a, b| other[a as usize] || other[b as usize]))
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

    /// Whether the relevant comparisons hold.
    fn all_less(
        &mut self,
        facts: &Facts,
        numbers: &[Value],
        matters: impl Fn(Number, Number) -> bool,
    ) -> Value {
        let mut all = self.b.ins().iconst(types::I8, 1);
        for &(a, b) in facts.less.iter().filter(|(a, b)| matters(*a, *b)) {
            let (a, b) = (numbers[a as usize], numbers[b as usize]);
            let less = self.b.ins().icmp(IntCC::SignedLessThan, a, b);
            all = self.b.ins().band(all, less);
        }
        all
    }
}
