// An f16 that no variable holds. A device without f16 refuses this kernel too.
//! workgroups 1
//! bind x u32 0x3c00 0x4248 0xc000 0x0000
//! zeros y f32 4
//! expect y f32 1 3.140625 -2 0
enable f16;
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) g: vec3u) { y[g.x] = f32(f16(unpack2x16float(x[g.x]).x)); }
