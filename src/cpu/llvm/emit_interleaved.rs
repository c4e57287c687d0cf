//! Adjacent elements of several words: whole vectors are loaded and stored, and shuffles collect each part's
//! words or interleave them.
//!
//! Vectors of the processor's own length and shuffles of two of them compile fast and to good code. What always
//! holds: words between the parts, which are a struct's padding, may be read inside of the buffer, and are
//! never written.

use super::emit::{Emitter, Val};
use super::emit_place::{Bound, Place};
use crate::cpu::interpreter::bytecode::{Access, Memory};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_> {
    /// Whether the lanes' elements are adjacent and most of their words are wanted.
    pub(super) fn interleaved(&self, access: &Access, bytes: i64) -> bool {
        bytes % 4 == 0
            && (8..=32).contains(&bytes)
            && access.parts.len() as i64 * 8 >= bytes
            && access.parts.iter().all(|part| !part.half && i64::from(part.offset) < bytes)
    }

    /// Adjacent whole elements: one wide load, split into parts.
    pub(super) fn load_interleaved(
        &mut self,
        access: &Access,
        place: &Place,
        bytes: i64,
    ) -> Result<()> {
        let words = bytes as u64 / 4;
        let wanted = self.wanted(place)?;
        // The last element may end before its padding does, so one more element must be there.
        let end = access.parts.iter().map(|part| u64::from(part.offset) + 4).max().unwrap_or(0);
        let more = u64::from(end < bytes as u64 || place.terms.len() > 1);
        let mut checked = place.clone();
        if more > 0 && place.checks.len() < place.terms.len() {
            // The checks of the elements do not cover one more.
            match access.address.memory {
                Memory::Storage(binding) if place.terms.len() == 1 => {
                    let bound = Bound::Value(format!("%len{binding}"));
                    checked.checks.push((place.terms[0].0, bound));
                }
                _ => return self.gather(access, place),
            }
        }
        let fast = self.inside(&checked, &[], more)?;
        let pointer = self.pointer(place, &[])?;
        let pointer = self.at(&pointer, place.offset);
        let Some(fast) = fast else {
            let values = self.deinterleaved(access, &pointer, words);
            for (part, value) in access.parts.iter().zip(values) {
                self.define(part.reg, Val::Vector(value, Ty::Int));
            }
            return Ok(());
        };
        let (quick, slow, join) = (self.label(), self.label(), self.label());
        self.branch_if(&fast, &quick, &slow);
        self.begin(&quick);
        let quick_values = self.deinterleaved(access, &pointer, words);
        self.branch(&join);
        self.begin(&slow);
        let mut slow_values = Vec::new();
        for part in &access.parts {
            let offset = place.offset + u64::from(part.offset);
            slow_values.push(self.gather_part(place, offset, false, &wanted)?);
        }
        self.branch(&join);
        self.begin(&join);
        for ((part, a), b) in access.parts.iter().zip(quick_values).zip(slow_values) {
            let ty = self.word(false, true);
            let value = self.ins(&format!("phi {ty} [ {a}, %{quick} ], [ {b}, %{slow} ]"));
            self.define(part.reg, Val::Vector(value, Ty::Int));
        }
        Ok(())
    }

    /// The parts of elements of `words` words each.
    fn deinterleaved(&mut self, access: &Access, pointer: &str, words: u64) -> Vec<String> {
        let width = u64::from(self.width);
        let own = width.min(16);
        let vector = format!("<{own} x i32>");
        let mut pieces: Vec<Vec<String>> = vec![Vec::new(); access.parts.len()];
        for first in (0..width).step_by(own as usize) {
            let sources: Vec<String> = (0..words)
                .map(|source| {
                    let at = self.at(pointer, (first * words + source * own) * 4);
                    self.ins(&format!("load {vector}, ptr {at}, align 4"))
                })
                .collect();
            for (part, pieces) in access.parts.iter().zip(&mut pieces) {
                let word = |lane: u64| lane * words + u64::from(part.offset) / 4;
                let mut value = "undef".to_owned();
                for (source, name) in (0..).zip(&sources) {
                    let lanes: Vec<String> = (0..own)
                        .map(|lane| match word(lane) / own == source {
                            true => format!("i32 {}", own + word(lane) % own),
                            false => format!("i32 {lane}"),
                        })
                        .collect();
                    value = self.ins(&format!(
                        "shufflevector {vector} {value}, {vector} {name}, <{own} x i32> <{}>",
                        lanes.join(", ")
                    ));
                }
                pieces.push(value);
            }
        }
        pieces.into_iter().map(|pieces| self.concatenated(pieces, own)).collect()
    }

    /// Vectors of `lanes` words as one; their number is a power of two.
    fn concatenated(&mut self, mut pieces: Vec<String>, mut lanes: u64) -> String {
        while pieces.len() > 1 {
            let all: Vec<String> = (0..2 * lanes).map(|lane| format!("i32 {lane}")).collect();
            pieces = pieces
                .chunks(2)
                .map(|two| {
                    self.ins(&format!(
                        "shufflevector <{lanes} x i32> {}, <{lanes} x i32> {}, <{} x i32> <{}>",
                        two[0],
                        two[1],
                        2 * lanes,
                        all.join(", ")
                    ))
                })
                .collect();
            lanes *= 2;
        }
        pieces.swap_remove(0)
    }

    /// Stores the parts of adjacent elements, in full gangs.
    pub(super) fn store_interleaved(
        &mut self,
        access: &Access,
        place: &Place,
        bytes: i64,
    ) -> Result<()> {
        let words = bytes as u64 / 4;
        let fast = self.inside(place, &[], 0)?;
        let pointer = self.pointer(place, &[])?;
        let pointer = self.at(&pointer, place.offset);
        let Some(fast) = fast else { return self.interleave(access, &pointer, words) };
        let (quick, slow, join) = (self.label(), self.label(), self.label());
        self.branch_if(&fast, &quick, &slow);
        // A vector that one arm derives from a register is not defined in the other arm, nor after
        // both.
        self.begin(&quick);
        self.enter();
        self.interleave(access, &pointer, words)?;
        self.leave();
        self.branch(&join);
        self.begin(&slow);
        self.enter();
        self.scatter(access, place)?;
        self.leave();
        self.branch(&join);
        self.begin(&join);
        Ok(())
    }

    /// Stores parts of elements of `words` words each.
    fn interleave(&mut self, access: &Access, pointer: &str, words: u64) -> Result<()> {
        let width = u64::from(self.width);
        let own = width.min(16);
        let (all, vector) = (format!("<{width} x i32>"), format!("<{own} x i32>"));
        let mut parts = Vec::new();
        for part in &access.parts {
            parts.push((u64::from(part.offset) / 4, self.vector(part.reg, Ty::Int)?));
        }
        for first in (0..width).step_by(own as usize) {
            let lanes: Vec<String> =
                (first..first + own).map(|lane| format!("i32 {lane}")).collect();
            let mut sources = Vec::new();
            for (word, value) in &parts {
                let mut piece = value.clone();
                if width > own {
                    piece = self.ins(&format!(
                        "shufflevector {all} {value}, {all} undef, <{own} x i32> <{}>",
                        lanes.join(", ")
                    ));
                }
                sources.push((*word, piece));
            }
            for target in 0..words {
                let mut value = "undef".to_owned();
                for (word, name) in &sources {
                    let lanes: Vec<String> = (target * own..)
                        .zip(0..own)
                        .map(|(at, lane)| match at % words == *word {
                            true => format!("i32 {}", own + at / words),
                            false => format!("i32 {lane}"),
                        })
                        .collect();
                    value = self.ins(&format!(
                        "shufflevector {vector} {value}, {vector} {name}, <{own} x i32> <{}>",
                        lanes.join(", ")
                    ));
                }
                let at = self.at(pointer, (first * words + target * own) * 4);
                let written = |at: u64| sources.iter().any(|(word, _)| at % words == *word);
                let places = target * own..(target + 1) * own;
                if places.clone().all(written) {
                    self.line(&format!("store {vector} {value}, ptr {at}, align 4"));
                } else {
                    let mask: Vec<String> =
                        places.map(|at| format!("i1 {}", written(at))).collect();
                    self.line(&format!(
                        "call void @llvm.masked.store.v{own}i32.p0({vector} {value}, ptr {at}, i32 \
                         4, <{own} x i1> <{}>)",
                        mask.join(", ")
                    ));
                }
            }
        }
        Ok(())
    }
}
