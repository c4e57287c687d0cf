//! Exact footprints of small kernels, and kernels made to mislead the analysis.

use std::ops::Range;

use naga::Span;

use super::walk::{fuel, unroll};
use super::*;
use crate::device::HostBytes;
use crate::grid::GroupBox;
use crate::kernel::{Kernel, Space};
use crate::region::Region;

/// The analysis and the arguments of a test.
pub(super) struct Launch {
    analysis: Analysis,
    values: Vec<Vec<u8>>,
    elements: Vec<u64>,
    contents: Vec<Option<Vec<u32>>>,
    grid: [u32; 3],
}

impl Launch {
    /// Storage bindings in order have these numbers of elements; the uniform, if any, has these words.
    pub(super) fn new(wgsl: &str, uniform: &[u32], elements: &[u64], grid: [u32; 3]) -> Launch {
        let kernel = Kernel::from_wgsl(wgsl).unwrap_or_else(|e| panic!("{e}"));
        let mut sizes = elements.iter();
        let mut launch = Launch {
            analysis: Analysis::new(&kernel),
            values: Vec::new(),
            elements: Vec::new(),
            contents: Vec::new(),
            grid,
        };
        for binding in &kernel.signature().bindings {
            let value = match binding.space {
                Space::Uniform | Space::Immediate => bytemuck::cast_slice(uniform).to_vec(),
                _ => Vec::new(),
            };
            let count = match binding.space {
                Space::Uniform | Space::Immediate => 0,
                _ => *sizes.next().expect("a size for each storage binding"),
            };
            launch.values.push(value);
            launch.elements.push(count);
            launch.contents.push(None);
        }
        launch
    }

