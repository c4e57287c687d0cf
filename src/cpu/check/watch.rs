//! Receives the notes of a watched program, keeps the shadows, and collects findings.
//!
//! The epoch of an access is the number of barriers that its workgroup has passed, counted apart for workgroup
//! memory and storage. Lanes of a batch are numbered workgroup after workgroup.

use std::collections::HashMap;
use std::ops::Range;

use naga::{Block, Span, Statement};

use super::findings::{Action, Finding, Findings, Invocation, Rule, Wanted, Witness};
use super::lints::{self, Written};
use super::shadow::{StorageShadow, Toucher, WorkgroupShadow};
use super::{addresses, words};
use crate::cpu::interpreter::bytecode::{Address, Memory, NONE, OUTSIDE, Program};
use crate::cpu::interpreter::functions::WIDTH;
use crate::cpu::interpreter::memory::{ABSENT, Planes};
use crate::cpu::interpreter::note::{Checked, Extent, Fact, Note, Step};
use crate::cpu::interpreter::{Probe, Touch};
use crate::device::{Chunk, ChunkBinding};
use crate::kernel::{BindingId, ScalarType, Space};

/// The findings of one rule at the same places, described by the first of them.
struct Record {
    rule: Rule,
    first: Toucher,
    second: Option<Toucher>,
    /// Where the second invocation's control flow diverged, if that place is not a site.
    parted: Option<Span>,
    address: String,
    message: String,
    note: &'static str,
    count: u64,
    across_chunks: u64,
}

#[derive(Clone, Copy, Default)]
struct Epoch {
    workgroup: u32,
    storage: u32,
}

pub(super) struct Watcher<'c> {
    chunk: &'c Chunk<'c>,
    program: &'c Program,
    wanted: Wanted,
    /// Invocations of a workgroup.
    size: usize,
    /// Position of the batch's first workgroup in the chunk, and the number of workgroups that run.
    start: u32,
    groups: usize,
    epochs: Vec<Epoch>,
    /// For each lane, its workgroup in the batch and its local index.
    lanes: Vec<(u16, u16)>,
    workgroup: WorkgroupShadow,
    /// By binding; `None` if no invocation writes to it.
    storage: Vec<Option<StorageShadow>>,
    words_written: Written,
    planes_written: Written,
    /// For each lane, the site where it returned, if it did.
    returned: Vec<Option<u16>>,
    records: Vec<Record>,
    known: HashMap<(Rule, u16, u16), usize>,
    /// The record of the last finding, which the next one often repeats.
    latest: Option<((Rule, u16, u16), usize)>,
    /// The axis along which the imagined chunks are cut, and the number of workgroups of each.
    cut: Option<(usize, u64)>,
}

