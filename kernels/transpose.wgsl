// transpose: dst = src transposed. Tiles of 32 by 32 pass through workgroup memory, so that both
// reads and writes are contiguous along local x.
//
// dims    uniform   rows, columns of src
// src     read      rows * columns elements, row-major
// dst     out       columns * rows elements, row-major
//
// Grid: ceil(columns / 32) workgroups along x, ceil(rows / 32) along y. The devices get bands of
// columns of src, which are bands of rows of dst.
// Source: Ruetsch and Micikevicius, "Optimizing matrix transpose in CUDA", 2009.
// tolerance: abs 0 rel 0

struct Dims {
    rows: u32,
    columns: u32,
}

const TILE = 32u;
const STEP = 8u;

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

// The rows have one element of padding, so that a column of a tile lies in different banks.
var<workgroup> tile: array<array<f32, 33>, TILE>;

@compute @workgroup_size(32, 8)
fn transpose(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let top = group.y * TILE;
    let left = group.x * TILE;
    for (var i = local.y; i < TILE; i += STEP) {
        let row = top + i;
        let column = left + local.x;
        if row < dims.rows && column < dims.columns {
            tile[i][local.x] = src[row * dims.columns + column];
        }
    }
    workgroupBarrier();
    for (var i = local.y; i < TILE; i += STEP) {
        let row = top + local.x;
        let column = left + i;
        if row < dims.rows && column < dims.columns {
            dst[column * dims.rows + row] = tile[local.x][i];
        }
    }
}
