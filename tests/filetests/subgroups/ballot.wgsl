// The bits of a ballot are those of the lanes that voted yes.
//! workgroups 1
//! zeros dst u32 2
//! expect dst u32 4 1
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> votes: atomic<u32>;
var<workgroup> wrong: atomic<u32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32, @builtin(subgroup_invocation_id) lane: u32) {
    let yes = l % 2u == 1u;
    let ballot = subgroupBallot(yes);
    let mine = (ballot[lane / 32u] >> (lane % 32u)) & 1u;
    if mine != u32(yes) { atomicAdd(&wrong, 1u); }
    if mine == 1u { atomicAdd(&votes, 1u); }
    workgroupBarrier();
    if l == 0u {
        dst[0] = atomicLoad(&votes);
        dst[1] = u32(atomicLoad(&wrong) == 0u);
    }
}
