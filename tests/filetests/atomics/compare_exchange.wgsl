// compareExchangeWeak says whether it exchanged, and the old value. A weak exchange may fail for no
// reason, hence the loop.
//! workgroups 1
//! bind a u32 5 5
//! expect a u32 9 5
//! zeros dst u32 4
//! expect dst u32 5 1 5 0
@group(0) @binding(0) var<storage, read_write> a: array<atomic<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    for (var k = 0u; k < 100u; k++) {
        let r = atomicCompareExchangeWeak(&a[0], 5u, 9u);
        dst[0] = r.old_value;
        dst[1] = u32(r.exchanged);
        if r.exchanged { break; }
    }
    let r = atomicCompareExchangeWeak(&a[1], 6u, 9u);
    dst[2] = r.old_value;
    dst[3] = u32(r.exchanged);
}
