//! What a kernel does, found out from its normalised module. Pure: no device, no thread, no clock.
//!
//! [`Analysis`] is made once per kernel. [`Analysis::facts`] holds whatever the arguments,
//! [`OfLaunch::footprints`] for these arguments, this grid and a box of workgroups. Everything here is conservative: when nothing can be proved a footprint is
//! the whole buffer, a loop may be endless, a value is varying.

mod contents;
mod facts;
mod footprint;
mod integer;
mod interval;
mod linear;
mod loops;
mod machine;
mod members;
mod memory;
mod must_write;
#[cfg(test)]
mod precision_tests;
mod program;
mod refine;
mod shifts;
mod state;
mod steering;
#[cfg(test)]
mod tests;
mod uniformity;
mod unroll;
mod uses;
mod value;
mod walk;
mod whole;

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use naga::Span;

use crate::grid::GroupBox;
use crate::kernel::{BindingId, Kernel};
use crate::region::Region;
pub(crate) use contents::{Contents, Version};
use loops::Hints;
use machine::Machine;
pub(crate) use members::{at_offset as member_at, names as member_names};
use program::Program;
use shifts::Shifts;
pub(crate) use uses::{Reduction, Use, Uses};

/// What holds of a kernel whatever its arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// What the text does with each binding.
    pub(crate) uses: Vec<Uses>,
    /// Atomic operations on storage buffers, in text order.
    pub(crate) storage_atomics: Vec<(BindingId, Span)>,
    /// The first use of a subgroup operation or built-in.
    pub(crate) subgroups: Option<Span>,
    /// Atomic stores to storage buffers, in text order.
    pub(crate) atomic_stores: Vec<(BindingId, Span)>,
    /// The first atomic on workgroup memory that shows the order in which invocations executed it:
    /// its result is used, or the stored value depends on the order.
    pub(crate) order_in_workgroup: Option<Span>,
    /// The first barrier.
    pub(crate) barrier: Option<Span>,
    /// The first barrier in control flow that depends on the ids of the invocations of a workgroup.
    /// The invocations may still stay together on a launch's data.
    pub(crate) divergent_barrier: Option<Span>,
    /// For each loop of the entry point, in the order in which a pre-order walk of the body
    /// (a loop's `body` before its `continuing`) meets them: whether it provably ends for all
    /// arguments.
    pub(crate) finite_loops: Vec<bool>,
    /// The loop at which the analysis exhausted its budget: from there on it looks at loops less
    /// closely.
    pub(crate) hurried: Option<Span>,
}

/// What a launch gives for one binding, as far as the analysis cares.
#[derive(Debug, Clone)]
pub(crate) enum Argument<'a> {
    /// The bytes of a uniform or an immediate.
    Value(&'a [u8]),
    /// A storage buffer of so many elements; its contents, when the host holds them and the
    /// kernel only reads them.
    Storage { elements: u64, contents: Option<Contents<'a>> },
}

/// What a launch gives, as far as the analysis cares. Bindings are in the signature's order.
#[derive(Debug, Clone)]
pub(crate) struct Arguments<'a> {
    pub(crate) grid: [u32; 3],
    pub(crate) bindings: Vec<Argument<'a>>,
}

/// The elements of one storage binding that some workgroups touch, in elements of the binding's
/// `Layout`, inside `0..elements`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Footprint {
    /// May be read (over-approximated). Atomic updates count as reads and as writes.
    pub(crate) read: Region,
    /// May be written (over-approximated).
    pub(crate) may_write: Region,
    /// The same for only the members that are both stored to and read, if the members of the
    /// binding are used differently.
    pub(crate) exchanged: Exchanged,
    /// Every byte of each of these elements is surely written (under-approximated), whatever else
    /// happens, and is not read before by these workgroups. Inside `may_write`; `0..0` when there
    /// are none.
    pub(crate) must_write: Range<u64>,
    /// The header (see `Layout`) may be written. It may always be read.
    pub(crate) writes_header: bool,
    /// Indices into this or other bindings were bounded by what the host holds in this one: the
    /// footprints hold for this version of its contents only.
    pub(crate) consulted: bool,
    /// Where a range had to be widened to the whole buffer because an index could not be bounded:
    /// the access, for the plan to show.
    pub(crate) unbounded: Option<Span>,
    /// Elements beyond the buffer's ends that are surely touched.
    pub(crate) outside: Outside,
}

/// The elements furthest beyond a buffer's ends that are surely read, and surely written
/// (under-approximated). Such a read gives zero, and such a write does nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Outside {
    pub(crate) read: Option<i64>,
    pub(crate) written: Option<i64>,
}

impl Outside {
    /// The union of both, for a buffer of `elements` elements.
    pub(crate) fn and(self, other: Outside, elements: u64) -> Outside {
        let far = |&at: &i64| {
            if at < 0 { i128::from(at).abs() } else { i128::from(at) - i128::from(elements) }
        };
        let further = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).max_by_key(far);
        Outside {
            read: further(self.read, other.read),
            written: further(self.written, other.written),
        }
    }
}

/// The elements in which members are touched that are both stored to and read (over-approximated).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exchanged {
    pub(crate) read: Region,
    pub(crate) may_write: Region,
    /// Such a member of the header may be written.
    pub(crate) writes_header: bool,
}

