//! Spans: neighbouring workgroups along x that are executed as one, row by row.
//!
//! If no invocation can tell which workgroup it is in, each row of invocations may go through several
//! workgroups before the next row begins. Memory is then read in long stretches, which prefetchers follow;
//! narrow workgroups would jump from row to row. Unlike packed workgroups, a span may end anywhere, and its
//! gangs need not all run the same version: those at its ends, where [`Facts`] don't hold, run the edge
//! version. Generated code finds the length of a span while it runs.
//!
//! Measured on one thread, relative to workgroup after workgroup: stencil7 (rows of 32 in 256) 1.3 with
//! spans of the interior, and 1.5 times that with the edges of the row as well. stencil5 (rows of 64 in
//! 4096) on a Xeon 1.0 with 256 lanes and 0.85 with 1024; on a Zen 5 0.81, 0.97 and, with 4096, 1.15.
//! Whole rows are the order of a plain loop over the array, and as good as that loop everywhere.

use super::ir::Kernel;
use super::wide::{Facts, Wide};

/// The most lanes in a row of a span. Data that one row reads should still be in a second-level cache
/// for the next row.
const LONGEST: u32 = 4096;

/// The most workgroups of a span, where packed ones count as one; 1 if there are no spans.
pub(in crate::cpu) fn longest(kernel: &Kernel) -> u32 {
    let [x, y, z] = kernel.workgroup_size;
    let rows = y > 1 || z > 1;
    if kernel.anonymous && !kernel.is_split() && rows && x.is_multiple_of(kernel.width) {
        (LONGEST / x).max(1)
    } else {
        1
    }
}

/// For each number, whether it differs between workgroups along x.
pub(in crate::cpu) fn along_x(facts: &Facts) -> Vec<bool> {
    let mut differs: Vec<bool> = Vec::with_capacity(facts.numbers.len());
    for wide in &facts.numbers {
        differs.push(match *wide {
            Wide::Workgroup(axis) => axis == 0,
            Wide::Constant(_) | Wide::Register(_) | Wide::Length(_) => false,
            Wide::Add(a, b)
            | Wide::Sub(a, b)
            | Wide::Mul(a, b)
            | Wide::Min(a, b)
            | Wide::Max(a, b) => differs[a as usize] || differs[b as usize],
            Wide::Held(a) | Wide::Shr(a, _) | Wide::Div(a, _) => differs[a as usize],
        });
    }
    differs
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile};
    use super::longest as longest_span;
    use crate::kernel::Kernel;

    /// The most workgroups in a span of a kernel with workgroups of this size.
    fn longest(size: &str, value: &str) -> u32 {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
             @compute @workgroup_size({size})
             fn main(@builtin(global_invocation_id) id: vec3<u32>,
                     @builtin(workgroup_id) group: vec3<u32>) {{
                 out[id.y * 1000u + id.x] = {value};
             }}"
        );
        longest_span(&compile(&Kernel::from_wgsl(&text).unwrap(), Gangs::of(16)).unwrap().code)
    }

    #[test]
    fn rows_of_workgroups_that_no_invocation_can_tell_apart_are_spans() {
        assert_eq!(longest("32, 4, 2", "id.x"), 128);
        assert_eq!(longest("256, 2", "id.x"), 16);
        // Two are packed into rows of 16 first.
        assert_eq!(longest("8, 8", "id.x"), 256);
    }

    #[test]
    fn single_rows_and_known_workgroups_are_no_spans() {
        assert_eq!(longest("64", "id.x"), 1);
        assert_eq!(longest("32, 4", "group.x"), 1);
    }
}
