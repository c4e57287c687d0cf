//! Accesses out of bounds, in every address space: reads give zero, writes and atomics do nothing.

use super::harness::{Launch, bytes, gpu};

/// Indices around every bound, as the bits of a u32 or an i32.
fn indices(count: u32) -> Vec<u32> {
    let mut all = vec![0, 1, count - 1, count, count + 1, 31, 32, 33, 63, 64, 65, 255, 256];
    all.extend([-1i32 as u32, -2i32 as u32, (count as i32).wrapping_neg() as u32]);
    all.extend([1 << 28, 1 << 29, 1 << 30, (1 << 30) + 1, i32::MAX as u32, i32::MIN as u32]);
    all.extend([i32::MIN as u32 + 1, u32::MAX - 3, 0x4000_0000 | (count - 1)]);
    all
}

/// A memory of scalars, all of one kind, and how to index it.
struct Memory {
    what: &'static str,
    /// Declarations of the module.
    module: &'static str,
    /// Statements that fill it with 101, 102, …; empty if the host fills it.
    fill: &'static str,
    /// The element at `I`.
    element: &'static str,
    /// The number of elements. If the host fills it, argument 2 has as many.
    count: u32,
    /// Bytes from one element to the next, if the host fills it.
    stride: usize,
}

const WRITABLE: &[Memory] = &[
    Memory {
        what: "storage, runtime-sized",
        module: "@group(0) @binding(2) var<storage, read_write> m: array<u32>;",
        fill: "",
        element: "m[I]",
        count: 10,
        stride: 4,
    },
    Memory {
        what: "storage, fixed",
        module: "@group(0) @binding(2) var<storage, read_write> m: array<u32, 10>;",
        fill: "",
        element: "m[I]",
        count: 10,
        stride: 4,
    },
    Memory {
        what: "storage, fixed and large",
        module: "@group(0) @binding(2) var<storage, read_write> m: array<u32, 2000>;",
        fill: "",
        element: "m[I]",
        count: 2000,
        stride: 4,
    },
    Memory {
        what: "storage, runtime-sized behind a header",
        module: "struct S { x: vec4<u32>, tail: array<u32> }
                 @group(0) @binding(3) var<storage, read_write> m: S;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "m.x.x = _unused * 0u; for (var i = 0; i < 10; i++) { m.tail[i] = u32(101 + i); }",
        element: "m.tail[I]",
        count: 10,
        stride: 4,
    },
    Memory {
        what: "storage, array in a struct",
        module: "struct S { x: u32, m: array<u32, 7>, y: u32 }
                 @group(0) @binding(3) var<storage, read_write> m: S;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "m.x = _unused * 0u; for (var i = 0; i < 7; i++) { m.m[i] = u32(101 + i); }",
        element: "m.m[I]",
        count: 7,
        stride: 4,
    },
    Memory {
        what: "workgroup",
        module: "var<workgroup> m: array<u32, 10>;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "m[0] = _unused; for (var i = 0; i < 10; i++) { m[i] = u32(101 + i); }",
        element: "m[I]",
        count: 10,
        stride: 4,
    },
    Memory {
        what: "private",
        module: "var<private> m: array<u32, 10>;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "m[0] = _unused; for (var i = 0; i < 10; i++) { m[i] = u32(101 + i); }",
        element: "m[I]",
        count: 10,
        stride: 4,
    },
    Memory {
        what: "function",
        module: "@group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "var m: array<u32, 10>;
               m[0] = _unused; for (var i = 0; i < 10; i++) { m[i] = u32(101 + i); }",
        element: "m[I]",
        count: 10,
        stride: 4,
    },
    Memory {
        what: "components of a vector",
        module: "@group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "var m = vec3(101u, 102u, 103u + _unused * 0u);",
        element: "m[I]",
        count: 3,
        stride: 4,
    },
    Memory {
        what: "components of a vector in storage",
        module: "@group(0) @binding(3) var<storage, read_write> m: array<vec4<u32>>;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "m[1] = vec4(101u, 102u, 103u, 104u + _unused * 0u);",
        element: "m[1][I]",
        count: 4,
        stride: 4,
    },
    Memory {
        what: "elements of an inner array",
        module: "var<workgroup> m: array<array<u32, 5>, 3>;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "for (var i = 0; i < 5; i++) { m[1][i] = u32(101 + i); m[2][i] = 9u * _unused; }",
        element: "m[1][I]",
        count: 5,
        stride: 4,
    },
    Memory {
        what: "elements of an outer array",
        module: "var<private> m: array<array<u32, 5>, 3>;
                 @group(0) @binding(2) var<storage, read> _unused: u32;",
        fill: "for (var i = 0; i < 3; i++) { m[i][1] = u32(101 + i); m[i][2] = 9u * _unused; }",
        element: "m[I][1]",
        count: 3,
        stride: 4,
    },
];

