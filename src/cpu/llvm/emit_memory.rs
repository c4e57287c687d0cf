//! Loads and stores by the shape of their address.
//!
//! Uniform: one scalar, at a place that is always inside, blanked afterwards where the index was
//! not. One word from lane to lane: one vector access, under a mask where not all of it is wanted
//! and inside. Whole elements next to each other: wide loads and shuffles. The rest: gather and
//! scatter. What always holds: a lane that is masked off or out of bounds touches nothing, and
//! offsets in words fit an i32, since the launch refuses larger buffers.

use super::emit::{Emitter, Mask, Val};
use crate::cpu::interpreter::bytecode::{Access, Address, Memory, NONE, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::ir::Array;
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// What an index has to be below.
#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Constant(u32),
    /// An i32 value.
    Value(String),
}

/// An address taken apart.
#[derive(Debug, Clone)]
pub(super) struct Place {
    base: String,
    /// Bytes from the base.
    pub(super) offset: u64,
    /// Indices with the bytes from one to the next.
    terms: Vec<(Reg, u64)>,
    checks: Vec<(Reg, Bound)>,
}

/// How the addresses of a gang's lanes relate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Lanes {
    Uniform,
    /// Bytes from lane to lane.
    Strided(i64),
    /// Perhaps an element of so many bytes from lane to lane, by one index.
    Likely(i64),
    Any,
}

