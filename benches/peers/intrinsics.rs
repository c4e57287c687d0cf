//! Peers whose inner loops use AVX-512 or AVX2 intrinsics, or plain floats elsewhere.
//!
//! The trait `Floats` has one implementation per instruction set, and every loop is written once over
//! it. A function that is compiled for an instruction set is called only after a check of the
//! processor.

use std::hint::black_box;

use rayon::prelude::*;

use super::{Job, Peer, field, floats, length};

/// A vector of f32 lanes.
///
/// # Safety
/// The processor must have the instruction set of the implementation when a function is called.
unsafe trait Floats: Copy {
    const LANES: usize;
    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: &[f32]) -> Self;
    unsafe fn store(self, to: &mut [f32]);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// `self * b + c`, with one rounding for vectors and two for plain floats.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// 1 / √self to about 22 bits.
    unsafe fn inverse_sqrt(self) -> Self;
    /// Adds 1 to the lanes of `counts` where `self <= limit` and the lane's bit of `alive` is set.
    /// Returns the bits of these lanes.
    unsafe fn count_up_to(self, limit: Self, alive: u32, counts: &mut [u32]) -> u32;
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Floats;

    macro_rules! lanes {
        ($vector:ty, $lanes:literal, $splat:ident $load:ident $store:ident $add:ident $sub:ident
         $mul:ident $fma:ident, $estimate:expr, $count:expr) => {
            // SAFETY: the methods use instructions of the one set that the macro's arguments belong to,
            // and callers of the trait promise that the processor has it.
            unsafe impl Floats for $vector {
                const LANES: usize = $lanes;
                #[inline(always)]
                unsafe fn splat(x: f32) -> Self {
                    // SAFETY: the trait's caller has the instruction.
                    unsafe { $splat(x) }
                }
                #[inline(always)]
                unsafe fn load(from: &[f32]) -> Self {
                    assert!(from.len() >= $lanes);
                    // SAFETY: the trait's caller has the instruction; the length was just checked.
                    unsafe { $load(from.as_ptr()) }
                }
                #[inline(always)]
                unsafe fn store(self, to: &mut [f32]) {
                    assert!(to.len() >= $lanes);
                    // SAFETY: the trait's caller has the instruction; the length was just checked.
                    unsafe { $store(to.as_mut_ptr(), self) }
                }
                #[inline(always)]
                unsafe fn add(self, other: Self) -> Self {
                    // SAFETY: the trait's caller has the instruction.
                    unsafe { $add(self, other) }
                }
                #[inline(always)]
                unsafe fn sub(self, other: Self) -> Self {
                    // SAFETY: the trait's caller has the instruction.
                    unsafe { $sub(self, other) }
                }
                #[inline(always)]
                unsafe fn mul(self, other: Self) -> Self {
                    // SAFETY: the trait's caller has the instruction.
                    unsafe { $mul(self, other) }
                }
                #[inline(always)]
                unsafe fn fma(self, b: Self, c: Self) -> Self {
                    // SAFETY: the trait's caller has the instruction.
                    unsafe { $fma(self, b, c) }
                }
                #[inline(always)]
                unsafe fn inverse_sqrt(self) -> Self {
                    // One step of Newton's method doubles the bits of the estimate.
                    // SAFETY: the trait's caller has the instruction.
                    unsafe {
                        let y = $estimate(self);
                        let half = self.mul(Self::splat(-0.5));
                        let correction = half.mul(y).fma(y, Self::splat(1.5));
                        y.mul(correction)
                    }
                }
                #[inline(always)]
                unsafe fn count_up_to(self, limit: Self, alive: u32, counts: &mut [u32]) -> u32 {
                    assert!(counts.len() >= $lanes);
                    // SAFETY: the trait's caller has the instructions; the length was just checked.
                    unsafe { $count(self, limit, alive, counts.as_mut_ptr()) }
                }
            }
        };
    }

    #[inline(always)]
    unsafe fn count_512(x: __m512, limit: __m512, alive: u32, counts: *mut u32) -> u32 {
        // SAFETY: AVX-512 by the trait; `counts` has 16 elements.
        unsafe {
            let alive = _mm512_mask_cmp_ps_mask::<_CMP_LE_OQ>(alive as __mmask16, x, limit);
            let old = _mm512_loadu_si512(counts.cast());
            let new = _mm512_mask_add_epi32(old, alive, old, _mm512_set1_epi32(1));
            _mm512_storeu_si512(counts.cast(), new);
            u32::from(alive)
        }
    }

    #[inline(always)]
    unsafe fn count_256(x: __m256, limit: __m256, alive: u32, counts: *mut u32) -> u32 {
        // SAFETY: AVX2 by the trait; `counts` has 8 elements.
        unsafe {
            let bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let chosen = _mm256_and_si256(_mm256_set1_epi32(alive as i32), bits);
            let chosen = _mm256_cmpeq_epi32(chosen, bits);
            let below = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_LE_OQ>(x, limit));
            let alive = _mm256_and_si256(chosen, below);
            let old = _mm256_loadu_si256(counts.cast());
            _mm256_storeu_si256(counts.cast(), _mm256_sub_epi32(old, alive));
            _mm256_movemask_ps(_mm256_castsi256_ps(alive)) as u32
        }
    }

    lanes!(__m512, 16, _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_add_ps
        _mm512_sub_ps _mm512_mul_ps _mm512_fmadd_ps, _mm512_rsqrt14_ps, count_512);
    lanes!(__m256, 8, _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_add_ps
        _mm256_sub_ps _mm256_mul_ps _mm256_fmadd_ps, _mm256_rsqrt_ps, count_256);

    #[target_feature(enable = "avx512f")]
    pub(super) fn attract_512(
        bodies: &[[f32; 4]],
        softening: f32,
        i: &[[f32; 4]],
    ) -> [[f32; 16]; 3] {
        // SAFETY: the function is compiled for AVX-512.
        unsafe { super::attract::<__m512>(bodies, softening, i) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn attract_256(
        bodies: &[[f32; 4]],
        softening: f32,
        i: &[[f32; 4]],
    ) -> [[f32; 16]; 3] {
        // SAFETY: the function is compiled for AVX2 and FMA.
        unsafe { super::attract::<__m256>(bodies, softening, i) }
    }

    #[target_feature(enable = "avx512f")]
    pub(super) fn row_512(view: super::View, cy: f32, out: &mut [u32]) {
        // SAFETY: the function is compiled for AVX-512.
        unsafe { super::row::<__m512>(view, cy, out) }
    }

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn row_256(view: super::View, cy: f32, out: &mut [u32]) {
        // SAFETY: the function is compiled for AVX2 and FMA.
        unsafe { super::row::<__m256>(view, cy, out) }
    }
}

// SAFETY: plain floats need no instruction set.
unsafe impl Floats for f32 {
    const LANES: usize = 1;
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        x
    }
    #[inline(always)]
    unsafe fn load(from: &[f32]) -> Self {
        from[0]
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32]) {
        to[0] = self;
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self + other
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self - other
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self * other
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        self * b + c
    }
    #[inline(always)]
    unsafe fn inverse_sqrt(self) -> Self {
        1.0 / self.sqrt()
    }
    #[inline(always)]
    unsafe fn count_up_to(self, limit: Self, alive: u32, counts: &mut [u32]) -> u32 {
        let alive = alive & u32::from(self <= limit);
        counts[0] += alive;
        alive
    }
}