const READABLE: &[Memory] = &[
    Memory {
        what: "uniform",
        module: "@group(0) @binding(2) var<uniform> m: array<vec4<u32>, 10>;",
        fill: "",
        element: "m[I].x",
        count: 10,
        stride: 16,
    },
    Memory {
        what: "storage, read-only",
        module: "@group(0) @binding(2) var<storage, read> m: array<vec2<u32>>;",
        fill: "",
        element: "m[I].x",
        count: 10,
        stride: 8,
    },
    Memory {
        what: "a vector value",
        module: "@group(0) @binding(2) var<storage, read> m: vec4<u32>;",
        fill: "let v = m;",
        element: "v[I]",
        count: 4,
        stride: 4,
    },
    Memory {
        what: "an array value",
        module: "@group(0) @binding(2) var<storage, read> m: array<u32, 6>;",
        fill: "let v = m;",
        element: "v[I]",
        count: 6,
        stride: 4,
    },
    Memory {
        what: "columns of a matrix",
        module: "@group(0) @binding(2) var<storage, read> m: mat3x2<f32>;",
        fill: "",
        element: "bitcast<u32>(m[I].x)",
        count: 3,
        stride: 8,
    },
    Memory {
        what: "columns of a matrix value",
        module: "@group(0) @binding(2) var<storage, read> m: mat4x2<f32>;",
        fill: "let v = m;",
        element: "bitcast<u32>(v[I].x)",
        count: 4,
        stride: 8,
    },
    Memory {
        what: "structs taken whole",
        module: "struct S { a: u32, b: array<u32, 3> }
                 @group(0) @binding(2) var<storage, read> m: array<S>;
                 fn first(s: S) -> u32 { if s.b[0] == 5u { return 5u; } return s.a; }",
        fill: "",
        element: "first(m[I])",
        count: 10,
        stride: 16,
    },
    Memory {
        what: "matrices taken whole",
        module: "@group(0) @binding(2) var<storage, read> m: array<mat2x2<f32>>;",
        fill: "",
        element: "bitcast<u32>((m[I] * vec2(1.0, 0.0)).x)",
        count: 10,
        stride: 16,
    },
];

impl Memory {
    /// A launch of one invocation per index. `signed` gives the type of the index, `then` the
    /// statements of each invocation. Argument 0 holds the indices, argument 1 is the output.
    fn launch(&self, signed: bool, then: &str) -> Launch {
        let ty = if signed { "i32" } else { "u32" };
        let text = format!(
            "@group(0) @binding(0) var<storage, read> at: array<{ty}>;
             @group(0) @binding(1) var<storage, read_write> out: array<u32>;
             {}
             @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                 {}
                 let i = at[id.x];
                 {then}
             }}",
            self.module, self.fill,
        );
        let text = text.replace('I', "i");
        let indices = indices(self.count);
        let host = if self.fill.is_empty() || self.fill == "let v = m;" { self.count } else { 1 };
        let mut memory = vec![0; host as usize * self.stride];
        for i in 0..host as usize {
            memory[i * self.stride..][..4].copy_from_slice(&(101 + i as u32).to_le_bytes());
        }
        let mut arguments = vec![bytes(&indices), vec![0xAA; indices.len() * 4], memory];
        if self.module.contains("binding(3)") {
            arguments.push(vec![0; 64]);
        }
        Launch::new(&text, [indices.len() as u32, 1, 1], arguments)
    }
}

#[test]
fn a_read_outside_gives_zero_in_every_address_space() {
    let Some(gpu) = gpu() else { return };
    for memory in WRITABLE.iter().chain(READABLE) {
        for signed in [true, false] {
            let launch = memory.launch(signed, &format!("out[id.x] = {};", memory.element));
            let expected: Vec<u32> = indices(memory.count)
                .into_iter()
                .map(|i| if i < memory.count { 101 + i } else { 0 })
                .collect();
            let out = launch.run(gpu);
            assert_eq!(out.u32s(1), expected, "{}, signed: {signed}", memory.what);
            assert!(!out.fault, "{}", memory.what);
        }
    }
}

