//! Control flow: divergence, loops, switches, early ends.

use super::{device, launch_on, output};
use crate::error::Error;

/// Each text is the body of an entry point of 24 invocations with the index `i`. It must store into `out[i]`
/// what the Rust function returns.
#[test]
fn divergent_control_flow_does_what_each_invocation_alone_would() {
    type Case = (&'static str, fn(u32) -> u32);
    let cases: &[Case] = &[
        (
            "if i % 3u == 0u { out[i] = 1u; } else if i % 3u == 1u { out[i] = 2u; } else { out[i] = 3u; }",
            |i| i % 3 + 1,
        ),
        ("if i > 10u { return; } out[i] = i;", |i| if i > 10 { 0 } else { i }),
        ("var n = 0u; for (var k = 0u; k < i; k++) { n += k; } out[i] = n;", |i| (0..i).sum()),
        (
            "var n = 0u; for (var k = 0u; k < 20u; k++) { if k == i { break; } if k % 2u == 1u { continue; } n += k; } out[i] = n;",
            |i| (0..20).take_while(|&k| k != i).filter(|k| k % 2 == 0).sum(),
        ),
        (
            "var n = 0u; var k = 0u; loop { if k > 30u { break; } n += 1u; continuing { k += 1u + i; break if n > 5u; } } out[i] = n;",
            |i| {
                let (mut n, mut k) = (0, 0);
                loop {
                    if k > 30 {
                        break;
                    }
                    n += 1;
                    k += 1 + i;
                    if n > 5 {
                        break;
                    }
                }
                n
            },
        ),
        (
            "var n = 0u; for (var a = 0u; a < 5u; a++) { for (var b = 0u; b < 5u; b++) { if b == i % 6u { break; } if a == i % 4u { continue; } if a * b > i { out[i] = 99u; return; } n += a * 10u + b; } n += 100u; } out[i] = n;",
            |i| {
                let mut n = 0;
                for a in 0..5 {
                    for b in 0..5 {
                        if b == i % 6 {
                            break;
                        }
                        if a == i % 4 {
                            continue;
                        }
                        if a * b > i {
                            return 99;
                        }
                        n += a * 10 + b;
                    }
                    n += 100;
                }
                n
            },
        ),
        (
            "switch i { case 1u, 2u: { out[i] = 12u; } case 5u: { if i == 5u { break; } out[i] = 1u; } default: { out[i] = 7u; } case 3u: { out[i] = 3u; } }",
            |i| match i {
                1 | 2 => 12,
                5 => 0,
                3 => 3,
                _ => 7,
            },
        ),
        (
            "switch i32(i) - 3 { case -1, default: { out[i] = 7u; return; } case 0: { } case 4: { out[i] = 4u; } } out[i] += 1u;",
            |i| match i {
                3 => 1,
                7 => 5,
                _ => 7,
            },
        ),
        (
            "var n = 0u; for (var k = 0u; k < 10u; k++) { switch (k + i) % 4u { case 0u: { continue; } case 1u: { break; } case 2u: { n += 2u; } default: { if k > 7u { out[i] = n + 1000u; return; } } } n += 100u; } out[i] = n;",
            |i| {
                let mut n = 0;
                for k in 0..10 {
                    match (k + i) % 4 {
                        0 => continue,
                        1 => {}
                        2 => n += 2,
                        _ => {
                            if k > 7 {
                                return n + 1000;
                            }
                        }
                    }
                    n += 100;
                }
                n
            },
        ),
        (
            "var n = i; while n != 1u { if n == 0u { break; } if n % 2u == 0u { n /= 2u; } else { n = 3u * n + 1u; } out[i] += 1u; }",
            |i| {
                let (mut n, mut steps) = (i, 0);
                while n > 1 {
                    n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
                    steps += 1;
                }
                steps
            },
        ),
        ("loop { if i > 3u { out[i] = 5u; return; } break; } out[i] += 2u;", |i| {
            if i > 3 { 5 } else { 2 }
        }),
        (
            "if i < 4u { if i < 2u { return; } out[i] = 1u; } else { loop { loop { break; } out[i] += 1u; if out[i] > i { break; } } } out[i] += 10u;",
            |i| {
                if i < 2 {
                    0
                } else if i < 4 {
                    11
                } else {
                    i + 11
                }
            },
        ),
        ("out[i] = select(1u, 2u, i > 4u && i < 9u || i == 0u);", |i| {
            if i > 4 && i < 9 || i == 0 { 2 } else { 1 }
        }),
    ];
    for (body, wanted) in cases {
        let text = format!(
            "@compute @workgroup_size(24) fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}"
        );
        let wanted: Vec<u32> = (0..24).map(wanted).collect();
        assert_eq!(output(&text, 24), wanted, "{body}");
    }
}

#[test]
fn an_endless_loop_is_an_error_with_its_line() {
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            var k = 0u;
            loop {
                if k == 100u * i { break; }
                k += 7u;
            }
            out[i] = k;
        }";
    let mut data = [vec![0; 4]];
    match launch_on(device(), text, [1, 1, 1], &mut data, 1000) {
        Err(Error::EndlessLoop { budget: 1000, device: None, at }) => {
            assert!(at.contains("5 |"), "{at}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_loop_budget_is_that_of_one_invocation() {
    // Together the four invocations make 4000 iterations; none makes more than 1000.
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            for (var part = 0u; part < 4u; part++) {
                if part == i { var k = 0u; while k < 900u { k++; } out[i] = k; }
            }
        }";
    let mut data = [vec![0; 4]];
    launch_on(device(), text, [1, 1, 1], &mut data, 1000).unwrap();
    assert_eq!(data[0], [900; 4]);
}

#[test]
fn deeply_nested_blocks_do_not_overflow_the_stack() {
    let depth = 60;
    let open = "if i < 100u { loop { ".repeat(depth / 2);
    let close = " break; } }".repeat(depth / 2);
    let text = format!(
        "@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {{
            {open} out[i] = i + 1u; {close}
        }}"
    );
    assert_eq!(output(&text, 4), [1, 2, 3, 4]);
}

#[test]
fn who_left_a_loop_goes_on_when_the_others_return_from_it() {
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @group(0) @binding(1) var<uniform> n: u32;
        @compute @workgroup_size(24)
        fn main(@builtin(local_invocation_index) i: u32) {
            var k = 0u;
            loop {
                if i < k * 5u { break; }
                if k == n { return; }
                k++;
            }
            out[i] = k;
        }";
    let data = [vec![0; 24], vec![3]];
    assert_eq!(super::same_on_all_engines(text, &[32], [1, 1, 1], &data), Ok(()));
    let mut data = data.to_vec();
    super::launch(text, [1, 1, 1], &mut data);
    let wanted: Vec<u32> = (0..24).map(|i| if i < 15 { i / 5 + 1 } else { 0 }).collect();
    assert_eq!(data[0], wanted);
}
