//! Reference results for the kernels of `kernels/`: inputs, grid, and a plain Rust definition of each
//! output element.
//!
//! The conformance tests, the benchmarks and `coexec bench` include this file. It does not depend on
//! coexec: a [`Job`] is bytes and numbers. Each definition is written from the formula, element by
//! element, not from the kernel's text, and in f64 unless the kernel is exact. The kernel's top
//! comment has the tolerance.

// Each crate that includes this file uses a part of it.
#![allow(dead_code, unreachable_pub)]

use std::sync::Arc;

use Matmul::{Naive, Tiled};
use bytemuck::NoUninit;

/// A kernel, and functions that make jobs for it.
pub struct Case {
    /// The kernel's name in `coexec::ops::library()`.
    pub name: &'static str,
    /// Sizes for `coexec bench`: small, medium, large. Each case has its own unit of size.
    pub sizes: [usize; 3],
    /// A job of about this size.
    pub build: fn(usize) -> Job,
    /// Small jobs of awkward shapes: ones, primes, one more than a tile.
    pub awkward: fn() -> Vec<Job>,
}

/// The inputs and the expected outputs of one launch.
pub struct Job {
    /// The shape for messages, such as "512 x 512".
    pub shape: String,
    /// Uniforms by WGSL name, in WGSL layout.
    pub uniforms: Vec<(&'static str, Vec<u8>)>,
    /// The initial contents of storage buffers by WGSL name.
    pub buffers: Vec<(&'static str, Vec<u8>)>,
    pub grid: Grid,
    pub outputs: Vec<Output>,
    /// The amount of work for rates: operations, bytes that must be moved at least once, or pixels.
    pub work: f64,
    /// The unit of `work / 1e9 / s`.
    pub unit: &'static str,
}

/// The grid of a launch.
#[derive(Debug, Clone, Copy)]
pub enum Grid {
    Invocations([u32; 3]),
    Workgroups([u32; 3]),
}

/// A buffer that the kernel writes, and the expected value of each element.
pub struct Output {
    pub name: &'static str,
    pub scalar: Scalar,
    /// The number of scalars.
    pub len: usize,
    /// The expected scalar at an index.
    pub element: Box<dyn Fn(usize) -> f64 + Send + Sync>,
}

/// The type of an output's scalars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scalar {
    F32,
    U32,
}

/// The allowed distance of a result from its definition: the larger of `abs` and `rel` times the
/// expected value. A share `outliers` of the elements may have any value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    pub abs: f64,
    pub rel: f64,
    pub outliers: f64,
}

impl Tolerance {
    /// Reads the line `// tolerance: abs A rel R [outliers O]` of a kernel's text.
    pub fn stated_by(text: &str) -> Option<Tolerance> {
        let line = text.lines().find_map(|line| line.strip_prefix("// tolerance: "))?;
        let mut tolerance = Tolerance { abs: 0.0, rel: 0.0, outliers: 0.0 };
        let words: Vec<&str> = line.split_whitespace().collect();
        for pair in words.chunks(2) {
            let value = pair.get(1)?.parse().ok()?;
            match pair[0] {
                "abs" => tolerance.abs = value,
                "rel" => tolerance.rel = value,
                "outliers" => tolerance.outliers = value,
                _ => return None,
            }
        }
        Some(tolerance)
    }
}

impl Output {
    /// Compares `bytes` with the definition: all elements, or about `sample` evenly spread ones where
    /// there are more. The error names the element that is furthest off.
    pub fn check(&self, bytes: &[u8], tolerance: Tolerance, sample: usize) -> Result<(), String> {
        if bytes.len() != self.len * 4 {
            return Err(format!("`{}` has {} bytes, not {}", self.name, bytes.len(), self.len * 4));
        }
        // An odd stride hits every column of a picture whose width is a power of two.
        let stride = (self.len / sample.max(1)).max(1) | 1;
        let (mut checked, mut wrong) = (0usize, 0usize);
        let mut worst = (0.0, 0, 0.0, 0.0);
        for index in (0..self.len).step_by(stride) {
            let word: [u8; 4] = bytes[index * 4..][..4].try_into().expect("four bytes");
            let found = match self.scalar {
                Scalar::F32 => f64::from(f32::from_le_bytes(word)),
                Scalar::U32 => f64::from(u32::from_le_bytes(word)),
            };
            let expected = (self.element)(index);
            let error = (found - expected).abs();
            checked += 1;
            // A NaN is wrong too.
            let allowed = tolerance.abs.max(tolerance.rel * expected.abs());
            if error.is_nan() || error > allowed {
                wrong += 1;
                if error.is_nan() || error > worst.0 {
                    worst = (error, index, expected, found);
                }
            }
        }
        if wrong as f64 <= tolerance.outliers * checked as f64 {
            return Ok(());
        }
        let (error, index, expected, found) = worst;
        Err(format!(
            "{wrong} of {checked} elements of `{}` that were checked are wrong; the worst is \
             element {index}: expected {expected}, found {found}, off by {error:e}",
            self.name
        ))
    }
}

