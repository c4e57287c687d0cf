// A buffer that is not a whole number of elements long has only the whole ones.
//! invocations 4
//! bind src u32 1 2 3 4 5
//! zeros dst u32 8
//! expect dst u32 2 1 2 3 2 0 2 0
@group(0) @binding(0) var<storage, read> src: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[2u * id.x] = arrayLength(&src);
    dst[2u * id.x + 1u] = src[id.x].x;
}
