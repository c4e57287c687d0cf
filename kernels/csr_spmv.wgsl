// csr_spmv: y = A x for a sparse matrix in compressed row storage, one invocation for each row.
//
// row_ptr  read     rows + 1 elements; row r is elements row_ptr[r] .. row_ptr[r + 1] (excluded)
//                   of columns and values
// columns  read     the column of each stored element
// values   read     the stored elements
// x        read     the vector, one element for each column of A
// y        out      rows elements
//
// Grid: rows invocations along x.
// Source: Bell and Garland, "Efficient sparse matrix-vector multiplication on CUDA", 2008 (the
// scalar CSR kernel).
// tolerance: abs 1e-5 rel 1e-5

@group(0) @binding(0) var<storage, read> row_ptr: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(128)
fn csr_spmv(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row >= arrayLength(&y) {
        return;
    }
    var sum = 0.0;
    let end = row_ptr[row + 1u];
    for (var i = row_ptr[row]; i < end; i++) {
        sum += values[i] * x[columns[i]];
    }
    y[row] = sum;
}
