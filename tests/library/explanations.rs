//! The explanations of plans of typical kernels. The expected numbers were worked out by hand from
//! the kernels.

use coexec::{Buffer, Kernel, Launch, Plan};

use super::engines;

/// The plan of a kernel on two logical devices, without the lines about devices.
fn explained(wgsl: &str, describe: impl FnOnce(Launch) -> Launch) -> String {
    let kernel = Kernel::from_wgsl(wgsl).unwrap_or_else(|e| panic!("{e}"));
    let runtime = engines::runtime("virtual:2:cpu");
    let plan: Plan = describe(runtime.launch(&kernel)).plan().expect("a plan");
    let plan = plan.to_string();
    plan.lines().filter(|line| !line.starts_with("cpu.")).collect::<Vec<_>>().join("\n")
}

fn words(count: usize) -> Buffer<u32> {
    Buffer::zeroed(count)
}

/// Asserts that a text contains each of the parts.
#[track_caller]
fn says(text: &str, all: &[&str]) {
    for part in all {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

const SRC_DST: &str = "
    @group(0) @binding(0) var<storage, read> src: array<u32>;
    @group(0) @binding(1) var<storage, read_write> dst: array<u32>;";

const DISJOINT: &str = "Chunks write disjoint elements, which";

#[test]
fn a_grid_stride_loop_touches_rows_as_far_apart_as_the_grid_is_wide() {
    let text = explained(
        &format!(
            "{SRC_DST}
             @group(0) @binding(2) var<uniform> n: u32;
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>,
                     @builtin(num_workgroups) groups: vec3<u32>) {{
                 for (var i = id.x; i < n; i += groups.x * 64u) {{ dst[i] = src[i] + 1u; }}
             }}"
        ),
        |l| {
            let l = l.bind("src", &words(65536)).bind("dst", &words(65536));
            l.set("n", &65536u32).workgroups([16, 1, 1])
        },
    );
    says(&text, &["elements 512 to 65087: 64 rows of 64, 1024 apart", DISJOINT, "row by row"]);
}

#[test]
fn an_array_of_structs_through_pointer_parameters_is_followed_into_the_functions() {
    let text = explained(
        "struct Body { at: vec3<f32>, mass: f32, speed: vec3<f32>, age: u32 }
         @group(0) @binding(0) var<storage, read> src: array<Body>;
         @group(0) @binding(1) var<storage, read_write> dst: array<Body>;
         fn moved(b: ptr<function, Body>) { (*b).at += 0.1 * (*b).speed; (*b).age += 1u; }
         fn near(b: ptr<function, Body>, i: u32) {
             if i > 0u { (*b).mass += src[i - 1u].mass; }
         }
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             var b = src[id.x];
             moved(&b);
             near(&b, id.x);
             dst[id.x] = b;
         }",
        |l| {
            let l = l.bind("src", &Buffer::<[u32; 8]>::zeroed(1024));
            l.bind("dst", &Buffer::<[u32; 8]>::zeroed(1024)).workgroups([16, 1, 1])
        },
    );
    says(
        &text,
        &[
            "reads its own 64 elements and 1 more element before (511 to 575)",
            "writes its own 64 elements (512 to 575)",
            DISJOINT,
        ],
    );
}

#[test]
fn elements_that_are_written_in_turns_lie_apart() {
    let text = explained(
        &format!(
            "{SRC_DST}
             @compute @workgroup_size(1)
             fn main(@builtin(global_invocation_id) id: vec3<u32>,
                     @builtin(num_workgroups) groups: vec3<u32>) {{
                 for (var k = 0u; k < 16u; k++) {{
                     dst[k * groups.x + id.x] = src[k * groups.x + id.x];
                 }}
             }}"
        ),
        |l| l.bind("src", &words(1024)).bind("dst", &words(1024)).workgroups([64, 1, 1]),
    );
    says(
        &text,
        &["1 workgroup (1 invocation along x)", "(x = 32)", "32 to 992: 16 of them, 64 apart"],
    );
}

