//! The accesses of kernels, which the analysis foresees.

use super::bindings;
use crate::analysis::{self, Argument, Arguments};
use crate::cpu::touched::{Touched, touched};
use crate::device::{Chunk, ChunkBinding};
use crate::grid::GroupBox;
use crate::kernel::Kernel;
use crate::region::Region;

/// Runs some workgroups under watch, and checks that each footprint contains the accesses.
fn watch(text: &str, grid: [u32; 3], groups: GroupBox, data: &mut [Vec<u32>]) -> Vec<Touched> {
    let kernel = Kernel::from_wgsl(text).unwrap();
    let bindings = bindings(&kernel, data);
    let arguments = Arguments {
        grid,
        bindings: bindings
            .iter()
            .map(|binding| match binding {
                ChunkBinding::Value(bytes) => Argument::Value(bytes),
                ChunkBinding::Storage { elements, .. } => {
                    Argument::Storage { elements: *elements, contents: None }
                }
            })
            .collect(),
    };
    let footprints = analysis::Analysis::new(&kernel).footprints(&arguments, groups);
    let chunk = Chunk::new(&kernel, grid, groups, bindings, 1 << 20);
    let touched = touched(&chunk, 32).unwrap();
    for (found, inferred) in touched.iter().zip(&footprints) {
        let inside = |ranges: &[std::ops::Range<u64>], all: &Region| {
            ranges.iter().all(|range| range.clone().all(|element| all.may_hold(element)))
        };
        assert!(inside(&found.read, &inferred.read), "{found:?} {inferred:?}");
        assert!(inside(&found.written, &inferred.may_write), "{found:?} {inferred:?}");
        assert!(!found.writes_header || inferred.writes_header, "{found:?} {inferred:?}");
        let surely = &inferred.must_write;
        assert!(
            surely.is_empty()
                || found.overwritten.iter().any(|r| r.start <= surely.start && surely.end <= r.end),
            "{found:?} {inferred:?}"
        );
        assert!(
            !found.read_before_written.iter().any(|r| r.start < surely.end && surely.start < r.end),
            "{found:?} {inferred:?}"
        );
    }
    touched
}

#[test]
fn a_band_of_a_stencil_reads_a_row_more_on_each_side_and_writes_its_own() {
    let (w, h) = (64u64, 12u64);
    let mut data = [
        vec![w as u32, h as u32, 0.1f32.to_bits()],
        vec![0; (w * h) as usize],
        vec![0; (w * h) as usize],
    ];
    let text = include_str!("../../../kernels/stencil5.wgsl");
    let names: Vec<String> = Kernel::from_wgsl(text)
        .unwrap()
        .signature()
        .bindings
        .iter()
        .map(|binding| binding.name.clone())
        .collect();
    assert_eq!(names, ["grid", "src", "dst"]);
    // Workgroups of 64 by 4: the middle one of three rows of them.
    let grid = [1, 3, 1];
    let found = watch(text, grid, GroupBox::whole(grid).band(1, 1, 2), &mut data);
    assert_eq!(found[1].read, [3 * w..9 * w]);
    assert_eq!(found[2].written, [4 * w..8 * w]);
    assert_eq!(found[2].overwritten, [4 * w..8 * w]);
    assert!(found[1].written.is_empty() && found[2].read.is_empty());
}

#[test]
fn only_what_an_active_lane_touches_counts() {
    let text = "
        struct S { head: atomic<u32>, run: array<vec2<f32>> }
        @group(0) @binding(0) var<storage, read_write> s: S;
        @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x % 3u == 1u { s.run[id.x].x = 1.0; }
            if id.x == 4u { s.run[2] = s.run[4] + s.run[99]; atomicAdd(&s.head, 1u); }
        }";
    let mut data = [vec![0; 2 + 2 * 8]];
    let grid = [1, 1, 1];
    let found = &watch(text, grid, GroupBox::whole(grid), &mut data)[0];
    assert_eq!(found.written, [1..3, 4..5, 7..8]);
    assert_eq!(found.overwritten, [2..3]);
    assert_eq!(found.read, [4..5]);
    // Its second component had not been written.
    assert_eq!(found.read_before_written, [4..5]);
    assert!(found.reads_header && found.writes_header);
}
