//! The interface of the analysis: the facts of a kernel, and the footprints of a launch.
//!
//! [`Analysis`] is made once per kernel and [`OfLaunch`] once per launch. The results of one walk help the
//! next.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use naga::Span;

use super::arguments::Arguments;
use super::footprints::footprint::Footprint;
use super::footprints::shifts::Shifts;
use super::footprints::whole::whole;
use super::text::facts::{Facts, syntactic};
use super::text::program::Program;
use super::text::uniformity::divergent_barrier;
use super::walk::hints::Hints;
use super::walk::machine::Machine;
use super::walk::statements::walk;
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// Fewer bands than this are walked one by one.
const FEW: usize = 4;

/// The analysis of one kernel: its facts, and the state that is kept between launches.
#[derive(Debug, Clone)]
pub(crate) struct Analysis {
    pub(super) kernel: Kernel,
    program: Program,
    facts: Arc<Facts>,
}

impl Analysis {
    /// Analyses a kernel as far as its arguments do not matter.
    pub(crate) fn new(kernel: &Kernel) -> Analysis {
        let facts = facts(kernel);
        let program = Program::new(kernel, &facts.uses);
        Analysis { kernel: kernel.clone(), program, facts }
    }

    /// Whether no other owner of the kernel is left, so that no request can come.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.kernel.is_last()
    }

    /// The facts that hold for all arguments.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The analysis for some arguments.
    pub(crate) fn of_launch<'a>(&'a self, arguments: &'a Arguments<'a>) -> OfLaunch<'a> {
        debug_assert_eq!(arguments.bindings.len(), self.kernel.signature().bindings.len());
        OfLaunch {
            analysis: self,
            arguments,
            hints: RefCell::default(),
            trips: RefCell::new(vec![None; self.program.loops]),
            hurried: Cell::default(),
        }
    }

    /// As [`OfLaunch::footprints`], for a single request.
    #[cfg(test)]
    pub(crate) fn footprints(&self, arguments: &Arguments<'_>, groups: GroupBox) -> Vec<Footprint> {
        self.of_launch(arguments).footprints(groups)
    }
}

/// The analysis for some arguments. The results for some workgroups help with the next.
pub(crate) struct OfLaunch<'a> {
    analysis: &'a Analysis,
    pub(crate) arguments: &'a Arguments<'a>,
    pub(super) hints: RefCell<Hints>,
    /// See `trips()`.
    trips: RefCell<Vec<Option<f64>>>,
    /// See `hurried()`.
    hurried: Cell<Option<Span>>,
}

