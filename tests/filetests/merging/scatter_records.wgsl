// Elements with padding, a header that one invocation writes, and chunks that write different
// members of the same elements.
//! invocations 6
//! split
//! bind to u32 2 0 1 2 0 1
//! bind out u32 50 51 52 53 f32 1 2 3 u32 77 f32 4 5 6 u32 78 f32 7 8 9 u32 79
//! expect out u32 5 51 52 53 f32 10 2 40 u32 77 f32 20 5 50 u32 78 f32 0 8 30 u32 79
struct Record { a: vec3<f32> }
struct All { count: u32, @align(16) list: array<Record> }
@group(0) @binding(0) var<storage, read> to: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: All;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x == 5u { out.count = id.x; }
    if id.x < 3u {
        out.list[to[id.x]].a.x = array<f32, 3>(0.0, 10.0, 20.0)[id.x];
    } else {
        out.list[to[id.x]].a.z = 10.0 * f32(id.x);
    }
}
