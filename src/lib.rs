//! One unmodified WGSL compute kernel, on every processor of the machine at once.
//!
//! This is the facade: the names a user imports, and nothing else.

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
