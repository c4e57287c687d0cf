// An override constant without a default must be given.
//! error "size"
//! workgroups 1
//! zeros dst u32 1
override size: u32;
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() { dst[0] = size; }
