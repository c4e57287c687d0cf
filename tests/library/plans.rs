//! The texts of the plans of the library's kernels, word for word. The words may change; the numbers
//! follow from the kernels and the grids, and were worked out by hand.

use coexec::{Buffer, Kernel, Launch, Plan, Value};

use super::engines;

/// The plan of a kernel of the library in four chunks over two logical devices.
fn plan(name: &str, describe: impl FnOnce(Launch) -> Launch) -> String {
    let entry = coexec::ops::library().iter().find(|k| k.name == name).expect("in the library");
    let kernel = Kernel::from_wgsl(entry.text).expect("valid WGSL");
    let runtime = engines::runtime("virtual:2:cpu");
    let plan: Plan = describe(runtime.launch(&kernel)).chunks(4).plan().expect("a plan");
    // The names of the devices depend on the machine.
    let lines: Vec<String> = plan
        .to_string()
        .lines()
        .filter(|line| !line.starts_with("cpu."))
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

fn floats(count: usize) -> Buffer<f32> {
    Buffer::zeroed(count)
}

fn int(n: u32) -> Value {
    n.into()
}

#[test]
fn a_band_of_the_stencil_reads_one_more_row_on_each_side() {
    // The grid is 100 wide and 64 high. A band is 4 workgroups of 4 rows.
    let text = plan("stencil5", |launch| {
        launch
            .bind("src", &floats(6400))
            .bind("dst", &floats(6400))
            .set_field("grid.width", int(100))
            .set_field("grid.height", int(64))
            .set_field("grid.alpha", 0.2)
            .invocations([100, 64, 1])
    });
    assert_eq!(
        text,
        "`stencil5` over 2 × 16 × 1 workgroups of 64 × 4 × 1 invocations.\n\
         It is cut along y into 4 bands of about 4 workgroups (16 invocations along y); devices \
         take runs of bands. A band in the middle (y = 8 to 11):\n\
         \x20 `src`, 6400 × f32 (4 B each): reads its own 16 rows of 100 and 1 more row of 100 on \
         each side (3100 to 4899).\n\
         \x20 `dst`, 6400 × f32 (4 B each): writes its own 16 rows of 100 (3200 to 4799), every \
         one of them, so nothing is uploaded.\n\
         Chunks write disjoint elements, which are copied back as ranges."
    );
}

#[test]
fn a_band_of_a_product_needs_its_rows_of_a_and_all_of_b() {
    // C is 256 by 128, A 256 by 32; a workgroup computes 64 by 64 of C.
    let text = plan("matmul", |launch| {
        launch
            .bind("a", &floats(256 * 32))
            .bind("b", &floats(32 * 128))
            .bind("c", &floats(256 * 128))
            .set_field("dims.m", int(256))
            .set_field("dims.n", int(128))
            .set_field("dims.k", int(32))
            .workgroups([2, 4, 1])
    });
    assert!(
        text.contains("`a`, 8192 × f32 (4 B each): reads its own 2048 elements (4096 to 6143)")
    );
    assert!(text.contains("`b`, 4096 × f32 (4 B each): reads all of it"), "{text}");
    assert!(
        text.contains("`c`, 32768 × f32 (4 B each): writes its own 8192 elements (16384 to 24575)"),
        "{text}"
    );
}

#[test]
fn saxpy_in_place_reads_and_writes_its_own_elements() {
    let text = plan("saxpy", |launch| {
        launch
            .bind("x", &floats(1000))
            .bind("y", &floats(1000))
            .set_field("params.a", 2.0)
            .set_field("params.n", int(1000))
            .invocations([1000, 1, 1])
    });
    // Bands of one workgroup of 256.
    assert!(text.contains("It is cut along x into 4 bands"), "{text}");
    assert!(text.contains("`x`, 1000 × f32 (4 B each): reads its own 256 elements (512 to 767)"));
    assert!(
        text.contains(
            "`y`, 1000 × f32 (4 B each): reads its own 256 elements (512 to 767), writes its own \
             256 elements (512 to 767)"
        ),
        "{text}"
    );
}

#[test]
fn a_transpose_is_cut_where_its_bands_write_apart() {
    // 64 rows of 128; a workgroup takes 32 by 32. Bands along x write whole rows of the result.
    let text = plan("transpose", |launch| {
        launch
            .bind("src", &floats(64 * 128))
            .bind("dst", &floats(64 * 128))
            .set_field("dims.rows", int(64))
            .set_field("dims.columns", int(128))
            .workgroups([4, 2, 1])
    });
    assert!(text.contains("It is cut along x into 4 bands"), "{text}");
    assert!(text.contains("writes its own 32 rows of 64 (4096 to 6143)"), "{text}");
}

#[test]
fn a_band_of_sparse_rows_reads_just_its_rows_and_follows_the_row_pointers_when_they_change() {
    // 512 rows of 3 elements; bands of one workgroup of 128 rows.
    let pointers = |length: u32| (0..=512).map(|row| row * length).collect::<Vec<u32>>();
    let row_ptr = Buffer::from_slice(&pointers(3));
    let (columns, values) = (Buffer::<u32>::zeroed(1536), floats(1536));
    let of = || {
        plan("csr_spmv", |launch| {
            launch
                .bind("row_ptr", &row_ptr)
                .bind("columns", &columns)
                .bind("values", &values)
                .bind("x", &floats(512))
                .bind("y", &floats(512))
                .invocations([512, 1, 1])
        })
    };
    let text = of();
    assert!(
        text.contains("`values`, 1536 × f32 (4 B each): reads its own 384 elements (768 to 1151)"),
        "{text}"
    );
    assert!(text.contains("The contents of `row_ptr` bound the touched elements"), "{text}");
    row_ptr.write(0, &pointers(2)).expect("it fits");
    let text = of();
    assert!(
        text.contains("`values`, 1536 × f32 (4 B each): reads its own 256 elements (512 to 767)"),
        "{text}"
    );
}

#[test]
fn a_histogram_is_split_and_its_counts_are_added_up() {
    let text = plan("histogram", |launch| {
        launch
            .bind("values", &floats(4096))
            .bind("counts", &Buffer::<u32>::zeroed(256))
            .workgroups([4, 1, 1])
    });
    assert!(text.contains("It is cut along x into 4 bands"), "{text}");
    assert!(
        text.contains(
            "`counts` is only reduced into: each chunk updates a copy, and the updates are added up."
        ),
        "{text}"
    );
}

/// The plan of a kernel over 4 workgroups in 4 chunks on two devices, with `a` and `b` bound.
fn of_text(body: &str, race_free: bool) -> String {
    let kernel = Kernel::from_wgsl(&format!(
        "@group(0) @binding(0) var<storage, read> a: array<u32>;
         @group(0) @binding(1) var<storage, read_write> b: array<u32>;
         @group(0) @binding(2) var<storage, read_write> n: array<atomic<u32>>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
             _ = arrayLength(&a) + arrayLength(&b) + arrayLength(&n);
             {body}
         }}"
    ))
    .expect("valid WGSL");
    let runtime = engines::runtime("virtual:2:cpu");
    let mut a: Vec<u32> = (0..256).collect();
    a.reverse();
    let mut launch = runtime
        .launch(&kernel)
        .bind("a", &Buffer::from_slice(&a))
        .bind("b", &Buffer::<u32>::zeroed(256))
        .bind("n", &Buffer::<u32>::zeroed(256))
        .workgroups([4, 1, 1])
        .chunks(4);
    if race_free {
        launch = launch.assume_race_free();
    }
    launch.plan().expect("a plan").to_string()
}