/// The acceleration of up to 16 bodies, one vector at a time.
///
/// # Safety
/// As [`Floats`].
#[inline(always)]
unsafe fn attract<V: Floats>(
    bodies: &[[f32; 4]],
    softening: f32,
    targets: &[[f32; 4]],
) -> [[f32; 16]; 3] {
    let mut place = [[0.0f32; 16]; 3];
    for (lane, body) in targets.iter().enumerate() {
        for axis in 0..3 {
            place[axis][lane] = body[axis];
        }
    }
    let mut result = [[0.0f32; 16]; 3];
    // SAFETY: the caller promises the instruction set; each access checks its slice.
    unsafe {
        let soft = V::splat(softening * softening);
        for start in (0..16).step_by(V::LANES) {
            let [x, y, z] = [0, 1, 2].map(|axis| V::load(&place[axis][start..]));
            let mut sum = [V::splat(0.0); 3];
            for body in bodies {
                let dx = V::splat(body[0]).sub(x);
                let dy = V::splat(body[1]).sub(y);
                let dz = V::splat(body[2]).sub(z);
                let squared = dz.fma(dz, dy.fma(dy, dx.fma(dx, soft)));
                let inverse = squared.inverse_sqrt();
                let pull = V::splat(body[3]).mul(inverse).mul(inverse.mul(inverse));
                sum = [dx.fma(pull, sum[0]), dy.fma(pull, sum[1]), dz.fma(pull, sum[2])];
            }
            for axis in 0..3 {
                sum[axis].store(&mut result[axis][start..]);
            }
        }
    }
    result
}

