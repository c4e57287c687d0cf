//! Subgroup operations and atomics: compiled code does what the interpreter does, for subgroups of
//! every size.

use super::same_on_all_engines;

/// Bodies of an entry point of 72 invocations, which write `out[g]`. `i` is an invocation's number in its
/// workgroup, `g` in the launch, `x` is `data[g]`, and `f` a float of either sign.
const BODIES: &[&str] = &[
    "out[g] = lane + 100u * sid + 10000u * size + 1000000u * count;",
    "let b = subgroupBallot(x % 3u == 0u); out[g] = b.x ^ (b.y * 3u) ^ b.z ^ b.w;",
    "if i % 3u == 1u { let b = subgroupBallot(true); out[g] = b.x + b.y * 7u; }",
    "out[g] = subgroupAdd(x) + subgroupMax(x) * 3u + subgroupMin(x) + subgroupXor(x) + subgroupOr(x) + subgroupAnd(x | 3u) + subgroupMul(x | 1u);",
    "let s = i32(x) - 500; out[g] = u32(subgroupMax(s) * 7 + subgroupMin(s) + subgroupAdd(s) + subgroupMul(s | 1));",
    "out[g] = bitcast<u32>(subgroupAdd(f)) ^ bitcast<u32>(subgroupMul(f * 0.01)) ^ bitcast<u32>(subgroupMin(f)) ^ bitcast<u32>(subgroupMax(f));",
    "if x % 2u == 0u { out[g] = bitcast<u32>(subgroupAdd(f)) ^ bitcast<u32>(subgroupMul(f * 0.01)); } else { out[g] = bitcast<u32>(subgroupMin(f)) + subgroupAdd(x); }",
    "out[g] = subgroupInclusiveAdd(x) + subgroupExclusiveAdd(x) * 5u + subgroupInclusiveMul(x | 1u) + subgroupExclusiveMul(x | 1u);",
    "if i % 5u > 1u { out[g] = bitcast<u32>(subgroupInclusiveAdd(f)) + bitcast<u32>(subgroupExclusiveAdd(f)) * 3u + bitcast<u32>(subgroupInclusiveMul(f)) + bitcast<u32>(subgroupExclusiveMul(f)); }",
    "out[g] = u32(subgroupAll(x > 20u)) + 2u * u32(subgroupAny(x > 900u)) + 4u * u32(subgroupAll(i < 70u)) + 8u * u32(subgroupAny(false));",
    "out[g] = subgroupBroadcastFirst(x) + subgroupBroadcast(x, 5u) * 3u;",
    "if i % 4u == 2u { out[g] = subgroupBroadcastFirst(x) + subgroupBroadcast(x, 6u) * 3u + subgroupBroadcast(x, 5u); }",
    "out[g] = subgroupShuffle(x, x) + subgroupShuffle(x, lane ^ 3u) * 7u + subgroupShuffle(x, size - 1u);",
    "out[g] = subgroupShuffleUp(x, 3u) + subgroupShuffleDown(x, 5u) * 3u + subgroupShuffleXor(x, 6u) * 5u + subgroupShuffleDown(x, 70u) + subgroupShuffleXor(x, 64u);",
    "if i % 3u != 0u { out[g] = subgroupShuffleUp(x, 1u) + subgroupShuffleDown(x, x % 4u) * 3u + subgroupShuffleXor(x, 1u) * 5u; }",
    "out[g] = quadBroadcast(x, 2u) + quadSwapX(x) * 3u + quadSwapY(x) * 5u + quadSwapDiagonal(x) * 7u;",
    "let v = subgroupAdd(vec3<f32>(f, 1.0, f * f)); let w = subgroupShuffleXor(vec2<u32>(x, i), 1u); out[g] = bitcast<u32>(v.x + v.y * v.z) + w.x * 3u + w.y;",
    "let h = f16(f * 0.1); out[g] = pack2x16float(vec2<f32>(f32(subgroupAdd(h)), f32(subgroupInclusiveMul(h)))) + pack2x16float(vec2<f32>(f32(subgroupMax(h)), f32(subgroupExclusiveAdd(h))));",
    "var s = 0u; for (var k = 0u; k < x % 7u; k++) { s += subgroupAdd(k + i); if s % 5u == 2u { continue; } if s % 11u == 3u { break; } s += subgroupBallot(s % 2u == 0u).x; } out[g] = s;",
    "if g > 90u { return; } w[i] = subgroupAdd(x); workgroupBarrier(); out[g] = w[(i + 9u) % 72u] + subgroupMax(i);",
    "if i % 2u == 0u { w[i] = subgroupAdd(x); workgroupBarrier(); out[g] = w[(i + 10u) % 72u] + subgroupMax(i); }",
    "switch x % 4u { case 0u: { out[g] = subgroupAdd(1u); } case 1u: { if i > 30u { break; } out[g] = subgroupAdd(3u); } default: { out[g] = subgroupMin(x); } } out[g] += subgroupAdd(1u) * 100u;",
    // Atomics that may be combined, and some that may not.
    "atomicAdd(&sum, x); atomicSub(&all[0], i); atomicMax(&all[1], x); atomicMin(&all[2], x); atomicXor(&all[3], x * 77u); atomicOr(&all[4], 1u << (i % 32u)); atomicAnd(&all[5], ~(x & 3u)); workgroupBarrier(); out[g] = atomicLoad(&sum);",
    "if x % 3u == 0u { atomicAdd(&sum, 5u); atomicXor(&all[3], 12u); atomicMax(&all[1], 3u + group.x); } workgroupBarrier(); out[g] = atomicLoad(&sum);",
    "if x > 100000u { atomicAdd(&sum, 5u); atomicOr(&all[3], 12u); } atomicMax(&least, i32(x) - 600); atomicMin(&least, 300); workgroupBarrier(); out[g] = atomicLoad(&sum) + u32(atomicLoad(&least));",
    "atomicAdd(&all[i + 60u], 3u); atomicAdd(&all[size], 1u); let old = atomicAdd(&sum, 1u); out[g] = u32(old < 72u); atomicAdd(&all[6u + x % 5u], x);",
    "let c = atomicCompareExchangeWeak(&sum, 0u, 9u); out[g] = u32(c.exchanged) * 2u + u32(c.old_value == 9u); let e = atomicExchange(&all[7], 3u); out[g] += u32(e <= 3u) * 8u;",
];

