// Variables that the module declares for another entry point may be bound and set: nothing happens to them.
//! entry main
//! workgroups 1
//! zeros dst u32 1
//! bind other u32 5 6
//! expect other u32 5 6
//! set params u32 1 f32 2
//! expect dst u32 1
struct Params { n: u32, scale: f32 }
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
@group(0) @binding(1) var<storage, read_write> other: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() { dst[0] = 1u; }

@compute @workgroup_size(1)
fn second() { other[0] = params.n; }
