//! The function as textual LLVM IR.
//!
//! Values are names or literals. Lanes are vectors of the gang's width.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use crate::cpu::spmd::types::Ty;

/// The operations for which the machine has instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features {
    pub(super) fma: bool,
    pub(super) f16c: bool,
}

/// A function under construction.
#[derive(Debug)]
pub(super) struct Builder {
    pub(super) features: Features,
    pub(super) width: u32,
    /// Allocas and constants.
    pub(super) entry: String,
    pub(super) out: String,
    next: u32,
    /// Whether the current block has its terminator.
    pub(super) ended: bool,
    constants: HashMap<(u32, Ty), String>,
    /// Names of rows in the frame.
    rows: HashSet<&'static str>,
}

/// A float from its bits, as LLVM writes it.
fn float_literal(bits: u32) -> String {
    format!("0x{:016X}", f64::from(f32::from_bits(bits)).to_bits())
}

pub(super) fn literal(bits: u32, ty: Ty) -> String {
    match ty {
        Ty::Float => float_literal(bits),
        Ty::Int => (bits as i32).to_string(),
        Ty::Bool => (bits != 0).to_string(),
    }
}

/// A list of lanes' constants or numbers, such as `i32 0, i32 1`.
pub(super) fn listed<T: std::fmt::Display>(ty: &str, items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| format!("{ty} {item}")).collect();
    items.join(", ")
}

impl Builder {
    pub(super) fn new(features: Features, width: u32) -> Builder {
        Builder {
            features,
            width,
            entry: String::new(),
            out: String::new(),
            next: 0,
            ended: false,
            constants: HashMap::new(),
            rows: HashSet::new(),
        }
    }

    pub(super) fn fresh(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// An instruction with a result.
    pub(super) fn ins(&mut self, text: &str) -> String {
        let name = self.fresh("%t");
        let _ = writeln!(self.out, "  {name} = {text}");
        name
    }

    /// An instruction without one.
    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "  {text}");
    }

    /// A slot in the frame, with the alignment of the widest vector, which is one of addresses.
    pub(super) fn alloca(&mut self, name: &str, ty: &str) {
        let align = (self.width * 8).max(64);
        let _ = writeln!(self.entry, "  {name} = alloca {ty}, align {align}");
    }

    /// The row of words of the frame that has a name.
    pub(super) fn row(&mut self, name: &'static str) -> String {
        let slot = format!("%row.{name}");
        if self.rows.insert(name) {
            let ty = self.ty(Ty::Int, true);
            self.alloca(&slot, &ty);
        }
        slot
    }

    /// The alignment of rows of words in memory of our own.
    pub(super) fn row_align(&self) -> u32 {
        (self.width * 4).min(64)
    }

    /// An integer of another size.
    pub(super) fn resized(&mut self, value: &str, from: u32, to: u32) -> String {
        match from.cmp(&to) {
            std::cmp::Ordering::Less => self.ins(&format!("zext i{from} {value} to i{to}")),
            std::cmp::Ordering::Equal => value.to_owned(),
            std::cmp::Ordering::Greater => self.ins(&format!("trunc i{from} {value} to i{to}")),
        }
    }

    /// The bits of a mask as an integer: one for each lane, or 32.
    pub(super) fn mask_size(&self) -> u32 {
        self.width.max(32)
    }

    pub(super) fn ty(&self, ty: Ty, vector: bool) -> String {
        let scalar = match ty {
            Ty::Float => "float",
            Ty::Int => "i32",
            Ty::Bool => "i1",
        };
        self.of(scalar, vector)
    }

    /// A type, or the vector of it.
    pub(super) fn of(&self, scalar: &str, vector: bool) -> String {
        if vector { format!("<{} x {scalar}>", self.width) } else { scalar.to_owned() }
    }

    /// The type of words in memory.
    pub(super) fn word(&self, half: bool, vector: bool) -> String {
        self.of(if half { "i16" } else { "i32" }, vector)
    }

    /// The suffix of an intrinsic's name.
    pub(super) fn suffix(&self, ty: Ty, vector: bool) -> String {
        let scalar = match ty {
            Ty::Float => "f32",
            Ty::Int => "i32",
            Ty::Bool => "i1",
        };
        if vector { format!("v{}{scalar}", self.width) } else { scalar.to_owned() }
    }

    /// A vector with one value in all lanes, made in the entry block.
    pub(super) fn constant(&mut self, bits: u32, ty: Ty) -> String {
        if bits == 0 {
            return "zeroinitializer".to_owned();
        }
        if let Some(name) = self.constants.get(&(bits, ty)) {
            return name.clone();
        }
        let name = self.fresh("%c");
        let (scalar, vector) = (self.ty(ty, false), self.ty(ty, true));
        let literal = literal(bits, ty);
        let _ = writeln!(
            self.entry,
            "  {name}.s = insertelement {vector} undef, {scalar} {literal}, i32 0\n  \
             {name} = shufflevector {vector} {name}.s, {vector} undef, <{} x i32> zeroinitializer",
            self.width
        );
        self.constants.insert((bits, ty), name.clone());
        name
    }

    /// An intrinsic whose arguments and result have one type.
    pub(super) fn intrinsic(&mut self, name: &str, ty: Ty, args: &[&str], vector: bool) -> String {
        let text = self.ty(ty, vector);
        let suffix = self.suffix(ty, vector);
        let args = listed(&text, args.iter());
        self.ins(&format!("call {text} @llvm.{name}.{suffix}({args})"))
    }

    /// An address some bytes further.
    pub(super) fn at(&mut self, address: &str, offset: u64) -> String {
        if offset == 0 {
            return address.to_owned();
        }
        self.ins(&format!("getelementptr i8, ptr {address}, i64 {offset}"))
    }
}
