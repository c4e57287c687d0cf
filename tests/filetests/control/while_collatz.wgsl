// A while loop with a data-dependent number of iterations, from 0 to 111.
//! invocations 30
//! expect dst u32 0 1 7 2 5 8 16 3 19 6 14 9 9 17 17 4 12 20 20 7 7 15 15 10 23 10 111 18 18 18
//! zeros dst u32 30
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&dst) { return; }
    var n = id.x + 1u;
    var turns = 0u;
    while n != 1u {
        if n % 2u == 0u {
            n = n / 2u;
        } else {
            n = 3u * n + 1u;
        }
        turns++;
    }
    dst[id.x] = turns;
}
