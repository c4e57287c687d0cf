// Outside the domain: sqrt(-1), log(-1), log(0), asin(2), acos(-2), acosh(0), atanh(2), pow(-1, 0.5).
//! invocations 1
//! only cpu: WGSL makes these indeterminate
//! bind src f32 -1 0 2 -2 0.5
//! zeros dst f32 8
//! expect dst f32 nan nan -inf nan nan nan nan nan
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 1u { return; }
    let minus_one = src[0];
    let zero = src[1];
    dst[0] = sqrt(minus_one);
    dst[1] = log(minus_one);
    dst[2] = log(zero);
    dst[3] = asin(src[2]);
    dst[4] = acos(src[3]);
    dst[5] = acosh(zero);
    dst[6] = atanh(src[2]);
    dst[7] = pow(minus_one, src[4]);
}
