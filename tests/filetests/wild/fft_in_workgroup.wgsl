// A radix-2 Stockham transform of eight points in workgroup memory; the flag for the inverse one
// comes through workgroupUniformLoad.
//! workgroups 1
//! bind signal f32 1.0 0.0 2.0 0.0 3.0 0.0 4.0 0.0 4.0 0.0 3.0 0.0 2.0 0.0 1.0 0.0
//! bind options u32 0
//! tolerance 1e-5 1e-5
// WGSL grants sine and cosine an error of 2^-11 each.
//! gpu-tolerance 4e-3 1e-5
//! expect signal f32 20.0 0.0 -5.828427 -2.414214 0.0 0.0 -0.171573 -0.414214 0.0 0.0 -0.171573 0.414214 0.0 0.0 -5.828427 2.414214
@group(0) @binding(0) var<storage, read_write> signal: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read> options: array<u32>;
const N = 8u;
var<workgroup> a: array<vec2<f32>, N>;
var<workgroup> b: array<vec2<f32>, N>;
var<workgroup> inverse: u32;

fn times(p: vec2<f32>, q: vec2<f32>) -> vec2<f32> {
    return vec2(p.x * q.x - p.y * q.y, p.x * q.y + p.y * q.x);
}

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    if l == 0u { inverse = options[0]; }
    let sign = select(-1.0, 1.0, workgroupUniformLoad(&inverse) == 1u);
    a[l] = signal[l];
    a[l + 4u] = signal[l + 4u];
    workgroupBarrier();
    var half = 1u;
    loop {
        let k = l % half;
        let angle = sign * 3.14159265 * f32(k) / f32(half);
        let x = a[l];
        let y = times(a[l + N / 2u], vec2(cos(angle), sin(angle)));
        let at = (l / half) * half * 2u + k;
        b[at] = x + y;
        b[at + half] = x - y;
        workgroupBarrier();
        a[l] = b[l];
        a[l + 4u] = b[l + 4u];
        half *= 2u;
        workgroupBarrier();
        if half >= N { break; }
    }
    signal[l] = a[l];
    signal[l + 4u] = a[l + 4u];
}
