//! The documents name files that exist: ARCHITECTURE.md, README.md, and all of docs/.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let mut found = vec![root().join("ARCHITECTURE.md"), root().join("README.md")];
    found.extend(fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    assert!(found.len() > 5, "next to no documents");
    found
}

/// The texts between backticks in a document, outside of blocks of code.
fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if !block {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

/// Whether a quotation is the path of a file or folder of this repository.
fn is_path(quotation: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let file = [".rs", ".md", ".toml"].iter().any(|suffix| quotation.ends_with(suffix));
    let folder = quotation.ends_with('/') && !quotation.starts_with('-');
    // NAME stands for a file that the reader makes.
    quotation.chars().all(plain)
        && quotation.contains('/')
        && !quotation.starts_with(['.', '/'])
        && !quotation.contains("NAME")
        && (file || folder)
}

/// The targets of links in a document that are files here.
fn links(text: &str) -> Vec<&str> {
    let targets = text.match_indices("](").filter_map(|(at, _)| text[at + 2..].split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}

#[test]
fn the_files_that_documents_name_exist() {
    let mut missing = Vec::new();
    let mut seen = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let shown = document.strip_prefix(root()).unwrap().display();
        for path in quoted(&text).into_iter().filter(|quotation| is_path(quotation)) {
            seen += 1;
            if !root().join(path).exists() && !root().join("src").join(path).exists() {
                missing.push(format!("{shown}: {path}"));
            }
        }
        for link in links(&text) {
            let target = link.split('#').next().unwrap();
            if !document.parent().unwrap().join(target).exists() {
                missing.push(format!("{shown}: the link to {link}"));
            }
        }
    }
    assert!(seen > 50, "{seen} paths: the reader of documents finds next to none");
    assert!(missing.is_empty(), "named, but not there:\n{}", missing.join("\n"));
}

#[test]
fn a_path_is_told_from_other_quotations() {
    for path in ["src/ops/mod.rs", "kernels/", "docs/style.md", "benches/scenarios/standard.toml"] {
        assert!(is_path(path), "{path}");
    }
    for other in
        ["--devices", "kernels/NAME.wgsl", "verify.rs", "ChunkCost::busy", "cargo test x.rs"]
    {
        assert!(!is_path(other), "{other}");
    }
}