#[test]
fn a_box_of_rows_is_known_by_the_width_in_a_uniform() {
    let text = explained(
        &format!(
            "{SRC_DST}
             struct Size {{ w: u32, h: u32 }}
             @group(0) @binding(2) var<uniform> size: Size;
             @compute @workgroup_size(8, 8)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                 if id.x == 0u || id.x >= size.w - 1u || id.y >= size.h {{ return; }}
                 let at = id.y * size.w + id.x;
                 dst[at] = src[at - 1u] + src[at + 1u];
             }}"
        ),
        |l| {
            let l = l.bind("src", &words(6400)).bind("dst", &words(6400));
            l.set("size", &[100u32, 64]).invocations([100, 64, 1])
        },
    );
    // The seventh band of 8 columns from the left.
    says(
        &text,
        &[
            "reads elements 47 to 6356: 64 rows of 10, 100 apart",
            "may write elements 48 to 6355: 64 rows of 8, 100 apart",
            DISJOINT,
        ],
    );
}

#[test]
fn a_neighbour_below_zero_is_kept_out_by_its_guard() {
    let text = explained(
        &format!(
            "{SRC_DST}
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                 let left = id.x - 1u;
                 if left < arrayLength(&src) {{ dst[id.x] = src[left]; }} else {{ dst[id.x] = 0u; }}
             }}"
        ),
        |l| l.bind("src", &words(1024)).bind("dst", &words(1024)).workgroups([16, 1, 1]),
    );
    says(&text, &["(511 to 574)", "writes its own 64 elements (512 to 575), every one of them"]);
}

/// A step of a bitonic sort: it compares elements whose indices differ in one bit.
const BITONIC: &str = "
    struct P { j: u32, k: u32 }
    @group(0) @binding(0) var<uniform> p: P;
    @group(0) @binding(1) var<storage, read_write> data: array<u32>;
    @compute @workgroup_size(64)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        let i = id.x;
        let other = i ^ p.j;
        if other > i {
            let a = data[i];
            let b = data[other];
            if ((i & p.k) == 0u) == (a > b) { data[i] = b; data[other] = a; }
        }
    }";

#[test]
fn a_step_of_a_bitonic_sort_is_cut_where_partners_stay_in_a_band_and_where_they_are_all_another_bands()
 {
    let step = |j: u32, k: u32| {
        explained(BITONIC, |l| {
            let l = l.bind("data", &words(1024)).set("p", &[j, k]);
            l.workgroups([16, 1, 1])
        })
    };
    // Partners are 32 apart: both are in one band.
    says(&step(32, 64), &[DISJOINT, "reads its own 64 elements (512 to 575)"]);
    // Partners are 256 apart: a band with the bit set in its indices does nothing, and one without
    // handles its partner's elements too. The eighth band has it unset.
    says(&step(256, 512), &[DISJOINT, "512 to 575 and 768 to 831"]);
}

#[test]
fn a_step_of_a_fourier_transform_touches_two_stretches() {
    let text = explained(
        "struct P { half: u32 }
         @group(0) @binding(0) var<uniform> p: P;
         @group(0) @binding(1) var<storage, read_write> data: array<vec2<f32>>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let k = id.x % p.half;
             let i = (id.x / p.half) * 2u * p.half + k;
             let angle = -3.14159265 * f32(k) / f32(p.half);
             let w = vec2(cos(angle), sin(angle));
             let a = data[i];
             let b = data[i + p.half];
             let t = vec2(b.x * w.x - b.y * w.y, b.x * w.y + b.y * w.x);
             data[i] = a + t;
             data[i + p.half] = a - t;
         }",
        |l| {
            let l = l.bind("data", &Buffer::<[f32; 2]>::zeroed(1024)).set("p", &256u32);
            l.workgroups([8, 1, 1])
        },
    );
    says(&text, &["512 to 575 and 768 to 831", DISJOINT]);
}

