// Bindings that the entry point does not use need not be given.
//! workgroups 1
//! zeros dst u32 1
//! expect dst u32 1
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
@group(0) @binding(1) var<storage, read> unused: array<vec4<f32>>;
@group(1) @binding(0) var<uniform> also_unused: vec4<f32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = 1u;
}