/// Fewer bands are looked at one by one.
const FEW: usize = 4;

/// The analysis of one kernel: what holds once, and what is worth keeping between launches.
#[derive(Debug, Clone)]
pub(crate) struct Analysis {
    kernel: Kernel,
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

    /// Whether nobody else has the kernel any more, so that nobody will ask.
    pub(crate) fn is_orphaned(&self) -> bool {
        self.kernel.is_last()
    }

    /// What holds whatever the arguments.
    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What can be asked for some arguments.
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

    /// As [`OfLaunch::footprints`], for who asks once.
    #[cfg(test)]
    pub(crate) fn footprints(&self, arguments: &Arguments<'_>, groups: GroupBox) -> Vec<Footprint> {
        self.of_launch(arguments).footprints(groups)
    }
}

/// The analysis for some arguments. What is found for some workgroups helps with the next.
pub(crate) struct OfLaunch<'a> {
    analysis: &'a Analysis,
    pub(crate) arguments: &'a Arguments<'a>,
    hints: RefCell<Hints>,
    /// As `trips` gives them.
    trips: RefCell<Vec<Option<f64>>>,
    /// The result of `hurried`.
    hurried: Cell<Option<Span>>,
}

impl OfLaunch<'_> {
    /// What holds whatever the arguments.
    pub(crate) fn facts(&self) -> &Facts {
        &self.analysis.facts
    }

    /// How often an invocation goes round each loop at most, where that is known; in the order of
    /// `Facts::finite_loops`. Of the workgroups whose footprints were asked for last; of bands, one
    /// in the middle.
    pub(crate) fn trips(&self) -> Vec<Option<f64>> {
        self.trips.borrow().clone()
    }

    /// The loop at which the search for footprints exhausted its budget, as in `Facts::hurried`.
    pub(crate) fn hurried(&self) -> Option<Span> {
        self.hurried.get()
    }

    /// The elements that these workgroups touch, by `BindingId`; the default for what is not a
    /// storage binding.
    pub(crate) fn footprints(&self, groups: GroupBox) -> Vec<Footprint> {
        if groups.workgroups() == 0 {
            return vec![Footprint::default(); self.arguments.bindings.len()];
        }
        let machine = self.walked(groups, false);
        self.trips.borrow_mut().clone_from(&machine.trips);
        if machine.fuel == 0 {
            return whole::whole(&self.analysis.kernel, self.arguments);
        }
        machine.recorder.finish()
    }

    /// A machine that has seen all that these workgroups do.
    fn walked(&self, groups: GroupBox, traced: bool) -> Machine<'_> {
        let Analysis { kernel, program, .. } = self.analysis;
        let (mut machine, state) =
            Machine::new(kernel, program, Some(self.arguments), groups, &self.hints);
        machine.recorder.trace = traced.then(Vec::new);
        machine.walk(&program.steps, state, &mut Vec::new());
        self.hurried.set(self.hurried.get().or(machine.hurried));
        machine
    }

    /// The footprints of consecutive bands along an axis, which end where the next begins.
    pub(crate) fn bands(&self, axis: usize, edges: &[u32]) -> Vec<Vec<Footprint>> {
        self.bands_of(GroupBox::whole(self.arguments.grid), axis, edges)
    }

    /// The footprints of consecutive parts of a box along an axis, which end where the next begins.
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
        // The one in the middle last: it is whose turns are kept.
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

    /// Bands of which many others are shifts.
    fn samples(&self, all: GroupBox, axis: usize, bands: &[Range<u32>]) -> Vec<Shifts> {
        let machine = self.walked(all, true);
        let mut samples = Vec::new();
        let Some(&(along, _)) = machine.workgroup[axis].terms().first() else { return samples };
        let mut sizes: Vec<usize> = bands.iter().map(Range::len).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let alike: Vec<&Range<u32>> = bands.iter().filter(|b| b.len() == size).collect();
            let sample = alike[alike.len() / 2].clone();
            if alike.len() >= FEW
                && let Some(shifts) = machine.shifts(along, sample.clone())
                && shifts.as_tight_as(&self.footprints(all.band(axis, sample.start, sample.end)))
            {
                samples.push(shifts);
            }
        }
        samples
    }
}

/// [`Analysis::facts`] of a kernel, which are found only once.
pub(crate) fn facts(kernel: &Kernel) -> Arc<Facts> {
    let find = || {
        let mut facts = facts::syntactic(kernel);
        let program = Program::new(kernel, &facts.uses);
        facts.divergent_barrier = facts.barrier.and_then(|_| uniformity::divergent_barrier(kernel));
        facts.finite_loops = vec![false; program.loops];
        if program.loops > 0 {
            let groups = GroupBox::whole([0; 3]);
            let hints = RefCell::default();
            let (mut machine, state) = Machine::new(kernel, &program, None, groups, &hints);
            machine.walk(&program.steps, state, &mut Vec::new());
            facts.hurried = machine.hurried;
            if machine.fuel > 0 {
                facts.finite_loops = machine.finite;
            }
        }
        facts
    };
    kernel.derived(0, || Ok(find())).unwrap_or_else(|_| Arc::new(find()))
}
