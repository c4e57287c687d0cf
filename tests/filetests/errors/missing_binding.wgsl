// A binding that the launch does not give.
//! error "src"
//! workgroups 1
//! zeros dst u32 1
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() { dst[0] = src[0]; }
