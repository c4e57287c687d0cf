//! The sources of a binding's bytes: a file, zeros, random numbers, a list.
//!
//! Data is bytes, with a scalar type and a shape if the source gives them. Types are checked
//! against the binding here; the library checks sizes.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use coexec::{Binding, ScalarType};
use half::f16;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use crate::exit::Usage;

/// A file of data, and the format of its contents.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataFile {
    pub(crate) path: PathBuf,
    /// Whether it holds a numpy array, and not raw little-endian bytes.
    pub(crate) npy: bool,
}

/// Suffixes of files of raw bytes. A file without a suffix is such a file, too.
const RAW: [&str; 8] = ["", "bin", "raw", "dat", "f32", "f16", "i32", "u32"];

impl DataFile {
    /// A file by its name: `a.npy`, `a.bin`, `raw:a.any`. Other suffixes are refused, since the
    /// bytes of a `.csv` or `.npz` file are not the numbers that it holds.
    pub(crate) fn named(text: &str) -> Result<DataFile, String> {
        if let Some(path) = text.strip_prefix("raw:") {
            return Ok(DataFile { path: path.into(), npy: false });
        }
        let path = PathBuf::from(text);
        let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        match suffix.as_str() {
            "npy" => Ok(DataFile { path, npy: true }),
            raw if RAW.contains(&raw) => Ok(DataFile { path, npy: false }),
            _ => Err(format!(
                "the suffix of `{text}` is neither .npy nor one of raw bytes (.bin, .raw, .dat, .f32, \
                 .f16, .i32, .u32). Convert the array with numpy.save, or write raw:{text} to use \
                 the file as raw bytes"
            )),
        }
    }
}

/// A parsed `SRC`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    File(DataFile),
    Zeros(u64),
    Random { seed: u64, count: u64, scalar: ScalarType },
    List { scalar: ScalarType, bytes: Vec<u8> },
}

/// The bytes of one buffer.
#[derive(Debug, Clone)]
pub(crate) struct Data {
    pub(crate) bytes: Vec<u8>,
    /// The shape of the .npy file that it came from.
    pub(crate) shape: Option<Vec<u64>>,
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        let file = text.strip_prefix('@').or_else(|| text.starts_with("raw:").then_some(text));
        if let Some(file) = file {
            return DataFile::named(file).map(Source::File);
        }
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "zeros" => Ok(Source::Zeros(byte_count(rest)?)),
            "random" => {
                let parts: Vec<&str> = rest.split(':').collect();
                let [seed, count, scalar] = parts[..] else {
                    return Err("write random:SEED:COUNT:TYPE, such as random:1:4096:f32".into());
                };
                Ok(Source::Random {
                    seed: seed.parse().map_err(|_| format!("the seed `{seed}` is not a number"))?,
                    count: count
                        .parse()
                        .map_err(|_| format!("the count `{count}` is not a number"))?,
                    scalar: scalar_type(scalar)?,
                })
            }
            "list" => {
                let (scalar, values) =
                    rest.split_once(':').ok_or("write list:TYPE:1,2,3, such as list:f32:0.5,1")?;
                let scalar = scalar_type(scalar)?;
                let mut bytes = Vec::new();
                for value in values.split(',') {
                    push_scalar(&mut bytes, scalar, value.trim())?;
                }
                Ok(Source::List { scalar, bytes })
            }
            _ => {
                let hint = if Path::new(text).exists() {
                    format!(" (for the file, write @{text})")
                } else {
                    String::new()
                };
                Err(format!(
                    "`{text}` is not a data source; expected @FILE, raw:FILE, zeros:BYTES, \
                     random:SEED:COUNT:TYPE or list:TYPE:1,2,3{hint}"
                ))
            }
        }
    }
}

/// `4096`, `16k`, `3M` or `1G`; the suffixes are powers of 1024.
pub(crate) fn byte_count(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.strip_suffix(['k', 'K', 'M', 'G']) {
        Some(digits) => (
            digits,
            if text.ends_with('G') {
                30
            } else if text.ends_with('M') {
                20
            } else {
                10
            },
        ),
        None => (text, 0),
    };
    let wrong = || format!("`{text}` is not a number of bytes, such as 4096, 16k or 3M");
    let count: u64 = digits.parse().map_err(|_| wrong())?;
    count.checked_mul(1 << shift).ok_or_else(wrong)
}

fn push_scalar(bytes: &mut Vec<u8>, scalar: ScalarType, text: &str) -> Result<(), String> {
    let wrong = || format!("`{text}` is not a value of type {scalar}");
    match scalar {
        ScalarType::F32 => {
            bytes.extend(text.parse::<f32>().map_err(|_| wrong())?.to_le_bytes());
        }
        ScalarType::F16 => {
            bytes.extend(f16::from_f32(text.parse().map_err(|_| wrong())?).to_le_bytes());
        }
        ScalarType::I32 => {
            bytes.extend(text.parse::<i32>().map_err(|_| wrong())?.to_le_bytes());
        }
        ScalarType::U32 => {
            bytes.extend(text.parse::<u32>().map_err(|_| wrong())?.to_le_bytes());
        }
    }
    Ok(())
}

