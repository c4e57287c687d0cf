//! The instructions of the lowering, as LLVM IR. There is no fast-math flag.

use super::builder::{Builder, listed, literal};
use crate::cpu::emit::half;
use crate::cpu::emit::instructions::{Area, Compare, Instructions, Kind, Scalar, Size};
use crate::cpu::interpreter::bytecode::AtomicFunction;
use crate::cpu::interpreter::functions::{Binary, Unary};
use crate::cpu::spmd::types::Ty;

/// A variable of the function: a slot of the frame, which LLVM makes a register.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    name: String,
    ty: String,
}

/// The name of an integer operation of LLVM for one of ours, where there is one.
fn reduction(f: Binary) -> &'static str {
    match f {
        Binary::AddI => "add",
        Binary::MulI => "mul",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::Xor => "xor",
        Binary::MinI => "smin",
        Binary::MaxI => "smax",
        Binary::MinU => "umin",
        _ => "umax",
    }
}

fn shift(f: Binary) -> &'static str {
    match f {
        Binary::Shl => "shl",
        Binary::ShrU => "lshr",
        _ => "ashr",
    }
}

fn alignment(half: bool) -> u32 {
    if half { 2 } else { 4 }
}

impl Instructions for Builder {
    type Value = String;
    type Lanes = String;
    type Slot = Slot;
    type Block = String;

    const PLACE: &'static str = "cpu::llvm";
    const CLONES: usize = 3000;
    const UNDEFINED_LANES: bool = true;
    const SPLIT_INDICES: bool = false;

    fn width(&self) -> u32 {
        self.width
    }

    // Blocks.

    fn block(&mut self) -> String {
        self.fresh("L")
    }

    fn begin(&mut self, block: &String) {
        self.out.push_str(block);
        self.out.push_str(":\n");
        self.ended = false;
    }

    fn begin_loop(&mut self, head: &String) {
        self.begin(head);
    }

    fn close_loop(&mut self, _: &String) {}

    fn ended(&self) -> bool {
        self.ended
    }

    fn branch(&mut self, block: &String) {
        if !self.ended {
            self.line(&format!("br label %{block}"));
            self.ended = true;
        }
    }

    fn branch_if(&mut self, condition: &String, yes: &String, no: &String) {
        self.line(&format!("br i1 {condition}, label %{yes}, label %{no}"));
        self.ended = true;
    }

    fn return_status(&mut self, status: u32) {
        self.line(&format!("ret i32 {status}"));
        self.ended = true;
    }

    // Variables of the function.

    fn slot(&mut self, kind: Kind) -> Slot {
        let ty = match kind {
            Kind::Lanes(ty) => self.ty(ty, true),
            Kind::Scalar(ty) => self.ty(ty, false),
            Kind::Long => "i64".to_owned(),
            Kind::Bits => format!("i{}", self.mask_size()),
        };
        let name = self.fresh("%v");
        self.alloca(&name, &ty);
        Slot { name, ty }
    }

    fn read(&mut self, slot: &Slot) -> String {
        self.ins(&format!("load {}, ptr {}", slot.ty, slot.name))
    }

    fn write(&mut self, slot: &Slot, lanes: &String) {
        self.line(&format!("store {} {lanes}, ptr {}", slot.ty, slot.name));
    }

    // Scalars.

    fn single(value: &String) -> String {
        value.clone()
    }

    fn only(lanes: &String) -> String {
        lanes.clone()
    }

    fn int(&mut self, value: u32) -> String {
        (value as i32).to_string()
    }

    fn long(&mut self, value: i64) -> String {
        value.to_string()
    }

    fn scalar(&mut self, op: Scalar, size: Size, a: &String, b: &String) -> String {
        let ty = if size == Size::Word { "i32" } else { "i64" };
        let name = match op {
            Scalar::Add => "add",
            Scalar::Sub => "sub",
            Scalar::Mul => "mul",
            Scalar::Sum => "add nuw nsw",
            Scalar::Product => "mul nuw nsw",
            Scalar::DivU => "udiv",
            Scalar::RemU => "urem",
            Scalar::DivI => "sdiv",
            Scalar::ShrI => "ashr",
            Scalar::Equal => "icmp eq",
            Scalar::LtU => "icmp ult",
            Scalar::LtI => "icmp slt",
            Scalar::LeU => "icmp ule",
            Scalar::Both => return self.ins(&format!("and i1 {a}, {b}")),
            Scalar::MinU | Scalar::MinI | Scalar::MaxI => {
                let name = match op {
                    Scalar::MinU => "umin",
                    Scalar::MinI => "smin",
                    _ => "smax",
                };
                return self.ins(&format!("call {ty} @llvm.{name}.{ty}({ty} {a}, {ty} {b})"));
            }
        };
        self.ins(&format!("{name} {ty} {a}, {b}"))
    }

