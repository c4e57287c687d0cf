//! Refused input: the error has the right variant, the name of the thing and a remedy, and buffers
//! stay unchanged.

use coexec::{Buffer, Error, Kernel, Runtime};

use super::{affine, engines, increment};

const HEAD: &str = "@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
@compute @workgroup_size(1)
";

fn refused(wgsl: &str) -> Error {
    match Kernel::from_wgsl(wgsl) {
        Ok(_) => panic!("accepted:\n{wgsl}"),
        Err(error) => error,
    }
}

#[track_caller]
fn says(error: &Error, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}

/// Runs a launch that must be refused, and checks that its output buffer is unchanged.
#[track_caller]
fn launch_refused(launch: coexec::Launch, watched: &Buffer<u32>) -> Error {
    let before = watched.to_vec().expect("readable before");
    let error = match launch.clone().run() {
        Ok(report) => panic!("it ran:\n{report}"),
        Err(error) => error,
    };
    assert_eq!(watched.to_vec().expect("readable afterwards"), before, "it changed something");
    let again = launch.submit().err().map(|e| e.to_string());
    assert_eq!(again, Some(error.to_string()), "submit refuses as run does");
    error
}

#[test]
fn a_syntax_error_shows_its_line_with_a_caret() {
    let error = refused(&format!("{HEAD}fn main() {{ dst[0] = ; }}"));
    says(&error, &["dst[0] = ;", "^"]);
    assert!(matches!(error, Error::Wgsl { line: Some(3), .. }), "{error:?}");
}

#[test]
fn a_type_error_shows_its_line() {
    let error = refused(&format!("{HEAD}fn main() {{\n  let n: u32 = 1.5;\n}}"));
    says(&error, &["let n: u32 = 1.5;"]);
    assert!(matches!(error, Error::Wgsl { line: Some(4), .. }), "{error:?}");
}

#[test]
fn a_validation_error_shows_its_line() {
    let error = refused(&format!(
        "{HEAD}fn main() {{\n  dst[0] = f(dst[0]);\n}}\nfn f(x: f32) -> f32 {{ if x > 1.0 {{ return 2.0; }} }}"
    ));
    assert!(matches!(error, Error::Wgsl { line: Some(_), .. }), "{error:?}");
}

#[test]
fn empty_text_and_text_that_is_no_wgsl_are_errors() {
    assert!(matches!(refused(""), Error::EntryPoint { .. }));
    assert!(matches!(refused("#version 450\nvoid main() {}"), Error::Wgsl { .. }));
    assert!(matches!(refused("\u{0}\u{fffd}\u{1f600}"), Error::Wgsl { .. }));
}

#[test]
fn a_vertex_shader_is_no_kernel() {
    let error =
        refused("@vertex fn main() -> @builtin(position) vec4<f32> { return vec4<f32>(); }");
    assert!(matches!(error, Error::EntryPoint { .. }), "{error:?}");
}

#[test]
fn an_unknown_entry_point_is_named_with_those_that_exist() {
    let error = Kernel::builder(&format!("{HEAD}fn first() {{ dst[0] = 1.0; }}"))
        .entry_point("second")
        .build()
        .expect_err("no such entry point");
    assert!(matches!(error, Error::EntryPoint { .. }), "{error:?}");
    says(&error, &["second", "first"]);
}

#[test]
fn override_constants_are_checked() {
    let wgsl = format!("override size: u32;\n{HEAD}fn main() {{ dst[size] = 1.0; }}");
    let missing = refused(&wgsl);
    assert!(matches!(missing, Error::Constant { .. }), "{missing:?}");
    says(&missing, &["size"]);
    let unknown = Kernel::builder(&wgsl)
        .constant("size", 1.0)
        .constant("sise", 2.0)
        .build()
        .expect_err("no such constant");
    assert!(matches!(unknown, Error::Constant { .. }), "{unknown:?}");
    says(&unknown, &["sise", "size"]);
    for bad in [-1.0, 4_294_967_296.0, f64::NAN, f64::INFINITY] {
        let error = Kernel::builder(&wgsl).constant("size", bad).build().expect_err("no u32");
        assert!(matches!(error, Error::Constant { .. } | Error::Wgsl { .. }), "{bad}: {error:?}");
        says(&error, &["size"]);
    }
}