#[test]
fn a_scatter_through_data_is_merged_by_difference_and_the_line_is_shown() {
    // The contents of `a`, a permutation, show that the bands write disjoint elements.
    let text = of_text("b[a[id.x]] = id.x;", false);
    assert!(text.contains("Chunks write disjoint elements, which"), "{text}");
    let text = of_text("b[a[id.x] ^ (id.x * 5u % 256u)] = id.x;", false);
    assert!(text.contains("It is cut along x into 4 bands"), "{text}");
    assert!(
        text.contains("`b` is merged: along x, bands 0 and 1 of 4 may both write `b`"),
        "{text}"
    );
    assert!(
        text.contains("7 |") && text.contains("b[a[id.x] ^ (id.x * 5u % 256u)] = id.x"),
        "{text}"
    );
}

#[test]
fn buffers_that_are_read_and_written_anywhere_are_cut_only_on_a_promise() {
    let body = "b[a[id.x] ^ (id.x * 5u % 256u)] = b[id.x] + 1u;";
    let text = of_text(body, false);
    assert!(text.contains("It runs whole on one device: along x, bands 0 and 1 of 4"), "{text}");
    assert!(of_text(body, true).contains("It is cut along x into 4 bands"));
}

#[test]
fn atomics_that_are_no_reduction_keep_a_launch_whole_and_the_line_is_shown() {
    for (body, why) in [
        ("b[atomicAdd(&n[0], 1u)] = id.x;", "it uses the old value"),
        ("atomicAdd(&n[0], 1u); atomicMax(&n[1], id.x);", "it mixes operators"),
        ("atomicAdd(&n[0], 1u); b[id.x] = atomicLoad(&n[1]);", "it also reads it"),
        // In a scan with decoupled look-back, a workgroup waits for its predecessor's value.
        (
            "if id.x > 0u { while atomicLoad(&n[id.x - 1u]) == 0u {} } atomicAdd(&n[id.x], 1u);",
            "it also reads it",
        ),
    ] {
        let text = of_text(body, true);
        assert!(text.contains("It runs whole on one device: it updates `n` atomically"), "{text}");
        assert!(text.contains(why) && text.contains("7 |"), "{text}");
    }
}