    fn extend(&mut self, word: &String, signed: bool) -> String {
        let op = if signed { "sext" } else { "zext" };
        self.ins(&format!("{op} i32 {word} to i64"))
    }

    fn narrow(&mut self, long: &String) -> String {
        self.ins(&format!("trunc i64 {long} to i32"))
    }

    fn bit(&mut self, truth: &String) -> String {
        self.ins(&format!("zext i1 {truth} to i32"))
    }

    fn choose(&mut self, condition: &String, size: Size, yes: &String, no: &String) -> String {
        let ty = match size {
            Size::Word => "i32",
            Size::Long => "i64",
            Size::Address => "ptr",
        };
        self.ins(&format!("select i1 {condition}, {ty} {yes}, {ty} {no}"))
    }

    // Lanes.

    fn number(&mut self, bits: u32, ty: Ty, vector: bool) -> String {
        if vector { self.constant(bits, ty) } else { literal(bits, ty) }
    }

    fn iota(&mut self, step: i32) -> String {
        let lanes = (0..self.width as i32).map(|lane| lane.wrapping_mul(step));
        format!("<{}>", listed("i32", lanes))
    }

    fn splat(&mut self, scalar: &String, ty: Ty) -> String {
        let (one, all) = (self.ty(ty, false), self.ty(ty, true));
        let first = self.ins(&format!("insertelement {all} undef, {one} {scalar}, i32 0"));
        self.ins(&format!(
            "shufflevector {all} {first}, {all} undef, <{} x i32> zeroinitializer",
            self.width
        ))
    }

    fn first(&mut self, lanes: &String, ty: Ty) -> (String, Ty) {
        (self.lane(lanes, 0, ty), ty)
    }

    fn lane(&mut self, lanes: &String, lane: u32, ty: Ty) -> String {
        let all = self.ty(ty, true);
        self.ins(&format!("extractelement {all} {lanes}, i32 {lane}"))
    }

    fn with_lane(&mut self, lanes: &String, lane: u32, value: &String, ty: Ty) -> String {
        let (one, all) = (self.ty(ty, false), self.ty(ty, true));
        self.ins(&format!("insertelement {all} {lanes}, {one} {value}, i32 {lane}"))
    }

    fn lane_at(&mut self, lanes: &String, lane: &String, half: bool) -> String {
        let all = self.word(half, true);
        self.ins(&format!("extractelement {all} {lanes}, i32 {lane}"))
    }

    fn lanes_below(&mut self, lanes: u32) -> String {
        format!("<{}>", listed("i1", (0..self.width).map(|lane| lane < lanes)))
    }

    fn convert(&mut self, lanes: &String, from: Ty, to: Ty, vector: bool) -> String {
        let (a, b) = (self.ty(from, vector), self.ty(to, vector));
        let int = self.ty(Ty::Int, vector);
        let zero = if vector { "zeroinitializer" } else { "0" };
        match (from, to) {
            _ if from == to => lanes.clone(),
            (Ty::Int, Ty::Float) | (Ty::Float, Ty::Int) => {
                self.ins(&format!("bitcast {a} {lanes} to {b}"))
            }
            (Ty::Bool, Ty::Int) => self.ins(&format!("sext {a} {lanes} to {b}")),
            (Ty::Bool, _) => {
                let word = self.ins(&format!("sext {a} {lanes} to {int}"));
                self.ins(&format!("bitcast {int} {word} to {b}"))
            }
            (Ty::Int, _) => self.ins(&format!("icmp ne {int} {lanes}, {zero}")),
            (Ty::Float, _) => {
                let word = self.ins(&format!("bitcast {a} {lanes} to {int}"));
                self.ins(&format!("icmp ne {int} {word}, {zero}"))
            }
        }
    }

