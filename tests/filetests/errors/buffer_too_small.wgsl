// A buffer smaller than the type bound to it.
//! error "dst"
//! error "16"
//! error "12"
//! workgroups 1
//! zeros dst u32 3
@group(0) @binding(0) var<storage, read_write> dst: array<u32, 4>;

@compute @workgroup_size(1)
fn main() { dst[0] = 1u; }
