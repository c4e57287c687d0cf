// Indices wrap as u32 before they are checked: i - 1 of zero is out of bounds, not the word before.
//! invocations 4
//! bind src u32 1 2 3 4
//! zeros dst u32 4
//! expect dst u32 0 1 2 3
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = src[id.x - 1u];
}
