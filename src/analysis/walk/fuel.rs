//! The budget of one walk, in expressions and statements.
//!
//! With little fuel left, a walk takes each remaining loop once, without assumptions. Without fuel it ends.

use naga::Span;

/// Expressions and statements that one interpretation examines in full: enough for a dozen nested loops. After
/// that the body of each loop is walked once, without assumptions about the variables that it changes.
pub(crate) const FUEL: u64 = 1 << 18;
/// Expressions and statements that it examines after that: several times the largest kernel. Then the analysis
/// gives up.
pub(crate) const RESERVE: u64 = 1 << 21;

#[derive(Debug)]
pub(crate) struct Fuel {
    left: u64,
    /// The first loop that was examined less closely because of the budget.
    hurried: Option<Span>,
}

impl Fuel {
    pub(crate) fn full() -> Fuel {
        Fuel { left: FUEL + RESERVE, hurried: None }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    pub(crate) fn spend(&mut self, amount: u64) {
        self.left = self.left.saturating_sub(amount);
    }

    /// Whether this loop must be walked without assumptions.
    pub(crate) fn hurries(&mut self, span: Span) -> bool {
        let hurries = self.left <= RESERVE;
        if hurries {
            self.hurry(span);
        }
        hurries
    }

    /// Notes a loop that was examined less closely.
    pub(crate) fn hurry(&mut self, span: Span) {
        self.hurried.get_or_insert(span);
    }

    pub(crate) fn hurried(&self) -> Option<Span> {
        self.hurried
    }
}
