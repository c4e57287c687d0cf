//! Pass 4: the entry point's function is rebuilt with every call inlined.
//!
//! Calls of a callee that `call_sizes` marks as *shared* may use one copy of it ([`sharing`]).
//!
//! What holds of the result: no `Call`, no `CallResult`, no nested `Block` statement, nothing
//! after a statement that leaves its block; a callee's locals are locals of the entry point, one
//! set for each copy; pointer arguments are replaced by the caller's pointer, so
//! every pointer roots at a local or a global; scalar constants are literals. Blocks are nested
//! at most [`MAX_NESTING`] deep.
//!
//! **Returns.** The entry point's own returns stay. How a callee's are lowered says [`leaving`].
//!
//! **Locals.** A local starts anew at each call. Where the call cannot happen twice the local's
//! `init` does that; where the call is inside a loop, a store stands at the call.

mod leaving;
mod segments;
mod sharing;

use std::collections::HashMap;

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    Arena, Block, Expression, Function, Handle, Literal, LocalVariable, Range, Span, Statement,
    Type,
};

use super::call_sizes::{shared_callees, stored_arguments, waiting_functions};
use super::constant_operands::{Checked, refused_operand};
use crate::error::{Error, Result};
use crate::kernel::Source;
use crate::kernel::operands::{expression_operands, statement_operands, statement_result};
use crate::kernel::returns::only_returns_at_end;
use leaving::Returns;

/// Blocks inside blocks, in the normalised entry point. Whoever walks the body may recurse.
pub(crate) const MAX_NESTING: usize = 256;

/// Calls inside calls.
const MAX_CALL_DEPTH: usize = 1000;

/// Expressions, statements and calls that inlining may copy, so that functions that each call the
/// next one twice do not take all memory.
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
    let shared_callees = shared_callees(module, most);
    let stored_arguments = stored_arguments(module);
    let waiting = waiting_functions(module);
    let functions = std::mem::take(&mut module.functions);
    let entry = std::mem::take(&mut module.entry_points[0].function);
    let mut inliner = Inliner {
        source,
        module,
        info,
        functions: &functions,
        sharing: shared_callees.contains(&true),
        shared_callees,
        stored_arguments,
        waiting,
        expressions: Arena::new(),
        locals: Arena::new(),
        names: Vec::new(),
        shared: HashMap::new(),
        calls: Vec::new(),
        nesting: 0,
        loops: 0,
        copies: 0,
    };
    let body = inliner.entry(&entry)?;
    let Inliner { expressions, locals, names, .. } = inliner;
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

/// A statement with its span.
type Item<'f> = (&'f Statement, Span);

/// A block's statements, those of a `Block` in its place.
fn items(block: &Block) -> Vec<Item<'_>> {
    let mut all = Vec::with_capacity(block.len());
    for (statement, &span) in block.span_iter() {
        match statement {
            Statement::Block(inner) => all.extend(items(inner)),
            other => all.push((other, span)),
        }
    }
    all
}

/// Expressions that are available without being emitted, and can be shared by all inlined bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shared {
    Literal(u8, u64),
    Constant(Handle<naga::Constant>),
    Zero(Handle<Type>),
    Global(Handle<naga::GlobalVariable>),
    Local(Handle<LocalVariable>),
}

/// One function that is being copied: the entry point, or a callee at one call.
struct Frame<'f> {
    function: &'f Function,
    info: &'f FunctionInfo,
    /// The new handle of each of the function's expressions that was copied so far.
    map: Vec<Option<Handle<Expression>>>,
    /// The new handle of each of the function's locals.
    locals: Vec<Handle<LocalVariable>>,
    /// The values of the arguments; none for the entry point, whose arguments stay.
    arguments: Option<Vec<Handle<Expression>>>,
    /// Whether the only return is at the very end.
    direct: bool,
    /// The value of that return.
    value: Option<Handle<Expression>>,
    /// Pointer to the local that takes the returned value.
    result: Option<Handle<Expression>>,
    /// Pointer to the `returned` local, once something needs it.
    returned: Option<Handle<Expression>>,
}

