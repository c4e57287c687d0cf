//! The executor of GPUs, through wgpu.
//!
//! One [`GpuDevice`] is one logical device on one adapter; several on one adapter do not know of
//! each other. A chunk runs the module that `rewrite` made of its kernel, on copies of the windows
//! that it touches. Its results reach the host only when it has succeeded. The runtime decides
//! which chunk runs where, and what follows a failure.
//!
//! **Threads.** This module has none of its own, except one while a kernel compiles (`pipeline`).
//! [`Device::start`](crate::device::Device::start) runs on the caller's thread: it copies the
//! windows into staging memory, records, submits, and returns while the device computes.
//! `Running::finish` runs on the caller's thread, too: it waits for its submission and copies from
//! mapped memory to the host. wgpu calls callbacks on any thread that is waiting; ours only send on
//! a channel or record a failure, and never call wgpu. All methods may be called from several
//! threads at once; error scopes are per thread and never outlive a call.
//!
//! **Locks.** They are: the pipeline cache (held while compiling), the pool's list, the time of the
//! last completion. None is held while waiting for the device, and none while another is taken.

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
