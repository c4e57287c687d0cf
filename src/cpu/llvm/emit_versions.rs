//! Two versions of a region, and rows of workgroups that are executed as one span.
//!
//! A version without guards runs if the facts hold that a workgroup checks for itself. Spans of workgroups are
//! executed row by row (`spmd::spans`). A span has an edge at either end, whose gangs run the other version, so
//! that a whole row of the grid can be one span.
//!
//! What always holds: `%span` workgroups, in the order of the loop over workgroups, are done when the loop
//! advances; they lie in one row of the chunk's grid and in the batch.

use super::emit::{Emitter, Mask};
use crate::cpu::spmd::ir::{Node, Versions};
use crate::cpu::spmd::spans;
use crate::cpu::spmd::types::Ty;
use crate::cpu::spmd::wide::{Facts, Number, Wide};
use crate::error::Result;

/// Workgroups at the end of a span for which its facts need not hold.
const EDGE: u32 = 2;

/// The values of the numbers of some facts, as names.
pub(super) type Numbers = Vec<String>;

impl Emitter<'_> {
    /// Whether workgroups are executed in spans.
    pub(super) fn spans(&self) -> bool {
        spans::longest(self.kernel) > 1
    }

    /// The number of gangs in a row of a span, if there are spans; one workgroup has `parts`.
    pub(super) fn long_row(&mut self, parts: u32) -> Option<String> {
        self.spans().then(|| {
            let span = self.ins("load i32, ptr %span.slot");
            self.ins(&format!("mul nuw nsw i32 {span}, {parts}"))
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
                let gang = this.place.as_ref().map_or("0", |place| &place[0]).to_owned();
                let from = this.ins(&format!("icmp uge i32 {gang}, {first}"));
                let to = this.ins(&format!("icmp ult i32 {gang}, {last}"));
                let inside = this.ins(&format!("and i1 {from}, {to}"));
                let (quick, slow, join) = (this.label(), this.label(), this.label());
                this.branch_if(&inside, &quick, &slow);
                this.begin(&quick);
                this.gang_body(inner, Mask::Full)?;
                this.branch(&join);
                this.begin(&slow);
                let clones = std::mem::take(&mut this.clones);
                this.gang_body(edge, Mask::Full)?;
                this.clones = clones;
                this.branch(&join);
                this.begin(&join);
                Ok(())
            });
        }
        let (holds, _) = self.facts(&versions.facts)?;
        let (inner, edge, join) = (self.label(), self.label(), self.label());
        self.branch_if(&holds, &inner, &edge);
        self.begin(&inner);
        self.region(&versions.inner)?;
        self.branch(&join);
        self.begin(&edge);
        let clones = std::mem::take(&mut self.clones);
        self.region(&versions.edge)?;
        self.clones = clones;
        self.branch(&join);
        self.begin(&join);
        Ok(())
    }

    /// The most workgroups that a span may have from this one on: the rest of the row.
    fn longest(&mut self) -> String {
        let left = self.ins("load i64, ptr %left.slot");
        let in_row = self.ins("sub i32 %count0, %in0");
        let in_row = self.ins(&format!("zext i32 {in_row} to i64"));
        let most = self.ins(&format!("call i64 @llvm.smin.i64(i64 {left}, i64 {in_row})"));
        let limit = spans::longest(self.kernel);
        let most = self.ins(&format!("call i64 @llvm.smin.i64(i64 {most}, i64 {limit})"));
        self.ins(&format!("trunc i64 {most} to i32"))
    }

    /// Makes the longest possible span.
    pub(super) fn whole_span(&mut self) {
        let most = self.longest();
        self.line(&format!("store i32 {most}, ptr %span.slot"));
    }

    /// Makes a span of workgroups for which facts hold, with an edge at either end. Returns the range of gangs
    /// of a row for which these facts hold: the first, and the one after the last.
    fn span_with_edges(&mut self, facts: &Facts) -> Result<(String, String)> {
        let along = spans::along_x(facts);
        let (holds, numbers) = self.facts(facts)?;
        let fixed = |a: Number, b: Number| !along[a as usize] && !along[b as usize];
        let row = self.all_less(facts, &numbers, fixed);
        let most = self.longest();
        let (head, look, grow, end) = (self.label(), self.label(), self.label(), self.label());
        let lead = self.ins(&format!("select i1 {holds}, i32 0, i32 1"));
        self.line(&format!("store i32 {lead}, ptr %span.slot"));
        self.branch(&head);
        self.begin(&head);
        let span = self.ins("load i32, ptr %span.slot");
        let room = self.ins(&format!("icmp ult i32 {span}, {most}"));
        let go = self.ins(&format!("and i1 {room}, {row}"));
        self.branch_if(&go, &look, &end);
        self.begin(&look);
        let further = self.ins(&format!("mul i32 {span}, {}", self.kernel.packed));
        let x = self.ins(&format!("add i32 %wg0, {further}"));
        let holds = self.facts_at(facts, &numbers, &x)?;
        self.branch_if(&holds, &grow, &end);
        self.begin(&grow);
        let next = self.ins(&format!("add nuw nsw i32 {span}, 1"));
        self.line(&format!("store i32 {next}, ptr %span.slot"));
        self.branch(&head);
        self.begin(&end);
        let with_edge = self.ins(&format!("add nuw nsw i32 {span}, {EDGE}"));
        let some = self.ins(&format!("call i32 @llvm.umin.i32(i32 {with_edge}, i32 {most})"));
        // A row in which they hold nowhere is all edge.
        let all = self.ins(&format!("select i1 {row}, i32 {some}, i32 {most}"));
        self.line(&format!("store i32 {all}, ptr %span.slot"));
        let parts = self.kernel.workgroup_size[0] / self.width;
        let first = self.ins(&format!("mul nuw nsw i32 {lead}, {parts}"));
        let last = self.ins(&format!("mul nuw nsw i32 {span}, {parts}"));
        Ok((first, last))
    }

    /// Whether all facts hold for the workgroup, as an i1, and their numbers.
    fn facts(&mut self, facts: &Facts) -> Result<(String, Numbers)> {
        let mut numbers: Numbers = Vec::new();
        for wide in &facts.numbers {
            let number = self.wide_number(*wide, &numbers, "%wg0")?;
            numbers.push(number);
        }
        let all = self.all_less(facts, &numbers, |_, _| true);
        Ok((all, numbers))
    }

    /// Whether facts also hold for the `x`-th workgroup of the row; `numbers` are those of this one.
    fn facts_at(&mut self, facts: &Facts, numbers: &Numbers, x: &str) -> Result<String> {
        let mut there = numbers.clone();
        let other = spans::along_x(facts);
        for (at, &wide) in facts.numbers.iter().enumerate() {
            if other[at] {
                there[at] = self.wide_number(wide, &there, x)?;
            }
        }
        Ok(self.all_less(facts, &there, |a, b| other[a as usize] || other[b as usize]))
    }

    /// A number, from those before it; `x` is the workgroup's id along x.
    fn wide_number(&mut self, wide: Wide, numbers: &Numbers, x: &str) -> Result<String> {
        let at = |n: Number| numbers[n as usize].clone();
        let two = |op: &str, a, b| format!("{op} i64 {}, {}", at(a), at(b));
        let call =
            |name: &str, a, b| format!("call i64 @llvm.{name}.i64(i64 {}, i64 {})", at(a), at(b));
        let text = match wide {
            Wide::Constant(value) => return Ok(value.to_string()),
            Wide::Held(a) => return Ok(at(a)),
            Wide::Register(reg) => {
                if self.kernel.is_variable(reg) {
                    let value = self.load_variable(reg);
                    self.define(reg, value);
                }
                format!("zext i32 {} to i64", self.scalar(reg, Ty::Int)?)
            }
            Wide::Workgroup(0) => format!("zext i32 {x} to i64"),
            Wide::Workgroup(axis) => format!("zext i32 %wg{axis} to i64"),
            Wide::Length(binding) => format!("zext i32 %len{binding} to i64"),
            Wide::Add(a, b) => two("add", a, b),
            Wide::Sub(a, b) => two("sub", a, b),
            Wide::Mul(a, b) => two("mul", a, b),
            Wide::Min(a, b) => call("smin", a, b),
            Wide::Max(a, b) => call("smax", a, b),
            Wide::Shr(a, by) => format!("ashr i64 {}, {by}", at(a)),
            Wide::Div(a, by) => format!("sdiv i64 {}, {by}", at(a)),
        };
        Ok(self.ins(&text))
    }

    /// Whether the relevant comparisons hold.
    fn all_less(
        &mut self,
        facts: &Facts,
        numbers: &Numbers,
        matters: impl Fn(Number, Number) -> bool,
    ) -> String {
        let mut all = "true".to_owned();
        for &(a, b) in facts.less.iter().filter(|(a, b)| matters(*a, *b)) {
            let less = format!("icmp slt i64 {}, {}", numbers[a as usize], numbers[b as usize]);
            let less = self.ins(&less);
            all = self.ins(&format!("and i1 {all}, {less}"));
        }
        all
    }
}
