//! A kernel with its inputs and expected outputs, written in the kernel's own comments.
//!
//! `filetests/README.md` documents the language. A [`Case`] is plain data: [`Case::parse`] reads
//! it, `run` executes it. This file does not depend on the engines.

#![allow(dead_code, unused_imports, reason = "each test binary uses its part of this")]

mod run;
mod values;

pub(crate) use run::Outputs;
pub(crate) use values::Slot;

use values::{parse_count, parse_values, parse_wants};

/// The initial contents of a storage binding, or the value of a uniform or an immediate.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Whether it is a uniform or an immediate.
    pub(crate) by_value: bool,
}

/// The expected contents of a storage binding after the launch, scalar by scalar.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) slots: Vec<Slot>,
}

/// The grid of the launch.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Size {
    Workgroups([u32; 3]),
    Invocations([u32; 3]),
}

/// Whether a launch that is asked to split may, must or must not be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Any,
    Split,
    Whole,
}

/// The allowed distance of floats from the expected values.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tolerance {
    /// The absolute and the relative distance. A float within one of them is right.
    pub(crate) distance: Option<(f64, f64)>,
    /// Replaces `distance` on GPUs.
    pub(crate) gpu_distance: Option<(f64, f64)>,
    /// The distance in units in the last place. It holds on the CPU, and on GPUs if there is no
    /// `distance`.
    pub(crate) ulps: Option<u32>,
}

/// One filetest.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) size: Option<Size>,
    pub(crate) entry: Option<String>,
    pub(crate) constants: Vec<(String, f64)>,
    pub(crate) given: Vec<Given>,
    pub(crate) expected: Vec<Expected>,
    pub(crate) tolerance: Tolerance,
    /// Why the case runs on the CPU only, if it does.
    pub(crate) only_cpu: Option<String>,
    pub(crate) cut: Cut,
    /// The findings that `check` must report, in the form that `tests/check.rs` reads.
    pub(crate) finds: Vec<String>,
    /// Whether `check` runs with lints.
    pub(crate) lint: bool,
    /// Texts that the launch's error message must contain. If there are any, the launch must fail.
    pub(crate) errors: Vec<String>,
    kernel: std::sync::OnceLock<coexec::Result<coexec::Kernel>>,
}

impl Case {
    /// Reads the `//!` lines of a kernel.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Case, String> {
        let case = Case::parse_inputs(name, text)?;
        if case.expected.is_empty() && case.errors.is_empty() {
            return Err(format!("{name}: no `expect` and no `error`: the test could not fail"));
        }
        Ok(case)
    }

    /// As [`Case::parse`], but without the need for expectations: the caller checks the outputs.
    pub(crate) fn parse_inputs(name: &str, text: &str) -> Result<Case, String> {
        let mut case = Case {
            name: name.to_owned(),
            text: text.to_owned(),
            size: None,
            entry: None,
            constants: Vec::new(),
            given: Vec::new(),
            expected: Vec::new(),
            tolerance: Tolerance::default(),
            only_cpu: None,
            cut: Cut::Any,
            finds: Vec::new(),
            lint: false,
            errors: Vec::new(),
            kernel: std::sync::OnceLock::new(),
        };
        for (number, line) in text.lines().enumerate() {
            let Some(line) = line.trim_start().strip_prefix("//!") else { continue };
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            case.line(line).map_err(|e| format!("{name}:{}: {e}: `{line}`", number + 1))?;
        }
        Ok(case)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "workgroups" => self.size = Some(Size::Workgroups(extent(rest)?)),
            "invocations" => self.size = Some(Size::Invocations(extent(rest)?)),
            "entry" => self.entry = Some(rest.to_owned()),
            "constant" => {
                let (name, value) = two(rest)?;
                self.constants.push((name.to_owned(), number(value)?));
            }
            "bind" | "set" => {
                let (name, values) = two(rest)?;
                let bytes = parse_values(values)?;
                match self.given.iter_mut().find(|g| g.name == name) {
                    Some(given) => given.bytes.extend(bytes),
                    None => self.given.push(Given {
                        name: name.to_owned(),
                        bytes,
                        by_value: word == "set",
                    }),
                }
            }
            "zeros" => {
                let (name, shape) = two(rest)?;
                let bytes = vec![0; parse_count(shape)?];
                self.given.push(Given { name: name.to_owned(), bytes, by_value: false });
            }
            "expect" => {
                let (name, values) = two(rest)?;
                let slots = parse_wants(values)?;
                match self.expected.iter_mut().find(|e| e.name == name) {
                    Some(expected) => expected.slots.extend(slots),
                    None => self.expected.push(Expected { name: name.to_owned(), slots }),
                }
            }
            "tolerance" | "gpu-tolerance" => {
                let (absolute, relative) = two(rest)?;
                let distance = Some((number(absolute)?, number(relative)?));
                match word {
                    "tolerance" => self.tolerance.distance = distance,
                    _ => self.tolerance.gpu_distance = distance,
                }
            }
            "ulps" => {
                self.tolerance.ulps = Some(rest.parse().map_err(|_| "a number of ULPs".to_owned())?)
            }
            "only" => match rest.strip_prefix("cpu:") {
                Some(reason) if !reason.trim().is_empty() => {
                    self.only_cpu = Some(reason.trim().to_owned());
                }
                _ => return Err("write `only cpu: the reason`".to_owned()),
            },
            "finds" => self.finds.push(rest.to_owned()),
            "lint" => self.lint = true,
            "split" => self.cut = Cut::Split,
            "whole" => self.cut = Cut::Whole,
            "error" => {
                let text = rest
                    .strip_prefix('"')
                    .and_then(|r| r.strip_suffix('"'))
                    .filter(|t| !t.is_empty())
                    .ok_or("write `error \"a part of the message\"`")?;
                self.errors.push(text.to_owned());
            }
            _ => return Err(format!("unknown word `{word}`")),
        }
        Ok(())
    }
}

fn two(rest: &str) -> Result<(&str, &str), String> {
    rest.split_once(char::is_whitespace)
        .map(|(a, b)| (a, b.trim()))
        .ok_or_else(|| "two parts are needed".to_owned())
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("`{text}` is not a number"))
}

fn extent(text: &str) -> Result<[u32; 3], String> {
    let mut out = [1; 3];
    let parts: Vec<_> = text.split(',').collect();
    if parts.len() > 3 {
        return Err("at most three extents".to_owned());
    }
    for (slot, part) in out.iter_mut().zip(parts) {
        *slot = part.trim().parse().map_err(|_| format!("`{part}` is not an extent"))?;
    }
    Ok(out)
}
