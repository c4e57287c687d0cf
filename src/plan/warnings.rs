//! Probable mistakes in a launch, in sentences: accesses that are certainly out of bounds, and
//! barriers in control flow that may diverge.
//!
//! An index that may be out of bounds gives no warning: a footprint that is merely wide is no
//! mistake.

use super::band::Band;
use crate::analysis::{Argument, Arguments, Facts, Outside};
use crate::kernel::Kernel;

/// A sentence for each buffer that is read, or written, out of bounds, and one for the first
/// barrier in divergent control flow.
pub(super) fn warnings(
    kernel: &Kernel,
    facts: &Facts,
    arguments: &Arguments<'_>,
    bands: &[Band],
) -> Vec<String> {
    let mut found = Vec::new();
    let bindings = kernel.signature().bindings.iter().zip(&arguments.bindings);
    for (id, (binding, argument)) in bindings.enumerate() {
        let Argument::Storage { elements, .. } = argument else { continue };
        let parts = bands.iter().map(|band| band.footprints[id].outside);
        let outside = parts.fold(Outside::default(), |all, part| all.and(part, *elements));
        let name = &binding.name;
        let has = match elements {
            1 => format!("`{name}` has 1 element"),
            n => format!("`{name}` has {n} elements"),
        };
        if let Some(furthest) = outside.written {
            found.push(format!(
                "{has}, and the kernel writes up to element {furthest}: writes outside of the buffer are lost"
            ));
        }
        if let Some(furthest) = outside.read {
            found.push(format!(
                "{has}, and the kernel reads up to element {furthest}: reads outside of the buffer give 0"
            ));
        }
    }
    if let Some(span) = facts.divergent_barrier
        && !bands.is_empty()
    {
        let line = kernel.source().line(span);
        let at = line.map_or_else(String::new, |line| format!(" on line {line}"));
        found.push(format!(
            "the id of an invocation decides whether it reaches the barrier{at}: WGSL requires that \
             all invocations of a workgroup reach it, or none; otherwise the devices' results may differ"
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::analysis::Analysis;
    use crate::plan::{Plan, Wishes};

    use super::*;

    /// The warnings of a kernel with this body, workgroups of 64, buffers of these sizes, and `n`.
    fn said(body: &str, groups: u32, (src, dst): (u64, u64), n: u32) -> Vec<String> {
        let kernel = Kernel::from_wgsl(&format!(
            "@group(0) @binding(0) var<storage, read> src: array<i32>;
             @group(0) @binding(1) var<storage, read_write> dst: array<i32>;
             @group(0) @binding(2) var<uniform> n: u32;
             @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {{
                 let i = g.x; _ = arrayLength(&src) + arrayLength(&dst) + n; {body}
             }}"
        ))
        .expect("a kernel");
        let n = n.to_le_bytes();
        let bindings = vec![
            Argument::Storage { elements: src, contents: None },
            Argument::Storage { elements: dst, contents: None },
            Argument::Value(&n),
        ];
        let arguments = Arguments { grid: [groups, 1, 1], bindings };
        let analysis = Analysis::new(&kernel);
        let plan = |chunks| -> Plan {
            let wishes = Wishes { chunks, ..Wishes::default() };
            crate::plan::plan(&kernel, &analysis, &arguments, &[], &[], 0, &wishes)
        };
        let whole = plan(None).warnings().to_vec();
        assert_eq!(plan(Some(7)).warnings(), whole, "{body}, in chunks");
        whole
    }

    #[test]
    fn what_is_surely_out_of_bounds_is_told_with_how_far_however_the_grid_is_cut() {
        for (body, n, writes, reads) in [
            ("dst[i] = 1;", 0, Some(1023), None),
            ("if i < n { dst[i] = src[i]; }", 1000, Some(999), Some(999)),
            ("dst[2 * i] = 1;", 0, Some(2046), None),
            ("dst[1023 - i] = src[5000];", 0, Some(1023), Some(5000)),
            ("for (var k = 0u; k < n; k++) { dst[0] += src[i * n + k]; }", 4, None, Some(4095)),
            ("dst[i32(i) - 7] = 1;", 0, Some(1016), None),
            ("if i < 5u { dst[i32(i) - 7] = 1; }", 0, Some(-7), None),
        ] {
            let said = said(body, 16, (500, 250), n);
            let told = |verb: &str, at: Option<i32>| match at {
                Some(at) => {
                    let part = format!("the kernel {verb} up to element {at}:");
                    said.iter().any(|sentence| sentence.contains(&part))
                }
                None => !said.iter().any(|sentence| sentence.contains(verb)),
            };
            assert!(told("writes", writes) && told("reads", reads), "{body}: {said:?}");
        }
    }

    #[test]
    fn an_index_that_may_be_outside_or_is_kept_inside_is_no_warning() {
        for body in [
            "dst[src[i % 500u]] = 1;",
            "if i < arrayLength(&dst) { dst[i] = src[min(i, arrayLength(&src) - 1u)]; }",
            "if i < n { dst[i] = src[i]; }",
            "if src[i % 250u] > 3 { dst[i] = 1; }",
            "if (i * i) % 7u < 3u { dst[i * i] = 1; }",
            "var k = i; while src[k % 100u] > 0 { k += 3u; } dst[k] = 1;",
            "dst[i & 127u] = src[i / 8u];",
        ] {
            let said = said(body, 16, (500, 250), 250);
            assert!(said.is_empty(), "{body}: {said:?}");
        }
        assert!(said("dst[i] = src[i];", 0, (5, 5), 0).is_empty(), "an empty grid does nothing");
    }

    #[test]
    fn a_barrier_that_may_not_be_reached_by_all_is_told_with_its_line() {
        let said = said("if i < n { return; } storageBarrier();", 4, (1, 1), 1);
        assert!(said[0].contains("the barrier on line 5"), "{said:?}");
    }
}
