// 4 by 4 times 4 by 4 in 2 by 2 tiles: barriers in a loop over tiles.
//! workgroups 2,2
//! bind a f32 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
//! bind b f32 1 0 0 2 0 1 0 0 0 0 1 0 1 0 0 1
//! zeros c f32 16
//! expect c f32 5 2 3 6 13 6 7 18 21 10 11 30 29 14 15 42
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<f32>;
var<workgroup> ta: array<array<f32, 2>, 2>;
var<workgroup> tb: array<array<f32, 2>, 2>;

@compute @workgroup_size(2, 2)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
    var total = 0.0;
    for (var t = 0u; t < 2u; t++) {
        ta[l.y][l.x] = a[id.y * 4u + 2u * t + l.x];
        tb[l.y][l.x] = b[(2u * t + l.y) * 4u + id.x];
        workgroupBarrier();
        for (var k = 0u; k < 2u; k++) {
            total += ta[l.y][k] * tb[k][l.x];
        }
        workgroupBarrier();
    }
    c[id.y * 4u + id.x] = total;
}
