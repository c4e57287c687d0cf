// alias, const expressions of abstract numbers, const arrays, const_assert, and hexadecimal floats.
//! workgroups 1
//! zeros dst f32 6
//! expect dst f32 42 0.5 8 3 0.15625 1e10
alias Numbers = array<f32, SIZE>;
const SIZE = 2 + 4;
const ANSWER = 6 * 7;
const TABLE = array(1.0, 2.0, 4.0, 8.0);
const_assert SIZE == 6 && ANSWER > 41;
@group(0) @binding(0) var<storage, read_write> dst: Numbers;

@compute @workgroup_size(1)
fn main() {
    const third = 3;
    dst[0] = ANSWER;
    dst[1] = 1.0 / 2;
    dst[2] = TABLE[third];
    dst[3] = f32(u32(third));
    dst[4] = 0x1.4p-3;
    dst[5] = 1e5 * 1e5;
}
