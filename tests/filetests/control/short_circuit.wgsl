// && and || evaluate the right side only when it matters, invocation by invocation.
//! invocations 4
//! zeros dst u32 4
//! expect dst u32 11 11 110 110
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

fn mark(i: u32, amount: u32, answer: bool) -> bool {
    dst[i] += amount;
    return answer;
}

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    let low = i < 2u;
    if low && mark(i, 1u, false) {
        dst[i] += 1000u;
    }
    if low || mark(i, 100u, true) {
        dst[i] += 10u;
    }
}