    fn unary(&mut self, f: Unary, x: &String, v: bool) -> Option<String> {
        use Unary as U;
        let (int, float) = (self.ty(Ty::Int, v), self.ty(Ty::Float, v));
        let name = match f {
            U::NegI => {
                let zero = self.number(0, Ty::Int, v);
                return Some(self.ins(&format!("sub {int} {zero}, {x}")));
            }
            U::NegF => return Some(self.ins(&format!("fneg {float} {x}"))),
            U::IToF => return Some(self.ins(&format!("sitofp {int} {x} to {float}"))),
            U::UToF => return Some(self.ins(&format!("uitofp {int} {x} to {float}"))),
            U::TrailingZeros | U::LeadingZeros => {
                let name = if f == U::TrailingZeros { "cttz" } else { "ctlz" };
                let suffix = self.suffix(Ty::Int, v);
                let text = format!("call {int} @llvm.{name}.{suffix}({int} {x}, i1 false)");
                return Some(self.ins(&text));
            }
            U::CountOnes => return Some(self.intrinsic("ctpop", Ty::Int, &[x], v)),
            U::ReverseBits => return Some(self.intrinsic("bitreverse", Ty::Int, &[x], v)),
            U::InverseSqrtGuess => return Some(inverse_sqrt_guess(self, x, v)),
            U::AbsF => "fabs",
            U::Ceil => "ceil",
            U::Floor => "floor",
            U::Trunc => "trunc",
            U::Round => "roundeven",
            U::Sqrt => "sqrt",
            _ => return None,
        };
        Some(self.intrinsic(name, Ty::Float, &[x], v))
    }

    fn not(&mut self, x: &String, ty: Ty, v: bool) -> String {
        let (text, ones) = (self.ty(ty, v), self.number(u32::MAX, ty, v));
        self.ins(&format!("xor {text} {x}, {ones}"))
    }

    fn binary(&mut self, f: Binary, x: &String, y: &String, ty: Ty, v: bool) -> String {
        use Binary as B;
        let name = match f {
            B::AddF => "fadd",
            B::SubF => "fsub",
            B::MulF => "fmul",
            B::DivF => "fdiv",
            B::SubI => "sub",
            B::DivI => "sdiv",
            B::RemI => "srem",
            B::DivU => "udiv",
            B::RemU => "urem",
            B::AndNot => {
                let y = self.not(y, ty, v);
                return self.binary(B::And, x, &y, ty, v);
            }
            B::MinI | B::MaxI | B::MinU | B::MaxU => {
                return self.intrinsic(reduction(f), ty, &[x, y], v);
            }
            _ => reduction(f),
        };
        let text = self.ty(ty, v);
        self.ins(&format!("{name} {text} {x}, {y}"))
    }

    fn divide_by(&mut self, f: Binary, x: &String, by: u32, v: bool) -> String {
        let by = self.number(by, Ty::Int, v);
        self.binary(f, x, &by, Ty::Int, v)
    }

    fn shift_by(&mut self, f: Binary, x: &String, by: u32, v: bool) -> String {
        let (int, by) = (self.ty(Ty::Int, v), self.number(by, Ty::Int, v));
        self.ins(&format!("{} {int} {x}, {by}", shift(f)))
    }

    fn shift_all(&mut self, f: Binary, x: &String, by: &String, v: bool) -> String {
        let mut by = self.ins(&format!("and i32 {by}, 31"));
        if v {
            by = self.splat(&by, Ty::Int);
        }
        let int = self.ty(Ty::Int, v);
        self.ins(&format!("{} {int} {x}, {by}", shift(f)))
    }

    fn shift_each(&mut self, f: Binary, x: &String, by: &String) -> String {
        let (int, low) = (self.ty(Ty::Int, true), self.constant(31, Ty::Int));
        let by = self.ins(&format!("and {int} {by}, {low}"));
        self.ins(&format!("{} {int} {x}, {by}", shift(f)))
    }

    fn compare(&mut self, how: Compare, x: &String, y: &String, v: bool) -> String {
        let (int, float) = (self.ty(Ty::Int, v), self.ty(Ty::Float, v));
        let (op, ty) = match how {
            Compare::Eq => ("icmp eq", int),
            Compare::Ne => ("icmp ne", int),
            Compare::LtI => ("icmp slt", int),
            Compare::LeI => ("icmp sle", int),
            Compare::LtU => ("icmp ult", int),
            Compare::LeU => ("icmp ule", int),
            Compare::EqF => ("fcmp oeq", float),
            Compare::NeF => ("fcmp une", float),
            Compare::LtF => ("fcmp olt", float),
            Compare::LeF => ("fcmp ole", float),
            Compare::Unordered => ("fcmp uno", float),
        };
        self.ins(&format!("{op} {ty} {x}, {y}"))
    }

