// Textures are not supported, and the line says which.
//! error "not supported"
//! error "image"
//! workgroups 1
//! zeros dst f32 4
@group(0) @binding(0) var image: texture_2d<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(1)
fn main() { dst[0] = textureLoad(image, vec2(0, 0), 0); }
