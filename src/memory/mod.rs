//! Buffers: one logical array each, in host memory and on devices.
//!
//! What always holds: whoever touches a buffer's bytes has a granted pass of its gate; a buffer
//! that a failed launch left half-written is poisoned, and says so to whoever reads it next.
//! The host's memory may be out of date where a device has written; who needs it there fetches it
//! first (`residency`). What devices alone have can be computed again (`log`, `pins`). What this floor leaves to others: what a launch reads and writes
//! (`analysis`), how bytes move (`device::Store`), and what is worth keeping where (`runtime`).

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
