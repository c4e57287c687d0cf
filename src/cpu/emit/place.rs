//! Places: the location of an access, the relation of its lanes, and bounds checks.
//!
//! What always holds: offsets in words fit 32 bits, since the launch refuses larger buffers. The first element of a
//! place always exists, so a lane that is out of bounds or masked off may read it and drop the value. Only words that
//! an active lane stores are written.

use super::emitter::{Emitter, Mask};
use super::instructions::{Area, Compare, Instructions, Scalar, Size};
use crate::cpu::interpreter::bytecode::{Access, Address, Memory, NONE, Op};
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Addends of an index below this become part of the address.
const FAR: u32 = 1 << 16;

/// The upper bound (exclusive) of an index.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Bound<V> {
    Constant(u32),
    /// A word.
    Value(V),
}

/// An address, split into its terms.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Place<V> {
    pub(in crate::cpu) base: V,
    pub(in crate::cpu) area: Area,
    /// Bytes from the base.
    pub(in crate::cpu) offset: u64,
    /// Indices, each with its stride in bytes.
    pub(in crate::cpu) terms: Vec<(Reg, u64)>,
    pub(in crate::cpu) checks: Vec<(Reg, Bound<V>)>,
}

/// The relation of the addresses of a gang's lanes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cpu) enum Spread {
    Uniform,
    /// The bytes from lane to lane.
    Strided(i64),
    /// Perhaps consecutive elements of this many bytes, by one index.
    Likely(i64),
    Any,
}

/// An index register and its first lane's value, if the register does not have the value itself.
pub(in crate::cpu) type First<V> = Option<(Reg, V)>;

/// Follows the `Index` operations of an inner index.
pub(super) fn follow<I: Instructions>(
    e: &mut Emitter<'_, I>,
    mut at: Reg,
    unit: u64,
    place: &mut Place<I::Value>,
) -> Result<()> {
    while at != NONE {
        if let Some(known) = e.kernel.known(at) {
            place.offset += u64::from(known) * unit;
            break;
        }
        let Some(Op::Index { base, index, bound, stride, .. }) = e.indices.get(&at).cloned() else {
            return Err(e.broken("an inner index that is no index"));
        };
        place.terms.push((index, u64::from(stride) * unit));
        if !e.kernel.inside.contains(&at) {
            place.checks.push((index, Bound::Constant(bound)));
        }
        at = base;
    }
    Ok(())
}

pub(super) fn place<I: Instructions>(
    e: &mut Emitter<'_, I>,
    address: &Address,
) -> Result<Place<I::Value>> {
    let base = match address.memory {
        Memory::Storage(binding) | Memory::Value(binding) => &e.args.bindings[binding].address,
        Memory::Workgroup => &e.args.scratch,
    };
    let mut place = Place {
        base: base.clone(),
        area: address.memory.into(),
        offset: address.offset,
        terms: Vec::new(),
        checks: Vec::new(),
    };
    if address.outer != NONE {
        let Memory::Storage(binding) = address.memory else {
            return Err(e.broken("a runtime-sized array outside of storage"));
        };
        let binding = &e.args.bindings[binding];
        place.terms.push((address.outer, address.stride));
        let bound = if address.signed { &binding.signed } else { &binding.length };
        if !e.kernel.inside.contains(&address.outer) {
            place.checks.push((address.outer, Bound::Value(bound.clone())));
        }
    }
    follow(e, address.inner, 1, &mut place)?;
    Ok(place)
}

pub(super) fn spread<I: Instructions>(e: &Emitter<'_, I>, place: &Place<I::Value>) -> Spread {
    let (mut stride, mut likely, mut strided) = (0i64, None, false);
    for &(reg, bytes) in &place.terms {
        match e.class(reg) {
            class if class <= Class::Gang => {}
            Class::Strided(k) => {
                // Indices wrap at 32 bits, addresses do not.
                if k < 0 || i64::from(k) * i64::from(e.b.width() - 1) > i64::from(i32::MAX) {
                    return Spread::Any;
                }
                strided = true;
                stride += i64::from(k) * bytes as i64;
            }
            Class::Likely if likely.is_none() => likely = Some(bytes as i64),
            _ => return Spread::Any,
        }
    }
    match (strided, likely) {
        (false, None) => Spread::Uniform,
        (true, None) => Spread::Strided(stride),
        (false, Some(bytes)) => Spread::Likely(bytes),
        (true, Some(_)) => Spread::Any,
    }
}

/// Whether each part is adjacent to that of the next lane.
pub(in crate::cpu) fn contiguous(access: &Access, bytes: i64) -> bool {
    access.parts.iter().all(|part| bytes == if part.half { 2 } else { 4 })
}

/// The unit of an access's offsets: all places are multiples of it.
pub(in crate::cpu) fn unit(access: &Access) -> u64 {
    if access.parts.iter().any(|part| part.half) { 2 } else { 4 }
}

fn limit<I: Instructions>(e: &mut Emitter<'_, I>, bound: &Bound<I::Value>) -> I::Value {
    match bound {
        Bound::Constant(bits) => e.b.int(*bits),
        Bound::Value(value) => value.clone(),
    }
}

/// Whether a check surely holds.
fn holds<I: Instructions>(e: &Emitter<'_, I>, reg: Reg, bound: &Bound<I::Value>) -> bool {
    matches!((e.kernel.known(reg), bound), (Some(known), Bound::Constant(limit)) if known < *limit)
}

fn first_index<I: Instructions>(
    e: &mut Emitter<'_, I>,
    reg: Reg,
    first: &First<I::Value>,
) -> Result<I::Value> {
    match first {
        Some((known, value)) if *known == reg => Ok(value.clone()),
        _ => e.scalar(reg, Ty::Int),
    }
}

