// An entry point that does not exist; the message names those that do.
//! error "second"
//! error "first"
//! entry second
//! workgroups 1
@compute @workgroup_size(1)
fn first() {}
