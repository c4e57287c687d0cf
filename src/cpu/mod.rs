//! The CPU executor. Its interpreter is not in yet: opening the CPU is an error.

use crate::device::{Chunk, Device, DeviceInfo, Running};
use crate::error::{Error, Result};
use crate::kernel::Kernel;

/// Which engine runs kernels on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The fastest that is there.
    #[default]
    Auto,
    /// The reference interpreter.
    Interpreter,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct CpuOptions {
    pub(crate) id: String,
    pub(crate) threads: Option<usize>,
    pub(crate) engine: Engine,
    pub(crate) subgroup_size: u32,
}

pub(crate) struct CpuDevice {
    info: DeviceInfo,
}

impl CpuDevice {
    pub(crate) fn new(options: CpuOptions) -> Result<CpuDevice> {
        Err(missing(&options.id))
    }
}

fn missing(device: &str) -> Error {
    Error::Device {
        device: device.to_owned(),
        doing: "open".to_owned(),
        cause: "the interpreter is not in yet".to_owned(),
    }
}

impl Device for CpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn prepare(&self, _: &Kernel) -> Result<()> {
        Err(missing(&self.info.id))
    }

    fn depth(&self) -> usize {
        1
    }

    fn start<'a>(&'a self, _: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        Err(missing(&self.info.id))
    }
}
