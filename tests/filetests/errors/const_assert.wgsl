// A failed const_assert.
//! error "const_assert"
//! workgroups 1
const_assert 1 + 1 == 3;
@compute @workgroup_size(1)
fn main() {}
