//! The size of the entry point with its calls inlined, and the callees that are *shared* for that
//! reason: `inline::sharing` keeps one copy of them for all calls of a body.
//!
//! If each function calls the next one twice, the inlined code doubles with each level. Small
//! kernels gain from a copy for each call, since each copy is compiled for its arguments. So
//! nothing is shared up to [`MOST_INLINED`]. Above it the largest callees are shared first, and
//! only as many as needed.

use naga::{Block, Expression, Function, Handle, Module, Statement};

use crate::kernel::operands::inner_blocks;

/// Up to this many expressions and statements of an entry point with all calls inlined, no callee
/// is shared. The largest kernel of `kernels/` has 645. A nest of calls that is shared down to this
/// size compiles in a fifth of a second, and runs no slower than with a limit of 4,000.
pub(in crate::kernel) const MOST_INLINED: u64 = 1000;

/// Smaller callees are never shared: the code around a shared copy would be as large.
const LEAST_SHARED: u64 = 32;

/// Statements around a shared copy, for each call that it serves.
const PER_CALL: u64 = 8;

/// For each function of the module: whether its calls in one body share one copy, so that the entry
/// point has at most `most` expressions and statements, if that is possible. With 0, all functions
/// are shared that can be.
pub(super) fn shared_callees(module: &Module, most: u64) -> Vec<bool> {
    let calls: Vec<Calls> = module.functions.iter().map(|(_, f)| Calls::of(f)).collect();
    let entry = Calls::of(&module.entry_points[0].function);
    // A shared copy stands behind a loop counter, which the validator does not take for uniform, as
    // barriers need it.
    let may_share: Vec<bool> = waiting_functions(module).iter().map(|waits| !waits).collect();
    let mut best = (u64::MAX, vec![false; calls.len()]);
    if most == 0 {
        return may_share;
    }
    let mut least = u64::MAX;
    while least >= LEAST_SHARED {
        let (total, shared) = sizes(&calls, &entry, &may_share, least);
        if total < best.0 {
            best = (total, shared);
        }
        if total <= most {
            break;
        }
        least = if least == u64::MAX { 1 << 16 } else { least / 2 };
    }
    best.1
}

/// The size of the entry point if all shareable callees of at least `least` expressions and
/// statements are shared, and those callees.
fn sizes(calls: &[Calls], entry: &Calls, may_share: &[bool], least: u64) -> (u64, Vec<bool>) {
    let mut shared = vec![false; calls.len()];
    let mut inlined: Vec<u64> = Vec::with_capacity(calls.len());
    // A function stands after the functions that it calls.
    for (i, function) in calls.iter().enumerate() {
        let size = function.size(&inlined, &shared);
        shared[i] = may_share[i] && size >= least;
        inlined.push(size);
    }
    (entry.size(&inlined, &shared), shared)
}

/// The size and the calls of a function.
struct Calls {
    /// Its own expressions and statements.
    own: u64,
    /// The callees in the order of the text, for its body and for the body of each loop.
    bodies: Vec<Vec<usize>>,
}

impl Calls {
    fn of(function: &Function) -> Calls {
        let own = function.expressions.len() as u64;
        let mut calls = Calls { own, bodies: Vec::new() };
        calls.body(&function.body);
        calls
    }

    fn body(&mut self, block: &Block) {
        let at = self.bodies.len();
        self.bodies.push(Vec::new());
        self.block(block, at);
    }

    fn block(&mut self, block: &Block, at: usize) {
        for statement in block {
            self.own += 1;
            match statement {
                Statement::Call { function, .. } => self.bodies[at].push(function.index()),
                Statement::Block(inner) => self.block(inner, at),
                Statement::If { accept, reject, .. } => {
                    self.block(accept, at);
                    self.block(reject, at);
                }
                Statement::Switch { cases, .. } => {
                    cases.iter().for_each(|case| self.block(&case.body, at));
                }
                Statement::Loop { body, continuing, .. } => {
                    self.body(body);
                    self.body(continuing);
                }
                _ => {}
            }
        }
    }

    /// The function's size with its calls inlined, if the `shared` callees are shared.
    fn size(&self, inlined: &[u64], shared: &[bool]) -> u64 {
        let mut size = self.own;
        for body in &self.bodies {
            for (i, &callee) in body.iter().enumerate() {
                let again = shared[callee] && body[..i].contains(&callee);
                size = size.saturating_add(if again { PER_CALL } else { inlined[callee] });
            }
        }
        size
    }
}

/// For each function: whether its invocations wait for each other.
pub(super) fn waiting_functions(module: &Module) -> Vec<bool> {
    let mut waiting: Vec<bool> = Vec::with_capacity(module.functions.len());
    for (_, function) in module.functions.iter() {
        let own = function.body.iter().any(|statement| waits(statement, &waiting));
        waiting.push(own);
    }
    waiting
}

/// Whether invocations wait for each other in a statement; `waiting` says so of functions.
pub(super) fn waits(statement: &Statement, waiting: &[bool]) -> bool {
    match statement {
        Statement::ControlBarrier(_)
        | Statement::MemoryBarrier(_)
        | Statement::WorkGroupUniformLoad { .. }
        | Statement::SubgroupBallot { .. }
        | Statement::SubgroupGather { .. }
        | Statement::SubgroupCollectiveOperation { .. } => true,
        Statement::Call { function, .. } => waiting[function.index()],
        other => inner_blocks(other).into_iter().flatten().any(|s| waits(s, waiting)),
    }
}

/// For each function and each of its arguments: whether it is a pointer that the function may
/// store through.
pub(super) fn stored_arguments(module: &Module) -> Vec<Vec<bool>> {
    let mut stored: Vec<Vec<bool>> = Vec::with_capacity(module.functions.len());
    for (_, function) in module.functions.iter() {
        let mut own = vec![false; function.arguments.len()];
        stores(function, &function.body, &stored, &mut own);
        stored.push(own);
    }
    stored
}

fn stores(function: &Function, block: &Block, callees: &[Vec<bool>], own: &mut [bool]) {
    for statement in block {
        match statement {
            Statement::Store { pointer, .. } => mark(function, *pointer, own),
            Statement::Call { function: callee, arguments, .. } => {
                for (&argument, &stored) in arguments.iter().zip(&callees[callee.index()]) {
                    if stored {
                        mark(function, argument, own);
                    }
                }
            }
            Statement::Block(inner) => stores(function, inner, callees, own),
            Statement::If { accept, reject, .. } => {
                stores(function, accept, callees, own);
                stores(function, reject, callees, own);
            }
            Statement::Switch { cases, .. } => {
                cases.iter().for_each(|case| stores(function, &case.body, callees, own));
            }
            Statement::Loop { body, continuing, .. } => {
                stores(function, body, callees, own);
                stores(function, continuing, callees, own);
            }
            _ => {}
        }
    }
}

/// Marks the argument that a pointer points into, if it is one.
fn mark(function: &Function, pointer: Handle<Expression>, own: &mut [bool]) {
    let mut base = pointer;
    while let Expression::Access { base: b, .. } | Expression::AccessIndex { base: b, .. } =
        function.expressions[base]
    {
        base = b;
    }
    if let Expression::FunctionArgument(i) = function.expressions[base] {
        own[i as usize] = true;
    }
}
