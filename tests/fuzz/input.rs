//! The input of a launch: small buffers with random contents, and a small grid.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use coexec::{Buffer, Error, Kernel, Launch, LaunchFuture, Report, Runtime};

use crate::executions::Random;

/// A kernel with small buffers and a small grid.
pub(crate) struct Input {
    pub(crate) kernel: Kernel,
    /// The contents of each binding.
    bytes: Vec<Vec<u8>>,
    pub(crate) grid: [u64; 3],
}

impl Input {
    pub(crate) fn new(random: &mut Random, kernel: Kernel, wild: bool) -> Input {
        let bindings = &kernel.signature().bindings;
        let bytes = bindings
            .iter()
            .map(|binding| {
                let layout = &binding.layout;
                let least = layout.min_bytes().min(1 << 16);
                let mut len = least + layout.stride.min(256) * random.below(40) as u64;
                if wild && random.one_in(3) {
                    len = random.below(300) as u64;
                }
                if !binding.space.is_storage() || layout.count.is_some() {
                    len = layout.min_bytes().min(1 << 16);
                }
                let small = random.one_in(2);
                let word = |random: &mut Random| match random.below(4) {
                    0 => random.next() as u32,
                    1 => (random.below(100) as f32 - 20.0).to_bits(),
                    _ if small => random.below(16) as u32,
                    _ => random.below(1000) as u32,
                };
                let words = len.div_ceil(4);
                let mut bytes: Vec<u8> =
                    (0..words).flat_map(|_| word(random).to_le_bytes()).collect();
                bytes.truncate(len as usize);
                bytes
            })
            .collect();
        let axis = |random: &mut Random| match random.below(6) {
            0 if wild => 0,
            n => 1 + (n as u64).saturating_sub(2),
        };
        let mut grid =
            [1 + random.below(9) as u64, axis(random), if random.one_in(3) { 2 } else { 1 }];
        // Many large workgroups are rare, because the interpreter takes most of an execution's time.
        let size = kernel.signature().workgroup_size;
        let size = size.iter().map(|&n| u64::from(n)).product::<u64>();
        if size * grid.iter().product::<u64>() > 2048 && !random.one_in(8) {
            grid = grid.map(|n| n.min(2));
        }
        Input { kernel, bytes, grid }
    }

    pub(crate) fn launch(&self, rt: &Runtime) -> (Launch, Vec<Buffer<u8>>) {
        let mut launch = rt.launch(&self.kernel).workgroups(self.grid).loop_budget(300);
        let mut buffers = Vec::new();
        for (binding, bytes) in self.kernel.signature().bindings.iter().zip(&self.bytes) {
            if binding.space.is_storage() {
                let buffer = Buffer::from_slice(bytes);
                launch = launch.bind(&binding.name, &buffer);
                buffers.push(buffer);
            } else {
                launch = launch.set_bytes(&binding.name, bytes.clone());
            }
        }
        (launch, buffers)
    }

    /// Runs a launch, and returns the contents of the buffers afterwards. A launch that exceeds the
    /// limit is cancelled, and gives `None`.
    pub(crate) fn run(
        &self,
        rt: &Runtime,
        chunks: u32,
        limit: Duration,
    ) -> Option<Result<Vec<Vec<u8>>, Error>> {
        let (launch, buffers) = self.launch(rt);
        let future = match launch.chunks(chunks).submit() {
            Ok(future) => future,
            Err(error) => return Some(Err(error)),
        };
        match wait(future, limit) {
            None => {
                // Reading waits until the cancelled launch has ended.
                buffers.iter().for_each(|buffer| drop(buffer.read(..)));
                None
            }
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(_)) => Some(buffers.iter().map(Buffer::to_vec).collect()),
        }
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The result of the launch; `None` if it exceeds the limit and is cancelled.
fn wait(future: LaunchFuture, limit: Duration) -> Option<Result<Report, Error>> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let (begun, mut future) = (Instant::now(), pin!(future));
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(outcome);
        }
        let left = limit.checked_sub(begun.elapsed())?;
        std::thread::park_timeout(left);
    }
}
