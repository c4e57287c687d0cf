//! Subgroup operations: a gang is a subgroup, so they stay within its lanes.
//!
//! Lanes that are masked off take no part, and are read as zero. Floats are combined one after the other in the
//! order of the lanes, as in the interpreter: the result's bits depend on the order.

use super::emitter::{Emitter, Mask, Val};
use super::functions::extreme;
use super::instructions::{Area, Compare, Instructions, Scalar, Size};
use crate::cpu::interpreter::bytecode::{Collective, Gather, NONE, SubgroupFold};
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

pub(super) fn ballot<I: Instructions>(
    e: &mut Emitter<'_, I>,
    dst: [Reg; 4],
    predicate: Reg,
) -> Result<()> {
    let predicate = e.vector(predicate, Ty::Bool)?;
    let mask = e.mask_lanes();
    let votes = e.and(&mask, &predicate);
    let votes = e.b.bits(&votes);
    for (word, reg) in (0..).zip(dst) {
        if reg == NONE {
            continue;
        }
        let value = if 32 * word < e.b.width() { e.b.votes(&votes, word) } else { e.b.int(0) };
        e.define(reg, Val::Scalar(value, Ty::Int));
    }
    Ok(())
}

/// The value in the active lanes, `idle` in the others.
pub(super) fn active<I: Instructions>(
    e: &mut Emitter<'_, I>,
    src: Reg,
    ty: Ty,
    idle: u32,
) -> Result<I::Lanes> {
    let value = e.vector(src, ty)?;
    let Mask::Some(mask) = e.mask.clone() else { return Ok(value) };
    let idle = e.b.number(idle, ty, true);
    Ok(e.b.select(&mask, &value, &idle, ty, true))
}

pub(super) fn gather<I: Instructions>(
    e: &mut Emitter<'_, I>,
    mode: Gather,
    dst: Reg,
    src: Reg,
    index: Reg,
) -> Result<()> {
    let last = e.b.width() - 1;
    let value = active(e, src, Ty::Int, 0)?;
    if e.is_uniform(dst) {
        let from = if mode == Gather::First {
            let mask = e.mask_lanes();
            let bits = e.b.bits(&mask);
            e.b.first_set(&bits)
        } else {
            e.scalar(index, Ty::Int)?
        };
        let (last, zero) = (e.b.int(last), e.b.int(0));
        let inside = e.b.scalar(Scalar::LeU, Size::Word, &from, &last);
        let (lane, low) = (I::single(&from), I::single(&last));
        let lane = I::only(&e.b.binary(Binary::And, &lane, &low, Ty::Int, false));
        let taken = e.b.lane_at(&value, &lane, false);
        let taken = e.b.choose(&inside, Size::Word, &taken, &zero);
        e.define(dst, Val::Scalar(taken, Ty::Int));
        return Ok(());
    }
    let own = e.b.iota(1);
    let index = if index == NONE { own.clone() } else { e.vector(index, Ty::Int)? };
    let last = e.b.number(last, Ty::Int, true);
    let at_most =
        |e: &mut Emitter<'_, I>, x: &I::Lanes, y: &I::Lanes| e.b.compare(Compare::LeU, x, y, true);
    let int = |e: &mut Emitter<'_, I>, f: Binary, x: &I::Lanes, y: &I::Lanes| {
        e.b.binary(f, x, y, Ty::Int, true)
    };
    let (from, inside) = match mode {
        Gather::First | Gather::Lane => {
            let inside = at_most(e, &index, &last);
            (index, inside)
        }
        Gather::Down => {
            let most = int(e, Binary::SubI, &last, &own);
            let inside = at_most(e, &index, &most);
            (int(e, Binary::AddI, &own, &index), inside)
        }
        Gather::Up => {
            let inside = at_most(e, &index, &own);
            (int(e, Binary::SubI, &own, &index), inside)
        }
        Gather::Xor => {
            let from = int(e, Binary::Xor, &own, &index);
            let inside = at_most(e, &from, &last);
            (from, inside)
        }
        Gather::QuadLane => {
            let (three, quad) = (e.b.number(3, Ty::Int, true), e.b.number(!3, Ty::Int, true));
            let inside = at_most(e, &index, &three);
            let first = int(e, Binary::And, &own, &quad);
            (int(e, Binary::AddI, &first, &index), inside)
        }
        Gather::QuadSwap(bits) => {
            let bits = e.b.number(bits, Ty::Int, true);
            let from = int(e, Binary::Xor, &own, &bits);
            let inside = at_most(e, &from, &last);
            (from, inside)
        }
    };
    // Through memory: not every machine has a shuffle by lane numbers.
    let row = e.b.spill("subgroup", &value);
    let taken = e.b.gather(Area::Frame, &row, 0, &from, Some(&inside));
    e.define(dst, Val::Vector(taken, Ty::Int));
    Ok(())
}

pub(super) fn fold<I: Instructions>(e: &mut Emitter<'_, I>, fold: &SubgroupFold) -> Result<()> {
    use Binary as B;
    let float = matches!(fold.combine, B::AddF | B::MulF | B::MinF | B::MaxF);
    let ty = if float { Ty::Float } else { Ty::Int };
    let reduce = fold.collective == Collective::Reduce;
    if reduce && !float {
        let value = active(e, fold.src, Ty::Int, fold.identity)?;
        let sum = e.b.reduce(fold.combine, &value);
        e.define(fold.dst, Val::Scalar(sum, Ty::Int));
        return Ok(());
    }
    // In order, starting from the identity.
    let start = e.b.number(fold.identity, ty, false);
    if reduce && !fold.half && matches!(fold.combine, B::AddF | B::MulF) {
        // The value added for an idle lane must not turn a negative zero into a positive one.
        let idle = if fold.combine == B::AddF { -0.0f32 } else { 1.0 };
        let value = active(e, fold.src, ty, idle.to_bits())?;
        if let Some(sum) = e.b.reduce_in_order(fold.combine, &I::only(&start), &value) {
            e.define(fold.dst, Val::Scalar(sum, ty));
            return Ok(());
        }
    }
    let value = e.vector(fold.src, ty)?;
    let mask = e.mask.clone();
    let mut sum = start;
    let mut out = e.b.number(0, ty, true);
    for lane in 0..e.b.width() {
        if fold.collective == Collective::Exclusive {
            out = e.b.with_lane(&out, lane, &I::only(&sum), ty);
        }
        let next = I::single(&e.b.lane(&value, lane, ty));
        let mut more = combined(&mut e.b, fold.combine, &sum, &next, ty);
        if fold.half {
            let half = e.b.narrowed(&more, false);
            more = e.b.widened(&half, false);
        }
        sum = match &mask {
            Mask::Full => more,
            Mask::Some(mask) => {
                let there = I::single(&e.b.lane(mask, lane, Ty::Bool));
                e.b.select(&there, &more, &sum, ty, false)
            }
        };
        if fold.collective == Collective::Inclusive {
            out = e.b.with_lane(&out, lane, &I::only(&sum), ty);
        }
    }
    let val = if reduce { Val::Scalar(I::only(&sum), ty) } else { Val::Vector(out, ty) };
    e.define(fold.dst, val);
    Ok(())
}

/// Two scalars combined.
fn combined<I: Instructions>(b: &mut I, f: Binary, x: &I::Lanes, y: &I::Lanes, ty: Ty) -> I::Lanes {
    match f {
        Binary::MinF | Binary::MaxF => extreme(b, f, x, y, false),
        _ => b.binary(f, x, y, ty, false),
    }
}