#[test]
fn a_relaxation_in_place_is_refused_with_what_the_bands_share() {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<f32>;
         @compute @workgroup_size(64)
         fn relax(@builtin(global_invocation_id) id: vec3<u32>) {
             data[id.x] = 0.5 * (data[id.x] + data[id.x + 1u]);
         }",
    )
    .expect("valid WGSL");
    let runtime = engines::runtime("virtual:2:cpu");
    let data = floats(256);
    let launch = runtime.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).chunks(2);
    let text = launch.plan().expect("a plan").to_string();
    // The first band is elements 0 to 127, and reads element 128 too.
    assert!(text.contains("band 0 of 2 reads elements 0 to 128 of `data`"), "{text}");
    assert!(text.contains("band 1 may write 128 to 255"), "{text}");
    assert!(text.contains("4 |"), "the line of the store is shown: {text}");
}

#[test]
fn a_band_of_the_3d_stencil_reads_one_more_plane_on_each_side() {
    // 32 by 8 by 32; bands of 4 workgroups of 2 planes of 256.
    let text = plan("stencil7", |launch| {
        launch
            .bind("src", &floats(8192))
            .bind("dst", &floats(8192))
            .set_field("grid.width", int(32))
            .set_field("grid.height", int(8))
            .set_field("grid.depth", int(32))
            .set_field("grid.alpha", 0.1)
            .invocations([32, 8, 32])
    });
    assert!(
        text.contains("reads its own 8 planes of 256 and 1 more plane of 256 on each side"),
        "{text}"
    );
    assert!(text.contains("writes its own 8 planes of 256 (4096 to 6143)"), "{text}");
}

#[test]
fn a_kept_plan_is_not_used_when_contents_that_any_band_looked_at_have_changed() {
    // The first bands read no elements.
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> a: array<u32>;
         @group(0) @binding(1) var<storage, read_write> b: array<u32>;
         @compute @workgroup_size(64)
         fn late(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x >= 128u { b[a[id.x]] = 1u; }
         }",
    )
    .expect("valid WGSL");
    let runtime = engines::runtime("virtual:2:cpu");
    let (a, b) = (Buffer::from_slice(&(0..256).collect::<Vec<u32>>()), Buffer::<u32>::zeroed(256));
    let plan = || {
        let launch = runtime.launch(&kernel).bind("a", &a).bind("b", &b);
        launch.workgroups([4, 1, 1]).chunks(4).plan().expect("a plan").to_string()
    };
    assert!(plan().contains("Chunks write disjoint elements, which"), "{}", plan());
    a.write(0, &[7; 256]).expect("it fits");
    assert!(plan().contains("`b` is merged: along x, bands 2 and 3 of 4"), "{}", plan());
    a.write(0, &(0..256).rev().collect::<Vec<u32>>()).expect("it fits");
    assert!(plan().contains("Chunks write disjoint elements, which"), "{}", plan());
}
