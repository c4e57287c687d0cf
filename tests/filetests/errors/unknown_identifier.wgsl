// A name that does not exist is named.
//! error "nowhere"
//! workgroups 1
@compute @workgroup_size(1)
fn main() {
    let x = nowhere;
}
