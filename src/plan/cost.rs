//! The cost estimate of a launch on a device that never ran its kernel: operations from the kernel's
//! text, bytes from the footprints, against the device's roofline.
//!
//! An operation inside a loop counts once per iteration; the analysis knows the trip count where the
//! bound follows from a uniform. Each side of an if/else counts half. The estimate may be wrong by a
//! large factor, so it only decides how large a device's first runs are. A device's roofline starts
//! as a guess; each launch measures a part of it.

use naga::{BinaryOperator, Block, Expression, MathFunction, Statement, TypeInner};

use super::band::Band;
use super::split::Split;
use crate::device::{DeviceInfo, DeviceKind};
use crate::kernel::Kernel;

/// The average cost of a band.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Work {
    /// Arithmetic operations on scalars.
    pub(crate) operations: f64,
    /// Bytes read and written, each once.
    pub(crate) bytes: f64,
}

/// The peak rates of a device.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Roofline {
    /// Operations per second.
    pub(crate) compute: f64,
    /// Bytes per second from its memory.
    pub(crate) memory: f64,
    /// Bytes per second over its link; `None` if the device works in host memory.
    pub(crate) link: Option<f64>,
}

/// The resource that limits a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Its arithmetic.
    Compute,
    /// Its memory.
    Memory,
    /// Its link.
    Link,
}

impl Bound {
    pub(crate) const ALL: [Bound; 3] = [Bound::Compute, Bound::Memory, Bound::Link];
}

/// The assumed trip count of a loop whose trip count is unknown.
const TURNS: f64 = 16.0;
/// The limiting resource took at least this part of the time.
const LEAST_PART: f64 = 0.2;
/// Larger trip counts are cut to this.
const MOST_TURNS: f64 = 1e9;

impl Roofline {
    /// The default for a kind of device.
    pub(crate) fn guess(info: &DeviceInfo) -> Roofline {
        // The call reads cgroup files, which takes 20 µs.
        static CORES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let count = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = *CORES.get_or_init(count) as f64;
        let (compute, memory, link) = match info.kind {
            DeviceKind::Cpu => (cores * 1e10, 1e10, None),
            DeviceKind::SoftwareGpu => (cores * 3e9, 5e9, Some(4e9)),
            DeviceKind::IntegratedGpu => (4e11, 4e10, Some(1e10)),
            DeviceKind::DiscreteGpu | DeviceKind::OtherGpu => (4e12, 3e11, Some(1e10)),
        };
        Roofline { compute, memory, link }
    }

    /// The roofline with measured rates in place of guesses, in the order of [`Bound::ALL`].
    pub(crate) fn with(self, known: [Option<f64>; 3]) -> Roofline {
        let [compute, memory, link] = known;
        Roofline {
            compute: compute.unwrap_or(self.compute),
            memory: memory.unwrap_or(self.memory),
            link: self.link.map(|guess| link.unwrap_or(guess)),
        }
    }

    /// The limiting resource and its measured rate, of a device that did `work` in `seconds` and moved
    /// `moved` bytes over its link. The other resources are assumed to run at the rates of `self`.
    pub(crate) fn shown(&self, work: &Work, moved: f64, seconds: f64) -> (Bound, f64) {
        let (compute, memory) = (work.operations / self.compute, work.bytes / self.memory);
        let (link, inside) = (self.link.map_or(0.0, |link| moved / link), compute.max(memory));
        let without = |other: f64| (seconds - other).max(LEAST_PART * seconds);
        match (link > inside, compute >= memory) {
            (true, _) => (Bound::Link, moved / without(inside)),
            (false, true) => (Bound::Compute, work.operations / without(link)),
            (false, false) => (Bound::Memory, work.bytes / without(link)),
        }
    }
}

impl Work {
    /// The work of `count` bands.
    pub(crate) fn times(&self, count: f64) -> Work {
        Work { operations: self.operations * count, bytes: self.bytes * count }
    }

    /// Seconds that a band takes.
    pub(crate) fn seconds(&self, device: &Roofline) -> f64 {
        let inside = (self.operations / device.compute).max(self.bytes / device.memory);
        (inside + device.link.map_or(0.0, |link| self.bytes / link)).max(1e-9)
    }

    /// The cost of a band of a split. `trips` are the trip counts of the kernel's loops, in the
    /// analysis's numbering.
    pub(super) fn of(kernel: &Kernel, split: &Split, groups: f64, trips: &[Option<f64>]) -> Work {
        let (band, bands): (&Band, usize) = match split {
            Split::Nothing => return Work::default(),
            Split::Whole { band, .. } => (band, 1),
            Split::Bands { bands, .. } => (&bands[bands.len() / 2], bands.len()),
        };
        let invocations: f64 =
            kernel.signature().workgroup_size.iter().map(|n| f64::from(*n)).product();
        let bindings = kernel.signature().bindings.iter().zip(&band.footprints);
        let bytes: f64 = bindings
            .map(|(binding, print)| {
                (print.read.len() + print.may_write.len()) as f64 * binding.layout.stride as f64
            })
            .sum();
        let operations = operations(kernel, trips) * invocations * groups / bands as f64;
        Work { operations, bytes }
    }
}

/// Operations of one invocation.
fn operations(kernel: &Kernel, trips: &[Option<f64>]) -> f64 {
    Counter { kernel, trips, loops: 0 }.block(&kernel.entry_point().function.body)
}

struct Counter<'a> {
    kernel: &'a Kernel,
    trips: &'a [Option<f64>],
    /// The number of the next loop.
    loops: usize,
}

