//! Built-in values: of the launch, of a workgroup, of a gang.

use super::emitter::{Emitter, Val};
use super::instructions::{Instructions, Scalar, Size};
use crate::cpu::interpreter::bytecode::Builtin;
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;

/// The built-in values of a kernel, in the order of their registers.
fn builtins<I: Instructions>(e: &Emitter<'_, I>) -> Vec<(Reg, Builtin)> {
    let mut builtins: Vec<(Reg, Builtin)> =
        e.kernel.builtins.iter().map(|(&reg, &builtin)| (reg, builtin)).collect();
    builtins.sort_by_key(|(reg, _)| *reg);
    builtins
}

/// Values that are uniform in the launch.
pub(super) fn of_launch<I: Instructions>(e: &mut Emitter<'_, I>) {
    for (reg, builtin) in builtins(e) {
        let value = match builtin {
            Builtin::NumWorkgroups(axis) => e.args.grid[axis as usize].clone(),
            // A gang is a subgroup.
            Builtin::NumSubgroups => e.b.int(e.kernel.gangs() as u32),
            Builtin::SubgroupSize => e.b.int(e.b.width()),
            _ => continue,
        };
        e.define(reg, Val::Scalar(value, Ty::Int));
    }
}

/// Values that are uniform in the workgroup.
pub(super) fn of_workgroup<I: Instructions>(e: &mut Emitter<'_, I>) {
    for (reg, builtin) in builtins(e) {
        let value = match builtin {
            Builtin::WorkgroupId(axis) => e.group[axis as usize].clone(),
            // The workgroup is one invocation wide along this axis.
            Builtin::LocalId(_) if e.class(reg) <= Class::Workgroup => e.b.int(0),
            Builtin::GlobalId(axis) if e.class(reg) <= Class::Workgroup => {
                e.group[axis as usize].clone()
            }
            _ => continue,
        };
        e.define(reg, Val::Scalar(value, Ty::Int));
    }
}

/// Values that differ from gang to gang.
pub(super) fn of_gang<I: Instructions>(e: &mut Emitter<'_, I>) {
    for (reg, builtin) in builtins(e) {
        if e.class(reg) <= Class::Workgroup {
            continue;
        }
        let val = match builtin {
            Builtin::LocalIndex => Val::Strided(first_lane(e), 1),
            Builtin::SubgroupInvocationId => Val::Strided(e.b.int(0), 1),
            Builtin::SubgroupId => Val::Scalar(e.gang.clone(), Ty::Int),
            Builtin::LocalId(axis) => local_id(e, axis),
            Builtin::GlobalId(axis) => global_id(e, axis),
            _ => continue,
        };
        e.define(reg, val);
    }
}

/// The number of the gang's first lane.
fn first_lane<I: Instructions>(e: &mut Emitter<'_, I>) -> I::Value {
    let width = e.b.int(e.b.width());
    e.b.scalar(Scalar::Product, Size::Word, &e.gang, &width)
}

fn global_id<I: Instructions>(e: &mut Emitter<'_, I>, axis: u8) -> Val<I::Value, I::Lanes> {
    let local = local_id(e, axis);
    let size = e.b.int(e.kernel.extent(axis));
    let first = e.b.scalar(Scalar::Mul, Size::Word, &e.group[axis as usize], &size);
    match local {
        Val::Scalar(value, ty) => {
            Val::Scalar(e.b.scalar(Scalar::Add, Size::Word, &first, &value), ty)
        }
        Val::Strided(value, step) => {
            Val::Strided(e.b.scalar(Scalar::Add, Size::Word, &first, &value), step)
        }
        Val::Vector(lanes, ty) => {
            let first = e.b.splat(&first, Ty::Int);
            Val::Vector(e.b.binary(Binary::AddI, &first, &lanes, Ty::Int, true), ty)
        }
    }
}

/// The coordinate in the workgroup, in the form that `shape` promised.
fn local_id<I: Instructions>(e: &mut Emitter<'_, I>, axis: u8) -> Val<I::Value, I::Lanes> {
    let [x, y, z] = e.kernel.workgroup_size;
    let width = e.b.width();
    let extents = [x, y, z];
    if y * z == 1 && axis == 0 {
        return Val::Strided(first_lane(e), 1);
    }
    if extents[axis as usize] == 1 {
        return Val::Scalar(e.b.int(0), Ty::Int);
    }
    if let Some([part, row, slice]) = e.place.clone() {
        return match axis {
            0 => {
                let width = e.b.int(width);
                Val::Strided(e.b.scalar(Scalar::Product, Size::Word, &part, &width), 1)
            }
            1 => Val::Scalar(row, Ty::Int),
            _ => Val::Scalar(slice, Ty::Int),
        };
    }
    if axis == 2 && (x * y).is_multiple_of(width) {
        let per_slice = e.b.int(x * y / width);
        let slice = e.b.scalar(Scalar::DivU, Size::Word, &e.gang, &per_slice);
        return Val::Scalar(slice, Ty::Int);
    }
    let first = first_lane(e);
    let first = e.b.splat(&first, Ty::Int);
    let iota = e.b.iota(1);
    let mut lanes = e.b.binary(Binary::AddI, &first, &iota, Ty::Int, true);
    let before: u32 = extents[..axis as usize].iter().product();
    if before > 1 {
        lanes = e.b.divide_by(Binary::DivU, &lanes, before, true);
    }
    if axis < 2 {
        lanes = e.b.divide_by(Binary::RemU, &lanes, extents[axis as usize], true);
    }
    Val::Vector(lanes, Ty::Int)
}