#[test]
fn what_is_not_supported_is_called_so_with_its_line() {
    let texture = refused(
        "@group(0) @binding(0) var image: texture_2d<f32>;
         @group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;
         @compute @workgroup_size(1)
         fn main() { dst[0] = textureLoad(image, vec2(0, 0), 0); }",
    );
    assert!(matches!(texture, Error::Unsupported { .. }), "{texture:?}");
    says(&texture, &["var image: texture_2d<f32>"]);
    let wide = refused(&format!(
        "{HEAD}fn main() {{ var wide: u64 = 1lu; wide *= wide; dst[0] = f32(wide); }}"
    ));
    assert!(matches!(wide, Error::Unsupported { .. } | Error::Wgsl { .. }), "{wide:?}");
}

#[test]
fn a_missing_binding_is_named_with_the_remedy() {
    let dst = Buffer::from_slice(&[5u32; 4]);
    let launch = engines::runtime("cpu").launch(&affine()).bind("dst", &dst);
    let error = launch_refused(launch.workgroups([1, 1, 1]), &dst);
    assert!(matches!(&error, Error::Binding { name, .. } if name == "src"), "{error:?}");
    says(&error, &["src", "bind"]);
}

#[test]
fn a_binding_that_does_not_exist_is_named_with_those_that_do() {
    let dst = Buffer::from_slice(&[5u32; 4]);
    let launch = engines::runtime("cpu").launch(&affine()).bind("dst", &dst).bind("sorce", &dst);
    let error = launch_refused(launch.workgroups([1, 1, 1]), &dst);
    assert!(matches!(&error, Error::Binding { name, .. } if name == "sorce"), "{error:?}");
    says(&error, &["`src`", "`dst`"]);
}

#[test]
fn a_binding_given_twice_is_refused() {
    let (a, b) = (Buffer::from_slice(&[1u32; 4]), Buffer::from_slice(&[2u32; 4]));
    let launch = engines::runtime("cpu").launch(&increment()).bind("data", &a).bind("0:0", &b);
    let error = launch_refused(launch.workgroups([1, 1, 1]), &a);
    assert!(matches!(error, Error::Binding { .. }), "{error:?}");
    says(&error, &["twice"]);
}

#[test]
fn elements_of_the_wrong_size_are_refused_with_both_sizes() {
    let runtime = engines::runtime("cpu");
    let dst = Buffer::from_slice(&[5u32; 4]);
    let short = Buffer::from_slice(&[1u16; 8]);
    let launch = runtime.launch(&affine()).bind("dst", &dst).bind("src", &short);
    let error = launch_refused(launch.workgroups([1, 1, 1]), &dst);
    assert!(matches!(&error, Error::Binding { name, .. } if name == "src"), "{error:?}");
    says(&error, &["u16", "2", "4"]);
    // A vec3 takes 16 bytes in an array, and three floats take 12.
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> v: array<vec3<f32>>;
         @compute @workgroup_size(1) fn main() { v[0] = vec3(1.0); }",
    )
    .expect("valid WGSL");
    let packed = Buffer::from_slice(&[[0f32; 3]; 8]);
    let error = runtime
        .launch(&kernel)
        .bind("v", &packed)
        .workgroups([1, 1, 1])
        .run()
        .expect_err("12 bytes are not 16");
    assert!(matches!(error, Error::Binding { .. }), "{error:?}");
    says(&error, &["vec3<f32>", "16", "12"]);
    let floats = Buffer::from_slice(&[0f32; 32]);
    let error = runtime
        .launch(&kernel)
        .bind("v", &floats)
        .workgroups([1, 1, 1])
        .run()
        .expect_err("an element with padding is not made of scalars");
    assert!(matches!(error, Error::Binding { .. }), "{error:?}");
}

