// One output in bands, one scattered, one reduced: each is combined in its own way.
//! invocations 8
//! split
//! bind src u32 5 1 7 1 0 5 5 2
//! zeros squares u32 8
//! expect squares u32 25 1 49 1 0 25 25 4
//! bind last u32 8*90
//! expect last u32 4 1 7 90 90 0 90 2
//! zeros counts u32 8
//! expect counts u32 1 2 1 0 0 3 0 1
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> squares: array<u32>;
@group(0) @binding(2) var<storage, read_write> last: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = src[id.x];
    squares[id.x] = x * x;
    // Only the first of equal values writes, so the kernel is race-free.
    var first = true;
    for (var i = 0u; i < id.x; i++) { first = first && src[i] != x; }
    if first { last[x * 3u % 8u * 3u % 8u] = id.x; }
    atomicAdd(&counts[x], 1u);
}
