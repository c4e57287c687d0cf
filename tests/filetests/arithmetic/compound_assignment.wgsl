// Every compound assignment, increment and decrement, on locals, buffer elements and components.
//! workgroups 1
//! bind n u32 12 12 12 12 12 12 12 12 12 12 12 12
//! expect n u32 17 7 60 2 2 8 13 9 48 3 13 11
//! bind v f32 1 2 3 4
//! expect v f32 1 4 3 -4
@group(0) @binding(0) var<storage, read_write> n: array<u32, 12>;
@group(0) @binding(1) var<storage, read_write> v: vec4<f32>;

@compute @workgroup_size(1)
fn main() {
    n[0] += 5u;
    n[1] -= 5u;
    n[2] *= 5u;
    n[3] /= 5u;
    n[4] %= 5u;
    n[5] &= 9u;
    n[6] |= 9u;
    n[7] ^= 5u;
    n[8] <<= 2u;
    n[9] >>= 2u;
    n[10]++;
    n[11]--;
    v.y *= 2.0;
    var local = v;
    local.w -= 8.0;
    v = local;
}
