// An inclusive scan of a workgroup, two barriers in each iteration of a loop.
//! workgroups 2
//! bind src u32 8*1 8*2
//! zeros dst u32 16
//! expect dst u32 1 2 3 4 5 6 7 8 2 4 6 8 10 12 14 16
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> sums: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    sums[l] = src[id.x];
    var gap = 1u;
    loop {
        workgroupBarrier();
        var add = 0u;
        if l >= gap { add = sums[l - gap]; }
        workgroupBarrier();
        sums[l] += add;
        gap *= 2u;
        if gap >= 8u { break; }
    }
    dst[id.x] = sums[l];
}
