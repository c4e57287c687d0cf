//! Atomic read-modify-writes: one lane after the other, in the order of the lanes.
//!
//! If all lanes update one word and the old value is not used, the gang's values are combined first and one
//! atomic updates the word.

use super::emitter::{Emitter, Val};
use super::instructions::{Area, Compare, Instructions};
use super::lanes::for_each_lane;
use super::memory::single_place;
use super::place::{Place, Spread, offsets, place, spread, wanted};
use super::subgroup::active;
use crate::cpu::interpreter::bytecode::{Atomic, AtomicFunction, NONE};
use crate::cpu::interpreter::functions::Binary;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// The lanes' operands of an update.
enum Operand<V> {
    Uniform(V),
    /// A row of words in the frame.
    Lanes(V),
}

pub(super) fn atomic<I: Instructions>(e: &mut Emitter<'_, I>, atomic: &Atomic) -> Result<()> {
    let place = place(e, &atomic.address)?;
    if let (NONE, Spread::Uniform) = (atomic.dst, spread(e, &place))
        && combined(e, atomic, &place)?
    {
        return Ok(());
    }
    let wanted = wanted(e, &place)?;
    let offsets = offsets(e, &place, 4)?;
    let offset_row = e.b.spill("offsets", &offsets);
    let value = if e.is_uniform(atomic.value) {
        Operand::Uniform(e.scalar(atomic.value, Ty::Int)?)
    } else {
        let lanes = e.vector(atomic.value, Ty::Int)?;
        Operand::Lanes(e.b.spill("values", &lanes))
    };
    let mut compare = None;
    if atomic.compare != NONE {
        let lanes = e.vector(atomic.compare, Ty::Int)?;
        let row = e.b.spill("compares", &lanes);
        compare = Some((lanes, row));
    }
    let old_row = (atomic.dst != NONE).then(|| {
        let zero = e.b.number(0, Ty::Int, true);
        e.b.spill("olds", &zero)
    });
    let start = e.b.long(place.offset as i64);
    let start = e.b.address(&place.base, &start);
    let quick = compare.is_none();
    for_each_lane(&mut e.b, wanted.as_ref(), quick, |b, lane| {
        let offset = b.spilled(&offset_row, lane);
        let at = b.word_address(&start, &offset, 4);
        let value = match &value {
            Operand::Uniform(value) => value.clone(),
            Operand::Lanes(row) => b.spilled(row, lane),
        };
        let compare = match &compare {
            Some((_, row)) => b.spilled(row, lane),
            None => value.clone(),
        };
        let old = update(b, atomic.function, place.area, &at, &value, &compare);
        if let Some(row) = &old_row {
            b.set_spilled(row, lane, &old);
        }
    });
    if let Some(row) = old_row {
        let old = e.b.load_row(false, Area::Frame, &row, 0);
        if let (Some((compare, _)), true) = (&compare, atomic.exchanged != NONE) {
            // Lanes out of bounds read zero.
            let lanes = e.b.compare(Compare::Eq, &old, compare, true);
            e.define(atomic.exchanged, Val::Vector(lanes, Ty::Bool));
        }
        e.define(atomic.dst, Val::Vector(old, Ty::Int));
    }
    Ok(())
}

/// One atomic for all lanes, where the function allows it.
fn combined<I: Instructions>(
    e: &mut Emitter<'_, I>,
    atomic: &Atomic,
    place: &Place<I::Value>,
) -> Result<bool> {
    use AtomicFunction as A;
    let (combine, idle) = match atomic.function {
        A::Add | A::Subtract => (Binary::AddI, 0),
        A::And => (Binary::And, u32::MAX),
        A::Or => (Binary::Or, 0),
        A::Xor => (Binary::Xor, 0),
        A::MinI => (Binary::MinI, i32::MAX as u32),
        A::MaxI => (Binary::MaxI, i32::MIN as u32),
        A::MinU => (Binary::MinU, u32::MAX),
        A::MaxU => (Binary::MaxU, 0),
        A::Exchange | A::CompareExchange => return Ok(false),
    };
    let uniform = e.is_uniform(atomic.value);
    let value = match atomic.function {
        A::Add | A::Subtract if uniform => {
            let value = e.scalar(atomic.value, Ty::Int)?;
            let mask = e.mask_lanes();
            let bits = e.b.bits(&mask);
            let count = e.b.count(&bits);
            let (value, count) = (I::single(&value), I::single(&count));
            I::only(&e.b.binary(Binary::MulI, &value, &count, Ty::Int, false))
        }
        A::Xor => reduced(e, atomic, combine, idle)?,
        _ if uniform => e.scalar(atomic.value, Ty::Int)?,
        _ => reduced(e, atomic, combine, idle)?,
    };
    let (at, wanted) = single_place(e, place)?;
    let done = e.b.block();
    if let Some(wanted) = &wanted {
        let go = e.b.block();
        e.b.branch_if(wanted, &go, &done);
        e.b.begin(&go);
    }
    update(&mut e.b, atomic.function, place.area, &at, &value, &value);
    if wanted.is_some() {
        e.b.branch(&done);
        e.b.begin(&done);
    }
    Ok(true)
}

/// The values of the executing lanes, combined.
fn reduced<I: Instructions>(
    e: &mut Emitter<'_, I>,
    atomic: &Atomic,
    combine: Binary,
    idle: u32,
) -> Result<I::Value> {
    let lanes = active(e, atomic.value, Ty::Int, idle)?;
    Ok(e.b.reduce(combine, &lanes))
}

/// Updates a word; the old value. No other thread accesses workgroup memory.
fn update<I: Instructions>(
    b: &mut I,
    f: AtomicFunction,
    area: Area,
    at: &I::Value,
    value: &I::Value,
    compare: &I::Value,
) -> I::Value {
    use AtomicFunction as A;
    if area != Area::Workgroup {
        return b.atomic(f, area, at, value, compare);
    }
    let old = b.load_word(false, area, at, 0);
    let (x, y) = (I::single(&old), I::single(value));
    let combine = match f {
        A::Add => Binary::AddI,
        A::Subtract => Binary::SubI,
        A::And => Binary::And,
        A::Or => Binary::Or,
        A::Xor => Binary::Xor,
        A::MinI => Binary::MinI,
        A::MaxI => Binary::MaxI,
        A::MinU => Binary::MinU,
        A::MaxU => Binary::MaxU,
        A::Exchange => {
            b.store_word(false, area, value, at, 0);
            return old;
        }
        A::CompareExchange => {
            let same = b.compare(Compare::Eq, &x, &I::single(compare), false);
            let new = b.select(&same, &y, &x, Ty::Int, false);
            b.store_word(false, area, &I::only(&new), at, 0);
            return old;
        }
    };
    let new = b.binary(combine, &x, &y, Ty::Int, false);
    b.store_word(false, area, &I::only(&new), at, 0);
    old
}
