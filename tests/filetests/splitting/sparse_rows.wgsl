// A sparse matrix times a vector: the row pointers bound each band.
//! invocations 4
//! split
//! bind row u32 0 2 2 5 6
//! bind column u32 0 3 1 2 0 3
//! bind value f32 1 2 3 4 5 6
//! bind x f32 1 10 100 1000
//! zeros y f32 4
//! expect y f32 2001 0 435 6000
@group(0) @binding(0) var<storage, read> row: array<u32>;
@group(0) @binding(1) var<storage, read> column: array<u32>;
@group(0) @binding(2) var<storage, read> value: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&y) { return; }
    var total = 0.0;
    for (var k = row[id.x]; k < row[id.x + 1u]; k++) {
        total += value[k] * x[column[k]];
    }
    y[id.x] = total;
}
