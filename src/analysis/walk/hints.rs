//! Hints: the assumptions at the heads of loops that walks of one launch ended with. Later walks try them
//! first.
//!
//! A loop inside another is walked in every pass over the outer one, and every band of a launch walks the same
//! loops. A hint is an assumption like any other: it counts if it is met, and if a pass under it shows nothing
//! better.

use super::assumptions::{Back, Came, Head, Leaf};
use crate::analysis::domain::Interval;

/// The assumptions at the heads of loops that walks of one launch ended with.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    heads: Vec<Hint>,
    /// Loops whose unrolling failed.
    pub(crate) rolled: Vec<usize>,
    /// Expressions and statements that walks iteration by iteration have examined.
    pub(crate) spent_on_turns: u64,
}

#[derive(Debug)]
struct Hint {
    /// The loop.
    id: usize,
    /// The leaves' properties at the entry.
    entry: Vec<Start>,
    heads: Vec<Head>,
    /// The values that came back in the pass that counted.
    back: Vec<Came>,
}

/// Variable, path, whether the entry's form is exact, and its range.
type Start = (usize, Vec<usize>, bool, Interval);

/// The most hints of one loop; the oldest is dropped.
const MOST_HINTS: usize = 4;

impl Hints {
    pub(crate) fn find(&self, id: usize, leaves: &[Leaf]) -> Option<(Vec<Head>, Vec<Came>)> {
        let same = |(start, leaf): (&Start, &Leaf)| {
            (start.0, start.2, start.3) == (leaf.variable, leaf.exact, leaf.range)
                && start.1 == leaf.path
        };
        let hint = self.heads.iter().rev().find(|hint| {
            let starts = hint.entry.iter().zip(leaves);
            hint.id == id && hint.entry.len() == leaves.len() && starts.into_iter().all(same)
        })?;
        Some((hint.heads.clone(), hint.back.clone()))
    }

    pub(crate) fn keep(&mut self, id: usize, leaves: &[Leaf], heads: &[Head], back: &[Back]) {
        let of_loop = |hint: &&Hint| hint.id == id;
        if self.heads.iter().filter(of_loop).count() >= MOST_HINTS
            && let Some(oldest) = self.heads.iter().position(|hint| hint.id == id)
        {
            self.heads.remove(oldest);
        }
        let start = |leaf: &Leaf| (leaf.variable, leaf.path.clone(), leaf.exact, leaf.range);
        let entry = leaves.iter().map(start).collect();
        let back = leaves.iter().zip(back).map(|(l, b)| (b.step, l.range.hull(b.range))).collect();
        self.heads.push(Hint { id, entry, heads: heads.to_vec(), back });
    }
}
