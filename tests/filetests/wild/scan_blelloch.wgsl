// Work-efficient exclusive prefix sum (Blelloch) of one workgroup's block, up-sweep and down-sweep.
//! workgroups 2
//! bind src u32 4 4 6 5 9 8 2 8 0 9 4 6 8 0 9 3 5 9 6 1 6 0 9 7 7 8 2 5 8 0 0 6
//! zeros dst u32 32
//! expect dst u32 0 4 8 14 19 28 36 38 46 46 55 59 65 73 73 82 0 5 14 20 21 27 27 36 43 50 58 60 65 73 73 73
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
const N = 16u;
var<workgroup> temp: array<u32, N>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_id) local: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    let t = local.x;
    let base = group.x * N;
    temp[2u * t] = src[base + 2u * t];
    temp[2u * t + 1u] = src[base + 2u * t + 1u];
    var offset = 1u;
    for (var d = N >> 1u; d > 0u; d >>= 1u) {
        workgroupBarrier();
        if t < d {
            let ai = offset * (2u * t + 1u) - 1u;
            let bi = offset * (2u * t + 2u) - 1u;
            temp[bi] += temp[ai];
        }
        offset *= 2u;
    }
    if t == 0u { temp[N - 1u] = 0u; }
    for (var d = 1u; d < N; d *= 2u) {
        offset >>= 1u;
        workgroupBarrier();
        if t < d {
            let ai = offset * (2u * t + 1u) - 1u;
            let bi = offset * (2u * t + 2u) - 1u;
            let swap = temp[ai];
            temp[ai] = temp[bi];
            temp[bi] += swap;
        }
    }
    workgroupBarrier();
    dst[base + 2u * t] = temp[2u * t];
    dst[base + 2u * t + 1u] = temp[2u * t + 1u];
}
