//! Atomic read-modify-writes: one lane after the other, in the order of the lanes.
//!
//! If all lanes update one word and the old value is not used, the gang's values are combined first and one
//! atomic updates the word.

use super::emit::{Emitter, Mask, Val};
use super::emit_place::{Lanes, Place};
use crate::cpu::interpreter::bytecode::{Atomic, AtomicFunction, Memory, NONE};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// The lanes' operands of an update.
enum Operand {
    Uniform(String),
    /// A row of words in the frame.
    Lanes(&'static str),
}

impl Emitter<'_> {
    pub(super) fn atomic(&mut self, atomic: &Atomic) -> Result<()> {
        let place = self.place(&atomic.address)?;
        if let (NONE, Lanes::Uniform) = (atomic.dst, self.lanes(&place))
            && self.combined_atomic(atomic, &place)?
        {
            return Ok(());
        }
        let wanted = self.wanted(&place)?;
        let full = self.mask == Mask::Full && place.checks.is_empty();
        let width = self.width;
        let int = self.ty(Ty::Int, true);
        let base = self.at(&place.base.clone(), place.offset);
        let offsets = self.offsets(&place, 4)?.unwrap_or_else(|| "zeroinitializer".to_owned());
        let offset_slot = self.shared_slot("%atomic.offsets", &int);
        self.line(&format!("store {int} {offsets}, ptr {offset_slot}"));
        let value = if self.is_uniform(atomic.value) {
            Operand::Uniform(self.scalar(atomic.value, Ty::Int)?)
        } else {
            let value = self.vector(atomic.value, Ty::Int)?;
            let slot = self.shared_slot("%atomic.values", &int);
            self.line(&format!("store {int} {value}, ptr {slot}"));
            Operand::Lanes(slot)
        };
        let mut compare = None;
        if atomic.compare != NONE {
            let lanes = self.vector(atomic.compare, Ty::Int)?;
            let slot = self.shared_slot("%atomic.compares", &int);
            self.line(&format!("store {int} {lanes}, ptr {slot}"));
            compare = Some((lanes, slot));
        }
        let old_slot = (atomic.dst != NONE).then(|| self.shared_slot("%atomic.olds", &int));
        if let Some(slot) = old_slot {
            self.line(&format!("store {int} zeroinitializer, ptr {slot}"));
        }
        let one = |this: &mut Self, lane: &str| {
            let of = |this: &mut Self, slot: &str| {
                let at = this.ins(&format!("getelementptr i32, ptr {slot}, i32 {lane}"));
                this.ins(&format!("load i32, ptr {at}"))
            };
            let offset = of(this, offset_slot);
            let offset = this.ins(&format!("zext i32 {offset} to i64"));
            let pointer = this.ins(&format!("getelementptr i32, ptr {base}, i64 {offset}"));
            let value = match &value {
                Operand::Uniform(name) => name.clone(),
                Operand::Lanes(slot) => of(this, slot),
            };
            let compare = match &compare {
                Some((_, slot)) => of(this, slot),
                None => String::new(),
            };
            let old = if atomic.address.memory == Memory::Workgroup {
                this.alone(atomic.function, &pointer, &value, &compare)
            } else {
                this.together(atomic.function, &pointer, &value, &compare)
            };
            if let Some(slot) = old_slot {
                let at = this.ins(&format!("getelementptr i32, ptr {slot}, i32 {lane}"));
                this.line(&format!("store i32 {old}, ptr {at}"));
            }
        };
        let done = self.label();
        if compare.is_none() {
            // Usually all lanes are wanted: unrolled code need not search for the next one.
            let some = self.label();
            if !full {
                let all = self.label();
                let every = self.all(&wanted);
                self.branch_if(&every, &all, &some);
                self.begin(&all);
            }
            for lane in 0..width {
                one(self, &lane.to_string());
            }
            self.branch(&done);
            if !full {
                self.begin(&some);
            }
        }
        if compare.is_some() || !full {
            self.each_set(&wanted, &done, one);
        }
        self.begin(&done);
        if let Some(slot) = old_slot {
            let old = self.ins(&format!("load {int}, ptr {slot}"));
            if let (Some((compare, _)), true) = (&compare, atomic.exchanged != NONE) {
                // Lanes out of bounds read zero.
                let lanes = self.ins(&format!("icmp eq {int} {old}, {compare}"));
                self.define(atomic.exchanged, Val::Vector(lanes, Ty::Bool));
            }
            self.define(atomic.dst, Val::Vector(old, Ty::Int));
        }
        Ok(())
    }

    /// Calls `body` with the number of each lane that is set, in order, and goes on at `done`.
    fn each_set(&mut self, lanes: &str, done: &str, body: impl FnOnce(&mut Self, &str)) {
        let size = self.width.max(32);
        let bits = self.bits(lanes);
        let bits = self.resized(&bits, self.width, size);
        // The lanes that are left.
        let slot = self.shared_slot("%atomic.bits", "i64");
        self.line(&format!("store i{size} {bits}, ptr {slot}"));
        let (head, one) = (self.label(), self.label());
        self.branch(&head);
        self.begin(&head);
        let left = self.ins(&format!("load i{size}, ptr {slot}"));
        let some = self.ins(&format!("icmp ne i{size} {left}, 0"));
        self.branch_if(&some, &one, done);
        self.begin(&one);
        let lane = self.ins(&format!("call i{size} @llvm.cttz.i{size}(i{size} {left}, i1 true)"));
        let lane = self.resized(&lane, size, 32);
        let less = self.ins(&format!("sub i{size} {left}, 1"));
        let rest = self.ins(&format!("and i{size} {left}, {less}"));
        self.line(&format!("store i{size} {rest}, ptr {slot}"));
        body(self, &lane);
        self.branch(&head);
    }

