// An entry point that does not exist; those that do are named.
//! error "second"
//! error "first"
//! entry second
//! workgroups 1
@compute @workgroup_size(1)
fn first() {}
