// Tiles transposed through workgroup memory, two-dimensional workgroups, a ragged edge.
//! invocations 6,5
//! bind src u32 0..30
//! zeros dst u32 30
//! expect dst u32 0 6 12 18 24 1 7 13 19 25 2 8 14 20 26 3 9 15 21 27 4 10 16 22 28 5 11 17 23 29
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
const WIDTH = 6u;
const HEIGHT = 5u;
var<workgroup> tile: array<array<u32, 4>, 4>;

@compute @workgroup_size(4, 4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
    let x = 4u * group.x + l.x;
    let y = 4u * group.y + l.y;
    if x < WIDTH && y < HEIGHT { tile[l.y][l.x] = src[y * WIDTH + x]; }
    workgroupBarrier();
    let tx = 4u * group.y + l.x;
    let ty = 4u * group.x + l.y;
    if tx < HEIGHT && ty < WIDTH { dst[ty * HEIGHT + tx] = tile[l.x][l.y]; }
}
