//! Shifts: the footprints of most bands of a launch are those of one band, shifted, so only that one is walked.
//!
//! One walk over the whole grid keeps every access with the knowledge of its path, which holds for the
//! invocations of any band. For one band, the *sample*, the workgroup id along the axis is then restricted to
//! the band's range. All other knowledge is used only where the id does not occur in it. So for every execution
//! in another band there are values within the sample's bounds that differ in the id alone, and an index that
//! is linear in the id differs by a constant times the bands' distance. A minimum or a maximum that depends on
//! the id counts as one of its operands, over the range of ids where that holds.
//!
//! The *span* is the range of ids for which a sample holds. Its invariant: no index wraps around or
//! leaves its buffer, each minimum or maximum is the same operand as in the sample, and no condition on the id
//! holds for some ids and fails for others. Bands outside of the span are walked themselves.

use std::ops::Range;

use super::access::{Access, Kind, Store, Target};
use super::footprint::{Exchanged, Footprint, Outside};
use super::must_write::surely_written;
use super::recorder::Recorder;
use crate::analysis::domain::{
    Definition, Guard, IntType, Interval, Knowledge, Linear, Operator, Restricted, Symbol, Symbols,
    at_least, at_most, floor_div, room,
};
use crate::region::Region;

/// The footprints of a sample, and of all its shifts.
pub(crate) struct Shifts {
    sample: Range<u32>,
    /// The values of the workgroup id for which they hold.
    span: Interval,
    parts: Vec<Parts>,
}

/// The touched elements of one binding.
#[derive(Default)]
struct Parts {
    all: Moving,
    exchanged: Moving,
    must_write: (i64, Range<u64>),
}

/// Elements, and the distance by which they move from one workgroup to the next.
#[derive(Default)]
struct Moving {
    read: Vec<(i64, Region)>,
    may_write: Vec<(i64, Region)>,
    writes_header: bool,
}

impl Shifts {
    /// The footprints of a band and of its shifts, after a traced walk over the whole grid. `along` is the
    /// workgroup id of the bands' axis. `None` if the footprints do not shift.
    pub(crate) fn find(
        recorder: &Recorder<'_>,
        symbols: &Symbols,
        along: Symbol,
        sample: Range<u32>,
    ) -> Option<Shifts> {
        if recorder.has_consulted() || sample.is_empty() {
            return None;
        }
        let trace = recorder.trace.as_ref()?;
        let mut follows = vec![false; symbols.len()];
        follows[along as usize] = true;
        for (symbol, info) in symbols.infos.iter().enumerate() {
            if let Definition::Operation(_, a, b) = &info.definition {
                let mut terms = a.terms().iter().chain(b.terms());
                follows[symbol] = terms.any(|t| follows[t.0 as usize]);
            }
        }
        let band = Interval::new(sample.start.into(), i128::from(sample.end) - 1);
        let span = at_most(-1).hull(at_least(0));
        let mut this = Sample { recorder, symbols, along, follows, band, span };
        let mut parts = Vec::new();
        parts.resize_with(recorder.bindings(), Parts::default);
        for access in trace {
            this.access(access, &mut parts[access.binding])?;
        }
        for (binding, parts) in parts.iter_mut().enumerate() {
            this.must_write(binding, parts);
        }
        Some(Shifts { sample, span: this.span, parts })
    }

    /// The footprints of a band, if they are the sample's, shifted.
    pub(crate) fn of(&self, band: &Range<u32>) -> Option<Vec<Footprint>> {
        let values = Interval::new(band.start.into(), i128::from(band.end) - 1);
        if band.len() != self.sample.len() || !self.span.contains(values) {
            return None;
        }
        let by = i64::from(band.start) - i64::from(self.sample.start);
        Some(self.parts.iter().map(|parts| parts.shifted(by)).collect())
    }

    /// Whether they are as tight for the sample as its own footprints.
    pub(crate) fn as_tight_as(&self, own: &[Footprint]) -> bool {
        let same = |a: &Region, b: &Region| a.len() == b.len() && a.hull() == b.hull();
        self.parts.iter().zip(own).all(|(parts, own)| {
            let found = parts.shifted(0);
            let (exchanged, its) = (&found.exchanged, &own.exchanged);
            same(&found.read, &own.read)
                && same(&found.may_write, &own.may_write)
                && same(&exchanged.read, &its.read)
                && same(&exchanged.may_write, &its.may_write)
                && exchanged.writes_header == its.writes_header
                && found.must_write == own.must_write
                && found.writes_header == own.writes_header
                && own.unbounded.is_none()
                && own.outside == Outside::default()
        })
    }
}

