//! The instructions of the lowering, as Cranelift IR.
//!
//! A function without a vector instruction uses the scalar one lane by lane.

use std::rc::Rc;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{AtomicRmwOp, Block, InstBuilder, Value, types};
#[cfg(target_arch = "x86_64")]
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, Variable};

use super::builder::{Builder, Lanes, QUAD};
use crate::cpu::compiled;
use crate::cpu::emit::half;
use crate::cpu::emit::instructions::{Area, Compare, Instructions, Kind, Scalar, Size};
use crate::cpu::emit::lanes::for_each_lane;
use crate::cpu::interpreter::bytecode::AtomicFunction;
use crate::cpu::interpreter::functions::{Binary, Unary};
#[cfg(target_arch = "x86_64")]
use crate::cpu::math;
use crate::cpu::spmd::types::Ty;

impl Instructions for Builder<'_> {
    type Value = Value;
    type Lanes = Lanes;
    type Slot = Rc<[Variable]>;
    type Block = Block;

    const PLACE: &'static str = "cpu::cranelift";
    const CLONES: usize = 100;
    const UNDEFINED_LANES: bool = false;
    const SPLIT_INDICES: bool = true;

    fn width(&self) -> u32 {
        self.width
    }

    // Blocks.

    fn block(&mut self) -> Block {
        self.b.create_block()
    }

    fn begin(&mut self, block: &Block) {
        self.begin_loop(block);
        self.b.seal_block(*block);
    }

    fn begin_loop(&mut self, head: &Block) {
        self.b.switch_to_block(*head);
        self.ended = false;
    }

    fn close_loop(&mut self, head: &Block) {
        self.b.seal_block(*head);
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn branch(&mut self, block: &Block) {
        if !self.ended {
            self.b.ins().jump(*block, &[]);
            self.ended = true;
        }
    }

    fn branch_if(&mut self, condition: &Value, yes: &Block, no: &Block) {
        self.b.ins().brif(*condition, *yes, &[], *no, &[]);
        self.ended = true;
    }

    fn return_status(&mut self, status: u32) {
        let status = self.int(status);
        self.b.ins().return_(&[status]);
        self.ended = true;
    }

    // Variables of the function.

    fn slot(&mut self, kind: Kind) -> Rc<[Variable]> {
        let (ty, count) = match kind {
            Kind::Lanes(ty) => (self.ty(ty, true), self.quads()),
            Kind::Scalar(ty) => (self.ty(ty, false), 1),
            Kind::Long | Kind::Bits => (types::I64, 1),
        };
        (0..count).map(|_| self.b.declare_var(ty)).collect()
    }

    fn read(&mut self, slot: &Rc<[Variable]>) -> Lanes {
        slot.iter().map(|&variable| self.b.use_var(variable)).collect()
    }

    fn write(&mut self, slot: &Rc<[Variable]>, lanes: &Lanes) {
        for (&variable, &lane) in slot.iter().zip(lanes.iter()) {
            self.b.def_var(variable, lane);
        }
    }

    // Scalars.

    fn single(value: &Value) -> Lanes {
        Rc::new([*value])
    }

    fn only(lanes: &Lanes) -> Value {
        lanes[0]
    }

    fn int(&mut self, value: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(value))
    }

    fn long(&mut self, value: i64) -> Value {
        self.b.ins().iconst(types::I64, value)
    }

    fn scalar(&mut self, op: Scalar, _: Size, a: &Value, b: &Value) -> Value {
        let (a, b, ins) = (*a, *b, self.b.ins());
        match op {
            Scalar::Add | Scalar::Sum => ins.iadd(a, b),
            Scalar::Sub => ins.isub(a, b),
            Scalar::Mul | Scalar::Product => ins.imul(a, b),
            Scalar::DivU => ins.udiv(a, b),
            Scalar::RemU => ins.urem(a, b),
            Scalar::DivI => ins.sdiv(a, b),
            Scalar::ShrI => ins.sshr(a, b),
            Scalar::MinU => ins.umin(a, b),
            Scalar::MinI => ins.smin(a, b),
            Scalar::MaxI => ins.smax(a, b),
            Scalar::Equal => ins.icmp(IntCC::Equal, a, b),
            Scalar::LtU => ins.icmp(IntCC::UnsignedLessThan, a, b),
            Scalar::LtI => ins.icmp(IntCC::SignedLessThan, a, b),
            Scalar::LeU => ins.icmp(IntCC::UnsignedLessThanOrEqual, a, b),
            Scalar::Both => ins.band(a, b),
        }
    }

    fn extend(&mut self, word: &Value, signed: bool) -> Value {
        let ins = self.b.ins();
        if signed { ins.sextend(types::I64, *word) } else { ins.uextend(types::I64, *word) }
    }

    fn narrow(&mut self, long: &Value) -> Value {
        self.b.ins().ireduce(types::I32, *long)
    }

    fn bit(&mut self, truth: &Value) -> Value {
        self.b.ins().uextend(types::I32, *truth)
    }

    fn choose(&mut self, condition: &Value, _: Size, yes: &Value, no: &Value) -> Value {
        self.b.ins().select(*condition, *yes, *no)
    }

    // Lanes.

    fn number(&mut self, bits: u32, ty: Ty, vector: bool) -> Lanes {
        if vector {
            let bits = if ty == Ty::Bool && bits != 0 { u32::MAX } else { bits };
            let quad = self.words([bits; 4], ty);
            return vec![quad; self.quads()].into();
        }
        Rc::new([match ty {
            Ty::Float => self.b.ins().f32const(f32::from_bits(bits)),
            Ty::Int => self.int(bits),
            Ty::Bool => self.b.ins().iconst(types::I8, i64::from(bits != 0)),
        }])
    }

    fn iota(&mut self, step: i32) -> Lanes {
        (0..self.quads() as i32)
            .map(|quad| {
                let lane = |k: i32| step.wrapping_mul(4 * quad + k) as u32;
                self.words([lane(0), lane(1), lane(2), lane(3)], Ty::Int)
            })
            .collect()
    }

    fn splat(&mut self, scalar: &Value, ty: Ty) -> Lanes {
        let scalar = if ty == Ty::Bool { self.b.ins().bmask(types::I32, *scalar) } else { *scalar };
        let vector = self.ty(ty, true);
        let quad = self.b.ins().splat(vector, scalar);
        vec![quad; self.quads()].into()
    }

    fn first(&mut self, lanes: &Lanes, ty: Ty) -> (Value, Ty) {
        // A truth value from a vector is a word here.
        (self.lane(lanes, 0, ty), if ty == Ty::Bool { Ty::Int } else { ty })
    }

    fn lane(&mut self, lanes: &Lanes, lane: u32, _: Ty) -> Value {
        self.b.ins().extractlane(lanes[(lane / QUAD) as usize], (lane % QUAD) as u8)
    }

    fn with_lane(&mut self, lanes: &Lanes, lane: u32, value: &Value, _: Ty) -> Lanes {
        let (quad, k) = ((lane / QUAD) as usize, (lane % QUAD) as u8);
        let mut lanes = lanes.to_vec();
        lanes[quad] = self.b.ins().insertlane(lanes[quad], *value, k);
        lanes.into()
    }

    fn lane_at(&mut self, lanes: &Lanes, lane: &Value, _: bool) -> Value {
        let row = self.spill("lane", lanes);
        let lane = self.extend(lane, false);
        self.spilled(&row, &lane)
    }

    fn lanes_below(&mut self, lanes: u32) -> Lanes {
        let lane = |lane: u32| if lane < lanes { u32::MAX } else { 0 };
        (0..self.width)
            .step_by(QUAD as usize)
            .map(|k| self.words([lane(k), lane(k + 1), lane(k + 2), lane(k + 3)], Ty::Bool))
            .collect()
    }

    fn convert(&mut self, lanes: &Lanes, from: Ty, to: Ty, vector: bool) -> Lanes {
        match (from, to) {
            _ if from == to => lanes.clone(),
            (Ty::Bool, Ty::Int) if vector => lanes.clone(),
            (Ty::Bool, _) if !vector => {
                let word = self.map(lanes, |b, x| b.ins().bmask(types::I32, x));
                self.convert(&word, Ty::Int, to, vector)
            }
            (_, Ty::Bool) => {
                let words = self.convert(lanes, from, Ty::Int, vector);
                let zero = self.number(0, Ty::Int, vector);
                self.zip(&words, &zero, |b, x, y| b.ins().icmp(IntCC::NotEqual, x, y))
            }
            _ => {
                let to = self.ty(to, vector);
                lanes.iter().map(|&lane| self.cast(lane, to)).collect()
            }
        }
    }

    fn unary(&mut self, f: Unary, x: &Lanes, vector: bool) -> Option<Lanes> {
        use Unary as U;
        let float = self.ty(Ty::Float, vector);
        Some(match f {
            U::NegI => self.map(x, |b, x| b.ins().ineg(x)),
            U::NegF => self.map(x, |b, x| b.ins().fneg(x)),
            U::AbsF => self.map(x, |b, x| b.ins().fabs(x)),
            U::IToF => self.map(x, |b, x| b.ins().fcvt_from_sint(float, x)),
            U::UToF => self.map(x, |b, x| b.ins().fcvt_from_uint(float, x)),
            U::Ceil => self.map(x, |b, x| b.ins().ceil(x)),
            U::Floor => self.map(x, |b, x| b.ins().floor(x)),
            U::Trunc => self.map(x, |b, x| b.ins().trunc(x)),
            U::Round => self.map(x, |b, x| b.ins().nearest(x)),
            U::Sqrt => self.map(x, |b, x| b.ins().sqrt(x)),
            U::CountOnes if vector => count_ones(self, x),
            U::CountOnes => self.map(x, |b, x| b.ins().popcnt(x)),
            U::ReverseBits => self.each_lane(x, |b, x| b.ins().bitrev(x)),
            U::TrailingZeros => self.each_lane(x, |b, x| b.ins().ctz(x)),
            U::LeadingZeros => self.each_lane(x, |b, x| b.ins().clz(x)),
            #[cfg(target_arch = "x86_64")]
            U::InverseSqrtGuess => inverse_sqrt_guess(self, x, vector),
            _ => return None,
        })
    }

    fn not(&mut self, x: &Lanes, ty: Ty, vector: bool) -> Lanes {
        if ty == Ty::Bool && !vector {
            return self.map(x, |b, x| b.ins().bxor_imm_u(x, 1));
        }
        self.map(x, |b, x| b.ins().bnot(x))
    }

    fn binary(&mut self, f: Binary, x: &Lanes, y: &Lanes, ty: Ty, vector: bool) -> Lanes {
        use Binary as B;
        match f {
            B::DivI | B::RemI | B::DivU | B::RemU => {
                return self.each_pair(x, y, |b, x, y| divide(b, f, x, y));
            }
            B::MinI | B::MaxI | B::MinU | B::MaxU if !vector => {
                let (how, a, b) = match f {
                    B::MinI => (Compare::LtI, x, y),
                    B::MaxI => (Compare::LtI, y, x),
                    B::MinU => (Compare::LtU, x, y),
                    _ => (Compare::LtU, y, x),
                };
                let first = self.compare(how, a, b, vector);
                return self.select(&first, x, y, ty, vector);
            }
            _ => {}
        }
        self.zip(x, y, |b, x, y| {
            let ins = b.ins();
            match f {
                B::AddF => ins.fadd(x, y),
                B::SubF => ins.fsub(x, y),
                B::MulF => ins.fmul(x, y),
                B::DivF => ins.fdiv(x, y),
                B::AddI => ins.iadd(x, y),
                B::SubI => ins.isub(x, y),
                B::MulI => ins.imul(x, y),
                B::And => ins.band(x, y),
                B::Or => ins.bor(x, y),
                B::Xor => ins.bxor(x, y),
                B::AndNot => ins.band_not(x, y),
                B::MinI => ins.smin(x, y),
                B::MaxI => ins.smax(x, y),
                B::MinU => ins.umin(x, y),
                _ => ins.umax(x, y),
            }
        })
    }

    fn divide_by(&mut self, f: Binary, x: &Lanes, by: u32, vector: bool) -> Lanes {
        // A division by a power of two is a shift or a mask.
        match f {
            Binary::DivU if by.is_power_of_two() => {
                self.shift_by(Binary::ShrU, x, by.trailing_zeros(), vector)
            }
            Binary::RemU if by.is_power_of_two() => {
                let low = self.number(by - 1, Ty::Int, vector);
                self.binary(Binary::And, x, &low, Ty::Int, vector)
            }
            _ => self.each_lane(x, |b, x| {
                let by = b.ins().iconst(types::I32, i64::from(by));
                divide(b, f, x, by)
            }),
        }
    }

    fn shift_by(&mut self, f: Binary, x: &Lanes, by: u32, _: bool) -> Lanes {
        let by = i64::from(by);
        self.map(x, |b, x| match f {
            Binary::Shl => b.ins().ishl_imm_u(x, by),
            Binary::ShrU => b.ins().ushr_imm_u(x, by),
            _ => b.ins().sshr_imm_u(x, by),
        })
    }

    // The instruction takes the count modulo the word's bits. All lanes of a vector shift by one count.

    fn shift_all(&mut self, f: Binary, x: &Lanes, by: &Value, _: bool) -> Lanes {
        self.map(x, |b, x| shift(b, f, x, *by))
    }

    fn shift_each(&mut self, f: Binary, x: &Lanes, by: &Lanes) -> Lanes {
        self.each_pair(x, by, |b, x, y| shift(b, f, x, y))
    }

    fn compare(&mut self, how: Compare, x: &Lanes, y: &Lanes, _: bool) -> Lanes {
        let float = match how {
            Compare::EqF => Some(FloatCC::Equal),
            Compare::NeF => Some(FloatCC::NotEqual),
            Compare::LtF => Some(FloatCC::LessThan),
            Compare::LeF => Some(FloatCC::LessThanOrEqual),
            Compare::Unordered => Some(FloatCC::Unordered),
            _ => None,
        };
        if let Some(cc) = float {
            return self.zip(x, y, |b, x, y| b.ins().fcmp(cc, x, y));
        }
        let cc = match how {
            Compare::Eq => IntCC::Equal,
            Compare::LtI => IntCC::SignedLessThan,
            Compare::LeI => IntCC::SignedLessThanOrEqual,
            Compare::LtU => IntCC::UnsignedLessThan,
            Compare::LeU => IntCC::UnsignedLessThanOrEqual,
            _ => IntCC::NotEqual,
        };
        self.zip(x, y, |b, x, y| b.ins().icmp(cc, x, y))
    }

    fn select(&mut self, c: &Lanes, yes: &Lanes, no: &Lanes, _: Ty, vector: bool) -> Lanes {
        let values = c.iter().zip(yes.iter().zip(no.iter()));
        values
            .map(|(&c, (&yes, &no))| {
                if !vector {
                    return self.b.ins().select(c, yes, no);
                }
                let ty = self.b.func.dfg.value_type(yes);
                let c = self.cast(c, ty);
                self.b.ins().bitselect(c, yes, no)
            })
            .collect()
    }

    fn select_all(&mut self, c: &Value, yes: &Lanes, no: &Lanes, _: Ty) -> Lanes {
        self.zip(yes, no, |b, yes, no| b.ins().select(*c, yes, no))
    }

    fn fma(&mut self, [x, y]: [&Lanes; 2], z: &Lanes, _: bool) -> Option<Lanes> {
        let values = x.iter().zip(y.iter().zip(z.iter()));
        self.fma.then(|| values.map(|(&x, (&y, &z))| self.b.ins().fma(x, y, z)).collect())
    }

    // The conversion saturates, and gives zero for NaN.
    fn truncated(&mut self, f: Unary, x: &Lanes, v: bool) -> Lanes {
        let (low, high) = match f {
            Unary::FToI => (None, 2_147_483_520.0f32),
            Unary::FToU => (None, 4_294_967_040.0),
            Unary::HToI => (Some(-65504.0f32), 65504.0),
            _ => (None, 65504.0),
        };
        let high = self.number(high.to_bits(), Ty::Float, v);
        let above = self.compare(Compare::LtF, &high, x, v);
        let mut x = self.select(&above, &high, x, Ty::Float, v);
        if let Some(low) = low {
            let low = self.number(low.to_bits(), Ty::Float, v);
            let below = self.compare(Compare::LtF, &x, &low, v);
            x = self.select(&below, &low, &x, Ty::Float, v);
        }
        let to = self.ty(Ty::Int, v);
        let signed = matches!(f, Unary::FToI | Unary::HToI);
        self.map(&x, |b, x| {
            if signed { b.ins().fcvt_to_sint_sat(to, x) } else { b.ins().fcvt_to_uint_sat(to, x) }
        })
    }

    fn frozen(&mut self, x: &Lanes, _: bool) -> Lanes {
        x.clone()
    }

    fn call(&mut self, number: usize, args: &[Lanes], v: bool) -> Lanes {
        let [a, b, c, out] = ["arg.a", "arg.b", "arg.c", "arg.out"].map(|name| self.rows(name, 1));
        for (arg, row) in args.iter().zip([a, b, c]) {
            store_lanes(self, arg, row);
        }
        let table = self.function_table();
        let number = self.int(number as u32);
        let lanes = self.int(if v { self.width } else { 1 });
        let apply = compiled::apply as *const () as u64;
        self.call_rust("apply", apply, None, &[table, number, a, b, c, out, lanes]);
        load_lanes(self, Ty::Int, v, out)
    }

    // f16: the narrow form is the lower half of a word.

    fn widened(&mut self, narrow: &Lanes, vector: bool) -> Lanes {
        half::widened(self, narrow, vector)
    }

    fn narrowed(&mut self, x: &Lanes, vector: bool) -> Lanes {
        half::narrowed(self, x, vector)
    }

    fn half_bits(&mut self, narrow: &Lanes, _: bool) -> Lanes {
        narrow.clone()
    }

    fn half_from_bits(&mut self, words: &Lanes, vector: bool) -> Lanes {
        let low = self.number(0xffff, Ty::Int, vector);
        self.binary(Binary::And, words, &low, Ty::Int, vector)
    }

    // Masks.

    fn any(&mut self, mask: &Lanes) -> Value {
        let mut folded = mask[0];
        for &lane in &mask[1..] {
            folded = self.b.ins().bor(folded, lane);
        }
        self.b.ins().vany_true(folded)
    }

    fn all(&mut self, mask: &Lanes) -> Value {
        let mut folded = mask[0];
        for &lane in &mask[1..] {
            folded = self.b.ins().band(folded, lane);
        }
        self.b.ins().vall_true(folded)
    }

    fn bits(&mut self, mask: &Lanes) -> Value {
        let mut bits: Option<Value> = None;
        for (quad, &lanes) in mask.iter().enumerate() {
            let four = self.b.ins().vhigh_bits(types::I64, lanes);
            bits = Some(match bits {
                None => four,
                Some(bits) => {
                    let up = self.b.ins().ishl_imm_u(four, i64::from(QUAD) * quad as i64);
                    self.b.ins().bor(bits, up)
                }
            });
        }
        bits.unwrap_or_else(|| self.constant(0))
    }

    fn votes(&mut self, bits: &Value, word: u32) -> Value {
        let high = self.b.ins().ushr_imm_u(*bits, 32 * i64::from(word));
        self.narrow(&high)
    }

    fn count(&mut self, bits: &Value) -> Value {
        let count = self.b.ins().popcnt(*bits);
        self.narrow(&count)
    }

    fn first_set(&mut self, bits: &Value) -> Value {
        let zeros = self.b.ins().ctz(*bits);
        self.narrow(&zeros)
    }

    fn last_set(&mut self, bits: &Value) -> Value {
        let zeros = self.b.ins().clz(*bits);
        let top = self.constant(63);
        let last = self.b.ins().isub(top, zeros);
        let within = self.constant(u64::from(self.width - 1));
        let last = self.b.ins().band(last, within);
        self.narrow(&last)
    }

    fn some(&mut self, bits: &Value) -> Value {
        let none = self.constant(0);
        self.b.ins().icmp(IntCC::NotEqual, *bits, none)
    }

    fn next(&mut self, bits: &Value) -> (Value, Value) {
        let lane = self.b.ins().ctz(*bits);
        let less = self.b.ins().iadd_imm_s(*bits, -1);
        (lane, self.b.ins().band(*bits, less))
    }

    fn lane_number(&mut self, lane: u32) -> Value {
        self.constant(u64::from(lane))
    }

    fn reduce(&mut self, f: Binary, lanes: &Lanes) -> Value {
        let mut quad = Self::single(&lanes[0]);
        for other in &lanes[1..] {
            quad = self.binary(f, &quad, &Self::single(other), Ty::Int, true);
        }
        let mut sum = Self::single(&self.b.ins().extractlane(quad[0], 0));
        for lane in 1..QUAD as u8 {
            let one = Self::single(&self.b.ins().extractlane(quad[0], lane));
            sum = self.binary(f, &sum, &one, Ty::Int, false);
        }
        sum[0]
    }

    fn reduce_in_order(&mut self, _: Binary, _: &Value, _: &Lanes) -> Option<Value> {
        None
    }

    // Memory.

    fn address(&mut self, base: &Value, bytes: &Value) -> Value {
        self.b.ins().iadd(*base, *bytes)
    }

    fn element(&mut self, base: &Value, terms: &[(Value, u64)], beyond: u64) -> Value {
        let mut address = *base;
        for (index, bytes) in terms {
            // A strided index may start below zero if its first lanes are masked off.
            let index = self.extend(index, true);
            let term = if bytes.is_power_of_two() {
                self.b.ins().ishl_imm_u(index, i64::from(bytes.trailing_zeros()))
            } else {
                let bytes = self.constant(*bytes);
                self.b.ins().imul(index, bytes)
            };
            address = self.b.ins().iadd(address, term);
        }
        if beyond > 0 {
            let beyond = self.constant(beyond);
            address = self.b.ins().iadd(address, beyond);
        }
        address
    }

    fn load_word(&mut self, half: bool, area: Area, at: &Value, offset: u64) -> Value {
        let flags = self.flags(area);
        let (at, offset) = self.at(*at, offset);
        if half {
            self.b.ins().uload16(types::I32, flags, at, offset)
        } else {
            self.b.ins().load(types::I32, flags, at, offset)
        }
    }

    fn load_float(&mut self, area: Area, at: &Value, offset: u64) -> Value {
        let flags = self.flags(area);
        let (at, offset) = self.at(*at, offset);
        self.b.ins().load(types::F32, flags, at, offset)
    }

    fn store_word(&mut self, half: bool, area: Area, value: &Value, at: &Value, offset: u64) {
        let flags = self.flags(area);
        let (at, offset) = self.at(*at, offset);
        if half {
            self.b.ins().istore16(flags, *value, at, offset);
        } else {
            self.b.ins().store(flags, *value, at, offset);
        }
    }

    fn load_row(&mut self, half: bool, area: Area, at: &Value, offset: u64) -> Lanes {
        let flags = self.flags(area);
        let (at, offset) = self.at(*at, offset);
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

    fn store_row(&mut self, half: bool, area: Area, lanes: &Lanes, at: &Value, offset: u64) {
        let flags = self.flags(area);
        let (at, offset) = self.at(*at, offset);
        for (quad, &words) in (0..).zip(lanes.iter()) {
            if half {
                let halves = self.b.ins().unarrow(words, words);
                let pairs = self.cast(halves, types::I64X2);
                let four = self.b.ins().extractlane(pairs, 0);
                self.b.ins().store(flags, four, at, offset + 8 * quad);
            } else {
                self.b.ins().store(flags, words, at, offset + 16 * quad);
            }
        }
    }

    fn gather(
        &mut self,
        area: Area,
        at: &Value,
        offset: u64,
        words: &Lanes,
        wanted: Option<&Lanes>,
    ) -> Lanes {
        let flags = self.flags(area);
        let zeroed = |this: &mut Self, lanes: &Lanes| match wanted {
            Some(wanted) => this.binary(Binary::And, lanes, wanted, Ty::Int, true),
            None => lanes.clone(),
        };
        let words = zeroed(self, words);
        let quads: Lanes = words
            .iter()
            .map(|&words| {
                let words = self.words_apart(words).map(|words| {
                    let bytes = self.b.ins().ishl_imm_u(words, 2);
                    let address = self.b.ins().iadd(*at, bytes);
                    let (at, rest) = self.at(address, offset);
                    self.b.ins().uload32(flags, at, rest)
                });
                self.words_together(words)
            })
            .collect();
        zeroed(self, &quads)
    }

    fn scatter(
        &mut self,
        area: Area,
        at: &Value,
        offset: u64,
        words: &Lanes,
        values: &Lanes,
        wanted: Option<&Lanes>,
    ) {
        let (words, values) = (self.spill("offsets", words), self.spill("values", values));
        for_each_lane(self, wanted, true, |b, lane| {
            let (words, value) = (b.spilled(&words, lane), b.spilled(&values, lane));
            let at = b.word_address(at, &words, 4);
            b.store_word(false, area, &value, &at, offset);
        });
    }

    fn zero(&mut self, area: Area, at: &Value, bytes: u64) {
        if bytes <= 256 {
            let flags = self.flags(area);
            let zero = self.words([0; 4], Ty::Int);
            for offset in (0..bytes as i32).step_by(16) {
                self.b.ins().store(flags, zero, *at, offset);
            }
            return;
        }
        let bytes = self.constant(bytes);
        let zero: unsafe extern "C" fn(*mut u8, u64) = compiled::zero;
        self.call_rust("zero", zero as *const () as u64, None, &[*at, bytes]);
    }

    fn frame_array(&mut self, _: u64) -> Option<Value> {
        None
    }

    fn spill(&mut self, name: &'static str, lanes: &Lanes) -> Value {
        let row = self.rows(name, 1);
        self.store_row(false, Area::Frame, lanes, &row, 0);
        row
    }

    fn spilled(&mut self, row: &Value, lane: &Value) -> Value {
        let at = lane_address(self, *row, *lane, 4);
        self.load_word(false, Area::Frame, &at, 0)
    }

    fn set_spilled(&mut self, row: &Value, lane: &Value, value: &Value) {
        let at = lane_address(self, *row, *lane, 4);
        self.store_word(false, Area::Frame, value, &at, 0);
    }

    fn word_address(&mut self, base: &Value, words: &Value, unit: u64) -> Value {
        let words = self.extend(words, false);
        let bytes = self.b.ins().ishl_imm_u(words, i64::from(unit.trailing_zeros()));
        self.b.ins().iadd(*base, bytes)
    }

    fn atomic(
        &mut self,
        f: AtomicFunction,
        area: Area,
        at: &Value,
        value: &Value,
        compare: &Value,
    ) -> Value {
        use AtomicFunction as A;
        let flags = self.flags(area).with_aligned();
        let op = match f {
            A::Add => AtomicRmwOp::Add,
            A::Subtract => AtomicRmwOp::Sub,
            A::And => AtomicRmwOp::And,
            A::Or => AtomicRmwOp::Or,
            A::Xor => AtomicRmwOp::Xor,
            A::MinI => AtomicRmwOp::Smin,
            A::MaxI => AtomicRmwOp::Smax,
            A::MinU => AtomicRmwOp::Umin,
            A::MaxU => AtomicRmwOp::Umax,
            A::Exchange => AtomicRmwOp::Xchg,
            A::CompareExchange => return self.b.ins().atomic_cas(flags, *at, *compare, *value),
        };
        self.b.ins().atomic_rmw(types::I32, flags, op, *at, *value)
    }

    fn fence(&mut self) {
        self.b.ins().fence();
    }

    // The settings of the target keep all loads apart, if the kernel has atomics on storage.
    fn observe(&mut self) {}

    // Cranelift has no prefetch instruction.
    fn prefetch(&mut self, _: &Value) {}
}

