// matmul: C = A B for any m, n and k. A workgroup computes a 64 by 64 tile of C from strips of A
// and B in workgroup memory; an invocation computes 4 by 4 elements of it in registers.
//
// dims    uniform   A is m by k, B is k by n, C is m by n, all row-major
// a       read      m * k elements
// b       read      k * n elements
// c       out       m * n elements
// STRIP   override  the depth of a strip, 16; needs (64 + 64) STRIP * 4 bytes of workgroup
//                   memory
//
// Grid: ceil(n / 64) workgroups along x, ceil(m / 64) along y.
// Source: register tiling as in Volkov and Demmel, "Benchmarking GPUs to tune dense linear
// algebra", 2008. The columns of an invocation are 16 apart, so that neighbours along local x access
// neighbouring elements. Its rows are 16 apart, so that neighbours along local y access different
// banks.
// tolerance: abs 1e-5 rel 1e-5

struct Dims {
    m: u32,
    n: u32,
    k: u32,
}

override STRIP: u32 = 16;

// The tile of C is ROWS by COLUMNS; the workgroup is SIDE by SIDE.
const SIDE = 16u;
const ROWS = 4u * SIDE;
const COLUMNS = 4u * SIDE;
override A_SIZE = ROWS * STRIP;
override B_SIZE = STRIP * COLUMNS;

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

var<workgroup> a_strip: array<f32, A_SIZE>;
var<workgroup> b_strip: array<f32, B_SIZE>;

// Four elements of one row of C, SIDE apart.
fn store(row: u32, col: u32, value: vec4<f32>) {
    if row < dims.m {
        let first = row * dims.n;
        if col < dims.n {
            c[first + col] = value.x;
        }
        if col + SIDE < dims.n {
            c[first + col + SIDE] = value.y;
        }
        if col + 2u * SIDE < dims.n {
            c[first + col + 2u * SIDE] = value.z;
        }
        if col + 3u * SIDE < dims.n {
            c[first + col + 3u * SIDE] = value.w;
        }
    }
}

@compute @workgroup_size(16, 16)
fn matmul(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let top = group.y * ROWS;
    let left = group.x * COLUMNS;

    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();

    for (var start = 0u; start < dims.k; start += STRIP) {
        // Elements outside A and B count as zero.
        for (var i = index; i < ROWS * STRIP; i += SIDE * SIDE) {
            let row = top + i / STRIP;
            let p = start + i % STRIP;
            var value = 0.0;
            if row < dims.m && p < dims.k {
                value = a[row * dims.k + p];
            }
            a_strip[i] = value;
        }
        for (var i = index; i < STRIP * COLUMNS; i += SIDE * SIDE) {
            let p = start + i / COLUMNS;
            let col = left + i % COLUMNS;
            var value = 0.0;
            if p < dims.k && col < dims.n {
                value = b[p * dims.n + col];
            }
            b_strip[i] = value;
        }
        workgroupBarrier();

        for (var p = 0u; p < STRIP; p++) {
            let from_b = p * COLUMNS + local.x;
            let b_row = vec4(
                b_strip[from_b],
                b_strip[from_b + SIDE],
                b_strip[from_b + 2u * SIDE],
                b_strip[from_b + 3u * SIDE],
            );
            let from_a = local.y * STRIP + p;
            sum0 = fma(vec4(a_strip[from_a]), b_row, sum0);
            sum1 = fma(vec4(a_strip[from_a + SIDE * STRIP]), b_row, sum1);
            sum2 = fma(vec4(a_strip[from_a + 2u * SIDE * STRIP]), b_row, sum2);
            sum3 = fma(vec4(a_strip[from_a + 3u * SIDE * STRIP]), b_row, sum3);
        }
        workgroupBarrier();
    }

    let row = top + local.y;
    let col = left + local.x;
    store(row, col, sum0);
    store(row + SIDE, col, sum1);
    store(row + 2u * SIDE, col, sum2);
    store(row + 3u * SIDE, col, sum3);
}