impl OfLaunch<'_> {
    /// The facts that hold for all arguments.
    pub(crate) fn facts(&self) -> &Facts {
        &self.analysis.facts
    }

    /// The largest number of iterations of each loop per invocation, if it is known, in the order of
    /// `Facts::finite_loops`. It is that of the workgroups of the last request; of bands, that of a band in the
    /// middle.
    pub(crate) fn trips(&self) -> Vec<Option<f64>> {
        self.trips.borrow().clone()
    }

    /// The loop at which the search for footprints exhausted its budget, as in `Facts::hurried`.
    pub(crate) fn hurried(&self) -> Option<Span> {
        self.hurried.get()
    }

    /// The elements that these workgroups touch, by `BindingId`; the default for a binding that is not a
    /// storage binding.
    pub(crate) fn footprints(&self, groups: GroupBox) -> Vec<Footprint> {
        if groups.workgroups() == 0 {
            return vec![Footprint::default(); self.arguments.bindings.len()];
        }
        let machine = self.walked(groups, false);
        self.trips.borrow_mut().clone_from(&machine.trips);
        if machine.fuel.is_spent() {
            return whole(&self.analysis.kernel, self.arguments);
        }
        machine.recorder.finish()
    }

    /// A machine after the walk over these workgroups.
    pub(super) fn walked(&self, groups: GroupBox, traced: bool) -> Machine<'_> {
        let Analysis { kernel, program, .. } = self.analysis;
        let (mut machine, state) =
            Machine::new(kernel, program, Some(self.arguments), groups, &self.hints);
        machine.recorder.trace = traced.then(Vec::new);
        walk(&mut machine, &program.steps, state, &mut Vec::new());
        self.hurried.set(self.hurried.get().or(machine.fuel.hurried()));
        machine
    }

    /// The footprints of consecutive bands along an axis. Each edge ends one band and begins the next.
    pub(crate) fn bands(&self, axis: usize, edges: &[u32]) -> Vec<Vec<Footprint>> {
        self.bands_of(GroupBox::whole(self.arguments.grid), axis, edges)
    }

    /// The footprints of consecutive parts of a box along an axis. Each edge ends one part and begins the next.
    pub(crate) fn bands_of(
        &self,
        all: GroupBox,
        axis: usize,
        edges: &[u32],
    ) -> Vec<Vec<Footprint>> {
        let own = |band: &Range<u32>| self.footprints(all.band(axis, band.start, band.end));
        let bands: Vec<Range<u32>> = edges.windows(2).map(|edge| edge[0]..edge[1]).collect();
        let samples = if bands.len() < FEW { Vec::new() } else { self.samples(all, axis, &bands) };
        let trips = (!samples.is_empty()).then(|| self.trips());
        let mut found = vec![Vec::new(); bands.len()];
        // The band in the middle is the last one, since the iterations of the last walk are kept.
        let middle = bands.len() / 2;
        for at in (0..bands.len()).filter(|&at| at != middle).chain([middle]) {
            let Some(band) = bands.get(at) else { continue };
            let shifted = samples.iter().find_map(|sample| sample.of(band));
            found[at] = shifted.unwrap_or_else(|| own(band));
        }
        if let Some(trips) = trips {
            self.trips.replace(trips);
        }
        found
    }

    /// Samples: bands of which many others are shifts.
    pub(super) fn samples(&self, all: GroupBox, axis: usize, bands: &[Range<u32>]) -> Vec<Shifts> {
        let machine = self.walked(all, true);
        let mut samples = Vec::new();
        if machine.fuel.is_spent() {
            return samples;
        }
        let (recorder, symbols) = (&machine.recorder, &machine.arithmetic.symbols);
        let Some(&(along, _)) = machine.workgroup[axis].terms().first() else { return samples };
        let mut sizes: Vec<usize> = bands.iter().map(Range::len).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let alike: Vec<&Range<u32>> = bands.iter().filter(|b| b.len() == size).collect();
            let sample = alike[alike.len() / 2].clone();
            if alike.len() >= FEW
                && let Some(shifts) = Shifts::find(recorder, symbols, along, sample.clone())
                && shifts.as_tight_as(&self.footprints(all.band(axis, sample.start, sample.end)))
            {
                samples.push(shifts);
            }
        }
        samples
    }
}

/// [`Analysis::facts`] of a kernel, computed only once.
pub(crate) fn facts(kernel: &Kernel) -> Arc<Facts> {
    let find = || {
        let mut facts = syntactic(kernel);
        let program = Program::new(kernel, &facts.uses);
        facts.divergent_barrier = facts.barrier.and_then(|_| divergent_barrier(kernel));
        facts.finite_loops = vec![false; program.loops];
        if program.loops > 0 {
            let groups = GroupBox::whole([0; 3]);
            let hints = RefCell::default();
            let (mut machine, state) = Machine::new(kernel, &program, None, groups, &hints);
            walk(&mut machine, &program.steps, state, &mut Vec::new());
            facts.hurried = machine.fuel.hurried();
            if !machine.fuel.is_spent() {
                facts.finite_loops = machine.finite;
            }
        }
        facts
    };
    kernel.derived(0, || Ok(find())).unwrap_or_else(|_| Arc::new(find()))
}
