//! Loads by the shape of their address.
//!
//! A uniform address takes one scalar load, zeroed if the index was out of bounds. Consecutive words or whole
//! elements, all in bounds, take vector loads, with shuffles if elements have several words. Other addresses
//! take one load per lane. A load may read inside of its buffer for lanes that are masked off.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::emit::{Emitter, Lanes, Part, QUAD, Val};
use super::emit_memory::unit;
use super::emit_place::{Bound, Place, Spread};
use crate::cpu::interpreter::bytecode::{Access, Memory, Part as Field};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_, '_> {
    pub(super) fn load(&mut self, access: &Access) -> Result<()> {
        let place = self.place(&access.address)?;
        match self.spread(&place) {
            Spread::Uniform => self.load_uniform(access, &place),
            Spread::Strided(bytes) => self.load_strided(access, &place, bytes),
            Spread::Likely(bytes) if self.contiguous(access, bytes) => {
                self.load_likely(access, &place)
            }
            _ => {
                let values = self.gather(access, &place)?;
                self.loaded(access, &values);
                Ok(())
            }
        }
    }

    fn loaded(&mut self, access: &Access, values: &[Lanes]) {
        for (part, value) in access.parts.iter().zip(values) {
            let val = self.widened(value, part.half, true);
            self.define(part.reg, val);
        }
    }

    fn load_uniform(&mut self, access: &Access, place: &Place) -> Result<()> {
        let inside = self.inside(place, None, 0)?;
        let mut pointer = self.pointer(place, None)?;
        if let Some(inside) = inside {
            // Out of bounds, the word at the start is read and not used.
            pointer = self.b.ins().select(inside, pointer, place.base);
        }
        let mut flags = self.flags(place.part);
        if place.constant {
            flags = flags.with_readonly().with_can_move();
        }
        for part in &access.parts {
            let offset = place.offset + u64::from(part.offset);
            if inside.is_none() && !part.half && self.types.is_used_as_float(part.reg) {
                let (pointer, at) = self.at(pointer, offset);
                let value = self.b.ins().load(types::F32, flags, pointer, at);
                self.define(part.reg, Val::Scalar(value, Ty::Float));
                continue;
            }
            let mut value = self.load_word(part.half, flags, pointer, offset);
            if let Some(inside) = inside {
                let zero = self.int(0);
                value = self.b.ins().select(inside, value, zero);
            }
            let val = self.widened(&Self::single(value), part.half, false);
            self.define(part.reg, val);
        }
        Ok(())
    }

    /// Emits one of two ways to get the same vectors.
    pub(super) fn either(
        &mut self,
        condition: Value,
        count: usize,
        quick: impl FnOnce(&mut Self) -> Result<Vec<Lanes>>,
        slow: impl FnOnce(&mut Self) -> Result<Vec<Lanes>>,
    ) -> Result<Vec<Lanes>> {
        let (fast, cold, join) = (self.block(), self.block(), self.block());
        let quads = self.quads();
        let results: Vec<Lanes> = (0..count)
            .map(|_| (0..quads).map(|_| self.b.append_block_param(join, types::I32X4)).collect())
            .collect();
        self.branch_if(condition, fast, cold);
        self.begin(fast);
        self.enter();
        let values = quick(self)?;
        self.leave();
        self.join(join, &values);
        self.begin(cold);
        self.b.set_cold_block(cold);
        self.enter();
        let values = slow(self)?;
        self.leave();
        self.join(join, &values);
        self.begin(join);
        Ok(results)
    }

    fn join(&mut self, join: cranelift_codegen::ir::Block, values: &[Lanes]) {
        let args: Vec<_> = values
            .iter()
            .flat_map(|lanes| lanes.iter())
            .map(|&lane| cranelift_codegen::ir::BlockArg::Value(lane))
            .collect();
        self.b.ins().jump(join, &args);
        self.ended = true;
    }

    /// Whether a row may be read at once; `None` if it surely may.
    fn row_is_there(&mut self, place: &Place, more: u64) -> Result<Option<Value>> {
        let inside = self.inside(place, None, more)?;
        if self.mask.is_full() || self.checked(place) {
            return Ok(inside);
        }
        let mask = self.mask_vector();
        let all = self.all(&mask);
        Ok(Some(self.both(inside, all)))
    }

    fn load_strided(&mut self, access: &Access, place: &Place, bytes: i64) -> Result<()> {
        let row = self.contiguous(access, bytes);
        let whole = !row && self.interleaved(access, bytes);
        // The last element may end before its padding does, so one more element must be there.
        let end = access.parts.iter().map(|part| u64::from(part.offset) + 4).max().unwrap_or(0);
        let more = u64::from(whole && (end < bytes as u64 || place.terms.len() > 1));
        let mut checked = place.clone();
        if more > 0 && place.checks.len() < place.terms.len() {
            // The checks of the elements do not cover one more.
            match access.address.memory {
                Memory::Storage(binding) if place.terms.len() == 1 => {
                    let length = self.args.bindings[binding].1;
                    checked.checks.push((place.terms[0].0, Bound::Value(length)));
                }
                _ => {
                    let values = self.load_each(access, place, Some(bytes as u64))?;
                    self.loaded(access, &values);
                    return Ok(());
                }
            }
        }
        let there = self.row_is_there(&checked, more)?;
        let quick = |this: &mut Self| -> Result<Vec<Lanes>> {
            let pointer = this.pointer(place, None)?;
            let flags = this.flags(place.part);
            Ok(if row {
                let load = |field: &Field| {
                    let offset = place.offset + u64::from(field.offset);
                    this.load_row(field.half, flags, pointer, offset)
                };
                access.parts.iter().map(load).collect()
            } else if whole {
                this.load_elements(access, flags, pointer, place.offset, bytes as u64)
            } else {
                let load = |field: &Field| {
                    let offset = place.offset + u64::from(field.offset);
                    this.load_apart(field.half, flags, pointer, offset, bytes as u64)
                };
                access.parts.iter().map(load).collect()
            })
        };
        let values = match there {
            None => quick(self)?,
            Some(there) => self.either(there, access.parts.len(), quick, |this| {
                this.load_each(access, place, Some(bytes as u64))
            })?,
        };
        self.loaded(access, &values);
        Ok(())
    }

    fn load_likely(&mut self, access: &Access, place: &Place) -> Result<()> {
        let (first, likely) = self.likely(place)?;
        let inside = self.inside(place, first, 0)?;
        let mut fast = self.both(inside, likely);
        if !self.mask.is_full() && !self.checked(place) {
            let mask = self.mask_vector();
            let all = self.all(&mask);
            fast = self.both(Some(fast), all);
        }
        let values = self.either(
            fast,
            access.parts.len(),
            |this| {
                let pointer = this.pointer(place, first)?;
                let flags = this.flags(place.part);
                let load = |field: &Field| {
                    let offset = place.offset + u64::from(field.offset);
                    this.load_row(field.half, flags, pointer, offset)
                };
                Ok(access.parts.iter().map(load).collect())
            },
            |this| this.load_each(access, place, None),
        )?;
        self.loaded(access, &values);
        Ok(())
    }

    /// Whether the lanes' elements are whole vectors, or pairs, and most of their words are wanted.
    fn interleaved(&self, access: &Access, bytes: i64) -> bool {
        (bytes == 8 || bytes == 16 || bytes == 32)
            && access.parts.len() as i64 * 8 >= bytes
            && access.parts.iter().all(|part| !part.half && i64::from(part.offset) < bytes)
    }

    /// Shuffles two vectors, whose words are numbered from 0 to 7.
    pub(super) fn shuffle(&mut self, a: Value, b: Value, words: [u8; 4]) -> Value {
        let mask: Vec<u8> = words.iter().flat_map(|&w| (0..4).map(move |k| 4 * w + k)).collect();
        let mask = self.b.func.dfg.immediates.push(mask.into());
        let bytes = |this: &mut Self, x| this.cast(x, types::I8X16);
        let (a, b) = (bytes(self, a), bytes(self, b));
        let mixed = self.b.ins().shuffle(a, b, mask);
        self.cast(mixed, types::I32X4)
    }

    /// Transposes four rows into four columns.
    pub(super) fn transpose(&mut self, rows: [Value; 4]) -> [Value; 4] {
        let [a, b, c, d] = rows;
        let low = self.shuffle(a, b, [0, 4, 1, 5]);
        let high = self.shuffle(a, b, [2, 6, 3, 7]);
        let low2 = self.shuffle(c, d, [0, 4, 1, 5]);
        let high2 = self.shuffle(c, d, [2, 6, 3, 7]);
        [
            self.shuffle(low, low2, [0, 1, 4, 5]),
            self.shuffle(low, low2, [2, 3, 6, 7]),
            self.shuffle(high, high2, [0, 1, 4, 5]),
            self.shuffle(high, high2, [2, 3, 6, 7]),
        ]
    }

    /// Adjacent whole elements, split into parts.
    fn load_elements(
        &mut self,
        access: &Access,
        flags: MemFlagsData,
        pointer: Value,
        offset: u64,
        bytes: u64,
    ) -> Vec<Lanes> {
        let (pointer, offset) = self.at(pointer, offset);
        let words = bytes as usize / 4;
        // Indexed by word of the element, then by quad of lanes.
        let mut columns: Vec<Vec<Value>> = vec![Vec::new(); words];
        let load =
            |this: &mut Self, at: i32| this.b.ins().load(types::I32X4, flags, pointer, offset + at);
        for quad in 0..self.quads() as i32 {
            let first = quad * QUAD as i32 * bytes as i32;
            if words == 2 {
                let (a, b) = (load(self, first), load(self, first + 16));
                columns[0].push(self.shuffle(a, b, [0, 2, 4, 6]));
                columns[1].push(self.shuffle(a, b, [1, 3, 5, 7]));
                continue;
            }
            for part in (0..words).step_by(4) {
                let used = |field: &Field| (part..part + 4).contains(&(field.offset as usize / 4));
                if !access.parts.iter().any(used) {
                    continue;
                }
                let rows = [0, 1, 2, 3]
                    .map(|lane| load(self, first + lane * bytes as i32 + 4 * part as i32));
                for (k, column) in self.transpose(rows).into_iter().enumerate() {
                    columns[part + k].push(column);
                }
            }
        }
        access
            .parts
            .iter()
            .map(|field| columns[field.offset as usize / 4].as_slice().into())
            .collect()
    }

    /// Words at equal distances.
    fn load_apart(
        &mut self,
        half: bool,
        flags: MemFlagsData,
        pointer: Value,
        offset: u64,
        bytes: u64,
    ) -> Lanes {
        let mut lane = 0;
        let quads = self.quads();
        let mut lanes = Vec::new();
        for _ in 0..quads {
            let first = self.load_word(half, flags, pointer, offset + lane * bytes);
            let mut quad = self.b.ins().scalar_to_vector(types::I32X4, first);
            for k in 1..QUAD as u8 {
                let at = offset + (lane + u64::from(k)) * bytes;
                let word = self.load_word(half, flags, pointer, at);
                quad = self.b.ins().insertlane(quad, word, k);
            }
            lanes.push(quad);
            lane += u64::from(QUAD);
        }
        lanes.into()
    }

    /// A gather: loads from each lane's own place; lanes that are not wanted read the first element.
    fn gather(&mut self, access: &Access, place: &Place) -> Result<Vec<Lanes>> {
        let unit = unit(access);
        let wanted = self.wanted(place)?;
        let mut offsets = self.offsets(place, unit)?;
        if let Some(wanted) = &wanted {
            offsets = self.and(&offsets, wanted);
        }
        self.gather_at(access, place, &offsets, unit, wanted.as_ref())
    }

    pub(super) fn gather_at(
        &mut self,
        access: &Access,
        place: &Place,
        offsets: &Lanes,
        unit: u64,
        wanted: Option<&Lanes>,
    ) -> Result<Vec<Lanes>> {
        let flags = self.flags(place.part);
        let mut results: Vec<Vec<Value>> = vec![Vec::new(); access.parts.len()];
        for (quad, &offsets) in offsets.iter().enumerate() {
            let pointers = self.words_apart(offsets).map(|offset| {
                let bytes = self.b.ins().ishl_imm_u(offset, i64::from(unit.trailing_zeros()));
                self.b.ins().iadd(place.base, bytes)
            });
            for (result, part) in results.iter_mut().zip(&access.parts) {
                let at = place.offset + u64::from(part.offset);
                let words = pointers.map(|pointer| {
                    let (pointer, at) = self.at(pointer, at);
                    if part.half {
                        self.b.ins().uload16(types::I64, flags, pointer, at)
                    } else {
                        self.b.ins().uload32(flags, pointer, at)
                    }
                });
                let mut row = self.words_together(words);
                if let Some(wanted) = wanted {
                    row = self.b.ins().band(row, wanted[quad]);
                }
                result.push(row);
            }
        }
        Ok(results.into_iter().map(Lanes::from).collect())
    }

    /// A vector's four words, each in the lower half of an i64. They are moved in pairs: x86 extracts or
    /// inserts one word of a vector per cycle.
    pub(super) fn words_apart(&mut self, quad: Value) -> [Value; 4] {
        let floats = self.cast(quad, types::F64X2);
        let low = self.b.ins().extractlane(floats, 0);
        let low = self.cast(low, types::I64);
        let pairs = self.cast(quad, types::I64X2);
        let high = self.b.ins().extractlane(pairs, 1);
        let first = |this: &mut Self, pair: Value| {
            let word = this.b.ins().ireduce(types::I32, pair);
            this.b.ins().uextend(types::I64, word)
        };
        let second = |this: &mut Self, pair: Value| this.b.ins().ushr_imm_u(pair, 32);
        [first(self, low), second(self, low), first(self, high), second(self, high)]
    }

    /// The vector of four words, each in an i64 whose upper half is zero.
    pub(super) fn words_together(&mut self, words: [Value; 4]) -> Value {
        let pair = |this: &mut Self, low: Value, high: Value| {
            let high = this.b.ins().ishl_imm_u(high, 32);
            this.b.ins().bor(low, high)
        };
        let [a, b, c, d] = words;
        let (low, high) = (pair(self, a, b), pair(self, c, d));
        let low = self.b.ins().scalar_to_vector(types::I64X2, low);
        let both = self.b.ins().insertlane(low, high, 1);
        self.cast(both, types::I32X4)
    }

    /// Loads one wanted lane after the other; other lanes get zero.
    pub(super) fn load_each(
        &mut self,
        access: &Access,
        place: &Place,
        stride: Option<u64>,
    ) -> Result<Vec<Lanes>> {
        let count = access.parts.len() as u64;
        let row = u64::from(self.width) * 4;
        let slot = self.slot("loads", (count * row) as u32);
        let frame = self.flags(Part::Frame);
        self.zero(slot, count * row, Part::Frame);
        let wanted = self.wanted(place)?;
        self.for_each_pointer(access, place, stride, wanted, |this, lane, pointer| {
            let flags = this.flags(place.part);
            let to = this.lane_pointer64(slot, lane, 4);
            for (k, part) in access.parts.iter().enumerate() {
                let offset = place.offset + u64::from(part.offset);
                let word = this.load_word(part.half, flags, pointer, offset);
                this.store_word(false, frame, word, to, k as u64 * row);
            }
            Ok(())
        })?;
        Ok((0..count).map(|k| self.load_row(false, frame, slot, k * row)).collect())
    }
}