/// All kernels of `kernels/`, sorted by name.
pub const CASES: &[Case] = &[
    Case {
        name: "black_scholes",
        sizes: [1 << 14, 1 << 18, 1 << 22],
        build: black_scholes,
        awkward: || [1, 257, 1000].map(black_scholes).into(),
    },
    Case {
        name: "csr_spmv",
        sizes: [1 << 12, 1 << 16, 1 << 20],
        build: csr_spmv,
        awkward: || [1, 129, 1000].map(csr_spmv).into(),
    },
    Case {
        name: "histogram",
        sizes: [1 << 16, 1 << 20, 1 << 24],
        build: histogram,
        awkward: || [1, 255, 10_007].map(histogram).into(),
    },
    Case {
        name: "mandelbrot",
        sizes: [128, 512, 2048],
        build: |size| mandelbrot(size, size),
        awkward: || vec![mandelbrot(1, 1), mandelbrot(67, 41), mandelbrot(33, 130)],
    },
    Case {
        name: "matmul",
        sizes: [128, 512, 2048],
        build: |size| matmul(Tiled, size, size, size),
        awkward: || MATRICES.map(|[m, n, k]| matmul(Tiled, m, n, k)).into(),
    },
    Case {
        name: "matmul_naive",
        sizes: [128, 512, 2048],
        build: |size| matmul(Naive, size, size, size),
        awkward: || MATRICES.map(|[m, n, k]| matmul(Naive, m, n, k)).into(),
    },
    Case {
        name: "nbody",
        sizes: [512, 2048, 16384],
        build: nbody,
        awkward: || [1, 255, 300].map(nbody).into(),
    },
    Case {
        name: "reduce_sum",
        sizes: [1 << 16, 1 << 20, 1 << 24],
        build: reduce_sum,
        awkward: || [1, 4095, 4097, 30_011].map(reduce_sum).into(),
    },
    Case {
        name: "saxpy",
        sizes: [1 << 16, 1 << 20, 1 << 24],
        build: saxpy,
        awkward: || [1, 255, 257, 10_007].map(saxpy).into(),
    },
    Case {
        name: "stencil5",
        sizes: [256, 1024, 4096],
        build: |size| stencil5(size, size),
        awkward: || vec![stencil5(1, 1), stencil5(1, 50), stencil5(65, 1), stencil5(131, 37)],
    },
    Case {
        name: "stencil7",
        sizes: [32, 96, 256],
        build: |size| stencil7(size, size, size),
        awkward: || vec![stencil7(1, 1, 1), stencil7(33, 5, 3), stencil7(7, 11, 13)],
    },
    Case {
        name: "transpose",
        sizes: [256, 1024, 4096],
        build: |size| transpose(size, size),
        awkward: || vec![transpose(1, 1), transpose(33, 65), transpose(100, 7)],
    },
];

/// Shapes m, n, k, most of which no tile divides.
const MATRICES: [[usize; 3]; 5] = [[1, 1, 1], [1, 70, 9], [65, 1, 17], [67, 131, 33], [64, 64, 16]];

/// `count` pseudorandom numbers in [0, 1), which depend on the seed only (SplitMix64).
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed;
    (0..count).map(|_| (splitmix64(&mut state) >> 40) as f32 / (1u64 << 24) as f32).collect()
}

