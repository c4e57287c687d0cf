//! The graph of imports between the source files of a crate, read with `syn`.
//!
//! An edge leads from the file that names something to the file that defines it: a name that a `mod.rs`
//! re-exports leads to the file behind it. Code that is compiled for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// The path of a module from the crate's root, which is empty.
pub(crate) type Module = Vec<String>;

/// One source file.
pub(crate) struct File {
    /// Its path from the source folder.
    pub(crate) path: PathBuf,
    /// All of its text.
    pub(crate) text: String,
    /// The names that its `use` declarations bring in, with the paths behind them.
    names: BTreeMap<String, Module>,
    /// Every path that it names, from the root, except re-exports of its own children.
    mentions: BTreeSet<Module>,
    /// The types that have inherent methods here, as the file names them.
    implemented: BTreeSet<Module>,
}

/// An import from a file that does not lie below the importer.
pub(crate) struct Upward {
    /// The folder that has both children.
    pub(crate) folder: Module,
    importer: PathBuf,
    imported: PathBuf,
    /// The children of the folder that the importer and the imported file are, or lie in.
    children: (String, String),
}

impl fmt::Display for Upward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (above, below) = &self.children;
        let (from, to) = (self.importer.display(), self.imported.display());
        write!(f, "{from} imports from {to}: {below} is not in a group below {above}")
    }
}

/// All files of a crate, by module.
pub(crate) struct Graph {
    files: BTreeMap<Module, File>,
}

impl Graph {
    /// The graph of these files.
    pub(crate) fn of(sources: Vec<(PathBuf, String)>) -> Graph {
        let sources: Vec<_> = sources.into_iter().filter(|(path, _)| !is_test(path)).collect();
        let modules: BTreeSet<Module> = sources.iter().map(|(path, _)| module(path)).collect();
        let files = sources.into_iter().map(|(path, text)| {
            let here = module(&path);
            (here.clone(), File::parse(path, text, &here, &modules))
        });
        Graph { files: files.collect() }
    }

    /// The module whose file defines what `path` names.
    pub(crate) fn home(&self, path: &[String]) -> Module {
        self.follow(path, 0)
    }

    fn follow(&self, path: &[String], depth: usize) -> Module {
        let mut here = Module::new();
        for (at, name) in path.iter().enumerate() {
            here.push(name.clone());
            // A file, or a folder without a module file.
            let next = self.files.range(here.clone()..).next();
            if next.is_some_and(|(module, _)| module.starts_with(&here)) {
                continue;
            }
            here.pop();
            // A name that the file has imported.
            let Some(file) = self.files.get(&here) else { break };
            if depth < 16
                && let Some(behind) = file.names.get(name)
            {
                let full: Module = behind.iter().chain(&path[at + 1..]).cloned().collect();
                if full[..] != path[..] {
                    return self.follow(&full, depth + 1);
                }
            }
            break;
        }
        here
    }

    /// The files that each file imports from.
    pub(crate) fn edges(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let edge = |(here, file): (&Module, &File)| {
            let to = file.mentions.iter().map(|path| self.home(path)).filter(|to| to != here);
            (here.clone(), to.collect())
        };
        self.files.iter().map(edge).collect()
    }

