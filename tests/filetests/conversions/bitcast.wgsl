// Between f32, i32 and u32: the bits stay.
//! invocations 4
//! bind f f32 0 1 -2.5 3e+38
//! bind u u32 0 1065353216 3217031168 1078530011
//! zeros dst u32 12
//! expect dst u32 0 1065353216 3223322624 2137108966 0 1073741824 3225419776 1086918619 0
//! expect dst u32 1065353216 3223322624 2137108966
@group(0) @binding(0) var<storage, read> f: array<f32>;
@group(0) @binding(1) var<storage, read> u: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = bitcast<u32>(f[i]);
    dst[i + 4u] = bitcast<u32>(bitcast<f32>(u[i]) * 2.0);
    dst[i + 8u] = u32(bitcast<i32>(f[i]));
}