    fn select(&mut self, c: &String, yes: &String, no: &String, ty: Ty, v: bool) -> String {
        let (lanes, text) = (self.ty(Ty::Bool, v), self.ty(ty, v));
        self.ins(&format!("select {lanes} {c}, {text} {yes}, {text} {no}"))
    }

    fn select_all(&mut self, c: &String, yes: &String, no: &String, ty: Ty) -> String {
        let c = self.splat(c, Ty::Bool);
        self.select(&c, yes, no, ty, true)
    }

    fn fma(&mut self, [x, y]: [&String; 2], z: &String, v: bool) -> Option<String> {
        self.features.fma.then(|| self.intrinsic("fma", Ty::Float, &[x, y, z], v))
    }

    fn truncated(&mut self, f: Unary, x: &String, v: bool) -> String {
        let (low, high, op) = match f {
            Unary::FToI => (-2_147_483_648.0f32, 2_147_483_520.0f32, "fptosi"),
            Unary::FToU => (0.0, 4_294_967_040.0, "fptoui"),
            Unary::HToI => (-65504.0, 65504.0, "fptosi"),
            _ => (0.0, 65504.0, "fptoui"),
        };
        let (int, float) = (self.ty(Ty::Int, v), self.ty(Ty::Float, v));
        let low = self.number(low.to_bits(), Ty::Float, v);
        let high = self.number(high.to_bits(), Ty::Float, v);
        let small = self.compare(Compare::LtF, x, &high, v);
        let clamped = self.select(&small, x, &high, Ty::Float, v);
        let large = self.compare(Compare::LtF, &low, &clamped, v);
        let clamped = self.select(&large, &clamped, &low, Ty::Float, v);
        let number = self.ins(&format!("{op} {float} {clamped} to {int}"));
        let nan = self.compare(Compare::Unordered, x, x, v);
        let zero = self.number(0, Ty::Int, v);
        self.select(&nan, &zero, &number, Ty::Int, v)
    }

    fn frozen(&mut self, x: &String, v: bool) -> String {
        let int = self.ty(Ty::Int, v);
        self.ins(&format!("freeze {int} {x}"))
    }

    fn call(&mut self, number: usize, args: &[String], v: bool) -> String {
        let int = self.ty(Ty::Int, v);
        let [a, b, c, out] = ["arg.a", "arg.b", "arg.c", "arg.out"].map(|name| self.row(name));
        for (arg, row) in args.iter().zip([&a, &b, &c]) {
            self.line(&format!("store {int} {arg}, ptr {row}, align 64"));
        }
        let lanes = if v { self.width } else { 1 };
        self.line(&format!(
            "call void @coexec_apply(ptr %functions, i32 {number}, ptr {a}, ptr {b}, ptr {c}, \
             ptr {out}, i32 {lanes})"
        ));
        self.ins(&format!("load {int}, ptr {out}, align 64"))
    }

    // f16: the narrow form is an i16. The function that LLVM would call without an instruction does not exist here.

    fn widened(&mut self, narrow: &String, v: bool) -> String {
        if !self.features.f16c {
            let words = self.half_bits(narrow, v);
            return half::widened(self, &words, v);
        }
        let (short, half) = (self.of("i16", v), self.of("half", v));
        let float = self.ty(Ty::Float, v);
        let bits = self.ins(&format!("bitcast {short} {narrow} to {half}"));
        self.ins(&format!("fpext {half} {bits} to {float}"))
    }

    fn narrowed(&mut self, x: &String, v: bool) -> String {
        if !self.features.f16c {
            let words = half::narrowed(self, x, v);
            return self.half_from_bits(&words, v);
        }
        let (short, half) = (self.of("i16", v), self.of("half", v));
        let float = self.ty(Ty::Float, v);
        let narrow = self.ins(&format!("fptrunc {float} {x} to {half}"));
        self.ins(&format!("bitcast {half} {narrow} to {short}"))
    }

