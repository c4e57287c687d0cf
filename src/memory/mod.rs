//! Buffers: one logical array each, in host memory and on devices.
//!
//! Invariants: every access to a buffer's bytes holds a granted pass of its gate. A buffer that a failed launch
//! left half-written is poisoned, and its next reader gets that error. The host's memory may be stale where a
//! device has written, so its reader fetches the bytes first (`residency`). Bytes that only devices have can be
//! computed again (`entries`, `log`, `pins`). `analysis` finds the accesses of a launch, `device::Store` transfers bytes,
//! and `runtime` decides which bytes are worth keeping where.

mod allocation;
mod gate;
mod ranges;

mod copies;
mod device_memory;

mod log;
mod window;

mod pins;

mod entries;

mod residency;

mod shared;

mod part;

mod buffer;
mod reserve;

#[cfg(test)]
mod residency_tests;

pub use buffer::Buffer;
pub(crate) use copies::{Copies, PrivateCopy};
pub(crate) use device_memory::{DeviceMemory, Moved};
pub(crate) use entries::{Entry, Recorder, Repeat};
pub(crate) use log::{Log, Weight};
pub use part::BufferRange;
pub(crate) use reserve::{Reservation, reserve};
