//! The ready-made kernels: `kernels/*.wgsl`, embedded as text.
//!
//! The top comment of a kernel describes its result, its bindings and its tolerance; this file lists
//! the names only. Tests check that the list has every file of the folder, and that each builds.
//! `fragments` has pieces to build other kernels from.

mod fragments;

pub use fragments::{Fragment, fragments};

/// A kernel that comes with coexec.
#[derive(Debug, Clone, Copy)]
pub struct LibraryKernel {
    /// The name of the file in `kernels/`, without `.wgsl`. The entry point has the same name.
    pub name: &'static str,
    /// The WGSL text, for [`Kernel::from_wgsl`](crate::Kernel::from_wgsl).
    pub text: &'static str,
}

impl LibraryKernel {
    /// The first sentence of the kernel's top comment.
    pub fn summary(&self) -> String {
        let comment: Vec<&str> =
            self.text.lines().map_while(|line| line.strip_prefix("//")).map(str::trim).collect();
        let comment = comment.join(" ");
        let sentence = comment.split_once(": ").map_or(comment.as_str(), |(_, rest)| rest);
        let end = sentence.find(". ").unwrap_or(sentence.len());
        sentence[..end].to_owned()
    }
}

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        &[$(LibraryKernel {
            name: $name,
            text: include_str!(concat!("../../kernels/", $name, ".wgsl")),
        }),*]
    };
}

/// All kernels of `kernels/`, sorted by name.
///
/// ```
/// let saxpy = coexec::ops::library().iter().find(|k| k.name == "saxpy").unwrap();
/// let kernel = coexec::Kernel::from_wgsl(saxpy.text)?;
/// assert_eq!(kernel.signature().bindings.len(), 3);
/// # Ok::<(), coexec::Error>(())
/// ```
pub fn library() -> &'static [LibraryKernel] {
    library![
        "black_scholes",
        "csr_spmv",
        "histogram",
        "mandelbrot",
        "matmul",
        "matmul_naive",
        "nbody",
        "reduce_sum",
        "saxpy",
        "stencil5",
        "stencil7",
        "transpose",
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    #[test]
    fn every_file_of_kernels_is_in_the_library() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names: Vec<String> = library().iter().map(|k| format!("{}.wgsl", k.name)).collect();
        assert_eq!(files, names);
    }

    #[test]
    fn every_library_kernel_builds_and_is_named_after_its_file() {
        for entry in library() {
            let kernel = Kernel::from_wgsl(entry.text)
                .unwrap_or_else(|e| panic!("{}.wgsl does not build:\n{e}", entry.name));
            assert_eq!(kernel.signature().entry_point, entry.name);
            assert!(kernel.text().starts_with(&format!("// {}: ", entry.name)), "{}", entry.name);
            assert!(kernel.text().contains("\n// tolerance: abs "), "{}", entry.name);
            assert!(!entry.summary().is_empty());
        }
    }
}