#[test]
fn a_write_outside_does_nothing_in_every_address_space() {
    let Some(gpu) = gpu() else { return };
    for memory in WRITABLE {
        // Several invocations would race. One invocation makes all accesses, and sums the elements,
        // each with a weight of its own.
        let sum = "var sum = 0u;
             for (var k = 0u; k < COUNTu; k++) { sum += (k + 1u) * ELEMENT; }"
            .replace("COUNT", &memory.count.to_string())
            .replace("ELEMENT", &memory.element.replace('I', "k"));
        for signed in [true, false] {
            let then = format!(
                "{} = 7u; {} += 2u; {sum} out[id.x] = sum;",
                memory.element, memory.element
            );
            let launch = memory.launch(signed, &then);
            let all = indices(memory.count);
            for (k, (&index, out)) in all.iter().zip(launch.run_each(gpu)).enumerate() {
                let mut elements: Vec<u32> = (0..memory.count).map(|i| 101 + i).collect();
                if let Some(element) = elements.get_mut(index as usize) {
                    *element = 9;
                }
                let expected: u32 =
                    (1..).zip(elements).fold(0, |sum, (weight, e)| sum + weight * e);
                assert_eq!(out.u32s(1)[k], expected, "{}, {index}, signed: {signed}", memory.what);
            }
        }
    }
}

#[test]
fn an_atomic_outside_is_not_performed_and_gives_zero() {
    let Some(gpu) = gpu() else { return };
    for (declaration, count) in [
        ("@group(0) @binding(2) var<storage, read_write> m: array<atomic<u32>>;", 10),
        ("@group(0) @binding(2) var<storage, read_write> m: array<atomic<u32>, 10>;", 10),
        (
            "var<workgroup> m: array<atomic<u32>, 10>;
             @group(0) @binding(2) var<storage, read_write> u: array<u32>;",
            10,
        ),
    ] {
        let shared = declaration.contains("workgroup");
        let text = format!(
            "@group(0) @binding(0) var<storage, read> at: array<i32>;
             @group(0) @binding(1) var<storage, read_write> out: array<array<u32, 8>>;
             {declaration}
             @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                 {}
                 for (var k = 0u; k < arrayLength(&at); k++) {{
                     let i = at[k];
                     out[k][0] = atomicAdd(&m[i], 5u);
                     out[k][1] = atomicMax(&m[i], 1000u);
                     out[k][2] = atomicLoad(&m[i]);
                     out[k][3] = atomicExchange(&m[i], 77u);
                     let c = atomicCompareExchangeWeak(&m[i], 76u, 50u);
                     out[k][4] = c.old_value;
                     out[k][5] = u32(c.exchanged);
                     atomicStore(&m[i], 500u);
                     atomicSub(&m[i], 1u);
                     out[k][6] = atomicLoad(&m[i]);
                     atomicStore(&m[i], 200u);
                     out[k][7] = atomicLoad(&m[0]);
                 }}
                 {}
             }}",
            if shared {
                "for (var i = 0; i < 10; i++) { atomicStore(&m[i], u32(101 + i)); }"
            } else {
                ""
            },
            if shared { "for (var i = 0; i < 10; i++) { u[i] = atomicLoad(&m[i]); }" } else { "" },
        );
        // Indices inside and outside alternate: no iteration may see values of the one before.
        let inside = [9u32, 3, 1];
        let at: Vec<u32> = indices(count)
            .into_iter()
            .filter(|&i| i >= count)
            .enumerate()
            .flat_map(|(k, i)| match inside.get(k) {
                Some(&first) => vec![first, i],
                None => vec![i],
            })
            .collect();
        let memory: Vec<u32> = (0..count).map(|i| 101 + i).collect();
        let arguments = vec![bytes(&at), vec![0xAA; at.len() * 32], bytes(&memory)];
        let out = Launch::new(&text, [1, 1, 1], arguments).run(gpu);
        let mut expected = Vec::new();
        let mut after = memory;
        for &i in &at {
            if i < count {
                expected.extend([101 + i, 106 + i, 1000, 1000, 77, 0, 499, 101]);
                after[i as usize] = 200;
            } else {
                expected.extend([0, 0, 0, 0, 0, 0, 0, 101]);
            }
        }
        assert_eq!(out.u32s(1), expected, "{declaration}");
        assert_eq!(out.u32s(2), after, "{declaration}");
    }
}