#[test]
fn subgroups_and_atomics_do_what_the_interpreter_does() {
    let data: Vec<u32> = (0..144u32).map(|i| (i * 7919 + 5) % 1009).collect();
    let mut failures = Vec::new();
    for (k, body) in BODIES.iter().enumerate() {
        let text = format!(
            "enable f16;
            @group(0) @binding(0) var<storage, read_write> out: array<u32>;
            @group(0) @binding(1) var<storage> data: array<u32>;
            @group(0) @binding(2) var<storage, read_write> all: array<atomic<u32>>;
            var<workgroup> w: array<u32, 72>;
            var<workgroup> sum: atomic<u32>;
            var<workgroup> least: atomic<i32>;
            @compute @workgroup_size(72)
            fn main(
                @builtin(local_invocation_index) i: u32,
                @builtin(workgroup_id) group: vec3<u32>,
                @builtin(subgroup_size) size: u32,
                @builtin(num_subgroups) count: u32,
                @builtin(subgroup_id) sid: u32,
                @builtin(subgroup_invocation_id) lane: u32,
            ) {{
                let g = group.x * 72u + i;
                let x = data[g];
                let f = f32(i32(x) - 500) * 0.37;
                if x == 77777u {{ atomicStore(&all[0], w[0] + size + count + sid + lane); atomicStore(&sum, 1u); atomicStore(&least, 1); }}
                {body}
            }}"
        );
        let data = [vec![0; 144], data.clone(), vec![u32::MAX / 3; 70]];
        // Each body under two of the four sizes.
        let sizes = if k % 2 == 0 { [8, 64] } else { [32, 16] };
        if let Err(failure) = same_on_all_engines(&text, &sizes, [2, 1, 1], &data) {
            failures.push(format!("{body}\n{failure}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