/// Whether all lanes are in bounds, and `more` elements after the last; `None` if that is certain.
pub(in crate::cpu) fn inside<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
    first: &First<I::Value>,
    more: u64,
) -> Result<Option<I::Value>> {
    let mut inside: Option<I::Value> = None;
    for (reg, bound) in &place.checks {
        let step = match e.class(*reg) {
            Class::Strided(k) => Some(i64::from(k)),
            Class::Likely => Some(1),
            _ => None,
        };
        let check = match step {
            None => {
                if holds(e, *reg, bound) {
                    continue;
                }
                let index = e.scalar(*reg, Ty::Int)?;
                let limit = limit(e, bound);
                e.b.scalar(Scalar::LtU, Size::Word, &index, &limit)
            }
            Some(step) => {
                let index = first_index(e, *reg, first)?;
                let index = e.b.extend(&index, false);
                let last = step as u64 * u64::from(e.b.width() - 1) + more;
                let last = e.b.long(last as i64);
                let last = e.b.scalar(Scalar::Sum, Size::Long, &index, &last);
                let limit = limit(e, bound);
                let limit = e.b.extend(&limit, false);
                e.b.scalar(Scalar::LtU, Size::Long, &last, &limit)
            }
        };
        inside = Some(e.b.both(inside.as_ref(), &check));
    }
    Ok(inside)
}

/// Whether the checks alone show that every lane's place is in bounds, active or not.
pub(in crate::cpu) fn checked<I: Instructions>(
    e: &Emitter<'_, I>,
    place: &Place<I::Value>,
) -> bool {
    place.terms.iter().all(|(reg, _)| {
        e.is_uniform(*reg) || place.checks.iter().any(|(checked, _)| checked == reg)
    })
}

/// The mask of the active lanes that are in bounds; `None` if all are.
pub(in crate::cpu) fn wanted<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
) -> Result<Option<I::Lanes>> {
    let mut mask = match &e.mask {
        Mask::Full => None,
        Mask::Some(mask) => Some(mask.clone()),
    };
    for (reg, bound) in &place.checks {
        if holds(e, *reg, bound) {
            continue;
        }
        let index = e.vector(*reg, Ty::Int)?;
        let limit = match bound {
            Bound::Constant(bits) => e.b.number(*bits, Ty::Int, true),
            Bound::Value(value) => e.b.splat(value, Ty::Int),
        };
        let check = e.b.compare(Compare::LtU, &index, &limit, true);
        mask = Some(match mask {
            None => check,
            Some(other) => e.and(&other, &check),
        });
    }
    Ok(mask)
}

/// The address of the first lane, or of all lanes if the place is uniform, without the place's offset.
pub(in crate::cpu) fn address<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
    first: &First<I::Value>,
) -> Result<I::Value> {
    let (mut terms, mut beyond) = (Vec::new(), 0);
    for &(reg, bytes) in &place.terms {
        let (reg, more) = if I::SPLIT_INDICES { addend(e, reg, first) } else { (reg, 0) };
        beyond += u64::from(more) * bytes;
        terms.push((first_index(e, reg, first)?, bytes));
    }
    Ok(e.b.element(&place.base, &terms, beyond))
}

/// Splits an index into a register and an addend, so that neighbouring accesses share an address.
///
/// The index of an accessed place is below 2^31, and no lane's index is farther from the first lane's than
/// the stride times the gang's width. So the index without the addend is not below the least i32, and the
/// sum of both in 64 bits equals that in 32.
fn addend<I: Instructions>(
    e: &Emitter<'_, I>,
    mut reg: Reg,
    first: &First<I::Value>,
) -> (Reg, u32) {
    let mut more = 0;
    let near = |class| match class {
        Class::Strided(step) => (0..FAR as i32).contains(&step),
        class => class <= Class::Gang,
    };
    while first.as_ref().is_none_or(|(known, _)| *known != reg)
        && near(e.class(reg))
        && let Some(&(rest, by)) = e.sums.get(&reg)
        && more + by.min(FAR) < FAR
    {
        (reg, more) = (rest, more + by);
    }
    (reg, more)
}

/// The offset of each lane's place from the base, in units of `unit` bytes.
pub(in crate::cpu) fn offsets<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
    unit: u64,
) -> Result<I::Lanes> {
    let mut sum: Option<I::Lanes> = None;
    for &(reg, bytes) in &place.terms {
        let mut index = e.vector(reg, Ty::Int)?;
        let step = u32::try_from(bytes / unit)
            .map_err(|_| e.unsupported("an element of more than 4 GiB"))?;
        if step.is_power_of_two() && step > 1 {
            index = e.b.shift_by(Binary::Shl, &index, step.trailing_zeros(), true);
        } else if step != 1 {
            let by = e.b.number(step, Ty::Int, true);
            index = e.b.binary(Binary::MulI, &index, &by, Ty::Int, true);
        }
        sum = Some(match sum {
            None => index,
            Some(other) => e.b.binary(Binary::AddI, &other, &index, Ty::Int, true),
        });
    }
    Ok(match sum {
        Some(sum) => sum,
        None => e.b.number(0, Ty::Int, true),
    })
}

/// For an index that may be strided: its first lane, and the lanes that follow it.
pub(in crate::cpu) fn likely<I: Instructions>(
    e: &mut Emitter<'_, I>,
    place: &Place<I::Value>,
) -> Result<(First<I::Value>, I::Lanes)> {
    let likely = place.terms.iter().find(|(reg, _)| e.class(*reg) == Class::Likely);
    let Some(&(reg, _)) = likely else { return Err(e.broken("no likely index")) };
    let index = e.vector(reg, Ty::Int)?;
    let (first, follow) = e.follow(&index);
    Ok((Some((reg, first)), follow))
}
