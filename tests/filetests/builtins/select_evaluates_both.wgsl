// select is a function: both operands are evaluated, with their side effects.
//! workgroups 1
//! bind src u32 1
//! zeros dst u32 3
//! expect dst u32 20 1 1
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

fn one() -> u32 {
    dst[1] += 1u;
    return 10u;
}

fn two() -> u32 {
    dst[2] += 1u;
    return 20u;
}

@compute @workgroup_size(1)
fn main() {
    dst[0] = select(one(), two(), src[0] == 1u);
}
