// Denormals are kept: halved, doubled, added, and compared with zero.
//! invocations 4
//! only cpu: WGSL lets a GPU flush denormals
//! bind a f32 0x00000001 0x00800000 0x007fffff 0x80000003
//! zeros dst u32 12
//! expect dst u32 0 4194304 4194304 2147483650 2 16777216 16777214 2147483654 1 1 1 1
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = bitcast<u32>(a[i] * 0.5);
    dst[i + 4u] = bitcast<u32>(a[i] + a[i]);
    dst[i + 8u] = u32(a[i] != 0.0);
}
