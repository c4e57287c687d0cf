// A 3x3 convolution through a tile with a halo, which all invocations of the workgroup fill.
//! invocations 10,6
//! set size u32 10 6
//! bind image u32 5 3 1 2 7 4 1 5 3 4 0 5 5 7 3 5 1 0 6 2 2 4 5 1 5 7 3 3 6 5 6 7 0 1 0 7 1 0 5 0 3 6 3 6 3 7 4 5 4 6 5 0 4 1 2 4 5 1 6 5
//! zeros dst u32 60
//! expect dst u32 31 39 36 46 58 46 29 35 44 32 31 57 66 68 74 66 41 43 63 47 40 65 60 48 62 73 48 43 64 47 58 73 49 34 53 73 54 45 59 42 53 65 53 46 55 72 64 55 66 53 32 36 36 34 37 51 50 44 55 48
@group(0) @binding(0) var<uniform> size: vec2<u32>;
@group(0) @binding(1) var<storage, read> image: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;
const T = 4u;
const S = T + 2u;
var<workgroup> tile: array<u32, S * S>;

fn pixel(p: vec2<i32>) -> u32 {
    if any(p < vec2(0)) || any(p >= vec2<i32>(size)) { return 0u; }
    return image[u32(p.y) * size.x + u32(p.x)];
}

@compute @workgroup_size(T, T)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) l: u32,
) {
    let corner = vec2<i32>(group.xy * T) - 1;
    for (var k = l; k < S * S; k += T * T) {
        tile[k] = pixel(corner + vec2<i32>(i32(k % S), i32(k / S)));
    }
    workgroupBarrier();
    if id.x >= size.x || id.y >= size.y { return; }
    var sum = 0u;
    for (var j = 0; j < 3; j++) {
        for (var i = 0; i < 3; i++) {
            let weight = (2 - abs(i - 1)) * (2 - abs(j - 1));
            sum += u32(weight) * tile[(local.y + u32(j)) * S + local.x + u32(i)];
        }
    }
    dst[id.y * size.x + id.x] = sum;
}
