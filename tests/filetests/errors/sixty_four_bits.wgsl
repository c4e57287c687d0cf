// 64-bit numbers are not supported.
//! error "64"
//! workgroups 1
//! zeros dst u32 2
@group(0) @binding(0) var<storage, read_write> dst: array<u64>;

@compute @workgroup_size(1)
fn main() { dst[0] = 1lu; }