#[test]
fn a_buffer_that_is_too_small_is_refused_with_both_sizes() {
    let runtime = engines::runtime("cpu");
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> dst: array<u32, 8>;
         @compute @workgroup_size(1) fn main() { dst[0] = 1u; }",
    )
    .expect("valid WGSL");
    let dst = Buffer::from_slice(&[5u32; 7]);
    let launch = runtime.launch(&kernel).bind("dst", &dst).workgroups([1, 1, 1]);
    let error = launch_refused(launch, &dst);
    assert!(matches!(&error, Error::Binding { name, .. } if name == "dst"), "{error:?}");
    says(&error, &["32", "28"]);
    // A runtime-sized array has at least one element.
    let none = Buffer::<u32>::zeroed(0);
    let launch = runtime.launch(&increment()).bind("data", &none).workgroups([1, 1, 1]);
    assert!(matches!(launch_refused(launch, &none), Error::Binding { .. }));
}

#[test]
fn uniforms_and_buffers_are_not_mixed_up_and_values_have_the_right_size() {
    let runtime = engines::runtime("cpu");
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<uniform> factor: vec2<u32>;
         @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(1) fn main() { dst[0] = factor.x; }",
    )
    .expect("valid WGSL");
    let dst = Buffer::from_slice(&[5u32; 4]);
    let launch = || runtime.launch(&kernel).workgroups([1, 1, 1]);
    let error = launch_refused(launch().bind("factor", &dst), &dst);
    says(&error, &["factor", "uniform", "set"]);
    let error = launch_refused(launch().set("dst", &1u32).set("factor", &[1u32, 2]), &dst);
    says(&error, &["dst", "bind"]);
    let error = launch_refused(launch().bind("dst", &dst), &dst);
    says(&error, &["factor", "set"]);
    let bound = || launch().bind("dst", &dst);
    for (launch, bytes) in [
        (bound().set_bytes("factor", []), "0"),
        (bound().set_bytes("factor", [0; 4]), "4"),
        (bound().set("factor", &1u32), "4"),
        (bound().set("factor", &[1u32, 2, 3]), "12"),
        (bound().set("factor", &[0u8; 100]), "100"),
    ] {
        let error = launch_refused(launch, &dst);
        assert!(matches!(&error, Error::Binding { name, .. } if name == "factor"), "{error:?}");
        says(&error, &["8", bytes]);
    }
}

#[test]
fn numbers_of_another_type_than_the_uniform_s_are_refused() {
    let kernel = Kernel::from_wgsl(
        "struct P { at: vec2<f32>, scale: f32 }
         @group(0) @binding(0) var<uniform> k: f32;
         @group(0) @binding(1) var<uniform> n: vec2<u32>;
         @group(0) @binding(2) var<uniform> m: mat4x2<f32>;
         @group(0) @binding(3) var<uniform> p: P;
         @group(0) @binding(4) var<storage, read_write> dst: array<f32>;
         @compute @workgroup_size(1)
         fn main() { dst[0] = k + f32(n.x + n.y) + m[3].x + p.at.y * p.scale; }",
    )
    .expect("valid WGSL");
    let runtime = engines::runtime("cpu");
    let dst = Buffer::from_slice(&[5f32; 4]);
    let launch = || runtime.launch(&kernel).bind("dst", &dst).workgroups([1, 1, 1]);
    let columns = [[0f32, 0.0], [0.0, 0.0], [0.0, 0.0], [8.0, 0.0]];
    for (launch, name, parts) in [
        (launch().set("k", &1), "k", ["i32", "use f32"]),
        (launch().set("0:0", &1u32), "k", ["u32", "use f32"]),
        (launch().set("n", &[1f32, 2.0]), "n", ["[f32; 2]", "use [u32; 2]"]),
        (launch().set("m", &[[0f32; 4]; 2]), "m", ["[[f32; 4]; 2]", "use [[f32; 2]; 4]"]),
        (launch().set("p", &[1i32, 2, 3]), "p", ["[i32; 3]", "offset   8,   4 bytes: scale: f32"]),
    ] {
        let error = launch.run().expect_err("another type");
        assert!(matches!(&error, Error::Binding { name: n, .. } if n == name), "{error:?}");
        says(&error, &parts);
    }
    assert_eq!(dst.to_vec().expect("as before"), [5.0; 4]);
    let launch = launch().set("k", &1f32).set("n", &[2i32, 3]).set("m", &columns);
    launch.set("p", &[0f32, 4.0, 4.0]).run().expect("the types of the uniforms");
    assert_eq!(dst.to_vec().expect("a result"), [30.0, 5.0, 5.0, 5.0]);
}

