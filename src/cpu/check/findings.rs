//! The findings of a check, as data and as text.
//!
//! Findings of one rule on one variable at the same lines are merged into the first of them, with a count.
//! Errors come before lints, each in the order of the text.

use std::fmt;

/// The options of a check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Whether to report lints too.
    pub(crate) lints: bool,
    /// The number of chunks that the grid is cut into, to count the races that would cross a cut.
    pub(crate) chunks: Option<u32>,
}

/// The rule that a finding violates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// Two invocations of a workgroup touch the same memory, one of them writes, and no barrier
    /// orders the accesses.
    RaceInWorkgroup,
    /// A race of invocations of different workgroups, which nothing can order.
    RaceAcrossWorkgroups,
    /// An index that is not below the number of elements.
    OutOfBounds,
    /// A barrier that only some invocations of a workgroup reached.
    DivergentBarrier,
    /// A subgroup operation that only some invocations of a subgroup reached.
    DivergentSubgroup,
    /// Lint: workgroup, private or function memory read before it was written.
    UnwrittenRead,
    /// Lint: finite operands made a NaN or an infinity.
    NotFinite,
    /// Lint: the arithmetic of an index overflowed.
    IndexWrap,
}

impl Rule {
    /// The name that tools see, such as `race-in-workgroup`.
    ///
    /// ```
    /// assert_eq!(coexec::Rule::RaceInWorkgroup.name(), "race-in-workgroup");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Rule::RaceInWorkgroup => "race-in-workgroup",
            Rule::RaceAcrossWorkgroups => "race-across-workgroups",
            Rule::OutOfBounds => "out-of-bounds",
            Rule::DivergentBarrier => "divergent-barrier",
            Rule::DivergentSubgroup => "divergent-subgroup",
            Rule::UnwrittenRead => "unwritten-read",
            Rule::NotFinite => "not-finite",
            Rule::IndexWrap => "index-wrap",
        }
    }

    /// Whether a finding of this rule is an error by WGSL's rules, not only suspicious.
    ///
    /// ```
    /// use coexec::Rule;
    /// assert!(Rule::OutOfBounds.is_error() && !Rule::NotFinite.is_error());
    /// ```
    pub fn is_error(self) -> bool {
        !matches!(self, Rule::UnwrittenRead | Rule::NotFinite | Rule::IndexWrap)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One invocation of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invocation {
    /// `global_invocation_id`
    pub global: [u32; 3],
    /// `workgroup_id`
    pub workgroup: [u32; 3],
    /// `local_invocation_id`
    pub local: [u32; 3],
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = |[x, y, z]: [u32; 3]| format!("({x}, {y}, {z})");
        let Invocation { global, workgroup, local } = *self;
        write!(
            f,
            "invocation {}, local {} of workgroup {}",
            ids(global),
            ids(local),
            ids(workgroup)
        )
    }
}

/// The action of an invocation at a place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Read memory.
    Read,
    /// Wrote memory.
    Write,
    /// Updated memory atomically.
    Update,
    /// Reached a barrier or a subgroup operation.
    Reach,
    /// Did not reach the operation: the place is where the control flow diverged.
    Miss,
    /// Computed a value.
    Compute,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Action::Read => "read",
            Action::Write => "written",
            Action::Update => "updated",
            Action::Reach => "reached",
            Action::Miss => "missed",
            Action::Compute => "computed",
        })
    }
}

/// An invocation with its action and the place of the action in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The action.
    pub action: Action,
    /// The line in the WGSL text, from 1 on; 0 if the text has no such place.
    pub line: u32,
    /// The column, in characters, from 1 on; 0 if there is no line.
    pub column: u32,
    /// File, line and column, the line itself and a caret; empty if there is no line.
    pub excerpt: String,
    /// The invocation.
    pub invocation: Invocation,
}

/// An error, or a suspicious event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The violated rule.
    pub rule: Rule,
    /// A sentence that says what happened.
    pub message: String,
    /// The memory, such as `part[32]` or `particles[7].pos.x`; empty for barriers and subgroups.
    pub address: String,
    /// The invocation that acted; in a race, the earlier one.
    pub first: Witness,
    /// The other invocation of a race; at a barrier or a subgroup operation, an invocation that did not arrive.
    pub second: Option<Witness>,
    /// An explanation.
    pub note: String,
    /// The number of occurrences, over all addresses and invocations.
    pub count: u64,
    /// For races across workgroups, if a number of chunks was given: the number of races between workgroups of
    /// different chunks.
    pub across_chunks: Option<u64>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = if self.rule.is_error() { "error" } else { "lint" };
        writeln!(f, "{grade}[{}]: {}", self.rule, self.message)?;
        let mut shown = "";
        for witness in std::iter::once(&self.first).chain(&self.second) {
            if !witness.excerpt.is_empty() && witness.excerpt != shown {
                writeln!(f, "{}", witness.excerpt)?;
                shown = &witness.excerpt;
            }
            writeln!(f, "    {} by {}", witness.action, witness.invocation)?;
        }
        let times = match self.count {
            1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        write!(f, "    = {times}")?;
        if let Some(across) = self.across_chunks {
            write!(f, ", {across} of them between chunks")?;
        }
        if !self.note.is_empty() {
            write!(f, "; {}", self.note)?;
        }
        Ok(())
    }
}

/// The result of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The errors, then the lints, each in the order of the text.
    pub findings: Vec<Finding>,
    /// Workgroups that ran to their end.
    pub workgroups: u64,
    /// Why the run ended early, if it did: a loop that ran past its budget.
    pub stopped: Option<String>,
}

impl Findings {
    /// Findings that are errors.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([5, 1, 1]);
    /// assert_eq!(launch.check()?.errors(), 1); // the fifth workgroup is out of bounds
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.rule.is_error()).count()
    }

    /// Findings that are lints.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([5, 1, 1]);
    /// assert_eq!(launch.check_with_lints()?.lints(), 0);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn lints(&self) -> usize {
        self.findings.len() - self.errors()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}\n")?;
        }
        if let Some(stopped) = &self.stopped {
            writeln!(f, "{stopped}\n")?;
        }
        let plural = |n: usize, one: &str| match n {
            0 => format!("no {one}s"),
            1 => format!("1 {one}"),
            n => format!("{n} {one}s"),
        };
        write!(f, "{}", plural(self.errors(), "error"))?;
        match &self.stopped {
            Some(_) => write!(f, " before a loop that did not end")?,
            None => write!(f, " in {}", plural(self.workgroups as usize, "workgroup"))?,
        }
        if self.lints() > 0 {
            write!(f, ", and {}", plural(self.lints(), "lint"))?;
        }
        Ok(())
    }
}
