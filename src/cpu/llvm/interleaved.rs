//! Adjacent elements of several words: whole vectors are loaded and stored, and shuffles collect each part's
//! words or interleave them.
//!
//! Vectors of the processor's own length and shuffles of two of them compile fast and to good code. What always
//! holds: words between the parts, which are a struct's padding, may be read inside of the buffer, and are
//! never written.

use super::builder::{Builder, listed};
use super::rows::{either, gather_parts, scatter_all};
use crate::cpu::emit::emitter::Emitter;
use crate::cpu::emit::instructions::Instructions;
use crate::cpu::emit::place::{Bound, Place, address, inside, wanted};
use crate::cpu::interpreter::bytecode::{Access, Memory};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Whether the lanes' elements are adjacent and most of their words are wanted.
pub(super) fn is_interleaved(access: &Access, bytes: i64) -> bool {
    bytes % 4 == 0
        && (8..=32).contains(&bytes)
        && access.parts.len() as i64 * 8 >= bytes
        && access.parts.iter().all(|part| !part.half && i64::from(part.offset) < bytes)
}

/// Adjacent whole elements: wide loads, split into parts. None if words between the parts may not be read.
pub(super) fn load_elements(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    bytes: i64,
) -> Result<Option<Vec<String>>> {
    let words = bytes as u64 / 4;
    let wanted = wanted(e, place)?;
    // The last element may end before its padding does, so one more element must be there.
    let end = access.parts.iter().map(|part| u64::from(part.offset) + 4).max().unwrap_or(0);
    let more = u64::from(end < bytes as u64 || place.terms.len() > 1);
    let mut checked = place.clone();
    if more > 0 && place.checks.len() < place.terms.len() {
        // The checks of the elements do not cover one more.
        match access.address.memory {
            Memory::Storage(binding) if place.terms.len() == 1 => {
                let bound = Bound::Value(e.args.bindings[binding].length.clone());
                checked.checks.push((place.terms[0].0, bound));
            }
            _ => return Ok(None),
        }
    }
    let fast = inside(e, &checked, &None, more)?;
    let start = address(e, place, &None)?;
    let start = e.b.at(&start, place.offset);
    let Some(fast) = fast else { return Ok(Some(deinterleaved(&mut e.b, access, &start, words))) };
    either(
        e,
        access,
        &fast,
        |e| Ok(deinterleaved(&mut e.b, access, &start, words)),
        |e| gather_parts(e, access, place, wanted.as_ref()),
    )
    .map(Some)
}

/// The parts of elements of `words` words each.
fn deinterleaved(b: &mut Builder, access: &Access, start: &str, words: u64) -> Vec<String> {
    let width = u64::from(b.width);
    let own = width.min(16);
    let vector = format!("<{own} x i32>");
    let mut pieces: Vec<Vec<String>> = vec![Vec::new(); access.parts.len()];
    for first in (0..width).step_by(own as usize) {
        let sources: Vec<String> = (0..words)
            .map(|source| {
                let at = b.at(start, (first * words + source * own) * 4);
                b.ins(&format!("load {vector}, ptr {at}, align 4"))
            })
            .collect();
        for (part, pieces) in access.parts.iter().zip(&mut pieces) {
            let word = |lane: u64| lane * words + u64::from(part.offset) / 4;
            let mut value = "undef".to_owned();
            for (source, name) in (0..).zip(&sources) {
                let lanes = (0..own).map(|lane| match word(lane) / own == source {
                    true => own + word(lane) % own,
                    false => lane,
                });
                value = mixed(b, own, &value, name, lanes);
            }
            pieces.push(value);
        }
    }
    pieces.into_iter().map(|pieces| concatenated(b, pieces, own)).collect()
}

/// A shuffle of two vectors of `own` words.
fn mixed(
    b: &mut Builder,
    own: u64,
    one: &str,
    two: &str,
    words: impl Iterator<Item = u64>,
) -> String {
    let (vector, words) = (format!("<{own} x i32>"), listed("i32", words));
    b.ins(&format!("shufflevector {vector} {one}, {vector} {two}, <{own} x i32> <{words}>"))
}

/// Vectors of `lanes` words as one; their number is a power of two.
fn concatenated(b: &mut Builder, mut pieces: Vec<String>, mut lanes: u64) -> String {
    while pieces.len() > 1 {
        let all = listed("i32", 0..2 * lanes);
        pieces = pieces
            .chunks(2)
            .map(|two| {
                b.ins(&format!(
                    "shufflevector <{lanes} x i32> {}, <{lanes} x i32> {}, <{} x i32> <{all}>",
                    two[0],
                    two[1],
                    2 * lanes
                ))
            })
            .collect();
        lanes *= 2;
    }
    pieces.swap_remove(0)
}

/// Stores the parts of adjacent elements, in full gangs.
pub(super) fn store_elements(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    bytes: i64,
) -> Result<()> {
    let words = bytes as u64 / 4;
    let fast = inside(e, place, &None, 0)?;
    let start = address(e, place, &None)?;
    let start = e.b.at(&start, place.offset);
    let Some(fast) = fast else { return interleave(e, access, &start, words) };
    let (quick, slow, join) = (e.b.block(), e.b.block(), e.b.block());
    e.b.branch_if(&fast, &quick, &slow);
    // A vector that one arm derives from a register is not defined in the other arm, nor after both.
    e.b.begin(&quick);
    e.enter();
    interleave(e, access, &start, words)?;
    e.leave();
    e.b.branch(&join);
    e.b.begin(&slow);
    e.enter();
    scatter_all(e, access, place)?;
    e.leave();
    e.b.branch(&join);
    e.b.begin(&join);
    Ok(())
}

/// Stores parts of elements of `words` words each.
fn interleave(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    start: &str,
    words: u64,
) -> Result<()> {
    let mut parts = Vec::new();
    for part in &access.parts {
        parts.push((u64::from(part.offset) / 4, e.vector(part.reg, Ty::Int)?));
    }
    let b = &mut e.b;
    let width = u64::from(b.width);
    let own = width.min(16);
    let (all, vector) = (format!("<{width} x i32>"), format!("<{own} x i32>"));
    for first in (0..width).step_by(own as usize) {
        let lanes = listed("i32", first..first + own);
        let mut sources = Vec::new();
        for (word, value) in &parts {
            let mut piece = value.clone();
            if width > own {
                piece = b.ins(&format!(
                    "shufflevector {all} {value}, {all} undef, <{own} x i32> <{lanes}>"
                ));
            }
            sources.push((*word, piece));
        }
        for target in 0..words {
            let mut value = "undef".to_owned();
            for (word, name) in &sources {
                let lanes =
                    (target * own..).zip(0..own).map(|(at, lane)| match at % words == *word {
                        true => own + at / words,
                        false => lane,
                    });
                value = mixed(b, own, &value, name, lanes);
            }
            let at = b.at(start, (first * words + target * own) * 4);
            let written = |at: u64| sources.iter().any(|(word, _)| at % words == *word);
            let places = target * own..(target + 1) * own;
            if places.clone().all(written) {
                b.line(&format!("store {vector} {value}, ptr {at}, align 4"));
            } else {
                let mask = listed("i1", places.map(written));
                b.line(&format!(
                    "call void @llvm.masked.store.v{own}i32.p0({vector} {value}, ptr {at}, i32 4, \
                     <{own} x i1> <{mask}>)"
                ));
            }
        }
    }
    Ok(())
}
