//! The shape of the rewritten module. `gpu_tests` checks its results.

use super::*;

pub(super) fn kernel(text: &str) -> Kernel {
    Kernel::from_wgsl(text).unwrap()
}

fn immediate(kernel: &Kernel, facts: &Facts) -> Rewritten {
    for_gpu(kernel, facts, ParamSpace::Immediate { max_bytes: 128 }, false).unwrap()
}

/// Facts that prove every loop finite.
pub(super) fn all_finite() -> Facts {
    Facts { finite_loops: vec![true; 100], ..Facts::default() }
}

#[test]
fn every_kernel_of_the_library_rewrites_and_validates_in_both_parameter_spaces() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kernel = kernel(&std::fs::read_to_string(&path).unwrap());
        seen += 1;
        for facts in [Facts::default(), all_finite()] {
            let immediate = immediate(&kernel, &facts);
            let uniform = for_gpu(&kernel, &facts, ParamSpace::Uniform, false).unwrap();
            assert_eq!(uniform.slots.last(), Some(&Slot::Params), "{}", path.display());
            assert_eq!(immediate.slots, uniform.slots[..uniform.slots.len() - 1]);
            assert_eq!(immediate.params.words, uniform.params.words);
            // Compaction, which comes after validation, keeps the module valid.
            validate(&kernel, &immediate.module).unwrap();
            validate(&kernel, &uniform.module).unwrap();
        }
    }
    assert!(seen > 0, "no kernel in {folder}");
}

#[test]
fn bindings_are_renumbered_into_one_group_in_the_order_of_the_signature() {
    let kernel = kernel(
        "@group(3) @binding(7) var<storage, read_write> d: array<u32>;
         @group(1) @binding(2) var<uniform> b: vec4<u32>;
         @group(1) @binding(9) var<storage, read_write> c: array<u32>;
         @group(0) @binding(5) var<storage, read_write> unused: array<u32>;
         @group(0) @binding(4) var<storage, read_write> a: array<atomic<u32>>;
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             loop { if atomicLoad(&a[id.x]) > 0u { break; } }
             d[id.x] = b.x + c[id.x];
         }",
    );
    let slots = immediate(&kernel, &Facts::default()).slots;
    let expected = [
        // Atomics need write access even where nothing is written.
        Slot::Storage { id: 0, read_only: false },
        Slot::Uniform { id: 1, bytes: 16 },
        // Declared read_write, never written.
        Slot::Storage { id: 2, read_only: true },
        Slot::Storage { id: 3, read_only: false },
        Slot::Fault,
    ];
    assert_eq!(slots, expected);
    assert_eq!(immediate(&kernel, &all_finite()).slots, expected[..4]);
}

#[test]
fn the_block_holds_only_what_the_kernel_uses() {
    let words = |body: &str| {
        let kernel = kernel(&format!(
            "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
             @group(0) @binding(1) var<storage, read_write> small: array<u32, 8>;
             @group(0) @binding(2) var<storage, read_write> big: array<u32, 5000>;
             @compute @workgroup_size(4) fn main(@builtin(workgroup_id) wg: vec3<u32>,
                 @builtin(num_workgroups) n: vec3<u32>,
                 @builtin(local_invocation_index) i: u32) {{ {body} }}"
        ));
        immediate(&kernel, &Facts::default()).params.words
    };
    assert_eq!(words("small[i] = 1u;"), []);
    assert_eq!(words("small[0] = arrayLength(&a);"), [Word::Elements(0)]);
    let [first, len, signed] = [Word::WindowFirst(0), Word::WindowLen(0), Word::WindowSignedLen(0)];
    assert_eq!(words("a[i] = 1u;"), [first, len]);
    assert_eq!(words("a[5] = 1u;"), [first, len]);
    assert_eq!(words("a[i32(i)] = 1u;"), [first, signed]);
    assert_eq!(words("a[i32(i)] = a[i];"), [first, len, signed]);
    assert_eq!(words("small[wg.x] = 1u;"), [Word::First(0), Word::First(1), Word::First(2)]);
    assert_eq!(words("small[0] = n.y;"), [Word::Grid(0), Word::Grid(1), Word::Grid(2)]);
    assert_eq!(words("big[i] = 1u;"), [Word::WindowFirst(0), Word::WindowLen(0)]);
    assert_eq!(words("loop { if i > small[0] { break; } }"), [Word::Budget]);
}

