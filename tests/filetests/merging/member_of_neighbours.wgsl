// One member is changed in place; of the neighbours, only a member is read that no invocation changes.
//! invocations 8
//! split
//! bind p u32 0 0 2 1 4 2 6 0 8 1 10 2 12 0 14 1
//! expect p u32 2 0 4 1 5 2 9 0 10 1 11 2 15 0 14 1
@group(0) @binding(0) var<storage, read_write> p: array<vec2<u32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let n = arrayLength(&p);
    p[id.x].x += p[(id.x + 1u) % n].y + p[(id.x + n - 1u) % n].y;
}
