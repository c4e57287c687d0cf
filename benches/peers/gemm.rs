//! The matrix product of the `gemm` crate: its f32 kernels, with AVX-512 where the machine has it.
//!
//! It is a file beside `peers`, because not all programs that include `peers` depend on the crate.

use std::hint::black_box;

use super::peers::{Job, Peer, floats, length};

/// The product in the calling rayon pool, with as many tasks as the pool has threads.
pub(crate) fn matmul(job: &Job) -> Peer {
    let (m, n, k) = (length(job, 0), length(job, 1), length(job, 2));
    let (a, b, mut c) = (floats(job, "a"), floats(job, "b"), floats(job, "c"));
    Peer {
        name: "gemm",
        run: Box::new(move || {
            let parallelism = match rayon::current_num_threads() {
                1 => gemm_common::Parallelism::None,
                n => gemm_common::Parallelism::Rayon(n),
            };
            let gemm = gemm_f32::gemm::f32::get_gemm_fn();
            // The transposed product, because the crate's kernels take column-major matrices, and a
            // row-major matrix is its transpose. `gemm::gemm` swaps the factors in the same way.
            //
            // SAFETY: the three vectors have m·n, m·k and k·n elements, laid out as the strides
            // say (the job's builder made them so), and c is not a part of a or b.
            unsafe {
                gemm(
                    n,
                    m,
                    k,
                    c.as_mut_ptr(),
                    n as isize,
                    1,
                    false,
                    b.as_ptr(),
                    n as isize,
                    1,
                    a.as_ptr(),
                    k as isize,
                    1,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    parallelism,
                );
            }
            black_box(&c);
        }),
    }
}