#[test]
fn only_arrays_that_are_never_taken_whole_are_windowable() {
    let windowable = |body: &str| {
        let kernel = kernel(&format!(
            "struct Tail {{ head: u32, tail: array<u32> }}
             @group(0) @binding(0) var<storage, read_write> plain: array<u32>;
             @group(0) @binding(1) var<storage, read_write> tail: Tail;
             @group(0) @binding(2) var<storage, read_write> big: array<u32, 5000>;
             @group(0) @binding(3) var<storage, read_write> small: array<u32, 8>;
             @group(0) @binding(4) var<storage, read_write> one: u32;
             @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {{
                 plain[i] = tail.tail[i] + small[i] + one; {body}
             }}"
        ));
        let rewritten = immediate(&kernel, &Facts::default());
        (0..5).map(|id| rewritten.windowable(id)).collect::<Vec<_>>()
    };
    assert_eq!(windowable("big[i] = 1u;"), [true, true, true, false, false]);
    assert_eq!(windowable("let all = big; plain[0] = all[i];"), [true, true, false, false, false]);
    assert_eq!(windowable("big = array<u32, 5000>();"), [true, true, false, false, false]);
}

#[test]
fn a_block_too_large_for_immediates_becomes_a_uniform() {
    let kernel = kernel(
        "var<immediate> mine: array<vec2<f32>, 15>;
         @group(0) @binding(0) var<storage, read_write> a: array<f32>;
         @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
             a[i] = mine[i].y;
         }",
    );
    let fits =
        for_gpu(&kernel, &all_finite(), ParamSpace::Immediate { max_bytes: 128 }, false).unwrap();
    assert!(fits.params.is_immediate());
    assert_eq!(fits.params.bytes(), 128);
    assert_eq!(fits.slots.len(), 1);
    let not =
        for_gpu(&kernel, &all_finite(), ParamSpace::Immediate { max_bytes: 124 }, false).unwrap();
    assert!(!not.params.is_immediate());
    assert_eq!(not.slots, [Slot::Storage { id: 0, read_only: false }, Slot::Params]);
}

/// The number of expressions of a kind in the module.
fn count(rewritten: &Rewritten, of: impl Fn(&naga::Expression) -> bool) -> usize {
    let function = &rewritten.module.entry_points[0].function;
    function.expressions.iter().filter(|(_, e)| of(e)).count()
}

#[test]
fn indices_that_cannot_be_outside_get_no_guard() {
    let selects = |index: &str| {
        let kernel = kernel(&format!(
            "@group(0) @binding(0) var<storage, read_write> out: u32;
             @group(0) @binding(1) var<storage, read> n: u32;
             @group(0) @binding(2) var<storage, read> s: i32;
             var<workgroup> tile: array<u32, 64>;
             @compute @workgroup_size(8, 8) fn main(
                 @builtin(local_invocation_index) i: u32,
                 @builtin(local_invocation_id) l: vec3<u32>) {{
                 out = tile[{index}];
             }}"
        ));
        count(&immediate(&kernel, &all_finite()), |e| matches!(e, naga::Expression::Select { .. }))
    };
    for safe in [
        "i",
        "l.y * 8 + l.x",
        "(l.y << 3u) | l.x",
        "63 - 0",
        "n % 64",
        "n & 63",
        "s & 63",
        "min(n, 63)",
        "clamp(s, 0, 63)",
        "n >> 26",
        "(n % 8) * 8 + 7",
        "u32(n > 3u)",
        "i32(l.x) + 56",
    ] {
        assert_eq!(selects(safe), 0, "{safe}");
    }
    // One select for the index, one for the value.
    for unsafe_ in [
        "n",
        "s",
        "i + 1",
        "n % 65",
        "s % 64",
        "min(s, 63)",
        "clamp(s, -1, 63)",
        "l.x * l.y + 15",
        "s >> 26",
        "max(n, 63)",
        "i - 1",
        "l.z + n",
    ] {
        assert_eq!(selects(unsafe_), 2, "{unsafe_}");
    }
}

#[test]
fn only_builtins_that_are_used_are_asked_for() {
    let kernel = kernel(
        "struct In { @builtin(num_workgroups) n: vec3<u32>, @builtin(workgroup_id) wg: vec3<u32>,
             @builtin(local_invocation_index) i: u32 }
         @group(0) @binding(0) var<storage, read_write> a: array<u32>;
         @compute @workgroup_size(4) fn main(in: In,
             @builtin(global_invocation_id) id: vec3<u32>,
             @builtin(local_invocation_id) l: vec3<u32>) {
             a[in.i] = in.n.x + id.x;
         }",
    );
    let rewritten = immediate(&kernel, &all_finite());
    let builtins: Vec<_> = rewritten.module.entry_points[0]
        .function
        .arguments
        .iter()
        .map(|a| a.binding.as_ref().and_then(naga::Binding::to_built_in).unwrap())
        .collect();
    assert_eq!(builtins, [naga::BuiltIn::GlobalInvocationId, naga::BuiltIn::LocalInvocationIndex]);
}
