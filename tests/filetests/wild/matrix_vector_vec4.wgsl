// A row for each workgroup, four columns for each invocation, and a tree over the workgroup.
//! workgroups 4
//! bind matrix f32 4.0 0.0 3.0 3.0 0.0 2.0 2.0 2.0 2.0 1.0 3.0 0.0 1.0 0.0 0.0 0.0 2.0 2.0 2.0 3.0 2.0 3.0 2.0 3.0 2.0 1.0 4.0 3.0 2.0 4.0 3.0 2.0 4.0 2.0 1.0 3.0 0.0 1.0 0.0 3.0 2.0 2.0 3.0 4.0 1.0 3.0 1.0 0.0 2.0 4.0 4.0 3.0 2.0 4.0 3.0 1.0 2.0 0.0 0.0 2.0 0.0 4.0 0.0 3.0
//! bind x f32 1.0 0.0 2.0 0.0 0.0 0.0 2.0 1.0 0.0 4.0 2.0 1.0 0.0 0.0 3.0 0.0
//! zeros y f32 4
//! expect y f32 26.0 37.0 30.0 19.0
@group(0) @binding(0) var<storage, read> matrix: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
var<workgroup> sums: array<f32, 4>;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    sums[l] = dot(matrix[group.x * 4u + l], x[l]);
    for (var n = 2u; n > 0u; n >>= 1u) {
        workgroupBarrier();
        if l < n { sums[l] += sums[l + n]; }
    }
    if l == 0u { y[group.x] = sums[0]; }
}
