//! The description of a launch: bindings, values, grid and options. All of it is checked here, before
//! anything runs.

use std::sync::Arc;

use bytemuck::NoUninit;

use super::check;
use crate::cpu::Findings;
use crate::error::{Error, Result};
use crate::kernel::{
    Binding, BindingId, Kernel, PartialValue, RustType, Space, Value, check_buffer, check_element,
    check_value, check_value_bytes,
};
use crate::memory::{BufferRange, reserve};
use crate::pending::{Job, Pending};
use crate::plan::{Plan, Wishes, facts_in_words};
use crate::runtime::execution::{self, Checked, Resources, Tightness, Tolerance, Verification};
use crate::runtime::report::Report;

/// The most iterations of one invocation in loops that are not known to end. This is far more than a kernel
/// that ends needs, and takes machine code about a second.
const LOOP_BUDGET: u64 = 1 << 26;

/// The same for launches that are checked or measured, where each iteration takes longer.
const WATCHED_LOOP_BUDGET: u64 = 1 << 16;

/// A launch that was submitted.
pub type LaunchFuture = Pending<Report>;

/// The description of a launch; made by [`Runtime::launch`](crate::Runtime::launch).
///
/// [`Launch::run`], [`Launch::submit`] and [`Launch::plan`] report the first mistake in it.
#[derive(Debug, Clone)]
#[must_use = "a launch does nothing until it is run or submitted"]
pub struct Launch {
    resources: Arc<Resources>,
    kernel: Kernel,
    bound: Vec<Option<Given>>,
    grid: Option<Grid>,
    wishes: Wishes,
    loop_budget: Option<u64>,
    transactional: bool,
    verification: Verification,
    mistake: Option<Error>,
}

#[derive(Debug, Clone)]
enum Given {
    Buffer(BufferRange),
    Value(Vec<u8>),
    Parts(PartialValue),
}

#[derive(Debug, Clone, Copy)]
enum Grid {
    Workgroups([u64; 3]),
    Invocations([u64; 3]),
}

impl Launch {
    pub(crate) fn new(resources: Arc<Resources>, kernel: Kernel) -> Launch {
        let signature = kernel.signature();
        let bound = vec![None; signature.bindings.len() + signature.unused.len()];
        Launch {
            resources,
            kernel,
            bound,
            grid: None,
            wishes: Wishes::default(),
            loop_budget: None,
            transactional: false,
            verification: Verification::default(),
            mistake: None,
        }
    }

