// A binding that the kernel does not have; the message names those that it has.
//! error "srt"
//! error "dst"
//! workgroups 1
//! zeros srt u32 1
//! zeros dst u32 1
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() { dst[0] = 1u; }
