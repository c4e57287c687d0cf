// A sweep that reads its neighbours in the buffer that it writes.
//! workgroups 2
//! bind field f32 0..16
//! zeros next f32 16
//! finds race-in-workgroup READ WRITE
//! finds race-across-workgroups READ WRITE
@group(0) @binding(0) var<storage, read_write> field: array<f32>;
@group(0) @binding(1) var<storage, read_write> next: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    next[i] = 0.0;
    if i == 0u || i == 15u { return; }
    let mean = 0.5 * (field[i - 1u] + field[i + 1u]); // <READ>
    //- field[i] = mean; // <WRITE>
    //+ next[i] = mean;
}
