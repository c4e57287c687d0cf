// The sums of `many_sums` between barriers: the values of one part wait in memory while gangs run another.
//! workgroups 3
//! bind src u32 1 8 15 22 6 13 20 4 11 18 2 9 16 0 7 14 21 5 12 19 3 10 17 1
//! zeros dst u32 24
//! expect dst u32 3950660584 3606353872 3262047160 2917740448 2573433736 2229127024 1884820312 1540513600
//! expect dst u32 1982133608 3964267216 1651433528 3633567136 1320733448 3302867056 990033368 2972166976
//! expect dst u32 13606632 27213264 40819896 54426528 68033160 81639792 95246424 108853056
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

var<workgroup> tile: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    var s0 = 0u;
    var s1 = 0u;
    var s2 = 0u;
    var s3 = 0u;
    var s4 = 0u;
    var s5 = 0u;
    var s6 = 0u;
    var s7 = 0u;
    var s8 = 0u;
    var s9 = 0u;
    var s10 = 0u;
    var s11 = 0u;
    var s12 = 0u;
    var s13 = 0u;
    var s14 = 0u;
    var s15 = 0u;
    var s16 = 0u;
    var s17 = 0u;
    var s18 = 0u;
    var s19 = 0u;
    var s20 = 0u;
    var s21 = 0u;
    var s22 = 0u;
    var s23 = 0u;
    for (var row = 0u; row < 4u; row++) {
        tile[l] = src[row * 6u + l % 6u] + l + group.x;
        workgroupBarrier();
        for (var p = 0u; p < 8u; p++) {
            let x = tile[p];
            s0 += x * ((l + 1u) * (0u + p));
            s1 += x * ((l + 1u) * (1u + p));
            s2 += x * ((l + 1u) * (2u + p));
            s3 += x * ((l + 1u) * (3u + p));
            s4 += x * ((l + 1u) * (4u + p));
            s5 += x * ((l + 1u) * (5u + p));
            s6 += x * ((l + 1u) * (6u + p));
            s7 += x * ((l + 1u) * (7u + p));
            s8 += x * ((l + 1u) * (8u + p));
            s9 += x * ((l + 1u) * (9u + p));
            s10 += x * ((l + 1u) * (10u + p));
            s11 += x * ((l + 1u) * (11u + p));
            s12 += x * ((l + 1u) * (12u + p));
            s13 += x * ((l + 1u) * (13u + p));
            s14 += x * ((l + 1u) * (14u + p));
            s15 += x * ((l + 1u) * (15u + p));
            s16 += x * ((l + 1u) * (16u + p));
            s17 += x * ((l + 1u) * (17u + p));
            s18 += x * ((l + 1u) * (18u + p));
            s19 += x * ((l + 1u) * (19u + p));
            s20 += x * ((l + 1u) * (20u + p));
            s21 += x * ((l + 1u) * (21u + p));
            s22 += x * ((l + 1u) * (22u + p));
            s23 += x * ((l + 1u) * (23u + p));
        }
        workgroupBarrier();
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
    dst[group.x * 8u + l] = out;
}