fn shift(b: &mut FunctionBuilder<'_>, f: Binary, x: Value, y: Value) -> Value {
    match f {
        Binary::Shl => b.ins().ishl(x, y),
        Binary::ShrU => b.ins().ushr(x, y),
        _ => b.ins().sshr(x, y),
    }
}

fn divide(b: &mut FunctionBuilder<'_>, f: Binary, x: Value, y: Value) -> Value {
    match f {
        Binary::DivI => b.ins().sdiv(x, y),
        Binary::RemI => b.ins().srem(x, y),
        Binary::DivU => b.ins().udiv(x, y),
        _ => b.ins().urem(x, y),
    }
}

/// The number of set bits, by sums of pairs, of fours, of eights, of all.
fn count_ones(b: &mut Builder<'_>, x: &Lanes) -> Lanes {
    let masks = [0x5555_5555, 0x3333_3333, 0x0f0f_0f0f, 0x0101_0101]
        .map(|bits| b.words([bits; 4], Ty::Int));
    b.map(x, |b, x| {
        let odd = b.ins().ushr_imm_u(x, 1);
        let odd = b.ins().band(odd, masks[0]);
        let two = b.ins().isub(x, odd);
        let high = b.ins().ushr_imm_u(two, 2);
        let high = b.ins().band(high, masks[1]);
        let low = b.ins().band(two, masks[1]);
        let four = b.ins().iadd(high, low);
        let high = b.ins().ushr_imm_u(four, 4);
        let eight = b.ins().iadd(four, high);
        let eight = b.ins().band(eight, masks[2]);
        let all = b.ins().imul(eight, masks[3]);
        b.ins().ushr_imm_u(all, 24)
    })
}

