//! Buffers: one logical array each, in host memory.
//!
//! What always holds: whoever touches a buffer's bytes has a granted pass of its gate; a buffer
//! that a failed launch left half-written is poisoned, and says so to whoever reads it next.
//! What this floor leaves to others: what a launch reads and writes (`analysis`), and moving
//! bytes to devices (`gpu`).

mod allocation;
mod buffer;
mod copies;
mod gate;
mod ranges;
mod reserve;

pub use buffer::{Buffer, BufferRange};
pub(crate) use copies::{Copies, PrivateCopy};
pub(crate) use reserve::{Reservation, reserve};
