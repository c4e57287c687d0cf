// reduce: the sum and the maximum over a workgroup's 256 invocations. Every invocation of the
// workgroup must make the call, with its local_invocation_index. Each gets the result.

var<workgroup> reduce_scratch: array<f32, 256>;

fn reduce_sum_256(index: u32, value: f32) -> f32 {
    reduce_scratch[index] = value;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half >>= 1u) {
        if index < half {
            reduce_scratch[index] += reduce_scratch[index + half];
        }
        workgroupBarrier();
    }
    let sum = reduce_scratch[0];
    // The next reduction must not write the scratch before all invocations have read the sum.
    workgroupBarrier();
    return sum;
}

fn reduce_max_256(index: u32, value: f32) -> f32 {
    reduce_scratch[index] = value;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half >>= 1u) {
        if index < half {
            reduce_scratch[index] = max(reduce_scratch[index], reduce_scratch[index + half]);
        }
        workgroupBarrier();
    }
    let largest = reduce_scratch[0];
    workgroupBarrier();
    return largest;
}
