// A module without a compute entry point.
//! error "entry point"
//! workgroups 1
fn helper() {}
