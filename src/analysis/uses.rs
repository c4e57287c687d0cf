//! What a kernel's text does with each storage binding: only reads it, only stores to it, only
//! reduces into it, or more than that.
//!
//! Syntactic, whatever the arguments: a load in unreachable code counts. On this rests how the
//! results of chunks that can't be shown to lie apart may be put together.

use naga::{AtomicFunction, Block, Expression, Handle, Span, Statement, TypeInner};

use super::facts::global_root;
use crate::kernel::{Kernel, Space};

/// How an atomic reduction puts two values together. All are associative and commutative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// Of additions and subtractions, which wrap.
    Sum,
    Minimum,
    Maximum,
    And,
    Or,
    Xor,
}

/// What a kernel does with a binding.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Use {
    /// It is not written.
    Read,
    /// It is stored to, and nothing in it is ever looked at.
    Write,
    /// It is stored to and read.
    ReadWrite,
    /// It is loaded and stored to atomically: invocations may tell each other something, also of
    /// different workgroups, without a data race. Where it is loaded.
    Signal(Span),
    /// It is updated by one atomic operator whose results are not used, and touched in no other
    /// way.
    Reduce(Reduction),
    /// It is updated atomically, and that is no reduction: why, and where one sees it.
    Atomic { why: &'static str, at: Span },
}

/// What was met of one binding.
#[derive(Default)]
struct Met {
    loads: Option<Span>,
    atomic_load: Option<Span>,
    stores: Option<Span>,
    reduction: Option<Reduction>,
    atomic: Option<Span>,
    obstacle: Option<(&'static str, Span)>,
}

/// The use of each binding of the signature.
pub(super) fn uses(kernel: &Kernel) -> Vec<Use> {
    let function = &kernel.entry_point().function;
    let bindings = &kernel.signature().bindings;
    let binding_of = |pointer: Handle<Expression>| {
        let global = global_root(function, pointer)?;
        bindings.iter().position(|b| b.global == global)
    };
    let mut met: Vec<Met> = bindings.iter().map(|_| Met::default()).collect();
    for (handle, expression) in function.expressions.iter() {
        if let Expression::Load { pointer } = *expression
            && let Some(id) = binding_of(pointer)
        {
            let span = function.expressions.get_span(handle);
            met[id].loads.get_or_insert(span);
            if is_atomic(kernel, pointer) {
                met[id].atomic_load.get_or_insert(span);
            }
        }
    }
    let mut pending: Vec<&Block> = vec![&function.body];
    while let Some(block) = pending.pop() {
        for (statement, &span) in block.span_iter() {
            match statement {
                Statement::Store { pointer, .. } => {
                    if let Some(id) = binding_of(*pointer) {
                        met[id].stores.get_or_insert(span);
                    }
                }
                Statement::Atomic { pointer, fun, result, .. } => {
                    if let Some(id) = binding_of(*pointer) {
                        let used = result.is_some_and(|result| is_used(kernel, result));
                        met[id].atomic(fun, used, span);
                    }
                }
                Statement::Block(inner) => pending.push(inner),
                Statement::If { accept, reject, .. } => pending.extend([accept, reject]),
                Statement::Switch { cases, .. } => pending.extend(cases.iter().map(|c| &c.body)),
                Statement::Loop { body, continuing, .. } => pending.extend([body, continuing]),
                _ => {}
            }
        }
    }
    bindings
        .iter()
        .zip(met)
        .map(|(binding, met)| match binding.space {
            Space::StorageWrite => met.judged(),
            _ => Use::Read,
        })
        .collect()
}

/// Whether some expression or statement takes the result of an atomic.
pub(super) fn is_used(kernel: &Kernel, result: Handle<Expression>) -> bool {
    kernel.info().get_entry_point(0)[result].ref_count > 0
}

pub(super) fn is_atomic(kernel: &Kernel, pointer: Handle<Expression>) -> bool {
    let types = &kernel.module().types;
    let info = kernel.info().get_entry_point(0);
    match info[pointer].ty.inner_with(types) {
        TypeInner::Pointer { base, .. } => matches!(types[*base].inner, TypeInner::Atomic(_)),
        _ => false,
    }
}

impl Met {
    fn atomic(&mut self, fun: &AtomicFunction, used: bool, span: Span) {
        self.atomic.get_or_insert(span);
        let reduction = match fun {
            AtomicFunction::Add | AtomicFunction::Subtract => Reduction::Sum,
            AtomicFunction::Min => Reduction::Minimum,
            AtomicFunction::Max => Reduction::Maximum,
            AtomicFunction::And => Reduction::And,
            AtomicFunction::InclusiveOr => Reduction::Or,
            AtomicFunction::ExclusiveOr => Reduction::Xor,
            AtomicFunction::Exchange { .. } => {
                let why = "an exchange depends on what was there";
                self.obstacle.get_or_insert((why, span));
                return;
            }
        };
        if used {
            let why = "it uses what was there before, which depends on the others' updates";
            self.obstacle.get_or_insert((why, span));
        }
        if *self.reduction.get_or_insert(reduction) != reduction {
            self.obstacle.get_or_insert(("it mixes operators", span));
        }
    }