/// Stores lanes, or a scalar, to a row of the frame.
fn store_lanes(b: &mut Builder<'_>, lanes: &Lanes, row: Value) {
    let flags = b.flags(Area::Frame);
    for (quad, &lane) in (0..).zip(lanes.iter()) {
        b.b.ins().store(flags, lane, row, 16 * quad);
    }
}

/// Loads lanes, or a scalar, from a row of the frame.
fn load_lanes(b: &mut Builder<'_>, ty: Ty, vector: bool, row: Value) -> Lanes {
    let (flags, ty) = (b.flags(Area::Frame), b.ty(ty, vector));
    let count = if vector { b.quads() as i32 } else { 1 };
    (0..count).map(|quad| b.b.ins().load(ty, flags, row, 16 * quad)).collect()
}

/// The address of a lane's part, by the lane's number as a long.
pub(super) fn lane_address(b: &mut Builder<'_>, base: Value, lane: Value, bytes: u64) -> Value {
    let bytes = b.constant(bytes);
    let bytes = b.b.ins().imul(lane, bytes);
    b.b.ins().iadd(base, bytes)
}

/// The processor's estimate of `1 / sqrt`. The called function preserves every register that Cranelift uses, so no
/// value has to be saved.
#[cfg(target_arch = "x86_64")]
fn inverse_sqrt_guess(b: &mut Builder<'_>, x: &Lanes, vector: bool) -> Lanes {
    let row = b.rows("guess", 1);
    store_lanes(b, x, row);
    // As many quads at once as the largest function takes.
    let at_once = x.len().min(4);
    let guess = math::inverse_sqrt_guesses(at_once) as *const () as u64;
    for first in (0..x.len()).step_by(at_once) {
        let at = b.b.ins().iadd_imm_u(row, 16 * first as i64);
        b.call_rust("guess", guess, Some(CallConv::PreserveAll), &[at]);
    }
    load_lanes(b, Ty::Float, vector, row)
}