    /// One atomic for all lanes, where the function allows it.
    fn combined_atomic(&mut self, atomic: &Atomic, place: &Place) -> Result<bool> {
        use AtomicFunction as A;
        let (name, idle) = match atomic.function {
            A::Add | A::Subtract => ("add", 0),
            A::And => ("and", u32::MAX),
            A::Or => ("or", 0),
            A::Xor => ("xor", 0),
            A::MinI => ("smin", i32::MAX as u32),
            A::MaxI => ("smax", i32::MIN as u32),
            A::MinU => ("umin", u32::MAX),
            A::MaxU => ("umax", 0),
            A::Exchange | A::CompareExchange => return Ok(false),
        };
        let width = self.width;
        let mask = self.mask_vector();
        let uniform = self.is_uniform(atomic.value);
        let sum = match atomic.function {
            A::Add | A::Subtract if uniform => {
                let value = self.scalar(atomic.value, Ty::Int)?;
                let bits = self.bits(&mask);
                let count =
                    self.ins(&format!("call i{width} @llvm.ctpop.i{width}(i{width} {bits})"));
                let count = self.resized(&count, width, 32);
                self.ins(&format!("mul i32 {value}, {count}"))
            }
            A::Xor => self.reduced(name, idle, atomic.value, &mask)?,
            _ if uniform => self.scalar(atomic.value, Ty::Int)?,
            _ => self.reduced(name, idle, atomic.value, &mask)?,
        };
        let mut wanted = self.inside(place, &[], 0)?;
        if self.mask != Mask::Full {
            let any = self.any(&mask);
            wanted = Some(match wanted {
                None => any,
                Some(inside) => self.ins(&format!("and i1 {inside}, {any}")),
            });
        }
        let pointer = self.pointer(place, &[])?;
        let pointer = self.at(&pointer, place.offset);
        let (go, done) = (self.label(), self.label());
        if let Some(wanted) = &wanted {
            self.branch_if(wanted, &go, &done);
            self.begin(&go);
        }
        if atomic.address.memory == Memory::Workgroup {
            self.alone(atomic.function, &pointer, &sum, "");
        } else {
            self.together(atomic.function, &pointer, &sum, "");
        }
        if wanted.is_some() {
            self.branch(&done);
            self.begin(&done);
        }
        Ok(true)
    }

    /// The values of the executing lanes, combined.
    fn reduced(&mut self, name: &str, idle: u32, value: Reg, mask: &str) -> Result<String> {
        let (width, int) = (self.width, self.ty(Ty::Int, true));
        let lanes = self.ty(Ty::Bool, true);
        let value = self.vector(value, Ty::Int)?;
        let idle = self.constant(idle, Ty::Int);
        let value = self.ins(&format!("select {lanes} {mask}, {int} {value}, {int} {idle}"));
        Ok(self.ins(&format!("call i32 @llvm.vector.reduce.{name}.v{width}i32({int} {value})")))
    }

    /// On workgroup memory, which no other thread accesses.
    fn alone(&mut self, f: AtomicFunction, at: &str, value: &str, compare: &str) -> String {
        use AtomicFunction as A;
        let old = self.ins(&format!("load i32, ptr {at}, align 4"));
        let new = match f {
            A::Add => self.ins(&format!("add i32 {old}, {value}")),
            A::Subtract => self.ins(&format!("sub i32 {old}, {value}")),
            A::And => self.ins(&format!("and i32 {old}, {value}")),
            A::Or => self.ins(&format!("or i32 {old}, {value}")),
            A::Xor => self.ins(&format!("xor i32 {old}, {value}")),
            A::MinI | A::MaxI | A::MinU | A::MaxU => {
                let name = match f {
                    A::MinI => "smin",
                    A::MaxI => "smax",
                    A::MinU => "umin",
                    _ => "umax",
                };
                self.ins(&format!("call i32 @llvm.{name}.i32(i32 {old}, i32 {value})"))
            }
            A::Exchange => value.to_owned(),
            A::CompareExchange => {
                let same = self.ins(&format!("icmp eq i32 {old}, {compare}"));
                self.ins(&format!("select i1 {same}, i32 {value}, i32 {old}"))
            }
        };
        self.line(&format!("store i32 {new}, ptr {at}, align 4"));
        old
    }

    /// On storage, which other threads may update at the same time.
    fn together(&mut self, f: AtomicFunction, at: &str, value: &str, compare: &str) -> String {
        use AtomicFunction as A;
        let name = match f {
            A::Add => "add",
            A::Subtract => "sub",
            A::And => "and",
            A::Or => "or",
            A::Xor => "xor",
            A::MinI => "min",
            A::MaxI => "max",
            A::MinU => "umin",
            A::MaxU => "umax",
            A::Exchange => "xchg",
            A::CompareExchange => {
                let pair = self.ins(&format!(
                    "cmpxchg ptr {at}, i32 {compare}, i32 {value} monotonic monotonic, align 4"
                ));
                return self.ins(&format!("extractvalue {{ i32, i1 }} {pair}, 0"));
            }
        };
        self.ins(&format!("atomicrmw {name} ptr {at}, i32 {value} monotonic, align 4"))
    }
}
