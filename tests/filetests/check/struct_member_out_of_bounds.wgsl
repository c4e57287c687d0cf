// An index into an array inside of a struct inside of an array.
//! workgroups 1
//! zeros nodes u32 16
//! finds out-of-bounds CHILD CHILD nodes[1].children[3]
struct Node { parent: u32, children: array<u32, 3> }
@group(0) @binding(0) var<storage, read_write> nodes: array<Node>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    nodes[l].parent = 1u;
    var at = l + 2u;
    //+ at = min(at, 2u);
    nodes[l].children[at] = 5u; // <CHILD>
}
