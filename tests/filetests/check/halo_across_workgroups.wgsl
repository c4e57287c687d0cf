// Only the border between two workgroups is shared.
//! workgroups 3
//! bind cells f32 0..24
//! finds race-across-workgroups READ WRITE cells[8]
@group(0) @binding(0) var<storage, read_write> cells: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    var next = 0.0;
    if l == 7u && id.x < 23u {
        //- next = cells[id.x + 1u]; // <READ>
    }
    if l == 0u {
        cells[id.x] = 1.0; // <WRITE>
    }
    if next > 100.0 { cells[id.x] = next; }
}
