// The counting pass of a radix sort: a histogram of each block in workgroup memory, written by
// digit first.
//! workgroups 2
//! bind keys u32 465257 943744 588570 950040 798647 102524 754351 824651 1000169 871409 738605 686469 761211 661419 26481 189810 832936 496437 426006 33149 338285 903901 127865 921811 621190 476077 987063 875872 690798 1034097 452777 58320 775778 258231 390126 278414 95070 882377 25824 1005255 117278 539060 18589 18023 463646 790084 614910 527898 823961 477701 968098 392268 234636 397122 407011 907816 796850 153864 343774 317339 892553 575267 266863 79696
//! zeros counts u32 8
//! expect counts u32 4 10 6 9 11 9 11 4
@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<u32>;
var<workgroup> bins: array<atomic<u32>, 4>;

@compute @workgroup_size(16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) l: u32,
) {
    if l < 4u { atomicStore(&bins[l], 0u); }
    workgroupBarrier();
    for (var k = 0u; k < 2u; k++) {
        let key = keys[group.x * 32u + k * 16u + l];
        atomicAdd(&bins[(key >> 4u) & 3u], 1u);
    }
    workgroupBarrier();
    if l < 4u { counts[l * groups.x + group.x] = atomicLoad(&bins[l]); }
}
