// Storing a matrix of three rows does not change the fourth word of each column.
//! workgroups 1
//! bind dst f32 8*7
//! expect dst f32 1 2 3 7 4 5 6 7
@group(0) @binding(0) var<storage, read_write> dst: mat2x3<f32>;

@compute @workgroup_size(1)
fn main() {
    dst = mat2x3(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
}