impl<'c> Watcher<'c> {
    pub(super) fn new(chunk: &'c Chunk<'c>, program: &'c Program, wanted: Wanted) -> Watcher<'c> {
        let size = program.invocations() as usize;
        let pack = program.pack as usize;
        let bindings = &chunk.kernel.signature().bindings;
        let storage = bindings
            .iter()
            .zip(&chunk.bindings)
            .map(|(binding, bound)| match bound {
                ChunkBinding::Storage { memory, .. } if binding.space == Space::StorageWrite => {
                    let mut scalars =
                        binding.header_scalars().iter().chain(binding.element_scalars());
                    let halves = scalars.any(|&(_, scalar)| scalar == ScalarType::F16);
                    Some(StorageShadow::new(memory.len() as u64, halves))
                }
                _ => None,
            })
            .collect();
        let lanes = (size * pack).next_multiple_of(WIDTH);
        let kept = if wanted.lints { program.slots as usize * lanes } else { 0 };
        Watcher {
            chunk,
            program,
            wanted,
            size,
            start: 0,
            groups: 0,
            epochs: vec![Epoch::default(); pack],
            lanes: (0..lanes)
                .map(|lane| ((lane / size).min(pack - 1) as u16, (lane % size) as u16))
                .collect(),
            workgroup: WorkgroupShadow::new(program.workgroup_words),
            storage,
            words_written: Written::new(if wanted.lints { program.workgroup_words } else { 0 }),
            planes_written: Written::new(kept),
            returned: vec![None; lanes],
            records: Vec::new(),
            known: HashMap::new(),
            latest: None,
            cut: wanted.chunks.and_then(|chunks| {
                let axis = (0..3).rev().find(|&axis| chunk.groups.count[axis] > 1)?;
                let extent = u64::from(chunk.groups.count[axis]);
                Some((axis, extent.div_ceil(u64::from(chunks.max(1)))))
            }),
        }
    }

    /// Begins a batch of `groups` workgroups.
    pub(super) fn begin(&mut self, start: u64, groups: u64) {
        self.start = start as u32;
        self.groups = groups as usize;
        self.epochs.fill(Epoch::default());
        self.words_written.clear();
        self.planes_written.clear();
        self.returned.fill(None);
    }

    #[inline(always)]
    fn toucher(&self, lane: usize, site: u16) -> Toucher {
        let (group, local) = self.lanes[lane];
        Toucher { group: self.start + u32::from(group), local, site }
    }

    /// Counts a finding. `describe` gives the address, message and note of the first one.
    fn find(
        &mut self,
        rule: Rule,
        first: Toucher,
        second: Option<Toucher>,
        parted: Option<Span>,
        describe: impl FnOnce(&Self) -> (String, String, &'static str),
    ) {
        let across = match (self.cut, second) {
            (Some(_), Some(second)) => self.chunk_of(first.group) != self.chunk_of(second.group),
            _ => false,
        };
        let other = second.map_or(u16::MAX, |second| second.site);
        let key = (rule, first.site.min(other), first.site.max(other));
        let index = match self.latest {
            Some((latest, index)) if latest == key => index,
            _ => match self.known.get(&key) {
                Some(&index) => index,
                None => {
                    let (address, message, note) = describe(self);
                    self.records.push(Record {
                        rule,
                        first,
                        second,
                        parted,
                        address,
                        message,
                        note,
                        count: 0,
                        across_chunks: 0,
                    });
                    self.known.insert(key, self.records.len() - 1);
                    self.records.len() - 1
                }
            },
        };
        self.latest = Some((key, index));
        self.records[index].count += 1;
        self.records[index].across_chunks += u64::from(across);
    }

    fn chunk_of(&self, group: u32) -> u64 {
        let Some((axis, extent)) = self.cut else { return 0 };
        let at = self.group_id(group);
        u64::from(at[axis].wrapping_sub(self.chunk.groups.first[axis])) / extent.max(1)
    }

    fn group_id(&self, group: u32) -> [u32; 3] {
        let [x, y, _] = self.chunk.groups.count.map(u64::from);
        let group = u64::from(group);
        let at = [group % x, group / x % y, group / x / y];
        std::array::from_fn(|axis| self.chunk.groups.first[axis].wrapping_add(at[axis] as u32))
    }

    fn invocation(&self, who: Toucher) -> Invocation {
        let [x, y, z] = self.program.workgroup_size;
        let local = u32::from(who.local);
        let local = [local % x, local / x % y, local / x / y];
        let workgroup = self.group_id(who.group);
        let size = [x, y, z];
        let global = std::array::from_fn(|axis| {
            workgroup[axis].wrapping_mul(size[axis]).wrapping_add(local[axis])
        });
        Invocation { global, workgroup, local }
    }

    fn touch_of(&self, site: u16) -> Touch {
        self.program.sites[usize::from(site)].touch
    }

    #[inline(always)]
    fn access(
        &mut self,
        note: &Note,
        planes: &Planes<'_>,
        (address, parts): (&Address, &[(u32, u8)]),
        touch: Touch,
        atomic: bool,
    ) {
        let site = note.site as u16;
        let write = touch != Touch::Read;
        match address.memory {
            Memory::Storage(binding) => {
                if atomic || self.storage[binding].is_none() {
                    return;
                }
                let elements = planes.elements(binding);
                for k in 0..planes.rows() {
                    let addresses = planes.locate(address, note.mask, elements, k);
                    for (i, &at) in addresses.iter().enumerate() {
                        if at >= ABSENT {
                            continue;
                        }
                        let lane = k * WIDTH + i;
                        let who = self.toucher(lane, site);
                        let epoch = self.epochs[usize::from(self.lanes[lane].0)].storage;
                        for &(offset, bytes) in parts {
                            self.touch_storage(
                                binding,
                                at + u64::from(offset),
                                bytes,
                                who,
                                epoch,
                                write,
                            );
                        }
                    }
                }
            }
            Memory::Workgroup => {
                for k in 0..planes.rows() {
                    let addresses = planes.locate(address, note.mask, 0, k);
                    for (i, &at) in addresses.iter().enumerate() {
                        if at >= ABSENT {
                            continue;
                        }
                        let lane = k * WIDTH + i;
                        let who = self.toucher(lane, site);
                        let epoch = self.epochs[usize::from(self.lanes[lane].0)].workgroup;
                        for &(offset, _) in parts {
                            let word = (at + u64::from(offset)) / 4;
                            if self.wanted.lints {
                                self.lint_word(word, who, touch);
                            }
                            if !atomic {
                                let raced = self.workgroup.touch(word as usize, who, epoch, write);
                                if raced != [None; 2] {
                                    self.race(
                                        raced,
                                        who,
                                        true,
                                        |watcher| {
                                            addresses::of_workgroup(watcher.chunk.kernel, word)
                                        },
                                        false,
                                    );
                                }
                            }
                        }
                    }
                }
            }
            Memory::Value(_) => {}
        }
    }

    #[inline(always)]
    fn touch_storage(
        &mut self,
        binding: BindingId,
        at: u64,
        bytes: u8,
        who: Toucher,
        epoch: u32,
        write: bool,
    ) {
        let Some(shadow) = &mut self.storage[binding] else { return };
        let races = shadow.touch(at, bytes, who, epoch, write);
        if races.within != [None; 2] {
            let name = |watcher: &Self| addresses::of_binding(watcher.chunk.kernel, binding, at);
            self.race(races.within, who, true, name, true);
        }
        if races.across != [None; 2] {
            let name = |watcher: &Self| addresses::of_binding(watcher.chunk.kernel, binding, at);
            self.race(races.across, who, false, name, true);
        }
    }

    #[cold]
    fn race(
        &mut self,
        raced: [Option<Toucher>; 2],
        who: Toucher,
        within: bool,
        name: impl Fn(&Self) -> String,
        storage: bool,
    ) {
        for other in raced.into_iter().flatten() {
            let rule = if within { Rule::RaceInWorkgroup } else { Rule::RaceAcrossWorkgroups };
            self.find(rule, other, Some(who), None, |watcher| {
                let address = name(watcher);
                let writes = |who: Toucher| watcher.touch_of(who.site) != Touch::Read;
                let both = writes(other) && writes(who);
                let what = if both { "both write" } else { "write and read" };
                let message = if within {
                    format!(
                        "two invocations of a workgroup {what} `{address}`, in no defined order"
                    )
                } else {
                    format!("invocations of two workgroups {what} `{address}`, in no defined order")
                };
                (address, message, words::race_note(within, storage, both))
            });
        }
    }

    /// Reports workgroup memory that is read, or updated, before it was written. A reported word counts as
    /// written, so each word is reported once, at its first read.
    fn lint_word(&mut self, word: u64, who: Toucher, touch: Touch) {
        if touch != Touch::Write && !self.words_written.has(word as usize) {
            self.find(Rule::UnwrittenRead, who, None, None, |watcher| {
                let address = addresses::of_workgroup(watcher.chunk.kernel, word);
                let message = format!("`{address}` is read before any invocation has written it");
                (address, message, words::ZERO_BY_DEFAULT)
            });
        }
        self.words_written.set(word as usize);
    }

    fn indices(&mut self, note: &Note, planes: &Planes<'_>, steps: &[Step], checked: &[Checked]) {
        for check in checked {
            let Step::Index { reg, signed } = steps[check.step] else { continue };
            let count = match check.extent {
                Extent::Fixed(count) => u64::from(count),
                Extent::Elements(binding) => planes.elements(binding),
            };
            let bound = if signed { count.min(1 << 31) } else { count };
            for k in 0..planes.rows() {
                let (mask, index) = (planes.row(note.mask, k), planes.row(reg, k));
                // An index out of bounds is rare, so a row is first tested without branches.
                let mut any = false;
                for i in 0..WIDTH {
                    any |= mask[i] != 0 && u64::from(index[i]) >= bound;
                }
                if !any {
                    continue;
                }
                for i in 0..WIDTH {
                    if mask[i] == 0 || u64::from(index[i]) < bound {
                        continue;
                    }
                    let lane = k * WIDTH + i;
                    let who = self.toucher(lane, note.site as u16);
                    self.find(Rule::OutOfBounds, who, None, None, |_| {
                        words::outside(steps, check.step, count, lane, planes)
                    });
                }
            }
        }
    }

    fn barrier(
        &mut self,
        note: &Note,
        planes: &Planes<'_>,
        (workgroup, storage, meeting): (bool, bool, bool),
    ) {
        for group in 0..self.groups {
            let lanes = group * self.size..(group + 1) * self.size;
            if lanes.clone().all(|lane| planes.lane(note.mask, lane) == 0) {
                continue;
            }
            self.epochs[group].workgroup += u32::from(workgroup);
            self.epochs[group].storage += u32::from(storage);
            if meeting {
                self.meeting(note, planes, lanes, Rule::DivergentBarrier);
            }
        }
    }

    fn subgroup(&mut self, note: &Note, planes: &Planes<'_>) {
        let step = self.program.subgroup_size as usize;
        for group in 0..self.groups {
            let end = (group + 1) * self.size;
            for first in (group * self.size..end).step_by(step.max(1)) {
                let lanes = first..(first + step).min(end);
                self.meeting(note, planes, lanes, Rule::DivergentSubgroup);
            }
        }
    }

    /// Reports a violation of the rule if some of these lanes are here, but not all.
    fn meeting(&mut self, note: &Note, planes: &Planes<'_>, lanes: Range<usize>, rule: Rule) {
        let here = |lane: &usize| planes.lane(note.mask, *lane) != 0;
        let present = lanes.clone().find(here);
        let absent = lanes.clone().find(|lane| !here(lane));
        let (Some(present), Some(absent)) = (present, absent) else { return };
        let who = self.toucher(present, note.site as u16);
        let returned = self.returned[absent];
        let missing = self.toucher(absent, returned.unwrap_or(note.site as u16));
        let span = self.program.sites[note.site as usize].span;
        let parted = match returned {
            Some(_) => None,
            None => Some(enclosing(&self.chunk.kernel.entry_point().function.body, span)),
        };
        let (count, size) = (lanes.clone().filter(here).count(), lanes.len());
        self.find(rule, who, Some(missing), parted, |_| words::meeting(rule, count, size));
    }

    fn local(&mut self, note: &Note, planes: &Planes<'_>, fact: &Fact) {
        let (var, count, index, name) = match fact {
            Fact::LocalRead { var, count, index, name } => (*var, *count, *index, Some(name)),
            Fact::LocalWrite { var, count, index } => (*var, *count, *index, None),
            _ => return,
        };
        let lanes = self.lanes.len();
        for lane in 0..lanes {
            if planes.lane(note.mask, lane) == 0 {
                continue;
            }
            let offset = if index == NONE { 0 } else { planes.lane(index, lane) };
            if offset == OUTSIDE {
                continue;
            }
            for k in 0..count {
                let scalar = (var + offset + k) as usize * lanes + lane;
                match name {
                    None => self.planes_written.set(scalar),
                    Some(_) if self.planes_written.has(scalar) => {}
                    Some(name) => {
                        let who = self.toucher(lane, note.site as u16);
                        self.find(Rule::UnwrittenRead, who, None, None, |_| {
                            let message =
                                format!("`{name}` is read before the invocation has written it");
                            (name.clone(), message, words::ZERO_BY_DEFAULT)
                        });
                        // Each scalar is reported once, at its first read.
                        for k in 0..count {
                            let scalar = (var + offset + k) as usize * lanes + lane;
                            self.planes_written.set(scalar);
                        }
                        break;
                    }
                }
            }
        }
    }

    fn computed(&mut self, note: &Note, planes: &Planes<'_>, results: &[u32], operands: &[u32]) {
        for lane in 0..self.lanes.len() {
            if planes.lane(note.mask, lane) == 0 {
                continue;
            }
            let finite = |regs: &[u32]| regs.iter().all(|&r| lints::finite(planes.lane(r, lane)));
            if finite(results) || !finite(operands) {
                continue;
            }
            let who = self.toucher(lane, note.site as u16);
            self.find(Rule::NotFinite, who, None, None, |_| {
                let value = results
                    .iter()
                    .map(|&reg| f32::from_bits(planes.lane(reg, lane)))
                    .find(|value| !value.is_finite())
                    .unwrap_or(f32::NAN);
                let what = if value.is_nan() { "NaN" } else { "an infinity" };
                (String::new(), format!("finite operands gave {what}"), "")
            });
        }
    }

    /// The findings: errors, then lints, each in the order of the text.
    pub(super) fn findings(self, workgroups: u64) -> Findings {
        let mut findings: Vec<Finding> =
            self.records.iter().map(|record| self.finding(record)).collect();
        findings.sort_by_key(|f| (!f.rule.is_error(), f.first.line, f.first.column, f.rule));
        Findings { findings: by_line(findings), workgroups, stopped: None }
    }

    fn finding(&self, record: &Record) -> Finding {
        let action = |who: Toucher| match (record.rule, self.touch_of(who.site)) {
            (Rule::DivergentBarrier | Rule::DivergentSubgroup, _) => Action::Reach,
            (Rule::NotFinite | Rule::IndexWrap, _) => Action::Compute,
            (_, Touch::Read) => Action::Read,
            (_, Touch::Write) => Action::Write,
            (_, Touch::Atomic) => Action::Update,
        };
        let witness = |who: Toucher, action: Action, span: Span| {
            let source = self.chunk.kernel.source();
            let (line, column) = source.line_and_column(span).unwrap_or((0, 0));
            let invocation = self.invocation(who);
            Witness { action, line, column, excerpt: source.render(span), invocation }
        };
        let span = |who: Toucher| self.program.sites[usize::from(who.site)].span;
        let second = record.second.map(|who| {
            let missed = matches!(record.rule, Rule::DivergentBarrier | Rule::DivergentSubgroup);
            let action = if missed { Action::Miss } else { action(who) };
            witness(who, action, record.parted.unwrap_or_else(|| span(who)))
        });
        let races = record.rule == Rule::RaceAcrossWorkgroups && self.cut.is_some();
        Finding {
            rule: record.rule,
            message: record.message.clone(),
            address: record.address.clone(),
            first: witness(record.first, action(record.first), span(record.first)),
            second,
            note: record.note.to_owned(),
            count: record.count,
            across_chunks: races.then_some(record.across_chunks),
        }
    }
}

/// Merges findings of one rule on one variable at the same lines into the first of them.
fn by_line(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    let mut known = HashMap::new();
    for finding in findings {
        let [first, second] = [Some(&finding.first), finding.second.as_ref()]
            .map(|witness| witness.map_or(0, |witness| witness.line));
        let variable = finding.address.split(['[', '.']).next().unwrap_or("").to_owned();
        let key = (finding.rule, first.min(second), first.max(second), variable);
        let place = *known.entry(key).or_insert(kept.len());
        match kept.get_mut(place) {
            Some(one) => {
                one.count += finding.count;
                let across = one.across_chunks.zip(finding.across_chunks);
                one.across_chunks = across.map(|(a, b)| a + b);
            }
            None => kept.push(finding),
        }
    }
    kept
}

impl Probe for Watcher<'_> {
    const LISTENS: bool = true;

    /// The notes contain all accesses.
    fn touch(&mut self, _: BindingId, _: u64, _: u32, _: usize, _: Touch) {}

    fn note(&mut self, note: &Note, planes: &Planes<'_>) {
        match &note.fact {
            Fact::Indices { steps, checked } => self.indices(note, planes, steps, checked),
            Fact::Access { address, parts, touch, atomic } => {
                self.access(note, planes, (address, parts), *touch, *atomic);
            }
            Fact::Barrier { workgroup, storage, meeting } => {
                self.barrier(note, planes, (*workgroup, *storage, *meeting));
            }
            Fact::Subgroup => self.subgroup(note, planes),
            Fact::Leave => {
                for lane in 0..self.lanes.len() {
                    if planes.lane(note.mask, lane) != 0 {
                        self.returned[lane] = Some(note.site as u16);
                    }
                }
            }
            fact @ (Fact::LocalRead { .. } | Fact::LocalWrite { .. }) => {
                self.local(note, planes, fact);
            }
            Fact::Computed { results, operands } => {
                self.computed(note, planes, results, operands);
            }
            Fact::Made { operation, a, b, signed } => {
                for lane in 0..self.lanes.len() {
                    if planes.lane(note.mask, lane) == 0 {
                        continue;
                    }
                    let (a, b) = (planes.lane(*a, lane), planes.lane(*b, lane));
                    if let Some(words) = lints::wrapped(*operation, *signed, a, b) {
                        let who = self.toucher(lane, note.site as u16);
                        self.find(Rule::IndexWrap, who, None, None, |_| {
                            let message = format!("the arithmetic of an index wraps: {words}");
                            (String::new(), message, "")
                        });
                    }
                }
            }
        }
    }
}

/// The innermost statement around a barrier or a subgroup operation, or the operation itself.
fn enclosing(body: &Block, meeting: Span) -> Span {
    let mut stack: Vec<(&Block, Span)> = vec![(body, meeting)];
    while let Some((block, around)) = stack.pop() {
        for (statement, &span) in block.span_iter() {
            match statement {
                Statement::ControlBarrier(_)
                | Statement::WorkGroupUniformLoad { .. }
                | Statement::SubgroupBallot { .. }
                | Statement::SubgroupGather { .. }
                | Statement::SubgroupCollectiveOperation { .. }
                    if span == meeting =>
                {
                    return around;
                }
                Statement::Block(inner) => stack.push((inner, around)),
                Statement::If { accept, reject, .. } => {
                    stack.extend([(accept, span), (reject, span)]);
                }
                Statement::Switch { cases, .. } => {
                    stack.extend(cases.iter().map(|case| (&case.body, span)));
                }
                Statement::Loop { body, continuing, .. } => {
                    stack.extend([(body, span), (continuing, span)]);
                }
                _ => {}
            }
        }
    }
    meeting
}
