// More sums than a processor has registers: the loop over them becomes several. `last` needs
// `s23`, everything needs `j`, which begins with the value from an earlier loop.
//! invocations 20
//! bind src u32 3 4 5 6 7 8 9 10 11 12 13
//! set range u32 2 11
//! zeros dst u32 20
//! expect dst u32 1774864059 829913952 4179931141 3234981034 2290030927 1345080820 400130713 3750147902 2805197795 1860247688
//! expect dst u32 915297581 4265314770 3320364663 2375414556 1430464449 485514342 3835531531 2890581424 1945631317 1000681210
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<uniform> range: vec2<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
    let id = global.x;
    if id >= arrayLength(&dst) {
        return;
    }
    // 5, however it is computed.
    var j = 0u;
    for (var i = range.x; i < range.x + 5u; i++) {
        j += 1u;
    }
    var s0 = id + 0u;
    var s1 = id + 1u;
    var s2 = id + 2u;
    var s3 = id + 3u;
    var s4 = id + 4u;
    var s5 = id + 5u;
    var s6 = id + 6u;
    var s7 = id + 7u;
    var s8 = id + 8u;
    var s9 = id + 9u;
    var s10 = id + 10u;
    var s11 = id + 11u;
    var s12 = id + 12u;
    var s13 = id + 13u;
    var s14 = id + 14u;
    var s15 = id + 15u;
    var s16 = id + 16u;
    var s17 = id + 17u;
    var s18 = id + 18u;
    var s19 = id + 19u;
    var s20 = id + 20u;
    var s21 = id + 21u;
    var s22 = id + 22u;
    var s23 = id + 23u;
    var last = 0u;
    for (var i = range.x; i < range.y; i++) {
        let x = src[i];
        s0 += (x + 0u) * (id + j);
        s1 += (x + 1u) * (id + j);
        s2 += (x + 2u) * (id + j);
        s3 += (x + 3u) * (id + j);
        s4 += (x + 4u) * (id + j);
        s5 += (x + 5u) * (id + j);
        s6 += (x + 6u) * (id + j);
        s7 += (x + 7u) * (id + j);
        s8 += (x + 8u) * (id + j);
        s9 += (x + 9u) * (id + j);
        s10 += (x + 10u) * (id + j);
        s11 += (x + 11u) * (id + j);
        s12 += (x + 12u) * (id + j);
        s13 += (x + 13u) * (id + j);
        s14 += (x + 14u) * (id + j);
        s15 += (x + 15u) * (id + j);
        s16 += (x + 16u) * (id + j);
        s17 += (x + 17u) * (id + j);
        s18 += (x + 18u) * (id + j);
        s19 += (x + 19u) * (id + j);
        s20 += (x + 20u) * (id + j);
        s21 += (x + 21u) * (id + j);
        s22 += (x + 22u) * (id + j);
        s23 += (x + 23u) * (id + j);
        last = last * 3u + s23;
        j += 7u;
    }
    var out = 0u;
    out = out * 31u + s0;
    out = out * 31u + s1;
    out = out * 31u + s2;
    out = out * 31u + s3;
    out = out * 31u + s4;
    out = out * 31u + s5;
    out = out * 31u + s6;
    out = out * 31u + s7;
    out = out * 31u + s8;
    out = out * 31u + s9;
    out = out * 31u + s10;
    out = out * 31u + s11;
    out = out * 31u + s12;
    out = out * 31u + s13;
    out = out * 31u + s14;
    out = out * 31u + s15;
    out = out * 31u + s16;
    out = out * 31u + s17;
    out = out * 31u + s18;
    out = out * 31u + s19;
    out = out * 31u + s20;
    out = out * 31u + s21;
    out = out * 31u + s22;
    out = out * 31u + s23;
    dst[id] = out + last + j;
}
