//! Places: the location of an access, its bounds checks, and pointers to it.
//!
//! What always holds: offsets in words fit an i32, since the launch refuses larger buffers.

use super::emit::{Emitter, Mask};
use crate::cpu::interpreter::bytecode::{Address, Memory, NONE, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// The upper bound (exclusive) of an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    Constant(u32),
    /// An i32 value.
    Value(String),
}

/// An address, split into its terms.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) base: String,
    /// Bytes from the base.
    pub(super) offset: u64,
    /// Indices, each with its stride in bytes.
    pub(super) terms: Vec<(Reg, u64)>,
    pub(super) checks: Vec<(Reg, Bound)>,
}

/// The relation of the addresses of a gang's lanes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Lanes {
    Uniform,
    /// The bytes from lane to lane.
    Strided(i64),
    /// Perhaps consecutive elements of this many bytes, by one index.
    Likely(i64),
    Any,
}

impl Emitter<'_> {
    /// Follows the `Index` operations of an inner index.
    pub(super) fn follow(&mut self, mut at: Reg, unit: u64, place: &mut Place) -> Result<()> {
        while at != NONE {
            if let Some(known) = self.kernel.known(at) {
                place.offset += u64::from(known) * unit;
                break;
            }
            let Some(Op::Index { base, index, bound, stride, .. }) = self.indices.get(&at).cloned()
            else {
                return Err(self.broken("an inner index that is no index"));
            };
            place.terms.push((index, u64::from(stride) * unit));
            if !self.kernel.inside.contains(&at) {
                place.checks.push((index, Bound::Constant(bound)));
            }
            at = base;
        }
        Ok(())
    }

    pub(super) fn place(&mut self, address: &Address) -> Result<Place> {
        let base = match address.memory {
            Memory::Storage(binding) | Memory::Value(binding) => format!("%b{binding}"),
            Memory::Workgroup => "%workgroup".to_owned(),
        };
        let mut place =
            Place { base, offset: address.offset, terms: Vec::new(), checks: Vec::new() };
        if address.outer != NONE {
            let Memory::Storage(binding) = address.memory else {
                return Err(self.broken("a runtime-sized array outside of storage"));
            };
            let length = if address.signed { "slen" } else { "len" };
            place.terms.push((address.outer, address.stride));
            if !self.kernel.inside.contains(&address.outer) {
                place.checks.push((address.outer, Bound::Value(format!("%{length}{binding}"))));
            }
        }
        self.follow(address.inner, 1, &mut place)?;
        Ok(place)
    }

    pub(super) fn lanes(&self, place: &Place) -> Lanes {
        let (mut stride, mut likely, mut strided) = (0i64, None, false);
        for &(reg, bytes) in &place.terms {
            match self.class(reg) {
                class if class <= Class::Gang => {}
                Class::Strided(k) => {
                    if k < 0 {
                        return Lanes::Any;
                    }
                    strided = true;
                    stride += i64::from(k) * bytes as i64;
                }
                Class::Likely if likely.is_none() => likely = Some(bytes as i64),
                _ => return Lanes::Any,
            }
        }
        match (strided, likely) {
            (false, None) => Lanes::Uniform,
            (true, None) => Lanes::Strided(stride),
            (false, Some(bytes)) => Lanes::Likely(bytes),
            (true, Some(_)) => Lanes::Any,
        }
    }

    pub(super) fn bound(&mut self, bound: &Bound, vector: bool) -> String {
        match bound {
            Bound::Constant(bits) => self.number(*bits, Ty::Int, vector),
            Bound::Value(name) if vector => self.splat(&name.clone(), Ty::Int),
            Bound::Value(name) => name.clone(),
        }
    }

    /// Whether all lanes are in bounds, as an i1; `None` if that is certain.
    pub(super) fn inside(
        &mut self,
        place: &Place,
        first: &[(Reg, String)],
        more: u64,
    ) -> Result<Option<String>> {
        let mut inside: Option<String> = None;
        for (reg, bound) in place.checks.clone() {
            let step = match self.class(reg) {
                Class::Strided(k) => Some(k as i64),
                Class::Likely => Some(1),
                _ => None,
            };
            let limit = self.bound(&bound, false);
            let check = match step {
                None => {
                    if let (Some(known), Bound::Constant(limit)) = (self.kernel.known(reg), &bound)
                        && known < *limit
                    {
                        continue;
                    }
                    let index = self.scalar(reg, Ty::Int)?;
                    self.ins(&format!("icmp ult i32 {index}, {limit}"))
                }
                Some(step) => {
                    let index = match first.iter().find(|(known, _)| *known == reg) {
                        Some((_, name)) => name.clone(),
                        None => self.scalar(reg, Ty::Int)?,
                    };
                    let index = self.ins(&format!("zext i32 {index} to i64"));
                    let last = step as u64 * u64::from(self.width - 1) + more;
                    let last = self.ins(&format!("add nuw nsw i64 {index}, {last}"));
                    let limit = self.ins(&format!("zext i32 {limit} to i64"));
                    self.ins(&format!("icmp ult i64 {last}, {limit}"))
                }
            };
            inside = Some(match inside {
                None => check,
                Some(other) => self.ins(&format!("and i1 {other}, {check}")),
            });
        }
        Ok(inside)
    }

    /// The mask of the active lanes that are in bounds.
    pub(super) fn wanted(&mut self, place: &Place) -> Result<String> {
        let mut mask = self.mask.clone();
        for (reg, bound) in place.checks.clone() {
            let int = self.ty(Ty::Int, true);
            let index = self.vector(reg, Ty::Int)?;
            let limit = self.bound(&bound, true);
            let check = self.ins(&format!("icmp ult {int} {index}, {limit}"));
            mask = Mask::Some(match mask {
                Mask::Full => check,
                Mask::Some(other) => self.and(&other, &check),
            });
        }
        Ok(match mask {
            Mask::Full => self.constant(u32::MAX, Ty::Bool),
            Mask::Some(mask) => mask,
        })
    }

    /// The pointer of the first lane, or of all lanes if the place is uniform.
    pub(super) fn pointer(&mut self, place: &Place, first: &[(Reg, String)]) -> Result<String> {
        let mut sum: Option<String> = None;
        for &(reg, bytes) in &place.terms {
            let index = match first.iter().find(|(known, _)| *known == reg) {
                Some((_, name)) => name.clone(),
                None => self.scalar(reg, Ty::Int)?,
            };
            // A strided index may start below zero if its first lanes are masked off.
            let index = self.ins(&format!("sext i32 {index} to i64"));
            let term = self.ins(&format!("mul nsw i64 {index}, {bytes}"));
            sum = Some(match sum {
                None => term,
                Some(other) => self.ins(&format!("add nsw i64 {other}, {term}")),
            });
        }
        Ok(match sum {
            None => place.base.clone(),
            Some(sum) => self.ins(&format!("getelementptr i8, ptr {}, i64 {sum}", place.base)),
        })
    }

    pub(super) fn at(&mut self, pointer: &str, offset: u64) -> String {
        if offset == 0 {
            return pointer.to_owned();
        }
        self.ins(&format!("getelementptr i8, ptr {pointer}, i64 {offset}"))
    }

    /// The offset of each lane's place from the base, in units.
    pub(super) fn offsets(&mut self, place: &Place, unit: u64) -> Result<Option<String>> {
        let int = self.ty(Ty::Int, true);
        let mut sum: Option<String> = None;
        for &(reg, bytes) in &place.terms {
            let index = self.vector(reg, Ty::Int)?;
            let step = u32::try_from(bytes / unit)
                .map_err(|_| self.unsupported("an element of more than 4 GiB"))?;
            let by = self.constant(step, Ty::Int);
            let term =
                if step == 1 { index } else { self.ins(&format!("mul {int} {index}, {by}")) };
            sum = Some(match sum {
                None => term,
                Some(other) => self.ins(&format!("add {int} {other}, {term}")),
            });
        }
        Ok(sum)
    }

    /// Pointers of all lanes, for parts at constant offsets from them. For a gather, `wanted` has the active
    /// lanes, and the others point to the base: x86 has no gather whose index and result are one register, and
    /// LLVM, which avoids that, fails to if an index is undefined in all lanes of a register.
    pub(super) fn pointers(
        &mut self,
        place: &Place,
        offset: u64,
        unit: u64,
        wanted: Option<&str>,
    ) -> Result<String> {
        let base = self.at(&place.base.clone(), offset);
        let int = self.ty(Ty::Int, true);
        let offsets = match (self.offsets(place, unit)?, wanted) {
            (None, _) => "zeroinitializer".to_owned(),
            (Some(sum), None) => sum,
            (Some(sum), Some(wanted)) => {
                let zero = self.constant(0, Ty::Int);
                self.select(wanted, &sum, &zero, Ty::Int, true)
            }
        };
        let element = if unit == 4 { "i32" } else { "i16" };
        Ok(self.ins(&format!("getelementptr {element}, ptr {base}, {int} {offsets}")))
    }
}
