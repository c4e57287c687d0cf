//! Launches whose bands along one axis do not fit a device: they run in tiles, with pitched windows.

use coexec::{Buffer, Error, Kernel, Report, Runtime};

use super::engines;

fn runtime(devices: &str, bytes: u64) -> Runtime {
    let builder = Runtime::builder().devices(devices).memory_budget("gpu0", bytes);
    builder.build().expect("a runtime")
}

fn skipped() -> bool {
    let none = engines::gpu_ids().is_empty();
    if none {
        engines::skip("tiles", "this machine has no adapter");
    }
    none
}

/// Small whole numbers, so that sums are exact in any order.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut x = seed;
    let mut next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((x >> 24) % 17) as f32 - 8.0
    };
    (0..count).map(|_| next()).collect()
}

struct Product {
    kernel: Kernel,
    m: usize,
    n: usize,
    k: usize,
    a: Buffer<f32>,
    b: Buffer<f32>,
    expected: Vec<f32>,
}

impl Product {
    fn new(text: &str, [m, n, k]: [usize; 3]) -> Product {
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2));
        let mut expected = vec![0.0; m * n];
        for (row, out) in a.chunks(k).zip(expected.chunks_mut(n)) {
            for (x, line) in row.iter().zip(b.chunks(n)) {
                out.iter_mut().zip(line).for_each(|(sum, y)| *sum += x * y);
            }
        }
        let kernel = Kernel::from_wgsl(text).expect("valid WGSL");
        let (a, b) = (Buffer::from_slice(&a), Buffer::from_slice(&b));
        Product { kernel, m, n, k, a, b, expected }
    }

    fn grid(&self) -> [u64; 3] {
        let [x, y] = match self.kernel.signature().entry_point.as_str() {
            "matmul" => [64, 64],
            _ => [32, 4],
        };
        [self.n.div_ceil(x) as u64, self.m.div_ceil(y) as u64, 1]
    }

    fn run(&self, runtime: &Runtime) -> Result<Report, Error> {
        let dims = [self.m as u32, self.n as u32, self.k as u32];
        // An element that no tile writes keeps this value.
        let c = Buffer::from_slice(&vec![77.0f32; self.m * self.n]);
        let launch = runtime.launch(&self.kernel).set("dims", &dims);
        let launch = launch.bind("a", &self.a).bind("b", &self.b).bind("c", &c);
        let report = launch.workgroups(self.grid()).run()?;
        assert!(c.to_vec().expect("a result") == self.expected, "{report}");
        Ok(report)
    }
}

const TILED: &str = include_str!("../../kernels/matmul.wgsl");
const NAIVE: &str = include_str!("../../kernels/matmul_naive.wgsl");

