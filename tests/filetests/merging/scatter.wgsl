// Where each element goes is known only at run time, and bands reach all over: chunks write to
// copies, and differences are merged. Elements that no chunk writes keep the launch's input.
//! invocations 12
//! split
//! bind to u32 11 0 5 7 2 9 4 14 1 13 6 10
//! bind dst u32 100..116
//! expect dst u32 1 8 4 103 6 2 10 3 108 5 11 0 112 9 7 115
@group(0) @binding(0) var<storage, read> to: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[to[id.x]] = id.x;
}
