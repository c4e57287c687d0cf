// Bitonic sort of a block in workgroup memory.
//! workgroups 2
//! bind data u32 4 4 6 5 9 8 2 8 0 9 4 6 8 0 9 3 5 9 6 1 6 0 9 7 7 8 2 5 8 0 0 6
//! expect data u32 0 0 2 3 4 4 4 5 6 6 8 8 8 9 9 9 0 0 0 1 2 5 5 6 6 6 7 7 8 8 9 9
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
var<workgroup> block: array<u32, 16>;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    block[l] = data[id.x];
    workgroupBarrier();
    for (var size = 2u; size <= 16u; size *= 2u) {
        for (var stride = size / 2u; stride > 0u; stride /= 2u) {
            let partner = l ^ stride;
            if partner > l {
                let a = block[l];
                let b = block[partner];
                let rising = (l & size) == 0u;
                if (a > b) == rising {
                    block[l] = b;
                    block[partner] = a;
                }
            }
            workgroupBarrier();
        }
    }
    data[id.x] = block[l];
}