#[test]
fn every_index_of_a_chain_counts() {
    let Some(gpu) = gpu() else { return };
    let text = "
        struct S { v: array<vec3<f32>, 2>, k: f32 }
        @group(0) @binding(0) var<storage, read> at: array<vec4<i32>>;
        @group(0) @binding(1) var<storage, read_write> out: array<f32>;
        @group(0) @binding(2) var<storage, read_write> m: array<array<S, 3>>;
        @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = at[id.x];
            out[id.x] = m[i.x][i.y].v[i.z][i.w];
            m[i.x][i.y].v[i.z][i.w] = -1.0;
        }";
    let good = [3, 2, 1, 2];
    let mut at = vec![[0, 0, 0, 0], good];
    for position in 0..4 {
        for bad in [-1, i32::MIN, i32::MAX, 4, 1 << 28] {
            let mut index = good;
            index[position] = bad;
            at.push(index);
        }
    }
    // S: two vec3 of 16 bytes, then `k`; 48 bytes.
    let element = |i: [i32; 4]| ((i[0] * 3 + i[1]) * 12 + i[2] * 4 + i[3]) as usize;
    let m: Vec<f32> = (0..4 * 3 * 12).map(|i| 1.0 + i as f32).collect();
    let arguments = vec![bytes(&at), vec![0xAA; at.len() * 4], bytes(&m)];
    let out = Launch::new(text, [at.len() as u32, 1, 1], arguments).run(gpu);
    let mut expected = vec![0.0; at.len()];
    let mut after = m.clone();
    for (i, index) in at[..2].iter().enumerate() {
        expected[i] = m[element(*index)];
        after[element(*index)] = -1.0;
    }
    assert_eq!(out.f32s(1), expected);
    assert_eq!(out.f32s(2), after);
}

#[test]
fn columns_and_components_of_a_matrix_are_written_only_inside() {
    let Some(gpu) = gpu() else { return };
    for (module, function) in [
        ("", "var m: mat3x2<f32>;"),
        ("var<private> m: mat3x2<f32>;", ""),
        ("var<workgroup> m: mat3x2<f32>;", ""),
        ("@group(0) @binding(2) var<storage, read_write> m: mat3x2<f32>;", ""),
    ] {
        let text = format!(
            "@group(0) @binding(0) var<storage, read> at: array<vec2<i32>>;
             @group(0) @binding(1) var<storage, read_write> out: array<mat3x2<f32>>;
             {module}
             @compute @workgroup_size(1) fn main(@builtin(workgroup_id) wg: vec3<u32>) {{
                 {function}
                 m = mat3x2<f32>(1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
                 let i = at[wg.x];
                 if i.y < -9 {{ m[i.x] = vec2(-1.0, -2.0); }} else {{ m[i.x][i.y] = -3.0; }}
                 let read = m[i.x];
                 m[2].y = 60.0 + read[i.y];
                 out[wg.x] = m;
             }}"
        );
        let cases: [([i32; 2], [f32; 6]); 9] = [
            ([0, -10], [-1.0, -2.0, 3.0, 4.0, 5.0, 60.0]),
            ([2, -10], [1.0, 2.0, 3.0, 4.0, -1.0, 60.0]),
            ([3, -10], [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]),
            ([-1, -10], [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]),
            ([1, 1], [1.0, 2.0, 3.0, -3.0, 5.0, 57.0]),
            ([1, 2], [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]),
            ([1, -1], [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]),
            ([3, 0], [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]),
            ([i32::MIN, 1], [1.0, 2.0, 3.0, 4.0, 5.0, 60.0]),
        ];
        let at: Vec<[i32; 2]> = cases.iter().map(|c| c.0).collect();
        let mut arguments = vec![bytes(&at), vec![0; cases.len() * 24]];
        if module.contains("storage") {
            arguments.push(vec![0; 24]);
        }
        let launch = Launch::new(&text, [cases.len() as u32, 1, 1], arguments);
        for (k, out) in launch.run_each(gpu).iter().enumerate() {
            assert_eq!(out.f32s(1)[k * 6..][..6], cases[k].1, "{module} {:?}", cases[k].0);
        }
    }
}

#[test]
fn pointers_passed_to_functions_are_guarded_where_they_are_followed() {
    let Some(gpu) = gpu() else { return };
    let text = "
        struct P { at: vec2<f32>, n: u32 }
        @group(0) @binding(0) var<storage, read> index: array<u32>;
        @group(0) @binding(1) var<storage, read_write> out: array<f32>;
        var<private> start: array<f32, 3> = array(1.0, 2.0, 3.0);
        fn bump(p: ptr<function, array<P, 2>>, i: u32) -> f32 {
            (*p)[i].at[i] += 10.0;
            (*p)[i].n += 1u;
            if i == 1u { return (*p)[i].at.y; }
            for (var k = 0u; k < 4u; k++) {
                var fresh: array<f32, 2>;
                fresh[k] += 1.0;
                if fresh[k] > 1.5 { return -1.0; }
                if k == i { return start[k] + f32((*p)[k].n); }
            }
            return 99.0;
        }
        @compute @workgroup_size(1) fn main(@builtin(workgroup_id) wg: vec3<u32>) {
            var ps = array<P, 2>(P(vec2(1.0, 2.0), 5u), P(vec2(3.0, 4.0), 6u));
            out[wg.x * 2u] = bump(&ps, index[wg.x]);
            out[wg.x * 2u + 1u] = ps[0].at.x + ps[1].at.y;
        }";
    let index = [0u32, 1, 2, 3, 4, u32::MAX];
    let arguments = vec![bytes(&index), vec![0; 48]];
    let out = Launch::new(text, [6, 1, 1], arguments).run(gpu).f32s(1);
    assert_eq!(out, [7.0, 15.0, 14.0, 15.0, 3.0, 5.0, 0.0, 5.0, 99.0, 5.0, 99.0, 5.0]);
}

#[test]
fn a_uniform_load_from_workgroup_memory_is_guarded_without_touching_its_barrier() {
    let Some(gpu) = gpu() else { return };
    let text = "
        struct S { a: u32, b: array<u32, 2> }
        var<workgroup> m: array<u32, 4>;
        var<workgroup> s: array<S, 2>;
        @group(0) @binding(0) var<storage, read> at: array<i32>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(workgroup_id) wg: vec3<u32>,
            @builtin(local_invocation_index) l: u32) {
            if l < 4u { m[l] = 101u + l; }
            if l < 2u { s[l].b[1] = 11u + l; }
            let i = at[wg.x];
            let whole = workgroupUniformLoad(&s[i]);
            out[wg.x * 64u + l] = workgroupUniformLoad(&m[i]) + 1000u * whole.b[1];
        }";
    let at = [0, 3, 4, -1, i32::MAX, 1];
    let arguments = vec![bytes(&at), vec![0xAA; 6 * 256]];
    let out = Launch::new(text, [6, 1, 1], arguments).run(gpu).u32s(1);
    for (group, expected) in [11101, 104, 0, 0, 0, 12102].into_iter().enumerate() {
        assert_eq!(out[group * 64..][..64], [expected; 64], "index {}", at[group]);
    }
}

