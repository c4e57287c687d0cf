// Locals, lets, arrays and loop counters keep their values across barriers.
//! workgroups 2
//! zeros dst u32 8
//! expect dst u32 1036 1148 1260 1372 5036 5148 5260 5372
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> w: array<u32, 4>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let fixed = 100u * l;
    var list = array<u32, 3>(l, 2u * l, 3u * l);
    var total = 0u;
    for (var k = 0u; k < 3u; k++) {
        w[l] = list[k] + k;
        workgroupBarrier();
        // The sum over the workgroup is (k + 1) * (0 + 1 + 2 + 3) + 4 k.
        total += w[0] + w[1] + w[2] + w[3] - list[k];
        list[k] += 1u;
        workgroupBarrier();
    }
    total += list[0] + list[1] + list[2];
    dst[id.x] = 1000u * (id.x - l + 1u) + fixed + total - 15u + 12u * l;
}
