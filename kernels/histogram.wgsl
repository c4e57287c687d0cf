// histogram: the number of values in each of 256 equal bins of [0, 1). Smaller values count in the
// first bin, larger ones in the last. Each workgroup counts in workgroup memory, then adds its
// counts to the result.
//
// values  read      any number of elements, none of them NaN
// counts  in, out   256 elements; the counts are added to their contents
//
// Grid: any number w of workgroups along x; workgroup g counts the stretches g, g + w, g + 2 w, ...
// of 256 elements.
// Counts are integers, so they are exact.
// tolerance: abs 0 rel 0

const BINS = 256u;

@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;

var<workgroup> bins: array<atomic<u32>, BINS>;

@compute @workgroup_size(256)
fn histogram(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let count = arrayLength(&values);
    let stride = groups.x * BINS;
    for (var i = id.x; i < count; i += stride) {
        let bin = clamp(i32(values[i] * f32(BINS)), 0, i32(BINS) - 1);
        atomicAdd(&bins[bin], 1u);
    }
    workgroupBarrier();
    atomicAdd(&counts[index], atomicLoad(&bins[index]));
}
