//! Accesses of lanes that have addresses of their own.
//!
//! Consecutive words or whole elements, all in bounds, take vector accesses, with shuffles if elements have several
//! words. Other addresses take one access per lane. What always holds: only words that active lanes store are written.

use cranelift_codegen::ir::{BlockArg, InstBuilder, Value, types};

use super::builder::{Builder, Lanes, QUAD};
use super::instructions::lane_address;
use crate::cpu::emit::emitter::{Emitter, Mask};
use crate::cpu::emit::instructions::{Area, Instructions};
use crate::cpu::emit::lanes::for_each_lane;
use crate::cpu::emit::memory::Accesses;
use crate::cpu::emit::place::{
    Bound, Place, Spread, address, checked, contiguous, inside, likely, offsets, unit, wanted,
};
use crate::cpu::interpreter::bytecode::{Access, Memory, Part};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Accesses for Builder<'_> {
    fn load_lanes(
        e: &mut Emitter<'_, Self>,
        access: &Access,
        place: &Place<Value>,
        spread: Spread,
    ) -> Result<()> {
        let values = match spread {
            Spread::Strided(bytes) => load_strided(e, access, place, bytes)?,
            Spread::Likely(bytes) if contiguous(access, bytes) => load_likely(e, access, place)?,
            _ => gather(e, access, place)?,
        };
        for (part, value) in access.parts.iter().zip(values) {
            e.define_loaded(part.reg, &value, part.half, true);
        }
        Ok(())
    }

    fn store_lanes(
        e: &mut Emitter<'_, Self>,
        access: &Access,
        place: &Place<Value>,
        spread: Spread,
    ) -> Result<()> {
        match spread {
            Spread::Strided(bytes) => store_strided(e, access, place, bytes),
            _ => store_each(e, access, place, None),
        }
    }
}

// Loads.

/// Emits one of two ways to get the same vectors.
fn either<'k, 'f>(
    e: &mut Emitter<'k, Builder<'f>>,
    condition: Value,
    count: usize,
    quick: impl FnOnce(&mut Emitter<'k, Builder<'f>>) -> Result<Vec<Lanes>>,
    slow: impl FnOnce(&mut Emitter<'k, Builder<'f>>) -> Result<Vec<Lanes>>,
) -> Result<Vec<Lanes>> {
    let (fast, cold, join) = (e.b.block(), e.b.block(), e.b.block());
    let quads = e.b.quads();
    let results: Vec<Lanes> = (0..count)
        .map(|_| (0..quads).map(|_| e.b.b.append_block_param(join, types::I32X4)).collect())
        .collect();
    let go = |e: &mut Emitter<'k, Builder<'f>>, values: &[Lanes]| {
        let lanes = values.iter().flat_map(|lanes| lanes.iter());
        let args: Vec<_> = lanes.map(|&lane| BlockArg::Value(lane)).collect();
        e.b.b.ins().jump(join, &args);
        e.b.ended = true;
    };
    e.b.branch_if(&condition, &fast, &cold);
    e.b.begin(&fast);
    e.enter();
    let values = quick(e)?;
    e.leave();
    go(e, &values);
    e.b.begin(&cold);
    e.b.b.set_cold_block(cold);
    e.enter();
    let values = slow(e)?;
    e.leave();
    go(e, &values);
    e.b.begin(&join);
    Ok(results)
}

/// Whether a row may be read at once, active lanes or not; `None` if it surely may.
fn row_is_there(
    e: &mut Emitter<'_, Builder<'_>>,
    place: &Place<Value>,
    inside: Option<Value>,
) -> Option<Value> {
    match e.mask.clone() {
        Mask::Some(mask) if !checked(e, place) => {
            let all = e.b.all(&mask);
            Some(e.b.both(inside.as_ref(), &all))
        }
        _ => inside,
    }
}

