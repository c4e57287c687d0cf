//! Windows on a device that stops giving its bytes back.

use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::device_memory::{DeviceMemory, Meter, Moved};
use super::reserve;
use super::{Buffer, BufferRange};
use crate::device::{
    Block, Chunk, Device, DeviceInfo, DeviceKind, DeviceLimits, Fetch, HostBytes, Running, Store,
};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;

/// A device that only stores bytes, and fails to give them back once it is `gone`.
struct Keeper {
    info: DeviceInfo,
    gone: AtomicBool,
}

type Bytes = Mutex<Vec<u8>>;

impl Keeper {
    fn lost(&self) -> Error {
        Error::Device {
            device: self.info.id.clone(),
            kind: FailureKind::Lost,
            doing: "download data".to_owned(),
            cause: "told so".to_owned(),
        }
    }
}

impl Device for Keeper {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn prepare(&self, _: &Kernel) -> Result<()> {
        Ok(())
    }

    fn depth(&self) -> usize {
        2
    }

    fn start<'a>(&'a self, _: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        Err(self.lost())
    }

    fn store(&self) -> Option<&dyn Store> {
        Some(self)
    }
}

fn bytes_of(block: &Block) -> &Bytes {
    block.get().expect("a block of this device")
}

impl Store for Keeper {
    fn largest(&self) -> u64 {
        1 << 20
    }

    fn allocate(&self, bytes: u64) -> Result<Block> {
        Ok(Block::new(Bytes::new(vec![0xee; bytes as usize])))
    }

    fn upload(&self, block: &Block, at: u64, from: HostBytes<'_>) -> Result<()> {
        let mut bytes = bytes_of(block).lock().unwrap();
        from.read(0, &mut bytes[at as usize..at as usize + from.len()]);
        Ok(())
    }

    fn download(&self, parts: &[Fetch<'_>]) -> Result<()> {
        if self.gone.load(Relaxed) {
            return Err(self.lost());
        }
        for part in parts {
            let (at, bytes) = (part.at as usize, bytes_of(&part.block).lock().unwrap());
            part.to.write(0, &bytes[at..at + part.to.len()]);
        }
        Ok(())
    }

    fn copy(&self, from: &Block, range: Range<u64>, to: &Block, at: u64) -> Result<()> {
        let part =
            bytes_of(from).lock().unwrap()[range.start as usize..range.end as usize].to_vec();
        bytes_of(to).lock().unwrap()[at as usize..at as usize + part.len()].copy_from_slice(&part);
        Ok(())
    }
}

const UNHEARD: Meter<'static> = &|_: &DeviceMemory, _: Moved| {};

fn keeper() -> Arc<Keeper> {
    let info = DeviceInfo {
        id: "d0".to_owned(),
        name: "keeper".to_owned(),
        driver: String::new(),
        advice: None,
        kind: DeviceKind::DiscreteGpu,
        limits: DeviceLimits {
            max_binding: 1 << 20,
            memory: 1 << 20,
            max_storage_bindings: 8,
            max_uniform_bindings: 8,
            max_invocations: 1024,
            max_workgroup_size: [1024; 3],
            max_workgroup_memory: 1 << 15,
            f16: true,
            subgroup_size: None,
        },
    };
    Arc::new(Keeper { info, gone: AtomicBool::new(false) })
}

#[test]
fn what_a_chunk_is_writing_in_host_memory_nothing_that_comes_down_lies_over() {
    let device: Arc<dyn Device> = keeper();
    let memory = DeviceMemory::of(&device).expect("it has a store");
    let buffer = Buffer::from_slice(&[1u32; 64]);
    let range = BufferRange::from(&buffer);
    let pass = reserve(vec![("data".to_owned(), range.clone(), true)]);
    let views = pass.wait().expect("nobody else wants it");
    let brought = range.bring(&memory, &(0..256), &(0..0), 4, UNHEARD).expect("it works");
    bytes_of(&brought.expect("there is room").block).lock().unwrap().fill(2);
    range.written_on(&memory, &(0..256), None);

    // In the next launch a device without a store writes the upper half without reading it. Another chunk wants
    // a window in a part for which the old window is too large.
    range.begins_to_write(0, &(128..256));
    views[0].write(128, &[7; 128]);
    let part = buffer.slice(16..).expect("a part");
    let bring = || part.bring(&memory, &(0..64), &(0..64), 4, UNHEARD).expect("it works");
    assert!(bring().is_none(), "the old window has to stay");
    // A range around the bytes that are needed.
    range.fetch(&(0..256), UNHEARD).expect("the device has it");
    range.written_on_host(&(128..256));
    range.ends_to_write(0, &(128..256));
    assert!(bring().is_some(), "now it can go");
    part.not_written_on(&memory, &(0..0));
    drop(pass);
    let all = buffer.to_vec().expect("the host has it");
    assert_eq!((&all[..32], &all[32..]), (&[0x0202_0202; 32][..], &[0x0707_0707; 32][..]));
}

#[test]
fn what_a_chunk_wrote_into_a_window_that_was_given_up_meanwhile_is_lost_and_not_what_the_host_had()
{
    let keeper = keeper();
    let device: Arc<dyn Device> = keeper.clone();
    let memory = DeviceMemory::of(&device).expect("it has a store");
    let buffer = Buffer::from_slice(&[1u32; 64]);
    let range = BufferRange::from(&buffer);
    let pass = reserve(vec![("data".to_owned(), range.clone(), true)]);
    pass.wait().expect("nobody else wants it");
    let bring = || range.bring(&memory, &(0..256), &(0..256), 4, UNHEARD).expect("it works");

    // A first chunk writes the lower half, and ends.
    let brought = bring().expect("there is room");
    bytes_of(&brought.block).lock().unwrap()[..128].fill(2);
    range.written_on(&memory, &(0..128), None);
    // A second chunk is in flight on the upper half when the device loses its bytes.
    let brought = bring().expect("there is room");
    keeper.gone.store(true, Relaxed);
    let lower = range.fetch(&(0..128), UNHEARD);
    assert!(matches!(lower, Err(Error::Poisoned { .. })), "{lower:?}");
    // The second chunk ends without an error.
    bytes_of(&brought.block).lock().unwrap()[128..].fill(3);
    range.written_on(&memory, &(128..256), None);
    // The host's bytes there are stale: older than both chunks.
    let upper = range.fetch(&(128..256), UNHEARD);
    assert!(matches!(upper, Err(Error::Poisoned { .. })), "{upper:?}");
    drop(pass);
    assert!(matches!(buffer.to_vec(), Err(Error::Poisoned { .. })));
    // Overwriting the whole buffer heals it.
    buffer.write(0, &[5; 64]).expect("all of it");
    assert_eq!(buffer.to_vec().expect("the host has it"), [5; 64]);
}
