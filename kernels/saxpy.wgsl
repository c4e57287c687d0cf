// saxpy: y[i] = a * x[i] + y[i] for every i < n, in place.
//
// params  uniform   a: the factor; n: the number of elements
// x       read      n elements
// y       in, out   n elements
//
// Grid: n invocations along x.
// Source: BLAS level 1, SAXPY.
// tolerance: abs 1e-6 rel 1e-6

struct Params {
    a: f32,
    n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= params.n {
        return;
    }
    y[i] = params.a * x[i] + y[i];
}