#[test]
fn elements_of_another_kind_than_the_buffer_s_are_refused() {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> v: array<vec4<u32>>;
         @compute @workgroup_size(1) fn main() { v[0] = vec4(1u); }",
    )
    .expect("valid WGSL");
    let floats = Buffer::from_slice(&[[0f32; 4]; 2]);
    let launch = engines::runtime("cpu").launch(&kernel).bind("v", &floats);
    let error = launch.workgroups([1, 1, 1]).run().expect_err("floats are no integers");
    says(&error, &["[f32; 4]", "vec4<u32>", "use [u32; 4], or a buffer of u32"]);
}

#[test]
fn an_engine_that_does_not_exist_is_named_with_those_that_do() {
    let error = "gcc".parse::<coexec::Engine>().expect_err("no such engine");
    assert!(matches!(error, Error::NoSuchEngine { .. }), "{error:?}");
    says(&error, &["`gcc`", "auto, llvm, cranelift and interpreter"]);
}

#[test]
fn what_no_device_of_a_runtime_runs_is_told_when_it_is_prepared() {
    let kernel = Kernel::from_wgsl(
        "var<workgroup> all: array<u32, 4>;
         @group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(1024, 128)
         fn main(@builtin(local_invocation_index) l: u32) { all[l % 4u] = l; data[l] = all[0]; }",
    )
    .expect("valid WGSL");
    let error = engines::runtime("cpu").prepare(&kernel).expect_err("131072 invocations");
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    says(&error, &["1024, 128", "65536"]);
    let error = engines::runtime("virtual:2:cpu").prepare(&kernel).expect_err("on none");
    assert!(matches!(error, Error::NoDevice { .. }), "{error:?}");
    says(&error, &["cpu.0: ", "cpu.1: "]);
    let builder = Runtime::builder().devices("virtual:2:cpu").inject("cpu.0:reject@1+");
    let prepared = builder.build().expect("a runtime").prepare(&increment()).expect("one can");
    let [bad, good] = &prepared[..] else { panic!("two devices: {prepared:?}") };
    assert!(matches!(bad.error, Some(Error::Device { .. })) && bad.engine.is_none(), "{bad:?}");
    assert!(good.error.is_none() && good.engine.is_some(), "{good:?}");
}

#[test]
fn grids_that_are_missing_or_too_large_are_refused() {
    let runtime = engines::runtime("cpu");
    let data = Buffer::from_slice(&[5u32; 4]);
    let launch = || runtime.launch(&increment()).bind("data", &data);
    let error = launch_refused(launch(), &data);
    assert!(matches!(error, Error::Grid(_)), "{error:?}");
    says(&error, &["workgroups", "invocations"]);
    for grid in [[1 << 32, 1, 1], [1, 1 << 33, 1], [1, 1, u64::MAX], [1 << 29 | 1, 1, 1]] {
        let error = launch_refused(launch().workgroups(grid), &data);
        assert!(matches!(error, Error::Grid(_)), "{grid:?}: {error:?}");
    }
    for grid in [[(1 << 32) + 1, 1, 1], [1, 1, u64::MAX]] {
        let error = launch_refused(launch().invocations(grid), &data);
        assert!(matches!(error, Error::Grid(_)), "{grid:?}: {error:?}");
        says(&error, &["2^32"]);
    }
}