impl Source {
    /// The scalar type that the source gives by itself; files and zeros have none.
    fn scalar(&self) -> Option<ScalarType> {
        match self {
            Source::Random { scalar, .. } | Source::List { scalar, .. } => Some(*scalar),
            _ => None,
        }
    }

    /// Reads or makes the data for a binding.
    pub(crate) fn load(&self, binding: &Binding) -> Result<Data> {
        if let (Some(given), Some(wanted)) = (self.scalar(), binding.layout.scalar)
            && given != wanted
        {
            return Err(Usage(format!(
                "binding `{}` is {}, made of {wanted}, but the given data is {given}; write {wanted} \
                 instead of {given} in its --bind",
                binding.name, binding.type_name,
            ))
            .into());
        }
        let data = match self {
            Source::File(DataFile { path, npy: true }) => {
                read_npy(path, binding).with_context(|| format!("cannot use {}", path.display()))
            }
            Source::File(DataFile { path, npy: false }) => std::fs::read(path)
                .map(|bytes| Data { bytes, shape: None })
                .with_context(|| format!("cannot read {}", path.display())),
            Source::Zeros(count) => allocate(*count).map(|bytes| Data { bytes, shape: None }),
            Source::Random { seed, count, scalar } => allocate(count.saturating_mul(scalar.size()))
                .map(|mut bytes| {
                    fill_random(&mut bytes, *seed, *scalar);
                    Data { bytes, shape: None }
                }),
            Source::List { bytes, .. } => Ok(Data { bytes: bytes.clone(), shape: None }),
        };
        data.with_context(|| format!("binding `{}`", binding.name))
    }
}

/// Zeroed memory, or an error if memory is short.
#[expect(clippy::slow_vector_initialization, reason = "vec! aborts where memory is short")]
fn allocate(count: u64) -> Result<Vec<u8>> {
    let count = usize::try_from(count).ok();
    let mut bytes = Vec::new();
    match count.map(|n| (n, bytes.try_reserve_exact(n))) {
        Some((n, Ok(()))) => {
            bytes.resize(n, 0);
            Ok(bytes)
        }
        _ => bail!("there is not enough memory for the data"),
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
fn fill_random(bytes: &mut [u8], seed: u64, scalar: ScalarType) {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    match scalar {
        ScalarType::F32 => {
            for value in bytes.chunks_exact_mut(4) {
                let unit = (next() >> 40) as f32 / (1u32 << 24) as f32;
                value.copy_from_slice(&unit.to_le_bytes());
            }
        }
        ScalarType::F16 => {
            for value in bytes.chunks_exact_mut(2) {
                // 11 bits, so that nothing rounds up to 1.
                let unit = (next() >> 53) as f32 / 2048.0;
                value.copy_from_slice(&f16::from_f32(unit).to_le_bytes());
            }
        }
        ScalarType::I32 | ScalarType::U32 => {
            for value in bytes.chunks_exact_mut(4) {
                value.copy_from_slice(&((next() >> 32) as u32).to_le_bytes());
            }
        }
    }
}

/// The error for a valid file whose array does not fit the binding.
fn unfit(why: String) -> Result<Data> {
    Err(Usage(why).into())
}

fn read_npy(path: &Path, binding: &Binding) -> Result<Data> {
    let mut reader = BufReader::new(File::open(path)?);
    // With overflow checks, npyz panics on a shape whose product exceeds 64 bits.
    let header = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        NpyHeader::from_reader(&mut reader)
    }))
    .unwrap_or_else(|_| Err(std::io::Error::other("the shape in the header is too large")))
    .context("this is not a .npy file, or its header is damaged")?;
    if header.order() == Order::Fortran && header.shape().iter().filter(|&&n| n > 1).count() > 1 {
        return unfit(
            "the array is stored in Fortran order; save numpy.ascontiguousarray(array) to have it \
             in C order"
                .to_owned(),
        );
    }
    let (size, swap) = match (header.dtype(), binding.layout.scalar) {
        (DType::Plain(ty), wanted) => {
            let size = ty.num_bytes().filter(|&n| n > 0);
            let size = size.ok_or_else(|| Usage("the array holds objects".to_owned()))?;
            let scalar = match (ty.type_char(), size) {
                (TypeChar::Float, 4) => Some(ScalarType::F32),
                (TypeChar::Float, 2) => Some(ScalarType::F16),
                (TypeChar::Int, 4) => Some(ScalarType::I32),
                (TypeChar::Uint, 4) => Some(ScalarType::U32),
                _ => None,
            };
            if let Some(wanted) = wanted
                && scalar != Some(wanted)
            {
                return unfit(format!(
                    "the array is of dtype {}, but the binding is {}, made of {wanted}; save it \
                     with .astype('{}')",
                    DType::Plain(ty).descr().trim_matches('\''),
                    binding.type_name,
                    numpy_name(wanted),
                ));
            }
            (size as u64, (ty.endianness() == Endianness::Big).then_some(size))
        }
        // Records and arrays of records, for a struct: the bytes stay as the file has them.
        (other, None) => {
            let size = other.num_bytes();
            (size.ok_or_else(|| Usage("the array holds objects".to_owned()))? as u64, None)
        }
        (_, Some(wanted)) => {
            return unfit(format!(
                "the array is of records, but the binding is {}, made of {wanted}",
                binding.type_name
            ));
        }
    };
    // `header.len()` may have wrapped around.
    let total = header.shape().iter().try_fold(size, |total, &extent| total.checked_mul(extent));
    let total = total.context("the shape in the header is too large")?;
    let mut bytes = Vec::new();
    reader.take(total.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != total {
        let found = if bytes.len() as u64 > total { "more" } else { "fewer" };
        bail!(
            "the header says {:?}, which is {total} bytes, but the file has {found}; it is \
             truncated or damaged",
            header.shape()
        );
    }
    if let Some(size) = swap {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
    Ok(Data { bytes, shape: Some(header.shape().to_vec()) })
}

/// numpy's name for a little-endian scalar.
pub(crate) fn numpy_name(scalar: ScalarType) -> &'static str {
    match scalar {
        ScalarType::F32 => "<f4",
        ScalarType::F16 => "<f2",
        ScalarType::I32 => "<i4",
        ScalarType::U32 => "<u4",
    }
}

