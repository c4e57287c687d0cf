//! The shape of inlined kernels. Every kernel that builds has been validated by naga.

use naga::{Block, Expression, Statement};

use crate::kernel::Kernel;

const ENTRY: &str = "@group(0) @binding(0) var<storage, read_write> out: array<i32>;
    @compute @workgroup_size(1)
    fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        let a = i32(id.x);
        let b = i32(id.y);
        out[id.x] = f(a, b);
    }\n";

/// Builds a kernel, and checks what always holds of a normalised kernel.
fn build(text: &str) -> Kernel {
    let kernel = Kernel::from_wgsl(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    assert!(kernel.module().functions.is_empty());
    assert!(kernel.module().overrides.is_empty());
    let function = &kernel.entry_point().function;
    for (_, expression) in function.expressions.iter() {
        assert!(!matches!(expression, Expression::CallResult(_) | Expression::Override(_)));
    }
    check_block(&function.body);
    kernel
}

fn check_block(block: &Block) {
    for (i, statement) in block.iter().enumerate() {
        match statement {
            Statement::Call { .. } | Statement::Block(_) => panic!("{statement:?} is left"),
            Statement::Return { .. } | Statement::Break | Statement::Continue => {
                assert_eq!(i + 1, block.len(), "something after {statement:?}");
            }
            Statement::If { accept, reject, .. } => {
                check_block(accept);
                check_block(reject);
            }
            Statement::Switch { cases, .. } => cases.iter().for_each(|c| check_block(&c.body)),
            Statement::Loop { body, continuing, .. } => {
                check_block(body);
                check_block(continuing);
            }
            _ => {}
        }
    }
}

fn with_f(f: &str) -> Kernel {
    build(&format!("{ENTRY}{f}"))
}

fn locals(kernel: &Kernel) -> Vec<String> {
    let locals = &kernel.entry_point().function.local_variables;
    locals.iter().map(|(_, l)| l.name.clone().unwrap_or_default()).collect()
}

/// The body as nested words: `if(…|…)`, `loop(…;…)`, `switch(…)`, `store`, `break`…
fn shape(kernel: &Kernel) -> String {
    fn block(b: &Block) -> String {
        let words: Vec<String> = b
            .iter()
            .filter_map(|statement| {
                Some(match statement {
                    Statement::If { accept, reject, .. } => {
                        format!("if({}|{})", block(accept), block(reject))
                    }
                    Statement::Switch { cases, .. } => {
                        let cases: Vec<_> = cases.iter().map(|c| block(&c.body)).collect();
                        format!("switch({})", cases.join("|"))
                    }
                    Statement::Loop { body, continuing, .. } => {
                        format!("loop({};{})", block(body), block(continuing))
                    }
                    Statement::Store { .. } => "store".to_owned(),
                    Statement::Break => "break".to_owned(),
                    Statement::Continue => "continue".to_owned(),
                    Statement::ControlBarrier(_) => "barrier".to_owned(),
                    Statement::Return { .. } => return None,
                    _ => return None,
                })
            })
            .collect();
        words.join(" ")
    }
    block(&kernel.entry_point().function.body)
}

#[test]
fn a_straight_line_callee_leaves_no_trace() {
    let kernel = with_f("fn f(a: i32, b: i32) -> i32 { let c = a * b; { return c + 1; } }");
    assert_eq!(shape(&kernel), "store");
    assert!(locals(&kernel).is_empty());
}

#[test]
fn a_guard_clause_puts_the_rest_into_the_other_branch() {
    let kernel = with_f("fn f(a: i32, b: i32) -> i32 { if a < b { return 1; } return b; }");
    assert_eq!(shape(&kernel), "if(store|store) store");
    assert_eq!(locals(&kernel), ["f_result"]);
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            if a < b { return 1; } else if a == 3 { return 2; }
            let c = a + b;
            if c > 4 { } else { return 5; }
            return c;
        }",
    );
    assert_eq!(shape(&kernel), "if(store|if(store|if(store|store))) store");
    assert_eq!(locals(&kernel), ["f_result"]);
}

#[test]
fn a_branch_that_may_return_sets_a_flag() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            var c = a;
            if a < b { if a == 1 { return 7; } c = b; }
            c += 1;
            return c;
        }",
    );
    // c = a; if a < b { if a == 1 { result, returned } else { c = b } } if returned {} else {…}
    assert_eq!(shape(&kernel), "store if(if(store store|store)|) if(|store store) store");
    assert_eq!(locals(&kernel), ["c", "f_result", "returned"]);
}

