//! Loop budgets: an endless loop is ended and reported, a finite one is left alone.

use super::harness::{Gpu, Launch, Outcome, bytes, gpu};

fn run(gpu: &Gpu, body: &str, budget: u32, finite_loops: &[bool]) -> Outcome {
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @group(0) @binding(1) var<storage, read> n: u32;
         var<workgroup> shared_: u32;
         @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) l: u32) {{
             var turns = 0u;
             {body}
             out[l] = turns;
         }}"
    );
    // Every kernel uses `n` and the workgroup variable, even if its body does not.
    let text = text.replace("var turns = 0u;", "var turns = n * 0u; shared_ = 0u;");
    let mut launch = Launch::new(&text, [1, 1, 1], vec![vec![0; 16], bytes(&[10u32])]);
    launch.loop_budget = budget;
    launch.finite_loops = finite_loops.to_vec();
    launch.run(gpu)
}

#[test]
fn an_endless_loop_is_ended_and_reported() {
    let Some(gpu) = gpu() else { return };
    for body in [
        "loop { }",
        "loop { turns++; }",
        "loop { loop { } }",
        "loop { loop { turns++; if turns % 3u == 0u { break; } } }",
        "while true { turns++; continue; }",
        "for (var i = 0u; i < n; i += 0u) { turns++; }",
        "loop { turns++; continuing { turns++; break if n == 0u; } }",
        "switch n { case 10u: { loop { turns++; } } default: { } } loop { }",
        "if l == 2u { loop { turns++; } }",
        "loop { turns++; workgroupBarrier(); }",
        // A loop that is proved finite, around one that is not.
        "for (var i = 0; i < 100000; i++) { loop { turns++; } }",
    ] {
        let proved: &[bool] = if body.contains("100000") { &[true, false] } else { &[] };
        let outcome = run(gpu, body, 1000, proved);
        assert!(outcome.fault, "{body}");
    }
}

#[test]
fn a_loop_that_ends_within_its_budget_is_left_alone() {
    let Some(gpu) = gpu() else { return };
    for (body, expected) in [
        ("while turns < n * 10u { turns++; }", 100),
        ("loop { turns++; if turns == 100u { break; } }", 100),
        ("loop { turns++; continuing { break if turns == 100u; } }", 100),
        ("for (var i = 0u; i < n; i++) { for (var j = 0u; j < 9u; j++) { turns++; } }", 90),
    ] {
        // An iteration counts when it begins, so the last test of a condition counts too.
        let outcome = run(gpu, body, 111, &[]);
        assert_eq!((outcome.u32s(0), outcome.fault), (vec![expected; 4], false), "{body}");
    }
}

#[test]
fn the_budget_counts_turns_of_all_unproved_loops_together() {
    let Some(gpu) = gpu() else { return };
    let body = "loop { turns++; if turns == 60u { break; } }
                loop { turns++; if turns == 100u { break; } }";
    // Sixty iterations and forty; those of a proved loop do not count.
    for (budget, proved, fault) in [
        (100, [false, false], false),
        (99, [false, false], true),
        (99, [true, false], false),
        (40, [true, false], false),
        (39, [true, false], true),
        (59, [false, true], true),
        (0, [true, true], false),
    ] {
        let outcome = run(gpu, body, budget, &proved);
        assert_eq!(outcome.fault, fault, "{budget} {proved:?}");
        if !fault {
            assert_eq!(outcome.u32s(0), [100; 4]);
        }
    }
}

#[test]
fn loops_are_counted_in_text_order_through_all_kinds_of_blocks() {
    let Some(gpu) = gpu() else { return };
    // Only the loop in the second case is endless, and only it has a budget.
    let body = "if n == 10u { while turns < 5u { turns++; } } else { loop { } }
        switch n {
            case 3u: { while turns < 7u { turns++; } }
            case 10u: { loop { turns++; } }
            default: { }
        }
        { while turns < 9u { turns++; } }";
    let outcome = run(gpu, body, 50, &[true, true, true, false, true]);
    assert!(outcome.fault);
    assert_eq!(outcome.u32s(0), [55; 4]);
}
