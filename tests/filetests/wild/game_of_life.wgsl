// Conway's game of life on a torus, from one buffer into another.
//! invocations 8,8
//! bind now u32 0 0 1 1 0 0 0 0 0 0 1 1 1 1 1 0 0 0 0 0 0 1 0 1 0 1 0 1 0 0 1 0 1 0 1 0 1 0 0 1 0 1 1 0 1 1 0 1 1 0 0 1 0 1 0 0 1 1 1 0 0 0 0 1
//! zeros next u32 64
//! expect next u32 1 0 0 0 0 1 1 1 0 0 1 0 0 1 1 0 0 0 0 0 0 0 0 1 0 1 1 1 1 1 1 0 0 0 0 0 1 0 0 1 0 0 1 0 0 1 0 1 0 0 0 1 0 1 0 0 1 0 0 0 1 0 0 1
@group(0) @binding(0) var<storage, read> now: array<u32>;
@group(0) @binding(1) var<storage, read_write> next: array<u32>;
const N = 8u;

fn cell(x: u32, y: u32) -> u32 {
    return now[(y % N) * N + (x % N)];
}

@compute @workgroup_size(4, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x + N;
    let y = id.y + N;
    let alive = cell(x - 1u, y - 1u) + cell(x, y - 1u) + cell(x + 1u, y - 1u)
        + cell(x - 1u, y) + cell(x + 1u, y)
        + cell(x - 1u, y + 1u) + cell(x, y + 1u) + cell(x + 1u, y + 1u);
    let i = id.y * N + id.x;
    switch alive {
        case 2u: { next[i] = now[i]; }
        case 3u: { next[i] = 1u; }
        default: { next[i] = 0u; }
    }
}