    /// The children of each folder in the groups that its module file declares, lowest first: blank lines stand
    /// between groups.
    pub(crate) fn order(&self, folder: &Module) -> Vec<Vec<String>> {
        let mut groups = vec![Vec::new()];
        let Some(file) = self.files.get(folder) else { return Vec::new() };
        for line in file.text.lines() {
            let line = line.trim_end();
            if line.is_empty() {
                groups.push(Vec::new());
            }
            let plain = match line.strip_prefix("pub") {
                Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or(rest, |r| r.1),
                Some(rest) => rest.trim_start(),
                None => line,
            };
            let name = plain.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
            groups.last_mut().unwrap().extend(name.map(str::to_owned));
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// Circles of files: each strongly connected set of more than one.
    pub(crate) fn circles(&self) -> Vec<Vec<Module>> {
        let edges = self.edges();
        let reach = |from: &Module| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from.clone()]);
            while let Some(at) = open.pop() {
                for to in edges.get(&at).into_iter().flatten() {
                    if seen.insert(to.clone()) {
                        open.push(to.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<_, _> = self.files.keys().map(|file| (file, reach(file))).collect();
        let mut circles = BTreeSet::new();
        for (file, below) in &reached {
            let mut circle: Vec<Module> =
                below.iter().filter(|other| reached[other].contains(*file)).cloned().collect();
            circle.sort();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// Imports against the order of groups.
    pub(crate) fn upward(&self) -> Vec<Upward> {
        let mut wrong = Vec::new();
        for (from, to) in self.edges().iter().flat_map(|(a, all)| all.iter().map(move |b| (a, b))) {
            let shared = from.iter().zip(to).take_while(|(a, b)| a == b).count();
            let (Some(above), Some(below)) = (from.get(shared), to.get(shared)) else { continue };
            let folder = from[..shared].to_vec();
            let order = self.order(&folder);
            let group = |name: &String| order.iter().position(|group| group.contains(name));
            if !matches!((group(above), group(below)), (Some(above), Some(below)) if below < above)
            {
                wrong.push(Upward {
                    folder,
                    importer: self.files[from].path.clone(),
                    imported: self.files[to].path.clone(),
                    children: (above.clone(), below.clone()),
                });
            }
        }
        wrong
    }

    /// Types with inherent methods in a file that does not define them: the file that does, and a line that says so.
    pub(crate) fn scattered(&self) -> Vec<(Module, String)> {
        let mut wrong = Vec::new();
        for (here, file) in &self.files {
            for path in &file.implemented {
                let home = self.home(path);
                if home != *here {
                    let line = format!(
                        "{} has methods of {}, which {} defines",
                        file.path.display(),
                        path.last().unwrap(),
                        self.files[&home].path.display(),
                    );
                    wrong.push((home, line));
                }
            }
        }
        wrong
    }
}

/// Every Rust file below `folder`: its path from there, and its text.
pub(crate) fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(&here).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(folder).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// Modules in one line.
pub(crate) fn list(modules: &[Module]) -> String {
    modules.iter().map(|module| module.join("/")).collect::<Vec<_>>().join(", ")
}

/// Whether a file is compiled for tests only.
pub(crate) fn is_test(path: &Path) -> bool {
    path.iter().any(|part| {
        let part = part.to_string_lossy();
        let name = part.strip_suffix(".rs").unwrap_or(&part);
        name == "tests" || name.ends_with("_tests")
    })
}

/// The module of a file by its path.
fn module(path: &Path) -> Module {
    let mut parts: Module =
        path.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

impl File {
    fn parse(path: PathBuf, text: String, here: &Module, modules: &BTreeSet<Module>) -> File {
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut reader = Reader { here: here.clone(), modules, out: Default::default() };
        reader.visit_file(&syntax);
        let Found { names, mentions, implemented } = reader.out;
        File { path, text, names, mentions, implemented }
    }
}

#[derive(Default)]
struct Found {
    names: BTreeMap<String, Module>,
    mentions: BTreeSet<Module>,
    implemented: BTreeSet<Module>,
}

/// Collects what one file names.
struct Reader<'a> {
    here: Module,
    modules: &'a BTreeSet<Module>,
    out: Found,
}

impl Reader<'_> {
    /// A path from the crate's root, if it is one of this crate.
    fn rooted(&self, path: &[String]) -> Option<Module> {
        let mut base = self.here.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                // A program is a crate of its own.
                let root = if base.first().is_some_and(|top| top == "bin") { 2 } else { 0 };
                base.truncate(root);
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            name => {
                // A child, or a name that a `use` brought in.
                let mut child = base.clone();
                child.push(name.to_owned());
                if !self.modules.contains(&child) {
                    let behind = self.out.names.get(name)?;
                    return Some(behind.iter().chain(&path[1..]).cloned().collect());
                }
            }
        }
        base.extend(rest.iter().cloned());
        Some(base)
    }

    fn mention(&mut self, path: &[String]) {
        if let Some(path) = self.rooted(path) {
            self.out.mentions.insert(path);
        }
    }

    fn import(&mut self, tree: &UseTree, before: &mut Module, visible: bool) {
        match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.import(&path.tree, before, visible);
                before.pop();
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, visible);
                }
            }
            UseTree::Glob(_) => {
                if let Some(path) = self.rooted(before) {
                    self.out.mentions.insert(path);
                }
            }
            UseTree::Name(_) | UseTree::Rename(_) => {
                let (name, alias) = match tree {
                    UseTree::Name(name) => (name.ident.to_string(), name.ident.to_string()),
                    UseTree::Rename(as_) => (as_.ident.to_string(), as_.rename.to_string()),
                    _ => unreachable!(),
                };
                let mut path = before.clone();
                let alias = if name == "self" { path.last().cloned() } else { Some(alias) };
                if name != "self" {
                    path.push(name);
                }
                let (Some(path), Some(alias)) = (self.rooted(&path), alias) else { return };
                let own_child = path.len() > self.here.len() && path.starts_with(&self.here);
                if !(visible && own_child) {
                    self.out.mentions.insert(path.clone());
                }
                self.out.names.insert(alias, path);
            }
        }
    }

    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Module = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                _ => {}
            }
            if !path.is_empty() {
                self.mention(&path);
                path.clear();
            }
            colons = 0;
            match token {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(ident) => path.push(ident.to_string()),
                _ => {}
            }
        }
        self.mention(&path);
    }
}

fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        if !list.path.is_ident("cfg") {
            return false;
        }
        let condition = list.tokens.to_string();
        condition == "test"
            || condition.starts_with("all (test")
            || condition.starts_with("all(test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_file(&mut self, file: &'ast syn::File) {
        // Imports first: paths below them may begin with the names that they bring in.
        for item in &file.items {
            if let Item::Use(item) = item
                && !for_tests(&item.attrs)
            {
                let visible = !matches!(item.vis, syn::Visibility::Inherited);
                self.import(&item.tree, &mut Module::new(), visible);
            }
        }
        for item in file.items.iter().filter(|item| !matches!(item, Item::Use(_))) {
            self.visit_item(item);
        }
    }

    fn visit_item(&mut self, item: &'ast Item) {
        if for_tests(attributes(item)) {
            return;
        }
        if let Item::Mod(inline) = item
            && inline.content.is_some()
        {
            self.here.push(inline.ident.to_string());
            visit::visit_item(self, item);
            self.here.pop();
            return;
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // An import inside of a function or an inline module.
        self.import(&item.tree, &mut Module::new(), false);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if item.trait_.is_none()
            && let syn::Type::Path(of) = &*item.self_ty
        {
            let path: Module = of.path.segments.iter().map(|s| s.ident.to_string()).collect();
            if let Some(path) = self.rooted(&path) {
                self.out.implemented.insert(path);
            }
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Module = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if names.len() > 1 {
            self.mention(&names);
        }
        visit::visit_path(self, path);
    }

    // `pub(in crate::cpu)` is no import.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
    }
}
