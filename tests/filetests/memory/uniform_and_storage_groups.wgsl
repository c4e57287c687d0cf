// Bindings in several groups with gaps between their numbers.
//! workgroups 1
//! set factor u32 3
//! bind src u32 5
//! zeros dst u32 1
//! expect dst u32 15
@group(2) @binding(7) var<uniform> factor: u32;
@group(0) @binding(3) var<storage, read> src: array<u32>;
@group(3) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = factor * src[0];
}
