// A pointer is taken once: changing the index afterwards does not move it.
//! workgroups 1
//! zeros dst u32 3
//! expect dst u32 0 5 6
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    var i = 1u;
    let p = &dst[i];
    i = 2u;
    *p = 5u;
    dst[i] = *p + 1u;
}