#[test]
fn a_return_in_a_loop_breaks_and_the_rest_is_guarded() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            for (var i = 0; i < a; i++) { if i == b { return i; } }
            return -1;
        }",
    );
    assert_eq!(shape(&kernel), "loop(if(|break) if(store store break|);store) if(|store) store");
}

#[test]
fn a_return_in_a_loop_that_ends_the_callee_needs_no_flag() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            var i = 0;
            loop { if i * i > a { return i; } i += b; }
        }",
    );
    assert_eq!(shape(&kernel), "loop(if(store break|) store;) store");
    assert_eq!(locals(&kernel), ["i", "f_result"]);
}

#[test]
fn a_return_in_nested_loops_breaks_out_of_each() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            for (var i = 0; i < a; i++) {
                for (var j = 0; j < b; j++) { if i * j == 6 { return i; } }
                if i == 9 { continue; }
            }
            return -1;
        }",
    );
    let shape = shape(&kernel);
    assert!(shape.contains("if(store store break|);store) if(break|) if(continue|)"), "{shape}");
    assert!(shape.ends_with("if(|store) store"), "{shape}");
}

#[test]
fn a_switch_in_a_loop_returns_through_both() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            var n = a;
            loop {
                switch n {
                    case 0: { return 1; }
                    case 1, 2: { n += b; continue; }
                    default: { if n > 100 { return n; } break; }
                }
                n *= 2;
                continuing { n += 1; break if n > 1000; }
            }
            return n;
        }",
    );
    let shape = shape(&kernel);
    assert!(
        shape.contains(
            "loop(switch(store store break||store continue|if(store store break|) break) \
             if(break|) store;store) if(|store) store"
        ),
        "{shape}"
    );
}

#[test]
fn a_switch_that_always_returns_needs_no_flag() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            switch a { case 1: { return 5; } case 2, 3: { return 6; } default: { return b; } }
        }",
    );
    assert_eq!(shape(&kernel), "switch(store break||store break|store break) store");
    assert_eq!(locals(&kernel), ["f_result"]);
}

#[test]
fn a_switch_that_always_returns_inside_a_loop_leaves_the_loop() {
    let kernel = with_f(
        "fn f(a: i32, b: i32) -> i32 {
            loop { switch a { case 1: { return 5; } default: { return b; } } }
        }",
    );
    assert_eq!(shape(&kernel), "loop(switch(store break|store break) break;) store");
}

#[test]
fn locals_of_a_callee_start_anew_at_each_call_in_a_loop() {
    let f = "fn g(a: i32) -> i32 { var s: i32; var t = 3; s += a; return s + t; }";
    let once =
        with_f(&format!("{f} fn f(a: i32, b: i32) -> i32 {{ let x = g(a); return x + g(b); }}"));
    assert_eq!(shape(&once), "store store store");
    assert_eq!(locals(&once), ["s", "t", "s", "t"]);
    let looped = with_f(&format!(
        "{f} fn f(a: i32, b: i32) -> i32 {{
            var sum = 0;
            for (var i = 0; i < a; i++) {{ sum += g(i); }}
            return sum;
        }}"
    ));
    // In the loop: s = 0; t = 3; s += a; sum += …
    assert!(shape(&looped).contains("loop(if(|break) store store store store;store)"));
}

#[test]
fn pointer_arguments_become_the_callers_pointer() {
    let kernel = build(
        "struct S { x: i32, v: array<i32, 4> }
        var<private> shared_state: S;
        @group(0) @binding(0) var<storage, read_write> out: array<i32>;
        fn bump(p: ptr<function, i32>, by: i32) { *p += by; }
        fn fill(p: ptr<function, array<i32, 4>>, n: i32) {
            for (var i = 0; i < 4; i++) { let q = &(*p)[i]; bump(q, n); }
        }
        fn touch(p: ptr<private, S>) { (*p).x += 1; poke(&(*p).v); }
        fn poke(p: ptr<private, array<i32, 4>>) { (*p)[2] = 7; }
        @compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var s: S;
            var lone = 3;
            fill(&s.v, 2);
            bump(&s.x, 5);
            bump(&s.v[id.x], 6);
            bump(&lone, 1);
            touch(&shared_state);
            out[id.x] = s.x + s.v[id.y] + lone + shared_state.v[2];
        }",
    );
    for (_, expression) in kernel.entry_point().function.expressions.iter() {
        assert!(!matches!(expression, Expression::FunctionArgument(1..)));
    }
}

