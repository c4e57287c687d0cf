// Functions may not call themselves.
//! error "recursive"
//! workgroups 1
fn f(n: u32) -> u32 { return f(n - 1u); }
@compute @workgroup_size(1)
fn main() { _ = f(3u); }