impl Counter<'_> {
    fn block(&mut self, block: &Block) -> f64 {
        block.iter().map(|statement| self.statement(statement)).sum()
    }

    fn statement(&mut self, statement: &Statement) -> f64 {
        match statement {
            Statement::Emit(range) => range.clone().map(|handle| self.expression(handle)).sum(),
            Statement::Block(inner) => self.block(inner),
            Statement::If { accept, reject, .. } => {
                let (accept, reject) = (self.block(accept), self.block(reject));
                // An `if` without `else` is mostly a bounds guard, which nearly all invocations pass.
                if reject == 0.0 { 0.9 * accept } else { 0.5 * (accept + reject) }
            }
            Statement::Switch { cases, .. } => {
                let all: f64 = cases.iter().map(|case| self.block(&case.body)).sum();
                all / cases.len().max(1) as f64
            }
            Statement::Loop { body, continuing, .. } => {
                let turns = self.trips.get(self.loops).copied().flatten().unwrap_or(TURNS);
                self.loops += 1;
                (self.block(body) + self.block(continuing)) * turns.clamp(0.0, MOST_TURNS)
            }
            Statement::Atomic { .. } => 8.0,
            Statement::Store { .. } | Statement::ControlBarrier(_) => 1.0,
            _ => 0.0,
        }
    }

    fn expression(&self, handle: naga::Handle<Expression>) -> f64 {
        let function = &self.kernel.entry_point().function;
        let info = self.kernel.info().get_entry_point(0);
        let lanes = match info[handle].ty.inner_with(&self.kernel.module().types) {
            TypeInner::Vector { size, .. } => f64::from(*size as u8),
            TypeInner::Matrix { columns, rows, .. } => {
                f64::from(*columns as u8) * f64::from(*rows as u8)
            }
            _ => 1.0,
        };
        let each = match &function.expressions[handle] {
            Expression::Binary { op: BinaryOperator::Divide | BinaryOperator::Modulo, .. } => 4.0,
            Expression::Binary { .. }
            | Expression::Unary { .. }
            | Expression::Select { .. }
            | Expression::As { .. }
            | Expression::Load { .. } => 1.0,
            Expression::Math { fun, .. } => match fun {
                MathFunction::Fma => 2.0,
                MathFunction::Dot | MathFunction::Length | MathFunction::Distance => 6.0,
                MathFunction::Sqrt | MathFunction::InverseSqrt | MathFunction::Normalize => 6.0,
                MathFunction::Abs
                | MathFunction::Min
                | MathFunction::Max
                | MathFunction::Clamp
                | MathFunction::Floor => 1.0,
                _ => 20.0,
            },
            _ => 0.0,
        };
        each * lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(body: &str) -> Kernel {
        Kernel::from_wgsl(&format!(
            "struct P {{ n: u32 }}
             @group(0) @binding(0) var<uniform> p: P;
             @group(0) @binding(1) var<storage, read_write> y: array<f32>;
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ {body} }}"
        ))
        .unwrap()
    }

    #[test]
    fn a_loop_counts_as_often_as_it_turns() {
        let body =
            "var x = 1.0; for (var i = 0u; i < p.n; i++) { x = x * 1.5 + 2.0; } y[id.x] = x;";
        let kernel = kernel(body);
        let few = operations(&kernel, &[Some(10.0)]);
        let many = operations(&kernel, &[Some(1000.0)]);
        assert!(many > 50.0 * few, "{few} {many}");
        assert!(operations(&kernel, &[None]) > few);
    }

    #[test]
    fn functions_cost_more_than_sums() {
        let sum = operations(&kernel("y[id.x] = y[id.x] + 1.0;"), &[]);
        let sine = operations(&kernel("y[id.x] = sin(y[id.x]);"), &[]);
        assert!(sine > 2.0 * sum, "{sum} {sine}");
    }

    #[test]
    fn a_launch_shows_the_rate_of_what_it_waited_for() {
        let guess = Roofline { compute: 100.0, memory: 10.0, link: Some(5.0) };
        let near = |(bound, rate): (Bound, f64), expected: Bound, as_much: f64| {
            assert_eq!(bound, expected);
            assert!((rate - as_much).abs() < 1e-9, "{rate}");
        };
        // 10 seconds of arithmetic were expected, and 2 on the link; it took 22.
        let work = Work { operations: 1000.0, bytes: 50.0 };
        near(guess.shown(&work, 10.0, 22.0), Bound::Compute, 50.0);
        let work = Work { operations: 100.0, bytes: 50.0 };
        near(guess.shown(&work, 0.0, 2.5), Bound::Memory, 20.0);
        near(guess.shown(&work, 50.0, 30.0), Bound::Link, 2.0);
        // `LEAST_PART` bounds the time left for the limiting resource from below.
        near(guess.shown(&work, 50.0, 5.0), Bound::Link, 50.0);
        let known = guess.with([None, Some(20.0), Some(2.0)]);
        assert_eq!(known, Roofline { compute: 100.0, memory: 20.0, link: Some(2.0) });
        assert_eq!(work.seconds(&known), 2.5 + 25.0);
        let here = Roofline { link: None, ..guess };
        assert_eq!(here.with([None, None, Some(9.0)]).link, None, "no link grows by itself");
    }

    #[test]
    fn the_dearer_of_arithmetic_and_memory_counts_and_the_link_comes_on_top() {
        let device = Roofline { compute: 100.0, memory: 10.0, link: None };
        assert_eq!(Work { operations: 1000.0, bytes: 10.0 }.seconds(&device), 10.0);
        assert_eq!(Work { operations: 100.0, bytes: 50.0 }.seconds(&device), 5.0);
        let device = Roofline { link: Some(5.0), ..device };
        assert_eq!(Work { operations: 100.0, bytes: 50.0 }.seconds(&device), 15.0);
    }
}
