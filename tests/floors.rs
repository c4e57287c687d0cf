//! The crate's floors, as ARCHITECTURE.md draws them: a module imports only from modules below
//! it. Also what holds of every source file: a comment on top, a telling name, a bounded length.
//!
//! Test code (files and folders named after tests, and what follows `#[cfg(test)] mod`) may look
//! anywhere; lib.rs and the programs may too.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. Modules on one floor do not import each other.
const FLOORS: &[&[&str]] = &[
    &["error"],
    &["grid", "region", "pending"],
    &["pitch"],
    &["kernel"],
    &["device"],
    &["analysis"],
    &["rewrite"],
    &["plan"],
    &["cpu", "gpu"],
    &["memory"],
    &["runtime"],
    &["report"],
    &["ops"],
];

/// Although below: an executor knows nothing of who gets which chunk.
const FORBIDDEN: &[(&str, &str)] = &[("cpu", "plan"), ("gpu", "plan")];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "base", "common", "misc"];

const MOST_LINES: usize = 1000;

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file of src, with its path from there.
fn files() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(source()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(found.len() > 20, "the walk found next to nothing");
    found.sort();
    found
}

fn is_test(path: &Path) -> bool {
    path.iter().any(|part| {
        let part = part.to_string_lossy();
        let name = part.strip_suffix(".rs").unwrap_or(&part);
        name == "tests" || name.ends_with("_tests")
    })
}

/// The text without comments and without the tests at its end.
fn code(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().map_or("", |next| next.trim_start());
        if line.trim() == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            break;
        }
        let line = line.find("//").map_or(line, |at| &line[..at]);
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// The first names after `crate::`: of `use crate::{a, b::{c, d}}` both `a` and `b`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let rest = text[at + "crate::".len()..].trim_start();
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let (mut depth, mut item) = (0, String::new());
        for c in group.chars() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    found.insert(word(item.trim()));
                    item.clear();
                    continue;
                }
                _ => {}
            }
            if depth == 0 {
                item.push(c);
            }
        }
        found.insert(word(item.trim()));
    }
    found.remove("");
    found
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let text = code(
        "use crate::{error::{Error, Result}, grid, kernel::Kernel};\n// crate::runtime\n\
         fn f() -> crate::plan::Plan {}\nlet a = $crate::x; \n#[cfg(test)]\nmod tests {\n\
         use crate::ops;\n}",
    );
    let found: Vec<_> = imports(&text).into_iter().collect();
    assert_eq!(found, ["error", "grid", "kernel", "plan"]);
}

#[test]
fn modules_import_only_from_below() {
    let mut wrong = Vec::new();
    for (path, text) in files() {
        let top = path.iter().next().unwrap().to_string_lossy().into_owned();
        let module = top.strip_suffix(".rs").unwrap_or(&top);
        if matches!(module, "lib" | "bin") || is_test(&path) {
            continue;
        }
        let Some(here) = floor(module) else {
            wrong.push(format!("{}: the module {module} is on no floor", path.display()));
            continue;
        };
        for import in imports(&code(&text)) {
            let allowed = import == module
                || floor(&import).is_some_and(|there| there < here)
                    && !FORBIDDEN.contains(&(module, &import));
            if !allowed {
                wrong.push(format!("{}: imports crate::{import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "upward or sideways imports:\n{}", wrong.join("\n"));
}

#[test]
fn every_floor_has_its_module_or_is_still_to_come() {
    for module in FLOORS.iter().copied().flatten() {
        let exists = source().join(module).join("mod.rs").exists()
            || source().join(format!("{module}.rs")).exists();
        // The report's data lives in runtime until it has a page of its own.
        assert!(exists || *module == "report", "no module {module}");
    }
}

#[test]
fn every_file_says_on_top_what_it_is_about() {
    for (path, text) in files() {
        assert!(text.starts_with("//!"), "{} does not begin with a `//!` comment", path.display());
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in files() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{} has {lines} lines", path.display());
    }
}

#[test]
fn no_file_or_folder_has_a_name_that_says_nothing() {
    for (path, _) in files() {
        for part in path.iter() {
            let part = part.to_string_lossy();
            let name = part.strip_suffix(".rs").unwrap_or(&part);
            assert!(!EMPTY_NAMES.contains(&name), "{}", path.display());
        }
    }
}
