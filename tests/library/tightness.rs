//! The tightness of footprints on the kernels of the library, split in 8: inferred elements per
//! touched element. It is at most 1.1 where grid and uniforms determine the touched elements.

use coexec::{Buffer, Kernel, Launch, Tightness};

use super::engines;

/// The tightness of each binding of a kernel of the library.
fn measured(name: &str, describe: impl FnOnce(Launch) -> Launch) -> Vec<Tightness> {
    let entry = coexec::ops::library().iter().find(|k| k.name == name).expect("in the library");
    let kernel = Kernel::from_wgsl(entry.text).expect("valid WGSL");
    let runtime = engines::runtime("virtual:2:cpu");
    describe(runtime.launch(&kernel)).chunks(8).measure().expect("it runs")
}

fn floats(count: usize) -> Buffer<f32> {
    Buffer::from_slice(&(0..count).map(|i| (i % 97) as f32 / 97.0).collect::<Vec<_>>())
}

/// The bindings whose inferred reads or writes exceed `most` times the touched elements.
fn looser(all: &[Tightness], most: f64) -> Vec<String> {
    let loose = |t: &&Tightness| t.reads.ratio() > most || t.writes.ratio() > most;
    all.iter().filter(loose).map(ToString::to_string).collect()
}

#[test]
fn of_regular_kernels_footprints_are_tight() {
    let n = 10_000usize;
    let all = [
        (
            "saxpy",
            measured("saxpy", |l| {
                let l = l.set_field("params.a", 2.0).set_field("params.n", n as u32);
                l.bind("x", &floats(n)).bind("y", &floats(n)).invocations([n as u64, 1, 1])
            }),
        ),
        (
            "stencil5",
            measured("stencil5", |l| {
                let l = l.set_field("grid.width", 150u32).set_field("grid.height", 300u32);
                let l = l.set_field("grid.alpha", 0.1);
                let l = l.bind("src", &floats(45_000)).bind("dst", &floats(45_000));
                l.invocations([150, 300, 1])
            }),
        ),
        (
            "stencil7",
            measured("stencil7", |l| {
                let l = l.set_field("grid.width", 40u32).set_field("grid.height", 10u32);
                let l = l.set_field("grid.depth", 64u32).set_field("grid.alpha", 0.1);
                let l = l.bind("src", &floats(25_600)).bind("dst", &floats(25_600));
                l.invocations([40, 10, 64])
            }),
        ),
        (
            "transpose",
            measured("transpose", |l| {
                let l = l.set_field("dims.rows", 100u32).set_field("dims.columns", 250u32);
                let l = l.bind("src", &floats(25_000)).bind("dst", &floats(25_000));
                l.workgroups([8, 4, 1])
            }),
        ),
        (
            "matmul",
            measured("matmul", |l| {
                let l = l.set_field("dims.m", 500u32).set_field("dims.n", 70u32);
                let l = l.set_field("dims.k", 30u32).bind("a", &floats(500 * 30));
                let l = l.bind("b", &floats(30 * 70)).bind("c", &floats(500 * 70));
                l.workgroups([2, 8, 1])
            }),
        ),
        (
            "matmul_naive",
            measured("matmul_naive", |l| {
                let l = l.set_field("dims.m", 60u32).set_field("dims.n", 70u32);
                let l = l.set_field("dims.k", 30u32).bind("a", &floats(60 * 30));
                let l = l.bind("b", &floats(30 * 70)).bind("c", &floats(60 * 70));
                l.invocations([70, 60, 1])
            }),
        ),
        (
            "reduce_sum",
            measured("reduce_sum", |l| {
                l.bind("src", &floats(70_000)).bind("partials", &floats(18)).workgroups([18, 1, 1])
            }),
        ),
        (
            "nbody",
            measured("nbody", |l| {
                let quads = |n: usize| Buffer::from_slice(&vec![[0.5f32; 4]; n]);
                let l = l.set_field("params.count", 1000u32).set_field("params.dt", 0.1);
                let l = l.set_field("params.softening", 0.1);
                let names = ["bodies", "velocities", "next_bodies", "next_velocities"];
                names.iter().fold(l, |l, name| l.bind(name, &quads(1000))).invocations([1000, 1, 1])
            }),
        ),
    ];
    for (name, measured) in all {
        assert_eq!(looser(&measured, 1.1), [""; 0], "{name}: {measured:?}");
        assert!(measured.iter().any(|t| t.writes.touched > 0), "{name}");
    }
}

#[test]
fn of_rows_near_the_diagonal_all_footprints_are_tight_the_gathered_vector_too() {
    // Rows of 0 to 6 elements near the diagonal.
    let rows = 2000u32;
    let (mut row_ptr, mut columns) = (vec![0u32], Vec::new());
    for row in 0..rows {
        for k in 0..(row * 7 + 3) % 7 {
            columns.push((row + 3 * k).min(rows - 1));
        }
        row_ptr.push(columns.len() as u32);
    }
    let all = measured("csr_spmv", |l| {
        l.bind("row_ptr", &Buffer::from_slice(&row_ptr))
            .bind("columns", &Buffer::from_slice(&columns))
            .bind("values", &floats(columns.len()))
            .bind("x", &floats(rows as usize))
            .bind("y", &floats(rows as usize))
            .invocations([rows.into(), 1, 1])
    });
    assert_eq!(looser(&all, 1.2), [""; 0], "{all:?}");
}

#[test]
fn of_interleaved_and_column_wise_kernels_footprints_are_tight() {
    let runtime = engines::runtime("virtual:2:cpu");
    for (body, elements) in [
        ("dst[id.x * 3u + 1u] = src[id.x * 3u];", 3 * 512),
        ("for (var i = id.x; i < 3000u; i += 8u * groups.x) { dst[i] = src[i]; }", 3000),
        (
            "for (var r = 0u; r < 40u; r++) { dst[r * 512u + id.x] = src[id.x * 40u + r]; }",
            40 * 512,
        ),
    ] {
        let kernel = Kernel::from_wgsl(&format!(
            "@group(0) @binding(0) var<storage, read> src: array<f32>;
             @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
             @compute @workgroup_size(8) fn main(
                 @builtin(global_invocation_id) id: vec3<u32>,
                 @builtin(num_workgroups) groups: vec3<u32>,
             ) {{ {body} }}"
        ))
        .expect("valid WGSL");
        let launch = runtime.launch(&kernel).bind("src", &floats(elements));
        let launch = launch.bind("dst", &floats(elements)).workgroups([64, 1, 1]).chunks(8);
        let all = launch.measure().expect("it runs");
        assert_eq!(looser(&all, 1.1), [""; 0], "{body}: {all:?}");
    }
}
