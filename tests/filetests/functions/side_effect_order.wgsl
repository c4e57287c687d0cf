// Arguments and operands are evaluated from left to right; a call statement drops its result.
//! workgroups 1
//! zeros dst u32 2
//! expect dst u32 1234 45
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<private> trail: u32;

fn step(digit: u32) -> u32 {
    trail = 10u * trail + digit;
    return digit;
}

fn pair(a: u32, b: u32) -> u32 { return 10u * a + b; }

@compute @workgroup_size(1)
fn main() {
    let p = pair(step(1u), step(2u)) + step(3u);
    _ = step(4u);
    dst[0] = trail;
    dst[1] = p + 30u;
}