impl Emitter<'_> {
    /// Follows the `Index` operations of an inner index.
    fn follow(&mut self, mut at: Reg, unit: u64, place: &mut Place) -> Result<()> {
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

    fn bound(&mut self, bound: &Bound, vector: bool) -> String {
        match bound {
            Bound::Constant(bits) => self.number(*bits, Ty::Int, vector),
            Bound::Value(name) if vector => self.splat(&name.clone(), Ty::Int),
            Bound::Value(name) => name.clone(),
        }
    }

    /// Whether all lanes are inside, as an i1; nothing where there is no doubt.
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

    /// The executing lanes that are inside.
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

    /// The pointer of the first lane, or of all of them where the place is uniform.
    pub(super) fn pointer(&mut self, place: &Place, first: &[(Reg, String)]) -> Result<String> {
        let mut sum: Option<String> = None;
        for &(reg, bytes) in &place.terms {
            let index = match first.iter().find(|(known, _)| *known == reg) {
                Some((_, name)) => name.clone(),
                None => self.scalar(reg, Ty::Int)?,
            };
            // A strided index may start below zero where its first lanes are masked off.
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

    /// Pointers of all lanes, for parts at constant offsets from them. A gather gives the lanes
    /// that it wants (`wanted`): the others point to the base. x86 has no gather whose index and
    /// result are one register, and LLVM, which takes care of that, does not where an index is
    /// undefined in all lanes of a register.
    pub(super) fn pointers(
        &mut self,
        place: &Place,
        offset: u64,
        unit: u64,
        wanted: Option<&str>,
    ) -> Result<String> {
        let base = self.at(&place.base.clone(), offset);
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
        let offsets = match (sum, wanted) {
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

    /// Words or half words of memory as a register: an f16 is the f32 that equals it.
    fn widened(&mut self, value: &str, half: bool, vector: bool) -> Result<(String, Ty)> {
        if !half {
            return Ok((value.to_owned(), Ty::Int));
        }
        Ok((self.half_widened(value, vector), Ty::Float))
    }

    /// A register as it lies in memory.
    fn narrowed(&mut self, reg: Reg, half: bool, vector: bool) -> Result<String> {
        if !half {
            return self.get(reg, Ty::Int, vector);
        }
        let value = self.get(reg, Ty::Float, vector)?;
        Ok(self.half_narrowed(&value, vector))
    }

    fn word(&self, half: bool, vector: bool) -> String {
        let scalar = if half { "i16" } else { "i32" };
        if vector { format!("<{} x {scalar}>", self.width) } else { scalar.to_owned() }
    }

    /// Keeps what other workgroups write from being read only once.
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

    /// Whether each part is next to that of the next lane.
    fn contiguous(&self, access: &Access, bytes: i64) -> bool {
        access.parts.iter().all(|part| bytes == if part.half { 2 } else { 4 })
    }

    /// Whether the lanes' elements lie next to each other and most of them is wanted.
    fn interleaved(&self, access: &Access, bytes: i64) -> bool {
        bytes % 4 == 0
            && (8..=32).contains(&bytes)
            && access.parts.len() as i64 * 8 >= bytes
            && access.parts.iter().all(|part| !part.half && i64::from(part.offset) < bytes)
    }

    /// For an index that may be strided: its first lane, and which of the others follow it.
    fn likely(&mut self, place: &Place) -> Result<(Vec<(Reg, String)>, String)> {
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

    /// Asks for the cache line of the first lane.
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
            // Where it is outside, what lies at the start is read and not used.
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
            // What both ways need has to be there before they part.
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
                    // Lanes that are not wanted may have any index.
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

    fn masked_load(&mut self, pointer: &str, half: bool, mask: &str) -> String {
        let (ty, lanes) = (self.word(half, true), self.ty(Ty::Bool, true));
        let (suffix, align) = if half { ("i16", 2) } else { ("i32", 4) };
        let width = self.width;
        self.ins(&format!(
            "call {ty} @llvm.masked.load.v{width}{suffix}.p0(ptr {pointer}, i32 {align}, {lanes} \
             {mask}, {ty} zeroinitializer)"
        ))
    }

    fn gather_part(
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

    fn gather(&mut self, access: &Access, place: &Place) -> Result<()> {
        let wanted = self.wanted(place)?;
        for part in &access.parts {
            let offset = place.offset + u64::from(part.offset);
            let value = self.gather_part(place, offset, part.half, &wanted)?;
            let (name, ty) = self.widened(&value, part.half, true)?;
            self.define(part.reg, Val::Vector(name, ty));
        }
        Ok(())
    }

    /// Whole elements that lie next to each other: one wide load, taken apart.
    fn load_interleaved(&mut self, access: &Access, place: &Place, bytes: i64) -> Result<()> {
        let words = bytes as u64 / 4;
        let wanted = self.wanted(place)?;
        // The last element may end before its padding does, so there must be one more.
        let end = access.parts.iter().map(|part| u64::from(part.offset) + 4).max().unwrap_or(0);
        let more = u64::from(end < bytes as u64 || place.terms.len() > 1);
        let mut checked = place.clone();
        if more > 0 && place.checks.len() < place.terms.len() {
            // That the elements are inside does not mean that there is one more.
            match access.address.memory {
                Memory::Storage(binding) if place.terms.len() == 1 => {
                    let bound = Bound::Value(format!("%len{binding}"));
                    checked.checks.push((place.terms[0].0, bound));
                }
                _ => return self.gather(access, place),
            }
        }
        let fast = self.inside(&checked, &[], more)?;
        let pointer = self.pointer(place, &[])?;
        let pointer = self.at(&pointer, place.offset);
        let Some(fast) = fast else {
            let values = self.deinterleaved(access, &pointer, words);
            for (part, value) in access.parts.iter().zip(values) {
                self.define(part.reg, Val::Vector(value, Ty::Int));
            }
            return Ok(());
        };
        let (quick, slow, join) = (self.label(), self.label(), self.label());
        self.branch_if(&fast, &quick, &slow);
        self.begin(&quick);
        let quick_values = self.deinterleaved(access, &pointer, words);
        self.branch(&join);
        self.begin(&slow);
        let mut slow_values = Vec::new();
        for part in &access.parts {
            let offset = place.offset + u64::from(part.offset);
            slow_values.push(self.gather_part(place, offset, false, &wanted)?);
        }
        self.branch(&join);
        self.begin(&join);
        for ((part, a), b) in access.parts.iter().zip(quick_values).zip(slow_values) {
            let ty = self.word(false, true);
            let value = self.ins(&format!("phi {ty} [ {a}, %{quick} ], [ {b}, %{slow} ]"));
            self.define(part.reg, Val::Vector(value, Ty::Int));
        }
        Ok(())
    }

    /// The parts of elements of so many words each.
    fn deinterleaved(&mut self, access: &Access, pointer: &str, words: u64) -> Vec<String> {
        let width = u64::from(self.width);
        let wide = format!("<{} x i32>", width * words);
        let all = self.ins(&format!("load {wide}, ptr {pointer}, align 4"));
        let mut values = Vec::new();
        for part in &access.parts {
            let lanes: Vec<String> = (0..width)
                .map(|lane| format!("i32 {}", lane * words + u64::from(part.offset) / 4))
                .collect();
            values.push(self.ins(&format!(
                "shufflevector {wide} {all}, {wide} undef, <{width} x i32> <{}>",
                lanes.join(", ")
            )));
        }
        values
    }

    // Stores.

    pub(super) fn store(&mut self, access: &Access) -> Result<()> {
        let place = self.place(&access.address)?;
        match self.lanes(&place) {
            Lanes::Uniform => self.store_uniform(access, &place),
            Lanes::Strided(bytes) if self.contiguous(access, bytes) => {
                self.store_contiguous(access, &place)
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
                // No lane may be active; the store is skipped then, so any lane will do.
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

    fn scatter(&mut self, access: &Access, place: &Place) -> Result<()> {
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

    // Arrays of the lanes' own, lane-interleaved.

    fn array_place(&mut self, array: Array, var: Reg, index: Reg) -> Result<Place> {
        let row = u64::from(self.width) * 4;
        let mut place = Place {
            base: self.array_pointer(array),
            offset: u64::from(var - array.first) * row,
            terms: Vec::new(),
            checks: Vec::new(),
        };
        self.follow(index, row, &mut place)?;
        Ok(place)
    }

    fn array_pointer(&self, array: Array) -> String {
        self.arrays.get(&array.first).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn array(&self, var: Reg) -> Result<Array> {
        self.kernel.array_of(var).ok_or_else(|| self.broken("an array without elements"))
    }

    /// An element that a constant selects.
    pub(super) fn load_plane(&mut self, array: Array, element: u32) -> Val {
        let int = self.ty(Ty::Int, true);
        let offset = u64::from(element) * u64::from(self.width) * 4;
        let at = self.at(&self.array_pointer(array), offset);
        let align = self.row_align();
        Val::Vector(self.ins(&format!("load {int}, ptr {at}, align {align}")), Ty::Int)
    }

    pub(super) fn store_plane(&mut self, array: Array, element: u32, value: Reg) -> Result<()> {
        let int = self.ty(Ty::Int, true);
        let offset = u64::from(element) * u64::from(self.width) * 4;
        let at = self.at(&self.array_pointer(array), offset);
        self.blend(&at, value, &int, None)
    }

    /// Stores a vector in the executing lanes of memory that is the gang's own.
    fn blend(&mut self, at: &str, value: Reg, int: &str, inside: Option<String>) -> Result<()> {
        let mut new = self.vector(value, Ty::Int)?;
        let align = self.row_align();
        if let Mask::Some(mask) = self.mask.clone() {
            let lanes = self.ty(Ty::Bool, true);
            let old = self.ins(&format!("load {int}, ptr {at}, align {align}"));
            new = self.ins(&format!("select {lanes} {mask}, {int} {new}, {int} {old}"));
        }
        let done = self.label();
        if let Some(inside) = &inside {
            let go = self.label();
            self.branch_if(inside, &go, &done);
            self.begin(&go);
        }
        self.line(&format!("store {int} {new}, ptr {at}, align {align}"));
        if inside.is_some() {
            self.branch(&done);
            self.begin(&done);
        }
        Ok(())
    }

    pub(super) fn local_load(&mut self, dst: Reg, var: Reg, index: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let int = self.ty(Ty::Int, true);
        if self.lanes(&place) == Lanes::Uniform {
            let inside = self.inside(&place, &[], 0)?;
            let mut pointer = self.pointer(&place, &[])?;
            pointer = self.at(&pointer, place.offset);
            if let Some(inside) = &inside {
                let base = &place.base;
                pointer = self.ins(&format!("select i1 {inside}, ptr {pointer}, ptr {base}"));
            }
            let align = self.row_align();
            let mut value = self.ins(&format!("load {int}, ptr {pointer}, align {align}"));
            if let Some(inside) = &inside {
                value =
                    self.ins(&format!("select i1 {inside}, {int} {value}, {int} zeroinitializer"));
            }
            self.define(dst, Val::Vector(value, Ty::Int));
            return Ok(());
        }
        let wanted = self.wanted(&place)?;
        let pointers = self.lane_pointers(&place, Some(&wanted))?;
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        let value = self.ins(&format!(
            "call {int} @llvm.masked.gather.v{width}i32.v{width}p0(<{width} x ptr> {pointers}, \
             i32 4, {lanes} {wanted}, {int} zeroinitializer)"
        ));
        self.define(dst, Val::Vector(value, Ty::Int));
        Ok(())
    }

    /// Each lane's own word at its own index.
    fn lane_pointers(&mut self, place: &Place, wanted: Option<&str>) -> Result<String> {
        let (int, width) = (self.ty(Ty::Int, true), self.width);
        let rows = self.pointers(place, place.offset, 4, wanted)?;
        let iota = self.iota(1);
        Ok(self.ins(&format!("getelementptr i32, <{width} x ptr> {rows}, {int} {iota}")))
    }

    pub(super) fn local_store(&mut self, var: Reg, index: Reg, src: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let int = self.ty(Ty::Int, true);
        if self.lanes(&place) == Lanes::Uniform {
            let inside = self.inside(&place, &[], 0)?;
            let mut pointer = self.pointer(&place, &[])?;
            pointer = self.at(&pointer, place.offset);
            if let Some(inside) = &inside {
                let base = &place.base;
                pointer = self.ins(&format!("select i1 {inside}, ptr {pointer}, ptr {base}"));
            }
            return self.blend(&pointer, src, &int, inside);
        }
        let wanted = self.wanted(&place)?;
        let value = self.vector(src, Ty::Int)?;
        let pointers = self.lane_pointers(&place, None)?;
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        self.line(&format!(
            "call void @llvm.masked.scatter.v{width}i32.v{width}p0({int} {value}, \
             <{width} x ptr> {pointers}, i32 4, {lanes} {wanted})"
        ));
        Ok(())
    }

    /// A variable's elements become zero, in every lane.
    pub(super) fn clear(&mut self, var: Reg, count: u32) -> Result<()> {
        let array = self.array(var)?;
        let row = u64::from(self.width) * 4;
        let at = self.at(&self.array_pointer(array), u64::from(var - array.first) * row);
        let align = self.row_align();
        self.line(&format!(
            "call void @llvm.memset.p0.i64(ptr align {align} {at}, i8 0, i64 {}, i1 false)",
            u64::from(count) * row
        ));
        Ok(())
    }
}
