//! Words and rows in memory, loops over lanes, and stores by the shape of their address.
//!
//! A store of all lanes to one word stores the last lane's value. Consecutive words or whole elements, all in
//! bounds, take vector stores. Other addresses take one store per lane. What always holds: only words that
//! active lanes store are written.

use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Value, types};

use super::emit::{Emitter, Lanes, Mask, Part, QUAD, Val};
use super::emit_place::{Place, Spread};
use crate::cpu::interpreter::bytecode::{Access, Memory};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_, '_> {
    // Words and half words.

    /// Words from memory as a register: an f16 becomes the f32 that equals it.
    pub(super) fn widened(&mut self, value: &Lanes, half: bool, vector: bool) -> Val {
        let (lanes, ty) = if half {
            (self.half_widened(value, vector), Ty::Float)
        } else {
            (value.clone(), Ty::Int)
        };
        if vector { Val::Vector(lanes, ty) } else { Val::Scalar(lanes[0], ty) }
    }

    /// A register in the form that memory has, in words.
    pub(super) fn narrowed(&mut self, reg: Reg, half: bool, vector: bool) -> Result<Lanes> {
        if !half {
            return self.get(reg, Ty::Int, vector);
        }
        let value = self.get(reg, Ty::Float, vector)?;
        Ok(self.half_narrowed(&value, vector))
    }

    pub(super) fn load_word(
        &mut self,
        half: bool,
        flags: MemFlagsData,
        at: Value,
        offset: u64,
    ) -> Value {
        let (at, offset) = self.at(at, offset);
        if half {
            self.b.ins().uload16(types::I32, flags, at, offset)
        } else {
            self.b.ins().load(types::I32, flags, at, offset)
        }
    }

    pub(super) fn store_word(
        &mut self,
        half: bool,
        flags: MemFlagsData,
        x: Value,
        at: Value,
        offset: u64,
    ) {
        let (at, offset) = self.at(at, offset);
        if half {
            self.b.ins().istore16(flags, x, at, offset);
        } else {
            self.b.ins().store(flags, x, at, offset);
        }
    }

    /// The consecutive words of a gang.
    pub(super) fn load_row(
        &mut self,
        half: bool,
        flags: MemFlagsData,
        at: Value,
        offset: u64,
    ) -> Lanes {
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

    pub(super) fn store_row(
        &mut self,
        half: bool,
        flags: MemFlagsData,
        x: &Lanes,
        at: Value,
        offset: u64,
    ) {
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

    // One lane after the other.

    /// Calls `body` for each lane that is set, in order; without a loop if all are set (`None`: they surely
    /// are). `quick` says whether that is likely, and worth the code.
    pub(super) fn for_each_lane(
        &mut self,
        lanes: Option<&Lanes>,
        quick: bool,
        body: impl Fn(&mut Self, Value) -> Result<()>,
    ) -> Result<()> {
        let all_set = self.number(u32::MAX, Ty::Bool, true);
        let (surely, lanes) = (quick && lanes.is_none(), lanes.unwrap_or(&all_set));
        let done = self.block();
        if quick {
            let some = self.block();
            if !surely {
                let all = self.block();
                let every = self.all(lanes);
                self.branch_if(every, all, some);
                self.begin(all);
            }
            self.enter();
            for lane in 0..self.width {
                let lane = self.long(u64::from(lane));
                body(self, lane)?;
            }
            self.leave();
            self.branch(done);
            if surely {
                self.begin(done);
                return Ok(());
            }
            self.begin(some);
        }
        let bits = self.bits(lanes);
        let (head, one) = (self.block(), self.block());
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

    /// Writes a row of words to the frame, by lane.
    pub(super) fn spill(&mut self, name: &'static str, lanes: &Lanes) -> Value {
        let slot = self.slot(name, self.width * 4);
        let flags = self.flags(Part::Frame);
        self.store_row(false, flags, lanes, slot, 0);
        slot
    }

    /// Reads one lane's word of a row in the frame.
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

    /// Calls `body` with the pointer of each wanted lane in turn, from the first lane's by a stride, or from
    /// offsets.
    pub(super) fn for_each_pointer(
        &mut self,
        access: &Access,
        place: &Place,
        stride: Option<u64>,
        wanted: Option<Lanes>,
        body: impl Fn(&mut Self, Value, Value) -> Result<()>,
    ) -> Result<()> {
        if let Some(stride) = stride {
            // If all lanes were in bounds, the row was stored as a whole: some lane is not wanted here.
            let first = self.pointer(place, None)?;
            return self.for_each_lane(wanted.as_ref(), false, |this, lane| {
                let pointer = this.lane_pointer64(first, lane, stride);
                body(this, lane, pointer)
            });
        }
        let unit = unit(access);
        let offsets = self.offsets(place, unit)?;
        let offsets = self.spill("offsets", &offsets);
        self.for_each_lane(wanted.as_ref(), true, |this, lane| {
            let offset = this.spilled(offsets, lane);
            let pointer = this.lane_pointer(place.base, offset, unit);
            body(this, lane, pointer)
        })
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
            // Perhaps no lane is active. The store is skipped then, so any lane will do.
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
                        // No other thread accesses this memory.
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

    /// Stores words at equal distances.
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
}

/// The unit of an access's offsets: all places are multiples of it.
pub(super) fn unit(access: &Access) -> u64 {
    if access.parts.iter().any(|part| part.half) { 2 } else { 4 }
}