#[test]
fn more_elements_than_an_index_reaches_are_refused() {
    let runtime = engines::runtime("cpu");
    let bytes = (4u64 * ((1 << 32) + 5)) as usize;
    // The pages cost nothing until they are touched. A host that refuses such a range is an error.
    let huge = Buffer::<u8>::zeroed(bytes);
    let launch = runtime.launch(&increment()).bind("data", &huge).workgroups([1, 1, 1]);
    let error = launch.run().expect_err("2^32 + 5 elements");
    match &error {
        Error::Poisoned { .. } => says(&error, &["memory"]),
        Error::Binding { name, .. } => {
            assert_eq!(name, "data");
            says(&error, &["4294967301", "2^32 - 1"]);
        }
        _ => panic!("{error:?}"),
    }
}

#[test]
fn one_buffer_bound_twice_is_refused_when_it_is_written() {
    let runtime = engines::runtime("cpu");
    let data = Buffer::from_slice(&[5u32; 16]);
    let launch = runtime.launch(&affine()).bind("src", &data).bind("dst", &data);
    let error = launch_refused(launch.workgroups([1, 1, 1]), &data);
    assert!(matches!(error, Error::Binding { .. }), "{error:?}");
    says(&error, &["src", "dst"]);
    let (a, b) = (data.slice(0..8).expect("inside"), data.slice(7..16).expect("inside"));
    let launch = runtime.launch(&affine()).bind("src", &a).bind("dst", &b);
    assert!(matches!(launch_refused(launch.workgroups([1, 1, 1]), &data), Error::Binding { .. }));
}

#[test]
fn one_buffer_bound_twice_is_fine_when_it_is_read() {
    let runtime = engines::runtime("cpu");
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> a: array<u32>;
         @group(0) @binding(1) var<storage, read> b: array<u32>;
         @group(0) @binding(2) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(1) fn main() { dst[0] = a[0] + b[1]; }",
    )
    .expect("valid WGSL");
    let data = Buffer::from_slice(&[5u32, 6]);
    let dst = Buffer::<u32>::zeroed(1);
    let launch = runtime.launch(&kernel).bind("a", &data).bind("b", &data).bind("dst", &dst);
    launch.workgroups([1, 1, 1]).run().expect("a launch");
    assert_eq!(dst.to_vec().expect("a result"), [11]);
}

#[test]
fn devices_that_do_not_exist_are_named() {
    for name in
        ["tpu", "gpu99", "virtual:0", "virtual:x", "", "cpu,cpu", "cpu,gpu99", "virtual:2:tpu"]
    {
        let error = Runtime::builder().devices(name).build().expect_err(name);
        assert!(matches!(error, Error::NoSuchDevice { .. }), "{name}: {error:?}");
        let wrong = name.rsplit([',', ':']).next().expect("a last part");
        says(&error, &[wrong]);
    }
}

#[test]
fn malformed_fault_rules_are_told_from_rules_about_devices_that_do_not_exist() {
    let build = |faults: &str| {
        Runtime::builder().devices("cpu").inject(faults).build().expect_err("a wrong rule")
    };
    for faults in ["cpu:broken@1", "cpu", "cpu:oom@1, cpu:lost%101"] {
        let error = build(faults);
        let wrong = faults.rsplit(", ").next().expect("a last rule");
        let expected = format!("`{wrong}`");
        assert!(
            matches!(&error, Error::InvalidFaultRule { rule, .. } if *rule == expected),
            "{error:?}"
        );
        says(&error, &[wrong, "such as gpu0:lost@3", "lost-late"]);
    }
    let error = build("abacus:lost@1");
    assert!(matches!(error, Error::NoSuchDevice { .. }), "{error:?}");
    says(&error, &["`abacus`", "a fault rule names it; the devices are cpu"]);
}