    /// Binds a buffer, or a part of one ([`crate::Buffer::slice`]), to a storage variable, by its
    /// WGSL name or as `GROUP:BINDING`.
    ///
    /// The element type must have the memory layout of the WGSL type. It has the same stride, or it
    /// is the scalar that a WGSL element without padding consists of, or it is `u8`. Numbers and
    /// arrays of numbers are checked by kind too, as [`Launch::set`] does.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).run()?;
    /// // Half of the buffer, by group and binding.
    /// let half = data.slice(..128)?;
    /// rt.launch(&kernel).bind("0:0", half).workgroups([2, 1, 1]).run()?;
    /// assert_eq!(data.read(127..129)?, [3, 2]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn bind(self, name: &str, buffer: impl Into<BufferRange>) -> Self {
        let buffer = buffer.into();
        self.attempt(|launch| {
            let (id, binding) = launch.find(name)?;
            if !binding.space.is_storage() {
                return Err(Error::Binding {
                    name: name.to_owned(),
                    problem: format!(
                        "it is a {}, which takes a value; use set, or set_bytes with the contents \
                         of the buffer",
                        if binding.space == Space::Uniform { "uniform" } else { "var<immediate>" }
                    ),
                });
            }
            check_element(binding, buffer.element)?;
            check_buffer(binding, buffer.len())?;
            launch.bound[id] = Some(Given::Buffer(buffer));
            Ok(())
        })
    }

    /// Gives a uniform (or `var<immediate>`) its value, by WGSL name or as `GROUP:BINDING`. The Rust
    /// type must have the size of the WGSL type, with or without the padding at its end.
    ///
    /// A number or an array is checked by kind: floats for floats, integers for integers (`i32` and
    /// `u32` are the same bits), and rows of the same length:
    ///
    /// | WGSL | Rust |
    /// |---|---|
    /// | `f32` | `f32` |
    /// | `vec3<u32>` | `[u32; 3]` |
    /// | `mat4x2<f32>`, four columns | `[[f32; 2]; 4]`, or `[f32; 8]` |
    /// | `mat3x3<f32>`, each column padded | `[[f32; 4]; 3]` |
    /// | `array<vec4<f32>, 9>` | `[[f32; 4]; 9]`, or `[f32; 36]` |
    /// | `struct Grid { size: vec2<u32>, step: f32 }` | `#[derive(Clone, Copy, bytemuck::NoUninit)]` `#[repr(C)]` `struct Grid { size: [u32; 2], step: f32 }` |
    ///
    /// For a Rust struct only the size is checked, since the order and types of its fields are not
    /// known here. [`Launch::set_field`] checks each field by its name. An array of integers for a
    /// WGSL struct with fields of several types gives the struct's 32-bit words.
    ///
    /// ```
    /// use coexec::{Buffer, Kernel, Runtime};
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<uniform> factor: f32;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(1)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] *= factor; }",
    /// )?;
    /// let rt = Runtime::builder().devices("cpu").build()?;
    /// let data = Buffer::from_slice(&[1.0f32, 2.0]);
    /// let launch = || rt.launch(&kernel).bind("data", &data).workgroups([2, 1, 1]);
    /// launch().set("factor", &1.5f32).run()?;
    /// assert_eq!(data.to_vec()?, [1.5, 3.0]);
    /// let error = launch().set("factor", &2).run().unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "binding `factor`: the value is i32, and WGSL's is f32; use f32"
    /// );
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn set<T: NoUninit>(self, name: &str, value: &T) -> Self {
        let bytes = bytemuck::bytes_of(value).to_vec();
        let check = |binding: &Binding| check_value(binding, RustType::of::<T>());
        self.attempt(|launch| launch.give(name, bytes, check))
    }

    /// As [`Launch::set`], from bytes in WGSL's memory layout. Bytes beyond the end of the type are
    /// ignored, such as the padding of a uniform buffer to a multiple of 256.
    ///
    /// ```
    /// # use coexec::{Buffer, Kernel, Runtime};
    /// # let rt = Runtime::builder().devices("cpu").build()?;
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<uniform> shift: vec2<u32>;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<vec2<u32>>;
    ///      @compute @workgroup_size(1)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] += shift; }",
    /// )?;
    /// let (padded, data) = (Buffer::from_slice(&[7u8; 256]), Buffer::from_slice(&[[0u32; 2]]));
    /// let launch = rt.launch(&kernel).set_bytes("shift", padded.to_vec()?).bind("data", &data);
    /// launch.workgroups([1, 1, 1]).run()?;
    /// assert_eq!(data.to_vec()?, [[0x07070707; 2]]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn set_bytes(self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let given = bytes.len() as u64;
        let check = |binding: &Binding| check_value_bytes(binding, given);
        self.attempt(|launch| launch.give(name, bytes, check))
    }

    /// Gives one field of a uniform (or `var<immediate>`) its value: `grid.width`, `a.b[3].x`,
    /// `GROUP:BINDING.x`. The launch needs a value for every field. A whole number converts to any
    /// type that can represent it: `2` is also a float.
    ///
    /// ```
    /// # use coexec::{Buffer, Kernel, Runtime};
    /// # let rt = Runtime::builder().devices("cpu").build()?;
    /// let kernel = Kernel::from_wgsl(
    ///     "struct Ramp { first: f32, step: f32 }
    ///      @group(0) @binding(0) var<uniform> ramp: Ramp;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(1)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    ///          data[id.x] = ramp.first + ramp.step * f32(id.x);
    ///      }",
    /// )?;
    /// let data = Buffer::<f32>::zeroed(3);
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([3, 1, 1]);
    /// launch.set_field("ramp.first", 2).set_field("ramp.step", 0.5).run()?;
    /// assert_eq!(data.to_vec()?, [2.0, 2.5, 3.0]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn set_field(self, path: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        self.attempt(|launch| {
            let end = path.find(['.', '[']).unwrap_or(path.len());
            let (name, inner) = path.split_at(end);
            let kernel = launch.kernel.clone();
            let (id, binding) = kernel.binding(name)?;
            let mut parts = match launch.bound[id].take() {
                Some(Given::Parts(parts)) => parts,
                before => {
                    launch.bound[id] = before;
                    launch.find_value(name)?;
                    PartialValue::new(binding)
                }
            };
            parts.set(binding, inner.strip_prefix('.').unwrap_or(inner), &value)?;
            launch.bound[id] = Some(Given::Parts(parts));
            Ok(())
        })
    }

    /// A binding that takes a value and has none yet.
    fn find_value(&self, name: &str) -> Result<(BindingId, &Binding)> {
        let (_, binding) = self.kernel.binding(name)?;
        if binding.space.is_storage() {
            return Err(Error::Binding {
                name: name.to_owned(),
                problem: "it is a storage variable, which takes a buffer; use bind".to_owned(),
            });
        }
        self.find(name)
    }

    fn give(
        &mut self,
        name: &str,
        mut bytes: Vec<u8>,
        check: impl FnOnce(&Binding) -> Result<()>,
    ) -> Result<()> {
        let (id, binding) = self.find_value(name)?;
        check(binding)?;
        bytes.resize(binding.layout.whole_bytes() as usize, 0);
        self.bound[id] = Some(Given::Value(bytes));
        Ok(())
    }

    /// The grid, in workgroups along x, y and z. A zero makes the launch do nothing.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// rt.launch(&kernel).bind("data", &data).workgroups([2, 1, 1]).run()?; // of 64 invocations
    /// assert_eq!(data.read(127..129)?, [2, 1]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn workgroups(mut self, count: [u64; 3]) -> Self {
        self.grid = Some(Grid::Workgroups(count));
        self
    }

    /// The grid, in invocations along x, y and z, rounded up to whole workgroups. Nothing is
    /// masked: the kernel itself must leave out invocations beyond its data.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// rt.launch(&kernel).bind("data", &data).invocations([100, 1, 1]).run()?;
    /// assert_eq!(data.read(127..129)?, [2, 1]); // two workgroups of 64
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn invocations(mut self, count: [u64; 3]) -> Self {
        self.grid = Some(Grid::Invocations(count));
        self
    }

    /// Splits the launch into exactly `count` chunks, if the grid allows it.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let report = launch.chunks(2).run()?;
    /// assert_eq!(report.devices[0].chunks, 2);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn chunks(mut self, count: u32) -> Self {
        self.wishes.chunks = Some(count);
        self
    }

    /// Promises that the kernel has no data race: no workgroup writes an element that another touches.
    /// Without the promise, a buffer that is read and written, and that can't be proven safe, keeps the
    /// launch whole. With it, each chunk works on a copy that starts as the launch's input, and the
    /// differences are merged. If the promise does not hold, the result depends on how the launch is cut.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// launch.assume_race_free().run()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn assume_race_free(mut self) -> Self {
        self.wishes.race_free = true;
        self
    }

    /// Makes results reproducible: the same bits on the same machine, as long as no device fails. Each device
    /// gets the same share every time, regardless of measurements, and no chunk is computed twice.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// launch.reproducible().run()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn reproducible(mut self) -> Self {
        self.wishes.reproducible = true;
        self
    }

    /// The most iterations of one invocation in loops that are not known to end. The default is 2²⁶, and 2¹⁶
    /// for [`Launch::check`] and [`Launch::measure`], which take longer per iteration. A launch that exceeds
    /// it ends with [`Error::EndlessLoop`].
    ///
    /// ```
    /// use coexec::{Buffer, Error, Kernel, Runtime};
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
    ///      @compute @workgroup_size(1) fn main() { loop { if x[0] == 1u { break; } } }",
    /// )?;
    /// let rt = Runtime::builder().devices("cpu").build()?;
    /// let x = Buffer::<u32>::zeroed(1);
    /// let launch = rt.launch(&kernel).bind("x", &x).workgroups([1, 1, 1]);
    /// assert!(matches!(launch.loop_budget(1000).run(), Err(Error::EndlessLoop { .. })));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn loop_budget(mut self, iterations: u64) -> Self {
        self.loop_budget = Some(iterations);
        self
    }

    /// Restores the buffers that the launch writes if it fails or is cancelled, instead of poisoning them.
    /// This costs a copy of the elements that are written in place.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// if launch.transactional().run().is_err() {
    ///     assert_eq!(data.to_vec()?, [1; 256]);
    /// }
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    /// Computes a fraction of the grid, from 0 to 1, a second time on another device (on the CPU's
    /// interpreter if there is no other), and compares the results: floats within [`Launch::tolerance`],
    /// integers within [`Launch::integer_tolerance`]. At least one piece of each device's work is verified.
    /// If results differ, a third device decides. The work of the wrong device is computed again, and the
    /// report names the element and both values. [`Report::verified`] says how much was compared. This costs
    /// a copy of the elements that are written in place.
    ///
    /// A launch is not verified if its results depend on the order of its invocations (tickets from an
    /// atomic), or on the subgroup size and devices differ in it: two devices may both be right then.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let report = launch.verify(0.5).run()?;
    /// assert!(report.verified.is_some());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn verify(self, fraction: f64) -> Self {
        self.attempt(|launch| {
            if !(0.0..=1.0).contains(&fraction) {
                return Err(Error::Range(format!(
                    "the fraction to verify is {fraction}, and must be from 0 to 1"
                )));
            }
            launch.verification.fraction = fraction;
            Ok(())
        })
    }

    /// The allowed difference of floats when a launch is verified: `absolute`, or `relative` times the larger
    /// one. The defaults are 1e-6 and 1e-5.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// launch.verify(0.5).tolerance(1e-6, 1e-4).run()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn tolerance(mut self, absolute: f64, relative: f64) -> Self {
        let before = self.verification.tolerance;
        self.verification.tolerance = Tolerance { absolute, relative, ..before };
        self
    }

    /// The allowed difference of integers when a launch is verified. The default is 0. Others are for
    /// integers that are computed from floats, such as fixed-point numbers: if a float differs in its last
    /// bit, the integer may differ by a few units.
    ///
    /// ```
    /// use coexec::{Buffer, Kernel, Runtime};
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> y: array<i32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    ///          y[id.x] = i32(sqrt(f32(id.x)) * 1e6);
    ///      }",
    /// )?;
    /// let rt = Runtime::builder().devices("virtual:2:cpu").build()?;
    /// let y = Buffer::<i32>::zeroed(256);
    /// let launch = rt.launch(&kernel).bind("y", &y).workgroups([4, 1, 1]);
    /// let report = launch.verify(1.0).integer_tolerance(4).run()?;
    /// assert_eq!(report.verified.map(|verified| verified.workgroups()), Some(4));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn integer_tolerance(mut self, most: u32) -> Self {
        self.verification.tolerance.integers = most;
        self
    }

    /// Runs the launch and waits for its end.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let report = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).run()?;
    /// println!("{report}");
    /// assert_eq!(data.to_vec()?, [2; 256]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// Before anything ran: [`Error::Binding`], [`Error::Grid`], [`Error::Poisoned`],
    /// [`Error::NoDevice`]. Afterwards: [`Error::EndlessLoop`], [`Error::NoDevice`] when every
    /// device failed, [`Error::Internal`]. The buffers that the kernel writes are poisoned then, or
    /// restored if the launch is [`Launch::transactional`].
    pub fn run(self) -> Result<Report> {
        let checked = self.checked()?;
        let buffers = reserve(checked.reservations());
        execution::run(&checked, &buffers, &Job::default())
    }

    /// Starts the launch and returns a future of its report, with progress and cancellation
    /// ([`Pending`] has an example). Later launches and reads of the same buffers wait for it.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let future = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).submit()?;
    /// assert_eq!(data.read(..1)?, [2]); // waits for the launch
    /// future.wait()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Launch::run`] before anything ran; the future gives the others.
    pub fn submit(self) -> Result<LaunchFuture> {
        let checked = self.checked()?;
        // Not on the launch's thread: launches queue for buffers in the caller's order.
        let buffers = reserve(checked.reservations());
        Pending::spawn("launch", checked.workgroups(), move |job| {
            execution::run(&checked, &buffers, job)
        })
    }

    /// Returns the plan by which the launch would be split, without running it.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let plan = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).plan()?;
    /// println!("{plan}"); // how the launch is split, and why
    /// assert_eq!(data.read(..1)?, [1]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Launch::run`] before anything ran.
    pub fn plan(self) -> Result<Plan> {
        let checked = self.checked()?;
        let reads = checked.reservations().into_iter().map(|(n, b, _)| (n, b, false)).collect();
        let buffers = reserve(reads);
        execution::plan_only(&checked, &buffers)
    }

    /// Measures how tight the footprints are that the launch's plan rests on: runs every band in the
    /// interpreter, on copies, and counts the elements that it touches. This is slow. The buffers do not
    /// change.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let tightness = launch.measure()?;
    /// assert_eq!(tightness[0].buffer, "data");
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Launch::run`]. [`Error::Internal`] if an element is touched that was not inferred: a bug of coexec.
    pub fn measure(self) -> Result<Vec<Tightness>> {
        let checked = self.watched()?;
        let reads = checked.reservations().into_iter().map(|(n, b, _)| (n, b, false)).collect();
        let buffers = reserve(reads);
        execution::measure(&checked, &buffers)
    }

    /// Checks the launch: runs it on one thread of the CPU, regardless of the runtime's devices, and reports
    /// data races, accesses out of bounds, and barriers and subgroup operations in divergent control flow.
    /// Each finding has happened on this data. The buffers do not change, and the results are discarded. With
    /// [`Launch::chunks`], a race across workgroups is also marked if it is between chunks, for a grid that
    /// is cut into that many along its last axis. `tracing` events of the target `coexec::progress` report
    /// the progress: `done` workgroups of `total`.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> sum: u32;
    ///      @compute @workgroup_size(64) fn main() { sum += 1u; }",
    /// )?;
    /// let runtime = coexec::Runtime::builder().devices("cpu").build()?;
    /// let sum = coexec::Buffer::<u32>::zeroed(1);
    /// let found = runtime.launch(&kernel).bind("sum", &sum).workgroups([1, 1, 1]).check()?;
    /// assert_eq!(found.findings[0].rule, coexec::Rule::RaceInWorkgroup);
    /// assert_eq!(found.findings[0].first.line, 2);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Launch::run`] before anything ran, and [`Error::EndlessLoop`] if no finding explains the loop.
    pub fn check(self) -> Result<Findings> {
        check::check(&self.watched()?, false)
    }

    /// As [`Launch::check`], and reports suspicious operations, too: reads of workgroup, private and function
    /// memory that was never written, NaN and infinity from finite operands, and indices whose arithmetic
    /// overflows.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let findings = launch.check_with_lints()?;
    /// assert_eq!((findings.errors(), findings.lints()), (0, 0));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Launch::check`].
    pub fn check_with_lints(self) -> Result<Findings> {
        check::check(&self.watched()?, true)
    }

    /// Facts about the kernel that hold for all arguments, in sentences: barriers, atomics, subgroups, loops.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// for fact in rt.launch(&kernel).facts() {
    ///     println!("{fact}");
    /// }
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn facts(&self) -> Vec<String> {
        facts_in_words(&self.kernel, self.resources.memo.analysis(&self.kernel).facts())
    }

    fn attempt(mut self, step: impl FnOnce(&mut Self) -> Result<()>) -> Self {
        if self.mistake.is_none() {
            self.mistake = step(&mut self).err();
        }
        self
    }

    /// A binding that has no buffer or value yet.
    fn find(&self, name: &str) -> Result<(BindingId, &Binding)> {
        let found = self.kernel.binding(name)?;
        if self.bound[found.0].is_some() {
            return Err(Error::Binding {
                name: name.to_owned(),
                problem: "it was given twice".to_owned(),
            });
        }
        Ok(found)
    }

    /// The same launch on another runtime's devices.
    pub(crate) fn on(mut self, resources: &Arc<Resources>) -> Launch {
        self.resources = Arc::clone(resources);
        self
    }

    /// As `checked`, for a launch that is checked or measured.
    fn watched(mut self) -> Result<Checked> {
        self.loop_budget.get_or_insert(WATCHED_LOOP_BUDGET);
        self.checked()
    }

    pub(crate) fn checked(mut self) -> Result<Checked> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        let signature = self.kernel.signature();
        let mut buffers = Vec::new();
        let mut values = Vec::new();
        let bound = std::mem::take(&mut self.bound);
        for (binding, given) in signature.bindings.iter().zip(bound) {
            let missing = |remedy: &str| Error::Binding {
                name: binding.name.clone(),
                problem: format!("nothing was given for this {}; {remedy}", binding.type_name),
            };
            match given {
                Some(Given::Buffer(buffer)) => {
                    buffers.push(Some(buffer));
                    values.push(Vec::new());
                }
                Some(Given::Value(bytes)) => {
                    buffers.push(None);
                    values.push(bytes);
                }
                Some(Given::Parts(parts)) => {
                    buffers.push(None);
                    values.push(parts.finish(binding)?);
                }
                None if binding.space.is_storage() => {
                    return Err(missing("bind a buffer to it"));
                }
                None => return Err(missing("set its value")),
            }
        }
        self.check_aliases(&buffers)?;
        let grid = self.resolve_grid()?;
        Ok(Checked {
            devices: self.resources.fleet.members(),
            resources: self.resources,
            kernel: self.kernel,
            grid,
            buffers,
            values,
            wishes: self.wishes,
            loop_budget: self.loop_budget.unwrap_or(LOOP_BUDGET),
            transactional: self.transactional,
            verification: self.verification,
        })
    }

    fn check_aliases(&self, buffers: &[Option<BufferRange>]) -> Result<()> {
        let bindings = &self.kernel.signature().bindings;
        for (i, a) in buffers.iter().enumerate() {
            for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                let (Some(a), Some(b)) = (a, b) else { continue };
                let written =
                    [i, j].into_iter().find(|&k| bindings[k].space == Space::StorageWrite);
                if let Some(written) = written
                    && a.overlaps(b)
                {
                    return Err(Error::Binding {
                        name: bindings[j].name.clone(),
                        problem: format!(
                            "it shares memory with `{}`, and the kernel writes `{}`; bind another \
                             buffer, or parts that do not overlap",
                            bindings[i].name, bindings[written].name
                        ),
                    });
                }
            }
        }
        Ok(())
    }

    fn resolve_grid(&self) -> Result<[u32; 3]> {
        let size = self.kernel.signature().workgroup_size;
        let (counts, per_group, unit) = match self.grid {
            None => {
                return Err(Error::Grid(
                    "none was given; call .workgroups([x, y, z]) or .invocations([x, y, z])".into(),
                ));
            }
            Some(Grid::Workgroups(counts)) => (counts, [1; 3], "workgroups"),
            Some(Grid::Invocations(counts)) => (counts, size, "invocations"),
        };
        let mut grid = [0; 3];
        for axis in 0..3 {
            let groups = counts[axis].div_ceil(u64::from(per_group[axis]));
            // global_invocation_id is a u32, so the last invocation's must fit.
            let invocations = u128::from(groups) * u128::from(size[axis]);
            if invocations > 1 << 32 {
                return Err(Error::Grid(format!(
                    "{} {unit} along {} are {invocations} invocations, and \
                     global_invocation_id reaches 2^32 - 1; launch the grid in parts",
                    counts[axis],
                    ["x", "y", "z"][axis],
                )));
            }
            grid[axis] = u32::try_from(groups).map_err(|_| {
                Error::Grid(format!(
                    "{groups} workgroups along an axis, and at most 2^32 - 1 are possible"
                ))
            })?;
        }
        Ok(grid)
    }
}
