//! Heat diffusion in a picture: bright is hot, and the borders are insulated.
//!
//!     cargo run --release --example stencil -- --steps 200 --out after.png
//!     cargo run --release --example stencil -- photo.png --steps 1000 --devices cpu

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytemuck::{Pod, Zeroable};
use clap::Parser;
use coexec::{Buffer, Kernel, Report, Runtime};
use indicatif::{ProgressBar, ProgressStyle};

#[derive(Parser)]
struct Args {
    /// The initial picture, a .png file; a drawing of a few hot shapes if not given
    picture: Option<PathBuf>,
    /// The number of time steps
    #[arg(long, default_value_t = 200)]
    steps: u32,
    /// The file for the final picture
    #[arg(long, default_value = "after.png")]
    out: PathBuf,
    /// A file for the initial picture
    #[arg(long)]
    before: Option<PathBuf>,
    /// dt * diffusivity / h^2; stable up to 0.25
    #[arg(long, default_value_t = 0.24)]
    alpha: f32,
    /// Width and height of the drawing
    #[arg(long, default_value_t = 256)]
    size: u32,
    /// cpu, gpu, all, or a list such as cpu,gpu0; every real device if not given
    #[arg(long)]
    devices: Option<String>,
}

/// The kernel's uniform `grid`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Grid {
    width: u32,
    height: u32,
    alpha: f32,
}

/// Grey values from 0 to 1, row by row.
struct Picture {
    width: u32,
    height: u32,
    values: Vec<f32>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut picture = match &args.picture {
        Some(path) => read_png(path)?,
        None => draw(args.size.max(8)),
    };
    if let Some(path) = &args.before {
        write_png(path, &picture)?;
    }

    let mut runtime = Runtime::builder();
    if let Some(devices) = &args.devices {
        runtime = runtime.devices(devices);
    }
    let runtime = runtime.build()?;
    let kernel = Kernel::from_wgsl(include_str!("../kernels/stencil5.wgsl"))?;
    let grid = Grid { width: picture.width, height: picture.height, alpha: args.alpha };

    let mut now = Buffer::from_slice(&picture.values);
    let mut next = Buffer::<f32>::zeroed(picture.values.len());
    let bar = ProgressBar::new(args.steps.into())
        .with_style(ProgressStyle::with_template("{bar:40} step {pos} of {len}, {eta} left")?);
    let start = Instant::now();
    let mut last: Option<Report> = None;
    for _ in 0..args.steps {
        let report = runtime
            .launch(&kernel)
            .bind("src", &now)
            .bind("dst", &next)
            .set("grid", &grid)
            .invocations([picture.width.into(), picture.height.into(), 1])
            .run()?;
        std::mem::swap(&mut now, &mut next);
        last = Some(report);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let elapsed = start.elapsed();

    picture.values = now.to_vec()?;
    write_png(&args.out, &picture)?;
    if let Some(report) = last {
        println!("The last step:\n{report}");
        print_total(&picture, args.steps, elapsed);
    }
    println!("wrote {}", args.out.display());
    Ok(())
}

fn print_total(picture: &Picture, steps: u32, elapsed: Duration) {
    let cells = f64::from(picture.width) * f64::from(picture.height) * f64::from(steps);
    println!(
        "{steps} steps of {} x {} cells in {:.2} s: {:.1} million cells/s",
        picture.width,
        picture.height,
        elapsed.as_secs_f64(),
        cells / 1e6 / elapsed.as_secs_f64()
    );
}

/// A disc, a frame and a bar, all hot, on cold ground.
fn draw(size: u32) -> Picture {
    let mut values = Vec::new();
    for y in 0..size {
        for x in 0..size {
            let (x, y) = (x as f32 / size as f32, y as f32 / size as f32);
            let disc = (x - 0.3).hypot(y - 0.35) < 0.15;
            let side = (x - 0.7).abs().max((y - 0.7).abs());
            let frame = (0.13..0.18).contains(&side);
            let bar = (0.55..0.9).contains(&x) && (0.2..0.25).contains(&y);
            values.push(if disc || frame || bar { 1.0 } else { 0.0 });
        }
    }
    Picture { width: size, height: size, values }
}

fn read_png(path: &Path) -> Result<Picture> {
    let read = || -> Result<Picture> {
        let mut decoder = png::Decoder::new(BufReader::new(File::open(path)?));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info()?;
        let size = reader.output_buffer_size().context("the picture is too large")?;
        let mut bytes = vec![0; size];
        let frame = reader.next_frame(&mut bytes)?;
        let (channels, colours) = match frame.color_type {
            png::ColorType::Grayscale => (1, 1),
            png::ColorType::GrayscaleAlpha => (2, 1),
            png::ColorType::Rgba => (4, 3),
            _ => (3, 3),
        };
        let grey = |pixel: &[u8]| {
            pixel[..colours].iter().map(|&c| f32::from(c)).sum::<f32>() / colours as f32 / 255.0
        };
        let values = bytes[..frame.buffer_size()].chunks_exact(channels).map(grey).collect();
        Ok(Picture { width: frame.width, height: frame.height, values })
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Writes under another name and renames, so that no partial file appears.
fn write_png(path: &Path, picture: &Picture) -> Result<()> {
    let part = path.with_extension("png.part");
    let write = || -> Result<()> {
        let mut out = BufWriter::new(File::create(&part)?);
        let mut encoder = png::Encoder::new(&mut out, picture.width, picture.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let pixels: Vec<u8> = picture.values.iter().flat_map(|&heat| glow(heat)).collect();
        encoder.write_header()?.write_image_data(&pixels)?;
        out.flush()?;
        std::fs::rename(&part, path)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The colour of a heat: from black over red and yellow to white.
fn glow(heat: f32) -> [u8; 3] {
    let part = |from: f32| ((heat * 3.0 - from).clamp(0.0, 1.0) * 255.0).round() as u8;
    [part(0.0), part(1.0), part(2.0)]
}
