// The message names an unknown identifier.
//! error "nowhere"
//! workgroups 1
@compute @workgroup_size(1)
fn main() {
    let x = nowhere;
}
