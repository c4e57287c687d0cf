//! Finds a usable libLLVM: at `COEXEC_LIBLLVM`, among the system's libraries, in the Rust toolchain.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use super::jit::accepts_opaque_pointers;
use super::library::Library;

/// The library of this process, or the reason why there is none.
pub(crate) fn find_library() -> Result<&'static Library, &'static str> {
    static LIBRARY: OnceLock<Result<Library, String>> = OnceLock::new();
    LIBRARY.get_or_init(find).as_ref().map_err(String::as_str)
}

/// Opens a library, if it can read the IR that coexec writes.
fn open(path: &str) -> Result<Library, String> {
    let library = Library::open(path)?;
    if accepts_opaque_pointers(&library) {
        Ok(library)
    } else {
        Err("it is older than LLVM 15".to_owned())
    }
}

/// The library that the user names, if any.
fn named() -> Option<String> {
    std::env::var("COEXEC_LIBLLVM").ok().filter(|path| !path.is_empty())
}

/// The paths to try, in order. A named library is the only candidate.
fn candidates() -> Vec<String> {
    if let Some(path) = named() {
        return vec![path];
    }
    let mut names = Vec::new();
    for major in (15..=30).rev() {
        if cfg!(target_os = "macos") {
            names.push(format!("libLLVM-{major}.dylib"));
            names.push(format!("/opt/homebrew/opt/llvm@{major}/lib/libLLVM.dylib"));
        } else if cfg!(windows) {
            names.push(format!("LLVM-{major}.dll"));
        } else {
            names.push(format!("libLLVM-{major}.so.1"));
            names.push(format!("libLLVM-{major}.so"));
            names.push(format!("libLLVM.so.{major}.1"));
        }
    }
    if cfg!(windows) {
        names.push("LLVM-C.dll".to_owned());
    }
    names
}

fn find() -> Result<Library, String> {
    let mut causes = Vec::new();
    let mut attempt = |path: &str, missing_is_news: bool| match open(path) {
        Ok(library) => Some(library),
        Err(cause) => {
            if missing_is_news || !cause.contains("cannot open") {
                causes.push(format!("{path}: {cause}"));
            }
            None
        }
    };
    let named = named().is_some();
    for name in candidates() {
        if let Some(library) = attempt(&name, named) {
            return Ok(library);
        }
    }
    if !named {
        for path in toolchain_libraries() {
            if let Some(library) = path.to_str().and_then(|path| attempt(path, true)) {
                return Ok(library);
            }
        }
    }
    Err(if causes.is_empty() {
        "no libLLVM 15 or newer was found; install one (Debian: libllvm19) or name it in \
         COEXEC_LIBLLVM"
            .to_owned()
    } else {
        format!("no usable libLLVM: {}", causes.join("; "))
    })
}

/// The libLLVM of the Rust toolchain.
fn toolchain_libraries() -> Vec<PathBuf> {
    let Ok(output) = Command::new("rustc").args(["--print", "sysroot"]).output() else {
        return Vec::new();
    };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let mut found: Vec<PathBuf> = std::fs::read_dir(sysroot.join("lib"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("libLLVM") && name.contains(".so") | name.contains(".dylib")
        })
        .collect();
    // The longest name first: the short one may be a linker script.
    found.sort_by_key(|path| std::cmp::Reverse(path.as_os_str().len()));
    found
}
