// A launch without a size.
//! error "grid"
//! zeros dst u32 1
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() { dst[0] = 1u; }