#[test]
fn the_input_of_a_prefix_sum_bounds_no_index_and_is_not_read_by_the_plan() {
    let text = explained(
        &format!(
            "{SRC_DST}
             @group(0) @binding(2) var<storage, read_write> sums: array<u32>;
             var<workgroup> part: array<u32, 64>;
             @compute @workgroup_size(64)
             fn main(@builtin(global_invocation_id) id: vec3<u32>,
                     @builtin(local_invocation_index) l: u32,
                     @builtin(workgroup_id) g: vec3<u32>) {{
                 part[l] = src[id.x];
                 workgroupBarrier();
                 for (var d = 1u; d < 64u; d *= 2u) {{
                     var v = part[l];
                     if l >= d {{ v += part[l - d]; }}
                     workgroupBarrier();
                     part[l] = v;
                     workgroupBarrier();
                 }}
                 dst[id.x] = part[l];
                 if l == 63u {{ sums[g.x] = part[63]; }}
             }}"
        ),
        |l| {
            let l = l.bind("src", &words(1024)).bind("dst", &words(1024));
            l.bind("sums", &words(16)).workgroups([16, 1, 1])
        },
    );
    says(
        &text,
        &["`sums`, 16 × u32 (4 B each): writes its own 1 element (8), every one", DISJOINT],
    );
    assert!(!text.contains("The contents of"), "{text}");
}

#[test]
fn sparse_rows_of_different_lengths_are_read_where_they_are_and_are_no_ones_own() {
    let text = coexec::ops::library().iter().find(|k| k.name == "csr_spmv").expect("it is").text;
    // The lengths of rows 0 to 599 cycle through 0, 1, … 7. The other rows are empty.
    let mut row_ptr = vec![0u32];
    for row in 0..1024u32 {
        row_ptr.push(row_ptr[row as usize] + if row < 600 { row % 8 } else { 0 });
    }
    let stored = row_ptr[1024] as usize;
    let text = explained(text, |l| {
        let l = l.bind("row_ptr", &Buffer::from_slice(&row_ptr)).bind("columns", &words(stored));
        let l = l.bind("values", &Buffer::<f32>::zeroed(stored));
        let l = l.bind("x", &Buffer::<f32>::zeroed(1024)).bind("y", &Buffer::<f32>::zeroed(1024));
        l.workgroups([8, 1, 1])
    });
    // The band of rows 512 to 639: rows up to 599 have elements, 11 × 28 together.
    says(
        &text,
        &[
            "`values`, 2100 × f32 (4 B each): reads elements 1792 to 2099.",
            "The contents of `row_ptr` bound the touched elements",
            "`y`, 1024 × f32 (4 B each): writes its own 128 elements (512 to 639)",
        ],
    );
}

#[test]
fn a_scatter_that_adds_to_what_is_there_is_refused_at_its_line_and_one_that_stores_is_merged() {
    let scatter = |operator: &str| {
        let places: Vec<u32> = (0..1024u32).map(|i| i * 389 % 1024).collect();
        explained(
            &format!(
                "{SRC_DST}
                 @compute @workgroup_size(64)
                 fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                     let place = src[id.x];
                     dst[place] {operator} id.x;
                 }}"
            ),
            |l| {
                let l = l.bind("src", &Buffer::from_slice(&places)).bind("dst", &words(1024));
                l.workgroups([16, 1, 1])
            },
        )
    };
    says(
        &scatter("="),
        &[
            "`dst` is merged",
            "7 | ",
            "dst[place] = id.x",
            "The contents of `src` bound the touched elements",
        ],
    );
    // A merged buffer has no elements of a band's own.
    assert!(!scatter("=").contains("`dst`, 1024 × u32 (4 B each): writes its own"));
    says(&scatter("+="), &["It runs whole on one device", "7 | ", "dst[place] += id.x"]);
}

