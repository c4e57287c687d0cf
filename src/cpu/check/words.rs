//! The text of findings: messages, and notes that explain them.

use super::findings::Rule;
use crate::cpu::interpreter::memory::Planes;
use crate::cpu::interpreter::note::Step;

/// The note for memory that no invocation has written.
pub(super) const ZERO_BY_DEFAULT: &str =
    "it is zero only because WGSL zeroes it; if that is intended, write an explicit zero";

/// The note for a race.
pub(super) fn race_note(within: bool, storage: bool, both_write: bool) -> &'static str {
    match (within, storage, both_write) {
        (true, false, false) => "no workgroupBarrier() is between them",
        (true, false, true) => {
            "no workgroupBarrier() is between them; equal values make it no less a race"
        }
        (true, true, false) => {
            "no storageBarrier() is between them; workgroupBarrier() does not order storage"
        }
        (true, true, true) => {
            "no storageBarrier() is between them; workgroupBarrier() does not order storage, and \
             equal values make it no less a race"
        }
        (false, _, false) => "between workgroups of one dispatch, only atomic accesses are defined",
        (false, _, true) => {
            "between workgroups of one dispatch, only atomic accesses are defined; equal values make \
             it no less a race"
        }
    }
}

/// The address, the message and the note for an index that is out of bounds.
pub(super) fn outside(
    steps: &[Step],
    wrong: usize,
    count: u64,
    lane: usize,
    planes: &Planes<'_>,
) -> (String, String, &'static str) {
    let index = |reg: u32, signed: bool| match planes.lane(reg, lane) {
        value if signed => i64::from(value as i32),
        value => i64::from(value),
    };
    let text = |steps: &[Step]| {
        let mut out = String::new();
        for step in steps {
            match step {
                Step::Name(name) => out += name,
                Step::Member(name) => out += &format!(".{name}"),
                Step::Constant(at) => out += &format!("[{at}]"),
                Step::Index { reg, signed } => out += &format!("[{}]", index(*reg, *signed)),
            }
        }
        out
    };
    let at = match steps[wrong] {
        Step::Index { reg, signed } => index(reg, signed),
        _ => 0,
    };
    let whole = text(&steps[..wrong]);
    let has = if count == 1 { "1 element".to_owned() } else { format!("{count} elements") };
    let message = format!("index {at} is out of bounds of `{whole}`, which has {has}");
    (
        text(steps),
        message,
        "coexec reads zero there and writes nothing; other implementations may not",
    )
}

/// The address, the message and the note for an operation that only a part of a group reached.
pub(super) fn meeting(rule: Rule, count: usize, size: usize) -> (String, String, &'static str) {
    let (thing, group, note) = match rule {
        Rule::DivergentSubgroup => (
            "a subgroup operation",
            "subgroup",
            "all invocations of a subgroup must reach it, or none; the invocations that form \
             a subgroup differ from device to device",
        ),
        _ => (
            "a barrier",
            "workgroup",
            "all invocations of a workgroup must reach a barrier, or none",
        ),
    };
    let message = format!("only {count} of the {size} invocations of a {group} reach {thing}");
    (String::new(), message, note)
}
