// Inclusive prefix sum (Hillis and Steele) in two halves of workgroup memory, swapped each step.
//! workgroups 2
//! bind src u32 4 4 6 5 9 8 2 8 0 9 4 6 8 0 9 3 5 9 6 1 6 0 9 7 7 8 2 5 8 0 0 6
//! zeros dst u32 32
//! expect dst u32 4 8 14 19 28 36 38 46 46 55 59 65 73 73 82 85 5 14 20 21 27 27 36 43 50 58 60 65 73 73 73 79
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
const N = 16u;
var<workgroup> temp: array<array<u32, N>, 2>;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    var now = 0u;
    temp[now][l] = src[id.x];
    workgroupBarrier();
    for (var step = 1u; step < N; step <<= 1u) {
        let to = 1u - now;
        if l >= step {
            temp[to][l] = temp[now][l] + temp[now][l - step];
        } else {
            temp[to][l] = temp[now][l];
        }
        now = to;
        workgroupBarrier();
    }
    dst[id.x] = temp[now][l];
}
