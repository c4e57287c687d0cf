// abs of a u32 changes nothing.
//! invocations 4
//! bind src u32 0 1 2147483648 4294967295
//! zeros dst u32 4
//! expect dst u32 0 1 2147483648 4294967295
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = abs(src[i]);
}
