//! Loads and stores by the shape of their address.
//!
//! A uniform address takes one scalar access, at a place that is always in bounds; the value is zeroed
//! afterwards if the index was out of bounds. Consecutive words take one vector access, under a mask unless all
//! lanes are active and in bounds. Consecutive whole elements take wide loads and shuffles. Other addresses
//! take a gather or a scatter. What always holds: a lane that is masked off or out of bounds accesses no
//! memory, and offsets in words fit an i32, since the launch refuses larger buffers.

use super::emit::{Emitter, Mask, Val};
use super::emit_place::{Lanes, Place};
use crate::cpu::interpreter::bytecode::{Access, Address, Memory};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_> {
    /// Words or half words of memory as a register: an f16 becomes the f32 that equals it.
    pub(super) fn widened(
        &mut self,
        value: &str,
        half: bool,
        vector: bool,
    ) -> Result<(String, Ty)> {
        if !half {
            return Ok((value.to_owned(), Ty::Int));
        }
        Ok((self.half_widened(value, vector), Ty::Float))
    }

    /// A register in the form that memory has.
    pub(super) fn narrowed(&mut self, reg: Reg, half: bool, vector: bool) -> Result<String> {
        if !half {
            return self.get(reg, Ty::Int, vector);
        }
        let value = self.get(reg, Ty::Float, vector)?;
        Ok(self.half_narrowed(&value, vector))
    }

    pub(super) fn word(&self, half: bool, vector: bool) -> String {
        let scalar = if half { "i16" } else { "i32" };
        if vector { format!("<{} x {scalar}>", self.width) } else { scalar.to_owned() }
    }

    /// Keeps the compiler from merging loads of words that other workgroups write.
    fn observe(&mut self, memory: Memory) {
        if self.kernel.storage_atomics && matches!(memory, Memory::Storage(_)) {
            self.line("call void asm sideeffect \"\", \"~{memory}\"()");
        }
    }

    pub(super) fn load(&mut self, access: &Access) -> Result<()> {
        let place = self.place(&access.address)?;
        self.observe(access.address.memory);
        match self.lanes(&place) {
            Lanes::Uniform => self.load_uniform(access, place),
            Lanes::Strided(bytes) if self.contiguous(access, bytes) => {
                self.load_contiguous(access, &place, &[], None)
            }
            Lanes::Strided(bytes) if self.interleaved(access, bytes) && self.mask == Mask::Full => {
                self.load_interleaved(access, &place, bytes)
            }
            Lanes::Likely(bytes) if self.contiguous(access, bytes) => {
                let (first, follow) = self.likely(&place)?;
                self.load_contiguous(access, &place, &first, Some(follow))
            }
            _ => self.gather(access, &place),
        }
    }

    /// Whether each part is adjacent to that of the next lane.
    fn contiguous(&self, access: &Access, bytes: i64) -> bool {
        access.parts.iter().all(|part| bytes == if part.half { 2 } else { 4 })
    }

    /// For an index that may be strided: its first lane, and the mask of the lanes that follow it.
    pub(super) fn likely(&mut self, place: &Place) -> Result<(Vec<(Reg, String)>, String)> {
        let likely = place.terms.iter().find(|(reg, _)| self.class(*reg) == Class::Likely);
        let Some(&(reg, _)) = likely else { return Err(self.broken("no likely index")) };
        let int = self.ty(Ty::Int, true);
        let index = self.vector(reg, Ty::Int)?;
        let first = self.ins(&format!("extractelement {int} {index}, i32 0"));
        let all = self.splat(&first, Ty::Int);
        let iota = self.iota(1);
        let row = self.ins(&format!("add {int} {all}, {iota}"));
        let follow = self.ins(&format!("icmp eq {int} {index}, {row}"));
        Ok((vec![(reg, first)], follow))
    }

    /// Prefetches the cache line of the first lane.
    pub(super) fn prefetch(&mut self, address: &Address) -> Result<()> {
        let place = self.place(address)?;
        let pointer = self.pointer(&place, &[])?;
        let pointer = self.at(&pointer, place.offset);
        self.line(&format!("call void @llvm.prefetch.p0(ptr {pointer}, i32 0, i32 2, i32 1)"));
        Ok(())
    }

    fn load_uniform(&mut self, access: &Access, place: Place) -> Result<()> {
        let inside = self.inside(&place, &[], 0)?;
        let mut pointer = self.pointer(&place, &[])?;
        if let Some(inside) = &inside {
            // Out of bounds, the word at the start is read and not used.
            pointer = self.ins(&format!("select i1 {inside}, ptr {pointer}, ptr {}", place.base));
        }
        for part in &access.parts {
            let ty = self.word(part.half, false);
            let at = self.at(&pointer, place.offset + u64::from(part.offset));
            let mut value =
                self.ins(&format!("load {ty}, ptr {at}, align {}", if part.half { 2 } else { 4 }));
            if let Some(inside) = &inside {
                value = self.ins(&format!("select i1 {inside}, {ty} {value}, {ty} 0"));
            }
            let (name, ty) = self.widened(&value, part.half, false)?;
            let val = Val::Scalar(name, ty);
            self.define(part.reg, val);
        }
        Ok(())
    }

    fn load_contiguous(
        &mut self,
        access: &Access,
        place: &Place,
        first: &[(Reg, String)],
        follow: Option<String>,
    ) -> Result<()> {
        let full = self.mask == Mask::Full;
        let inside = if full { self.inside(place, first, 0)? } else { None };
        let pointer = self.pointer(place, first)?;
        let mut results = Vec::new();
        if full && inside.is_none() && follow.is_none() {
            for part in &access.parts {
                let at = self.at(&pointer, place.offset + u64::from(part.offset));
                results.push(self.plain_load(&at, part.half));
            }
        } else {
            // Values that both arms need must be computed before the branch.
            let wanted = self.wanted(place)?;
            let fast = match &follow {
                None => inside,
                Some(follow) if full => {
                    let every = self.all(follow);
                    Some(match inside {
                        None => every,
                        Some(inside) => self.ins(&format!("and i1 {every}, {inside}")),
                    })
                }
                Some(follow) => {
                    // Inactive lanes may have any index.
                    let stray = self.and_not(&wanted, follow);
                    let bits = self.bits(&stray);
                    Some(self.ins(&format!("icmp eq i{} {bits}, 0", self.width)))
                }
            };
            let (quick, slow, join) = (self.label(), self.label(), self.label());
            let mut quick_values = Vec::new();
            if let Some(fast) = &fast {
                self.branch_if(fast, &quick, &slow);
                self.begin(&quick);
                for part in &access.parts {
                    let at = self.at(&pointer, place.offset + u64::from(part.offset));
                    quick_values.push(if full {
                        self.plain_load(&at, part.half)
                    } else {
                        self.masked_load(&at, part.half, &wanted)
                    });
                }
                self.branch(&join);
                self.begin(&slow);
            }
            let mut slow_values = Vec::new();
            for part in &access.parts {
                let offset = place.offset + u64::from(part.offset);
                slow_values.push(if follow.is_some() {
                    self.gather_part(place, offset, part.half, &wanted)?
                } else {
                    let at = self.at(&pointer, offset);
                    self.masked_load(&at, part.half, &wanted)
                });
            }
            if fast.is_some() {
                self.branch(&join);
                self.begin(&join);
                for ((part, quick_value), slow_value) in
                    access.parts.iter().zip(quick_values).zip(slow_values)
                {
                    let ty = self.word(part.half, true);
                    results.push(self.ins(&format!(
                        "phi {ty} [ {quick_value}, %{quick} ], [ {slow_value}, %{slow} ]"
                    )));
                }
            } else {
                results = slow_values;
            }
        }
        for (part, value) in access.parts.iter().zip(results) {
            let (name, ty) = self.widened(&value, part.half, true)?;
            self.define(part.reg, Val::Vector(name, ty));
        }
        Ok(())
    }

    fn plain_load(&mut self, pointer: &str, half: bool) -> String {
        let (ty, align) = (self.word(half, true), if half { 2 } else { 4 });
        self.ins(&format!("load {ty}, ptr {pointer}, align {align}"))
    }

    pub(super) fn masked_load(&mut self, pointer: &str, half: bool, mask: &str) -> String {
        let (ty, lanes) = (self.word(half, true), self.ty(Ty::Bool, true));
        let (suffix, align) = if half { ("i16", 2) } else { ("i32", 4) };
        let width = self.width;
        self.ins(&format!(
            "call {ty} @llvm.masked.load.v{width}{suffix}.p0(ptr {pointer}, i32 {align}, {lanes} \
             {mask}, {ty} zeroinitializer)"
        ))
    }

    pub(super) fn gather_part(
        &mut self,
        place: &Place,
        offset: u64,
        half: bool,
        mask: &str,
    ) -> Result<String> {
        let pointers = self.pointers(place, offset, if half { 2 } else { 4 }, Some(mask))?;
        let (ty, lanes) = (self.word(half, true), self.ty(Ty::Bool, true));
        let (suffix, align) = if half { ("i16", 2) } else { ("i32", 4) };
        let width = self.width;
        Ok(self.ins(&format!(
            "call {ty} @llvm.masked.gather.v{width}{suffix}.v{width}p0(<{width} x ptr> {pointers}, \
             i32 {align}, {lanes} {mask}, {ty} zeroinitializer)"
        )))
    }

    pub(super) fn gather(&mut self, access: &Access, place: &Place) -> Result<()> {
        let wanted = self.wanted(place)?;
        for part in &access.parts {
            let offset = place.offset + u64::from(part.offset);
            let value = self.gather_part(place, offset, part.half, &wanted)?;
            let (name, ty) = self.widened(&value, part.half, true)?;
            self.define(part.reg, Val::Vector(name, ty));
        }
        Ok(())
    }

    // Stores.

    pub(super) fn store(&mut self, access: &Access) -> Result<()> {
        let place = self.place(&access.address)?;
        match self.lanes(&place) {
            Lanes::Uniform => self.store_uniform(access, &place),
            Lanes::Strided(bytes) if self.contiguous(access, bytes) => {
                self.store_contiguous(access, &place)
            }
            Lanes::Strided(bytes) if self.interleaved(access, bytes) && self.mask == Mask::Full => {
                self.store_interleaved(access, &place, bytes)
            }
            _ => self.scatter(access, &place),
        }
    }

    /// All lanes store to one place: the last one wins.
    fn store_uniform(&mut self, access: &Access, place: &Place) -> Result<()> {
        let mut wanted = self.inside(place, &[], 0)?;
        let pointer = self.pointer(place, &[])?;
        let mut last = (self.width - 1).to_string();
        if let Mask::Some(mask) = self.mask.clone() {
            let bits = self.bits(&mask);
            let width = self.width;
            let any = self.ins(&format!("icmp ne i{width} {bits}, 0"));
            wanted = Some(match wanted {
                None => any,
                Some(inside) => self.ins(&format!("and i1 {inside}, {any}")),
            });
            let zeros =
                self.ins(&format!("call i{width} @llvm.ctlz.i{width}(i{width} {bits}, i1 false)"));
            let zeros = self.resized(&zeros, width, 32);
            last = self.ins(&format!("sub i32 {}, {zeros}", width - 1));
        }
        let mut values = Vec::new();
        for part in &access.parts {
            let vector = !self.is_uniform(part.reg) && self.kernel.known(part.reg).is_none();
            let value = self.narrowed(part.reg, part.half, vector)?;
            values.push(if vector {
                let ty = self.word(part.half, true);
                // Perhaps no lane is active. The store is skipped then, so any lane will do.
                let lane = self.ins(&format!("and i32 {last}, {}", self.width - 1));
                self.ins(&format!("extractelement {ty} {value}, i32 {lane}"))
            } else {
                value
            });
        }
        let done = self.label();
        if let Some(wanted) = wanted {
            let go = self.label();
            self.branch_if(&wanted, &go, &done);
            self.begin(&go);
        }
        for (part, value) in access.parts.iter().zip(values) {
            let at = self.at(&pointer, place.offset + u64::from(part.offset));
            let (ty, align) = (self.word(part.half, false), if part.half { 2 } else { 4 });
            self.line(&format!("store {ty} {value}, ptr {at}, align {align}"));
        }
        self.branch(&done);
        self.begin(&done);
        Ok(())
    }

    fn store_contiguous(&mut self, access: &Access, place: &Place) -> Result<()> {
        let mut values = Vec::new();
        for part in &access.parts {
            values.push(self.narrowed(part.reg, part.half, true)?);
        }
        let mut fast = None;
        let mut always = false;
        if self.mask == Mask::Full {
            fast = self.inside(place, &[], 0)?;
            always = fast.is_none();
        }
        let pointer = self.pointer(place, &[])?;
        let wanted = if always { String::new() } else { self.wanted(place)? };
        let (quick, slow, join) = (self.label(), self.label(), self.label());
        if let Some(fast) = &fast {
            self.branch_if(fast, &quick, &slow);
            self.begin(&quick);
        }
        if always || fast.is_some() {
            for (part, value) in access.parts.iter().zip(&values) {
                let at = self.at(&pointer, place.offset + u64::from(part.offset));
                let (ty, align) = (self.word(part.half, true), if part.half { 2 } else { 4 });
                self.line(&format!("store {ty} {value}, ptr {at}, align {align}"));
            }
        }
        if always {
            return Ok(());
        }
        if fast.is_some() {
            self.branch(&join);
            self.begin(&slow);
        }
        for (part, value) in access.parts.iter().zip(&values) {
            let at = self.at(&pointer, place.offset + u64::from(part.offset));
            let (ty, lanes) = (self.word(part.half, true), self.ty(Ty::Bool, true));
            let (suffix, align) = if part.half { ("i16", 2) } else { ("i32", 4) };
            let width = self.width;
            self.line(&format!(
                "call void @llvm.masked.store.v{width}{suffix}.p0({ty} {value}, ptr {at}, \
                 i32 {align}, {lanes} {wanted})"
            ));
        }
        if fast.is_some() {
            self.branch(&join);
            self.begin(&join);
        }
        Ok(())
    }

    pub(super) fn scatter(&mut self, access: &Access, place: &Place) -> Result<()> {
        let wanted = self.wanted(place)?;
        for part in &access.parts {
            let value = self.narrowed(part.reg, part.half, true)?;
            let offset = place.offset + u64::from(part.offset);
            let pointers = self.pointers(place, offset, if part.half { 2 } else { 4 }, None)?;
            let (ty, lanes) = (self.word(part.half, true), self.ty(Ty::Bool, true));
            let (suffix, align) = if part.half { ("i16", 2) } else { ("i32", 4) };
            let width = self.width;
            self.line(&format!(
                "call void @llvm.masked.scatter.v{width}{suffix}.v{width}p0({ty} {value}, \
                 <{width} x ptr> {pointers}, i32 {align}, {lanes} {wanted})"
            ));
        }
        Ok(())
    }
}
