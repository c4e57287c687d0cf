//! The use of each member of each storage binding, as the text shows it: only read, only stored to, only
//! reduced into, or a mixture.
//!
//! The result is syntactic and holds for all arguments: a load in unreachable code counts. It decides how
//! results of chunks are merged if they can't be shown to be disjoint.

use naga::{AtomicFunction, Block, Expression, Handle, ScalarKind, Span, Statement, TypeInner};

use super::members::{self, Members};
use super::pointers::global_root;
use crate::kernel::{Binding, Kernel, Space};

/// The operator of an atomic reduction. All are associative and commutative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reduction {
    /// Additions and subtractions, which wrap.
    Sum,
    Minimum,
    Maximum,
    And,
    Or,
    Xor,
}

/// How a kernel uses a member of a binding.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Use {
    /// It is not written.
    Read,
    /// It is stored to and never read.
    Write,
    /// It is stored to and read.
    ReadWrite,
    /// It is loaded and stored to atomically: invocations may signal each other, even across workgroups,
    /// without a data race. The span is a load.
    Signal(Span),
    /// It is updated by one atomic operator whose results are not used, and has no other accesses.
    Reduce(Reduction),
    /// It is updated atomically, but not as a reduction: the reason, and the place that shows it.
    Atomic { why: &'static str, at: Span },
}

impl Use {
    /// The reason why updates are no reduction, and the place that shows it.
    pub(crate) fn refused(&self) -> Option<(&'static str, Span)> {
        match self {
            Use::Atomic { why, at } => Some((*why, *at)),
            _ => None,
        }
    }
}

/// The uses of a binding's members, in groups of members with the same use. A single use stands for all
/// members.
pub(crate) type Uses = Vec<(Members, Use)>;

