// A syntax error shows its line.
//! error "expected"
//! error ":7:"
//! workgroups 1
@compute @workgroup_size(1)
fn main() {
    let x = ;
}
