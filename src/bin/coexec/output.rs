//! Output files, each of which is either complete or absent.
//!
//! A file is written under a temporary name beside its destination. When all files of the command
//! are complete, they are renamed. An error or Ctrl-C removes the temporary files and touches no
//! destination.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use coexec::{Binding, ScalarType};
use npyz::{DType, WriterBuilder};

use crate::data::{DataFile, numpy_name};

/// The temporary files that Ctrl-C must remove.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn temporary() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    TEMPORARY.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Makes Ctrl-C remove the temporary files, say so and exit with 130.
pub(crate) fn handle_interrupts() -> Result<()> {
    ctrlc::set_handler(|| {
        // Held until the exit, so that no rename can begin.
        let files = temporary();
        for file in files.iter() {
            let _ = std::fs::remove_file(file);
        }
        eprintln!("\ninterrupted; no file was written");
        std::process::exit(130);
    })
    .context("cannot handle Ctrl-C")
}

/// Files that are complete under temporary names.
#[derive(Default)]
pub(crate) struct PendingFiles {
    files: Vec<(PathBuf, PathBuf)>,
}

impl PendingFiles {
    /// Writes a file under a temporary name.
    pub(crate) fn write(
        &mut self,
        path: &Path,
        contents: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
    ) -> Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        temporary().push(part.clone());
        self.files.push((part.clone(), path.to_owned()));
        let written = || -> std::io::Result<()> {
            let mut writer = BufWriter::new(File::create(&part)?);
            contents(&mut writer)?;
            writer.into_inner().map_err(|e| e.into_error())?.sync_all()
        };
        written().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Renames all files to their destinations.
    pub(crate) fn publish(mut self) -> Result<()> {
        // Ctrl-C waits for all renames or comes before the first.
        let mut temporary = temporary();
        for (part, path) in std::mem::take(&mut self.files) {
            std::fs::rename(&part, &path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            temporary.retain(|other| *other != part);
        }
        Ok(())
    }
}

impl Drop for PendingFiles {
    fn drop(&mut self) {
        for (part, _) in &self.files {
            let _ = std::fs::remove_file(part);
        }
    }
}

/// Refuses a path whose folder does not exist, or that is a folder, before any work is done.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        anyhow::bail!("cannot write {}: it is a folder", path.display());
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        anyhow::bail!("cannot write {}: there is no folder {}", path.display(), folder.display());
    }
    Ok(())
}

/// Writes a buffer as .npy or as raw bytes.
pub(crate) fn write_buffer(
    files: &mut PendingFiles,
    file: &DataFile,
    binding: &Binding,
    bytes: &[u8],
    shape: Option<&[u64]>,
) -> Result<()> {
    files.write(&file.path, |writer| {
        if file.npy {
            let (dtype, size) = match one_scalar(binding) {
                Some(scalar) => (numpy_name(scalar), scalar.size()),
                // A struct: the bytes, for numpy's .view(dtype).
                None => ("|u1", 1),
            };
            let shape = npy_shape(binding, bytes.len() as u64, size, shape);
            let dtype = DType::Plain(dtype.parse().map_err(std::io::Error::other)?);
            npyz::WriteOptions::new_header_only()
                .dtype(dtype)
                .shape(&shape)
                .writer(&mut *writer)
                .write_header_only()?;
        }
        writer.write_all(bytes)
    })
}

/// The scalar type of a whole binding, padding aside, if there is only one.
fn one_scalar(binding: &Binding) -> Option<ScalarType> {
    let (_, first) = *binding.element_scalars().first()?;
    let mut all = binding.header_scalars().iter().chain(binding.element_scalars());
    all.all(|&(offset, scalar)| scalar == first && offset.is_multiple_of(scalar.size()))
        .then_some(first)
}

/// The shape of the file that the buffer came from if it still fits; else the elements, with a
/// second axis for the scalars of an element.
fn npy_shape(binding: &Binding, bytes: u64, size: u64, shape: Option<&[u64]>) -> Vec<u64> {
    let scalars = bytes / size;
    if let Some(shape) = shape
        && shape.iter().product::<u64>() == scalars
    {
        return shape.to_vec();
    }
    let per_element = if size == 1 { 1 } else { binding.layout.stride / size };
    if per_element > 1 && scalars.is_multiple_of(per_element) {
        vec![scalars / per_element, per_element]
    } else {
        vec![scalars]
    }
}

