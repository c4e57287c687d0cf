//! One unmodified WGSL compute kernel, on every processor of the machine at once.
//!
//! coexec takes a data-parallel kernel in plain [WGSL] and launches it over buffers. It finds the elements that each
//! part of the grid reads and writes, divides the grid between every GPU (through wgpu) and the CPU (through its own
//! compiler), moves the data that each part needs, and gives the same result as one device alone. If a device fails,
//! another one computes its part.
//!
//! ```
//! use coexec::{Buffer, Kernel, Runtime};
//!
//! let rt = Runtime::new()?; // every GPU, and the CPU
//! let kernel = Kernel::from_wgsl(
//!     "@group(0) @binding(0) var<uniform> factor: f32;
//!      @group(0) @binding(1) var<storage, read> x: array<f32>;
//!      @group(0) @binding(2) var<storage, read_write> y: array<f32>;
//!
//!      @compute @workgroup_size(256)
//!      fn scale(@builtin(global_invocation_id) id: vec3<u32>) {
//!          if id.x < arrayLength(&y) { y[id.x] = factor * x[id.x]; }
//!      }",
//! )?;
//! let x = Buffer::from_slice(&[1.0f32; 1000]);
//! let y = Buffer::<f32>::zeroed(1000);
//! let launch = rt.launch(&kernel).bind("x", &x).bind("y", &y).set("factor", &2.5f32);
//! let report = launch.invocations([1000, 1, 1]).run()?;
//! println!("{report}"); // which device computed which share, how fast
//! assert_eq!(y.read(..3)?, [2.5, 2.5, 2.5]);
//! # Ok::<(), coexec::Error>(())
//! ```
//!
//! # What to read next
//!
//! | if you want to | read |
//! |---|---|
//! | choose devices, limit their memory, simulate failures | [`RuntimeBuilder`] |
//! | bind data, set uniforms, choose the grid | [`Launch`] |
//! | run many small launches without waits between them | [`Sequence`] |
//! | launch without blocking a thread | [`Launch::submit`], [`Pending`] |
//! | know how a launch would be split, and why | [`Launch::plan`], [`Plan`] |
//! | find data races and out-of-bounds accesses in a kernel | [`Launch::check`] |
//! | have results verified on a second device | [`Launch::verify`] |
//! | know the bindings of a kernel | [`Kernel::signature`] |
//! | start from a ready-made kernel | [`ops`] |
//!
//! # The types by subject
//!
//! - **Launching**: [`Runtime`] owns the devices; [`RuntimeBuilder`] chooses them. [`Kernel`] is a compiled entry point,
//!   [`KernelBuilder`] sets its constants, [`Prepared`] says which engines compiled it. [`Launch`] is one launch,
//!   [`Sequence`] many. [`LaunchFuture`] and [`Pending`] are launches and reads under way.
//! - **Data**: [`Buffer`] is host memory that devices share, [`BufferRange`] a part of it. [`Value`] is the value of a uniform,
//!   for programs that learn its type at run time.
//! - **Signatures**: [`Signature`] lists [`Binding`]s and [`Constant`]s; [`Layout`], [`Space`], [`ValueType`], [`ScalarType`] and
//!   [`Field`] describe a binding.
//! - **Devices**: [`DeviceInfo`], [`DeviceKind`], [`DeviceLimits`]; [`Engine`] names a compiler of the CPU.
//! - **Results**: [`Report`] and [`SequenceReport`] have a [`DeviceReport`] for each device, [`FailureEvent`]s, and the outcome of
//!   verification ([`Verified`], [`VerifiedPart`]). [`Quarantined`] and [`Remedy`] say how a failed device was handled. [`Error`] is the one
//!   error type, [`FailureKind`] classifies failures of devices.
//! - **Explaining**: [`Plan`] says how a launch is split; [`Measured`] and [`Tightness`] compare inferred footprints with real
//!   accesses; [`listing`] prints generated code ([`Listing`]); [`simulate`] simulates the scheduler on devices that are not at hand.
//! - **Checking**: [`Findings`] of [`Launch::check`], each a [`Finding`] of a [`Rule`], with its [`Witness`]es, [`Invocation`]s and
//!   their [`Action`]s.
//!
//! # Features
//!
//! `gpu` (default) adds GPUs through wgpu; without it kernels run on the CPU. `cli` (default) is needed by the command-line tool
//! and the examples only. A program that links the library sets `default-features = false, features = ["gpu"]`.
//!
//! [WGSL]: https://www.w3.org/TR/WGSL/

mod error;
mod grid;
mod region;

mod pending;
mod pitch;

mod kernel;

mod device;

mod analysis;

#[cfg(feature = "gpu")]
mod rewrite;

mod plan;

mod cpu;
#[cfg(feature = "gpu")]
mod gpu;

mod memory;

mod runtime;

pub mod ops;

pub use cpu::{Action, Finding, Findings, Invocation, Listing, Rule, Witness, listing};
pub use device::{DeviceInfo, DeviceKind, DeviceLimits, Engine};
pub use error::{Error, FailureKind, Result};
pub use kernel::{
    Binding, Constant, Field, Kernel, KernelBuilder, Layout, ScalarType, Signature, Space, Value,
    ValueType,
};
pub use memory::{Buffer, BufferRange};
pub use pending::Pending;
pub use plan::{Plan, simulate};
pub use runtime::{
    DeviceReport, FailureEvent, Launch, LaunchFuture, Measured, Prepared, Quarantined, Remedy,
    Report, Runtime, RuntimeBuilder, Sequence, SequenceReport, Tightness, Verified, VerifiedPart,
};

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
