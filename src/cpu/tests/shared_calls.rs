//! Calls that share one copy of their callee give the same results as calls with a copy each.

use super::{device, launch_kernel_on};
use crate::kernel::Kernel;

const INVOCATIONS: u32 = 24;

/// Functions, and the body of an entry point that sets `out[i]`. `i` is the invocation's index, `x` a buffer
/// of numbers.
const CASES: &[(&str, &str)] = &[
    // In a row; results that are used later, together, and not at all.
    (
        "fn f(a: u32) -> u32 { return a * a + 1u; }",
        "let p = f(i); let q = f(p + 2u); f(7u); out[i] = p * 100u + q + f(q);",
    ),
    // Nested; each level calls the one below three times.
    (
        "fn f(a: u32, b: u32) -> u32 { var s = a; for (var k = 0u; k < b % 5u; k++) { s = s * 3u + k; } return s; }
         fn g(a: u32) -> u32 { return f(a, 1u) + f(a, 2u) * f(a + 1u, 3u); }
         fn h(a: u32) -> u32 { return g(a) ^ g(a + 5u) ^ g(a * 2u); }",
        "out[i] = h(i) + h(i + 1u);",
    ),
    // Two callees, one after the other and one inside the other's argument.
    (
        "fn f(a: u32) -> u32 { return a * 5u + 1u; }
         fn g(a: u32, b: u32) -> u32 { if a > b { return a - b; } return b - a; }",
        "out[i] = g(f(i), f(3u)) + g(f(i + 1u), i) * f(g(1u, i));",
    ),
    // Branches: on some paths, on both, behind them, and in a branch within a branch.
    (
        "fn f(a: u32) -> u32 { return a * 5u + 1u; }",
        "var s = f(i);
         if i % 2u == 0u { s += f(s); } else { let t = f(s + 1u); if i % 3u == 0u { s += f(t) + t; } s ^= t; }
         if i > 10u { s += 3u; }
         s = s * 2u + f(s);
         if i % 5u == 0u { s = f(s) + 1u; }
         out[i] = s;",
    ),
    // Switches, with breaks, selectors that share a case, and a default in the middle.
    (
        "fn f(a: u32) -> u32 { return a * 7u + 3u; }",
        "var s = 1u;
         switch i % 5u {
             case 0u, 3u: { s = f(i); if s > 40u { break; } s += f(s); }
             default: { s = f(2u) + f(s); }
             case 4u: { s = 9u; }
         }
         s += f(s);
         switch s % 3u { case 1u: { s += 5u; } default: { s += f(i); } }
         out[i] = s;",
    ),
    // Loops around, with breaks and continues among the calls.
    (
        "fn f(a: u32) -> u32 { return a * 7u + 3u; }",
        "var s = i;
         for (var k = 0u; k < 9u; k++) {
             let a = f(s + k);
             if a % 4u == 3u { continue; }
             s += f(a);
             if s > 50000u { break; }
             if k == 5u { s += f(s); if s % 2u == 0u { continue; } s += 1u; }
             s ^= k;
         }
         out[i] = s;",
    ),
    // A loop whose condition calls, and a loop whose `continuing` uses what the body computed.
    (
        "fn f(a: u32) -> u32 { return (a * 7u + 3u) % 100u; }",
        "var s = i; var n = 0u;
         while f(s) + f(n) < 120u && n < 20u { s = f(s + n); n += 1u; }
         loop {
             let a = f(s); let b = f(a + n); s = s + b;
             continuing { n += a + f(n) + f(a); break if a + b + n > 150u; }
         }
         out[i] = s * 1000u + n;",
    ),
    // Returns of the entry point, and of callees, between and behind shared calls.
    (
        "fn f(a: u32) -> u32 { if a % 3u == 0u { return a / 3u; } return a * 7u + 3u; }
         fn g(a: u32) -> u32 {
             let p = f(a);
             if p > 60u { return p; }
             var q = f(p + 1u);
             for (var k = 0u; k < 5u; k++) { if q + k == 100u { return k; } q += f(k); if q > 90u { return f(q) + f(q + 1u); } }
             if q % 2u == 0u { if p == 4u { return 1u; } q = f(q); }
             return f(q) + q;
         }",
        "out[i] = 77u; let a = g(i); if a == 12u { return; } out[i] = a + g(a); if i == 9u { return; }
         for (var k = 0u; k < 3u; k++) { out[i] += g(k); if out[i] > 300u { return; } out[i] += g(k + 1u); }",
    ),
    // Pointers: the same for all calls, different ones, parts of arrays, passed on, only read.
    (
        "fn bump(p: ptr<function, u32>, by: u32) -> u32 { *p = *p * 3u + by; return *p; }
         fn sum(p: ptr<function, array<u32, 4>>) -> u32 { return (*p)[0] + (*p)[1] * 2u + (*p)[2] * 3u + (*p)[3]; }
         fn twice(p: ptr<function, u32>) { bump(p, 1u); bump(p, 2u); }
         fn mix(p: ptr<function, array<u32, 4>>, k: u32) { let j = k % 4u; (*p)[j] = bump(&(*p)[j], k); twice(&(*p)[(k + 1u) % 4u]); }",
        "var a = array<u32, 4>(i, 1u, 2u, 3u); var b = a; var c = i;
         twice(&c); bump(&c, 5u); bump(&a[i % 4u], c); twice(&b[1]);
         mix(&a, i); mix(&b, i + 1u); mix(&b, i + 2u);
         out[i] = sum(&a) + sum(&b) * 31u + c;",
    ),
    // Private variables, changed by callees and passed to them.
    (
        "var<private> seed: u32;
         fn next() -> u32 { seed = seed * 1664525u + 1013904223u; return seed >> 8u; }
         fn add(p: ptr<private, u32>, by: u32) { *p += by; }",
        "seed = i; let a = next(); let b = next(); add(&seed, a); add(&seed, 4u); out[i] = a ^ (b + next());",
    ),
    // Composite values, booleans and floats that live across calls; a product with a name.
    (
        "struct S { n: u32, v: vec3f, m: mat2x2f }
         fn f(s: S, on: bool) -> S { var t = s; if on { t.n += 1u; } t.v = t.v * 1.25 + t.m[1].xyx; t.m[0] *= 0.5; return t; }
         fn near(a: f32) -> f32 { return a * 0.75 + 0.5; }",
        "var s = S(i, vec3f(f32(i), 1.0, 2.0), mat2x2f(1.0, 2.0, 3.0, 4.0));
         let even = i % 2u == 0u;
         let named = x[i] * 1.1;
         let t = f(s, even); let u = f(t, !even); let w = f(S(u.n, t.v, s.m), true);
         let g = near(named) + named; let h = near(g) * x[i] + g;
         out[i] = w.n + bitcast<u32>(w.v.x + u.v.y + h + named) + bitcast<u32>(w.m[0].x);",
    ),
    // Barriers between shared calls.
    (
        "var<workgroup> w: array<u32, 8>;
         fn f(a: u32) -> u32 { return a * 5u + 1u; }
         fn meet(a: u32) -> u32 { w[a % 8u] = a; workgroupBarrier(); return w[(a + 1u) % 8u]; }",
        "var s = f(i) + f(i + 1u);
         w[i % 8u] = s;
         workgroupBarrier();
         let t = w[(i + 3u) % 8u];
         s += f(t) + f(s);
         workgroupBarrier();
         s = f(meet(i)) + f(s);
         for (var k = 0u; k < 3u; k++) { s += f(k); workgroupBarrier(); w[i % 8u] = f(s); workgroupBarrier(); s += f(w[7]); }
         out[i] = s;",
    ),
    // Blocks around calls, one of which ends with the function's only return.
    (
        "fn f(a: u32) -> u32 { return a * 5u + 1u; }
         fn g(a: u32) -> u32 { let p = f(a); { let q = f(p); { return q * 3u + p; } } }",
        "var s = f(i); { let p = f(s); { s = f(p) + p; } s += f(s); } out[i] = s + g(s) + g(i);",
    ),
    // A `break if` that uses the first of several calls.
    (
        "fn f(a: u32) -> bool { return (a * 7u) % 5u == 3u; }",
        "var s = i; var n = 0u;
         loop {
             s += 2u;
             continuing { let p = f(s); let q = f(n + s); n += 1u + u32(q); if q { n += u32(f(n)); } break if p; }
         }
         out[i] = s * 1000u + n + u32(f(n)) + u32(f(s));",
    ),
    // Buffers and their atomics inside of a callee.
    (
        "fn f(a: u32) -> u32 { total[a % 4u] = x[a % 24u]; return u32(x[(a * 5u) % 24u] * 8.0); }",
        "let p = f(i); out[i] = f(p) + f(p + 1u) * 3u;",
    ),
];

