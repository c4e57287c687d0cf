// Two-byte elements: every workgroup writes one, so that neighbours share a word.
//! workgroups 7
//! split
//! bind src f16 1 2 3 4 5 6 7 8
//! bind dst f16 8*9
//! expect dst f16 2 4 6 8 10 12 14 9
enable f16;
@group(0) @binding(0) var<storage, read> src: array<f16>;
@group(0) @binding(1) var<storage, read_write> dst: array<f16>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    dst[id.x] = src[id.x] + src[id.x];
}
