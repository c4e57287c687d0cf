// An `@align` above what the member's type needs is also the struct's, where it is a member and where it is an
// element: `y` lies at 16, `z` at 32, `c` at 48 with a stride of 32, `d` at 112; 128 bytes in all.
//! workgroups 1
//! set given u32 1 3*0 2 3*0 3 3*0 4 3*0 5 3*0 6 3*0 7 3*0 8 3*0
//! zeros out u32 64
//! expect out u32 32*0 11 3*0 12 3*0 13 3*0 14 3*0 15 3*0 16 3*0 17 3*0 18 3*0
const LINE = 8u * 2u;
struct Inner { @align(LINE) x: u32 }
struct Outer { i: Inner, n: u32 }
struct S { a: u32, y: Inner, z: u32, c: array<Outer, 2>, d: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<S>;
@group(0) @binding(1) var<uniform> given: S;
var<workgroup> kept: S;

@compute @workgroup_size(1)
fn main() {
    kept = given;
    out[1].a = kept.a + 10u;
    out[1].y.x = kept.y.x + 10u;
    out[1].z = kept.z + 10u;
    for (var i = 0u; i < 2u; i++) {
        out[1].c[i].i.x = kept.c[i].i.x + 10u;
        out[1].c[i].n = kept.c[i].n + 10u;
    }
    out[1].d = kept.d + 10u;
}
