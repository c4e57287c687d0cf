// No guard in the kernel: the last workgroup runs over the end of both buffers.
//! workgroups 3
//! split
//! bind src u32 0..10
//! zeros dst u32 10
//! expect dst u32 0 2 4 6 8 10 12 14 16 18
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = 2u * src[id.x];
}
