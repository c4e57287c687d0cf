// A spin-free maximum by compare and exchange in workgroup memory.
//! workgroups 2
//! zeros dst u32 2
//! expect dst u32 49 49
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> best: atomic<u32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let mine = l * l;
    var seen = atomicLoad(&best);
    while mine > seen {
        let r = atomicCompareExchangeWeak(&best, seen, mine);
        if r.exchanged { break; }
        seen = r.old_value;
    }
    workgroupBarrier();
    if l == 0u { dst[group.x] = atomicLoad(&best); }
}
