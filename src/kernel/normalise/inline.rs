//! Pass 4: the entry point's function is rebuilt with every call inlined.
//!
//! Calls of a callee that `call_sizes` marks as *shared* may use one copy of it ([`sharing`]).
//!
//! What always holds of the result: no `Call`, no `CallResult`, no nested `Block` statement,
//! nothing after a statement that leaves its block; a callee's locals are locals of the entry
//! point, one set for each copy; pointer arguments are replaced by the caller's pointer, so every
//! pointer roots at a local or a global; scalar constants are literals. Blocks are nested at most
//! [`MAX_NESTING`] deep.
//!
//! **Returns.** The entry point's own returns stay. [`leaving`] lowers those of a callee.
//!
//! **Locals.** A local starts anew at each call. If the call cannot happen twice, the local's
//! `init` does that; if the call is inside a loop, a store at the call does.

mod frame;

mod body;
mod segments;

mod copier;

mod leaving;

mod sharing;

use naga::valid::ModuleInfo;
use naga::{Arena, Block, Expression, Function, Handle, LocalVariable, Span, Statement};

use super::call_sizes::{shared_callees, stored_arguments, waiting_functions};
use crate::error::{Error, Result};
use crate::kernel::Source;
use crate::kernel::operands::{statement_operands, statement_result};
use crate::kernel::returns::only_returns_at_end;
use body::Body;
use copier::Copier;
use frame::{Frame, Item, Returns, Split, items};
use leaving::{copy_breakable, copy_if, lower_return};
use segments::Calls;
use sharing::copy_sharing;

/// Blocks inside blocks, in the normalised entry point. The bound lets every walk over it recurse.
pub(crate) const MAX_NESTING: usize = 256;

/// Calls inside calls.
const MAX_CALL_DEPTH: usize = 1000;

/// The most expressions, statements and calls that inlining may copy. Functions that each call the
/// next one twice would otherwise take all memory.
const MAX_COPIES: usize = 400_000;

/// Replaces the entry point's function by one that calls nothing, and drops all functions.
/// Callees are shared if the function would otherwise have more than `most` expressions and
/// statements.
pub(super) fn inline(
    source: &Source,
    module: &mut naga::Module,
    info: &ModuleInfo,
    most: u64,
) -> Result<()> {
    let shared = shared_callees(module, most);
    let calls = Calls {
        sharing: shared.contains(&true),
        shared,
        stored_arguments: stored_arguments(module),
        waiting: waiting_functions(module),
    };
    let functions = std::mem::take(&mut module.functions);
    let entry = std::mem::take(&mut module.entry_points[0].function);
    let mut inliner = Inliner {
        source,
        info,
        functions: &functions,
        calls,
        body: Body::new(module),
        callers: Vec::new(),
        nesting: 0,
        loops: 0,
        copies: 0,
    };
    let body = inliner.entry(&entry)?;
    let Body { module, expressions, locals, names, .. } = inliner.body;
    module.entry_points[0].function = Function {
        name: entry.name,
        arguments: entry.arguments,
        result: entry.result,
        local_variables: locals,
        expressions,
        named_expressions: names.into_iter().collect(),
        body,
        diagnostic_filter_leaf: entry.diagnostic_filter_leaf,
    };
    Ok(())
}

struct Inliner<'a> {
    source: &'a Source,
    info: &'a ModuleInfo,
    functions: &'a Arena<Function>,
    calls: Calls,
    body: Body<'a>,
    /// The calls that the current statement is inside of, outermost first.
    callers: Vec<Span>,
    /// Blocks that the current statement is inside of.
    nesting: usize,
    /// Loops that the current statement is inside of.
    loops: usize,
    copies: usize,
}

impl<'a> Inliner<'a> {
    fn entry(&mut self, entry: &Function) -> Result<Block> {
        let info = self.info.get_entry_point(0);
        let mut frame = Frame {
            function: entry,
            info,
            map: vec![None; entry.expressions.len()],
            locals: Vec::new(),
            arguments: None,
            direct: false,
            value: None,
            result: None,
            returned: None,
        };
        for (old, local) in entry.local_variables.iter() {
            let init = match local.init {
                Some(init) => Some(self.body.constant(entry, init, &mut None)?),
                None => None,
            };
            let new = LocalVariable { init, ..local.clone() };
            frame.locals.push(self.body.locals.append(new, entry.local_variables.get_span(old)));
        }
        self.body.available(&mut frame)?;
        let mut body = Block::new();
        self.copy(&mut frame, &items(&entry.body), Returns::Keep, &mut body)?;
        self.body.keep_names(&frame);
        Ok(body)
    }

    /// Counts against the limits. `callers` give the place for the error.
    fn account(&mut self, copies: usize, span: Span) -> Result<()> {
        if !self.callers.is_empty() {
            self.copies += copies;
        }
        let what = if self.copies > MAX_COPIES {
            format!("calls that grow the kernel beyond {MAX_COPIES} inlined operations")
        } else if self.nesting > MAX_NESTING {
            format!(
                "blocks (with calls inlined, each early return counts) nested more than \
                 {MAX_NESTING} deep"
            )
        } else if self.callers.len() > MAX_CALL_DEPTH {
            format!("calls nested more than {MAX_CALL_DEPTH} deep")
        } else {
            return Ok(());
        };
        let at = self.callers.last().copied().unwrap_or(span);
        Err(Error::Unsupported { what, at: self.source.render(at) })
    }
}

