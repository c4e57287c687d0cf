//! The order of the source files: each folder's module file declares it, and imports follow it.
//!
//! A folder's `mod.rs` (`lib.rs` for the whole crate) lists its children in groups with blank lines between them, the lowest group
//! first. A child imports only from lower groups, so no circle of files can arise. Every source file also has a comment on top, a
//! telling name, a bounded length, and all methods of the types that it defines.
//!
//! Test code (files and folders named after tests, and code after `#[cfg(test)]`) may import anything.

mod graph;

use std::path::{Path, PathBuf};

use graph::{Graph, Module};

/// Forbidden imports of lower rooms: an executor does not know which device gets which chunk.
const FORBIDDEN: &[(&str, &str)] = &[("cpu", "plan"), ("gpu", "plan")];

/// Folders and files that are not in order yet, by their paths.
const OPEN: &[&str] = &["cpu/cranelift", "cpu/llvm"];

/// Names that say nothing.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "base", "common", "misc"];

const MOST_LINES: usize = 1000;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files() -> Vec<(PathBuf, String)> {
    let found = graph::sources(&source());
    assert!(found.len() > 20, "the walk found next to nothing");
    found
}

fn crate_graph() -> Graph {
    Graph::of(files())
}

fn is_open(module: &Module) -> bool {
    let path = module.join("/");
    let inside = |open: &&str| {
        path.strip_prefix(*open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    OPEN.iter().any(inside)
}

/// A crate of these files.
fn planted(files: &[(&str, &str)]) -> Graph {
    Graph::of(files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect())
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = crate_graph().circles();
    circles.retain(|circle| !circle.iter().all(is_open));
    let lines: Vec<String> = circles.iter().map(|circle| graph::list(circle)).collect();
    assert!(lines.is_empty(), "circles of imports:\n{}", lines.join("\n"));
}

#[test]
fn files_import_only_from_groups_below_their_own() {
    let graph = crate_graph();
    let mut wrong: Vec<String> = Vec::new();
    for import in graph.upward() {
        if !is_open(&import.folder) {
            wrong.push(import.to_string());
        }
    }
    for (from, to) in graph.edges().iter().flat_map(|(a, all)| all.iter().map(move |b| (a, b))) {
        if let (Some(from), Some(to)) = (from.first(), to.first())
            && FORBIDDEN.contains(&(from.as_str(), to.as_str()))
        {
            wrong.push(format!("{from} imports from {to}"));
        }
    }
    assert!(wrong.is_empty(), "imports against the declared order:\n{}", wrong.join("\n"));
}

#[test]
fn the_methods_of_a_type_stand_in_the_file_that_defines_it() {
    let mut wrong = crate_graph().scattered();
    wrong.retain(|(home, _)| !is_open(home));
    let lines: Vec<String> = wrong.into_iter().map(|(_, line)| line).collect();
    assert!(lines.is_empty(), "methods away from their types:\n{}", lines.join("\n"));
}

#[test]
fn a_planted_circle_is_found() {
    let graph = planted(&[
        ("lib.rs", "mod a;\n\nmod b;"),
        ("a.rs", "fn f() { let x = crate::b::Ring::default(); }"),
        ("b/mod.rs", "mod c;\n\npub(crate) use c::Ring;"),
        ("b/c.rs", "use crate::a;\npub(crate) struct Ring;"),
    ]);
    assert_eq!(graph.circles(), [[vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()]]]);
}

#[test]
fn a_planted_upward_import_is_found_in_every_form() {
    for import in [
        "use crate::b::X;",
        "use super::b::{self, X};",
        "fn f(x: &crate::b::X) {}",
        "fn f() { println!(\"{}\", crate::b::X); }",
        "fn f() { use super::b; }",
        "mod inner { use super::super::b::X; }",
    ] {
        let graph = planted(&[
            ("lib.rs", "mod a;\n\nmod b;"),
            ("a.rs", import),
            ("b.rs", "pub(crate) struct X;"),
        ]);
        let found: Vec<String> = graph.upward().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a.rs imports from b.rs: b is not in a group below a"], "{import}");
    }
}

#[test]
fn imports_that_follow_the_order_or_serve_tests_are_allowed() {
    let graph = planted(&[
        ("lib.rs", "mod a;\n\nmod b;\n\npub use b::X;"),
        ("a.rs", "// use crate::b;\n#[cfg(test)]\nmod checks { use crate::b::X; }"),
        ("b.rs", "use crate::a;\npub struct X;\nimpl X { fn f() {} }"),
    ]);
    assert!(graph.upward().is_empty() && graph.circles().is_empty());
    assert!(graph.scattered().is_empty());
}

#[test]
fn a_method_away_from_its_type_is_found() {
    let graph = planted(&[
        ("lib.rs", "mod a;\n\nmod b;"),
        ("a.rs", "pub(crate) struct X;"),
        ("b.rs", "use crate::a::X;\nimpl X { fn f() {} }"),
    ]);
    assert_eq!(graph.scattered().len(), 1);
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