/// A buffer's summary: how many scalars, least, greatest, mean, the first few. Padding is left
/// out.
pub(crate) struct Summary {
    /// What the values are: `f32`, or the names of several types.
    pub(crate) kind: String,
    pub(crate) count: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) mean: f64,
    pub(crate) not_finite: u64,
    pub(crate) first: Vec<f64>,
    /// Whether to show no more digits than f32 has.
    short: bool,
}

/// Values shown of each buffer.
const FIRST: usize = 8;

impl Summary {
    /// Summarises all scalars of a binding, those of its header first.
    pub(crate) fn of(binding: &Binding, bytes: &[u8]) -> Summary {
        let parts = binding.element_scalars();
        let header = binding.header_scalars();
        let mut kinds: Vec<ScalarType> = Vec::new();
        for (_, scalar) in header.iter().chain(parts) {
            if !kinds.contains(scalar) {
                kinds.push(*scalar);
            }
        }
        let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let mut summary = Summary {
            kind: names.join(" and "),
            count: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            mean: 0.0,
            not_finite: 0,
            first: Vec::new(),
            short: kinds.iter().any(|k| matches!(k, ScalarType::F32 | ScalarType::F16)),
        };
        let mut sum = 0.0;
        let layout = &binding.layout;
        let mut add = |start: u64, parts: &[(u64, ScalarType)]| {
            for &(offset, scalar) in parts {
                let start = (start + offset) as usize;
                let Some(value) = bytes.get(start..start + scalar.size() as usize) else {
                    continue;
                };
                let value = crate::data::scalar_at(value, scalar);
                summary.count += 1;
                if summary.first.len() < FIRST {
                    summary.first.push(value);
                }
                if value.is_finite() {
                    summary.min = summary.min.min(value);
                    summary.max = summary.max.max(value);
                    sum += value;
                } else {
                    summary.not_finite += 1;
                }
            }
        };
        add(0, header);
        for element in 0..layout.elements(bytes.len() as u64) {
            add(layout.header + element * layout.stride, parts);
        }
        summary.mean = sum / (summary.count - summary.not_finite).max(1) as f64;
        summary
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits =
            |value: f64| if self.short { (value as f32).to_string() } else { value.to_string() };
        write!(f, "{} x {}", self.count, self.kind)?;
        if self.not_finite < self.count {
            let mean = match self.mean.abs() {
                0.0 => "0".to_owned(),
                1e-3..1e7 => format!("{:.6}", self.mean),
                _ => format!("{:.6e}", self.mean),
            };
            write!(f, ", min {}, max {}, mean {mean}", digits(self.min), digits(self.max))?;
        }
        if self.not_finite > 0 {
            write!(f, ", {} not finite", self.not_finite)?;
        }
        let first: Vec<String> = self.first.iter().map(|&v| digits(v)).collect();
        let more = if self.count as usize > self.first.len() { ", …" } else { "" };
        write!(f, "\n    [{}{more}]", first.join(", "))
    }
}

/// Prints to stdout. A closed stdout is an error, not a panic.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Prints warnings of a launch to stderr, with the command that shows more.
pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}. `coexec check` with the same flags says where");
    }
}

/// Rows as lines whose columns are aligned. Columns whose every value looks like a number are
/// aligned to the right.
pub(crate) fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let numeric: [bool; N] = std::array::from_fn(|column| {
        // The first row may be a heading.
        rows.iter().skip(1).all(|r| r[column].starts_with(|c: char| c.is_ascii_digit() || c == '-'))
            && rows.len() > 1
    });
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (column, value) in row.iter().enumerate() {
                let pad = " ".repeat(widths[column] - value.chars().count());
                if numeric[column] {
                    line += &format!("{pad}{value}  ");
                } else {
                    line += &format!("{value}{pad}  ");
                }
            }
            line.trim_end().to_owned()
        })
        .collect()
}
