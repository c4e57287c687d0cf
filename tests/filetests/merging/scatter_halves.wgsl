// Two elements share a word of memory, and different chunks write them.
//! invocations 6
//! split
//! bind to u32 5 0 3 2 1 4
//! bind out f16 9 9 9 9 9 9 9
//! expect out f16 1 4 3 2 5 0 9
enable f16;
@group(0) @binding(0) var<storage, read> to: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f16>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    out[to[id.x] * 3u % 7u * 5u % 7u] = f16(id.x);
}
