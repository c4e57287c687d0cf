// atanh of a constant near -1 is as exact as at run time. WGSL's accuracy, inherited from log, is a few units there.
//! workgroups 1
//! bind x f32 -0.99999994
//! zeros out f32 5
//! tolerance 2e-6 1e-6
//! expect out f32 -8.664339 -8.664339 -8.664339 8.664339 -2.0922957
@group(0) @binding(0) var<storage, read_write> out: array<f32, 5>;
@group(0) @binding(1) var<storage, read> x: f32;
const NEAR = vec2(-0.97f, 0.5f);

@compute @workgroup_size(1)
fn main() {
    out[0] = atanh(-0.9999999403953552f);
    out[1] = atanh(x);
    let y = -0.9999999403953552;
    out[2] = atanh(y);
    out[3] = atanh(0.9999999403953552f);
    out[4] = atanh(NEAR).x;
}
