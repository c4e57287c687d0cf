//! Check mode on planted bugs, on the same kernels mended, and on correct kernels.
//!
//! A file of `filetests/check` is two kernels: lines `//- code` are in the kernel with the bug, lines
//! `//+ code` in the mended one. `//! finds RULE A B [ADDRESS]` expects a finding of that rule, and of
//! that address if given, at the lines marked `<A>` and `<B>`, in either order. The kernel with the
//! bug must have no other findings, the mended one none.

mod case;
mod engines;
#[path = "conformance/reference.rs"]
mod reference;

use std::path::{Path, PathBuf};

use case::Case;
use coexec::{Buffer, Finding, Findings, Kernel, Rule, Runtime};

fn runtime() -> Runtime {
    Runtime::builder().devices("cpu").build().expect("the CPU")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "wgsl") {
                found.push(path);
            }
        }
    }
    found.sort();
    let only = std::env::var("COEXEC_FILETEST").unwrap_or_default();
    found.retain(|path| path.to_string_lossy().contains(&only));
    found
}

/// The text of one of the two kernels of a file.
fn version(text: &str, mended: bool) -> String {
    let (with, without) = if mended { ("//+", "//-") } else { ("//-", "//+") };
    let lines = text.lines().map(|line| match line.trim_start() {
        rest if rest.starts_with(with) => line.replacen(with, "", 1),
        rest if rest.starts_with(without) => String::new(),
        _ => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

fn check(case: &Case) -> Result<Findings, String> {
    let kernel = case.kernel().map_err(|error| error.to_string())?;
    let (launch, buffers) = case.describe(&kernel, &runtime());
    let found = if case.lint { launch.check_with_lints() } else { launch.check() };
    for (given, buffer) in case.given.iter().zip(&buffers) {
        let kept = buffer.as_ref().is_none_or(|b| b.to_vec().is_ok_and(|b| b == given.bytes));
        assert!(kept, "{}: check changed `{}`", case.name, given.name);
    }
    found.map_err(|error| error.to_string())
}

fn lines(finding: &Finding) -> [u32; 2] {
    let first = finding.first.line;
    let mut lines = [first, finding.second.as_ref().map_or(first, |second| second.line)];
    lines.sort_unstable();
    lines
}

/// Whether a finding matches a `finds` line.
fn meets(finding: &Finding, expected: &str, text: &str) -> bool {
    let words: Vec<&str> = expected.split_whitespace().collect();
    let line = |mark: &str| {
        let mark = format!("<{mark}>");
        // `finds` lines name marks without brackets, so the match is a line of code.
        let at = text.lines().position(|line| line.contains(&mark));
        at.unwrap_or_else(|| panic!("no line is marked {mark}")) as u32 + 1
    };
    let mut wanted = [line(words[1]), line(words[2])];
    wanted.sort_unstable();
    finding.rule.name() == words[0]
        && lines(finding) == wanted
        && words.get(3).is_none_or(|address| finding.address == *address)
}

#[test]
fn every_planted_bug_is_found_and_nothing_else() {
    let mut failures = Vec::new();
    let mut planted = 0;
    for path in files("filetests/check") {
        let text = std::fs::read_to_string(&path).expect("a kernel");
        let name = path.file_name().expect("a name").to_string_lossy();
        let text = version(&text, false);
        let case = Case::parse_inputs(&name, &text).unwrap_or_else(|error| panic!("{error}"));
        assert!(!case.finds.is_empty(), "{name} expects nothing");
        planted += case.finds.len();
        match check(&case) {
            Err(error) => failures.push(format!("{name}: {error}")),
            Ok(found) => {
                let has = |e: &String| found.findings.iter().any(|f| meets(f, e, &text));
                let foreseen = |f: &Finding| {
                    let place =
                        |e: &String| e.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
                    case.finds.iter().any(|e| meets(f, &place(e), &text))
                };
                let missing: Vec<_> = case.finds.iter().filter(|e| !has(e)).collect();
                if !missing.is_empty() || !found.findings.iter().all(foreseen) {
                    failures.push(format!("{name}: missing {missing:?} in\n{found}"));
                }
            }
        }
    }
    assert!(planted >= 25 || std::env::var_os("COEXEC_FILETEST").is_some());
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn the_mended_kernels_have_no_findings() {
    for path in files("filetests/check") {
        let text = std::fs::read_to_string(&path).expect("a kernel");
        let name = path.file_name().expect("a name").to_string_lossy();
        assert!(text.contains("//+") || text.contains("//-"), "{name} is mended nowhere");
        let case = Case::parse_inputs(&name, &version(&text, true)).expect("a kernel");
        let found = check(&case).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(found.findings.is_empty(), "{name}, mended:\n{found}");
    }
}

/// A warning of the plan that no finding confirms, or a finding that the plan should warn of.
fn false_warning(case: &Case, found: &Findings) -> Option<String> {
    let kernel = case.kernel().expect("it was checked");
    let (launch, _buffers) = case.describe(&kernel, &runtime());
    let plan = launch.plan().expect("it was checked");
    let has = |rule: Rule| found.findings.iter().any(|finding| finding.rule == rule);
    let outside = plan.warnings().iter().find(|w| w.contains("outside"));
    let barrier = plan.warnings().iter().any(|w| w.contains("barrier"));
    match outside {
        Some(warning) if !has(Rule::OutOfBounds) => Some(format!("wrongly: {warning}")),
        _ if has(Rule::DivergentBarrier) && !barrier => {
            Some("no warning of the barrier".to_owned())
        }
        _ => None,
    }
}

/// Filetests with errors on purpose: folders and files, and the rules that they may break.
const WRONG: &[(&str, &[Rule])] = &[
    ("bounds/", &[Rule::OutOfBounds]),
    ("splitting/gather.wgsl", &[Rule::OutOfBounds]),
    ("splitting/neighbours_in_place.wgsl", &[Rule::OutOfBounds]),
    ("workgroup/barrier_in_divergent_branch.wgsl", &[Rule::DivergentBarrier]),
    ("workgroup/barrier_in_divergent_loop.wgsl", &[Rule::DivergentBarrier]),
    ("workgroup/barrier_in_switch.wgsl", &[Rule::DivergentBarrier]),
    ("workgroup/returned_before_barriers.wgsl", &[Rule::DivergentBarrier]),
];

#[test]
fn the_filetests_have_no_errors_but_those_that_they_are_about() {
    let mut failures = Vec::new();
    let mut checked = 0;
    let mut wrong: Vec<String> = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    for path in files("filetests") {
        let name = path.strip_prefix(&root).expect("a filetest").to_string_lossy().into_owned();
        if name.starts_with("check/") || name.starts_with("errors/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a filetest");
        let case = Case::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"));
        if !case.errors.is_empty() {
            continue;
        }
        checked += 1;
        match check(&case) {
            Err(error) => failures.push(format!("{name}: {error}")),
            Ok(found) => {
                failures
                    .extend(false_warning(&case, &found).map(|w| format!("{name}: {w}\n{found}")));
                let allowed: Vec<Rule> = WRONG
                    .iter()
                    .filter(|(prefix, _)| name.starts_with(prefix))
                    .flat_map(|(_, rules)| rules.iter().copied())
                    .collect();
                let unforeseen = found.findings.iter().any(|f| !allowed.contains(&f.rule));
                if !found.findings.is_empty() {
                    wrong.push(name.clone());
                }
                if unforeseen {
                    failures.push(format!("{name}\n{found}"));
                }
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {checked} failed\n{}",
        failures.len(),
        failures.join("\n\n")
    );
    if std::env::var_os("COEXEC_FILETEST").is_none() {
        for (prefix, _) in WRONG {
            assert!(wrong.iter().any(|name| name.starts_with(prefix)), "{prefix} has no errors");
        }
    }
}

#[test]
fn the_kernels_of_the_crate_have_no_findings() {
    let runtime = runtime();
    for case in reference::CASES {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("kernels/{}.wgsl", case.name));
        let text = std::fs::read_to_string(path).expect("a kernel");
        let kernel = Kernel::from_wgsl(&text).expect("a kernel");
        for job in (case.awkward)() {
            let buffers: Vec<_> =
                job.buffers.iter().map(|(name, b)| (*name, Buffer::<u8>::from_slice(b))).collect();
            let mut launch = runtime.launch(&kernel);
            for (name, bytes) in &job.uniforms {
                launch = launch.set_bytes(name, bytes.clone());
            }
            for (name, buffer) in &buffers {
                launch = launch.bind(name, buffer);
            }
            launch = match job.grid {
                reference::Grid::Invocations(count) => launch.invocations(count.map(u64::from)),
                reference::Grid::Workgroups(count) => launch.workgroups(count.map(u64::from)),
            };
            let warnings = launch.clone().plan().expect("a plan").warnings().to_vec();
            assert!(warnings.is_empty(), "{}, {}: {warnings:?}", case.name, job.shape);
            let found = launch.check().unwrap_or_else(|e| panic!("{}: {e}", case.name));
            assert!(found.findings.is_empty(), "{}, {}\n{found}", case.name, job.shape);
        }
    }
}

#[test]
fn an_endless_loop_is_reported_with_its_probable_cause() {
    let launch = |first: &str| {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> flag: array<u32>;
            @compute @workgroup_size(2)
            fn main(@builtin(local_invocation_index) l: u32) {{
                {first}
                while flag[0] != 1u {{ flag[l + 1u] += 1u; }}
            }}"
        );
        let kernel = Kernel::from_wgsl(&text).expect("a kernel");
        let flag = Buffer::<u32>::zeroed(4);
        let launch = runtime().launch(&kernel).bind("flag", &flag);
        launch.workgroups([1, 1, 1]).loop_budget(1000).check()
    };
    let clean = launch("");
    assert!(matches!(clean, Err(coexec::Error::EndlessLoop { .. })), "{clean:?}");
    let found = launch("flag[3] = l;").expect("findings");
    assert_eq!((found.errors(), found.findings[0].rule), (1, Rule::RaceInWorkgroup));
    assert!(found.stopped.is_some() && found.workgroups == 0);
    assert!(found.to_string().contains("flag[3]"), "{found}");
}

#[test]
fn a_finding_names_the_invocations_by_all_their_ids() {
    let text = "struct Cell { at: vec3<f32>, kind: u32 }
        struct Field { count: u32, cells: array<Cell> }
        @group(0) @binding(0) var<storage, read_write> field: Field;
        @compute @workgroup_size(2, 2)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if all(id == vec3(1, 2, 0)) { field.cells[3].at.y = 1.0; }
            if all(id == vec3(2, 3, 0)) { field.cells[3].at.y = 1.0; }
            field.cells[id.y * 4 + id.x].kind = 1u;
        }";
    let kernel = Kernel::from_wgsl(text).expect("a kernel");
    let field = Buffer::<u8>::zeroed(16 + 16 * 16);
    let found = runtime().launch(&kernel).bind("field", &field).workgroups([2, 2, 1]).check();
    let found = found.expect("findings");
    let [race] = &found.findings[..] else { panic!("{found}") };
    assert_eq!((race.rule, race.count), (Rule::RaceAcrossWorkgroups, 1));
    assert_eq!(race.address, "field.cells[3].at.y");
    assert_eq!((race.first.line, race.first.column), (6, 43));
    let ids = race.first.invocation;
    assert_eq!((ids.global, ids.workgroup, ids.local), ([1, 2, 0], [0, 1, 0], [1, 0, 0]));
    let second = race.second.as_ref().expect("two sides");
    let ids = second.invocation;
    assert_eq!((ids.global, ids.workgroup, ids.local), ([2, 3, 0], [1, 1, 0], [0, 1, 0]));
    assert_eq!(second.line, 7);
}

#[test]
fn memory_that_is_zero_by_default_is_reported_once_and_an_explicit_zero_not_at_all() {
    let found = |row: &str| {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
            @compute @workgroup_size(2)
            fn main(@builtin(local_invocation_index) l: u32) {{
                {row}
                row[0] = 3.0;
                for (var k = 0u; k < 4u; k++) {{ dst[l] += row[k]; }}
                for (var k = 0u; k < 4u; k++) {{ dst[l] *= row[k]; }}
            }}"
        );
        let kernel = Kernel::from_wgsl(&text).expect("a kernel");
        let dst = Buffer::<f32>::zeroed(2);
        let launch = runtime().launch(&kernel).bind("dst", &dst).workgroups([1, 1, 1]);
        launch.check_with_lints().expect("findings")
    };
    let by_default = found("var row: array<f32, 4>;");
    let [finding] = &by_default.findings[..] else { panic!("{by_default}") };
    assert_eq!((finding.rule, finding.first.line), (Rule::UnwrittenRead, 6));
    // Two invocations read three elements each.
    assert_eq!(finding.count, 6);
    let explicit = found("var row = array<f32, 4>();");
    assert!(explicit.findings.is_empty(), "{explicit}");
}

#[test]
fn races_on_one_variable_between_the_same_lines_are_one_finding() {
    let text = "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> b: array<u32>;
        @compute @workgroup_size(8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x + 2;
            if id.x < 4 { a[i] = a[i + 1]; b[i] = b[i + 1]; } else { a[i] = a[i - 1]; b[i] = b[i - 1]; }
        }";
    let kernel = Kernel::from_wgsl(text).expect("a kernel");
    let (a, b) = (Buffer::<u32>::zeroed(12), Buffer::<u32>::zeroed(12));
    let launch = runtime().launch(&kernel).bind("a", &a).bind("b", &b).workgroups([1, 1, 1]);
    let found = launch.check().expect("findings");
    let told: Vec<_> = found.findings.iter().map(|f| (&f.address[..1], f.first.line)).collect();
    assert_eq!(told, [("a", 6), ("b", 6)], "{found}");
    // The count includes the accesses of both branches.
    assert!(found.findings.iter().all(|finding| finding.count > 4), "{found}");
}
