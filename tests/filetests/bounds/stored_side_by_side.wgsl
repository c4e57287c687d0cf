// A uniform value that is stored side by side with another, beyond the end for some lanes, and used again afterwards.
//! workgroups 3
//! set n u32 7
//! zeros pairs f32 140
//! zeros after f32 96
//! expect pairs f32 7 0 7 1 7 2 7 3 7 4 7 5 7 6 7 7 7 8 7 9 7 10 7 11 7 12 7 13 7 14 7 15 7 16 7 17 7 18 7 19 7 20 7 21 7 22 7 23 7 24 7 25 7 26 7 27 7 28 7 29 7 30 7 31 7 32 7 33 7 34 7 35 7 36 7 37 7 38 7 39 7 40 7 41 7 42 7 43 7 44 7 45 7 46 7 47 7 48 7 49 7 50 7 51 7 52 7 53 7 54 7 55 7 56 7 57 7 58 7 59 7 60 7 61 7 62 7 63 7 64 7 65 7 66 7 67 7 68 7 69
//! expect after f32 96*7
@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read_write> pairs: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> after: array<f32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = f32(n);
    let y = f32(id.x);
    pairs[id.x] = vec2(x, y);
    after[id.x] = x + y * 2.0;
    if n == 7u {
        after[id.x] = x;
    }
}
