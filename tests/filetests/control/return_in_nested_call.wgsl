// Returns inside loops of called functions end only the call.
//! invocations 6
//! zeros dst u32 6
//! expect dst u32 1000 1001 1004 1009 1016 1999
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

fn square(n: u32) -> u32 {
    for (var k = 0u; k < 5u; k++) {
        loop {
            if k == n { return k * n; }
            break;
        }
    }
    return 999u;
}

@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) i: u32) {
    let s = square(i);
    dst[i] = s + 1000u;
}
