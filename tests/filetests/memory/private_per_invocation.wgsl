// A private variable belongs to one invocation and starts as its initialiser, in every workgroup.
//! invocations 6
//! zeros dst u32 6
//! expect dst u32 107 108 109 110 111 112
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<private> p: array<u32, 2> = array<u32, 2>(7u, 100u);

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    p[0] += id.x;
    dst[id.x] = p[0] + p[1];
}
