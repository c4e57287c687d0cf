// Sums, products, quotients and negation of halves, exact ones.
//! invocations 4
//! bind a f16 1.5 -2 1000 0.25
//! bind b f16 0.5 8 24 -4
//! zeros dst f16 20
//! expect dst f16 2 6 1024 -3.75 1 -10 976 4.25 0.75 -16 24000 -1 3 -0.25 41.66 -0.0625 -1.5 2 -1000 -0.25
//! tolerance 0 2e-3
enable f16;
@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read> b: array<f16>;
@group(0) @binding(2) var<storage, read_write> dst: array<f16>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    dst[i] = a[i] + b[i];
    dst[4u + i] = a[i] - b[i];
    dst[8u + i] = a[i] * b[i];
    dst[12u + i] = a[i] / b[i];
    dst[16u + i] = -a[i];
}