fn load_strided(
    e: &mut Emitter<'_, Builder<'_>>,
    access: &Access,
    place: &Place<Value>,
    bytes: i64,
) -> Result<Vec<Lanes>> {
    let row = contiguous(access, bytes);
    let whole = !row && is_interleaved(access, bytes);
    // The last element may end before its padding does, so one more element must be there.
    let end = access.parts.iter().map(|part| u64::from(part.offset) + 4).max().unwrap_or(0);
    let more = u64::from(whole && (end < bytes as u64 || place.terms.len() > 1));
    let mut bounded = place.clone();
    if more > 0 && place.checks.len() < place.terms.len() {
        // The checks of the elements do not cover one more.
        match access.address.memory {
            Memory::Storage(binding) if place.terms.len() == 1 => {
                let length = e.args.bindings[binding].length;
                bounded.checks.push((place.terms[0].0, Bound::Value(length)));
            }
            _ => return load_each(e, access, place, Some(bytes as u64)),
        }
    }
    let inside = inside(e, &bounded, &None, more)?;
    let quick = |e: &mut Emitter<'_, Builder<'_>>| -> Result<Vec<Lanes>> {
        let start = address(e, place, &None)?;
        if whole {
            return Ok(load_elements(&mut e.b, access, place, start, bytes as u64));
        }
        let load = |part: &Part| {
            let offset = place.offset + u64::from(part.offset);
            if row {
                e.b.load_row(part.half, place.area, &start, offset)
            } else {
                load_apart(&mut e.b, part.half, place.area, start, offset, bytes as u64)
            }
        };
        Ok(access.parts.iter().map(load).collect())
    };
    match row_is_there(e, &bounded, inside) {
        None => quick(e),
        Some(there) => either(e, there, access.parts.len(), quick, |e| {
            load_each(e, access, place, Some(bytes as u64))
        }),
    }
}

fn load_likely(
    e: &mut Emitter<'_, Builder<'_>>,
    access: &Access,
    place: &Place<Value>,
) -> Result<Vec<Lanes>> {
    let (first, follow) = likely(e, place)?;
    let follow = e.b.all(&follow);
    let inside = inside(e, place, &first, 0)?;
    let fast = e.b.both(inside.as_ref(), &follow);
    let there = row_is_there(e, place, Some(fast)).unwrap_or(fast);
    either(
        e,
        there,
        access.parts.len(),
        |e| {
            let start = address(e, place, &first)?;
            let load = |part: &Part| {
                let offset = place.offset + u64::from(part.offset);
                e.b.load_row(part.half, place.area, &start, offset)
            };
            Ok(access.parts.iter().map(load).collect())
        },
        |e| load_each(e, access, place, None),
    )
}

/// Whether the lanes' elements are whole vectors, or pairs, and most of their words are wanted.
fn is_interleaved(access: &Access, bytes: i64) -> bool {
    (bytes == 8 || bytes == 16 || bytes == 32)
        && access.parts.len() as i64 * 8 >= bytes
        && access.parts.iter().all(|part| !part.half && i64::from(part.offset) < bytes)
}

/// Adjacent whole elements, split into parts.
fn load_elements(
    b: &mut Builder<'_>,
    access: &Access,
    place: &Place<Value>,
    start: Value,
    bytes: u64,
) -> Vec<Lanes> {
    let flags = b.flags(place.area);
    let (start, offset) = b.at(start, place.offset);
    let words = bytes as usize / 4;
    // Indexed by word of the element, then by quad of lanes.
    let mut columns: Vec<Vec<Value>> = vec![Vec::new(); words];
    let load =
        |b: &mut Builder<'_>, at: i32| b.b.ins().load(types::I32X4, flags, start, offset + at);
    for quad in 0..b.quads() as i32 {
        let first = quad * QUAD as i32 * bytes as i32;
        if words == 2 {
            let (one, two) = (load(b, first), load(b, first + 16));
            columns[0].push(b.shuffle(one, two, [0, 2, 4, 6]));
            columns[1].push(b.shuffle(one, two, [1, 3, 5, 7]));
            continue;
        }
        for part in (0..words).step_by(4) {
            let used = |field: &Part| (part..part + 4).contains(&(field.offset as usize / 4));
            if !access.parts.iter().any(used) {
                continue;
            }
            let rows =
                [0, 1, 2, 3].map(|lane| load(b, first + lane * bytes as i32 + 4 * part as i32));
            for (k, column) in b.transpose(rows).into_iter().enumerate() {
                columns[part + k].push(column);
            }
        }
    }
    let parts = access.parts.iter();
    parts.map(|field| columns[field.offset as usize / 4].as_slice().into()).collect()
}

