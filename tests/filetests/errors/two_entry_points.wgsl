// With two entry points one must be named.
//! error "first"
//! error "second"
//! workgroups 1
@compute @workgroup_size(1)
fn first() {}
@compute @workgroup_size(1)
fn second() {}
