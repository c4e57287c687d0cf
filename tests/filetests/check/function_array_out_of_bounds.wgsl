// A loop beyond the end of a function's array, which is read through a pointer parameter.
//! workgroups 1
//! zeros dst u32 4
//! finds out-of-bounds SUM SUM
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

fn total(values: ptr<function, array<u32, 4>>, count: u32) -> u32 {
    var sum = 0u;
    for (var k = 0u; k < count; k++) {
        sum += (*values)[k]; // <SUM>
    }
    return sum;
}

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    var values = array<u32, 4>(1u, 2u, 3u, 4u);
    //- dst[l] = total(&values, l + 2u);
    //+ dst[l] = total(&values, l + 1u);
}
