//! Kernels of long chains and deep nests, on a small stack: every walk over code is bounded.
//!
//! A chain of values can be as long as a kernel, run through the iterations of a loop, and reach the same
//! value on many paths. Each engine gives the same bits for such kernels, however small the stack of the
//! launching thread is.

use std::time::{Duration, Instant};

use super::{CpuDevice, CpuOptions, Engine, launch_kernel_on};
use crate::analysis::{Analysis, Argument, Arguments};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// The stack of the launching thread. Rust gives a thread 2 MiB or more.
const STACK: usize = 512 << 10;

/// More time than any engine needs for one of these, in a build with all checks, on a busy machine.
const LONG: Duration = Duration::from_secs(120);

/// A kernel with several gangs and workgroup memory; it has an id `l`, an input `src`, and a sum
/// `x`.
fn kernel(size: u32, body: &str) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read> src: array<u32>;
        @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
        var<workgroup> cells: array<u32, {size}>;
        @compute @workgroup_size({size}) fn main(@builtin(local_invocation_index) l: u32) {{
            var x = l;
            {body}
            dst[l] = x + src[l];
        }}"
    )
}

/// Runs a kernel on all engines. Each must give the interpreter's bits.
fn run(size: u32, body: &str) {
    let text = kernel(size, body);
    let name: String = body.chars().take(60).collect();
    let run = || {
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{name}: {e:.300}"));
        let storage = |elements| Argument::Storage { elements, contents: None };
        let bindings = vec![storage(300), storage(u64::from(size))];
        let arguments = Arguments { grid: [1; 3], bindings };
        Analysis::new(&kernel).footprints(&arguments, GroupBox::whole([1; 3]));
        let mut wanted = None;
        for engine in [Engine::Interpreter, Engine::Cranelift, Engine::Llvm] {
            let options = CpuOptions { threads: Some(1), engine, ..CpuOptions::default() };
            // LLVM may be missing.
            let Ok(device) = CpuDevice::new(options) else { continue };
            let mut data = [(0..300).map(|i| i * 7919 % 101).collect(), vec![0; size as usize]];
            let begun = Instant::now();
            launch_kernel_on(&device, &kernel, [1, 1, 1], &mut data, 1 << 20)
                .unwrap_or_else(|error| panic!("{engine}: {name}: {error:.300}"));
            let took = begun.elapsed();
            eprintln!("{engine}: {name:?}: {took:?}");
            assert!(took < LONG, "{engine}: {name}: {took:?}");
            let [_, got] = data;
            let wanted = wanted.get_or_insert_with(|| got.clone());
            assert!(*wanted == got, "{engine}: {name}: {wanted:?} {got:?}");
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

/// Code that places the rest of a kernel behind a barrier.
const MEET: &str = "cells[l] = x; workgroupBarrier(); x += cells[63u - l];";

#[test]
fn a_sum_of_thousands_of_terms_is_no_recursion() {
    run(64, &format!("x = x{};", " + x".repeat(5000)));
    run(64, &format!("{} {MEET}", "x = x + src[x];".repeat(200)));
}

#[test]
fn values_made_of_the_last_one_twice_are_walked_over_once() {
    let doubled = |of: &str, op: &str, ty: &str| -> String {
        let steps = (1..60).map(|i| format!("let {of}{i}: {ty} = {of}{0} {op} {of}{0};", i - 1));
        steps.collect()
    };
    // As an index in a loop, in a guard in the interior, around a barrier, and before the next
    // iteration.
    let indices = doubled("a", "+", "u32");
    run(64, &format!("let a0 = l >> 1u; {indices} x += src[a59] + src[a3]; {MEET}"));
    run(64, &format!("let a0 = l; {indices} if a7 < 9000u {{ x += src[a5]; }} {MEET}"));
    let least: String =
        (1..60).map(|i| format!("let m{i} = min(m{0}, m{0} + 1u);", i - 1)).collect();
    run(64, &format!("let m0 = l >> 1u; {least} x += src[m59]; {MEET}"));
    let conditions = doubled("b", "&", "bool");
    run(64, &format!("let b0 = l < 20u; {conditions} if b59 {{ x = 7u; }} {MEET}"));
    run(
        64,
        &format!(
            "let b0 = l < 20u; {conditions} {MEET} workgroupBarrier(); if b59 {{ cells[l] = 1u; }}"
        ),
    );
    let turns = format!(
        "for (var k = 0u; k < 40u; k++) {{ let a0 = k; {indices} cells[l] = src[a40 + l];
        workgroupBarrier(); x += cells[63u - l]; workgroupBarrier(); }}"
    );
    run(64, &turns);
}

#[test]
fn variables_that_a_loop_copies_to_each_other_are_followed_once() {
    // Each walk of an analysis over the loop reaches one more of them.
    let n = 200;
    let start: String = (0..n).map(|i| format!("var v{i} = l + {i}u;")).collect();
    let up: String = (1..n).map(|i| format!("v{i} = v{};", i - 1)).collect();
    let down: String = (1..n).rev().map(|i| format!("v{i} = v{};", i - 1)).collect();
    for copies in [up, down] {
        let cycle = format!("v0 = v{} + 64u; x += src[v0];", n - 1);
        run(64, &format!("{start} for (var k = 0u; k < 4u; k++) {{ {copies} {cycle} }} {MEET}"));
        let swapped = format!(
            "{start} for (var k = 0u; k < 4u; k++) {{ {copies} {cycle} workgroupBarrier(); }} {MEET}"
        );
        run(64, &swapped);
    }
}

#[test]
fn leaving_early_hundreds_of_times_nests_no_deeper_than_is_allowed() {
    let returns: String =
        (0..300).map(|i| format!("if x == {}u {{ return; }}", 2 * i + 65)).collect();
    run(64, &returns);
    let continues: String =
        (0..300).map(|i| format!("if x == {}u {{ continue; }} x += 1u;", 3 * i)).collect();
    run(64, &format!("for (var k = 0u; k < 3u; k++) {{ {continues} }} {MEET}"));
}

#[test]
fn blocks_as_deep_as_the_front_end_takes_them_are_compiled() {
    // Text must nest less deeply than calls.
    let functions: String = (1..80)
        .map(|i| {
            format!(
                "fn f{i}(x: u32) -> u32 {{ var y = x + 1u;
                if y > {i}u {{ if y != 3u {{ if y > 2u {{ y += f{}(y); }} }} }} return y; }}",
                i - 1
            )
        })
        .collect();
    let text = format!("x = f79(x); {MEET}");
    let body = format!(
        "{text} dst[l] = x + src[l]; }} fn f0(x: u32) -> u32 {{ return x; }} {functions}
        fn rest(l: u32) {{ var x = l;"
    );
    run(64, &body);
}

#[test]
fn loops_in_loops_are_not_walked_over_twice_as_often_each() {
    for meet in ["", "cells[l] = x; workgroupBarrier(); x ^= cells[63u - l]; workgroupBarrier();"] {
        let open: String =
            (0..28).map(|i| format!("var k{i} = src[{i}u]; loop {{ x += {i}u;")).collect();
        let close: String = (0..28)
            .rev()
            .map(|i| format!("continuing {{ k{i} += 200u; break if k{i} > 150u; }} }}"))
            .collect();
        run(64, &format!("{open} {meet} x += 1u; {close} {MEET}"));
    }
}

#[test]
fn hundreds_of_values_that_wait_for_the_end_are_kept() {
    let n = 200;
    let loads: String = (0..n).map(|i| format!("let a{i} = src[l + {i}u] * x;")).collect();
    let sums: String = (0..n).rev().map(|i| format!("x = (x ^ a{i}) + a{};", n - 1 - i)).collect();
    run(64, &format!("{loads} {sums}"));
}

#[test]
fn constants_made_of_constants_are_no_recursion_and_take_no_more_room_than_they_need() {
    let sums: String = (1..3000).map(|i| format!("const c{i} = c{} + 1u;", i - 1)).collect();
    let text = |constants: &str, use_: &str| {
        format!("{use_} {MEET} dst[l] = x + src[l]; }} {constants} fn rest(l: u32) {{ var x = l;")
    };
    run(64, &text(&format!("const c0 = 1u; {sums}"), "x += c2999;"));
    let arrays: String =
        (1..12).map(|i| format!("const a{i} = array(a{0}, a{0});", i - 1)).collect();
    let index = "[l & 1u]".repeat(12);
    run(64, &text(&format!("const a0 = array(1u, 2u); {arrays}"), &format!("x += a11{index};")));
}
