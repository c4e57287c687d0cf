// stencil7: one explicit step of the heat equation on a 3-D grid, borders insulated.
//
//     dst[z, y, x] = c + alpha (sum of the 6 neighbours - 6 c)       with c = src[z, y, x]
//
// where a neighbour beyond the border has the value of the border cell.
//
// grid    uniform   width, height, depth: the grid, x fastest; alpha: dt * diffusivity / h^2,
//                   stable up to 1/6
// src     read      width * height * depth elements
// dst     out       width * height * depth elements
//
// Grid: width invocations along x, height along y, depth along z.
// Source: forward Euler in time, central differences in space (FTCS).
// tolerance: abs 1e-6 rel 1e-6

struct Grid {
    width: u32,
    height: u32,
    depth: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

fn at(x: u32, y: u32, z: u32) -> u32 {
    return (z * grid.height + y) * grid.width + x;
}

@compute @workgroup_size(32, 4, 2)
fn stencil7(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x;
    let y = id.y;
    let z = id.z;
    if x >= grid.width || y >= grid.height || z >= grid.depth {
        return;
    }
    let west = max(x, 1u) - 1u;
    let east = min(x + 1u, grid.width - 1u);
    let north = max(y, 1u) - 1u;
    let south = min(y + 1u, grid.height - 1u);
    let below = max(z, 1u) - 1u;
    let above = min(z + 1u, grid.depth - 1u);

    let c = src[at(x, y, z)];
    let around = src[at(west, y, z)] + src[at(east, y, z)]
        + src[at(x, north, z)] + src[at(x, south, z)]
        + src[at(x, y, below)] + src[at(x, y, above)];
    // Products in a `let` are not fused with the sums, so all devices give the same bits.
    let six = 6.0 * c;
    let gain = grid.alpha * (around - six);
    dst[at(x, y, z)] = c + gain;
}
