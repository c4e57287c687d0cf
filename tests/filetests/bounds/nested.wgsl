// Each level of a nested array has its own bound: an inner index too large must not reach the next row.
//! invocations 6
//! bind at u32 0 1 0 2 2 0 1 2 5 5 0 3
//! bind grid u32 1 2 3 4
//! expect grid u32 1 102 3 4
//! zeros dst u32 6
//! expect dst u32 2 0 0 0 0 0
@group(0) @binding(0) var<storage, read> at: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> grid: array<array<u32, 2>, 2>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) l: u32) {
    let p = at[l];
    let v = grid[p.x][p.y];
    dst[l] = v;
    grid[p.x][p.y] = v + 100u;
}