/// The accesses to one member.
#[derive(Default, Clone)]
struct Met {
    loads: Option<Span>,
    atomic_load: Option<Span>,
    stores: Option<Span>,
    reduction: Option<Reduction>,
    atomic: Option<Span>,
    obstacle: Option<(&'static str, Span)>,
}

/// The uses of each binding of the signature.
pub(crate) fn uses(kernel: &Kernel) -> Vec<Uses> {
    let function = &kernel.entry_point().function;
    let bindings = &kernel.signature().bindings;
    let place = |pointer: Handle<Expression>| {
        let global = global_root(function, pointer)?;
        let id = bindings.iter().position(|b| b.global == global)?;
        let writable = bindings[id].space == Space::StorageWrite;
        writable.then(|| (id, members::pointed_to(kernel, function, &bindings[id], pointer)))
    };
    let mut met: Vec<Vec<Met>> =
        bindings.iter().map(|b| vec![Met::default(); members::count(kernel, b)]).collect();
    for (handle, expression) in function.expressions.iter() {
        if let Expression::Load { pointer } = *expression
            && let Some((id, members)) = place(pointer)
        {
            let span = function.expressions.get_span(handle);
            for met in those(&mut met[id], members) {
                met.loads.get_or_insert(span);
                if atomic(kernel, pointer).is_some() {
                    met.atomic_load.get_or_insert(span);
                }
            }
        }
    }
    let mut pending: Vec<&Block> = vec![&function.body];
    while let Some(block) = pending.pop() {
        for (statement, &span) in block.span_iter() {
            match statement {
                Statement::Store { pointer, .. } => {
                    if let Some((id, members)) = place(*pointer) {
                        for met in those(&mut met[id], members) {
                            met.stores.get_or_insert(span);
                        }
                    }
                }
                Statement::Atomic { pointer, fun, result, .. } => {
                    if let Some((id, members)) = place(*pointer) {
                        let used = result.is_some_and(|result| is_used(kernel, result));
                        let extreme = matches!(fun, AtomicFunction::Min | AtomicFunction::Max);
                        let signed = atomic(kernel, *pointer) == Some(ScalarKind::Sint);
                        for met in those(&mut met[id], members) {
                            met.atomic(fun, used, span);
                            if extreme && signed && !bindings[id].scalars_are_listed() {
                                met.obstacle.get_or_insert((UNLISTED, span));
                            }
                        }
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
    bindings.iter().zip(met).map(|(binding, met)| together(binding, met)).collect()
}

const UNLISTED: &str =
    "its elements have more than 65,536 scalars, too many to tell which ones are signed";

/// The accesses to some members.
fn those(met: &mut [Met], members: Members) -> impl Iterator<Item = &mut Met> {
    let of = move |number: usize| Members::of_number(number).meet(members);
    met.iter_mut().enumerate().filter(move |(number, _)| of(*number)).map(|(_, met)| met)
}

/// The uses of a binding's members. Unused members are in no group, or in the only one.
fn together(binding: &Binding, met: Vec<Met>) -> Uses {
    let mut uses: Uses = Vec::new();
    for (number, met) in met.into_iter().enumerate() {
        let Some(used) = met.judged() else { continue };
        let member = Members::of_number(number);
        match uses.iter_mut().find(|(_, other)| *other == used) {
            Some((members, _)) => *members = members.with(member),
            None => uses.push((member, used)),
        }
    }
    match uses.as_mut_slice() {
        [] if binding.space == Space::StorageWrite => vec![(Members::ALL, Use::Write)],
        [] => vec![(Members::ALL, Use::Read)],
        [(members, _)] => {
            *members = Members::ALL;
            uses
        }
        _ => uses,
    }
}

/// Whether the result of an atomic is used.
pub(crate) fn is_used(kernel: &Kernel, result: Handle<Expression>) -> bool {
    kernel.info().get_entry_point(0)[result].ref_count > 0
}

pub(crate) fn is_atomic(kernel: &Kernel, pointer: Handle<Expression>) -> bool {
    atomic(kernel, pointer).is_some()
}

/// The scalar kind of the atomic that an expression points to, if it points to one.
fn atomic(kernel: &Kernel, pointer: Handle<Expression>) -> Option<ScalarKind> {
    let types = &kernel.module().types;
    let info = kernel.info().get_entry_point(0);
    match info[pointer].ty.inner_with(types) {
        TypeInner::Pointer { base, .. } => match types[*base].inner {
            TypeInner::Atomic(scalar) => Some(scalar.kind),
            _ => None,
        },
        _ => None,
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
                let why = "an exchange depends on the old value";
                self.obstacle.get_or_insert((why, span));
                return;
            }
        };
        if used {
            let why = "it uses the old value, which depends on the updates of other invocations";
            self.obstacle.get_or_insert((why, span));
        }
        if *self.reduction.get_or_insert(reduction) != reduction {
            self.obstacle.get_or_insert(("it mixes operators", span));
        }
    }

    /// The use of the member; `None` if it is not used.
    fn judged(self) -> Option<Use> {
        let Some(_) = self.atomic else {
            return match (self.loads, self.stores, self.atomic_load) {
                (None, None, _) => None,
                (None, ..) => Some(Use::Write),
                (_, None, _) => Some(Use::Read),
                (_, Some(_), Some(at)) => Some(Use::Signal(at)),
                _ => Some(Use::ReadWrite),
            };
        };
        let also = |span: Option<Span>, why| span.map(|span| (why, span));
        let obstacle = self
            .obstacle
            .or(also(self.loads, "it also reads it"))
            .or(also(self.stores, "it also stores to it"));
        Some(match (obstacle, self.reduction) {
            (None, Some(reduction)) => Use::Reduce(reduction),
            (Some((why, at)), _) => Use::Atomic { why, at },
            (None, None) => Use::ReadWrite,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The single use of a variable by a body.
    fn of(name: &str, body: &str) -> Use {
        match <[_; 1]>::try_from(by_member(name, body)) {
            Ok([(_, used)]) => used,
            Err(several) => panic!("{body}: {several:?}"),
        }
    }

    /// The uses of a variable by a body, with the members' names.
    fn by_member(name: &str, body: &str) -> Vec<(String, Use)> {
        let text = format!(
            "struct Both {{ n: atomic<u32>, m: array<atomic<i32>> }}
             struct Cell {{ sum: atomic<i32>, most: atomic<u32>, mass: i32, at: vec3<u32> }}
             struct Many {{ m: array<atomic<i32>, 70000> }}
             @group(0) @binding(0) var<storage, read_write> a: array<atomic<u32>>;
             @group(0) @binding(1) var<storage, read_write> b: Both;
             @group(0) @binding(2) var<storage, read_write> c: array<u32>;
             @group(0) @binding(3) var<storage, read_write> d: array<Cell>;
             @group(0) @binding(4) var<storage, read_write> e: Many;
             @compute @workgroup_size(1) fn main() {{ {body} }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"));
        let (id, binding) = kernel.binding(name).expect("it is used");
        let names = |members| members::names(&kernel, binding, members);
        let found = uses(&kernel).swap_remove(id);
        found.into_iter().map(|(members, used)| (names(members).join(" "), used)).collect()
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
    fn members_are_told_apart_by_how_they_are_used() {
        let all = |body: &str| by_member("d", body);
        let sum = || ("sum".to_owned(), Use::Reduce(Reduction::Sum));
        let named = |name: &str, used| (name.to_owned(), used);
        assert_eq!(all("atomicAdd(&d[1].sum, d[2].mass);"), [sum(), named("mass", Use::Read)],);
        assert_eq!(
            all("atomicAdd(&d[1].sum, 1); atomicMax(&d[2].most, d[3].at.y); d[4].mass = 3;"),
            [
                sum(),
                named("most", Use::Reduce(Reduction::Maximum)),
                named("mass", Use::Write),
                named("at.y", Use::Read),
            ],
        );
        assert_eq!(
            all("d[1].at.x = d[1].at.y; d[2].at.z += 1u; d[c[3]].at[c[2]] = 1u;"),
            [named("at.x", Use::Write), named("at.y at.z", Use::ReadWrite)],
        );
        let mixed = by_member("b", "atomicAdd(&b.n, 3u); atomicMax(&b.m[1], 4);");
        let reduced = |name, how| named(name, Use::Reduce(how));
        assert_eq!(mixed, [reduced("n", Reduction::Sum), reduced("m", Reduction::Maximum)]);
        // A member that is used in two ways is refused, whatever the uses of the others are.
        let refused =
            all("atomicAdd(&d[1].sum, 1); c[0] = u32(atomicLoad(&d[1].sum)); d[1].mass = 2;");
        assert!(matches!(refused[0].1, Use::Atomic { why: "it also reads it", .. }), "{refused:?}");
        let many = of("e", "atomicMin(&e.m[c[0]], -3);");
        assert!(matches!(many, Use::Atomic { why: UNLISTED, .. }), "{many:?}");
        assert_eq!(of("e", "atomicAdd(&e.m[c[0]], -3);"), Use::Reduce(Reduction::Sum));
    }

    #[test]
    fn what_is_no_reduction_says_why() {
        for (body, why) in [
            ("c[0] = atomicAdd(&a[0], 1u);", "uses the old value"),
            ("let t = atomicAdd(&a[0], 1u); if t > 3u { c[0] = 1u; }", "uses the old value"),
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