/// The scalar at a position of little-endian bytes, as f64, which holds each of them exactly.
pub(crate) fn scalar_at(bytes: &[u8], scalar: ScalarType) -> f64 {
    let word = || [bytes[0], bytes[1], bytes[2], bytes[3]];
    match scalar {
        ScalarType::F32 => f64::from(f32::from_le_bytes(word())),
        ScalarType::F16 => f64::from(f16::from_le_bytes([bytes[0], bytes[1]])),
        ScalarType::I32 => f64::from(i32::from_le_bytes(word())),
        ScalarType::U32 => f64::from(u32::from_le_bytes(word())),
    }
}

/// The scalar type of that name.
pub(crate) fn scalar_type(name: &str) -> Result<ScalarType, String> {
    match name {
        "f32" => Ok(ScalarType::F32),
        "f16" => Ok(ScalarType::F16),
        "i32" => Ok(ScalarType::I32),
        "u32" => Ok(ScalarType::U32),
        other => Err(format!("`{other}` is not a type; use f32, f16, i32 or u32")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_parse() {
        assert_eq!("zeros:16".parse(), Ok(Source::Zeros(16)));
        assert_eq!("zeros:2k".parse(), Ok(Source::Zeros(2048)));
        assert_eq!("zeros:1G".parse(), Ok(Source::Zeros(1 << 30)));
        for (text, path, npy) in [
            ("@a.npy", "a.npy", true),
            ("@A.NPY", "A.NPY", true),
            ("@a.f32", "a.f32", false),
            ("@dir.d/a", "dir.d/a", false),
            ("raw:a.csv", "a.csv", false),
            ("@raw:a.npy", "a.npy", false),
        ] {
            assert_eq!(text.parse(), Ok(Source::File(DataFile { path: path.into(), npy })));
        }
        assert_eq!(
            "random:7:3:u32".parse(),
            Ok(Source::Random { seed: 7, count: 3, scalar: ScalarType::U32 })
        );
        assert_eq!(
            "list:i32:1, -2".parse(),
            Ok(Source::List {
                scalar: ScalarType::I32,
                bytes: vec![1, 0, 0, 0, 254, 255, 255, 255]
            })
        );
    }

    #[test]
    fn a_bad_source_says_what_is_wrong_with_it() {
        let error = |text: &str| text.parse::<Source>().unwrap_err();
        assert!(error("x.npy").contains("not a data source; expected @FILE"));
        for suffix in ["csv", "npz", "txt", "json", "png", "bin.gz"] {
            assert!(error(&format!("@a.{suffix}")).contains(&format!("raw:a.{suffix}")));
        }
        assert!(error("zeros:many").contains("`many`"));
        assert!(error("zeros:99999999999G").contains("number of bytes"));
        assert!(error("random:1:2").contains("random:SEED:COUNT:TYPE"));
        assert!(error("random:1:2:f64").contains("`f64` is not a type"));
        assert!(error("list:u32:1,-2").contains("`-2` is not a value of type u32"));
    }

    #[test]
    fn random_floats_are_in_the_unit_interval_and_depend_on_the_seed_alone() {
        let mut a = vec![0; 4000];
        let mut b = vec![0; 4000];
        fill_random(&mut a, 1, ScalarType::F32);
        fill_random(&mut b, 1, ScalarType::F32);
        assert_eq!(a, b);
        fill_random(&mut b, 2, ScalarType::F32);
        assert_ne!(a, b);
        for (scalar, size) in [(ScalarType::F32, 4), (ScalarType::F16, 2)] {
            fill_random(&mut a, 3, scalar);
            for value in a.chunks_exact(size) {
                let value = scalar_at(value, scalar);
                assert!((0.0..1.0).contains(&value), "{value}");
            }
        }
    }
}