fn splitmix64(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn bytes<T: NoUninit>(values: &[T]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

/// The WGSL layout of a struct of 4-byte scalars.
fn words(fields: &[[u8; 4]]) -> Vec<u8> {
    fields.concat()
}

fn u(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("a size fits u32").to_le_bytes()
}

fn f(value: f32) -> [u8; 4] {
    value.to_le_bytes()
}

/// The initial contents of an output: NaNs, so that an element that the kernel does not write is
/// wrong.
fn garbage(count: usize) -> Vec<u8> {
    bytes(&vec![f32::from_bits(0xffc0_dead); count])
}

fn grid(x: usize, y: usize, z: usize) -> [u32; 3] {
    [x, y, z].map(|n| u32::try_from(n).expect("a size fits u32"))
}

fn output(
    name: &'static str,
    len: usize,
    element: impl Fn(usize) -> f64 + Send + Sync + 'static,
) -> Output {
    Output { name, scalar: Scalar::F32, len, element: Box::new(element) }
}

fn saxpy(n: usize) -> Job {
    let a = 2.5f32;
    let (x, y) = (noise(1, n), noise(2, n));
    Job {
        shape: format!("{n}"),
        uniforms: vec![("params", words(&[f(a), u(n)]))],
        buffers: vec![("x", bytes(&x)), ("y", bytes(&y))],
        grid: Grid::Invocations(grid(n, 1, 1)),
        outputs: vec![output("y", n, move |i| f64::from(a) * f64::from(x[i]) + f64::from(y[i]))],
        work: 12.0 * n as f64,
        unit: "GB/s",
    }
}

enum Matmul {
    Naive,
    Tiled,
}

fn matmul(kind: Matmul, m: usize, n: usize, k: usize) -> Job {
    let (a, b) = (noise(3, m * k), noise(4, k * n));
    Job {
        shape: format!("{m} x {n} x {k}"),
        uniforms: vec![("dims", words(&[u(m), u(n), u(k)]))],
        buffers: vec![("a", bytes(&a)), ("b", bytes(&b)), ("c", garbage(m * n))],
        grid: match kind {
            Naive => Grid::Invocations(grid(n, m, 1)),
            Tiled => Grid::Workgroups(grid(n.div_ceil(64), m.div_ceil(64), 1)),
        },
        outputs: vec![output("c", m * n, move |i| {
            let (row, column) = (i / n, i % n);
            (0..k).map(|p| f64::from(a[row * k + p]) * f64::from(b[p * n + column])).sum()
        })],
        work: 2.0 * (m * n * k) as f64,
        unit: "GFLOP/s",
    }
}

fn stencil5(width: usize, height: usize) -> Job {
    let alpha = 0.2f32;
    let src = noise(5, width * height);
    Job {
        shape: format!("{width} x {height}"),
        uniforms: vec![("grid", words(&[u(width), u(height), f(alpha)]))],
        buffers: vec![("src", bytes(&src)), ("dst", garbage(width * height))],
        grid: Grid::Invocations(grid(width, height, 1)),
        outputs: vec![output("dst", width * height, move |i| {
            let at = |x: isize, y: isize| {
                let x = x.clamp(0, width as isize - 1) as usize;
                let y = y.clamp(0, height as isize - 1) as usize;
                f64::from(src[y * width + x])
            };
            let (x, y) = ((i % width) as isize, (i / width) as isize);
            let around = at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1);
            at(x, y) + f64::from(alpha) * (around - 4.0 * at(x, y))
        })],
        work: 8.0 * (width * height) as f64,
        unit: "GB/s",
    }
}

fn stencil7(width: usize, height: usize, depth: usize) -> Job {
    let alpha = 0.125f32;
    let count = width * height * depth;
    let src = noise(6, count);
    Job {
        shape: format!("{width} x {height} x {depth}"),
        uniforms: vec![("grid", words(&[u(width), u(height), u(depth), f(alpha)]))],
        buffers: vec![("src", bytes(&src)), ("dst", garbage(count))],
        grid: Grid::Invocations(grid(width, height, depth)),
        outputs: vec![output("dst", count, move |i| {
            let extent = [width, height, depth];
            let place = [i % width, i / width % height, i / width / height];
            let at = |p: [usize; 3]| f64::from(src[(p[2] * height + p[1]) * width + p[0]]);
            let c = at(place);
            let mut flow = 0.0;
            for axis in 0..3 {
                let (mut before, mut after) = (place, place);
                before[axis] = place[axis].saturating_sub(1);
                after[axis] = (place[axis] + 1).min(extent[axis] - 1);
                flow += at(before) - 2.0 * c + at(after);
            }
            c + f64::from(alpha) * flow
        })],
        work: 8.0 * count as f64,
        unit: "GB/s",
    }
}

fn reduce_sum(n: usize) -> Job {
    const STRETCH: usize = 256 * 16;
    let src = noise(7, n);
    let groups = n.div_ceil(STRETCH);
    Job {
        shape: format!("{n}"),
        uniforms: vec![],
        buffers: vec![("src", bytes(&src)), ("partials", garbage(groups))],
        grid: Grid::Workgroups(grid(groups, 1, 1)),
        outputs: vec![output("partials", groups, move |i| {
            let end = n.min((i + 1) * STRETCH);
            src[i * STRETCH..end].iter().map(|&v| f64::from(v)).sum()
        })],
        work: 4.0 * n as f64,
        unit: "GB/s",
    }
}

fn mandelbrot(width: usize, height: usize) -> Job {
    let (limit, corner) = (256usize, [-2.25f32, -1.5]);
    let scale = 3.0 / width.max(height) as f32;
    Job {
        shape: format!("{width} x {height}"),
        // `corner` needs an alignment of 8 bytes, which it has without padding.
        uniforms: vec![(
            "view",
            words(&[u(width), u(height), u(limit), f(scale), f(corner[0]), f(corner[1])]),
        )],
        buffers: vec![("iterations", garbage(width * height))],
        grid: Grid::Invocations(grid(width, height, 1)),
        outputs: vec![Output {
            name: "iterations",
            scalar: Scalar::U32,
            len: width * height,
            // In f32, because near the set's border the orbit of a point depends on its last bit.
            element: Box::new(move |i| {
                let cx = ((i % width) as f32).mul_add(scale, corner[0]);
                let cy = ((i / width) as f32).mul_add(scale, corner[1]);
                let (mut x, mut y) = (0.0f32, 0.0f32);
                let mut count = 0;
                while count < limit && x * x + y * y <= 4.0 {
                    (x, y) = (x * x - y * y + cx, (2.0 * x).mul_add(y, cy));
                    count += 1;
                }
                count as f64
            }),
        }],
        work: (width * height) as f64,
        unit: "Gpixel/s",
    }
}

fn nbody(n: usize) -> Job {
    let (dt, softening) = (0.01f32, 0.1f32);
    let random = noise(8, 8 * n);
    let signed = |i: usize| 2.0 * random[i] - 1.0;
    let body = |i: usize| [signed(8 * i), signed(8 * i + 1), signed(8 * i + 2)];
    let bodies: Vec<[f32; 4]> = (0..n)
        .map(|i| {
            let [x, y, z] = body(i);
            [x, y, z, random[8 * i + 3] / n as f32]
        })
        .collect();
    let velocities: Vec<[f32; 4]> = (0..n)
        .map(|i| [signed(8 * i + 4), signed(8 * i + 5), signed(8 * i + 6), random[8 * i + 7]])
        .collect();
    let buffers = vec![
        ("bodies", bytes(&bodies)),
        ("velocities", bytes(&velocities)),
        ("next_bodies", garbage(4 * n)),
        ("next_velocities", garbage(4 * n)),
    ];

    let velocity = Arc::new(move |i: usize, axis: usize, bodies: &[[f32; 4]]| {
        let p = |j: usize, axis: usize| f64::from(bodies[j][axis]);
        let mut acceleration = 0.0;
        for j in 0..n {
            let squared: f64 = (0..3).map(|a| (p(j, a) - p(i, a)).powi(2)).sum();
            let distance = (squared + f64::from(softening).powi(2)).sqrt();
            acceleration += p(j, 3) * (p(j, axis) - p(i, axis)) / distance.powi(3);
        }
        f64::from(velocities[i][axis]) + f64::from(dt) * acceleration
    });
    let (bodies, unused) = (Arc::new(bodies), random);
    let next_body = {
        let (velocity, bodies) = (velocity.clone(), bodies.clone());
        move |i: usize| match (i / 4, i % 4) {
            (i, 3) => f64::from(bodies[i][3]),
            (i, axis) => f64::from(bodies[i][axis]) + f64::from(dt) * velocity(i, axis, &bodies),
        }
    };
    let next_velocity = move |i: usize| match (i / 4, i % 4) {
        (i, 3) => f64::from(unused[8 * i + 7]),
        (i, axis) => velocity(i, axis, &bodies),
    };
    Job {
        shape: format!("{n}"),
        uniforms: vec![("params", words(&[u(n), f(dt), f(softening)]))],
        buffers,
        grid: Grid::Invocations(grid(n, 1, 1)),
        outputs: vec![
            output("next_bodies", 4 * n, next_body),
            output("next_velocities", 4 * n, next_velocity),
        ],
        // The usual count: 20 operations for a pair.
        work: 20.0 * (n * n) as f64,
        unit: "GFLOP/s",
    }
}

fn histogram(n: usize) -> Job {
    let mut values = noise(9, n);
    // Some values lie below or above the range of the bins.
    for (i, value) in values.iter_mut().enumerate().step_by(97) {
        *value = if i % 2 == 0 { *value - 1.0 } else { *value + 1.0 };
    }
    let mut counts = vec![0u32; 256];
    for &value in &values {
        let bin = (f64::from(value) * 256.0).floor().clamp(0.0, 255.0);
        counts[bin as usize] += 1;
    }
    Job {
        shape: format!("{n}"),
        uniforms: vec![],
        buffers: vec![("values", bytes(&values)), ("counts", vec![0; 4 * 256])],
        grid: Grid::Workgroups(grid(n.div_ceil(256 * 16), 1, 1)),
        outputs: vec![Output {
            name: "counts",
            scalar: Scalar::U32,
            len: 256,
            element: Box::new(move |i| f64::from(counts[i])),
        }],
        work: 4.0 * n as f64,
        unit: "GB/s",
    }
}

fn transpose(rows: usize, columns: usize) -> Job {
    let src = noise(10, rows * columns);
    Job {
        shape: format!("{rows} x {columns}"),
        uniforms: vec![("dims", words(&[u(rows), u(columns)]))],
        buffers: vec![("src", bytes(&src)), ("dst", garbage(rows * columns))],
        grid: Grid::Workgroups(grid(columns.div_ceil(32), rows.div_ceil(32), 1)),
        outputs: vec![output("dst", rows * columns, move |i| {
            f64::from(src[(i % rows) * columns + i / rows])
        })],
        work: 8.0 * (rows * columns) as f64,
        unit: "GB/s",
    }
}

fn csr_spmv(rows: usize) -> Job {
    let mut state = 11;
    let mut row_ptr = vec![0u32];
    let mut columns = Vec::new();
    for row in 0..rows {
        // Every fifth row is empty, the first is not.
        let stored = if row % 5 == 4 { 0 } else { 1 + splitmix64(&mut state) % 16 };
        columns.extend((0..stored).map(|_| (splitmix64(&mut state) % rows as u64) as u32));
        row_ptr.push(columns.len() as u32);
    }
    let (values, x) = (noise(12, columns.len()), noise(13, rows));
    let stored = columns.len();
    Job {
        shape: format!("{rows} rows, {stored} stored"),
        uniforms: vec![],
        buffers: vec![
            ("row_ptr", bytes(&row_ptr)),
            ("columns", bytes(&columns)),
            ("values", bytes(&values)),
            ("x", bytes(&x)),
            ("y", garbage(rows)),
        ],
        grid: Grid::Invocations(grid(rows, 1, 1)),
        outputs: vec![output("y", rows, move |row| {
            (row_ptr[row] as usize..row_ptr[row + 1] as usize)
                .map(|i| f64::from(values[i]) * f64::from(x[columns[i] as usize]))
                .sum()
        })],
        work: 2.0 * stored as f64,
        unit: "GFLOP/s",
    }
}

fn black_scholes(n: usize) -> Job {
    let (rate, volatility) = (0.02f32, 0.3f32);
    let random = noise(14, 3 * n);
    let options: Vec<[f32; 4]> = random
        .chunks_exact(3)
        .map(|r| [5.0 + 25.0 * r[0], 1.0 + 99.0 * r[1], 0.25 + 9.75 * r[2], 0.0])
        .collect();
    let buffers = vec![("options", bytes(&options)), ("calls", garbage(n)), ("puts", garbage(n))];
    // The prices of the call and the put.
    let parts = move |option: [f32; 4]| {
        let [price, strike, years] = [option[0], option[1], option[2]].map(f64::from);
        let (r, v) = (f64::from(rate), f64::from(volatility));
        let d1 = ((price / strike).ln() + (r + v * v / 2.0) * years) / (v * years.sqrt());
        let d2 = d1 - v * years.sqrt();
        let normal = |d: f64| 0.5 * libm::erfc(-d / std::f64::consts::SQRT_2);
        let discounted = strike * (-r * years).exp();
        let call = price * normal(d1) - discounted * normal(d2);
        let put = discounted * normal(-d2) - price * normal(-d1);
        [call, put]
    };
    let options = Arc::new(options);
    let same = options.clone();
    Job {
        shape: format!("{n}"),
        uniforms: vec![("market", words(&[f(rate), f(volatility), u(n)]))],
        buffers,
        grid: Grid::Invocations(grid(n, 1, 1)),
        outputs: vec![
            output("calls", n, move |i| parts(options[i])[0]),
            output("puts", n, move |i| parts(same[i])[1]),
        ],
        work: 24.0 * n as f64,
        unit: "GB/s",
    }
}
