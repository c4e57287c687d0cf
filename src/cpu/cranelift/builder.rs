//! The function as Cranelift IR.
//!
//! Lanes are as many 128-bit vectors as the gang's width takes, or one scalar. A uniform truth value is a byte,
//! others are vectors of words whose bits are all equal.

use std::collections::HashMap;
use std::rc::Rc;

use cranelift_codegen::ir::{
    AbiParam, AliasRegion, AliasRegionData, ConstantData, Endianness, InstBuilder, MemFlagsData,
    SigRef, Signature, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;

use crate::cpu::emit::instructions::Area;
use crate::cpu::spmd::types::Ty;

/// One scalar, or the vectors of a gang.
pub(super) type Lanes = Rc<[Value]>;

/// Lanes of one vector.
pub(super) const QUAD: u32 = 4;

/// A function under construction.
pub(super) struct Builder<'f> {
    pub(super) b: FunctionBuilder<'f>,
    /// Whether the machine has an instruction for fused multiply-adds.
    pub(super) fma: bool,
    pub(super) width: u32,
    /// The table of functions that are called by number.
    functions: Value,
    /// Whether the current block has its terminator.
    pub(super) ended: bool,
    rows: HashMap<(&'static str, u32), StackSlot>,
    signatures: HashMap<&'static str, SigRef>,
    regions: HashMap<u32, AliasRegion>,
}

impl std::fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Builder(width {})", self.width)
    }
}

impl<'f> Builder<'f> {
    pub(super) fn new(
        b: FunctionBuilder<'f>,
        fma: bool,
        width: u32,
        functions: Value,
    ) -> Builder<'f> {
        Builder {
            b,
            fma,
            width,
            functions,
            ended: false,
            rows: HashMap::new(),
            signatures: HashMap::new(),
            regions: HashMap::new(),
        }
    }

    // Memory.

    /// The flags of an access that never traps.
    pub(super) fn flags(&mut self, area: Area) -> MemFlagsData {
        let id = match area {
            Area::Workgroup => 0,
            Area::Private => 1,
            Area::Frame => 2,
            Area::Binding(id, _) => 3 + id as u32,
        };
        let regions = &mut self.b.func.dfg.alias_regions;
        let region = *self.regions.entry(id).or_insert_with(|| {
            regions.insert(AliasRegionData { user_id: id, description: "".into() })
        });
        let flags = MemFlagsData::new().with_notrap().with_alias_region(Some(region));
        match area {
            Area::Binding(_, true) => flags.with_readonly().with_can_move(),
            _ => flags,
        }
    }

    /// The address of the rows of the frame that have a name.
    pub(super) fn rows(&mut self, name: &'static str, rows: u32) -> Value {
        let (b, bytes) = (&mut self.b, rows * self.width * 4);
        let slot = *self.rows.entry((name, bytes)).or_insert_with(|| {
            b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4))
        });
        self.b.ins().stack_addr(types::I64, slot, 0)
    }

    /// An address, and an offset from it that an instruction can take.
    pub(super) fn at(&mut self, address: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) if offset < i32::MAX / 2 => (address, offset),
            _ => {
                let offset = self.constant(offset);
                (self.b.ins().iadd(address, offset), 0)
            }
        }
    }

    // Types.

    pub(super) fn quads(&self) -> usize {
        (self.width / QUAD) as usize
    }

    pub(super) fn ty(&self, ty: Ty, vector: bool) -> Type {
        match (ty, vector) {
            (Ty::Float, false) => types::F32,
            (Ty::Int, false) => types::I32,
            (Ty::Bool, false) => types::I8,
            (Ty::Float, true) => types::F32X4,
            (Ty::Int | Ty::Bool, true) => types::I32X4,
        }
    }

    // Values.

    pub(super) fn constant(&mut self, value: u64) -> Value {
        self.b.ins().iconst(types::I64, value as i64)
    }

    /// Four words as one vector.
    pub(super) fn words(&mut self, words: [u32; 4], ty: Ty) -> Value {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(&bytes[..]));
        let ty = self.ty(ty, true);
        self.b.ins().vconst(ty, constant)
    }

    pub(super) fn map(
        &mut self,
        x: &Lanes,
        mut f: impl FnMut(&mut FunctionBuilder<'f>, Value) -> Value,
    ) -> Lanes {
        x.iter().map(|&x| f(&mut self.b, x)).collect()
    }

    pub(super) fn zip(
        &mut self,
        x: &Lanes,
        y: &Lanes,
        mut f: impl FnMut(&mut FunctionBuilder<'f>, Value, Value) -> Value,
    ) -> Lanes {
        x.iter().zip(y.iter()).map(|(&x, &y)| f(&mut self.b, x, y)).collect()
    }

    /// Applies a scalar function of two arguments to each lane.
    pub(super) fn each_pair(
        &mut self,
        x: &Lanes,
        y: &Lanes,
        f: impl Fn(&mut FunctionBuilder<'f>, Value, Value) -> Value,
    ) -> Lanes {
        self.zip(x, y, |b, x, y| {
            if !b.func.dfg.value_type(x).is_vector() {
                return f(b, x, y);
            }
            let mut result = x;
            for lane in 0..QUAD as u8 {
                let (one, two) = (b.ins().extractlane(x, lane), b.ins().extractlane(y, lane));
                let both = f(b, one, two);
                result = b.ins().insertlane(result, both, lane);
            }
            result
        })
    }

    /// Applies a scalar function to each lane, or to the scalar.
    pub(super) fn each_lane(
        &mut self,
        x: &Lanes,
        f: impl Fn(&mut FunctionBuilder<'f>, Value) -> Value,
    ) -> Lanes {
        self.map(x, |b, x| {
            if !b.func.dfg.value_type(x).is_vector() {
                return f(b, x);
            }
            let mut result = x;
            for lane in 0..QUAD as u8 {
                let one = b.ins().extractlane(x, lane);
                let one = f(b, one);
                result = b.ins().insertlane(result, one, lane);
            }
            result
        })
    }

    /// The same bits as another type.
    pub(super) fn cast(&mut self, value: Value, to: Type) -> Value {
        if self.b.func.dfg.value_type(value) == to {
            return value;
        }
        let little = MemFlagsData::new().with_endianness(Endianness::Little);
        self.b.ins().bitcast(to, little, value)
    }

    // Shuffles.

    /// Shuffles two vectors, whose words are numbered from 0 to 7.
    pub(super) fn shuffle(&mut self, a: Value, b: Value, words: [u8; 4]) -> Value {
        let mask: Vec<u8> = words.iter().flat_map(|&w| (0..4).map(move |k| 4 * w + k)).collect();
        let mask = self.b.func.dfg.immediates.push(mask.into());
        let (a, b) = (self.cast(a, types::I8X16), self.cast(b, types::I8X16));
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

    // Calls.

    /// Calls a Rust function without a result; all calls by one name have the same parameters.
    pub(super) fn call_rust(
        &mut self,
        name: &'static str,
        address: u64,
        convention: Option<CallConv>,
        args: &[Value],
    ) {
        let b = &mut self.b;
        let signature = *self.signatures.entry(name).or_insert_with(|| {
            let convention = convention.unwrap_or(b.func.signature.call_conv);
            let mut signature = Signature::new(convention);
            let types = args.iter().map(|&arg| AbiParam::new(b.func.dfg.value_type(arg)));
            signature.params.extend(types);
            b.import_signature(signature)
        });
        let callee = self.constant(address);
        self.b.ins().call_indirect(signature, callee, args);
    }

    /// The table of functions that are called by number.
    pub(super) fn function_table(&self) -> Value {
        self.functions
    }
}
