//! Statements through which invocations exchange data: atomics and subgroup operations.
//!
//! Each becomes one operation of the bytecode, or one for each plane. Both front ends append them here, so that
//! all engines agree on the operation, its order and its initial value.

use naga::{AtomicFunction as A, Expression, Handle};

use super::bytecode::{Atomic, AtomicFunction, Collective, Gather, NONE, Op, SubgroupFold};
use super::class::Class;
use super::compiler::{Compiler, Entry, Scope, Value};
use super::functions::Binary;
use super::place::Root;
use super::shape::Kind;
use super::touch::Touch;
use super::{addressing, expressions, notes};
use crate::error::Result;

pub(in crate::cpu) fn ballot(
    c: &mut Compiler<'_>,
    result: Handle<Expression>,
    predicate: Option<Handle<Expression>>,
) -> Result<()> {
    c.subgroups = true;
    let predicate = match predicate {
        Some(predicate) => expressions::scalar_value(c, predicate)?,
        None => c.constant(u32::MAX),
    };
    let dst = [0; 4].map(|_| c.register(Class::Temporary));
    let mask = c.exec;
    c.push(Op::Ballot { dst, predicate, mask });
    c.set(Scope::Function, result, Entry::Value(Value::from(dst)));
    Ok(())
}

pub(in crate::cpu) fn atomic(
    c: &mut Compiler<'_>,
    pointer: Handle<Expression>,
    fun: &A,
    value: Handle<Expression>,
    result: Option<Handle<Expression>>,
) -> Result<()> {
    let place = expressions::place(c, pointer)?;
    let signed = c.kind(Scope::Function, value)? == Kind::I32;
    let value = expressions::scalar_value(c, value)?;
    let mut compare = NONE;
    let function = match *fun {
        A::Add => AtomicFunction::Add,
        A::Subtract => AtomicFunction::Subtract,
        A::And => AtomicFunction::And,
        A::ExclusiveOr => AtomicFunction::Xor,
        A::InclusiveOr => AtomicFunction::Or,
        A::Min if signed => AtomicFunction::MinI,
        A::Min => AtomicFunction::MinU,
        A::Max if signed => AtomicFunction::MaxI,
        A::Max => AtomicFunction::MaxU,
        A::Exchange { compare: None } => AtomicFunction::Exchange,
        A::Exchange { compare: Some(other) } => {
            compare = expressions::scalar_value(c, other)?;
            AtomicFunction::CompareExchange
        }
    };
    notes::note_touch(c, &place, Touch::Atomic)?;
    let address = addressing::address(c, &place)?;
    c.storage_atomics |= matches!(place.root, Root::Storage(_));
    let (mut dst, mut exchanged) = (NONE, NONE);
    if let Some(result) = result {
        dst = c.register(Class::Temporary);
        let entry = if function == AtomicFunction::CompareExchange {
            exchanged = c.register(Class::Temporary);
            Value::from([dst, exchanged])
        } else {
            Value::from([dst])
        };
        c.set(Scope::Function, result, Entry::Value(entry));
    }
    let mask = c.exec;
    let atomic = Atomic { function, address, value, compare, dst, exchanged, mask };
    c.push(Op::Atomic(Box::new(atomic)));
    Ok(())
}

pub(in crate::cpu) fn gather(
    c: &mut Compiler<'_>,
    mode: naga::GatherMode,
    argument: Handle<Expression>,
    result: Handle<Expression>,
) -> Result<()> {
    use naga::GatherMode as G;
    c.subgroups = true;
    let (mode, index) = match mode {
        G::BroadcastFirst => (Gather::First, None),
        G::Broadcast(index) | G::Shuffle(index) => (Gather::Lane, Some(index)),
        G::ShuffleDown(index) => (Gather::Down, Some(index)),
        G::ShuffleUp(index) => (Gather::Up, Some(index)),
        G::ShuffleXor(index) => (Gather::Xor, Some(index)),
        G::QuadBroadcast(index) => (Gather::QuadLane, Some(index)),
        G::QuadSwap(naga::Direction::X) => (Gather::QuadSwap(1), None),
        G::QuadSwap(naga::Direction::Y) => (Gather::QuadSwap(2), None),
        G::QuadSwap(naga::Direction::Diagonal) => (Gather::QuadSwap(3), None),
    };
    let index = match index {
        Some(index) => expressions::scalar_value(c, index)?,
        None => NONE,
    };
    let mask = c.exec;
    let argument = expressions::value(c, argument)?;
    let regs: Value = argument
        .iter()
        .map(|&src| {
            let dst = c.register(Class::Temporary);
            c.push(Op::SubgroupGather { mode, dst, src, index, mask });
            dst
        })
        .collect();
    c.set(Scope::Function, result, Entry::Value(regs));
    Ok(())
}

pub(in crate::cpu) fn collective(
    c: &mut Compiler<'_>,
    op: naga::SubgroupOperation,
    collective: naga::CollectiveOperation,
    argument: Handle<Expression>,
    result: Handle<Expression>,
) -> Result<()> {
    use naga::SubgroupOperation as S;
    c.subgroups = true;
    let kind = c.kind(Scope::Function, argument)?;
    let float = |x: f32| x.to_bits();
    let (combine, identity) = match (op, kind) {
        (S::All, _) | (S::And, _) => (Binary::And, u32::MAX),
        (S::Any, _) | (S::Or, _) => (Binary::Or, 0),
        (S::Xor, _) => (Binary::Xor, 0),
        (S::Add, Kind::F32 | Kind::F16) => (Binary::AddF, float(0.0)),
        (S::Add, _) => (Binary::AddI, 0),
        (S::Mul, Kind::F32 | Kind::F16) => (Binary::MulF, float(1.0)),
        (S::Mul, _) => (Binary::MulI, 1),
        (S::Min, Kind::F32 | Kind::F16) => (Binary::MinF, float(f32::INFINITY)),
        (S::Min, Kind::I32) => (Binary::MinI, i32::MAX as u32),
        (S::Min, _) => (Binary::MinU, u32::MAX),
        (S::Max, Kind::F32 | Kind::F16) => (Binary::MaxF, float(f32::NEG_INFINITY)),
        (S::Max, Kind::I32) => (Binary::MaxI, i32::MIN as u32),
        (S::Max, _) => (Binary::MaxU, 0),
    };
    let collective = match collective {
        naga::CollectiveOperation::Reduce => Collective::Reduce,
        naga::CollectiveOperation::InclusiveScan => Collective::Inclusive,
        naga::CollectiveOperation::ExclusiveScan => Collective::Exclusive,
    };
    let mask = c.exec;
    let half = kind == Kind::F16;
    let argument = expressions::value(c, argument)?;
    let regs: Value = argument
        .iter()
        .map(|&src| {
            let dst = c.register(Class::Temporary);
            c.push(Op::SubgroupFold(Box::new(SubgroupFold {
                collective,
                combine,
                half,
                identity,
                dst,
                src,
                mask,
            })));
            dst
        })
        .collect();
    c.set(Scope::Function, result, Entry::Value(regs));
    Ok(())
}
