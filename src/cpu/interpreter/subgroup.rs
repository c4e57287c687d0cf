//! Subgroup operations: lanes of a workgroup that exchange values.
//!
//! A subgroup is `size` consecutive lanes. Only active lanes take part: folds skip the others, and a value from
//! an inactive or missing lane is zero.

use super::bytecode::{Collective, Gather, NONE, SubgroupFold};
use super::functions::{Reg, Row, WIDTH};
use crate::cpu::math;

/// The register file of a batch, one workgroup of `lanes` lanes.
pub(super) struct Subgroups<'s> {
    pub(super) file: &'s mut [Row],
    pub(super) rows: usize,
    pub(super) lanes: usize,
    pub(super) size: usize,
}

impl Subgroups<'_> {
    fn get(&self, reg: Reg, lane: usize) -> u32 {
        self.file[reg as usize * self.rows + lane / WIDTH].0[lane % WIDTH]
    }

    fn set(&mut self, reg: Reg, lane: usize, value: u32) {
        self.file[reg as usize * self.rows + lane / WIDTH].0[lane % WIDTH] = value;
    }

    /// The lanes of each subgroup.
    fn groups(&self) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let (lanes, size) = (self.lanes, self.size);
        (0..lanes).step_by(size).map(move |first| first..(first + size).min(lanes))
    }

    pub(super) fn ballot(&mut self, dst: [Reg; 4], predicate: Reg, mask: Reg) {
        for group in self.groups() {
            let mut bits = [0u32; 4];
            for lane in group.clone() {
                let set = self.get(mask, lane) & self.get(predicate, lane) & 1;
                let at = lane - group.start;
                bits[at / 32] |= set << (at % 32);
            }
            for lane in group {
                for (reg, bits) in dst.into_iter().zip(bits) {
                    if reg != NONE {
                        self.set(reg, lane, bits);
                    }
                }
            }
        }
    }

    pub(super) fn gather(&mut self, mode: Gather, dst: Reg, src: Reg, index: Reg, mask: Reg) {
        for group in self.groups() {
            let first = group.clone().find(|&lane| self.get(mask, lane) != 0);
            for lane in group.clone() {
                let own = (lane - group.start) as u64;
                let index = if index == NONE { 0 } else { u64::from(self.get(index, lane)) };
                let from = match mode {
                    Gather::First => first.map(|lane| (lane - group.start) as u64),
                    Gather::Lane => Some(index),
                    Gather::Down => Some(own + index),
                    Gather::Up => own.checked_sub(index),
                    Gather::Xor => Some(own ^ index),
                    Gather::QuadLane => (index < 4).then_some((own & !3) + index),
                    Gather::QuadSwap(bits) => Some(own ^ u64::from(bits)),
                };
                let from = from
                    .filter(|&from| from < group.len() as u64)
                    .map(|from| group.start + from as usize)
                    .filter(|&from| self.get(mask, from) != 0);
                let value = from.map_or(0, |from| self.get(src, from));
                self.set(dst, lane, value);
            }
        }
    }

    pub(super) fn fold(&mut self, fold: &SubgroupFold) {
        for group in self.groups() {
            let mut sum = fold.identity;
            for lane in group.clone() {
                if self.get(fold.mask, lane) == 0 {
                    continue;
                }
                if fold.collective == Collective::Exclusive {
                    self.set(fold.dst, lane, sum);
                }
                sum = fold.combine.eval([sum, self.get(fold.src, lane)]);
                if fold.half {
                    sum = math::round_f16(f32::from_bits(sum)).to_bits();
                }
                if fold.collective == Collective::Inclusive {
                    self.set(fold.dst, lane, sum);
                }
            }
            if fold.collective == Collective::Reduce {
                for lane in group {
                    self.set(fold.dst, lane, sum);
                }
            }
        }
    }
}
