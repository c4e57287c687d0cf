// matmul_naive: C = A B, one invocation for each element of C, as in the definition. `matmul.wgsl`
// is faster.
//
// dims    uniform   A is m by k, B is k by n, C is m by n, all row-major
// a       read      m * k elements
// b       read      k * n elements
// c       out       m * n elements
//
// Grid: n invocations along x, m along y.
// tolerance: abs 1e-5 rel 1e-5

struct Dims {
    m: u32,
    n: u32,
    k: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

@compute @workgroup_size(32, 4)
fn matmul_naive(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y;
    let col = id.x;
    if row >= dims.m || col >= dims.n {
        return;
    }
    var sum = 0.0;
    for (var p = 0u; p < dims.k; p++) {
        sum += a[row * dims.k + p] * b[p * dims.n + col];
    }
    c[row * dims.n + col] = sum;
}
