//! The recorder: collects a walk's accesses to storage and makes footprints of them.
//!
//! The element index of an access is the first index into the binding's outermost array; all other steps stay
//! inside the element. Indices out of bounds touch no element.

use naga::{ArraySize, Handle, Span, Type, TypeInner};

use super::access::{Access, Kind, Store, Target};
use super::footprint::{Footprint, Outside};
use super::must_write::{reach, surely_written};
use crate::analysis::arguments::{Argument, Arguments};
use crate::analysis::domain::{IntType, Interval, Linear, Part, State, Symbol, Symbols};
use crate::analysis::text::members::{self, Members};
use crate::kernel::Kernel;
use crate::region::Region;

/// The accesses recorded so far.
pub(crate) struct Recorder<'a> {
    kernel: &'a Kernel,
    /// By binding: the members that are both stored to and read, if members are used differently.
    exchanged: &'a [Members],
    footprints: Vec<Footprint>,
    /// By binding: the number of elements; `None` if accesses are not recorded.
    elements: Vec<Option<u64>>,
    stores: Vec<Store>,
    /// Accesses that are partly out of bounds, each with its kind. As `Store`s they hold the binding, the index
    /// and the conditions.
    outside: Vec<(Kind, Store)>,
    /// All accesses, if a trace was requested.
    pub(crate) trace: Option<Vec<Access>>,
}

/// An element, or several that an index may mean: the steps inside it, its type, and the range of the index.
pub(crate) type Element<'p> = (&'p [Part], Handle<Type>, Interval);

/// A state of the recorder to go back to.
pub(crate) struct Mark {
    footprints: Vec<Footprint>,
    stores: usize,
    outside: usize,
    trace: usize,
}

