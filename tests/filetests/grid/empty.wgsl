// A grid with a zero does nothing and succeeds.
//! workgroups 3,0,2
//! bind dst u32 7
//! expect dst u32 7
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = 1u;
}