impl Frame<'_> {
    fn get(&self, old: Handle<Expression>) -> Result<Handle<Expression>> {
        self.map[old.index()].ok_or_else(|| broken("an expression is used before it is evaluated"))
    }
}

fn broken(cause: &str) -> Error {
    Error::Internal { place: "kernel::normalise::inline".to_owned(), cause: cause.to_owned() }
}

struct Inliner<'a> {
    source: &'a Source,
    module: &'a mut naga::Module,
    info: &'a ModuleInfo,
    functions: &'a Arena<Function>,
    /// Whether calls of the current body may share a copy of their callee.
    sharing: bool,
    /// By function: whether its calls share a copy if possible.
    shared_callees: Vec<bool>,
    /// By function and argument: whether it is a pointer that the function may store through.
    stored_arguments: Vec<Vec<bool>>,
    /// By function: whether invocations wait for each other in it.
    waiting: Vec<bool>,
    expressions: Arena<Expression>,
    locals: Arena<LocalVariable>,
    names: Vec<(Handle<Expression>, String)>,
    shared: HashMap<Shared, Handle<Expression>>,
    /// The calls that the current statement is inside of, outermost first.
    calls: Vec<Span>,
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
                Some(init) => Some(self.constant(entry, init, &mut None)?),
                None => None,
            };
            let new = LocalVariable { init, ..local.clone() };
            frame.locals.push(self.locals.append(new, entry.local_variables.get_span(old)));
        }
        self.available(&mut frame)?;
        let mut body = Block::new();
        self.copy(&mut frame, &items(&entry.body), Returns::Keep, &mut body)?;
        self.keep_names(&frame);
        Ok(body)
    }

    /// Copies what needs no `Emit`: literals, constants, variables, arguments.
    fn available(&mut self, frame: &mut Frame<'_>) -> Result<()> {
        for (old, expression) in frame.function.expressions.iter() {
            let span = frame.function.expressions.get_span(old);
            let new = match *expression {
                Expression::FunctionArgument(i) => match &frame.arguments {
                    Some(values) => values.get(i as usize).copied(),
                    None => Some(self.expressions.append(expression.clone(), span)),
                },
                Expression::LocalVariable(local) => {
                    let local = frame.locals[local.index()];
                    Some(self.shared(&Expression::LocalVariable(local), span)?)
                }
                ref other if other.needs_pre_emit() => Some(self.shared(other, span)?),
                _ => continue,
            };
            frame.map[old.index()] = new;
        }
        Ok(())
    }

    /// An expression that needs no `Emit`, made once.
    fn shared(&mut self, expression: &Expression, span: Span) -> Result<Handle<Expression>> {
        let mut expression = expression.clone();
        if let Expression::Constant(constant) = expression
            && let init = self.module.constants[constant].init
            && let Expression::Literal(value) = self.module.global_expressions[init]
        {
            expression = Expression::Literal(value);
        }
        let key = match expression {
            Expression::Literal(value) => literal_key(value),
            Expression::Constant(constant) => Shared::Constant(constant),
            Expression::ZeroValue(ty) => Shared::Zero(ty),
            Expression::GlobalVariable(global) => Shared::Global(global),
            Expression::LocalVariable(local) => Shared::Local(local),
            _ => return Err(broken("an override is left")),
        };
        let expressions = &mut self.expressions;
        Ok(*self.shared.entry(key).or_insert_with(|| expressions.append(expression, span)))
    }

    /// Copies a constant expression, with an `Emit` into `out` where there is one. An initialiser
    /// of a local needs none.
    fn constant(
        &mut self,
        function: &Function,
        old: Handle<Expression>,
        out: &mut Option<&mut Block>,
    ) -> Result<Handle<Expression>> {
        let mut expression = function.expressions[old].clone();
        let span = function.expressions.get_span(old);
        if expression.needs_pre_emit() {
            return self.shared(&expression, span);
        }
        let mut failed = None;
        expression_operands(&mut expression, |operand| {
            match self.constant(function, *operand, out) {
                Ok(new) => *operand = new,
                Err(error) => failed = Some(error),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(match out {
            Some(out) => self.push(expression, span, out),
            None => self.expressions.append(expression, span),
        })
    }

    /// Appends one expression and its `Emit`.
    fn push(&mut self, expression: Expression, span: Span, out: &mut Block) -> Handle<Expression> {
        let new = self.expressions.append(expression, span);
        out.push(Statement::Emit(Range::new_from_bounds(new, new)), span);
        new
    }

    fn flush(&mut self, start: usize, span: Span, out: &mut Block) {
        if self.expressions.len() > start {
            out.push(Statement::Emit(self.expressions.range_from(start)), span);
        }
    }

    /// A new local; its pointer.
    fn local(
        &mut self,
        name: Option<String>,
        ty: Handle<Type>,
        init: Option<Handle<Expression>>,
        span: Span,
    ) -> Result<Handle<Expression>> {
        let local = self.locals.append(LocalVariable { name, ty, init }, span);
        self.shared(&Expression::LocalVariable(local), span)
    }

    fn literal(&mut self, value: bool, span: Span) -> Result<Handle<Expression>> {
        self.shared(&Expression::Literal(Literal::Bool(value)), span)
    }

    /// Copies the expressions of one `Emit`.
    fn emit(
        &mut self,
        frame: &mut Frame<'_>,
        range: &Range<Expression>,
        span: Span,
        out: &mut Block,
    ) -> Result<()> {
        let mut start = self.expressions.len();
        for old in range.clone() {
            let at = frame.function.expressions.get_span(old);
            let mut expression = frame.function.expressions[old].clone();
            let base = match expression {
                Expression::Binary { left, .. } => Some(left),
                Expression::Access { base, .. } => Some(base),
                _ => None,
            };
            let mut failed = None;
            expression_operands(&mut expression, |operand| match frame.get(*operand) {
                Ok(new) => *operand = new,
                Err(error) => failed = Some(error),
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if let Some(base) = base {
                let base = frame.info[base].ty.inner_with(&self.module.types);
                let checked = Checked { module: self.module, expressions: &self.expressions };
                if let Some((operand, ty)) = refused_operand(&checked, base, &expression) {
                    // An argument that became known by inlining: naga would now refuse at
                    // compile time what WGSL defines at run time.
                    self.flush(start, span, out);
                    let ty = self.module.types.insert(Type { name: None, inner: ty }, at);
                    let pointer = self.local(None, ty, None, at)?;
                    out.push(Statement::Store { pointer, value: operand }, at);
                    start = self.expressions.len();
                    let hidden = self.expressions.append(Expression::Load { pointer }, at);
                    match &mut expression {
                        Expression::Binary { right: known, .. }
                        | Expression::Access { index: known, .. } => *known = hidden,
                        _ => {}
                    }
                }
            }
            frame.map[old.index()] = Some(self.expressions.append(expression, at));
        }
        self.flush(start, span, out);
        Ok(())
    }

    /// Counts against the limits, `calls` telling where to point.
    fn account(&mut self, copies: usize, span: Span) -> Result<()> {
        if !self.calls.is_empty() {
            self.copies += copies;
        }
        let what = if self.copies > MAX_COPIES {
            format!("calls that grow the kernel beyond {MAX_COPIES} inlined operations")
        } else if self.nesting > MAX_NESTING {
            format!(
                "blocks (with calls inlined, each early return counts) nested more than \
                 {MAX_NESTING} deep"
            )
        } else if self.calls.len() > MAX_CALL_DEPTH {
            format!("calls nested more than {MAX_CALL_DEPTH} deep")
        } else {
            return Ok(());
        };
        let at = self.calls.last().copied().unwrap_or(span);
        Err(Error::Unsupported { what, at: self.source.render(at) })
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
            if let Some(count) = self.worth_sharing(&statements[i..]) {
                return self.copy_sharing(frame, &statements[i..], count, returns, out);
            }
            match statement {
                Statement::Emit(range) => self.emit(frame, range, span, out)?,
                Statement::Return { value } => {
                    return self.lower_return(frame, *value, span, returns, out);
                }
                Statement::Break | Statement::Continue | Statement::Kill => {
                    out.push(statement.clone(), span);
                    return Ok(());
                }
                Statement::If { condition, accept, reject } => {
                    let condition = frame.get(*condition)?;
                    let (accept, reject) = (items(accept), items(reject));
                    let split = Split { condition, accept, reject, span };
                    if self.copy_if(frame, statement, split, rest, returns, out)? {
                        return Ok(());
                    }
                }
                Statement::Switch { .. } | Statement::Loop { .. } => {
                    if self.copy_breakable(frame, statement, span, rest, returns, out)? {
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
                        *result = self.expressions.append(expression, at);
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

    /// Copies a callee's body to the end of `out`; the value of the call, if it has one.
    fn call(
        &mut self,
        function: Handle<Function>,
        arguments: Vec<Handle<Expression>>,
        span: Span,
        out: &mut Block,
    ) -> Result<Option<Handle<Expression>>> {
        let callee = &self.functions[function];
        self.calls.push(span);
        let sharing = std::mem::replace(&mut self.sharing, self.shared_callees.contains(&true));
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
                (Some(init), false) => Some(self.constant(callee, init, &mut None)?),
                _ => None,
            };
            let new = LocalVariable { init, ..local.clone() };
            let new = self.locals.append(new, at);
            frame.locals.push(new);
            if self.loops > 0 {
                let pointer = self.shared(&Expression::LocalVariable(new), at)?;
                let value = match local.init {
                    Some(init) => self.constant(callee, init, &mut Some(&mut starts))?,
                    None => self.shared(&Expression::ZeroValue(local.ty), at)?,
                };
                starts.push(Statement::Store { pointer, value }, span);
            }
        }
        if !frame.direct
            && let Some(result) = &callee.result
        {
            let name = callee.name.as_ref().map(|name| format!("{name}_result"));
            frame.result = Some(self.local(name, result.ty, None, span)?);
        }
        self.available(&mut frame)?;
        let mut body = Block::new();
        self.copy(&mut frame, &items(&callee.body), Returns::Tail, &mut body)?;
        if self.loops > 0
            && let Some(pointer) = frame.returned
        {
            let value = self.literal(false, span)?;
            starts.push(Statement::Store { pointer, value }, span);
        }
        out.append(&mut starts);
        out.append(&mut body);
        self.keep_names(&frame);
        self.calls.pop();
        self.sharing = sharing;
        match frame.result {
            Some(pointer) => Ok(Some(self.push(Expression::Load { pointer }, span, out))),
            None => Ok(frame.value),
        }
    }

    /// Names of `let` declarations, for who prints the module.
    fn keep_names(&mut self, frame: &Frame<'_>) {
        for (old, name) in &frame.function.named_expressions {
            if let Some(new) = frame.map[old.index()]
                && !self.expressions[new].needs_pre_emit()
            {
                self.names.push((new, name.clone()));
            }
        }
    }
}

/// The parts of an `If`.
struct Split<'f> {
    condition: Handle<Expression>,
    accept: Vec<Item<'f>>,
    reject: Vec<Item<'f>>,
    span: Span,
}

fn literal_key(value: Literal) -> Shared {
    let (kind, bits) = match value {
        Literal::F64(v) => (0, v.to_bits()),
        Literal::F32(v) => (1, u64::from(v.to_bits())),
        Literal::F16(v) => (2, u64::from(v.to_bits())),
        Literal::U16(v) => (3, u64::from(v)),
        Literal::I16(v) => (4, v as u64),
        Literal::U32(v) => (5, u64::from(v)),
        Literal::I32(v) => (6, v as u64),
        Literal::U64(v) => (7, v),
        Literal::I64(v) => (8, v as u64),
        Literal::Bool(v) => (9, u64::from(v)),
        Literal::AbstractInt(v) => (10, v as u64),
        Literal::AbstractFloat(v) => (11, v.to_bits()),
    };
    Shared::Literal(kind, bits)
}