    fn half_bits(&mut self, narrow: &String, v: bool) -> String {
        let (short, int) = (self.of("i16", v), self.ty(Ty::Int, v));
        self.ins(&format!("zext {short} {narrow} to {int}"))
    }

    fn half_from_bits(&mut self, words: &String, v: bool) -> String {
        let (short, int) = (self.of("i16", v), self.ty(Ty::Int, v));
        self.ins(&format!("trunc {int} {words} to {short}"))
    }

    // Masks.

    fn any(&mut self, mask: &String) -> String {
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        let bits = self.ins(&format!("bitcast {lanes} {mask} to i{width}"));
        self.ins(&format!("icmp ne i{width} {bits}, 0"))
    }

    fn all(&mut self, mask: &String) -> String {
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        let bits = self.ins(&format!("bitcast {lanes} {mask} to i{width}"));
        self.ins(&format!("icmp eq i{width} {bits}, -1"))
    }

    fn bits(&mut self, mask: &String) -> String {
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        let bits = self.ins(&format!("bitcast {lanes} {mask} to i{width}"));
        self.resized(&bits, width, self.mask_size())
    }

    fn votes(&mut self, bits: &String, word: u32) -> String {
        let size = self.mask_size();
        if word == 0 {
            return self.resized(bits, size, 32);
        }
        let high = self.ins(&format!("lshr i{size} {bits}, {}", 32 * word));
        self.resized(&high, size, 32)
    }

    fn count(&mut self, bits: &String) -> String {
        let size = self.mask_size();
        let count = self.ins(&format!("call i{size} @llvm.ctpop.i{size}(i{size} {bits})"));
        self.resized(&count, size, 32)
    }

    fn first_set(&mut self, bits: &String) -> String {
        let size = self.mask_size();
        let zeros = self.ins(&format!("call i{size} @llvm.cttz.i{size}(i{size} {bits}, i1 false)"));
        self.resized(&zeros, size, 32)
    }

    fn last_set(&mut self, bits: &String) -> String {
        let size = self.mask_size();
        let zeros = self.ins(&format!("call i{size} @llvm.ctlz.i{size}(i{size} {bits}, i1 false)"));
        let zeros = self.resized(&zeros, size, 32);
        let last = self.ins(&format!("sub i32 {}, {zeros}", size - 1));
        self.ins(&format!("and i32 {last}, {}", self.width - 1))
    }

    fn some(&mut self, bits: &String) -> String {
        self.ins(&format!("icmp ne i{} {bits}, 0", self.mask_size()))
    }

    fn next(&mut self, bits: &String) -> (String, String) {
        let size = self.mask_size();
        let lane = self.ins(&format!("call i{size} @llvm.cttz.i{size}(i{size} {bits}, i1 true)"));
        let lane = self.resized(&lane, size, 32);
        let less = self.ins(&format!("sub i{size} {bits}, 1"));
        (lane, self.ins(&format!("and i{size} {bits}, {less}")))
    }

    fn lane_number(&mut self, lane: u32) -> String {
        lane.to_string()
    }

    fn reduce(&mut self, f: Binary, lanes: &String) -> String {
        let (int, suffix) = (self.ty(Ty::Int, true), self.suffix(Ty::Int, true));
        self.ins(&format!("call i32 @llvm.vector.reduce.{}.{suffix}({int} {lanes})", reduction(f)))
    }

    fn reduce_in_order(&mut self, f: Binary, start: &String, lanes: &String) -> Option<String> {
        let (float, suffix) = (self.ty(Ty::Float, true), self.suffix(Ty::Float, true));
        let name = if f == Binary::AddF { "fadd" } else { "fmul" };
        Some(self.ins(&format!(
            "call float @llvm.vector.reduce.{name}.{suffix}(float {start}, {float} {lanes})"
        )))
    }

    // Memory.

    fn address(&mut self, base: &String, bytes: &String) -> String {
        if bytes == "0" {
            return base.clone();
        }
        self.ins(&format!("getelementptr i8, ptr {base}, i64 {bytes}"))
    }