impl<'a> Recorder<'a> {
    /// Without arguments, accesses are not recorded.
    pub(crate) fn new(
        kernel: &'a Kernel,
        exchanged: &'a [Members],
        arguments: Option<&Arguments<'_>>,
    ) -> Recorder<'a> {
        let bindings = kernel.signature().bindings.len();
        let elements = (0..bindings)
            .map(|id| match arguments?.bindings.get(id)? {
                Argument::Storage { elements, .. } => Some(*elements),
                Argument::Value(_) => None,
            })
            .collect();
        Recorder {
            kernel,
            exchanged,
            footprints: vec![Footprint::default(); bindings],
            elements,
            stores: Vec::new(),
            outside: Vec::new(),
            trace: None,
        }
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark {
            footprints: self.footprints.clone(),
            stores: self.stores.len(),
            outside: self.outside.len(),
            trace: self.trace.as_ref().map_or(0, Vec::len),
        }
    }

    /// Forgets the accesses since `mark`.
    pub(crate) fn back_to(&mut self, mark: &Mark) {
        // The contents were consulted, even if a later walk does not need them.
        for (footprint, before) in self.footprints.iter_mut().zip(&mark.footprints) {
            let consulted = footprint.consulted;
            footprint.clone_from(before);
            footprint.consulted |= consulted;
        }
        self.stores.truncate(mark.stores);
        self.outside.truncate(mark.outside);
        if let Some(trace) = &mut self.trace {
            trace.truncate(mark.trace);
        }
    }

    pub(crate) fn bindings(&self) -> usize {
        self.footprints.len()
    }

    /// The number of elements of a storage binding.
    pub(crate) fn elements(&self, id: usize) -> u64 {
        self.elements[id].unwrap_or(0)
    }

    pub(crate) fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// Whether the contents of any binding were consulted.
    pub(crate) fn has_consulted(&self) -> bool {
        self.footprints.iter().any(|footprint| footprint.consulted)
    }

    fn note(&mut self, id: usize, target: Target, (kind, exchanged): (Kind, bool), state: &State) {
        if let Some(trace) = &mut self.trace {
            trace.push(Access { binding: id, target, kind, exchanged, known: state.known.clone() });
        }
    }

    /// Notes that the contents of a binding were consulted.
    pub(crate) fn consulted(&mut self, id: usize) {
        self.footprints[id].consulted = true;
    }

    /// The footprints of a walk that has ended.
    pub(crate) fn finish(mut self) -> Vec<Footprint> {
        for (id, footprint) in self.footprints.iter_mut().enumerate() {
            if let Some(elements) = self.elements[id] {
                let stores: Vec<&Store> = self.stores.iter().filter(|s| s.binding == id).collect();
                footprint.must_write = surely_written(&stores, &footprint.read.hull(), elements);
            }
        }
        for (kind, access) in &self.outside {
            let elements = self.elements[access.binding].unwrap_or(0);
            let beyond = reach(access).and_then(|reach| match reach.hi >= elements.into() {
                true => i64::try_from(reach.hi).ok(),
                false => i64::try_from(reach.lo).ok().filter(|lo| *lo < 0),
            });
            let outside = Outside {
                read: beyond.filter(|_| *kind != Kind::Write),
                written: beyond.filter(|_| *kind != Kind::Read),
            };
            let all = &mut self.footprints[access.binding].outside;
            *all = all.and(outside, elements);
        }
        self.footprints
    }

    /// Records an access to a storage binding. `element` is the element, or several that an index may mean: the
    /// steps inside it, its type, and the index's range.
    pub(crate) fn access<'p>(
        &mut self,
        id: usize,
        parts: &'p [Part],
        (state, symbols): (&mut State, &Symbols),
        span: Span,
        kind: Kind,
    ) -> Option<Element<'p>> {
        let module = self.kernel.module();
        let binding = &self.kernel.signature().bindings[id];
        let elements = self.elements[id]?;
        let exchanged = self.exchanged[id];
        let exchanged = exchanged != Members::NONE && {
            let step = |part: &Part| match part {
                Part::At(index) => Some(*index),
                Part::Dynamic(..) => None,
            };
            exchanged.meet(members::at(self.kernel, binding, parts.iter().map(step)))
        };
        let root = module.global_variables[binding.global].ty;
        let zero = Part::At(0);
        let (index, rest, ty) = match &module.types[root].inner {
            TypeInner::Array { base, .. } => match parts.split_first() {
                Some((index, rest)) => (Some(index), rest, *base),
                None => (None, parts, *base),
            },
            TypeInner::Struct { members, .. } => {
                let last = members.len().saturating_sub(1);
                match members.last().map(|m| &module.types[m.ty].inner) {
                    Some(TypeInner::Array { base, size: ArraySize::Dynamic, .. }) => match parts {
                        [Part::At(member), index, rest @ ..] if *member as usize == last => {
                            (Some(index), rest, *base)
                        }
                        [Part::At(member), ..] if (*member as usize) < last => {
                            if kind != Kind::Read {
                                let footprint = &mut self.footprints[id];
                                footprint.writes_header = true;
                                footprint.exchanged.writes_header |= exchanged;
                                self.note(id, Target::Header, (kind, exchanged), state);
                            }
                            return None;
                        }
                        _ => (None, parts, *base),
                    },
                    _ => (Some(&zero), parts, root),
                }
            }
            _ => (Some(&zero), parts, root),
        };
        let Some(index) = index else {
            self.record(id, &Region::from(0..elements), (kind, exchanged), None);
            self.note(id, Target::Everything, (kind, exchanged), state);
            return None;
        };
        let (index_type, form) = match index {
            Part::At(i) => (IntType::U32, Linear::constant(i64::from(*i)).wrapped()),
            Part::Dynamic(ty, form) => (*ty, form.clone()),
        };
        let target = Target::Element(index_type, form.clone());
        self.note(id, target, (kind, exchanged), state);
        let (range, shift) = state.known.value_range(symbols, &form, index_type);
        if let Some(shift) = shift.filter(|_| range.lo < 0 || range.hi >= elements.into())
            && let Some(access) = self.sure(id, &form.plus_constant(-shift), state, symbols)
        {
            self.outside.push((kind, access));
        }
        let buffer = Interval::new(0, (i128::from(elements) - 1).max(0));
        if let Some(inside) = range.meet(buffer).filter(|_| elements > 0) {
            let touched = inside.lo as u64..inside.hi as u64 + 1;
            let touched = state.known.elements(symbols, &form, (range, shift), &touched);
            // A range of half the integers counts as unbounded.
            let unbounded = touched.hull() == (0..elements) && range.hi - range.lo >= (1 << 31) - 1;
            self.record(id, &touched, (kind, exchanged), unbounded.then_some(span));
            let whole = rest.is_empty() && binding.layout.scalar.is_some();
            if let (Kind::Write, true, Some(shift)) = (kind, whole, shift) {
                let store = self.sure(id, &form.plus_constant(-shift), state, symbols);
                self.stores.extend(store);
            }
        }
        Some((rest, ty, range))
    }

    fn record(
        &mut self,
        id: usize,
        touched: &Region,
        (kind, exchanged): (Kind, bool),
        unbounded: Option<Span>,
    ) {
        let footprint = &mut self.footprints[id];
        if kind != Kind::Write {
            footprint.read.widen(touched);
            if exchanged {
                footprint.exchanged.read.widen(touched);
            }
        }
        if kind != Kind::Read {
            footprint.may_write.widen(touched);
            if exchanged {
                footprint.exchanged.may_write.widen(touched);
            }
        }
        if footprint.unbounded.is_none() {
            footprint.unbounded = unbounded;
        }
    }

    /// An access with its index and its conditions, if the conditions are known.
    fn sure(&self, id: usize, index: &Linear, state: &State, symbols: &Symbols) -> Option<Store> {
        let guards = state.guards.as_ref()?;
        let mut dimensions: Vec<(Symbol, Interval)> = Vec::new();
        let forms = guards.iter().map(|g| &g.form).chain([index]);
        for &(symbol, _) in forms.flat_map(Linear::terms) {
            let (lo, hi) = symbols.infos[symbol as usize].dimension?;
            if !dimensions.iter().any(|d| d.0 == symbol) {
                dimensions.push((symbol, Interval::new(lo.into(), hi.into())));
            }
        }
        Some(Store { binding: id, index: index.clone(), guards: guards.clone(), dimensions })
    }
}
