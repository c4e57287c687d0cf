// The second of two entry points; the first one's binding need not be given.
//! entry second
//! workgroups 1
//! zeros b u32 1
//! expect b u32 2
@group(0) @binding(0) var<storage, read_write> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> b: array<u32>;

@compute @workgroup_size(1)
fn first() {
    a[0] = 1u;
}

@compute @workgroup_size(1)
fn second() {
    b[0] = 2u;
}
