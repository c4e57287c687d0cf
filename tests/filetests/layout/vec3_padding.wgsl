// A vec3 takes 12 bytes at an alignment of 16; a scalar fits behind it; padding stays unchanged.
//! workgroups 1
//! bind items u32 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7
//! expect items u32 1 2 3 4 7 7 7 7 5 6 8 9 7 7 7 7
//! bind only u32 7 7 7 7 7 7 7 7
//! expect only u32 1 2 3 7 4 5 6 7
struct Packed { position: vec3<u32>, weight: u32 }
struct Spaced { a: Packed, @size(16) unused: u32, b: Packed, @size(16) also_unused: u32 }
@group(0) @binding(0) var<storage, read_write> items: Spaced;
@group(0) @binding(1) var<storage, read_write> only: array<vec3<u32>>;

@compute @workgroup_size(1)
fn main() {
    items.a = Packed(vec3(1u, 2u, 3u), 4u);
    items.b.position = vec3(5u, 6u, 8u);
    items.b.weight = 9u;
    only[0] = vec3(1u, 2u, 3u);
    only[1] = vec3(4u, 5u, 6u);
}
