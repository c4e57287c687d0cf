// Variables without an initialiser are zero, in a loop each time again.
//! workgroups 1
//! zeros dst u32 6
//! expect dst u32 0 0 0 1 1 1
struct Mixed { a: f32, b: array<vec3<i32>, 2>, c: bool }
@group(0) @binding(0) var<storage, read_write> dst: array<u32, 6>;
var<private> kept: u32;

@compute @workgroup_size(1)
fn main() {
    var m: Mixed;
    dst[0] = bitcast<u32>(m.a) + u32(m.c);
    dst[1] = u32(m.b[1].z);
    dst[2] = kept;
    for (var i = 0u; i < 3u; i++) {
        var fresh: u32;
        fresh++;
        dst[3u + i] = fresh;
    }
}
