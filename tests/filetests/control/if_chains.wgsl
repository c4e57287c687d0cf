// else if chains and nested conditions that diverge.
//! invocations 9
//! zeros dst u32 9
//! expect dst u32 1 1 2 2 3 4 5 6 6
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(9)
fn main(@builtin(local_invocation_index) i: u32) {
    var out: u32;
    if i < 2u {
        out = 1u;
    } else if i < 4u {
        out = 2u;
    } else if i < 7u {
        if i == 4u {
            out = 3u;
        } else if i == 5u {
            out = 4u;
        } else {
            out = 5u;
        }
    } else {
        out = 6u;
    }
    dst[i] = out;
}