impl Parts {
    fn shifted(&self, by: i64) -> Footprint {
        let sum = |list: &[(i64, Region)]| match list {
            [(step, only)] => only.shifted(step * by),
            _ => list.iter().fold(Region::default(), |mut all, (step, region)| {
                all.widen(&region.shifted(step * by));
                all
            }),
        };
        let (step, must) = &self.must_write;
        let moved = |at: u64| at.wrapping_add_signed(step * by);
        Footprint {
            read: sum(&self.all.read),
            may_write: sum(&self.all.may_write),
            exchanged: Exchanged {
                read: sum(&self.exchanged.read),
                may_write: sum(&self.exchanged.may_write),
                writes_header: self.exchanged.writes_header,
            },
            must_write: if must.is_empty() { 0..0 } else { moved(must.start)..moved(must.end) },
            writes_header: self.all.writes_header,
            ..Footprint::default()
        }
    }
}

/// Adds elements that move by `step`.
fn add(list: &mut Vec<(i64, Region)>, step: i64, region: &Region) {
    match list.iter_mut().find(|(other, _)| *other == step) {
        Some((_, all)) => all.widen(region),
        None => list.push((step, region.clone())),
    }
}

/// The state shared by all accesses of a sample.
struct Sample<'m> {
    recorder: &'m Recorder<'m>,
    symbols: &'m Symbols,
    /// The workgroup id along the axis.
    along: Symbol,
    /// By symbol: whether it is the id, or follows from it.
    follows: Vec<bool>,
    /// The id's values in the sample.
    band: Interval,
    span: Interval,
}

