// Each invocation walks a binary tree in an array with a stack of its own, as ray tracers do.
//! invocations 4
//! bind limit u32 0 3 9 100
//! bind values u32 5 1 9 2 7 30 4
//! zeros dst u32 4
//! expect dst u32 0 3 28 58
@group(0) @binding(0) var<storage, read> limit: array<u32>;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var stack: array<u32, 8>;
    var top = 1u;
    stack[0] = 0u;
    var sum = 0u;
    while top > 0u {
        top -= 1u;
        let node = stack[top];
        if node >= arrayLength(&values) { continue; }
        if values[node] <= limit[id.x] { sum += values[node]; }
        stack[top] = 2u * node + 1u;
        stack[top + 1u] = 2u * node + 2u;
        top += 2u;
    }
    dst[id.x] = sum;
}