#[test]
fn the_place_of_the_least_is_refused_where_two_words_are_one_answer_and_split_where_one_is() {
    let text = explained(
        "struct Best { value: atomic<u32>, place: atomic<u32> }
         @group(0) @binding(0) var<storage, read> src: array<u32>;
         @group(0) @binding(1) var<storage, read_write> best: Best;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             let v = src[id.x];
             if v < atomicMin(&best.value, v) { atomicStore(&best.place, id.x); }
         }",
        |l| l.bind("src", &words(1024)).bind("best", &words(2)).workgroups([16, 1, 1]),
    );
    says(&text, &["it uses the old value", "7 | ", "atomicMin(&best.value, v)"]);
    let text = explained(
        "@group(0) @binding(0) var<storage, read> src: array<u32>;
         @group(0) @binding(1) var<storage, read_write> best: atomic<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             atomicMin(&best, (src[id.x] << 16u) | id.x);
         }",
        |l| l.bind("src", &words(1024)).bind("best", &words(1)).workgroups([16, 1, 1]),
    );
    says(&text, &["may update element 0.", "the updates are combined by minimum"]);
    assert!(!text.contains("The contents of"), "no index follows from `src`: {text}");
}

#[test]
fn a_member_that_is_added_to_and_one_that_is_read_are_no_obstacle_to_each_other() {
    let cells = |body: &str| {
        explained(
            &format!(
                "struct Cell {{ sum: atomic<i32>, mass: i32, seen: u32 }}
                 @group(0) @binding(0) var<storage, read> at: array<u32>;
                 @group(0) @binding(1) var<storage, read_write> cells: array<Cell>;
                 @compute @workgroup_size(64)
                 fn main(@builtin(global_invocation_id) g: vec3u) {{
                     let c = at[g.x];
                     {body}
                 }}"
            ),
            |l| {
                let l = l.bind("at", &words(1024)).bind("cells", &Buffer::<[i32; 3]>::zeroed(64));
                l.workgroups([16, 1, 1])
            },
        )
    };
    let text = cells("atomicAdd(&cells[c].sum, cells[c].mass);");
    says(&text, &["into 16 bands", "member by member", "the updates of `sum` are added up."]);
    let text = cells("atomicMax(&cells[c].sum, cells[c].mass); cells[g.x ^ 1u].seen = 1u;");
    says(
        &text,
        &[
            "the updates of `sum` are combined by maximum; the changed values of `seen` are merged, \
             and the highest chunk wins.",
        ],
    );
    // Members that are both stored to and read must be disjoint.
    says(
        &cells("atomicAdd(&cells[c].sum, 1); cells[g.x].mass += 2;"),
        &["the changed values of `mass`"],
    );
    let text = cells("atomicAdd(&cells[c].sum, 1); cells[c].mass += 2;");
    says(&text, &["It runs whole on one device", "both write `cells`", "cells[c].mass += 2"]);
    // If all members are disjoint, nothing is copied.
    let text = cells("atomicAdd(&cells[g.x].sum, cells[g.x].mass);");
    says(&text, &[DISJOINT]);
}

#[test]
fn stages_in_place_are_cut_between_the_workgroups_that_they_stay_in() {
    let stages = |body: &str| {
        explained(
            &format!(
                "@group(0) @binding(0) var<storage, read_write> a: array<f32>;
                 @compute @workgroup_size(64)
                 fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {{
                     {body}
                 }}"
            ),
            |l| l.bind("a", &Buffer::<f32>::zeroed(16 * 256)).workgroups([16, 1, 1]),
        )
    };
    let own = &[DISJOINT, "reads its own 256 elements (2048 to 2303)", "writes its own 256"];
    let blocks = "for (var s = 2u; s <= 256u; s *= 2u) { for (var b = 0u; b < 256u; b += s) {
        if l < s / 2u { a[w.x * 256u + b + l + s / 2u] += 1.0; } } }";
    says(&stages(blocks), &[DISJOINT, "writes its own 255 elements (2049 to 2303)"]);
    let butterfly = "for (var s = 0u; s < 8u; s++) { for (var i = l; i < 128u; i += 64u) {
        let first = ((i >> s) << (s + 1u)) | (i & ((1u << s) - 1u));
        a[w.x * 256u + first] += 1.0; a[w.x * 256u + first + (1u << s)] += 2.0; } }";
    says(&stages(butterfly), own);
    let network = "for (var k = 2u; k <= 256u; k *= 2u) { for (var j = k / 2u; j > 0u; j /= 2u) {
        for (var i = w.x * 256u + l; i < w.x * 256u + 256u; i += 64u) {
            if (i ^ j) > i { let x = min(a[i], a[i ^ j]); a[i ^ j] = x; a[i] = x; } }
        storageBarrier(); } }";
    says(&stages(network), own);
}