#[test]
fn loads_happen_where_the_kernel_has_them() {
    let Some(gpu) = gpu() else { return };
    let text = "
        @group(0) @binding(0) var<storage, read_write> m: array<u32>;
        @group(0) @binding(1) var<storage, read> n: u32;
        @compute @workgroup_size(1) fn main() {
            let before = m[n];
            m[n] = before + 1u;
            let between = m[n];
            m[n] *= 10u;
            m[n + 1u] = before;
            m[n + 2u] = between;
            var k = 0u;
            for (; k < 3u; k++) { if k == 2u { continue; } m[n + 3u] += k + 1u; }
            switch k { case 2u, 3u: { m[n + 4u] = k; } default: { m[n + 4u] = 99u; } }
            loop { k++; continuing { m[n + 5u] += k; break if m[n + 5u] > 8u; } }
        }";
    let arguments = vec![bytes(&[9u32, 4, 0, 0, 0, 0, 0]), bytes(&[1u32])];
    let out = Launch::new(text, [1, 1, 1], arguments).run(gpu).u32s(0);
    assert_eq!(out, [9, 50, 4, 5, 3, 3, 9]);
}

#[test]
fn subgroup_operations_pass_through() {
    let Some(gpu) = gpu() else { return };
    if !gpu.device.features().contains(wgpu::Features::SUBGROUP) {
        eprintln!("skipped: the adapter has no subgroups");
        return;
    }
    let text = "
        @group(0) @binding(0) var<storage, read> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) l: u32,
            @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
            let sum = subgroupAdd(a[l]);
            let first = subgroupBroadcastFirst(a[l]);
            let next = subgroupShuffle(a[l], (lane + 1u) % size);
            let votes = subgroupBallot(a[l] > 0u);
            out[l] = u32(sum == size * first) + 2u * u32(next == first) + 4u * (votes.x & 1u);
        }";
    let arguments = vec![bytes(&[3u32; 64]), vec![0; 256]];
    assert_eq!(Launch::new(text, [1, 1, 1], arguments).run(gpu).u32s(1), [7; 64]);
}
