//! Native peers of the kernels: rayon loops, and loops with intrinsics, as a Rust programmer would
//! write them without coexec. The matrix product is in `gemm`, beside this folder's `mod.rs`.
//!
//! `benches/cpu` and `coexec bench` include this file through `#[path]`; the latter has the matrix
//! product only with the feature `peers`. Each peer computes the kernel's result on the job's data,
//! in the calling rayon pool.

// Each crate that includes this file uses a part of it.
#![allow(dead_code, unreachable_pub)]

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
    /// The median time of a run, after a warm-up run.
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

/// The peers of a kernel; most kernels have none.
pub fn peers(kernel: &str, job: &Job) -> Vec<Peer> {
    match kernel {
        "saxpy" => vec![saxpy(job)],
        "stencil5" => vec![stencil5(job)],
        "stencil7" => vec![stencil7(job)],
        "reduce_sum" => vec![reduce_sum(job)],
        "nbody" => vec![intrinsics::nbody(job)],
        "mandelbrot" => vec![intrinsics::mandelbrot(job)],
        _ => Vec::new(),
    }
}

/// A buffer of the job as floats.
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

/// The elements of one rayon task: enough to hide the cost of a task.
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
                    // With sixteen sums, the compiler may use vectors.
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

/// Computes one row of a stencil: the borders with `cell`, which takes x and its neighbours in the
/// row, and the rest with `inner`, which takes the row's outputs without the borders.
fn row(out: &mut [f32], cell: impl Fn(usize, usize, usize) -> f32, inner: impl Fn(&mut [f32])) {
    let last = out.len() - 1;
    out[0] = cell(0, 0, 1.min(last));
    if last > 0 {
        inner(&mut out[1..last]);
        out[last] = cell(last, last - 1, last);
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
                let line = |y: usize| &src[y * width..][..width];
                let (north, here) = (line(y.saturating_sub(1)), line(y));
                let south = line((y + 1).min(height - 1));
                let cell = |x: usize, west: usize, east: usize| {
                    let around = here[west] + here[east] + north[x] + south[x];
                    here[x] + alpha * (around - 4.0 * here[x])
                };
                row(out, cell, |out| {
                    // With slices of one length, the loop has no bounds checks and is vectorised.
                    let n = out.len();
                    let (west, c, east) = (&here[..n], &here[1..][..n], &here[2..][..n]);
                    let (north, south) = (&north[1..][..n], &south[1..][..n]);
                    for x in 0..n {
                        let around = west[x] + east[x] + north[x] + south[x];
                        out[x] = c[x] + alpha * (around - 4.0 * c[x]);
                    }
                });
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
                let line = |y: usize, z: usize| &src[(z * height + y) * width..][..width];
                let here = line(y, z);
                let north = line(y.saturating_sub(1), z);
                let south = line((y + 1).min(height - 1), z);
                let below = line(y, z.saturating_sub(1));
                let above = line(y, (z + 1).min(depth - 1));
                let cell = |x: usize, west: usize, east: usize| {
                    let around = here[west] + here[east] + north[x] + south[x];
                    here[x] + alpha * (around + below[x] + above[x] - 6.0 * here[x])
                };
                row(out, cell, |out| {
                    let n = out.len();
                    let (west, c, east) = (&here[..n], &here[1..][..n], &here[2..][..n]);
                    let (north, south) = (&north[1..][..n], &south[1..][..n]);
                    let (below, above) = (&below[1..][..n], &above[1..][..n]);
                    for x in 0..n {
                        let around = west[x] + east[x] + north[x] + south[x];
                        out[x] = c[x] + alpha * (around + below[x] + above[x] - 6.0 * c[x]);
                    }
                });
            });
            black_box(&dst);
        }),
    }
}