#[test]
fn a_band_that_reads_its_own_is_not_said_to_read_all_because_another_does() {
    let text = |read: &str| {
        explained(
            &format!(
                "{SRC_DST}
                 @compute @workgroup_size(64)
                 fn main(@builtin(global_invocation_id) g: vec3u) {{
                     dst[g.x] = {read};
                 }}"
            ),
            |l| l.bind("src", &words(1024)).bind("dst", &words(1024)).workgroups([16, 1, 1]),
        )
    };
    // An index below zero touches no element.
    let before = text("select(src[g.x - 1u], 0u, g.x == 0u)");
    says(&before, &["reads its own 64 elements (511 to 574).", DISJOINT]);
    let halves = text("src[(g.x - 1u) / 2u]");
    says(
        &halves,
        &[
            "(255 to 287); band 0 may touch all of it, since an index on line 6 could not be bounded.",
        ],
    );
    let lost = text("src[dst[g.x]]");
    says(
        &lost,
        &[
            "reads all of it (an index on line 6 could not be bounded, so all of it counts as read).",
        ],
    );
}

#[test]
fn one_element_is_no_elements_and_the_elements_of_two_bands_are_told_apart() {
    let of = |body: &str| {
        explained(
            &format!(
                "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
                 @compute @workgroup_size(1)
                 fn main(@builtin(workgroup_id) w: vec3u) {{ {body} }}"
            ),
            |l| l.bind("a", &words(16)).workgroups([4, 1, 1]),
        )
    };
    says(&of("a[0] += 1u;"), &["bands 0 and 1 of 4 may both write `a`: element 0.\n"]);
    says(&of("a[0] += 1u;"), &["reads element 0, may write 0."]);
    let neighbours = of("a[w.x] += 1u; a[w.x + 1u] += 1u;");
    says(&neighbours, &["may both write `a`: elements 0 to 1, and 1 to 2.\n"]);
}

#[test]
fn workgroups_that_wait_for_each_other_stay_together_whatever_is_promised() {
    // Neither a read-modify-write nor a data race: each workgroup waits for its predecessor's value.
    let text = explained(
        "@group(0) @binding(0) var<storage, read_write> state: array<atomic<u32>>;
         @compute @workgroup_size(1)
         fn main(@builtin(workgroup_id) group: vec3<u32>) {
             var before = 1u;
             if group.x > 0u {
                 loop {
                     before = atomicLoad(&state[group.x - 1u]);
                     if before != 0u { break; }
                 }
             }
             atomicStore(&state[group.x], before + 1u);
         }",
        |l| l.bind("state", &words(16)).workgroups([16, 1, 1]).assume_race_free(),
    );
    says(&text, &["It runs whole on one device", "wait for each other", "7 | ", "atomicLoad"]);
}

#[test]
fn each_device_is_told_its_expected_share() {
    let kernel = super::affine();
    let runtime = engines::runtime("virtual:2:cpu");
    let (src, dst) = (words(1024), words(1024));
    let launch = runtime.launch(&kernel).bind("src", &src).bind("dst", &dst);
    let text = launch.workgroups([256, 1, 1]).plan().expect("a plan").to_string();
    let shares = text.lines().filter(|line| line.starts_with("cpu.")).map(|line| {
        let words = line.split("takes part: ").nth(1).expect("it takes part");
        words.split(' ').next().and_then(|n| n.parse::<u32>().ok()).expect("a share")
    });
    let shares: Vec<u32> = shares.collect();
    assert_eq!((shares.len(), shares.iter().sum::<u32>()), (2, 100), "{text}");
}