    fn judged(self) -> Use {
        let Some(_) = self.atomic else {
            return match (self.loads, self.stores, self.atomic_load) {
                (None, ..) => Use::Write,
                (_, Some(_), Some(at)) => Use::Signal(at),
                _ => Use::ReadWrite,
            };
        };
        let also = |span: Option<Span>, why| span.map(|span| (why, span));
        let obstacle = self
            .obstacle
            .or(also(self.loads, "it reads it, too"))
            .or(also(self.stores, "it stores to it, too"));
        match (obstacle, self.reduction) {
            (None, Some(reduction)) => Use::Reduce(reduction),
            (Some((why, at)), _) => Use::Atomic { why, at },
            (None, None) => Use::ReadWrite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The use of a variable by a body.
    fn of(name: &str, body: &str) -> Use {
        let text = format!(
            "struct Both {{ n: atomic<u32>, m: array<atomic<i32>> }}
             @group(0) @binding(0) var<storage, read_write> a: array<atomic<u32>>;
             @group(0) @binding(1) var<storage, read_write> b: Both;
             @group(0) @binding(2) var<storage, read_write> c: array<u32>;
             @compute @workgroup_size(1) fn main() {{ {body} }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"));
        let (id, _) = kernel.binding(name).expect("it is used");
        uses(&kernel).swap_remove(id)
    }

    #[test]
    fn reductions_are_one_operator_whose_result_nobody_uses() {
        for (call, want) in [
            ("Add", Reduction::Sum),
            ("Sub", Reduction::Sum),
            ("Min", Reduction::Minimum),
            ("Max", Reduction::Maximum),
            ("And", Reduction::And),
            ("Or", Reduction::Or),
            ("Xor", Reduction::Xor),
        ] {
            let got = of("a", &format!("atomic{call}(&a[3], 5u); atomic{call}(&a[4], 1u);"));
            assert_eq!(got, Use::Reduce(want), "{call}");
        }
        let body = "atomicMax(&b.n, 3u); for (var i = 0; i < 3; i++) { atomicMax(&b.m[i], i); }";
        assert_eq!(of("b", body), Use::Reduce(Reduction::Maximum));
    }

    #[test]
    fn what_is_no_reduction_says_why() {
        for (body, why) in [
            ("c[0] = atomicAdd(&a[0], 1u);", "what was there before"),
            ("let t = atomicAdd(&a[0], 1u); if t > 3u { c[0] = 1u; }", "what was there before"),
            ("atomicAdd(&a[0], 1u); atomicMax(&a[1], 1u);", "mixes"),
            ("atomicAdd(&a[0], 1u); c[0] = atomicLoad(&a[0]);", "reads"),
            ("atomicAdd(&a[0], 1u); atomicStore(&a[1], 3u);", "stores"),
            ("atomicExchange(&a[0], 1u);", "exchange"),
            ("atomicCompareExchangeWeak(&a[0], 1u, 2u);", "exchange"),
        ] {
            match of("a", body) {
                Use::Atomic { why: got, .. } => assert!(got.contains(why), "{body}: {got}"),
                other => panic!("{body}: {other:?}"),
            }
        }
    }

    #[test]
    fn plain_uses_are_told_apart() {
        assert_eq!(of("c", "c[0] = arrayLength(&c);"), Use::Write);
        assert_eq!(of("c", "c[0] += 1u;"), Use::ReadWrite);
        assert_eq!(of("a", "atomicStore(&a[0], 1u);"), Use::Write);
        assert!(matches!(of("a", "atomicStore(&a[0], atomicLoad(&a[1]));"), Use::Signal(_)));
        assert_eq!(of("a", "c[0] = atomicLoad(&a[1]);"), Use::Read);
        assert_eq!(of("c", "c[1] = c[0];"), Use::ReadWrite);
    }
}
