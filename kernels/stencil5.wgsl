// stencil5: one explicit step of the heat equation on a 2-D grid, borders insulated.
//
//     dst[y, x] = c + alpha (west + east + north + south - 4 c)      with c = src[y, x]
//
// where a neighbour beyond the border has the value of the border cell.
//
// grid    uniform   width, height: the grid, row-major; alpha: dt * diffusivity / h^2, stable up
//                   to 0.25
// src     read      width * height elements
// dst     out       width * height elements
//
// Grid: width invocations along x, height along y.
// Source: forward Euler in time, central differences in space (FTCS).
// tolerance: abs 1e-6 rel 1e-6

struct Grid {
    width: u32,
    height: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(64, 4)
fn stencil5(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = id.x;
    let y = id.y;
    if x >= grid.width || y >= grid.height {
        return;
    }
    let west = max(x, 1u) - 1u;
    let east = min(x + 1u, grid.width - 1u);
    let north = max(y, 1u) - 1u;
    let south = min(y + 1u, grid.height - 1u);

    let row = y * grid.width;
    let c = src[row + x];
    let around = src[row + west] + src[row + east]
        + src[north * grid.width + x] + src[south * grid.width + x];
    // A product in a `let` is not fused with the sum, so all devices give the same bits.
    let gain = grid.alpha * (around - 4.0 * c);
    dst[row + x] = c + gain;
}
