// A buffer that is bound to an unused variable must still fit the variable's type.
//! error "`other`"
//! error "array<f32, 4> needs at least 16"
//! entry main
//! workgroups 1
//! zeros dst u32 1
//! zeros other f32 3
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
@group(0) @binding(1) var<storage, read_write> other: array<f32, 4>;

@compute @workgroup_size(1)
fn main() { dst[0] = 1u; }

@compute @workgroup_size(1)
fn second() { other[0] = 1.0; }
