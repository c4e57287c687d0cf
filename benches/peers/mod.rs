//! What a Rust programmer would write for this CPU without coexec: rayon loops, loops with
//! intrinsics, and the `gemm` crate's f32 kernels.
//!
//! Used by `benches/cpu` and, through `#[path]`, by `coexec bench`, which has the matrix product
//! only with the feature `peers`. Each peer computes the kernel's result, on the job's data, in
//! whichever rayon pool calls it.

// Each crate that includes this file uses a part of it.
#![allow(dead_code, unreachable_pub)]

#[cfg(feature = "peers")]
mod gemm;
mod intrinsics;

use std::hint::black_box;
use std::time::{Duration, Instant};

use rayon::prelude::*;

pub use super::reference::Job;

/// A native implementation, ready to run on the job's data.
pub struct Peer {
    pub name: &'static str,
    pub run: Box<dyn FnMut() + Send>,
}

impl Peer {
    /// The median time of a run, after one that warms up.
    pub fn measure(mut self, at_least: Duration) -> Duration {
        (self.run)();
        let start = Instant::now();
        let mut times = Vec::new();
        while times.len() < 3 || start.elapsed() < at_least {
            let begin = Instant::now();
            (self.run)();
            times.push(begin.elapsed());
        }
        times.sort();
        times[times.len() / 2]
    }
}

/// The peers of a kernel; none for most.
pub fn peers(kernel: &str, job: &Job) -> Vec<Peer> {
    match kernel {
        "saxpy" => vec![saxpy(job)],
        "stencil5" => vec![stencil5(job)],
        "stencil7" => vec![stencil7(job)],
        "reduce_sum" => vec![reduce_sum(job)],
        "nbody" => vec![intrinsics::nbody(job)],
        "mandelbrot" => vec![intrinsics::mandelbrot(job)],
        #[cfg(feature = "peers")]
        "matmul" => vec![gemm::matmul(job)],
        _ => Vec::new(),
    }
}

/// A buffer of the job, as floats.
pub fn floats(job: &Job, name: &str) -> Vec<f32> {
    let (_, bytes) = job.buffers.iter().find(|(n, _)| *n == name).expect("a buffer of that name");
    let word = |word: &[u8]| f32::from_le_bytes([word[0], word[1], word[2], word[3]]);
    bytes.chunks_exact(4).map(word).collect()
}

/// A 4-byte field of the job's one uniform.
pub fn field(job: &Job, index: usize) -> [u8; 4] {
    job.uniforms[0].1[4 * index..][..4].try_into().expect("four bytes")
}

pub fn length(job: &Job, index: usize) -> usize {
    u32::from_le_bytes(field(job, index)) as usize
}

/// Elements that one rayon task takes: enough to hide its cost.
const GRAIN: usize = 1 << 14;

fn saxpy(job: &Job) -> Peer {
    let a = f32::from_le_bytes(field(job, 0));
    let (x, mut y) = (floats(job, "x"), floats(job, "y"));
    Peer {
        name: "rayon",
        run: Box::new(move || {
            y.par_chunks_mut(GRAIN).zip(x.par_chunks(GRAIN)).for_each(|(y, x)| {
                for (y, x) in y.iter_mut().zip(x) {
                    *y += a * x;
                }
            });
            black_box(&y);
        }),
    }
}

fn reduce_sum(job: &Job) -> Peer {
    let src = floats(job, "src");
    Peer {
        name: "rayon",
        run: Box::new(move || {
            let sum: f32 = src
                .par_chunks(GRAIN)
                .map(|part| {
                    // Sixteen sums, so that the compiler may use vectors.
                    let mut sums = [0.0f32; 16];
                    let chunks = part.chunks_exact(16);
                    let rest: f32 = chunks.remainder().iter().sum();
                    for chunk in chunks {
                        for (sum, value) in sums.iter_mut().zip(chunk) {
                            *sum += value;
                        }
                    }
                    sums.iter().sum::<f32>() + rest
                })
                .sum();
            black_box(sum);
        }),
    }
}

fn stencil5(job: &Job) -> Peer {
    let (width, height) = (length(job, 0), length(job, 1));
    let alpha = f32::from_le_bytes(field(job, 2));
    let (src, mut dst) = (floats(job, "src"), floats(job, "dst"));
    Peer {
        name: "rayon",
        run: Box::new(move || {
            dst.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
                let row = |y: usize| &src[y * width..][..width];
                let (north, here) = (row(y.saturating_sub(1)), row(y));
                let south = row((y + 1).min(height - 1));
                let cell = |x: usize, west: usize, east: usize| {
                    let around = here[west] + here[east] + north[x] + south[x];
                    here[x] + alpha * (around - 4.0 * here[x])
                };
                out[0] = cell(0, 0, 1.min(width - 1));
                let inner = out.iter_mut().enumerate().take(width.max(1) - 1).skip(1);
                for (x, out) in inner {
                    *out = cell(x, x - 1, x + 1);
                }
                out[width - 1] = cell(width - 1, width.max(2) - 2, width - 1);
            });
            black_box(&dst);
        }),
    }
}

fn stencil7(job: &Job) -> Peer {
    let [width, height, depth] = [0, 1, 2].map(|index| length(job, index));
    let alpha = f32::from_le_bytes(field(job, 3));
    let (src, mut dst) = (floats(job, "src"), floats(job, "dst"));
    Peer {
        name: "rayon",
        run: Box::new(move || {
            dst.par_chunks_mut(width).enumerate().for_each(|(index, out)| {
                let (y, z) = (index % height, index / height);
                let row = |y: usize, z: usize| &src[(z * height + y) * width..][..width];
                let here = row(y, z);
                let (north, south) = (row(y.saturating_sub(1), z), row((y + 1).min(height - 1), z));
                let (below, above) = (row(y, z.saturating_sub(1)), row(y, (z + 1).min(depth - 1)));
                let cell = |x: usize, west: usize, east: usize| {
                    let around = here[west] + here[east] + north[x] + south[x];
                    let around = around + below[x] + above[x];
                    here[x] + alpha * (around - 6.0 * here[x])
                };
                out[0] = cell(0, 0, 1.min(width - 1));
                let inner = out.iter_mut().enumerate().take(width.max(1) - 1).skip(1);
                for (x, out) in inner {
                    *out = cell(x, x - 1, x + 1);
                }
                out[width - 1] = cell(width - 1, width.max(2) - 2, width - 1);
            });
            black_box(&dst);
        }),
    }
}
