//! The processor's guess of the inverse of a square root.

/// Whether this machine's processor has `vrsqrt14ps`, for vectors of any length.
#[inline(always)]
pub(in crate::cpu) fn host_has_guess() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The processor's guess; NaN on a processor without one.
#[inline(always)]
pub(in crate::cpu) fn guess(x: f32) -> f32 {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512vl")]
        fn of(x: f32) -> f32 {
            use std::arch::x86_64::{_mm_cvtss_f32, _mm_rsqrt14_ss, _mm_set_ss};
            let x = _mm_set_ss(x);
            _mm_cvtss_f32(_mm_rsqrt14_ss(x, x))
        }
        if host_has_guess() {
            // SAFETY: the processor has AVX-512 by the check above.
            return unsafe { of(x) };
        }
    }
    let _ = x;
    f32::NAN
}
