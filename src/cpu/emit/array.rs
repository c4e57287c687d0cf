//! Private arrays of lanes: lane-interleaved, so that an element of all lanes is one row.

use super::emitter::{ArrayMemory, Emitter, Mask, Val};
use super::instructions::{Area, Instructions, Size};
use super::place::{Place, Spread, address, follow, inside, offsets, spread, wanted};
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::ir::Array;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// The most bytes of arrays in the frame.
const FRAME_ARRAYS: u64 = 64 << 10;

/// Assigns memory to all arrays.
pub(super) fn place_arrays<I: Instructions>(e: &mut Emitter<'_, I>) {
    let row = u64::from(e.b.width()) * 4;
    let arrays = &e.kernel.arrays;
    let total: u64 = arrays.iter().map(|array| u64::from(array.count) * row).sum();
    let split = e.kernel.is_split();
    let copies = if split { e.kernel.gangs() } else { 1 };
    for array in arrays {
        let bytes = u64::from(array.count) * row;
        let in_frame = if split || total > FRAME_ARRAYS { None } else { e.b.frame_array(bytes) };
        let memory = match in_frame {
            Some(address) => ArrayMemory { place: None, address },
            None => {
                let at = e.scratch;
                e.scratch += bytes * copies;
                ArrayMemory { place: Some((at, bytes)), address: e.args.scratch.clone() }
            }
        };
        e.arrays.insert(array.first, memory);
    }
    e.scratch = e.scratch.next_multiple_of(64);
}

/// Sets the addresses of the arrays of the next gang.
pub(super) fn gang_arrays<I: Instructions>(e: &mut Emitter<'_, I>) {
    for array in &e.kernel.arrays {
        if let Some((at, bytes)) = e.arrays.get(&array.first).and_then(|memory| memory.place) {
            let address = e.part_of_gang(at, bytes);
            e.arrays.insert(array.first, ArrayMemory { place: Some((at, bytes)), address });
        }
    }
}

fn array_address<I: Instructions>(e: &Emitter<'_, I>, array: Array) -> Result<I::Value> {
    let memory = e.arrays.get(&array.first);
    memory.map(|memory| memory.address.clone()).ok_or_else(|| e.broken("an array without memory"))
}

fn row_offset<I: Instructions>(e: &Emitter<'_, I>, element: u32) -> u64 {
    u64::from(element) * u64::from(e.b.width()) * 4
}

fn array_place<I: Instructions>(
    e: &mut Emitter<'_, I>,
    var: Reg,
    index: Reg,
) -> Result<Place<I::Value>> {
    let array = array(e, var)?;
    let mut place = Place {
        base: array_address(e, array)?,
        area: Area::Private,
        offset: row_offset(e, var - array.first),
        terms: Vec::new(),
        checks: Vec::new(),
    };
    follow(e, index, row_offset(e, 1), &mut place)?;
    Ok(place)
}

fn array<I: Instructions>(e: &Emitter<'_, I>, var: Reg) -> Result<Array> {
    e.kernel.array_of(var).ok_or_else(|| e.broken("an array without elements"))
}

/// An element at a constant index.
pub(super) fn load_plane<I: Instructions>(
    e: &mut Emitter<'_, I>,
    array: Array,
    element: u32,
) -> Result<Val<I::Value, I::Lanes>> {
    let at = array_address(e, array)?;
    let offset = row_offset(e, element);
    Ok(Val::Vector(e.b.load_row(false, Area::Private, &at, offset), Ty::Int))
}

pub(super) fn store_plane<I: Instructions>(
    e: &mut Emitter<'_, I>,
    array: Array,
    element: u32,
    value: Reg,
) -> Result<()> {
    let at = array_address(e, array)?;
    let offset = row_offset(e, element);
    blend(e, &at, offset, value)
}

/// Stores lanes under the mask, to memory that no other gang sees.
fn blend<I: Instructions>(
    e: &mut Emitter<'_, I>,
    at: &I::Value,
    offset: u64,
    value: Reg,
) -> Result<()> {
    let mut new = e.vector(value, Ty::Int)?;
    if let Mask::Some(mask) = e.mask.clone() {
        let old = e.b.load_row(false, Area::Private, at, offset);
        new = e.b.select(&mask, &new, &old, Ty::Int, true);
    }
    e.b.store_row(false, Area::Private, &new, at, offset);
    Ok(())
}

/// The offset of each lane's word at the lane's own index, in words.
fn word_offsets<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
) -> Result<I::Lanes> {
    let rows = offsets(e, place, 4)?;
    let iota = e.b.iota(1);
    Ok(e.b.binary(Binary::AddI, &rows, &iota, Ty::Int, true))
}

pub(super) fn local_load<I: Instructions>(
    e: &mut Emitter<'_, I>,
    dst: Reg,
    var: Reg,
    index: Reg,
) -> Result<()> {
    let place = array_place(e, var, index)?;
    let value = if spread(e, &place) == Spread::Uniform {
        let inside = inside(e, &place, &None, 0)?;
        let mut at = address(e, &place, &None)?;
        if let Some(inside) = &inside {
            at = e.b.choose(inside, Size::Address, &at, &place.base);
        }
        let value = e.b.load_row(false, Area::Private, &at, place.offset);
        match inside {
            None => value,
            Some(inside) => {
                let zero = e.b.number(0, Ty::Int, true);
                e.b.select_all(&inside, &value, &zero, Ty::Int)
            }
        }
    } else {
        let wanted = wanted(e, &place)?;
        let words = word_offsets(e, &place)?;
        e.b.gather(Area::Private, &place.base, place.offset, &words, wanted.as_ref())
    };
    e.define(dst, Val::Vector(value, Ty::Int));
    Ok(())
}

pub(super) fn local_store<I: Instructions>(
    e: &mut Emitter<'_, I>,
    var: Reg,
    index: Reg,
    src: Reg,
) -> Result<()> {
    let place = array_place(e, var, index)?;
    if spread(e, &place) != Spread::Uniform {
        let wanted = wanted(e, &place)?;
        let words = word_offsets(e, &place)?;
        let values = e.vector(src, Ty::Int)?;
        let wanted = wanted.as_ref();
        e.b.scatter(Area::Private, &place.base, place.offset, &words, &values, wanted);
        return Ok(());
    }
    let inside = inside(e, &place, &None, 0)?;
    let at = address(e, &place, &None)?;
    let done = e.b.block();
    if let Some(inside) = &inside {
        let go = e.b.block();
        e.b.branch_if(inside, &go, &done);
        e.b.begin(&go);
    }
    e.enter();
    blend(e, &at, place.offset, src)?;
    e.leave();
    if inside.is_some() {
        e.b.branch(&done);
        e.b.begin(&done);
    }
    Ok(())
}

/// Sets a variable's elements to zero, in every lane.
pub(super) fn clear<I: Instructions>(e: &mut Emitter<'_, I>, var: Reg, count: u32) -> Result<()> {
    let array = array(e, var)?;
    let start = array_address(e, array)?;
    let offset = e.b.long(row_offset(e, var - array.first) as i64);
    let at = e.b.address(&start, &offset);
    let bytes = row_offset(e, count);
    e.b.zero(Area::Private, &at, bytes);
    Ok(())
}
