// Built-ins on halves.
//! workgroups 1
//! bind src f16 -2.5 0.5 9 4
//! zeros dst f16 12
//! expect dst f16 2.5 0.5 9 4 -2 0 9 4 -2.5 0.5 3 1
//! tolerance 0 2e-3
enable f16;
@group(0) @binding(0) var<storage, read> src: vec4<f16>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f16>>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = abs(src);
    dst[1] = round(src);
    dst[2] = vec4(min(src.xy, vec2<f16>(1.0h)), sqrt(src.z), clamp(src.w, 0.0h, 1.0h));
}
