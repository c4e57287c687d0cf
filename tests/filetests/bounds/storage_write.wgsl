// Writing past the end of a buffer does nothing; the elements of the buffer stay unchanged.
//! invocations 6
//! bind at u32 0 3 4 5 4294967295 1073741824
//! bind dst u32 4*7
//! expect dst u32 100 7 7 101
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[at[id.x]] = 100u + id.x;
}
