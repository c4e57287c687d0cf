//! The executor of GPUs, through wgpu.
//!
//! One [`GpuDevice`] is one logical device on one adapter; several on one adapter do not know of
//! each other. A chunk runs the module that `rewrite` made of its kernel, on copies of the windows
//! that it touches, and what it wrote comes back to the host only when it has succeeded. Which
//! chunk runs where, and what happens after a failure, is decided above.
//!
//! Which thread does what. This module has no threads of its own, except one for as long as a
//! kernel compiles (`pipeline`). [`Device::start`](crate::device::Device::start) runs on the caller's thread: it copies the
//! window into staging memory, records, submits, and returns while the device computes.
//! `Running::finish` runs on the caller's thread too: it waits for that one submission and copies
//! from mapped memory to the host. wgpu calls its callbacks on whichever thread happens to wait at
//! that moment; ours only send on a channel or note a failure, and never call wgpu. All methods may
//! be called from several threads at once; error scopes are per thread and never outlive a call.
//! The locks are: the pipeline cache (held while compiling), the pool's list, the time of the last
//! completion. None is held while waiting for the device, and none while another is taken.

mod dispatch;
mod failure;
mod limits;
mod pool;
mod window;

mod adapters;

mod open;

mod pipeline;

mod logical;

mod inputs;

mod store;

mod chunk;

mod batch;

mod executor;

#[cfg(test)]
mod tests;

pub(crate) use adapters::{AdapterHandle, adapters};
pub(crate) use logical::GpuDevice;
pub(crate) use open::Settings;
