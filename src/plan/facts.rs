//! The facts of a kernel that hold for all arguments, in sentences.

use std::collections::BTreeSet;

use naga::Span;

use crate::analysis::Facts;
use crate::kernel::Kernel;

/// A sentence for each fact that decides how a kernel may be cut or must be guarded.
pub(crate) fn facts_in_words(kernel: &Kernel, facts: &Facts) -> Vec<String> {
    let at = |span: Span| match kernel.source().line(span) {
        Some(line) => format!(" (line {line})"),
        None => String::new(),
    };
    let mut sentences = Vec::new();
    sentences.push(match (facts.divergent_barrier, facts.barrier) {
        (Some(span), _) => format!(
            "Its invocations wait for each other at barriers; some may not reach the barrier{}.",
            at(span)
        ),
        (None, Some(span)) => {
            format!("Its invocations wait for each other at barriers{}.", at(span))
        }
        (None, None) => "It has no barriers.".to_owned(),
    });
    let names: BTreeSet<&str> = facts
        .storage_atomics
        .iter()
        .map(|&(binding, _)| kernel.signature().bindings[binding].name.as_str())
        .collect();
    sentences.push(match facts.storage_atomics.first() {
        Some(&(_, span)) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("It updates {} atomically{}.", names.join(" and "), at(span))
        }
        None => "It updates no buffer atomically.".to_owned(),
    });
    if let Some(span) = facts.subgroups {
        sentences.push(format!("It uses subgroups{}.", at(span)));
    }
    let (all, finite) =
        (facts.finite_loops.len(), facts.finite_loops.iter().filter(|f| **f).count());
    sentences.push(match (all, all - finite) {
        (0, _) => "It has no loops.".to_owned(),
        (1, 0) => "Its loop is known to end.".to_owned(),
        (1, _) => "Its loop is not known to end, and has an iteration budget.".to_owned(),
        (_, 0) => format!("All its {all} loops are known to end."),
        (_, open) if open == all => {
            format!("None of its {all} loops is known to end; each has an iteration budget.")
        }
        (_, open) => {
            format!(
                "Of its {all} loops, {open} are not known to end, and have an iteration budget."
            )
        }
    });
    if all > finite {
        sentences.extend(facts.hurried.map(|span| hurried(kernel, span)));
    }
    sentences
}

/// A sentence that says where the analysis exhausted its budget, and the consequences.
pub(super) fn hurried(kernel: &Kernel, span: Span) -> String {
    let line = kernel.source().line(span);
    let place = line.map_or_else(|| "a loop".to_owned(), |line| format!("the loop at line {line}"));
    format!(
        "The analysis exhausted its budget at {place}: from there on, a loop may have an \
         iteration budget although it ends, and a range may have more elements than the kernel touches."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_name_the_line_and_the_buffer() {
        let kernel = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read_write> n: atomic<u32>;
             @compute @workgroup_size(64)
             fn main() {
                 workgroupBarrier();
                 atomicAdd(&n, 1u);
             }",
        )
        .unwrap();
        let words = facts_in_words(&kernel, &crate::analysis::facts(&kernel));
        assert_eq!(
            words,
            [
                "Its invocations wait for each other at barriers (line 4).",
                "It updates `n` atomically (line 5).",
                "It has no loops.",
            ]
        );
    }
}