    fn element(&mut self, base: &String, terms: &[(String, u64)], beyond: u64) -> String {
        let mut sum: Option<String> = None;
        for (index, bytes) in terms {
            // A strided index may start below zero if its first lanes are masked off.
            let index = self.extend(index, true);
            let term = self.ins(&format!("mul nsw i64 {index}, {bytes}"));
            sum = Some(match sum {
                None => term,
                Some(other) => self.ins(&format!("add nsw i64 {other}, {term}")),
            });
        }
        let start = match sum {
            None => base.clone(),
            Some(sum) => self.address(base, &sum),
        };
        self.at(&start, beyond)
    }

    fn load_word(&mut self, half: bool, _: Area, at: &String, offset: u64) -> String {
        let (at, ty) = (self.at(at, offset), self.word(half, false));
        self.ins(&format!("load {ty}, ptr {at}, align {}", alignment(half)))
    }

    fn load_float(&mut self, _: Area, at: &String, offset: u64) -> String {
        let at = self.at(at, offset);
        self.ins(&format!("load float, ptr {at}, align 4"))
    }

    fn store_word(&mut self, half: bool, _: Area, value: &String, at: &String, offset: u64) {
        let (at, ty) = (self.at(at, offset), self.word(half, false));
        self.line(&format!("store {ty} {value}, ptr {at}, align {}", alignment(half)));
    }

    fn load_row(&mut self, half: bool, area: Area, at: &String, offset: u64) -> String {
        let (at, ty) = (self.at(at, offset), self.word(half, true));
        let align = row_alignment(self, half, area);
        self.ins(&format!("load {ty}, ptr {at}, align {align}"))
    }

    fn store_row(&mut self, half: bool, area: Area, lanes: &String, at: &String, offset: u64) {
        let (at, ty) = (self.at(at, offset), self.word(half, true));
        let align = row_alignment(self, half, area);
        self.line(&format!("store {ty} {lanes}, ptr {at}, align {align}"));
    }

    fn gather(
        &mut self,
        _: Area,
        at: &String,
        offset: u64,
        words: &String,
        wanted: Option<&String>,
    ) -> String {
        gather(self, false, at, offset, words, wanted)
    }

    fn scatter(
        &mut self,
        _: Area,
        at: &String,
        offset: u64,
        words: &String,
        values: &String,
        wanted: Option<&String>,
    ) {
        scatter(self, false, at, offset, words, values, wanted);
    }

    fn zero(&mut self, area: Area, at: &String, bytes: u64) {
        let align = if area == Area::Workgroup { 64 } else { self.row_align() };
        self.line(&format!(
            "call void @llvm.memset.p0.i64(ptr align {align} {at}, i8 0, i64 {bytes}, i1 false)"
        ));
    }

    fn frame_array(&mut self, bytes: u64) -> Option<String> {
        let name = self.fresh("%a");
        self.alloca(&name, &format!("[{bytes} x i8]"));
        Some(name)
    }

    fn spill(&mut self, name: &'static str, lanes: &String) -> String {
        let (row, int) = (self.row(name), self.ty(Ty::Int, true));
        self.line(&format!("store {int} {lanes}, ptr {row}"));
        row
    }

    fn spilled(&mut self, row: &String, lane: &String) -> String {
        let at = self.ins(&format!("getelementptr i32, ptr {row}, i32 {lane}"));
        self.ins(&format!("load i32, ptr {at}"))
    }

    fn set_spilled(&mut self, row: &String, lane: &String, value: &String) {
        let at = self.ins(&format!("getelementptr i32, ptr {row}, i32 {lane}"));
        self.line(&format!("store i32 {value}, ptr {at}"));
    }

    fn word_address(&mut self, base: &String, words: &String, unit: u64) -> String {
        let words = self.extend(words, false);
        self.ins(&format!("getelementptr i{}, ptr {base}, i64 {words}", 8 * unit))
    }