    fn arguments<R>(&mut self, f: impl FnOnce(&Analysis, &Arguments<'_>) -> R) -> R {
        let bindings = &self.analysis.kernel.signature().bindings;
        let bindings = bindings
            .iter()
            .zip(&self.values)
            .zip(&self.elements)
            .zip(&mut self.contents)
            .map(|(((binding, value), &elements), contents)| match binding.space {
                Space::Uniform | Space::Immediate => Argument::Value(value),
                _ => Argument::Storage {
                    elements,
                    contents: contents.as_mut().map(|words| Contents {
                        bytes: HostBytes::new(bytemuck::cast_slice_mut(words)),
                        start: 0,
                        version: Version::new(),
                        absent: None,
                    }),
                },
            })
            .collect();
        let arguments = Arguments { grid: self.grid, bindings };
        f(&self.analysis, &arguments)
    }

    fn footprints(&mut self, groups: GroupBox) -> Vec<Footprint> {
        self.arguments(|analysis, arguments| analysis.footprints(arguments, groups))
    }

    /// The footprints of workgroups `start` to `end` along an axis.
    pub(super) fn band(&mut self, axis: usize, start: u32, end: u32) -> Vec<Footprint> {
        let grid = self.grid;
        self.footprints(GroupBox::whole(grid).band(axis, start, end))
    }
}

fn reads(range: Range<u64>) -> Footprint {
    Footprint { read: range.into(), ..Footprint::default() }
}

/// A sure write of every element of the range.
fn writes(range: Range<u64>) -> Footprint {
    Footprint { may_write: range.clone().into(), must_write: range, ..Footprint::default() }
}

/// `rows` rows of `columns` elements, `apart` elements apart.
pub(super) fn rows(first: u64, rows: i128, columns: i128, apart: i128) -> Region {
    Region::of_box(first.into(), &[(1, columns), (apart, rows)], &(0..1 << 40))
}

fn kernel(name: &str) -> String {
    let path = format!("{}/kernels/{name}.wgsl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// The storage footprints of workgroups `band` along `axis` of a kernel of `kernels/`.
fn library(
    name: &str,
    uniform: &[u32],
    elements: &[u64],
    grid: [u32; 3],
    (axis, band): (usize, Range<u32>),
) -> Vec<Footprint> {
    let mut launch = Launch::new(&kernel(name), uniform, elements, grid);
    launch.band(axis, band.start, band.end)
}

#[test]
fn saxpy_touches_its_own_stretch() {
    let got = library("saxpy", &[0, 1000], &[1000, 1000], [4, 1, 1], (0, 1..3));
    let both = (256..768).into();
    let both = Footprint { read: both, may_write: (256..768).into(), ..Footprint::default() };
    assert_eq!(got, [Footprint::default(), reads(256..768), both]);
    let last = library("saxpy", &[0, 1000], &[1000, 1000], [4, 1, 1], (0, 3..4));
    assert_eq!(last[1], reads(768..1000));
}

#[test]
fn a_band_of_a_stencil_reads_one_row_more_on_each_side_and_surely_writes_its_own() {
    let got = library("stencil5", &[100, 50, 0], &[5000, 5000], [2, 13, 1], (1, 2..4));
    assert_eq!(got[1..], [reads(700..1700), writes(800..1600)]);
    let first = library("stencil5", &[100, 50, 0], &[5000, 5000], [2, 13, 1], (1, 0..2));
    assert_eq!(first[1..], [reads(0..900), writes(0..800)]);
    let last = library("stencil5", &[100, 50, 0], &[5000, 5000], [2, 13, 1], (1, 12..13));
    assert_eq!(last[1..], [reads(4700..5000), writes(4800..5000)]);
    let columns = library("stencil5", &[100, 50, 0], &[5000, 5000], [2, 13, 1], (0, 0..1));
    // The left 64 columns, and one more, except on the border.
    assert_eq!(columns[1].read, rows(0, 50, 65, 100));
    assert_eq!(columns[2].may_write, rows(0, 50, 64, 100));
    let got = library("stencil7", &[40, 30, 20, 0], &[24000, 24000], [2, 8, 10], (2, 2..4));
    assert_eq!(got[1..], [reads(3600..10800), writes(4800..9600)]);
}

#[test]
fn a_band_of_a_product_reads_the_same_band_of_a_and_all_of_b() {
    let got = library("matmul_naive", &[100, 50, 30], &[3000, 1500, 5000], [2, 25, 1], (1, 5..10));
    assert_eq!(got[1..], [reads(600..1200), reads(0..1500), writes(1000..2000)]);
    for (m, band) in [(300u32, 1u32..3), (256, 1..3), (254, 3..4), (254, 0..1), (65, 1..2)] {
        let (n, k) = (200u32, 130u32);
        let sizes = [m * k, k * n, m * n].map(u64::from);
        let grid = [n.div_ceil(64), m.div_ceil(64), 1];
        let got = library("matmul", &[m, n, k], &sizes, grid, (1, band.clone()));
        let rows = u64::from(band.start * 64)..u64::from(m.min(band.end * 64));
        let of = |width: u64| rows.start * width..rows.end * width;
        assert_eq!(got[1..3], [reads(of(130)), reads(0..26000)], "m = {m}");
        // If the last rows are cut off, the region has the same elements in several pieces.
        let mut written = vec![false; sizes[2] as usize];
        got[3]
            .may_write
            .for_each_run(|run| written[run.start as usize..run.end as usize].fill(true));
        let wanted = (0..sizes[2]).map(|i| of(200).contains(&i));
        assert!(written.into_iter().eq(wanted), "m = {m}: {:?}", got[3].may_write);
        assert_eq!((&got[3].read, &got[3].must_write), (&Region::default(), &of(200)), "m = {m}");
    }
}

#[test]
fn the_other_kernels_of_the_library_have_the_footprints_that_their_authors_expect() {
    let got = library("transpose", &[100, 70], &[7000, 7000], [3, 4, 1], (0, 1..2));
    assert_eq!(got[1].read, rows(32, 100, 32, 70));
    assert_eq!(got[2], writes(3200..6400));
    let got = library("transpose", &[100, 70], &[7000, 7000], [3, 4, 1], (1, 1..2));
    assert_eq!(got[1], reads(2240..4480));
    assert_eq!(got[2].may_write, rows(32, 70, 32, 100));
    let got = library("reduce_sum", &[], &[100_000, 25], [25, 1, 1], (0, 3..5));
    assert_eq!(got, [reads(12288..20480), writes(3..5)]);
    let view = [100, 50, 30, 0, 0, 0];
    let got = library("mandelbrot", &view, &[5000], [4, 7, 1], (1, 2..4));
    assert_eq!(got[1..], [writes(1600..3200)]);
    let got = library("nbody", &[1000, 0, 0], &[1000; 4], [4, 1, 1], (0, 1..2));
    assert_eq!(got[1..], [reads(0..1000), reads(256..512), writes(256..512), writes(256..512)]);
    let got = library("black_scholes", &[0, 0, 1000], &[1000; 3], [4, 1, 1], (0, 3..4));
    assert_eq!(got[1..], [reads(768..1000), writes(768..1000), writes(768..1000)]);
}

#[test]
fn what_the_host_holds_bounds_a_sparse_row() {
    let sizes = [1001, 5000, 5000, 1000, 1000];
    let mut launch = Launch::new(&kernel("csr_spmv"), &[], &sizes, [8, 1, 1]);
    launch.contents[0] = Some((0..1001).map(|i| i * 5).collect());
    launch.contents[1] = Some((0..5000).map(|i| i / 5).collect());
    let got = launch.band(0, 1, 2);
    let consulted = |range| Footprint { consulted: true, ..reads(range) };
    assert_eq!(
        got,
        [
            consulted(128..257),
            consulted(640..1280),
            reads(640..1280),
            reads(128..256),
            writes(128..256)
        ]
    );
    // Without the columns any element may be gathered, and the footprint names the access.
    launch.contents[1] = None;
    let got = launch.band(0, 1, 2);
    assert_eq!(got[3].read, (0..1000).into());
    let span = got[3].unbounded.expect("a place").to_range().unwrap();
    assert_eq!(&launch.analysis.kernel.text()[span], "x[columns[i]]");
}

#[test]
fn a_sparse_row_of_millions_is_bounded_by_what_was_summarised_once() {
    let rows = 1 << 20;
    let sizes = [rows + 1, 5 * rows, 5 * rows, rows, rows];
    let mut launch = Launch::new(&kernel("csr_spmv"), &[], &sizes, [8192, 1, 1]);
    launch.contents[0] = Some((0..=rows as u32).map(|i| i * 5).collect());
    let summarised = launch.arguments(|analysis, arguments| {
        for band in 0..8 {
            let groups = GroupBox::whole([8192, 1, 1]).band(0, band * 1024, band * 1024 + 1024);
            let got = analysis.footprints(arguments, groups);
            let (first, last) = (u64::from(band) << 17, u64::from(band + 1) << 17);
            assert_eq!(got[2].read, (5 * first..5 * last).into());
        }
        match &arguments.bindings[0] {
            Argument::Storage { contents: Some(contents), .. } => contents.version.looked_at(),
            _ => unreachable!("it was given"),
        }
    });
    assert_eq!(summarised, rows);
}

#[test]
fn every_loop_of_the_library_is_finite() {
    for (name, loops) in [("matmul", 4), ("matmul_naive", 1), ("nbody", 2), ("transpose", 2)] {
        assert_eq!(facts(&Kernel::from_wgsl(&kernel(name)).unwrap()).finite_loops.len(), loops);
    }
    let names = ["matmul_naive", "reduce_sum", "mandelbrot", "csr_spmv", "transpose"];
    for name in names {
        let facts = facts(&Kernel::from_wgsl(&kernel(name)).unwrap());
        assert!(facts.finite_loops.iter().all(|&finite| finite), "{name}");
    }
    // Their outer loops step by more than one, to a bound that may be near 2^32.
    for name in ["matmul", "nbody"] {
        let facts = facts(&Kernel::from_wgsl(&kernel(name)).unwrap());
        assert!(!facts.finite_loops[0] && facts.finite_loops[1..].iter().all(|&f| f), "{name}");
    }
}

/// The loops of a body: whether each is finite.
fn finite(body: &str) -> Vec<bool> {
    let text = format!(
        "struct Values {{ n: u32, s: i32, step: u32 }}
         @group(0) @binding(0) var<uniform> v: Values;
         @group(0) @binding(1) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
             _ = v.n; data[0] = 1u; {body}
         }}"
    );
    facts(&Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"))).finite_loops.clone()
}

#[test]
fn finite_loops_are_those_that_end_for_all_arguments() {
    for body in [
        "for (var i = 0u; i < v.n; i++) { data[i] = 1u; }",
        "for (var i = id.x; i < data[5]; i++) { data[i] = 1u; }",
        "for (var i = v.s; i > -5; i--) {}",
        "for (var i = 0; i < v.s; i += 1) { if i == 7 { continue; } data[i] = 1u; }",
        "for (var i = 0u; i < 1000u; i += 7u) {}",
        "for (var i = 0u; i < min(v.n, 1000000u); i += 64u) {}",
        "for (var i = 0u; i <= 1000u; i++) {}",
        "for (var s = v.n; s > 0u; s /= 2u) {}",
        "for (var s = v.s; s > 0; s >>= 1u) {}",
        "for (var s = 1u; s < 1024u; s *= 2u) {}",
        "var i = 0u; loop { if i >= v.n { break; } i++; if data[i] == 0u { break; } }",
        "var i = v.n; while i > 0u { i -= 1u; data[i] = 1u; }",
        "var i = 0u; loop { data[i] = 1u; continuing { i += 1u; break if i >= 9u; } }",
        "var i = 0u; loop { i += 1u; if i >= 9u { break; } }",
        // `i` is below some value, so it cannot wrap around.
        "var n = 9u; for (var i = 0u; i < n; i++) { n = n + 1u; }",
    ] {
        assert_eq!(finite(body), [true], "{body}");
    }
    for body in [
        "for (var i = 0u; i < v.n; i += 2u) {}",
        "for (var i = 0u; i < v.n; i += v.step) {}",
        "for (var i = 0u; i <= v.n; i++) {}",
        "for (var i = 0u; i != v.n; i++) {}",
        "for (var i = 5u; i >= 0u; i--) {}",
        "for (var i = 0u; i < v.n; ) { if data[i] == 0u { i++; } }",
        "for (var i = 0u; i < v.n; i++) { if data[i] == 0u { i -= 1u; } }",
        "for (var i = 0u; i < v.n; i++) { if data[i] == 0u { i = 0u; } }",
        "for (var s = v.n; s >= 0u; s /= 2u) {}",
        "for (var s = 0u; s < 1024u; s *= 2u) {}",
        "for (var s = v.s; s != 1; s /= 2) {}",
        "loop { if data[0] == 3u { break; } }",
        "for (var i = 0u; i < 9u; i++) { i = i & 7u; }",
    ] {
        assert_eq!(finite(body), [false], "{body}");
    }
    assert_eq!(
        finite("while data[1] == 0u { for (var i = 0u; i < 9u; i++) { while i < 3u {} } }"),
        [false, true, false]
    );
}

#[test]
fn atomics_subgroups_and_barriers_are_found_with_their_place() {
    let text = "enable subgroups;
        @group(0) @binding(0) var<storage, read_write> sum: atomic<u32>;
        @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;
        var<workgroup> shared_sum: atomic<u32>;
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) i: u32) {
            atomicAdd(&shared_sum, 1u);
            workgroupBarrier();
            atomicMax(&bins[i], subgroupAdd(i));
            atomicAdd(&sum, 1u);
        }";
    let kernel = Kernel::from_wgsl(text).unwrap();
    let facts = facts(&kernel);
    let line = |span: Span| kernel.source().line(span).unwrap();
    let atomics: Vec<_> = facts.storage_atomics.iter().map(|&(id, s)| (id, line(s))).collect();
    assert_eq!(atomics, [(1, 9), (0, 10)]);
    assert_eq!(facts.subgroups.map(line), Some(9));
    assert_eq!(facts.barrier.map(line), Some(8));
}

