// Out of bounds in an array, a vector and a matrix that are values.
//! invocations 4
//! bind at u32 1 2 3 4294967295
//! zeros dst f32 12
//! expect dst f32 20 2 3 0 3 0 0 0 0 0 0 0
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let k = at[id.x];
    let list = array<f32, 2>(10.0, 20.0);
    let vector = vec3(1.0, 2.0, 3.0);
    let matrix = mat2x2(1.0, 2.0, 3.0, 4.0);
    dst[3u * id.x] = list[k];
    dst[3u * id.x + 1u] = vector[k];
    dst[3u * id.x + 2u] = matrix[k].x;
}
