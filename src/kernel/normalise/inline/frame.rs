//! One function that is being copied, and how its returns are lowered.

use naga::valid::FunctionInfo;
use naga::{Block, Expression, Function, Handle, LocalVariable, Span, Statement};

use crate::error::{Error, Result};

/// A statement with its span.
pub(super) type Item<'f> = (&'f Statement, Span);

/// A block's statements. Those of a nested `Block` stand in its place.
pub(super) fn items(block: &Block) -> Vec<Item<'_>> {
    let mut all = Vec::with_capacity(block.len());
    for (statement, &span) in block.span_iter() {
        match statement {
            Statement::Block(inner) => all.extend(items(inner)),
            other => all.push((other, span)),
        }
    }
    all
}

/// One function that is being copied: the entry point, or a callee at one call.
pub(super) struct Frame<'f> {
    pub(super) function: &'f Function,
    pub(super) info: &'f FunctionInfo,
    /// The new handle of each of the function's expressions that has been copied.
    pub(super) map: Vec<Option<Handle<Expression>>>,
    /// The new handle of each of the function's locals.
    pub(super) locals: Vec<Handle<LocalVariable>>,
    /// The values of the arguments; none for the entry point, whose arguments stay.
    pub(super) arguments: Option<Vec<Handle<Expression>>>,
    /// Whether the only return is at the very end.
    pub(super) direct: bool,
    /// The value of that return.
    pub(super) value: Option<Handle<Expression>>,
    /// Pointer to the local that takes the returned value.
    pub(super) result: Option<Handle<Expression>>,
    /// Pointer to the `returned` local, once something needs it.
    pub(super) returned: Option<Handle<Expression>>,
}

impl Frame<'_> {
    pub(super) fn get(&self, old: Handle<Expression>) -> Result<Handle<Expression>> {
        self.map[old.index()].ok_or_else(|| broken("an expression is used before it is evaluated"))
    }
}

pub(super) fn broken(cause: &str) -> Error {
    Error::Internal { place: "kernel::normalise::inline".to_owned(), cause: cause.to_owned() }
}

/// The parts of an `If`.
pub(super) struct Split<'f> {
    pub(super) condition: Handle<Expression>,
    pub(super) accept: Vec<Item<'f>>,
    pub(super) reject: Vec<Item<'f>>,
    pub(super) span: Span,
}

/// How a `return` is lowered where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Returns {
    /// The entry point's return, which stays.
    Keep,
    /// Nothing of the callee follows the end of this block: store the value.
    Tail,
    /// Something follows the end of this block, guarded by `returned`: store, set `returned`.
    Flag,
    /// Inside a loop or switch of the callee: store, set `returned` if something reads it, break.
    Break { flag: bool },
}
