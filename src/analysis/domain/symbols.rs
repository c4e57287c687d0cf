//! The table of symbols: each symbol's definition, and the bounds that hold on every path.
//!
//! A symbol stands for one value of one execution and never changes. `knowledge` has what a single path knows
//! beyond this table.

use super::interval::{IntType, Operator};
use super::linear::{Linear, Symbol};

/// The definition of a symbol.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Definition {
    /// A builtin, a load, or a variable where paths meet: there is no definition.
    Opaque,
    /// The value of an operator. The forms are values of the symbol's type (the count of a shift
    /// is a `u32`).
    Operation(Operator, Linear, Linear),
}

#[derive(Debug, Clone)]
pub(crate) struct SymbolInfo {
    pub(crate) ty: IntType,
    pub(crate) definition: Definition,
    /// Bounds that hold on every path.
    pub(crate) range: (i64, i64),
    pub(crate) depth: u8,
    /// For the components of workgroup and local ids and the counters of counted loops: an
    /// invocation (and an iteration) exists for every combination of values in these ranges.
    pub(crate) dimension: Option<(i64, i64)>,
}

/// All symbols, by index.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    pub(crate) infos: Vec<SymbolInfo>,
}

impl Symbols {
    pub(crate) fn len(&self) -> usize {
        self.infos.len()
    }

    pub(crate) fn push(&mut self, info: SymbolInfo) -> Symbol {
        self.infos.push(info);
        (self.infos.len() - 1) as Symbol
    }

    pub(crate) fn depth_of(&self, form: &Linear) -> u8 {
        form.terms().iter().map(|t| self.infos[t.0 as usize].depth).max().unwrap_or(0)
    }
}