fn attract_any(bodies: &[[f32; 4]], softening: f32, targets: &[[f32; 4]]) -> [[f32; 16]; 3] {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            // SAFETY: the check above found the instruction set.
            return unsafe { x86::attract_512(bodies, softening, targets) };
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the check above found the instruction set.
            return unsafe { x86::attract_256(bodies, softening, targets) };
        }
    }
    // SAFETY: plain floats need no instruction set.
    unsafe { attract::<f32>(bodies, softening, targets) }
}

fn quads(job: &Job, name: &str) -> Vec<[f32; 4]> {
    floats(job, name).chunks_exact(4).map(|q| [q[0], q[1], q[2], q[3]]).collect()
}

pub fn nbody(job: &Job) -> Peer {
    let [dt, softening] = [1, 2].map(|index| f32::from_le_bytes(field(job, index)));
    let (bodies, velocities) = (quads(job, "bodies"), quads(job, "velocities"));
    let (mut next, mut faster) = (quads(job, "next_bodies"), quads(job, "next_velocities"));
    Peer {
        name: "intrinsics",
        run: Box::new(move || {
            let parts = bodies.par_chunks(16).zip(velocities.par_chunks(16));
            let out = next.par_chunks_mut(16).zip(faster.par_chunks_mut(16));
            parts.zip(out).for_each(|((place, velocity), (next, faster))| {
                let acceleration = attract_any(&bodies, softening, place);
                for lane in 0..place.len() {
                    faster[lane][3] = velocity[lane][3];
                    next[lane][3] = place[lane][3];
                    for axis in 0..3 {
                        let v = velocity[lane][axis] + acceleration[axis][lane] * dt;
                        faster[lane][axis] = v;
                        next[lane][axis] = place[lane][axis] + v * dt;
                    }
                }
            });
            black_box((&next, &faster));
        }),
    }
}

/// The parameters of the picture that all rows share.
#[derive(Clone, Copy)]
pub struct View {
    limit: u32,
    scale: f32,
    left: f32,
}

/// One row of the picture.
///
/// # Safety
/// As [`Floats`].
#[inline(always)]
unsafe fn row<V: Floats>(view: View, cy: f32, out: &mut [u32]) {
    let mut start = 0;
    while start < out.len() {
        let mut cx = [0.0f32; 16];
        for (lane, cx) in cx.iter_mut().enumerate() {
            *cx = (start + lane) as f32 * view.scale + view.left;
        }
        let mut counts = [0u32; 16];
        // SAFETY: the caller promises the instruction set; each access checks its slice.
        unsafe {
            let (cx, cy, four) = (V::load(&cx), V::splat(cy), V::splat(4.0));
            let (mut x, mut y) = (V::splat(0.0), V::splat(0.0));
            let mut alive = ((1u64 << V::LANES) - 1) as u32;
            for _ in 0..view.limit {
                let (xx, yy) = (x.mul(x), y.mul(y));
                alive = xx.add(yy).count_up_to(four, alive, &mut counts);
                if alive == 0 {
                    break;
                }
                (x, y) = (xx.sub(yy).add(cx), x.add(x).fma(y, cy));
            }
        }
        let lanes = V::LANES.min(out.len() - start);
        out[start..start + lanes].copy_from_slice(&counts[..lanes]);
        start += V::LANES;
    }
}

fn row_any(view: View, cy: f32, out: &mut [u32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            // SAFETY: the check above found the instruction set.
            return unsafe { x86::row_512(view, cy, out) };
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the check above found the instruction set.
            return unsafe { x86::row_256(view, cy, out) };
        }
    }
    // SAFETY: plain floats need no instruction set.
    unsafe { row::<f32>(view, cy, out) }
}

pub fn mandelbrot(job: &Job) -> Peer {
    let (width, limit) = (length(job, 0), length(job, 2) as u32);
    let [scale, left, top] = [3, 4, 5].map(|index| f32::from_le_bytes(field(job, index)));
    let view = View { limit, scale, left };
    let mut out = vec![0u32; width * length(job, 1)];
    Peer {
        name: "intrinsics",
        run: Box::new(move || {
            out.par_chunks_mut(width).enumerate().for_each(|(y, out)| {
                row_any(view, y as f32 * scale + top, out);
            });
            black_box(&out);
        }),
    }
}
