// A mean over zero elements divides zero by zero.
//! lint
//! workgroups 1
//! bind count f32 0 1 2 0
//! zeros dst f32 4
//! finds not-finite DIVIDE DIVIDE
@group(0) @binding(0) var<storage, read> count: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    let n = count[l];
    //+ if n == 0.0 { return; }
    let mean = n / n; // <DIVIDE>
    dst[l] = mean + 1.0;
}
