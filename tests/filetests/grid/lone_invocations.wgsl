// Workgroups of one invocation, with loops of different lengths, and the number of workgroups.
//! workgroups 37
//! bind src u32 3 10 31 66 14 77 53 43 47 65 97 42 1 75 62 63 78 6 49 5 76 60 58 70 96 35 89 56 37 32 41 64 0 51 15 94 86
//! zeros dst u32 37
//! expect dst u32 37003 37013 37044 37110 37124 37077 37130 37173 37220 37285 37097 37139 37140 37215 37277 37063 37141 37147 37196 37201 37076 37136 37194 37264 37360 37035 37124 37180 37217 37249 37041 37105 37105 37156 37171 37094 37180
//! split
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>) {
    var sum = 0u;
    for (var k = 0u; k <= id.x % 5u; k++) {
        sum += src[max(id.x, k) - k];
    }
    dst[id.x] = sum + all.x * 1000u;
}
