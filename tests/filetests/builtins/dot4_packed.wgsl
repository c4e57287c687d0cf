// Four 8-bit products and their sum, unsigned and signed.
//! invocations 4
//! bind a u32 16909060 4286644095 2139062143 2155905152
//! bind b u32 67305985 33686018 2139062143 2155905152
//! zeros dst u32 8
//! expect dst u32 20 1530 64516 65536 20 4294967290 64516 65536
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = dot4U8Packed(a[i], b[i]);
    dst[i + 4u] = bitcast<u32>(dot4I8Packed(a[i], b[i]));
}