impl<'a> Copier<'a> for Inliner<'a> {
    fn body(&mut self) -> &mut Body<'a> {
        &mut self.body
    }

    fn calls(&mut self) -> &mut Calls {
        &mut self.calls
    }

    fn function(&self, function: Handle<Function>) -> &'a Function {
        &self.functions[function]
    }

    fn enter(&mut self, blocks: usize, loops: usize, span: Span) -> Result<()> {
        self.nesting += blocks;
        self.loops += loops;
        self.account(0, span)
    }

    fn leave(&mut self, blocks: usize, loops: usize) {
        self.nesting -= blocks;
        self.loops -= loops;
    }

    /// Copies statements to the end of `out`.
    fn copy<'f>(
        &mut self,
        frame: &mut Frame<'f>,
        statements: &[Item<'f>],
        returns: Returns,
        out: &mut Block,
    ) -> Result<()> {
        for (i, &(statement, span)) in statements.iter().enumerate() {
            let rest = &statements[i + 1..];
            self.account(1, span)?;
            if let Some(count) = self.calls.worth_sharing(&statements[i..]) {
                return copy_sharing(self, frame, &statements[i..], count, returns, out);
            }
            match statement {
                Statement::Emit(range) => self.body.emit(frame, range, span, out)?,
                Statement::Return { value } => {
                    return lower_return(self, frame, *value, span, returns, out);
                }
                Statement::Break | Statement::Continue | Statement::Kill => {
                    out.push(statement.clone(), span);
                    return Ok(());
                }
                Statement::If { condition, accept, reject } => {
                    let condition = frame.get(*condition)?;
                    let (accept, reject) = (items(accept), items(reject));
                    let split = Split { condition, accept, reject, span };
                    if copy_if(self, frame, statement, split, rest, returns, out)? {
                        return Ok(());
                    }
                }
                Statement::Switch { .. } | Statement::Loop { .. } => {
                    if copy_breakable(self, frame, statement, span, rest, returns, out)? {
                        return Ok(());
                    }
                }
                Statement::Call { function, arguments, result } => {
                    let arguments =
                        arguments.iter().map(|&a| frame.get(a)).collect::<Result<Vec<_>>>()?;
                    let value = self.call(*function, arguments, span, out)?;
                    if let Some(result) = result {
                        frame.map[result.index()] = value;
                    }
                }
                other => {
                    let mut new = other.clone();
                    if let Some(result) = statement_result(&mut new) {
                        let old = *result;
                        let expression = frame.function.expressions[old].clone();
                        let at = frame.function.expressions.get_span(old);
                        *result = self.body.expressions.append(expression, at);
                        frame.map[old.index()] = Some(*result);
                    }
                    let mut failed = None;
                    statement_operands(&mut new, |operand| match frame.get(*operand) {
                        Ok(new) => *operand = new,
                        Err(error) => failed = Some(error),
                    });
                    if let Some(error) = failed {
                        return Err(error);
                    }
                    out.push(new, span);
                }
            }
        }
        Ok(())
    }

    /// Copies statements into a block of their own.
    fn nested<'f>(
        &mut self,
        frame: &mut Frame<'f>,
        statements: &[Item<'f>],
        span: Span,
        returns: Returns,
    ) -> Result<Block> {
        let mut out = Block::new();
        self.nesting += 1;
        self.account(0, span)?;
        self.copy(frame, statements, returns, &mut out)?;
        self.nesting -= 1;
        Ok(out)
    }

    /// Copies a callee's body to the end of `out`. Returns the value of the call, if it has one.
    fn call(
        &mut self,
        function: Handle<Function>,
        arguments: Vec<Handle<Expression>>,
        span: Span,
        out: &mut Block,
    ) -> Result<Option<Handle<Expression>>> {
        let callee = &self.functions[function];
        self.callers.push(span);
        let sharing = std::mem::replace(&mut self.calls.sharing, self.calls.shared.contains(&true));
        self.account(1 + callee.expressions.len() + callee.local_variables.len(), span)?;
        let mut frame = Frame {
            function: callee,
            info: &self.info[function],
            map: vec![None; callee.expressions.len()],
            locals: Vec::new(),
            arguments: Some(arguments),
            direct: only_returns_at_end(&callee.body),
            value: None,
            result: None,
            returned: None,
        };
        let mut starts = Block::new();
        for (old, local) in callee.local_variables.iter() {
            let at = callee.local_variables.get_span(old);
            let init = match (local.init, self.loops > 0) {
                (Some(init), false) => Some(self.body.constant(callee, init, &mut None)?),
                _ => None,
            };
            let new = LocalVariable { init, ..local.clone() };
            let new = self.body.locals.append(new, at);
            frame.locals.push(new);
            if self.loops > 0 {
                let pointer = self.body.shared(&Expression::LocalVariable(new), at)?;
                let value = match local.init {
                    Some(init) => self.body.constant(callee, init, &mut Some(&mut starts))?,
                    None => self.body.shared(&Expression::ZeroValue(local.ty), at)?,
                };
                starts.push(Statement::Store { pointer, value }, span);
            }
        }
        if !frame.direct
            && let Some(result) = &callee.result
        {
            let name = callee.name.as_ref().map(|name| format!("{name}_result"));
            frame.result = Some(self.body.local(name, result.ty, None, span)?);
        }
        self.body.available(&mut frame)?;
        let mut body = Block::new();
        self.copy(&mut frame, &items(&callee.body), Returns::Tail, &mut body)?;
        if self.loops > 0
            && let Some(pointer) = frame.returned
        {
            let value = self.body.literal(false, span)?;
            starts.push(Statement::Store { pointer, value }, span);
        }
        out.append(&mut starts);
        out.append(&mut body);
        self.body.keep_names(&frame);
        self.callers.pop();
        self.calls.sharing = sharing;
        match frame.result {
            Some(pointer) => Ok(Some(self.body.push(Expression::Load { pointer }, span, out))),
            None => Ok(frame.value),
        }
    }
}
