// mix with a scalar and with a vector weight, also outside 0…1; step at the edge; smoothstep
// outside, at the ends and inside.
//! workgroups 1
//! bind src f32 2 10 0.5 0.25 1.5 -1
//! zeros dst f32 14
//! tolerance 1e-6 1e-6
//! expect dst f32 6 4 14 -6 3 7 1 1 0 0 1 0.5 0.15625 0
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    let a = src[0];
    let b = src[1];
    dst[0] = mix(a, b, src[2]);
    dst[1] = mix(a, b, src[3]);
    dst[2] = mix(a, b, src[4]);
    dst[3] = mix(a, b, src[5]);
    let v = mix(vec2(a, b), vec2(a + 4.0, b - 6.0), vec2(src[3], src[2]));
    dst[4] = v.x;
    dst[5] = v.y;
    dst[6] = step(a, b);
    dst[7] = step(a, a);
    dst[8] = step(b, a);
    dst[9] = smoothstep(0.0, 10.0, src[5]);
    dst[10] = smoothstep(0.0, 10.0, b);
    dst[11] = smoothstep(0.0, 1.0, src[2]);
    dst[12] = smoothstep(0.0, 1.0, src[3]);
    dst[13] = smoothstep(a, b, a);
}
