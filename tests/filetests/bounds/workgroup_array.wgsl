// Out of bounds in workgroup memory.
//! invocations 4
//! bind at u32 3 4 1000 4294967295
//! zeros dst u32 4
//! expect dst u32 7 0 0 0
//! zeros total u32 1
//! expect total u32 7
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<storage, read_write> total: array<u32>;
var<workgroup> w: array<u32, 4>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    let k = at[l];
    w[k] = 7u;
    workgroupBarrier();
    dst[l] = w[k];
    if l == 0u { total[0] = w[0] + w[1] + w[2] + w[3]; }
}
