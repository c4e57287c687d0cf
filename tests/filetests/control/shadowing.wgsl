// Inner declarations shadow outer ones, a parameter shadows a global, a loop variable its outer.
//! workgroups 1
//! zeros dst u32 4
//! expect dst u32 1 2 13 1
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
const x = 1u;

fn sum(x: u32) -> u32 {
    var total = 0u;
    for (var i = 0u; i < 3u; i++) {
        let x = x + i;
        total += x;
    }
    return total + x;
}

@compute @workgroup_size(1)
fn main() {
    dst[0] = x;
    {
        let x = 2u;
        dst[1] = x;
    }
    // 2 + 3 + 4 + 4 - 0 = 9 + 2 * 2
    dst[2] = sum(2u) + 2u;
    dst[3] = x;
}