    fn atomic(
        &mut self,
        f: AtomicFunction,
        _: Area,
        at: &String,
        value: &String,
        compare: &String,
    ) -> String {
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

    fn fence(&mut self) {
        self.line("fence seq_cst");
    }

    fn observe(&mut self) {
        self.line("call void asm sideeffect \"\", \"~{memory}\"()");
    }

    fn prefetch(&mut self, at: &String) {
        self.line(&format!("call void @llvm.prefetch.p0(ptr {at}, i32 0, i32 2, i32 1)"));
    }
}

/// The alignment of a row: that of its words in buffers.
fn row_alignment(b: &Builder, half: bool, area: Area) -> u32 {
    match area {
        Area::Private | Area::Frame if !half => b.row_align(),
        _ => alignment(half),
    }
}

/// The addresses of all lanes, so many words or half words from one.
fn addresses(b: &mut Builder, half: bool, at: &str, offset: u64, words: &str) -> String {
    let (at, int) = (b.at(at, offset), b.ty(Ty::Int, true));
    let element = b.word(half, false);
    b.ins(&format!("getelementptr {element}, ptr {at}, {int} {words}"))
}

/// Loads the words or half words of the wanted lanes; others get zero.
///
/// Lanes that are not wanted point to the start: x86 has no gather whose index and result are one register, and
/// LLVM, which avoids that, fails to if an index is undefined in all lanes of a register.
pub(super) fn gather(
    b: &mut Builder,
    half: bool,
    at: &str,
    offset: u64,
    words: &str,
    wanted: Option<&String>,
) -> String {
    let every = b.constant(u32::MAX, Ty::Bool);
    let mut words = words.to_owned();
    if let Some(wanted) = wanted {
        let zero = b.constant(0, Ty::Int);
        words = b.select(wanted, &words, &zero, Ty::Int, true);
    }
    let mask = wanted.unwrap_or(&every);
    let addresses = addresses(b, half, at, offset, &words);
    let (ty, lanes, width) = (b.word(half, true), b.ty(Ty::Bool, true), b.width);
    let word = b.word(half, false);
    b.ins(&format!(
        "call {ty} @llvm.masked.gather.v{width}{word}.v{width}p0(<{width} x ptr> {addresses}, i32 \
         {}, {lanes} {mask}, {ty} zeroinitializer)",
        alignment(half)
    ))
}

/// Stores the words or half words of the wanted lanes.
pub(super) fn scatter(
    b: &mut Builder,
    half: bool,
    at: &str,
    offset: u64,
    words: &str,
    values: &str,
    wanted: Option<&String>,
) {
    let every = b.constant(u32::MAX, Ty::Bool);
    let mask = wanted.unwrap_or(&every);
    let addresses = addresses(b, half, at, offset, words);
    let (ty, lanes, width) = (b.word(half, true), b.ty(Ty::Bool, true), b.width);
    let word = b.word(half, false);
    b.line(&format!(
        "call void @llvm.masked.scatter.v{width}{word}.v{width}p0({ty} {values}, <{width} x ptr> \
         {addresses}, i32 {}, {lanes} {mask})",
        alignment(half)
    ));
}

/// The processor's estimate of `1 / sqrt`. The instruction has 4, 8 or 16 lanes: a wider gang is split, a scalar is
/// widened. Only processors that have the instruction get here.
fn inverse_sqrt_guess(b: &mut Builder, x: &str, v: bool) -> String {
    let width = if v { b.width } else { 1 };
    let each = width.clamp(4, 16);
    let from = b.ty(Ty::Float, v);
    let mut parts: Vec<(String, u32)> = (0..width.div_ceil(each))
        .map(|part| {
            let x = if width == 1 {
                b.ins(&format!("insertelement <4 x float> zeroinitializer, float {x}, i32 0"))
            } else if width == each {
                x.to_owned()
            } else {
                let lanes = listed("i32", part * each..(part + 1) * each);
                b.ins(&format!("shufflevector {from} {x}, {from} {x}, <{each} x i32> <{lanes}>"))
            };
            let (bits, flags) = (32 * each, each.max(8));
            let y = b.ins(&format!(
                "call <{each} x float> @llvm.x86.avx512.rsqrt14.ps.{bits}(<{each} x float> {x}, \
                 <{each} x float> zeroinitializer, i{flags} -1)"
            ));
            (y, each)
        })
        .collect();
    while let [(a, lanes), (c, _), ..] = &parts[..] {
        let (all, lanes) = (listed("i32", 0..2 * lanes), *lanes);
        let both = b.ins(&format!(
            "shufflevector <{lanes} x float> {a}, <{lanes} x float> {c}, <{} x i32> <{all}>",
            2 * lanes
        ));
        // The halves of a gang of 64 are joined in order.
        parts.drain(..2);
        parts.push((both, 2 * lanes));
    }
    let y = parts.swap_remove(0).0;
    if width == 1 { b.ins(&format!("extractelement <4 x float> {y}, i32 0")) } else { y }
}