#[test]
fn an_argument_that_becomes_a_constant_stays_a_run_time_value() {
    build(
        "@group(0) @binding(0) var<storage, read_write> out: array<i32>;
        fn take(a: array<i32, 3>, i: u32) -> i32 { var b = a; return b[i]; }
        fn shl(a: i32, n: u32) -> i32 { return a << n; }
        fn div(a: vec2<i32>, b: i32) -> vec2<i32> { return a / b; }
        fn pick(v: vec4<i32>, i: i32) -> i32 { return v[i]; }
        fn zero() -> i32 { return 0; }
        @compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let n = i32(id.x);
            out[0] = take(array(1, 2, 3), 5u);
            out[1] = shl(n, 40u) + pick(vec4(n), -1);
            out[2] = div(vec2(n), 0).x + n % zero();
        }",
    );
}

#[test]
fn a_chain_of_calls_collapses_and_a_doubling_chain_shares_its_callees() {
    let mut chain = "fn f0(a: i32) -> i32 { return a + 1; }\n".to_owned();
    for i in 1..200 {
        chain += &format!("fn f{i}(a: i32) -> i32 {{ return f{}(a) + 1; }}\n", i - 1);
    }
    let kernel = with_f(&format!("{chain} fn f(a: i32, b: i32) -> i32 {{ return f199(a) + b; }}"));
    assert_eq!(shape(&kernel), "store");

    let doubling = |first: &str| {
        let mut text = format!("fn f0(a: i32) -> i32 {{ {first} return a + 1; }}\n");
        for i in 1..40 {
            let j = i - 1;
            text += &format!("fn f{i}(a: i32) -> i32 {{ return f{j}(a) + f{j}(a + 1); }}\n");
        }
        format!("{text} fn f(a: i32, b: i32) -> i32 {{ return f39(a); }}")
    };
    let kernel = with_f(&doubling(""));
    assert!(kernel.entry_point().function.expressions.len() < 2000);
    // Each copy of a barrier stays one.
    let text = format!("{ENTRY}{}", doubling("workgroupBarrier();"));
    let error = Kernel::from_wgsl(&text).unwrap_err().to_string();
    assert!(error.contains("400000 inlined operations"), "{error}");
    assert!(error.contains("fn f1(a: i32)") || error.contains("return f"), "{error}");
}

#[test]
fn barriers_in_callees_are_kept_in_order() {
    let kernel = build(
        "var<workgroup> tile: array<i32, 64>;
        @group(0) @binding(0) var<storage, read_write> out: array<i32>;
        fn sync_put(i: u32, v: i32) -> i32 {
            tile[i] = v;
            workgroupBarrier();
            let r = tile[63u - i];
            workgroupBarrier();
            return r;
        }
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) i: u32) {
            var x = i32(i);
            for (var k = 0; k < 3; k++) { x = sync_put(i, x + k); }
            out[i] = x;
        }",
    );
    let shape = shape(&kernel);
    assert!(shape.contains("store barrier barrier store"), "{shape}");
}

#[test]
fn the_entry_points_own_returns_stay() {
    let kernel = build(
        "@group(0) @binding(0) var<storage, read_write> out: array<i32>;
        @compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x > 4 { return; }
            for (var i = 0; i < 4; i++) { if i == 2 { return; } out[i] = i; }
        }",
    );
    assert!(locals(&kernel) == ["i"]);
}

#[test]
fn void_callees_with_early_returns_and_results_that_nobody_uses() {
    build(
        "@group(0) @binding(0) var<storage, read_write> out: array<i32>;
        fn v(i: i32) { if i > 3 { return; } out[i] = 1; if i == 2 { return; } out[i + 1] = 2; }
        fn w(i: i32) -> i32 { if i > 3 { return 1; } return 2; }
        fn e() {}
        @compute @workgroup_size(1)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            v(i32(id.x)); e(); _ = w(3); w(i32(id.y));
            loop { v(1); if out[0] > 3 { break; } continuing { v(2); break if out[3] == 1; } }
        }",
    );
}