fn run(functions: &str, body: &str, shared: bool) -> (Vec<u32>, Kernel) {
    let text = format!(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> out: array<u32>;
         var<private> total: array<f32, 4>;
         {functions}
         @compute @workgroup_size(8)
         fn main(@builtin(global_invocation_id) id: vec3u) {{ let i = id.x; {body} out[i] += u32(x[i] + total[0]); }}"
    );
    let builder = Kernel::builder(text.as_str()).most_inlined(if shared { 0 } else { u64::MAX });
    let kernel = builder.build().unwrap_or_else(|e| panic!("{e}\n{text}"));
    let x = (0..INVOCATIONS).map(|i| (i as f32 * 0.37 + 0.1).to_bits()).collect();
    let mut data = [x, vec![0; INVOCATIONS as usize]];
    let ran = launch_kernel_on(device(), &kernel, [INVOCATIONS / 8, 1, 1], &mut data, 1 << 20);
    ran.unwrap_or_else(|e| panic!("{e}\n{text}"));
    let [_, out] = data;
    (out, kernel)
}

#[test]
fn calls_that_share_a_copy_of_their_callee_do_what_inlined_ones_do() {
    for (functions, body) in CASES {
        let (inlined, _) = run(functions, body, false);
        let (shared, kernel) = run(functions, body, true);
        let locals = &kernel.entry_point().function.local_variables;
        let turns = locals.iter().any(|(_, local)| local.name.as_deref() == Some("turn"));
        assert!(turns, "nothing is shared in {body}");
        assert_eq!(shared, inlined, "{functions}\n{body}");
    }
}

#[test]
fn code_grows_with_the_text_and_not_with_the_calls() {
    // Each level calls the one below three times: 3^12 copies of the first, if all were inlined.
    let mut text = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        fn f0(a: u32) -> u32 { var s = a; for (var k = 0u; k < 3u; k++) { s = s * 5u + k; } return s; }\n"
        .to_owned();
    for i in 1..13 {
        let j = i - 1;
        text += &format!(
            "fn f{i}(a: u32) -> u32 {{ return f{j}(a) + f{j}(a + 1u) * f{j}(a + 2u); }}\n"
        );
    }
    text += "@compute @workgroup_size(1) fn main() { out[0] = f12(out[1]); }";
    let kernel = Kernel::from_wgsl(&text).unwrap();
    let function = &kernel.entry_point().function;
    assert!(function.expressions.len() < 2000, "{}", function.expressions.len());
}