/// Words at equal distances.
fn load_apart(
    b: &mut Builder<'_>,
    half: bool,
    area: Area,
    start: Value,
    offset: u64,
    bytes: u64,
) -> Lanes {
    let quads = (0..b.quads() as u64).map(|quad| {
        let word = |b: &mut Builder<'_>, k: u8| {
            let lane = u64::from(QUAD) * quad + u64::from(k);
            b.load_word(half, area, &start, offset + lane * bytes)
        };
        let first = word(b, 0);
        let mut lanes = b.b.ins().scalar_to_vector(types::I32X4, first);
        for k in 1..QUAD as u8 {
            let word = word(b, k);
            lanes = b.b.ins().insertlane(lanes, word, k);
        }
        lanes
    });
    quads.collect()
}

/// A gather: loads from each lane's own place; lanes that are not wanted read the first element.
fn gather(
    e: &mut Emitter<'_, Builder<'_>>,
    access: &Access,
    place: &Place<Value>,
) -> Result<Vec<Lanes>> {
    let unit = unit(access);
    let wanted = wanted(e, place)?;
    let mut offsets = offsets(e, place, unit)?;
    if let Some(wanted) = &wanted {
        offsets = e.and(&offsets, wanted);
    }
    let b = &mut e.b;
    let flags = b.flags(place.area);
    let mut results: Vec<Vec<Value>> = vec![Vec::new(); access.parts.len()];
    for (quad, &offsets) in offsets.iter().enumerate() {
        let addresses = b.words_apart(offsets).map(|offset| {
            let bytes = b.b.ins().ishl_imm_u(offset, i64::from(unit.trailing_zeros()));
            b.b.ins().iadd(place.base, bytes)
        });
        for (result, part) in results.iter_mut().zip(&access.parts) {
            let words = addresses.map(|address| {
                let (at, rest) = b.at(address, place.offset + u64::from(part.offset));
                if part.half {
                    b.b.ins().uload16(types::I64, flags, at, rest)
                } else {
                    b.b.ins().uload32(flags, at, rest)
                }
            });
            let mut row = b.words_together(words);
            if let Some(wanted) = &wanted {
                row = b.b.ins().band(row, wanted[quad]);
            }
            result.push(row);
        }
    }
    Ok(results.into_iter().map(Lanes::from).collect())
}

/// Loads one wanted lane after the other; other lanes get zero.
fn load_each(
    e: &mut Emitter<'_, Builder<'_>>,
    access: &Access,
    place: &Place<Value>,
    stride: Option<u64>,
) -> Result<Vec<Lanes>> {
    let count = access.parts.len() as u64;
    let row = u64::from(e.b.width) * 4;
    let rows = e.b.rows("loads", count as u32);
    e.b.zero(Area::Frame, &rows, count * row);
    for_each_address(e, access, place, stride, |b, lane, address| {
        let to = lane_address(b, rows, lane, 4);
        for (k, part) in (0..).zip(&access.parts) {
            let offset = place.offset + u64::from(part.offset);
            let word = b.load_word(part.half, place.area, &address, offset);
            b.store_word(false, Area::Frame, &word, &to, k * row);
        }
    })?;
    Ok((0..count).map(|k| e.b.load_row(false, Area::Frame, &rows, k * row)).collect())
}

/// Calls `body` with the number and the address of each wanted lane in turn, from the first lane's by a stride, or
/// from offsets.
fn for_each_address<'f>(
    e: &mut Emitter<'_, Builder<'f>>,
    access: &Access,
    place: &Place<Value>,
    stride: Option<u64>,
    body: impl Fn(&mut Builder<'f>, Value, Value),
) -> Result<()> {
    let wanted = wanted(e, place)?;
    if let Some(stride) = stride {
        // If all lanes were in bounds, the row was accessed as a whole: some lane is not wanted here.
        let first = address(e, place, &None)?;
        for_each_lane(&mut e.b, wanted.as_ref(), false, |b, lane| {
            let address = lane_address(b, first, *lane, stride);
            body(b, *lane, address);
        });
        return Ok(());
    }
    let unit = unit(access);
    let offsets = offsets(e, place, unit)?;
    let offsets = e.b.spill("offsets", &offsets);
    for_each_lane(&mut e.b, wanted.as_ref(), true, |b, lane| {
        let offset = b.spilled(&offsets, lane);
        let address = b.word_address(&place.base, &offset, unit);
        body(b, *lane, address);
    });
    Ok(())
}

