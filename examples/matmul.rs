//! The matrix product C = A B on all processors of the machine.
//!
//!     cargo run --release --example matmul
//!     cargo run --release --example matmul -- --m 2000 --n 300 --k 1000 --devices cpu
//!     cargo run --release --example matmul -- a.npy b.npy --out c.npy

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bytemuck::{Pod, Zeroable};
use clap::Parser;
use coexec::{Buffer, Kernel, Runtime};
use npyz::{NpyFile, Order, WriterBuilder};

#[derive(Parser)]
struct Args {
    /// A .npy file with A, f32 with two axes; A and B are random if not given
    #[arg(requires = "b")]
    a: Option<PathBuf>,
    /// A .npy file with B
    b: Option<PathBuf>,
    /// Write C to a .npy file
    #[arg(long)]
    out: Option<PathBuf>,
    /// m, n and k of random matrices
    #[arg(long, default_value_t = 512)]
    size: usize,
    /// Rows of A and C
    #[arg(long, conflicts_with = "a")]
    m: Option<usize>,
    /// Columns of B and C
    #[arg(long, conflicts_with = "a")]
    n: Option<usize>,
    /// Columns of A, rows of B
    #[arg(long, conflicts_with = "a")]
    k: Option<usize>,
    /// cpu, gpu, all, or a list such as cpu,gpu0; every real device if not given
    #[arg(long)]
    devices: Option<String>,
}

/// The kernel's uniform `dims`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Dims {
    m: u32,
    n: u32,
    k: u32,
}

/// A row-major matrix.
struct Matrix {
    rows: usize,
    columns: usize,
    elements: Vec<f32>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let (a, b) = match (&args.a, &args.b) {
        (Some(a), Some(b)) => (read_npy(a)?, read_npy(b)?),
        _ => {
            let size = |given: Option<usize>| given.unwrap_or(args.size);
            let (m, n, k) = (size(args.m), size(args.n), size(args.k));
            (random(1, m, k), random(2, k, n))
        }
    };
    ensure!(
        a.columns == b.rows,
        "A is {} x {} and B is {} x {}: A must have as many columns as B has rows",
        a.rows,
        a.columns,
        b.rows,
        b.columns
    );
    let (m, n, k) = (a.rows, b.columns, a.columns);
    ensure!(m * n * k > 0, "a matrix is empty");
    println!("C = A B, {m} x {k} times {k} x {n}");

    let mut runtime = Runtime::builder();
    if let Some(devices) = &args.devices {
        runtime = runtime.devices(devices);
    }
    let runtime = runtime.build()?;
    let kernel = Kernel::from_wgsl(include_str!("../kernels/matmul.wgsl"))?;

    let a_buffer = Buffer::from_slice(&a.elements);
    let b_buffer = Buffer::from_slice(&b.elements);
    let c_buffer = Buffer::<f32>::zeroed(m * n);
    let report = runtime
        .launch(&kernel)
        .bind("a", &a_buffer)
        .bind("b", &b_buffer)
        .bind("c", &c_buffer)
        .set("dims", &Dims { m: m.try_into()?, n: n.try_into()?, k: k.try_into()? })
        // A workgroup computes a tile of 64 by 64.
        .workgroups([n.div_ceil(64) as u64, m.div_ceil(64) as u64, 1])
        .run()?;
    println!("{report}");
    let operations = 2.0 * m as f64 * n as f64 * k as f64;
    println!("{:.2} GFLOP/s", operations / 1e9 / report.elapsed.as_secs_f64());

    let c = Matrix { rows: m, columns: n, elements: c_buffer.to_vec()? };
    check(&a, &b, &c)?;
    if let Some(path) = &args.out {
        write_npy(path, &c)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// Compares at most 2,000 elements of C, spread over all of it, with f64.
fn check(a: &Matrix, b: &Matrix, c: &Matrix) -> Result<()> {
    let stride = (c.elements.len() / 1000).max(1) | 1;
    let mut worst = 0.0f64;
    let mut count = 0;
    for i in (0..c.elements.len()).step_by(stride) {
        let (row, column) = (i / c.columns, i % c.columns);
        let (mut expected, mut magnitude) = (0.0, 0.0);
        for p in 0..a.columns {
            let term = f64::from(a.elements[row * a.columns + p])
                * f64::from(b.elements[p * b.columns + column]);
            expected += term;
            magnitude += term.abs();
        }
        // Relative to the sum of |a b|, because the rounding error is proportional to it.
        let error = (f64::from(c.elements[i]) - expected).abs() / f64::max(magnitude, 1e-30);
        ensure!(error < 1e-5, "C[{row}, {column}] is {}, but should be {expected}", c.elements[i]);
        worst = worst.max(error);
        count += 1;
    }
    println!("{count} elements checked against f64: relative error at most {worst:.1e}");
    Ok(())
}

/// A matrix of pseudorandom numbers in [-1, 1).
fn random(seed: u32, rows: usize, columns: usize) -> Matrix {
    let mut state = seed;
    let elements = (0..rows * columns)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    Matrix { rows, columns, elements }
}

fn read_npy(path: &Path) -> Result<Matrix> {
    let read = || -> Result<Matrix> {
        let file = NpyFile::new(BufReader::new(File::open(path)?))?;
        ensure!(file.order() == Order::C, "it is in Fortran order; save it in C order");
        let &[rows, columns] = file.shape() else {
            anyhow::bail!("its shape is {:?}; a matrix has two axes", file.shape());
        };
        let elements = file.into_vec::<f32>().context("it does not hold f32")?;
        Ok(Matrix { rows: rows as usize, columns: columns as usize, elements })
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Writes under another name and renames, so that no partial file appears.
fn write_npy(path: &Path, matrix: &Matrix) -> Result<()> {
    let part = path.with_extension("npy.part");
    let write = || -> Result<()> {
        let mut out = BufWriter::new(File::create(&part)?);
        let mut npy = npyz::WriteOptions::new()
            .default_dtype()
            .shape(&[matrix.rows as u64, matrix.columns as u64])
            .writer(&mut out)
            .begin_nd()?;
        npy.extend(&matrix.elements)?;
        npy.finish()?;
        out.flush()?;
        std::fs::rename(&part, path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