#[test]
fn a_second_walk_over_loops_is_cheaper_than_the_first() {
    let text = include_str!("../../kernels/matmul.wgsl");
    let mut launch = Launch::new(text, &[512, 512, 500], &[1 << 18; 3], [8, 8, 1]);
    launch.arguments(|analysis, arguments| {
        let launch = analysis.of_launch(arguments);
        let band = |at: u32| GroupBox::whole([8, 8, 1]).band(1, at, at + 1);
        let left = [0, 0, 1, 7].map(|at| launch.walked(band(at), false).fuel.left());
        let used = left.map(|left| fuel::FUEL + fuel::RESERVE - left);
        assert!(used[1..].iter().all(|later| later * 3 < used[0] * 2), "{used:?}");
    });
}

/// A kernel of the library, its uniform, its buffers' elements, its grid, the axis, and how many of 16 bands
/// may be walked themselves.
type Cut = (&'static str, &'static [u32], &'static [u64], [u32; 3], usize, usize);

const CUTS: [Cut; 6] = [
    (include_str!("../../kernels/saxpy.wgsl"), &[2, 4000], &[4000, 4000], [16, 1, 1], 0, 2),
    (include_str!("../../kernels/stencil5.wgsl"), &[256, 64, 0], &[1 << 14; 2], [4, 16, 1], 1, 3),
    (include_str!("../../kernels/matmul.wgsl"), &[1000, 200, 90], &[200_000; 3], [4, 16, 1], 1, 2),
    (include_str!("../../kernels/matmul.wgsl"), &[200, 1000, 90], &[200_000; 3], [16, 4, 1], 0, 2),
    (include_str!("../../kernels/nbody.wgsl"), &[4096, 0, 0], &[4096; 4], [16, 1, 1], 0, 1),
    (include_str!("../../kernels/transpose.wgsl"), &[512, 512], &[1 << 18; 2], [16, 16, 1], 1, 1),
];

#[test]
fn bands_that_are_shifts_of_one_another_are_looked_at_once() {
    for (text, uniform, elements, grid, axis, most) in CUTS {
        let mut launch = Launch::new(text, uniform, elements, grid);
        launch.arguments(|analysis, arguments| {
            let launch = analysis.of_launch(arguments);
            let edges: Vec<u32> = (0..=16).map(|band| band * grid[axis] / 16).collect();
            let bands: Vec<Range<u32>> = edges.windows(2).map(|e| e[0]..e[1]).collect();
            let samples = launch.samples(GroupBox::whole(grid), axis, &bands);
            let shifted = |band: &Range<u32>| samples.iter().any(|s| s.of(band).is_some());
            let alone = bands.iter().filter(|band| !shifted(band)).count();
            assert!(alone <= most, "{alone} of 16\n{text}");
            // And the shifted footprints equal those of a walk.
            for (band, found) in bands.iter().zip(launch.bands(axis, &edges)) {
                let groups = GroupBox::whole(grid).band(axis, band.start, band.end);
                for (found, own) in found.iter().zip(launch.footprints(groups)) {
                    let words = format!("{band:?}: {found:?}\n{own:?}\n{text}");
                    assert_eq!(found.read.hull(), own.read.hull(), "{words}");
                    assert_eq!(found.read.len(), own.read.len(), "{words}");
                    assert_eq!(found.may_write.hull(), own.may_write.hull(), "{words}");
                    assert_eq!(found.may_write.len(), own.may_write.len(), "{words}");
                    assert_eq!(found.must_write, own.must_write, "{words}");
                }
            }
        });
    }
}

#[test]
fn an_analysis_that_runs_out_of_its_budget_says_so_and_keeps_what_does_not_hang_on_it() {
    // More inner loops than the budget allows to walk closely; `n` is unbounded.
    let inner = |i| format!("for (var k = 0u; k < {i}u; k++) {{ n = n * 3u + k; }}\n");
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
         @group(0) @binding(1) var<storage, read_write> b: array<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) g: vec3u) {{
             var n = a[g.x];
             for (var i = 0u; i < 3u; i++) {{
             for (var j = i; j < 9u; j++) {{ {} }} }}
             b[n] = 1u;
             a[g.x] = n;
         }}",
        (1..2500).map(inner).collect::<String>()
    );
    let kernel = Kernel::from_wgsl(&text).unwrap();
    let analysis = Analysis::new(&kernel);
    assert!(analysis.facts().hurried.is_some(), "not enough loops");
    assert!(analysis.facts().finite_loops.iter().all(|&ends| ends), "a guard tells that it ends");
    let storage = || Argument::Storage { elements: 6400, contents: None };
    let arguments = Arguments { grid: [100, 1, 1], bindings: vec![storage(), storage()] };
    let launch = analysis.of_launch(&arguments);
    let got = launch.footprints(GroupBox { first: [3, 0, 0], count: [2, 1, 1] });
    assert!(launch.hurried().is_some());
    assert_eq!(got[0].may_write, Region::from(192..320));
    assert_eq!(got[0].read, Region::from(192..320));
    assert_eq!(got[1].may_write, Region::from(0..6400));
}

