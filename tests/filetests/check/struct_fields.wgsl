// Two invocations own different fields of a struct, but one writes all of it.
//! workgroups 1
//! zeros items u32 8
//! finds race-in-workgroup FIELD WHOLE items[0].b
struct Item { a: u32, b: u32 }
@group(0) @binding(0) var<storage, read_write> items: array<Item>;

@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) l: u32) {
    if l == 0u {
        items[0].b = 2u; // <FIELD>
    } else {
        //- items[0] = Item(1u, 1u); // <WHOLE>
        //+ items[0].a = 1u;
    }
}
