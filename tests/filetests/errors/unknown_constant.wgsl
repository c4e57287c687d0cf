// A constant that the kernel does not have.
//! error "height"
//! error "width"
//! workgroups 1
//! constant height 3
//! zeros dst u32 1
override width: u32 = 1u;
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() { dst[0] = width; }