#[test]
fn products_whose_matrices_are_several_times_the_budget_are_exact_in_tiles() {
    if skipped() {
        return;
    }
    for (text, sizes, budget) in [
        (TILED, [333, 1999, 257], 1 << 20),
        (TILED, [1025, 511, 130], 600 << 10),
        (NAIVE, [201, 1003, 299], 256 << 10),
        (NAIVE, [1003, 203, 301], 256 << 10),
    ] {
        let product = Product::new(text, sizes);
        let [m, n, k] = sizes.map(|n| n as u64);
        for devices in ["gpu0", "virtual:2:gpu0", "cpu,gpu0"] {
            let runtime = runtime(devices, budget);
            for _ in 0..2 {
                let report = product.run(&runtime).expect("a product");
                let plan = report.plan.to_string();
                for part in ["does not fit (gpu0", "its part of", " tiles of ", "pitched windows"] {
                    assert!(plan.contains(part), "{plan}");
                }
                let gpus = report.devices.iter().filter(|d| d.id.starts_with("gpu"));
                let (mut chunks, mut up, mut down) = (0, 0, 0);
                for gpu in gpus {
                    chunks += u64::from(gpu.chunks);
                    (up, down) = (up + gpu.uploaded, down + gpu.downloaded);
                }
                if devices != "cpu,gpu0" {
                    // Exactly the elements of C are downloaded, each once.
                    assert_eq!(down, m * n * 4, "{report}");
                    // The range around a tile's columns of B is nearly all of B.
                    assert!(
                        chunks >= 4 && up < (m * n + m * k + chunks * k * n / 2) * 4,
                        "{report}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_product_of_which_not_even_one_workgroup_fits_is_refused_in_a_sentence() {
    if skipped() {
        return;
    }
    let product = Product::new(TILED, [100, 1000, 2000]);
    match product.run(&runtime("gpu0", 1 << 20)) {
        Err(Error::NoDevice { causes, .. }) => {
            let cause = causes.join("\n");
            assert!(cause.contains("Nor can it be cut into tiles that fit"), "{cause}");
            assert!(cause.contains("a single workgroup needs"), "{cause}");
            assert!(cause.contains("bytes of all buffers"), "{cause}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn launches_that_fit_in_bands_are_not_cut_into_tiles() {
    if skipped() {
        return;
    }
    let product = Product::new(NAIVE, [301, 64, 64]);
    let report = product.run(&runtime("gpu0", 128 << 10)).expect("a product");
    assert!(!report.plan.to_string().contains("tiles"), "{}", report.plan);
}

#[test]
fn a_transpose_of_wide_and_of_tall_matrices_goes_through_in_tiles() {
    if skipped() {
        return;
    }
    let kernel = Kernel::from_wgsl(include_str!("../../kernels/transpose.wgsl")).expect("WGSL");
    for [rows, columns] in [[700usize, 1000usize], [1501, 333]] {
        let input = numbers(rows * columns, 3);
        let src = Buffer::from_slice(&input);
        for devices in ["gpu0", "virtual:2:gpu0"] {
            let dst = Buffer::from_slice(&vec![5.0f32; rows * columns]);
            let runtime = runtime(devices, 384 << 10);
            let launch = runtime.launch(&kernel).set("dims", &[rows as u32, columns as u32]);
            let launch = launch.bind("src", &src).bind("dst", &dst);
            let grid = [columns.div_ceil(32) as u64, rows.div_ceil(32) as u64, 1];
            let report = launch.workgroups(grid).run().expect("a transpose");
            let got = dst.to_vec().expect("a result");
            for row in 0..rows {
                for column in 0..columns {
                    assert_eq!(got[column * rows + row], input[row * columns + column]);
                }
            }
            assert!(report.plan.to_string().contains("pitched windows"), "{}", report.plan);
        }
    }
}

/// A stencil over rows that are very wide, with reads past both ends of the buffer, and stores of
/// some columns only.
const WIDE: &str = "
    @group(0) @binding(0) var<uniform> size: vec2<u32>;
    @group(0) @binding(1) var<storage, read> src: array<i32>;
    @group(0) @binding(2) var<storage, read_write> dst: array<i32>;
    @compute @workgroup_size(64)
    fn wide(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= size.x || id.x % 7u == 3u { return; }
        let w = i32(size.x);
        let i = i32(id.y) * w + i32(id.x);
        let above = src[i - w];
        let below = src[i + w];
        let left = src[i - 1];
        let right = src[i + 1];
        let far = src[i + w * i32(size.y)];
        dst[i] = src[i] + 2 * above + 3 * below + 5 * left + 7 * right + 11 * far
            + i32(arrayLength(&src));
    }";

#[test]
fn reads_outside_of_the_buffer_are_zero_and_what_a_tile_does_not_store_stays() {
    if skipped() {
        return;
    }
    let kernel = Kernel::from_wgsl(WIDE).expect("valid WGSL");
    let (w, h) = (20_011usize, 40usize);
    let input: Vec<i32> = numbers(w * h, 4).into_iter().map(|x| x as i32).collect();
    let src = Buffer::from_slice(&input);
    let at = |i: i64| usize::try_from(i).ok().and_then(|i| input.get(i)).copied().unwrap_or(0);
    for devices in ["gpu0", "virtual:2:gpu0", "cpu,gpu0"] {
        let dst = Buffer::from_slice(&vec![-1i32; w * h]);
        let runtime = runtime(devices, 256 << 10);
        let launch = runtime.launch(&kernel).set("size", &[w as u32, h as u32]);
        let launch = launch.bind("src", &src).bind("dst", &dst);
        let report = launch.invocations([w as u64, h as u64, 1]).run().expect("a stencil");
        let got = dst.to_vec().expect("a result");
        for (i, got) in (0i64..).zip(got) {
            let row = w as i64;
            let expected = match i % row % 7 {
                3 => -1,
                _ => {
                    at(i)
                        + 2 * at(i - row)
                        + 3 * at(i + row)
                        + 5 * at(i - 1)
                        + 7 * at(i + 1)
                        + (w * h) as i32
                }
            };
            assert_eq!(got, expected, "{i} of {}", report.plan);
        }
        assert!(report.plan.to_string().contains("pitched windows"), "{}", report.plan);
    }
}

/// Adds to all elements except the diagonals of blocks of 32 by 32, which stay unchanged.
const ADDS: &str = "
    @group(0) @binding(0) var<uniform> dims: vec3<u32>;
    @group(0) @binding(1) var<storage, read> b: array<vec2<i32>>;
    @group(0) @binding(2) var<storage, read_write> c: array<vec2<i32>>;
    @compute @workgroup_size(32, 2)
    fn adds(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x >= dims.y || id.y >= dims.x || id.x % 32u == id.y % 32u { return; }
        var sum = vec2<i32>();
        for (var p = 0u; p < dims.z; p++) { sum += b[p * dims.y + id.x] * i32(p + id.y); }
        c[id.y * dims.y + id.x].y += sum.y;
        c[id.y * dims.y + id.x].x += sum.x;
    }";

#[test]
fn buffers_that_are_read_and_written_are_copied_both_ways_in_tiles() {
    if skipped() {
        return;
    }
    let kernel = Kernel::from_wgsl(ADDS).expect("valid WGSL");
    let (m, n, k) = (70usize, 1501usize, 40usize);
    let values = |count: usize, seed: u32| -> Vec<[i32; 2]> {
        let all: Vec<i32> = numbers(2 * count, seed).into_iter().map(|x| x as i32).collect();
        all.chunks(2).map(|pair| [pair[0], pair[1]]).collect()
    };
    let (b, before) = (values(k * n, 5), values(m * n, 6));
    let mut expected = before.clone();
    for (i, out) in expected.iter_mut().enumerate() {
        let (row, column) = (i / n, i % n);
        if row % 32 != column % 32 {
            for p in 0..k {
                for (sum, x) in out.iter_mut().zip(b[p * n + column]) {
                    *sum += x * (p + row) as i32;
                }
            }
        }
    }
    let b = Buffer::from_slice(&b);
    for devices in ["gpu0", "virtual:2:gpu0"] {
        let c = Buffer::from_slice(&before);
        let runtime = runtime(devices, 384 << 10);
        let launch = runtime.launch(&kernel).set("dims", &[m as u32, n as u32, k as u32]);
        let launch = launch.bind("b", &b).bind("c", &c);
        let grid = [n.div_ceil(32) as u64, m.div_ceil(2) as u64, 1];
        let report = launch.workgroups(grid).run().expect("a launch");
        assert!(c.to_vec().expect("a result") == expected, "{report}");
        assert!(report.plan.to_string().contains("pitched windows"), "{}", report.plan);
    }
}
