//! Rows of consecutive words, gathers and scatters.
//!
//! A row is accessed under a mask unless all lanes are active and in bounds. What always holds: a lane that is masked
//! off or out of bounds accesses no memory.

use super::builder::Builder;
use super::instructions::{gather, scatter};
use crate::cpu::emit::emitter::Emitter;
use crate::cpu::emit::instructions::Instructions;
use crate::cpu::emit::place::{First, Place, address, inside, offsets, wanted};
use crate::cpu::interpreter::bytecode::{Access, Part};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Loads rows; where the lanes do not follow the first one, each its own words.
pub(super) fn load_rows(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    first: &First<String>,
    follow: Option<&String>,
) -> Result<Vec<String>> {
    let full = e.mask.is_full();
    let inside = if full { inside(e, place, first, 0)? } else { None };
    let start = address(e, place, first)?;
    if full && inside.is_none() && follow.is_none() {
        return Ok(plain_rows(e, access, place, &start));
    }
    // Values that both arms need must be computed before the branch.
    let wanted = wanted(e, place)?;
    let mask = match &wanted {
        Some(wanted) => wanted.clone(),
        None => e.b.constant(u32::MAX, Ty::Bool),
    };
    let fast = match follow {
        None => inside,
        Some(follow) if full => {
            let every = e.b.all(follow);
            Some(e.b.both(inside.as_ref(), &every))
        }
        Some(follow) => {
            // Inactive lanes may have any index.
            let stray = e.and_not(&mask, follow);
            let stray = e.b.any(&stray);
            Some(e.b.ins(&format!("xor i1 {stray}, true")))
        }
    };
    let slow = |e: &mut Emitter<'_, Builder>| match follow {
        Some(_) => gather_parts(e, access, place, Some(&mask)),
        None => Ok(masked_rows(e, access, place, &start, &mask)),
    };
    let Some(fast) = fast else { return slow(e) };
    either(
        e,
        access,
        &fast,
        |e| {
            Ok(if full {
                plain_rows(e, access, place, &start)
            } else {
                masked_rows(e, access, place, &start, &mask)
            })
        },
        slow,
    )
}

/// Emits one of two ways to get the words of an access. What both need was computed before.
pub(super) fn either(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    condition: &String,
    quick: impl FnOnce(&mut Emitter<'_, Builder>) -> Result<Vec<String>>,
    slow: impl FnOnce(&mut Emitter<'_, Builder>) -> Result<Vec<String>>,
) -> Result<Vec<String>> {
    let (fast, rest, join) = (e.b.block(), e.b.block(), e.b.block());
    e.b.branch_if(condition, &fast, &rest);
    e.b.begin(&fast);
    let quick = quick(e)?;
    e.b.branch(&join);
    e.b.begin(&rest);
    let slow = slow(e)?;
    e.b.branch(&join);
    e.b.begin(&join);
    let both = access.parts.iter().zip(quick).zip(slow);
    Ok(both
        .map(|((part, a), b)| {
            let ty = e.b.word(part.half, true);
            e.b.ins(&format!("phi {ty} [ {a}, %{fast} ], [ {b}, %{rest} ]"))
        })
        .collect())
}

fn plain_rows(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    start: &String,
) -> Vec<String> {
    let load = |part: &Part| {
        e.b.load_row(part.half, place.area, start, place.offset + u64::from(part.offset))
    };
    access.parts.iter().map(load).collect()
}

fn masked_rows(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    start: &str,
    mask: &str,
) -> Vec<String> {
    let mut rows = Vec::new();
    for part in &access.parts {
        let at = e.b.at(start, place.offset + u64::from(part.offset));
        let (ty, lanes) = (e.b.word(part.half, true), e.b.ty(Ty::Bool, true));
        let (word, align) = (e.b.word(part.half, false), if part.half { 2 } else { 4 });
        rows.push(e.b.ins(&format!(
            "call {ty} @llvm.masked.load.v{}{word}.p0(ptr {at}, i32 {align}, {lanes} {mask}, {ty} \
             zeroinitializer)",
            e.b.width
        )));
    }
    rows
}

pub(super) fn gather_parts(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    wanted: Option<&String>,
) -> Result<Vec<String>> {
    let mut values = Vec::new();
    for part in &access.parts {
        let words = offsets(e, place, if part.half { 2 } else { 4 })?;
        let offset = place.offset + u64::from(part.offset);
        values.push(gather(&mut e.b, part.half, &place.base, offset, &words, wanted));
    }
    Ok(values)
}

pub(super) fn gather_all(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
) -> Result<Vec<String>> {
    let wanted = wanted(e, place)?;
    gather_parts(e, access, place, wanted.as_ref())
}

pub(super) fn store_rows(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
) -> Result<()> {
    let mut values = Vec::new();
    for part in &access.parts {
        values.push(e.narrowed(part.reg, part.half, true)?);
    }
    let full = e.mask.is_full();
    let fast = if full { inside(e, place, &None, 0)? } else { None };
    let start = address(e, place, &None)?;
    if full && fast.is_none() {
        store_plain(e, access, place, &start, &values);
        return Ok(());
    }
    let wanted = wanted(e, place)?;
    let mask = match wanted {
        Some(wanted) => wanted,
        None => e.b.constant(u32::MAX, Ty::Bool),
    };
    let (quick, slow, join) = (e.b.block(), e.b.block(), e.b.block());
    if let Some(fast) = &fast {
        e.b.branch_if(fast, &quick, &slow);
        e.b.begin(&quick);
        store_plain(e, access, place, &start, &values);
        e.b.branch(&join);
        e.b.begin(&slow);
    }
    for (part, value) in access.parts.iter().zip(&values) {
        let at = e.b.at(&start, place.offset + u64::from(part.offset));
        let (ty, lanes) = (e.b.word(part.half, true), e.b.ty(Ty::Bool, true));
        let (word, align) = (e.b.word(part.half, false), if part.half { 2 } else { 4 });
        let width = e.b.width;
        e.b.line(&format!(
            "call void @llvm.masked.store.v{width}{word}.p0({ty} {value}, ptr {at}, i32 {align}, \
             {lanes} {mask})"
        ));
    }
    if fast.is_some() {
        e.b.branch(&join);
        e.b.begin(&join);
    }
    Ok(())
}

fn store_plain(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
    start: &String,
    values: &[String],
) {
    for (part, value) in access.parts.iter().zip(values) {
        let offset = place.offset + u64::from(part.offset);
        e.b.store_row(part.half, place.area, value, start, offset);
    }
}

pub(super) fn scatter_all(
    e: &mut Emitter<'_, Builder>,
    access: &Access,
    place: &Place<String>,
) -> Result<()> {
    let wanted = wanted(e, place)?;
    for part in &access.parts {
        let value = e.narrowed(part.reg, part.half, true)?;
        let words = offsets(e, place, if part.half { 2 } else { 4 })?;
        let offset = place.offset + u64::from(part.offset);
        scatter(&mut e.b, part.half, &place.base, offset, &words, &value, wanted.as_ref());
    }
    Ok(())
}
