// Some invocations have returned before the others use subgroup operations.
//! workgroups 2
//! bind src u32 0..60
//! zeros dst u32 120
//! finds divergent-subgroup VOTE RETURN
//! finds divergent-subgroup SHUFFLE RETURN
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3<u32>) {
    let i = g.x;
    let mine = i < 60u;
    //- if !mine { return; } // <RETURN>
    let value = src[min(i, 59u)];
    let many = subgroupAny(value > 40u); // <VOTE>
    let next = subgroupShuffleXor(value, 1u); // <SHUFFLE>
    if mine { dst[2u * i] = next; dst[2u * i + 1u] = u32(many); }
}
