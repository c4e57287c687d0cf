// length and distance of scalars are absolute values.
//! workgroups 1
//! bind src f32 -3 4
//! zeros dst f32 2
//! tolerance 0 5e-7
//! expect dst f32 3 7
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = length(src[0]);
    dst[1] = distance(src[0], src[1]);
}
