// Where all devices have the same subgroups a kernel that uses them is split: of each workgroup the
// values are the same in all invocations, so any size will do.
//! workgroups 6
//! bind x f32 64*3 64*1 64*4 64*1 64*5 64*9
//! zeros y f32 384
//! expect y f32 64*3 64*1 64*4 64*1 64*5 64*9
//! split
enable subgroups;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) { y[g.x] = subgroupMax(x[g.x]); }
