// A pointer into a buffer as a parameter is refused, with its line.
//! error "fn f(p: ptr<storage, u32, read_write>)"
//! workgroups 1
//! zeros dst u32 1
@group(0) @binding(0) var<storage, read_write> dst: u32;
fn f(p: ptr<storage, u32, read_write>) { *p = 1u; }

@compute @workgroup_size(1)
fn main() { f(&dst); }
