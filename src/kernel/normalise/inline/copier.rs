//! The interface of the inliner to the lowerings of returns and of shared calls. The inliner calls
//! these in turn.

use naga::{Block, Expression, Function, Handle, Span};

use super::body::Body;
use super::frame::{Frame, Item, Returns};
use super::segments::Calls;
use crate::error::Result;

/// Copies the statements of a function into the body.
pub(super) trait Copier<'a> {
    /// The body that is being written.
    fn body(&mut self) -> &mut Body<'a>;

    /// The calls of the module. The caller may turn sharing off for a while.
    fn calls(&mut self) -> &mut Calls;

    /// A function of the module.
    fn function(&self, function: Handle<Function>) -> &'a Function;

    /// Copies statements to the end of `out`.
    fn copy<'f>(
        &mut self,
        frame: &mut Frame<'f>,
        statements: &[Item<'f>],
        returns: Returns,
        out: &mut Block,
    ) -> Result<()>;

    /// Copies statements into a block of their own.
    fn nested<'f>(
        &mut self,
        frame: &mut Frame<'f>,
        statements: &[Item<'f>],
        span: Span,
        returns: Returns,
    ) -> Result<Block>;

    /// Copies a callee's body to the end of `out`. Returns the value of the call, if it has one.
    fn call(
        &mut self,
        function: Handle<Function>,
        arguments: Vec<Handle<Expression>>,
        span: Span,
        out: &mut Block,
    ) -> Result<Option<Handle<Expression>>>;

    /// Enters `blocks` blocks and `loops` loops, whose nesting is bounded.
    ///
    /// # Errors
    /// [`Error::Unsupported`](crate::Error::Unsupported) if blocks are nested too deep.
    fn enter(&mut self, blocks: usize, loops: usize, span: Span) -> Result<()>;

    /// Leaves `blocks` blocks and `loops` loops.
    fn leave(&mut self, blocks: usize, loops: usize);
}
