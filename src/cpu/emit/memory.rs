//! Loads and stores by the shape of their address.
//!
//! A uniform address takes one scalar access, at a place that is always in bounds; the loaded value is zeroed
//! afterwards if the index was out of bounds. How lanes with addresses of their own are served is the back end's.

use super::emitter::{Emitter, Mask, Val};
use super::instructions::{Instructions, Size};
use super::place::{Place, Spread, address, inside, place, spread};
use crate::cpu::interpreter::bytecode::{Access, Address, Memory};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Accesses of lanes that have addresses of their own: rows, elements of several words, gathers and scatters.
///
/// A load may read inside of its buffer for lanes that are masked off.
pub(in crate::cpu) trait Accesses: Instructions {
    fn load_lanes(
        emitter: &mut Emitter<'_, Self>,
        access: &Access,
        place: &Place<Self::Value>,
        spread: Spread,
    ) -> Result<()>;
    fn store_lanes(
        emitter: &mut Emitter<'_, Self>,
        access: &Access,
        place: &Place<Self::Value>,
        spread: Spread,
    ) -> Result<()>;
}

pub(super) fn load<I: Accesses>(e: &mut Emitter<'_, I>, access: &Access) -> Result<()> {
    let place = place(e, &access.address)?;
    // Other workgroups may write the words between two loads.
    if e.kernel.storage_atomics && matches!(access.address.memory, Memory::Storage(_)) {
        e.b.observe();
    }
    match spread(e, &place) {
        Spread::Uniform => load_uniform(e, access, &place),
        spread => I::load_lanes(e, access, &place, spread),
    }
}

pub(super) fn store<I: Accesses>(e: &mut Emitter<'_, I>, access: &Access) -> Result<()> {
    let place = place(e, &access.address)?;
    match spread(e, &place) {
        Spread::Uniform => store_uniform(e, access, &place),
        spread => I::store_lanes(e, access, &place, spread),
    }
}

/// Prefetches the cache line of the first lane.
pub(super) fn prefetch<I: Instructions>(e: &mut Emitter<'_, I>, at: &Address) -> Result<()> {
    let place = place(e, at)?;
    let start = address(e, &place, &None)?;
    let offset = e.b.long(place.offset as i64);
    let at = e.b.address(&start, &offset);
    e.b.prefetch(&at);
    Ok(())
}

fn load_uniform<I: Instructions>(
    e: &mut Emitter<'_, I>,
    access: &Access,
    place: &Place<I::Value>,
) -> Result<()> {
    let inside = inside(e, place, &None, 0)?;
    let mut at = address(e, place, &None)?;
    if let Some(inside) = &inside {
        // Out of bounds, the word at the start is read and not used.
        at = e.b.choose(inside, Size::Address, &at, &place.base);
    }
    for part in &access.parts {
        let offset = place.offset + u64::from(part.offset);
        if inside.is_none() && !part.half && e.types.is_used_as_float(part.reg) {
            let value = e.b.load_float(place.area, &at, offset);
            e.define(part.reg, Val::Scalar(value, Ty::Float));
            continue;
        }
        let mut value = I::single(&e.b.load_word(part.half, place.area, &at, offset));
        if let Some(inside) = &inside {
            let zero = e.b.int(0);
            let word = if part.half { e.b.half_bits(&value, false) } else { value };
            value = I::single(&e.b.choose(inside, Size::Word, &I::only(&word), &zero));
            if part.half {
                value = e.b.half_from_bits(&value, false);
            }
        }
        e.define_loaded(part.reg, &value, part.half, false);
    }
    Ok(())
}

/// All lanes store to one place: the last one wins.
fn store_uniform<I: Instructions>(
    e: &mut Emitter<'_, I>,
    access: &Access,
    place: &Place<I::Value>,
) -> Result<()> {
    let mut wanted = inside(e, place, &None, 0)?;
    let at = address(e, place, &None)?;
    let mut last = None;
    if let Mask::Some(mask) = e.mask.clone() {
        let bits = e.b.bits(&mask);
        let any = e.b.some(&bits);
        wanted = Some(e.b.both(wanted.as_ref(), &any));
        // Perhaps no lane is active. The store is skipped then, so any lane will do.
        last = Some(e.b.last_set(&bits));
    }
    let mut values = Vec::new();
    for part in &access.parts {
        let vector = !e.is_uniform(part.reg) && e.kernel.known(part.reg).is_none();
        let lanes = e.narrowed(part.reg, part.half, vector)?;
        values.push(match &last {
            _ if !vector => I::only(&lanes),
            Some(lane) => e.b.lane_at(&lanes, lane, part.half),
            None => {
                let lane = e.b.int(e.b.width() - 1);
                e.b.lane_at(&lanes, &lane, part.half)
            }
        });
    }
    let done = e.b.block();
    if let Some(wanted) = &wanted {
        let go = e.b.block();
        e.b.branch_if(wanted, &go, &done);
        e.b.begin(&go);
    }
    for (part, value) in access.parts.iter().zip(values) {
        let offset = place.offset + u64::from(part.offset);
        e.b.store_word(part.half, place.area, &value, &at, offset);
    }
    e.b.branch(&done);
    e.b.begin(&done);
    Ok(())
}

/// The address of a place that is one for all lanes, with its offset, and whether it may be accessed.
pub(super) fn single_place<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
) -> Result<(I::Value, Option<I::Value>)> {
    let mut wanted = inside(e, place, &None, 0)?;
    if let Mask::Some(mask) = e.mask.clone() {
        let any = e.b.any(&mask);
        wanted = Some(e.b.both(wanted.as_ref(), &any));
    }
    let start = address(e, place, &None)?;
    let offset = e.b.long(place.offset as i64);
    Ok((e.b.address(&start, &offset), wanted))
}
