// reduce_sum: the sum of each block of 256 * PER_INVOCATION elements; the last block may be shorter.
// Run it again over the partial sums, or add them up on the host.
//
// src             read      any number of elements
// partials        out       one element for each workgroup
// PER_INVOCATION  override  the number of elements that one invocation adds up, 16
//
// Grid: ceil(elements / (256 * PER_INVOCATION)) workgroups along x.
// Source: Harris, "Optimizing parallel reduction in CUDA", 2007.
// tolerance: abs 1e-5 rel 1e-5

override PER_INVOCATION: u32 = 16;

const SIZE = 256u;

@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> partials: array<f32>;

var<workgroup> sums: array<f32, SIZE>;

@compute @workgroup_size(256)
fn reduce_sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let first = group.x * SIZE * PER_INVOCATION + index;
    let count = arrayLength(&src);
    var sum = 0.0;
    for (var turn = 0u; turn < PER_INVOCATION; turn++) {
        let i = first + turn * SIZE;
        if i < count {
            sum += src[i];
        }
    }
    sums[index] = sum;
    workgroupBarrier();

    for (var half = SIZE / 2u; half > 0u; half /= 2u) {
        if index < half {
            sums[index] += sums[index + half];
        }
        workgroupBarrier();
    }
    if index == 0u {
        partials[group.x] = sums[0];
    }
}