#[test]
fn ranges_outside_a_buffer_are_refused() {
    let buffer = Buffer::from_slice(&[1u16, 2, 3, 4]);
    for error in [
        buffer.read(2..5).expect_err("past the end"),
        buffer.write(3, &[1, 2]).expect_err("past the end"),
        buffer.slice(5..5).map(drop).expect_err("past the end"),
        buffer.write(usize::MAX, &[1]).expect_err("far past the end"),
    ] {
        assert!(matches!(error, Error::Range(_)), "{error:?}");
        says(&error, &["4"]);
    }
    #[expect(clippy::reversed_empty_ranges, reason = "this is what is refused")]
    let backwards = buffer.read(3..2);
    assert!(matches!(backwards, Err(Error::Range(_))), "{backwards:?}");
    let odd = buffer.slice(1..3).map(drop).expect_err("not at a multiple of 4 bytes");
    says(&odd, &["4 bytes"]);
    assert_eq!(buffer.to_vec().expect("as before"), [1, 2, 3, 4]);
}

/// A kernel that writes and never ends.
fn endless() -> Kernel {
    Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(1)
         fn endless(@builtin(global_invocation_id) id: vec3<u32>) {
             data[id.x] = 1u;
             var n = data[0];
             while n != 0u { n = n + 2u; }
             data[id.x] = n;
         }",
    )
    .expect("valid WGSL")
}

#[test]
fn a_loop_without_end_is_stopped_and_its_buffers_are_poisoned_until_written() {
    let mut selections = vec!["cpu".to_owned()];
    selections.extend(engines::gpu_ids());
    for selection in selections {
        let runtime = engines::runtime(&selection);
        let data = Buffer::from_slice(&[5u32; 4]);
        let launch = || runtime.launch(&endless()).bind("data", &data).loop_budget(10_000);
        let error = launch().workgroups([1, 1, 1]).run().expect_err("no end");
        assert!(matches!(error, Error::EndlessLoop { .. }), "{selection}: {error:?}");
        says(&error, &["10000"]);

        let error = data.to_vec().expect_err("poisoned");
        assert!(matches!(error, Error::Poisoned { .. }), "{selection}: {error:?}");
        says(&error, &["data", "loop"]);
        let launch = runtime.launch(&increment()).bind("data", &data).workgroups([1, 1, 1]);
        let reading = launch.run().expect_err("a kernel would read it");
        assert!(matches!(reading, Error::Poisoned { .. }), "{selection}: {reading:?}");
        assert!(matches!(data.write(0, &[1]), Err(Error::Poisoned { .. })), "a part heals nothing");

        data.write(0, &[7; 4]).expect("all of it heals");
        assert_eq!(data.to_vec().expect("healed"), [7; 4], "{selection}");
        let launch = runtime.launch(&increment()).bind("data", &data).workgroups([1, 1, 1]);
        launch.run().expect("the device still works");
        assert_eq!(data.to_vec().expect("a result"), [8; 4], "{selection}");
    }
}

#[test]
fn a_loop_without_end_is_the_same_error_where_the_driver_ends_it_first() {
    for id in engines::gpu_ids() {
        for selection in [id.clone(), format!("virtual:2:{id}")] {
            let data = Buffer::from_slice(&[5u32; 4]);
            let launch = engines::runtime(&selection).launch(&endless()).bind("data", &data);
            let error = launch.workgroups([1, 1, 1]).run().expect_err("no end");
            let Error::EndlessLoop { budget, device, .. } = &error else {
                panic!("{selection}: {error:?}")
            };
            match device {
                Some(device) => says(&error, &[device, "65535", "another device"]),
                None => assert_eq!(*budget, 1 << 26),
            }
        }
    }
}

#[test]
fn a_workgroup_larger_than_a_device_takes_is_refused_there_with_the_numbers() {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(256, 256)
         fn main(@builtin(local_invocation_index) l: u32) { data[l] = l; }",
    );
    let Ok(kernel) = kernel else {
        let error = kernel.expect_err("checked");
        return says(&error, &["workgroup"]);
    };
    for id in engines::gpu_ids() {
        let data = Buffer::<u32>::zeroed(4);
        let launch = engines::runtime(&id).launch(&kernel).bind("data", &data);
        let error = launch.workgroups([1, 1, 1]).run().expect_err("65536 invocations");
        assert!(matches!(error, Error::NoDevice { .. }), "{error:?}");
        says(&error, &[&id, "65536"]);
    }
}
