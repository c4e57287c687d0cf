// Only every third element is written: the others keep the launch's input, also on devices whose
// memory held something else.
//! invocations 7
//! split
//! bind dst u32 100..121
//! expect dst u32 0 101 102 1 104 105 2 107 108 3 110 111 4 113 114 5 116 117 6 119 120
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[3u * id.x] = id.x;
}