// Stores.

fn store_strided(
    e: &mut Emitter<'_, Builder<'_>>,
    access: &Access,
    place: &Place<Value>,
    bytes: i64,
) -> Result<()> {
    let row = contiguous(access, bytes);
    // No other thread accesses workgroup memory, so words of idle lanes may be written back.
    let blend = row && access.address.memory == Memory::Workgroup && checked(e, place);
    let mut values = Vec::new();
    for part in &access.parts {
        values.push(e.narrowed(part.reg, part.half, true)?);
    }
    let mut whole = inside(e, place, &None, 0)?;
    let start = address(e, place, &None)?;
    if let Mask::Some(mask) = e.mask.clone()
        && !blend
    {
        let all = e.b.all(&mask);
        whole = Some(e.b.both(whole.as_ref(), &all));
    }
    let (fast, slow, join) = (e.b.block(), e.b.block(), e.b.block());
    if let Some(whole) = &whole {
        e.b.branch_if(whole, &fast, &slow);
        e.b.begin(&fast);
    }
    let is_quad = |(k, part): (usize, &Part)| part.offset as usize == 4 * k && !part.half;
    if bytes == 16 && access.parts.len() == 4 && access.parts.iter().enumerate().all(is_quad) {
        store_quads(&mut e.b, place, start, &values);
    } else {
        for (part, mut value) in access.parts.iter().zip(values) {
            let offset = place.offset + u64::from(part.offset);
            if !row {
                store_apart(&mut e.b, part.half, place, &value, start, offset, bytes as u64);
                continue;
            }
            if let (Mask::Some(mask), true) = (&e.mask, blend) {
                let old = e.b.load_row(part.half, place.area, &start, offset);
                value = e.b.select(mask, &value, &old, Ty::Int, true);
            }
            e.b.store_row(part.half, place.area, &value, &start, offset);
        }
    }
    e.b.branch(&join);
    if whole.is_some() {
        e.b.begin(&slow);
        e.b.b.set_cold_block(slow);
        e.enter();
        store_each(e, access, place, Some(bytes as u64))?;
        e.leave();
        e.b.branch(&join);
    }
    e.b.begin(&join);
    Ok(())
}

/// Stores adjacent elements of four words.
fn store_quads(b: &mut Builder<'_>, place: &Place<Value>, start: Value, values: &[Lanes]) {
    let flags = b.flags(place.area);
    let (start, offset) = b.at(start, place.offset);
    let quads = (0..b.quads()).map(|quad| [0, 1, 2, 3].map(|word| values[word][quad]));
    for (quad, rows) in quads.collect::<Vec<_>>().into_iter().enumerate() {
        for (k, column) in b.transpose(rows).into_iter().enumerate() {
            let at = offset + 16 * (4 * quad + k) as i32;
            b.b.ins().store(flags, column, start, at);
        }
    }
}

/// Stores words at equal distances.
fn store_apart(
    b: &mut Builder<'_>,
    half: bool,
    place: &Place<Value>,
    value: &Lanes,
    start: Value,
    offset: u64,
    bytes: u64,
) {
    for lane in 0..b.width {
        let word = b.lane(value, lane, Ty::Int);
        b.store_word(half, place.area, &word, &start, offset + u64::from(lane) * bytes);
    }
}

/// Stores one wanted lane after the other.
fn store_each(
    e: &mut Emitter<'_, Builder<'_>>,
    access: &Access,
    place: &Place<Value>,
    stride: Option<u64>,
) -> Result<()> {
    let row = u64::from(e.b.width) * 4;
    let rows = e.b.rows("stores", access.parts.len() as u32);
    for (k, part) in (0..).zip(&access.parts) {
        let value = e.narrowed(part.reg, part.half, true)?;
        e.b.store_row(false, Area::Frame, &value, &rows, k * row);
    }
    for_each_address(e, access, place, stride, |b, lane, address| {
        let from = lane_address(b, rows, lane, 4);
        for (k, part) in (0..).zip(&access.parts) {
            let word = b.load_word(false, Area::Frame, &from, k * row);
            let offset = place.offset + u64::from(part.offset);
            b.store_word(part.half, place.area, &word, &address, offset);
        }
    })
}
