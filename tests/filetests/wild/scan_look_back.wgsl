// One-pass prefix sum with decoupled look-back: each block publishes its sum, then its prefix, in
// one atomic word with a flag in its upper bits, and takes its number from a counter.
//! workgroups 4
//! bind src u32 5 1 0 2 6 4 8 0 1 6 3 8 2 7 0 6 0 6 0 6 8 2 2 6 1 5 0 7 7 5 6 1 4 4 5 7 3 4 4 0 2 6 6 8 6 5 0 3 5 4 2 8 2 7 0 1 4 4 2 0 8 0 8 3
//! zeros dst u32 64
//! zeros state u32 4
//! zeros next u32 1
//! expect dst u32 5 6 6 8 14 18 26 26 27 33 36 44 46 53 53 59 59 65 65 71 79 81 83 89 90 95 95 102 109 114 120 121 125 129 134 141 144 148 152 152 154 160 166 174 180 185 185 188 193 197 199 207 209 216 216 217 221 225 227 227 235 235 243 246
//! whole
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read_write> next: atomic<u32>;
const N = 16u;
const VALUE = 0x3fffffffu;
const SUM = 0x40000000u;
const PREFIX = 0x80000000u;
var<workgroup> part: u32;
var<workgroup> before: u32;
var<workgroup> sums: array<u32, N>;

@compute @workgroup_size(N)
fn main(@builtin(local_invocation_index) l: u32) {
    if l == 0u { part = atomicAdd(&next, 1u); }
    let block = workgroupUniformLoad(&part);
    sums[l] = src[block * N + l];
    for (var step = 1u; step < N; step *= 2u) {
        workgroupBarrier();
        var add = 0u;
        if l >= step { add = sums[l - step]; }
        workgroupBarrier();
        sums[l] += add;
    }
    workgroupBarrier();
    if l == 0u {
        let total = sums[N - 1u];
        var prefix = 0u;
        if block == 0u {
            atomicStore(&state[0], PREFIX | total);
        } else {
            atomicStore(&state[block], SUM | total);
            var at = block - 1u;
            loop {
                let seen = atomicLoad(&state[at]);
                if (seen & PREFIX) != 0u {
                    prefix += seen & VALUE;
                    break;
                }
                if (seen & SUM) != 0u {
                    prefix += seen & VALUE;
                    at -= 1u;
                }
            }
            atomicStore(&state[block], PREFIX | (prefix + total));
        }
        before = prefix;
    }
    workgroupBarrier();
    dst[block * N + l] = sums[l] + before;
}
