//! Barriers in every kind of control flow: compiled code does what the interpreter does.
//!
//! The interpreter runs a whole workgroup at a time, so its masks alone give a barrier its meaning. The
//! compiler takes such control flow apart.

use super::same_on_all_engines;

/// Bodies of an entry point of 40 or 48 invocations. `i` is an invocation's number in its workgroup, `g` in
/// the launch. Bodies may write `out[g]`. They have `w: array<u32, 64>` and the atomic `sum` in workgroup
/// memory, `data` to read, and the uniform `n` = 3.
const BODIES: &[&str] = &[
    // Early ends.
    "if g > 70u { return; } w[i] = g; workgroupBarrier(); out[g] = w[i ^ 1u] + w[63u - i];",
    "if n == 3u { out[g] = 7u; return; } w[i] = g; workgroupBarrier(); out[g] = w[i ^ 1u];",
    "if data[0] == 9u { return; } w[i] = g; workgroupBarrier(); out[g] = w[i ^ 1u];",
    "w[i] = g; workgroupBarrier(); if i % 3u == 0u { return; } out[g] = w[i ^ 1u];",
    "if i % 5u == 0u { return; } w[i] = g; for (var s = 16u; s > 0u; s >>= 1u) { workgroupBarrier(); if i < s { w[i] += w[i + s]; } } workgroupBarrier(); out[g] = w[0] + w[1];",
    "for (var k = 0u; k < 6u; k++) { if i == k * 3u { out[g] = 100u + k; return; } w[i] += k; workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; workgroupBarrier(); } out[g] += 1000u;",
    "for (var k = 0u; k < 6u; k++) { if k == n { out[g] += 5u; return; } w[i] += k + i; workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; workgroupBarrier(); } out[g] += 1000u;",
    "if g >= 60u { return; } var s = 0u; for (var k = 0u; k < data[1]; k++) { w[i] = data[(g + k) % 64u]; workgroupBarrier(); for (var j = 0u; j < 8u; j++) { s += w[j] * k; } workgroupBarrier(); } out[g] = s;",
    "var k = 0u; loop { if i > 20u { if k == i % 7u { break; } } if k == 5u { if i < 4u { return; } } if k > 8u { break; } k++; } workgroupBarrier(); out[g] = k;",
    "if wg == 1u { return; } for (var k = 0u; k != wg; k++) { workgroupBarrier(); out[g] += k; } out[g] += 3u;",
    // Branches.
    "if i % 2u == 0u { w[i] = g; workgroupBarrier(); out[g] = w[(i + 2u) % 32u]; } else { out[g] = 5u; workgroupBarrier(); out[g] += w[i - 1u]; }",
    "var v = g * 3u; if i < 17u { let t = data[g % 64u]; w[i] = v; workgroupBarrier(); v = w[16u - i] + t; workgroupBarrier(); v += t; } out[g] = v;",
    "if li.y < 2u { w[i] = g; workgroupBarrier(); out[g] = w[i ^ 1u]; var v = 3u; v += wg; workgroupBarrier(); out[g] += v; } else { out[g] = 11u; }",
    "var v = 1u; if li.y < 2u { v = n; workgroupBarrier(); v += n; } out[g] = v + n;",
    "if data[g % 64u] > 500u { if data[(g + 1u) % 64u] > 300u { w[i] = 1u; workgroupBarrier(); out[g] = w[(i + 3u) % 40u]; } else { workgroupBarrier(); out[g] = 3u; return; } workgroupBarrier(); out[g] += 10u; } workgroupBarrier(); out[g] += w[(i + 1u) % 40u] * 2u;",
    "if i < 20u { if n == 3u { for (var k = 0u; k < n; k++) { w[i] += k + i; workgroupBarrier(); out[g] += w[(i + 1u) % 20u]; workgroupBarrier(); } } }",
    "if g < 45u { var s = 0u; for (var t = 0u; t < n; t++) { w[i] = g + t; workgroupBarrier(); for (var j = 0u; j < 4u; j++) { s += w[(i + j) % 40u]; } workgroupBarrier(); } out[g] = s; }",
    // Loops.
    "var k = 0u; loop { w[i] = k + i; workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; if k >= i % 7u { break; } k++; workgroupBarrier(); } out[g] += k * 1000u;",
    "for (var k = 0u; k < i % 9u; k++) { if k == 3u { continue; } w[i] = k; workgroupBarrier(); out[g] += w[i ^ 1u] + 1u; if (k ^ i) == 5u { continue; } workgroupBarrier(); out[g] += 7u; }",
    "var k = 0u; loop { k += 1u + i % 3u; workgroupBarrier(); continuing { w[i] = k; workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; break if k > 10u; } } out[g] += k;",
    "for (var a = 0u; a < 4u; a++) { for (var b = 0u; b < 1u + (i + a) % 3u; b++) { w[i] = a * 10u + b; workgroupBarrier(); out[g] += w[(i + 39u) % 40u]; if w[i] == 21u { break; } workgroupBarrier(); } if a == i % 5u { break; } workgroupBarrier(); }",
    "for (var a = 0u; a < 1u + i % 4u; a++) { for (var b = 0u; b < n; b++) { w[i] = a * 10u + b; workgroupBarrier(); out[g] += w[(i + 39u) % 40u]; workgroupBarrier(); } }",
    "loop { if li.y == 1u { break; } w[i] += 1u; workgroupBarrier(); out[g] += w[(i + 8u) % 40u]; if w[i] > 3u { break; } workgroupBarrier(); } out[g] += 5u;",
    "var m = n; loop { if li.y == 1u { break; } m += 1u; workgroupBarrier(); if m > 6u { break; } } out[g] = m;",
    "var k = 0u; loop { if k == n { break; } if i % 2u == 0u { w[i] = k + 1u; } workgroupBarrier(); out[g] += w[i ^ 1u]; k++; workgroupBarrier(); } out[g] += k;",
    // Switches.
    "let m = u32(2.5 + sin(f32(wg)) * 2.0); for (var k = 0u; k < m; k++) { w[i] = k + i; workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; workgroupBarrier(); }",
    "if g > 50u { return; } let m = u32(exp2(f32(n)) + pow(f32(wg), 1.5)); for (var k = 0u; k < m; k++) { w[i] = k + i; workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; workgroupBarrier(); }",
    "for (var k = 0u; k < u32(3.0 + 3.0 * cos(f32(i))); k++) { w[i] = u32(100.0 * abs(tan(f32(k + i)))); workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; workgroupBarrier(); }",
    "switch i % 4u { case 0u: { w[i] = 1u; workgroupBarrier(); out[g] = w[(i + 4u) % 40u]; } case 1u: { out[g] = 4u; } case 2u: { workgroupBarrier(); if i > 9u { break; } out[g] = 3u; workgroupBarrier(); out[g] += 2u; } default: { out[g] = 9u; workgroupBarrier(); } } workgroupBarrier(); out[g] += 100u * w[i & 60u];",
    "switch n { case 3u: { w[i] = g; workgroupBarrier(); if wg == 1u { break; } out[g] = w[i ^ 1u]; workgroupBarrier(); out[g] += 2u; } default: { out[g] = 9u; } } out[g] += 100u;",
    "for (var k = 0u; k < 5u; k++) { switch (k + i) % 3u { case 0u: { workgroupBarrier(); continue; } case 1u: { w[i] = k; workgroupBarrier(); break; } default: { if k > 3u { return; } } } out[g] += w[i ^ 1u] + 1u; workgroupBarrier(); }",
    "for (var k = 0u; k < 5u; k++) { switch k { case 1u: { continue; } case 2u: { workgroupBarrier(); if n == 3u { break; } out[g] += 1u; } default: { w[i] += k; } } workgroupBarrier(); out[g] += w[(i + 1u) % 40u]; workgroupBarrier(); }",
    // Loads for the workgroup.
    "if i == 0u { w[5] = 77u; } out[g] = workgroupUniformLoad(&w[5]) + workgroupUniformLoad(&w[n]);",
    "w[i] = g; workgroupBarrier(); out[g] = workgroupUniformLoad(&w[i ^ 1u]);",
    "w[i] = i; if i % 2u == 1u { out[g] = workgroupUniformLoad(&w[5]) + 1u; }",
    "if g > 50u { return; } w[0] = 4u; let m = workgroupUniformLoad(&w[0]); for (var k = 0u; k < m; k++) { out[g] += k + 1u; workgroupBarrier(); }",
    // Values that live across barriers.
    "let at = data[g % 64u] % 40u; let p = &w[at]; workgroupBarrier(); if i < 30u { atomicAdd(&sum, *p + 1u); } workgroupBarrier(); out[g] = atomicLoad(&sum) + at;",
    "if i % 3u != 1u { let old = atomicAdd(&sum, 1u); workgroupBarrier(); let b = old < 1000u; workgroupBarrier(); out[g] = u32(b) + atomicLoad(&sum); }",
    "var a: array<u32, 5>; for (var k = 0u; k < 5u; k++) { a[k] = k * i; } if i % 2u == 0u { workgroupBarrier(); a[i % 5u] += 3u; workgroupBarrier(); a[n] = 9u; } out[g] = a[(i / 2u) % 5u] + a[3];",
    "var v = vec3<f32>(f32(i), 1.5, 2.0); if i % 4u < 2u { v.y = f32(data[i]); workgroupBarrier(); v = v.yzx; workgroupBarrier(); v.x += 0.25; } out[g] = bitcast<u32>(v.x * v.y + v.z);",
];

