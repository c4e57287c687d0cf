// Structs as values: constructors, copies, nested members, whole assignment, comparison by member.
//! workgroups 1
//! zeros dst u32 8
//! expect dst u32 1 2 3 9 1 2 30 9
struct Inner { a: u32, b: u32 }
struct Outer { first: Inner, rest: array<u32, 2> }
@group(0) @binding(0) var<storage, read_write> dst: array<Outer, 2>;

fn changed(o: Outer) -> Outer {
    var copy = o;
    copy.rest[0] = 30u;
    return copy;
}

@compute @workgroup_size(1)
fn main() {
    var o = Outer(Inner(1u, 2u), array(3u, 4u));
    o.rest[1] = 9u;
    dst[0] = o;
    dst[1] = changed(o);
}
