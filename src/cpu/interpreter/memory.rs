//! Loads, stores and atomics between planes and memory.
//!
//! For each row of lanes, the addresses are computed first, `ABSENT` for a lane that is masked off or out of
//! bounds. Then the scalars are moved. An absent address fails the bounds check of every slice, and so does any
//! address that escaped the checks here.

use std::sync::atomic::AtomicU16;
use std::sync::atomic::Ordering::Relaxed;

use super::bytecode::{Access, Address, Atomic, AtomicFunction, Memory, NONE};
use super::functions::{Reg, Row, WIDTH};
pub(super) use super::planes::Bound;
pub(in crate::cpu) use super::planes::{ABSENT, Planes};
use super::probe::Probe;
use super::touch::Touch;
use crate::cpu::math;
use crate::device::HostBytes;
use crate::kernel::BindingId;

/// The planes and the workgroup memory that an operation works on.
pub(super) struct State<'s> {
    pub(super) file: &'s mut [Row],
    pub(super) rows: usize,
    pub(super) workgroup: &'s mut [u32],
}

impl State<'_> {
    #[inline(always)]
    fn row(&self, reg: Reg, k: usize) -> [u32; WIDTH] {
        self.file[reg as usize * self.rows + k].0
    }

    /// The addresses of one row of lanes.
    #[inline(always)]
    fn locate(&self, address: &Address, mask: Reg, elements: u64, k: usize) -> [u64; WIDTH] {
        let planes = Planes { file: self.file, rows: self.rows, bounds: &[] };
        planes.locate(address, mask, elements, k)
    }

    #[inline(always)]
    pub(super) fn load<P: Probe>(&mut self, access: &Access, bounds: &[Bound<'_>], probe: &mut P) {
        match access.address.memory {
            Memory::Storage(binding) => {
                let Bound::Storage { bytes, words, elements } = &bounds[binding] else { return };
                for k in 0..self.rows {
                    let addresses = self.locate(&access.address, access.mask, *elements, k);
                    if P::LISTENS {
                        tell(access, binding, *bytes, &addresses, k, probe, Touch::Read);
                    }
                    self.fetch(access, k, &addresses, |at, half| {
                        if half {
                            half_at(*bytes, at).map_or(0, |half| {
                                math::from_f16_bits(u32::from(half.load(Relaxed))).to_bits()
                            })
                        } else {
                            words.get(word_index(at)).map_or(0, |word| word.load(Relaxed))
                        }
                    });
                }
            }
            Memory::Value(binding) => {
                let Bound::Value(words) = &bounds[binding] else { return };
                for k in 0..self.rows {
                    let addresses = self.locate(&access.address, access.mask, 0, k);
                    self.fetch(access, k, &addresses, |at, half| {
                        let word = words.get(word_index(at)).copied().unwrap_or(0);
                        if half {
                            math::from_f16_bits(word >> ((at & 2) * 8)).to_bits()
                        } else {
                            word
                        }
                    });
                }
            }
            Memory::Workgroup => {
                for k in 0..self.rows {
                    let addresses = self.locate(&access.address, access.mask, 0, k);
                    for part in &access.parts {
                        let out = &mut self.file[part.reg as usize * self.rows + k].0;
                        for i in 0..WIDTH {
                            let at = word_index(addresses[i] + u64::from(part.offset));
                            out[i] = self.workgroup.get(at).copied().unwrap_or(0);
                        }
                    }
                }
            }
        }
    }

    /// Sets one row of each part. `read` receives the address, and whether the scalar is an f16.
    #[inline(always)]
    fn fetch(
        &mut self,
        access: &Access,
        k: usize,
        addresses: &[u64; WIDTH],
        read: impl Fn(u64, bool) -> u32,
    ) {
        for part in &access.parts {
            let out = &mut self.file[part.reg as usize * self.rows + k].0;
            let offset = u64::from(part.offset);
            if part.half {
                for i in 0..WIDTH {
                    out[i] = read(addresses[i] + offset, true);
                }
            } else {
                for i in 0..WIDTH {
                    out[i] = read(addresses[i] + offset, false);
                }
            }
        }
    }

    #[inline(always)]
    pub(super) fn store<P: Probe>(&mut self, access: &Access, bounds: &[Bound<'_>], probe: &mut P) {
        match access.address.memory {
            Memory::Storage(binding) => {
                let Bound::Storage { bytes, words, elements } = &bounds[binding] else { return };
                for k in 0..self.rows {
                    let addresses = self.locate(&access.address, access.mask, *elements, k);
                    if P::LISTENS {
                        tell(access, binding, *bytes, &addresses, k, probe, Touch::Write);
                    }
                    for part in &access.parts {
                        let row = self.row(part.reg, k);
                        let offset = u64::from(part.offset);
                        for i in 0..WIDTH {
                            let at = addresses[i] + offset;
                            if part.half {
                                if let Some(half) = half_at(*bytes, at) {
                                    let bits = math::f16_bits(f32::from_bits(row[i]));
                                    half.store(bits as u16, Relaxed);
                                }
                            } else if let Some(word) = words.get(word_index(at)) {
                                word.store(row[i], Relaxed);
                            }
                        }
                    }
                }
            }
            Memory::Workgroup => {
                for k in 0..self.rows {
                    let addresses = self.locate(&access.address, access.mask, 0, k);
                    for part in &access.parts {
                        let row = self.row(part.reg, k);
                        for i in 0..WIDTH {
                            let at = word_index(addresses[i] + u64::from(part.offset));
                            if let Some(word) = self.workgroup.get_mut(at) {
                                *word = row[i];
                            }
                        }
                    }
                }
            }
            // WGSL does not allow writes to a uniform.
            Memory::Value(_) => {}
        }
    }

    pub(super) fn atomic<P: Probe>(
        &mut self,
        atomic: &Atomic,
        bounds: &[Bound<'_>],
        probe: &mut P,
    ) {
        let elements = match atomic.address.memory {
            Memory::Storage(binding) => match &bounds[binding] {
                Bound::Storage { elements, .. } => *elements,
                Bound::Value(_) => 0,
            },
            _ => 0,
        };
        let rows = self.rows;
        let mut addresses = [0; WIDTH];
        for lane in 0..rows * WIDTH {
            let (k, i) = (lane / WIDTH, lane % WIDTH);
            if i == 0 {
                addresses = self.locate(&atomic.address, atomic.mask, elements, k);
            }
            let plane = |reg: Reg| reg as usize * rows + k;
            let value = self.file[plane(atomic.value)].0[i];
            let compare = match atomic.compare {
                NONE => 0,
                reg => self.file[plane(reg)].0[i],
            };
            let at = addresses[i];
            let index = word_index(at);
            let update = |old: u32| updated(atomic.function, old, value, compare);
            let old = match atomic.address.memory {
                Memory::Storage(binding) => match &bounds[binding] {
                    Bound::Storage { words, .. } => words.get(index).map(|word| {
                        if P::LISTENS {
                            probe.touch(binding, at, 4, lane, Touch::Atomic);
                        }
                        word.fetch_update(Relaxed, Relaxed, |old| Some(update(old))).unwrap_or(0)
                    }),
                    Bound::Value(_) => None,
                },
                Memory::Workgroup => self.workgroup.get_mut(index).map(|word| {
                    let new = update(*word);
                    std::mem::replace(word, new)
                }),
                Memory::Value(_) => None,
            };
            if atomic.dst != NONE {
                self.file[plane(atomic.dst)].0[i] = old.unwrap_or(0);
            }
            if atomic.exchanged != NONE {
                // An access out of bounds reads zero and stores nothing.
                let done = old.unwrap_or(0) == compare;
                self.file[plane(atomic.exchanged)].0[i] = 0u32.wrapping_sub(u32::from(done));
            }
        }
    }
}

/// Reports the accesses of a row of lanes to a probe.
fn tell<P: Probe>(
    access: &Access,
    binding: BindingId,
    bytes: HostBytes<'_>,
    addresses: &[u64; WIDTH],
    k: usize,
    probe: &mut P,
    touch: Touch,
) {
    for (i, &at) in addresses.iter().enumerate() {
        for part in &access.parts {
            let (at, size) = (at + u64::from(part.offset), if part.half { 2 } else { 4 });
            if at + u64::from(size) <= bytes.len() as u64 {
                probe.touch(binding, at, size, k * WIDTH + i, touch);
            }
        }
    }
}

/// The word at a byte address. For an absent address it is beyond every memory.
#[inline(always)]
fn word_index(at: u64) -> usize {
    usize::try_from(at >> 2).unwrap_or(usize::MAX)
}

/// The new value of an atomic's word.
fn updated(function: AtomicFunction, old: u32, value: u32, compare: u32) -> u32 {
    use AtomicFunction as A;
    match function {
        A::Add => old.wrapping_add(value),
        A::Subtract => old.wrapping_sub(value),
        A::And => old & value,
        A::Or => old | value,
        A::Xor => old ^ value,
        A::MinI => (old as i32).min(value as i32) as u32,
        A::MaxI => (old as i32).max(value as i32) as u32,
        A::MinU => old.min(value),
        A::MaxU => old.max(value),
        A::Exchange => value,
        A::CompareExchange => {
            if old == compare {
                value
            } else {
                old
            }
        }
    }
}

/// The half word at a byte address, if it is in bounds.
fn half_at(bytes: HostBytes<'_>, at: u64) -> Option<&AtomicU16> {
    (at + 2 <= bytes.len() as u64).then(|| bytes.u16_at(at as usize))
}