#[test]
fn barriers_in_any_control_flow_do_what_the_interpreter_does() {
    let data: Vec<u32> = (0..64u32).map(|i| (i * 7919 + 5) % 1009).collect();
    let data = [vec![9, 4, 2], data[3..].to_vec()].concat();
    let mut failures = Vec::new();
    for body in BODIES {
        // Compilation takes most of the time, so workgroups with rows are tested only where they matter.
        let size = if body.contains("li.y") { "8, 6" } else { "40" };
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
            @group(0) @binding(1) var<storage> data: array<u32>;
            @group(0) @binding(2) var<uniform> n: u32;
            var<workgroup> w: array<u32, 64>;
            var<workgroup> sum: atomic<u32>;
            @compute @workgroup_size({size})
            fn main(@builtin(local_invocation_index) i: u32, @builtin(local_invocation_id) li: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {{
                let wg = group.x;
                let g = wg * {} + i;
                if n == 77u {{ out[g] = data[0]; w[i] = 0u; atomicAdd(&sum, 1u); }}
                {body}
            }}",
            if size == "40" { "40u" } else { "48u" },
        );
        let data = [vec![0; 160], data.clone(), vec![3]];
        if let Err(failure) = same_on_all_engines(&text, &[32], [3, 1, 1], &data) {
            failures.push(format!("{body}\n{failure}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
