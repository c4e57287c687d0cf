// default as one of several selectors, and a switch on u32.
//! invocations 4
//! zeros dst u32 4
//! expect dst u32 7 8 7 7
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    switch i {
        case 0u, default: { dst[i] = 7u; }
        case 1u: { dst[i] = 8u; }
    }
}