#[test]
fn walks_turn_by_turn_share_one_budget_of_a_launch_and_what_comes_after_it_is_still_covered() {
    // Each workgroup exchanges elements with others, so that no band is a shift of another.
    let sort = "for (var k = 2u; k <= arrayLength(&a); k <<= 1u) {
        for (var j = k >> 1u; j > 0u; j >>= 1u) {
            let o = g.x ^ j;
            if o > g.x {
                let x = a[g.x]; let y = a[o];
                if (g.x & k) == 0u { if x > y { a[g.x] = y; a[o] = x; } }
                else { if x < y { a[g.x] = y; a[o] = x; } }
            }
            storageBarrier();
        } }\n";
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) g: vec3u) {{ {} }}",
        sort.repeat(2)
    );
    let mut launch = Launch::new(&text, &[], &[1 << 14], [256, 1, 1]);
    launch.arguments(|analysis, arguments| {
        let launch = analysis.of_launch(arguments);
        let edges: Vec<u32> = (0..=64).map(|band| band * 4).collect();
        let bands = launch.bands(0, &edges);
        let spent = launch.hints.borrow().spent_on_turns;
        assert!(
            (unroll::FUEL_OF_LAUNCH..unroll::FUEL_OF_LAUNCH + 1000).contains(&spent),
            "{spent}"
        );
        assert!(launch.hurried().is_some());
        for (band, found) in bands.iter().enumerate() {
            let band = band as u64;
            let touched = found[0].read.hull();
            let farthest = (0..6).map(|bit| band ^ (1 << bit)).filter(|&other| other > band).max();
            assert!(touched.start <= band * 256, "{band}: {touched:?}");
            let end = (farthest.unwrap_or(band) + 1) * 256;
            assert!(touched.end >= end, "{band}: {touched:?}, not up to {end}");
        }
    });
}
