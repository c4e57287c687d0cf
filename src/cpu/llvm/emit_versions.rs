//! Two versions of a region, and rows of workgroups that are executed as one.
//!
//! A version without guards runs where facts hold that a workgroup checks for itself, and spans of
//! such workgroups are executed row by row (`spmd::spans`).
//!
//! What always holds: `%span` workgroups, counted in those that the loop over workgroups runs, are
//! done when the loop advances; they lie in one row of the chunk's grid and in the batch.

use super::emit::Emitter;
use crate::cpu::spmd::ir::Versions;
use crate::cpu::spmd::types::Ty;
use crate::cpu::spmd::wide::{Facts, Number, Wide};
use crate::error::Result;

/// Numbers of some facts, by name.
pub(super) type Numbers = Vec<String>;

impl Emitter<'_> {
    /// Whether workgroups are executed in spans.
    pub(super) fn spans(&self) -> bool {
        self.kernel.longest_span() > 1
    }

    /// The gangs in a row of a span, where there are spans; `parts` are in one workgroup.
    pub(super) fn long_row(&mut self, parts: u32) -> Option<String> {
        self.spans().then(|| {
            let span = self.ins("load i32, ptr %span.slot");
            self.ins(&format!("mul nuw nsw i32 {span}, {parts}"))
        })
    }

    /// The version for where the facts hold, and the other one.
    pub(super) fn versions(&mut self, versions: &Versions) -> Result<()> {
        let (holds, numbers) = self.facts(&versions.facts)?;
        let (inner, edge, join) = (self.label(), self.label(), self.label());
        self.branch_if(&holds, &inner, &edge);
        self.begin(&inner);
        if self.spans() {
            self.span(&versions.facts, &numbers)?;
        }
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

    /// Counts the workgroups, from this one on, for which facts hold that hold for this one.
    pub(super) fn span(&mut self, facts: &Facts, numbers: &Numbers) -> Result<()> {
        let (head, look, grow, end) = (self.label(), self.label(), self.label(), self.label());
        let left = self.ins("load i64, ptr %left.slot");
        let in_row = self.ins("sub i32 %count0, %in0");
        let in_row = self.ins(&format!("zext i32 {in_row} to i64"));
        let most = self.ins(&format!("call i64 @llvm.smin.i64(i64 {left}, i64 {in_row})"));
        let limit = self.kernel.longest_span();
        let most = self.ins(&format!("call i64 @llvm.smin.i64(i64 {most}, i64 {limit})"));
        let most = self.ins(&format!("trunc i64 {most} to i32"));
        self.branch(&head);
        self.begin(&head);
        let span = self.ins("load i32, ptr %span.slot");
        let room = self.ins(&format!("icmp ult i32 {span}, {most}"));
        self.branch_if(&room, &look, &end);
        self.begin(&look);
        let further = self.ins(&format!("mul i32 {span}, {}", self.kernel.packed));
        let x = self.ins(&format!("add i32 %wg0, {further}"));
        let holds = self.facts_at(facts, numbers, &x)?;
        self.branch_if(&holds, &grow, &end);
        self.begin(&grow);
        let next = self.ins(&format!("add nuw nsw i32 {span}, 1"));
        self.line(&format!("store i32 {next}, ptr %span.slot"));
        self.branch(&head);
        self.begin(&end);
        Ok(())
    }

    /// Whether all of some facts hold for the workgroup, as an i1, and their numbers.
    fn facts(&mut self, facts: &Facts) -> Result<(String, Numbers)> {
        let mut numbers: Numbers = Vec::new();
        for wide in &facts.numbers {
            let number = self.wide_number(*wide, &numbers, "%wg0")?;
            numbers.push(number);
        }
        let all = self.all_less(facts, &numbers, |_| true);
        Ok((all, numbers))
    }

    /// Whether facts also hold for another workgroup of the row, which is the `x`-th; `numbers`
    /// are those of this one.
    fn facts_at(&mut self, facts: &Facts, numbers: &Numbers, x: &str) -> Result<String> {
        let mut there = numbers.clone();
        let other = facts.along_x();
        for (at, &wide) in facts.numbers.iter().enumerate() {
            if other[at] {
                there[at] = self.wide_number(wide, &there, x)?;
            }
        }
        Ok(self.all_less(facts, &there, |n| other[n as usize]))
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

    /// Whether those comparisons hold one of whose numbers matters.
    fn all_less(
        &mut self,
        facts: &Facts,
        numbers: &Numbers,
        matters: impl Fn(Number) -> bool,
    ) -> String {
        let mut all = "true".to_owned();
        for &(a, b) in facts.less.iter().filter(|(a, b)| matters(*a) || matters(*b)) {
            let less = format!("icmp slt i64 {}, {}", numbers[a as usize], numbers[b as usize]);
            let less = self.ins(&less);
            all = self.ins(&format!("and i1 {all}, {less}"));
        }
        all
    }
}
