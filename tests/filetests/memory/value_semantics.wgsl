// A let keeps its value, whatever is written to the variable later.
//! workgroups 1
//! bind dst u32 1 2 3 4
//! expect dst u32 9 9 1 2
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let a = dst[0];
    var b = array<u32, 2>(dst[0], dst[1]);
    let c = b;
    dst[0] = 9u;
    dst[1] = 9u;
    b[0] = 8u;
    b[1] = 8u;
    dst[2] = a;
    dst[3] = c[1];
}
