//! Loads and stores by the shape of their address.
//!
//! Uniform: one scalar, blanked where the index was outside. A row of words or of whole elements,
//! all inside: vectors, shuffled where elements have several words. The rest: one access a lane.
//! A load may touch what is inside of its buffer for lanes that are masked off; a store touches
//! what executing lanes store, and nothing else.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::emit::{Emitter, Lanes, Mask, Part, QUAD, Val};
use super::emit_place::{Bound, Place, Spread};
use crate::cpu::interpreter::bytecode::{Access, Memory, Part as Field};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::ir::Array;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_, '_> {
    // Words and half words.

    /// What was read, as a register: an f16 is the f32 that equals it.
    fn widened(&mut self, value: &Lanes, half: bool, vector: bool) -> Val {
        let (lanes, ty) = if half {
            (self.half_widened(value, vector), Ty::Float)
        } else {
            (value.clone(), Ty::Int)
        };
        if vector { Val::Vector(lanes, ty) } else { Val::Scalar(lanes[0], ty) }
    }

    /// A register as it lies in memory, in words.
    fn narrowed(&mut self, reg: Reg, half: bool, vector: bool) -> Result<Lanes> {
        if !half {
            return self.get(reg, Ty::Int, vector);
        }
        let value = self.get(reg, Ty::Float, vector)?;
        Ok(self.half_narrowed(&value, vector))
    }

    fn load_word(&mut self, half: bool, flags: MemFlagsData, at: Value, offset: u64) -> Value {
        let (at, offset) = self.at(at, offset);
        if half {
            self.b.ins().uload16(types::I32, flags, at, offset)
        } else {
            self.b.ins().load(types::I32, flags, at, offset)
        }
    }

    fn store_word(&mut self, half: bool, flags: MemFlagsData, x: Value, at: Value, offset: u64) {
        let (at, offset) = self.at(at, offset);
        if half {
            self.b.ins().istore16(flags, x, at, offset);
        } else {
            self.b.ins().store(flags, x, at, offset);
        }
    }

    /// The words of a gang that lie one after the other.
    fn load_row(&mut self, half: bool, flags: MemFlagsData, at: Value, offset: u64) -> Lanes {
        let (at, offset) = self.at(at, offset);
        (0..self.quads() as i32)
            .map(|quad| {
                if half {
                    self.b.ins().uload16x4(flags, at, offset + 8 * quad)
                } else {
                    self.b.ins().load(types::I32X4, flags, at, offset + 16 * quad)
                }
            })
            .collect()
    }

    fn store_row(&mut self, half: bool, flags: MemFlagsData, x: &Lanes, at: Value, offset: u64) {
        let (at, offset) = self.at(at, offset);
        for (quad, &words) in x.iter().enumerate() {
            if half {
                let halves = self.b.ins().unarrow(words, words);
                let pairs = self.cast(halves, types::I64X2);
                let four = self.b.ins().extractlane(pairs, 0);
                self.b.ins().store(flags, four, at, offset + 8 * quad as i32);
            } else {
                self.b.ins().store(flags, words, at, offset + 16 * quad as i32);
            }
        }
    }

    // Loads.

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
            // Where it is outside, what lies at the start is read and not used.
            pointer = self.b.ins().select(inside, pointer, place.base);
        }
        let mut flags = self.flags(place.part);
        if place.constant {
            flags = flags.with_readonly().with_can_move();
        }
        for part in &access.parts {
            let offset = place.offset + u64::from(part.offset);
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
    fn either(
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

    /// Whether a row may be read at once: nothing where it surely may.
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
        // The last element may end before its padding does, so there must be one more.
        let end = access.parts.iter().map(|part| u64::from(part.offset) + 4).max().unwrap_or(0);
        let more = u64::from(whole && (end < bytes as u64 || place.terms.len() > 1));
        let mut checked = place.clone();
        if more > 0 && place.checks.len() < place.terms.len() {
            // That the elements are inside does not mean that there is one more.
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

    /// Whether the lanes' elements are whole vectors, or pairs, and most of them is wanted.
    fn interleaved(&self, access: &Access, bytes: i64) -> bool {
        (bytes == 8 || bytes == 16 || bytes == 32)
            && access.parts.len() as i64 * 8 >= bytes
            && access.parts.iter().all(|part| !part.half && i64::from(part.offset) < bytes)
    }

    /// Two vectors' words, numbered from 0 to 7.
    fn shuffle(&mut self, a: Value, b: Value, words: [u8; 4]) -> Value {
        let mask: Vec<u8> = words.iter().flat_map(|&w| (0..4).map(move |k| 4 * w + k)).collect();
        let mask = self.b.func.dfg.immediates.push(mask.into());
        let bytes = |this: &mut Self, x| this.cast(x, types::I8X16);
        let (a, b) = (bytes(self, a), bytes(self, b));
        let mixed = self.b.ins().shuffle(a, b, mask);
        self.cast(mixed, types::I32X4)
    }

    /// Four rows as four columns.
    fn transpose(&mut self, rows: [Value; 4]) -> [Value; 4] {
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

    /// Whole elements that lie next to each other, taken apart.
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
        // By word of the element, then by quad of lanes.
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

    /// Words that are equally far from each other.
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

    /// Each lane's own place; lanes that are not wanted read the first.
    fn gather(&mut self, access: &Access, place: &Place) -> Result<Vec<Lanes>> {
        let unit = unit(access);
        let wanted = self.wanted(place)?;
        let mut offsets = self.offsets(place, unit)?;
        if let Some(wanted) = &wanted {
            offsets = self.and(&offsets, wanted);
        }
        self.gather_at(access, place, &offsets, unit, wanted.as_ref())
    }

    fn gather_at(
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
            let mut rows: Vec<Option<Value>> = vec![None; access.parts.len()];
            for lane in 0..QUAD as u8 {
                let offset = self.b.ins().extractlane(offsets, lane);
                let pointer = self.lane_pointer(place.base, offset, unit);
                for (row, part) in rows.iter_mut().zip(&access.parts) {
                    let at = place.offset + u64::from(part.offset);
                    let word = self.load_word(part.half, flags, pointer, at);
                    *row = Some(match *row {
                        None => self.b.ins().scalar_to_vector(types::I32X4, word),
                        Some(row) => self.b.ins().insertlane(row, word, lane),
                    });
                }
            }
            for (result, row) in results.iter_mut().zip(rows) {
                let Some(mut row) = row else { continue };
                if let Some(wanted) = wanted {
                    row = self.b.ins().band(row, wanted[quad]);
                }
                result.push(row);
            }
        }
        Ok(results.into_iter().map(Lanes::from).collect())
    }

    // One lane after the other, for what is rare.

    /// Calls `body` for each lane that is set, in order.
    pub(super) fn for_each_lane(
        &mut self,
        lanes: &Lanes,
        body: impl FnOnce(&mut Self, Value) -> Result<()>,
    ) -> Result<()> {
        let bits = self.bits(lanes);
        let (head, one, done) = (self.block(), self.block(), self.block());
        let left = self.b.append_block_param(head, types::I64);
        self.b.ins().jump(head, &[bits.into()]);
        self.begin_loop(head);
        self.branch_if(left, one, done);
        self.begin(one);
        self.enter();
        let lane = self.b.ins().ctz(left);
        body(self, lane)?;
        self.leave();
        let minus = self.b.ins().iadd_imm_s(left, -1);
        let rest = self.b.ins().band(left, minus);
        self.b.ins().jump(head, &[rest.into()]);
        self.b.seal_block(head);
        self.begin(done);
        Ok(())
    }

    /// A row of words in the frame, by lane.
    pub(super) fn spill(&mut self, name: &'static str, lanes: &Lanes) -> Value {
        let slot = self.slot(name, self.width * 4);
        let flags = self.flags(Part::Frame);
        self.store_row(false, flags, lanes, slot, 0);
        slot
    }

    /// One lane's word of a row in the frame.
    pub(super) fn spilled(&mut self, slot: Value, lane: Value) -> Value {
        let flags = self.flags(Part::Frame);
        let at = self.lane_pointer64(slot, lane, 4);
        self.b.ins().load(types::I32, flags, at, 0)
    }

    pub(super) fn lane_pointer64(&mut self, base: Value, lane: Value, bytes: u64) -> Value {
        let bytes = self.long(bytes);
        let bytes = self.b.ins().imul(lane, bytes);
        self.b.ins().iadd(base, bytes)
    }

    /// The pointer of each wanted lane in turn: from the first lane's by a stride, or by offsets.
    fn for_each_pointer(
        &mut self,
        access: &Access,
        place: &Place,
        stride: Option<u64>,
        wanted: Option<Lanes>,
        body: impl FnOnce(&mut Self, Value, Value) -> Result<()>,
    ) -> Result<()> {
        let wanted = match wanted {
            Some(wanted) => wanted,
            None => self.number(u32::MAX, Ty::Bool, true),
        };
        if let Some(stride) = stride {
            let first = self.pointer(place, None)?;
            return self.for_each_lane(&wanted, |this, lane| {
                let pointer = this.lane_pointer64(first, lane, stride);
                body(this, lane, pointer)
            });
        }
        let unit = unit(access);
        let offsets = self.offsets(place, unit)?;
        let offsets = self.spill("offsets", &offsets);
        self.for_each_lane(&wanted, |this, lane| {
            let offset = this.spilled(offsets, lane);
            let pointer = this.lane_pointer(place.base, offset, unit);
            body(this, lane, pointer)
        })
    }

    /// Loads one wanted lane after the other; the others get zero.
    fn load_each(
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

    // Stores.

    pub(super) fn store(&mut self, access: &Access) -> Result<()> {
        let place = self.place(&access.address)?;
        match self.spread(&place) {
            Spread::Uniform => self.store_uniform(access, &place),
            Spread::Strided(bytes) => self.store_strided(access, &place, bytes),
            _ => {
                let wanted = self.wanted(&place)?;
                self.store_each(access, &place, None, wanted)
            }
        }
    }

    /// All lanes store to one place: the last one wins.
    fn store_uniform(&mut self, access: &Access, place: &Place) -> Result<()> {
        let mut wanted = self.inside(place, None, 0)?;
        let pointer = self.pointer(place, None)?;
        let mut last = None;
        if let Mask::Some(mask) = self.mask.clone() {
            let bits = self.bits(&mask);
            let none = self.long(0);
            let any =
                self.b.ins().icmp(cranelift_codegen::ir::condcodes::IntCC::NotEqual, bits, none);
            wanted = Some(self.both(wanted, any));
            let zeros = self.b.ins().clz(bits);
            let top = self.long(63);
            let lane = self.b.ins().isub(top, zeros);
            // No lane may be active; the store is skipped then, so any lane will do.
            let within = self.long(u64::from(self.width - 1));
            last = Some(self.b.ins().band(lane, within));
        }
        let mut values = Vec::new();
        for part in &access.parts {
            let vector = !self.is_uniform(part.reg) && self.kernel.known(part.reg).is_none();
            let lanes = self.narrowed(part.reg, part.half, vector)?;
            values.push(match last {
                _ if !vector => lanes[0],
                None => {
                    let quad = lanes[lanes.len() - 1];
                    self.b.ins().extractlane(quad, QUAD as u8 - 1)
                }
                Some(lane) => {
                    let slot = self.spill("last", &lanes);
                    self.spilled(slot, lane)
                }
            });
        }
        let done = self.block();
        if let Some(wanted) = wanted {
            let go = self.block();
            self.branch_if(wanted, go, done);
            self.begin(go);
        }
        let flags = self.flags(place.part);
        for (part, value) in access.parts.iter().zip(values) {
            let offset = place.offset + u64::from(part.offset);
            self.store_word(part.half, flags, value, pointer, offset);
        }
        self.branch(done);
        self.begin(done);
        Ok(())
    }

    fn store_strided(&mut self, access: &Access, place: &Place, bytes: i64) -> Result<()> {
        let row = self.contiguous(access, bytes);
        let blend = row && access.address.memory == Memory::Workgroup && self.checked(place);
        let mut values = Vec::new();
        for part in &access.parts {
            values.push(self.narrowed(part.reg, part.half, true)?);
        }
        let mut whole = self.inside(place, None, 0)?;
        let pointer = self.pointer(place, None)?;
        if let Mask::Some(mask) = self.mask.clone()
            && !blend
        {
            let all = self.all(&mask);
            whole = Some(self.both(whole, all));
        }
        let (fast, slow, join) = (self.block(), self.block(), self.block());
        if let Some(whole) = whole {
            self.branch_if(whole, fast, slow);
            self.begin(fast);
        }
        let flags = self.flags(place.part);
        let quads = bytes == 16
            && access.parts.len() == 4
            && access
                .parts
                .iter()
                .enumerate()
                .all(|(k, part)| part.offset as usize == 4 * k && !part.half);
        if quads {
            let (pointer, offset) = self.at(pointer, place.offset);
            let (low, high) = (values[0].iter().zip(values[1].iter()), values[2].iter());
            let rows = low.zip(high.zip(values[3].iter()));
            for (quad, ((&a, &b), (&c, &d))) in rows.enumerate() {
                let rows = [a, b, c, d];
                for (k, column) in self.transpose(rows).into_iter().enumerate() {
                    let at = offset + 16 * (4 * quad + k) as i32;
                    self.b.ins().store(flags, column, pointer, at);
                }
            }
        } else {
            for (part, value) in access.parts.iter().zip(&values) {
                let offset = place.offset + u64::from(part.offset);
                if row {
                    let mut value = value.clone();
                    if let (Mask::Some(mask), true) = (self.mask.clone(), blend) {
                        // Memory that no other thread sees.
                        let old = self.load_row(part.half, flags, pointer, offset);
                        value = self.select(&mask, &value, &old, true);
                    }
                    self.store_row(part.half, flags, &value, pointer, offset);
                } else {
                    self.store_apart(part.half, flags, value, pointer, offset, bytes as u64);
                }
            }
        }
        self.branch(join);
        if whole.is_some() {
            self.begin(slow);
            self.b.set_cold_block(slow);
            self.enter();
            let wanted = self.wanted(place)?;
            self.store_each(access, place, Some(bytes as u64), wanted)?;
            self.leave();
            self.branch(join);
        }
        self.begin(join);
        Ok(())
    }

    /// Words to places that are equally far from each other.
    fn store_apart(
        &mut self,
        half: bool,
        flags: MemFlagsData,
        value: &Lanes,
        pointer: Value,
        offset: u64,
        bytes: u64,
    ) {
        for lane in 0..u64::from(self.width) {
            let quad = value[(lane / u64::from(QUAD)) as usize];
            let word = self.b.ins().extractlane(quad, (lane % u64::from(QUAD)) as u8);
            self.store_word(half, flags, word, pointer, offset + lane * bytes);
        }
    }

    /// Stores one wanted lane after the other.
    fn store_each(
        &mut self,
        access: &Access,
        place: &Place,
        stride: Option<u64>,
        wanted: Option<Lanes>,
    ) -> Result<()> {
        let row = u64::from(self.width) * 4;
        let slot = self.slot("stores", access.parts.len() as u32 * self.width * 4);
        let frame = self.flags(Part::Frame);
        for (k, part) in access.parts.iter().enumerate() {
            let value = self.narrowed(part.reg, part.half, true)?;
            self.store_row(false, frame, &value, slot, k as u64 * row);
        }
        self.for_each_pointer(access, place, stride, wanted, |this, lane, pointer| {
            let flags = this.flags(place.part);
            let from = this.lane_pointer64(slot, lane, 4);
            for (k, part) in access.parts.iter().enumerate() {
                let word = this.load_word(false, frame, from, k as u64 * row);
                let offset = place.offset + u64::from(part.offset);
                this.store_word(part.half, flags, word, pointer, offset);
            }
            Ok(())
        })
    }

    // Arrays of the lanes' own, lane-interleaved.

    fn array_place(&mut self, array: Array, var: Reg, index: Reg) -> Result<Place> {
        let row = u64::from(self.width) * 4;
        let mut place = Place {
            base: self.array_pointer(array)?,
            part: Part::Private,
            constant: false,
            offset: u64::from(var - array.first) * row,
            terms: Vec::new(),
            checks: Vec::new(),
        };
        self.follow(index, row, &mut place)?;
        Ok(place)
    }

    fn array_pointer(&self, array: Array) -> Result<Value> {
        let known = self.arrays.get(&array.first).map(|&(_, _, start)| start);
        known.ok_or_else(|| self.broken("an array without memory"))
    }

    fn array(&self, var: Reg) -> Result<Array> {
        self.kernel.array_of(var).ok_or_else(|| self.broken("an array without elements"))
    }

    /// An element that a constant selects.
    pub(super) fn load_plane(&mut self, array: Array, element: u32) -> Result<Val> {
        let at = self.array_pointer(array)?;
        let flags = self.flags(Part::Private);
        let offset = u64::from(element) * u64::from(self.width) * 4;
        Ok(Val::Vector(self.load_row(false, flags, at, offset), Ty::Int))
    }

    pub(super) fn store_plane(&mut self, array: Array, element: u32, value: Reg) -> Result<()> {
        let at = self.array_pointer(array)?;
        let offset = u64::from(element) * u64::from(self.width) * 4;
        self.blend(at, offset, value)
    }

    /// Stores a vector in the executing lanes of memory that is the gang's own.
    fn blend(&mut self, at: Value, offset: u64, value: Reg) -> Result<()> {
        let flags = self.flags(Part::Private);
        let mut new = self.vector(value, Ty::Int)?;
        if let Mask::Some(mask) = self.mask.clone() {
            let old = self.load_row(false, flags, at, offset);
            new = self.select(&mask, &new, &old, true);
        }
        self.store_row(false, flags, &new, at, offset);
        Ok(())
    }

    pub(super) fn local_load(&mut self, dst: Reg, var: Reg, index: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let flags = self.flags(Part::Private);
        if self.spread(&place) == Spread::Uniform {
            let inside = self.inside(&place, None, 0)?;
            let mut pointer = self.pointer(&place, None)?;
            if let Some(inside) = inside {
                pointer = self.b.ins().select(inside, pointer, place.base);
            }
            let mut value = self.load_row(false, flags, pointer, place.offset);
            if let Some(inside) = inside {
                let wanted = self.splat(inside, Ty::Bool);
                value = self.and(&value, &wanted);
            }
            self.define(dst, Val::Vector(value, Ty::Int));
            return Ok(());
        }
        // Each lane's own word at its own index.
        let wanted = self.wanted(&place)?;
        let rows = self.offsets(&place, 4)?;
        let iota = self.iota(1);
        let mut offsets = self.zip(&rows, &iota, |b, x, y| b.ins().iadd(x, y));
        if let Some(wanted) = &wanted {
            offsets = self.and(&offsets, wanted);
        }
        let mut value = self.pick_lanes(place.base, place.offset, place.part, &offsets);
        if let Some(wanted) = &wanted {
            value = self.and(&value, wanted);
        }
        self.define(dst, Val::Vector(value, Ty::Int));
        Ok(())
    }

    pub(super) fn local_store(&mut self, var: Reg, index: Reg, src: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let flags = self.flags(Part::Private);
        if self.spread(&place) == Spread::Uniform {
            let inside = self.inside(&place, None, 0)?;
            let pointer = self.pointer(&place, None)?;
            let done = self.block();
            if let Some(inside) = inside {
                let go = self.block();
                self.branch_if(inside, go, done);
                self.begin(go);
            }
            self.enter();
            self.blend(pointer, place.offset, src)?;
            self.leave();
            self.branch(done);
            self.begin(done);
            return Ok(());
        }
        let wanted = match self.wanted(&place)? {
            Some(wanted) => wanted,
            None => self.number(u32::MAX, Ty::Bool, true),
        };
        let rows = self.offsets(&place, 4)?;
        let iota = self.iota(1);
        let offsets = self.zip(&rows, &iota, |b, x, y| b.ins().iadd(x, y));
        let offsets = self.spill("offsets", &offsets);
        let value = self.vector(src, Ty::Int)?;
        let values = self.spill("values", &value);
        self.for_each_lane(&wanted, |this, lane| {
            let offset = this.spilled(offsets, lane);
            let word = this.spilled(values, lane);
            let pointer = this.lane_pointer(place.base, offset, 4);
            this.store_word(false, flags, word, pointer, place.offset);
            Ok(())
        })
    }

    /// A variable's elements become zero, in every lane.
    pub(super) fn clear(&mut self, var: Reg, count: u32) -> Result<()> {
        let array = self.array(var)?;
        let row = u64::from(self.width) * 4;
        let start = self.array_pointer(array)?;
        let offset = self.long(u64::from(var - array.first) * row);
        let at = self.b.ins().iadd(start, offset);
        self.zero(at, u64::from(count) * row, Part::Private);
        Ok(())
    }
}

/// The unit that offsets of an access are counted in: everything lies at multiples of it.
fn unit(access: &Access) -> u64 {
    if access.parts.iter().any(|part| part.half) { 2 } else { 4 }
}
