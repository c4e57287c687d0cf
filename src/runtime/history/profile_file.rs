//! The file of measurements, which is kept between programs.
//!
//! It is one small text file in the user's cache directory: `$COEXEC_CACHE_DIR` (empty: nothing is
//! kept), else the system's place for caches. All programs of a user share it; the documentation of
//! `Runtime` describes it for users. A file that is missing, of another version, cut short or
//! invalid counts as empty. The file is written under another name and then renamed, so that a
//! reader sees the old or the new one.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::measurement::{Key, Known};

/// The first line, with the number of the format.
pub(super) const VERSION: &str = "coexec profiles 3";
/// The most bytes of a file that is read; a file of `MOST` entries has a third of them.
pub(super) const LARGEST: u64 = 1 << 20;
/// The most entries that are kept, so that the file stays under a few hundred kilobytes.
pub(super) const MOST: usize = 4096;

/// The directory of profiles; `None` if they are not kept.
pub(super) fn directory() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("COEXEC_CACHE_DIR") {
        return (!given.is_empty()).then(|| PathBuf::from(given));
    }
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let place = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        from("HOME").map(|home| home.join("Library/Caches"))
    } else {
        from("XDG_CACHE_HOME").or_else(|| from("HOME").map(|home| home.join(".cache")))
    };
    place.filter(|place| place.is_absolute()).map(|place| place.join("coexec"))
}

/// The file of profiles in a directory.
pub(super) fn place(directory: &Path) -> PathBuf {
    directory.join("profiles.txt")
}

/// The contents of a file; empty if it is not valid.
pub(super) fn read(file: &Path) -> HashMap<Key, Known> {
    let whole = || {
        // A larger file is not ours. Nor is a pipe, which might never end.
        let file = std::fs::File::open(file).ok()?;
        if !file.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::new();
        let read = file.take(LARGEST + 1).read_to_string(&mut text).ok()?;
        if read as u64 > LARGEST { None } else { parse(&text) }
    };
    whole().unwrap_or_default()
}

pub(super) fn parse(text: &str) -> Option<HashMap<Key, Known>> {
    let rest = text.strip_prefix(VERSION)?.strip_prefix('\n')?;
    let body = rest.strip_suffix("end\n")?;
    let mut known = HashMap::new();
    for line in body.lines() {
        let mut words = line.split(' ');
        let mut hex = || u64::from_str_radix(words.next()?, 16).ok();
        let (kernel, device) = (hex()?, hex()?);
        let class = words.next()?.parse().ok()?;
        let rate: f64 = words.next()?.parse().ok()?;
        let samples = words.next()?.parse().ok()?;
        let idle: f64 = words.next()?.parse().ok()?;
        let sane = rate.is_finite() && rate > 0.0 && idle.is_finite() && idle >= 0.0;
        if words.next().is_some() || !sane || known.len() > 2 * MOST {
            return None;
        }
        known.insert(Key { kernel, device, class }, Known { rate, samples, idle, own: false });
    }
    Some(known)
}

pub(super) fn write(directory: &Path, all: &[(Key, Known)]) -> std::io::Result<()> {
    let mut text = format!("{VERSION}\n");
    for (Key { kernel, device, class }, Known { rate, samples, idle, .. }) in all {
        text += &format!("{kernel:x} {device:x} {class} {rate:e} {samples} {idle:e}\n");
    }
    text += "end\n";
    std::fs::create_dir_all(directory)?;
    let fresh = directory.join(format!("profiles.{}.tmp", std::process::id()));
    let written =
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, place(directory)));
    if written.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    written
}
