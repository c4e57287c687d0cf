// Guards, clamps and bounds checks that only some workgroups need: the first, the last, and those where a product
// wraps. 2^28 + 1 times 16 and 32 are 16 and 32 again; other indices lie outside.
//! workgroups 3
//! set params u32 40
//! bind src u32 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42
//! bind dst u32 44*7
//! expect dst u32 12307 15008 18010 21012 24014 27016 30018 33020 36022 39024 42026 45028 48030 51032 54034 57036 61938 63040 66042 69044 72046 75048 78050 81052 84054 87056 90058 93060 96062 99064 102066 105068 111570 111072 114074 117076 120078 123080 83082 42083 7 7 7 7
@group(0) @binding(0) var<uniform> params: u32;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= params {
        return;
    }
    let west = max(i, 1u) - 1u;
    let east = min(i + 1u, params - 1u);
    var sum = src[west] + src[east] + 100u * src[i * 268435457u];
    for (var k = 0u; k < 3u; k++) {
        sum += 1000u * src[i + k];
    }
    dst[i] = sum;
}
