// Halves from and to f32, i32 and u32, and literals with the suffix h.
//! workgroups 1
//! bind src f32 1.5 -2048 0.0999755859375 65504
//! zeros h f16 8
//! expect h f16 1.5 -2048 0.0999755859375 65504 7 -3 0.5 1
//! zeros f f32 4
//! expect f f32 1.5 -2048 0.0999755859375 65504
//! zeros n i32 4
//! expect n i32 1 -2048 0 65504
enable f16;
@group(0) @binding(0) var<storage, read> src: vec4<f32>;
@group(0) @binding(1) var<storage, read_write> h: array<vec4<f16>, 2>;
@group(0) @binding(2) var<storage, read_write> f: vec4<f32>;
@group(0) @binding(3) var<storage, read_write> n: vec4<i32>;

@compute @workgroup_size(1)
fn main() {
    let v = vec4<f16>(src);
    h[0] = v;
    h[1] = vec4<f16>(f16(7u), f16(-3), 0.5h, f16(true));
    f = vec4<f32>(v);
    n = vec4<i32>(v);
}