impl Sample<'_> {
    fn access(&mut self, access: &Access, parts: &mut Parts) -> Option<()> {
        let symbols = self.symbols;
        let follows = |symbol: Symbol| self.follows[symbol as usize];
        let restricted = access.known.restricted(symbols, self.along, self.band, follows)?;
        let mut known = match restricted {
            Restricted::To(known, span) => {
                self.meet(span)?;
                known
            }
            Restricted::Beside(span) => return self.meet(span),
        };
        let Parts { all, exchanged, .. } = parts;
        let lists = [Some(all), access.exchanged.then_some(exchanged)];
        let (step, region) = match &access.target {
            Target::Header => {
                let writes = access.kind != Kind::Read;
                lists.into_iter().flatten().for_each(|list| list.writes_header |= writes);
                return Some(());
            }
            Target::Everything => (0, Region::from(0..self.recorder.elements(access.binding))),
            Target::Element(ty, form) => self.element(&mut known, access.binding, *ty, form)?,
        };
        for list in lists.into_iter().flatten() {
            if access.kind != Kind::Write {
                add(&mut list.read, step, &region);
            }
            if access.kind != Kind::Read {
                add(&mut list.may_write, step, &region);
            }
        }
        Some(())
    }

    /// The elements that an index may mean in the sample, and how far they move per workgroup.
    fn element(
        &mut self,
        known: &mut Knowledge,
        binding: usize,
        ty: IntType,
        form: &Linear,
    ) -> Option<(i64, Region)> {
        let symbols = self.symbols;
        let form = self.resolved(known, form)?;
        let step = form.coefficient(self.along);
        let (range, shift) = known.value_range(symbols, &form, ty);
        let last = i128::from(self.recorder.elements(binding)) - 1;
        let touched = match range.meet(Interval { lo: 0, hi: last }) {
            Some(inside) if last >= 0 => inside.lo as u64..inside.hi as u64 + 1,
            _ if step == 0 => return Some((0, Region::default())),
            _ => return None,
        };
        if step != 0 {
            shift?;
            self.keep(range, step, Interval::new(0, last.min(ty.range().hi)))?;
        }
        Some((step, known.elements(symbols, &form, (range, shift), &touched)))
    }

    /// The form in terms of the id and of symbols that do not follow from it.
    fn resolved(&mut self, known: &mut Knowledge, form: &Linear) -> Option<Linear> {
        let follows = |s: &Self, symbol: Symbol| symbol != s.along && s.follows[symbol as usize];
        if !form.terms().iter().any(|t| follows(self, t.0)) {
            return Some(form.clone());
        }
        let symbols = self.symbols;
        let mut sum = Linear::constant(form.k);
        for &(symbol, factor) in form.terms() {
            if !follows(self, symbol) {
                sum = sum.plus(&Linear::symbol(symbol), factor);
                continue;
            }
            let info = &symbols.infos[symbol as usize];
            let Definition::Operation(operator, a, b) = &info.definition else { return None };
            if !matches!(operator, Operator::Minimum | Operator::Maximum) {
                return None;
            }
            let a = self.value(known, info.ty, a)?;
            let b = self.value(known, info.ty, b)?;
            let difference = a.plus(&b, -1);
            let range = known.bounds(symbols, &difference);
            let (first, side) = if range.hi <= 0 {
                (*operator == Operator::Minimum, at_most(0))
            } else {
                (*operator == Operator::Maximum, at_least(0))
            };
            self.keep(range, difference.coefficient(self.along), side)?;
            sum = sum.plus(if first { &a } else { &b }, factor).wrapped();
        }
        Some(sum.wrapped())
    }

    /// A value of a type as a mathematical integer that does not wrap around.
    fn value(&mut self, known: &mut Knowledge, ty: IntType, form: &Linear) -> Option<Linear> {
        let form = self.resolved(known, form)?;
        let (range, shift) = known.value_range(self.symbols, &form, ty);
        self.keep(range, form.coefficient(self.along), ty.range())?;
        Some(form.plus_constant(-shift?))
    }

    /// Restricts the span to the ids for which `range`, which moves by `step` per id, stays inside of `to`.
    fn keep(&mut self, range: Interval, step: i64, to: Interval) -> Option<()> {
        if !to.contains(range) {
            return None;
        }
        let (down, up) = (range.lo - to.lo, to.hi - range.hi);
        let (before, after) = match step {
            0 => return Some(()),
            1.. => (down, up),
            _ => (up, down),
        };
        let size = i128::from(step).abs();
        self.meet(Interval {
            lo: self.band.lo - floor_div(before, size),
            hi: self.band.hi + floor_div(after, size),
        })
    }

    fn meet(&mut self, span: Interval) -> Option<()> {
        self.span = self.span.meet(span)?;
        Some(())
    }

    /// The sure writes, if all of them move by the same distance.
    fn must_write(&mut self, binding: usize, parts: &mut Parts) {
        let recorder = self.recorder;
        let of_binding = recorder.stores().iter().filter(|store| store.binding == binding);
        let before = self.span;
        let mut step = None;
        let mut stores = Vec::new();
        for store in of_binding {
            let moves = store.index.coefficient(self.along);
            // Leaving out a store only makes the result smaller.
            if *step.get_or_insert(moves) == moves
                && let Some(store) = self.pinned(store)
            {
                stores.push(store);
            }
        }
        let Some(step) = step else { return };
        if parts.all.read.iter().any(|(other, _)| *other != step) {
            self.span = before;
            return;
        }
        let read = parts.all.read.first().map_or(0..0, |(_, region)| region.hull());
        let stores: Vec<&Store> = stores.iter().collect();
        parts.must_write = (step, surely_written(&stores, &read, recorder.elements(binding)));
    }

    /// A store as it is in the sample, if its guards hold for all ids of the span alike.
    fn pinned(&mut self, store: &Store) -> Option<Store> {
        let along = self.along;
        let only = self.band.value().map(|value| value as i64);
        let pin = |form: &Linear| match only {
            Some(value) => {
                let c = form.coefficient(along);
                form.plus(&Linear::from_terms(-value, &[(along, 1)]), -c)
            }
            None => form.clone(),
        };
        let mut span = self.span;
        let mut guards = Vec::new();
        for guard in store.guards.iter() {
            let step = guard.form.coefficient(along);
            // A condition that holds for all ids of the span always holds.
            let mut always = guard.always;
            if step != 0 && !always {
                always = true;
                let mut rest = Interval::single(0);
                for &(symbol, c) in guard.form.terms().iter().filter(|t| t.0 != along) {
                    let values = store.dimensions.iter().find(|d| d.0 == symbol)?.1;
                    rest = rest.plus(values.scaled(c.into()));
                }
                let room = room(step, rest, guard.within)?;
                span = span.meet(room).filter(|_| room.contains(self.band))?;
            }
            let form = pin(&guard.form);
            let k = i128::from(form.k);
            let within = Interval { lo: guard.within.lo - k, hi: guard.within.hi - k };
            if !form.terms().is_empty() {
                let form = form.plus_constant(-form.k);
                guards.push(Guard { form, within, always });
            }
        }
        self.span = span;
        let dimensions = store.dimensions.iter().filter(|d| only.is_none() || d.0 != along);
        let band = self.band;
        let dimensions =
            dimensions.map(|d| if d.0 == along { (along, band) } else { *d }).collect();
        let guards = guards.into();
        Some(Store { binding: store.binding, index: pin(&store.index), guards, dimensions })
    }
}
