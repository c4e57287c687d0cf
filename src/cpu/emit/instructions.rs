//! The instructions of a back end, on scalars and on the values of a gang's lanes.
//!
//! A back end is an implementation of [`Instructions`] and of `memory::Accesses`; the rest of this folder is the
//! same for all. What always holds: an instruction gives the same bits as `interpreter::functions` on every back end.

use std::fmt::Debug;

use crate::cpu::interpreter::bytecode::{AtomicFunction, Memory};
use crate::cpu::interpreter::functions::{Binary, Unary};
use crate::cpu::spmd::types::Ty;

/// The size of a scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Size {
    /// 32 bits.
    Word,
    /// 64 bits.
    Long,
    Address,
}

/// Operations on two scalar integers. Comparisons give a truth value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Scalar {
    Add,
    Sub,
    Mul,
    /// A sum that does not wrap, of numbers without a sign.
    Sum,
    /// A product that does not wrap, of numbers without a sign.
    Product,
    /// Division of numbers without a sign, and its remainder.
    DivU,
    RemU,
    DivI,
    ShrI,
    MinU,
    MinI,
    MaxI,
    Equal,
    LtU,
    LtI,
    LeU,
    /// The conjunction of two truth values.
    Both,
}

/// Comparisons of two values, lane by lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Compare {
    Eq,
    Ne,
    LtI,
    LeI,
    LtU,
    LeU,
    EqF,
    NeF,
    LtF,
    LeF,
    /// Whether one of them is a NaN.
    Unordered,
}

/// What a variable of the function holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Kind {
    Lanes(Ty),
    Scalar(Ty),
    Long,
    /// One bit for each lane.
    Bits,
}

/// Parts of memory that never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Area {
    /// A buffer. It is constant while the function runs, or not.
    Binding(usize, bool),
    Workgroup,
    /// Arrays and contexts in the scratch memory.
    Private,
    /// The function's frame.
    Frame,
}

impl From<Memory> for Area {
    fn from(memory: Memory) -> Area {
        match memory {
            Memory::Storage(binding) => Area::Binding(binding, false),
            Memory::Value(binding) => Area::Binding(binding, true),
            Memory::Workgroup => Area::Workgroup,
        }
    }
}

/// A back end's instructions, which are added to the function at the current block.
///
/// A flag `vector` says whether lanes hold the values of a gang or one scalar. Lanes of f16 have two forms: in
/// registers the f32 with the same value, and a narrow form, which is what memory has.
pub(in crate::cpu) trait Instructions: Sized {
    /// A scalar.
    type Value: Clone + Debug;
    /// The values of a gang's lanes, or one scalar.
    type Lanes: Clone + Debug;
    /// A variable of the function.
    type Slot: Clone + Debug;
    /// A basic block.
    type Block: Clone + Debug;

    /// Where a broken promise is reported.
    const PLACE: &'static str;
    /// The number of operations that may be emitted twice, the second time without masks.
    const CLONES: usize;
    /// Whether a lane that is masked off may hold a value that differs at each use.
    const UNDEFINED_LANES: bool;
    /// Whether addends of indices should become offsets of addresses.
    const SPLIT_INDICES: bool;

    /// Lanes of a gang.
    fn width(&self) -> u32;

    // Blocks.

    fn block(&mut self) -> Self::Block;
    /// Continues in a block to which no more branches will be added.
    fn begin(&mut self, block: &Self::Block);
    /// Continues in a loop's head, to which branches are added until `close_loop`.
    fn begin_loop(&mut self, head: &Self::Block);
    fn close_loop(&mut self, head: &Self::Block);
    /// Whether the current block has its terminator.
    fn ended(&self) -> bool;
    /// Goes to a block, unless the current one has ended.
    fn branch(&mut self, block: &Self::Block);
    fn branch_if(&mut self, condition: &Self::Value, yes: &Self::Block, no: &Self::Block);
    fn return_status(&mut self, status: u32);

    // Variables of the function.

    fn slot(&mut self, kind: Kind) -> Self::Slot;
    fn read(&mut self, slot: &Self::Slot) -> Self::Lanes;
    fn write(&mut self, slot: &Self::Slot, lanes: &Self::Lanes);

    fn read_scalar(&mut self, slot: &Self::Slot) -> Self::Value {
        let lanes = self.read(slot);
        Self::only(&lanes)
    }

    fn write_scalar(&mut self, slot: &Self::Slot, value: &Self::Value) {
        self.write(slot, &Self::single(value));
    }

    // Scalars.

    /// A scalar as lanes.
    fn single(value: &Self::Value) -> Self::Lanes;
    /// The scalar that lanes are, or their first part.
    fn only(lanes: &Self::Lanes) -> Self::Value;
    fn int(&mut self, value: u32) -> Self::Value;
    fn long(&mut self, value: i64) -> Self::Value;
    fn scalar(&mut self, op: Scalar, size: Size, a: &Self::Value, b: &Self::Value) -> Self::Value;
    /// A word as a long, with its sign or without.
    fn extend(&mut self, word: &Self::Value, signed: bool) -> Self::Value;
    /// The lower half of a long.
    fn narrow(&mut self, long: &Self::Value) -> Self::Value;
    /// A truth value as 0 or 1.
    fn bit(&mut self, truth: &Self::Value) -> Self::Value;
    fn choose(
        &mut self,
        condition: &Self::Value,
        size: Size,
        yes: &Self::Value,
        no: &Self::Value,
    ) -> Self::Value;

    /// The conjunction of both; the first may be missing.
    fn both(&mut self, a: Option<&Self::Value>, b: &Self::Value) -> Self::Value {
        match a {
            None => b.clone(),
            Some(a) => self.scalar(Scalar::Both, Size::Word, a, b),
        }
    }

    // Lanes.

    fn number(&mut self, bits: u32, ty: Ty, vector: bool) -> Self::Lanes;
    /// The lane's number times a step.
    fn iota(&mut self, step: i32) -> Self::Lanes;
    /// A scalar in all lanes.
    fn splat(&mut self, scalar: &Self::Value, ty: Ty) -> Self::Lanes;
    /// The first lane's value, and its type, which may be a word for a truth value.
    fn first(&mut self, lanes: &Self::Lanes, ty: Ty) -> (Self::Value, Ty);
    fn lane(&mut self, lanes: &Self::Lanes, lane: u32, ty: Ty) -> Self::Value;
    fn with_lane(
        &mut self,
        lanes: &Self::Lanes,
        lane: u32,
        value: &Self::Value,
        ty: Ty,
    ) -> Self::Lanes;
    /// The value, in the form that memory has, of the lane with a number that is a word below the width.
    fn lane_at(&mut self, lanes: &Self::Lanes, lane: &Self::Value, half: bool) -> Self::Value;
    /// The lanes below a number.
    fn lanes_below(&mut self, lanes: u32) -> Self::Lanes;
    /// The same value as another type, by its bits.
    fn convert(&mut self, lanes: &Self::Lanes, from: Ty, to: Ty, vector: bool) -> Self::Lanes;

    /// Functions of one argument that have a short form; none for the others, and for those that the processor
    /// lacks.
    fn unary(&mut self, f: Unary, x: &Self::Lanes, vector: bool) -> Option<Self::Lanes>;
    fn not(&mut self, x: &Self::Lanes, ty: Ty, vector: bool) -> Self::Lanes;
    /// Arithmetic and bitwise functions of two arguments. Divisors are not zero, and no quotient overflows.
    fn binary(
        &mut self,
        f: Binary,
        x: &Self::Lanes,
        y: &Self::Lanes,
        ty: Ty,
        vector: bool,
    ) -> Self::Lanes;
    /// A division by a constant that is neither 0 nor -1, or its remainder.
    fn divide_by(&mut self, f: Binary, x: &Self::Lanes, by: u32, vector: bool) -> Self::Lanes;
    /// A shift by a constant below 32.
    fn shift_by(&mut self, f: Binary, x: &Self::Lanes, by: u32, vector: bool) -> Self::Lanes;
    /// A shift of all lanes by one count, modulo 32.
    fn shift_all(
        &mut self,
        f: Binary,
        x: &Self::Lanes,
        by: &Self::Value,
        vector: bool,
    ) -> Self::Lanes;
    /// A shift of each lane by its own count, modulo 32.
    fn shift_each(&mut self, f: Binary, x: &Self::Lanes, by: &Self::Lanes) -> Self::Lanes;
    fn compare(
        &mut self,
        how: Compare,
        x: &Self::Lanes,
        y: &Self::Lanes,
        vector: bool,
    ) -> Self::Lanes;
    fn select(
        &mut self,
        condition: &Self::Lanes,
        yes: &Self::Lanes,
        no: &Self::Lanes,
        ty: Ty,
        vector: bool,
    ) -> Self::Lanes;
    /// A selection of all lanes by one condition.
    fn select_all(
        &mut self,
        condition: &Self::Value,
        yes: &Self::Lanes,
        no: &Self::Lanes,
        ty: Ty,
    ) -> Self::Lanes;
    /// The product of two and the sum with a third, rounded once; none if the processor lacks it.
    fn fma(
        &mut self,
        factors: [&Self::Lanes; 2],
        sum: &Self::Lanes,
        v: bool,
    ) -> Option<Self::Lanes>;
    /// Floats rounded towards zero to integers that floats of their kind can hold; NaN gives zero.
    fn truncated(&mut self, f: Unary, x: &Self::Lanes, vector: bool) -> Self::Lanes;
    /// Lanes whose value is the same at each use.
    fn frozen(&mut self, x: &Self::Lanes, vector: bool) -> Self::Lanes;
    /// The function of a number in the table, for each lane; words in, words out.
    fn call(&mut self, number: usize, args: &[Self::Lanes], vector: bool) -> Self::Lanes;

    // f16.

    /// The f32 that equals the narrow form.
    fn widened(&mut self, narrow: &Self::Lanes, vector: bool) -> Self::Lanes;
    /// The narrow form of the nearest f16, ties to even.
    fn narrowed(&mut self, x: &Self::Lanes, vector: bool) -> Self::Lanes;
    /// The bits of the narrow form as words.
    fn half_bits(&mut self, narrow: &Self::Lanes, vector: bool) -> Self::Lanes;
    /// The narrow form in the lower bits of words.
    fn half_from_bits(&mut self, words: &Self::Lanes, vector: bool) -> Self::Lanes;

    // Masks.

    /// Whether any lane is set.
    fn any(&mut self, mask: &Self::Lanes) -> Self::Value;
    /// Whether all lanes are set.
    fn all(&mut self, mask: &Self::Lanes) -> Self::Value;
    /// The mask as one bit for each lane.
    fn bits(&mut self, mask: &Self::Lanes) -> Self::Value;
    /// Some 32 of the bits as a word.
    fn votes(&mut self, bits: &Self::Value, word: u32) -> Self::Value;
    /// The number of bits that are set, as a word.
    fn count(&mut self, bits: &Self::Value) -> Self::Value;
    /// The number of the first lane whose bit is set, as a word; the width or more if there is none.
    fn first_set(&mut self, bits: &Self::Value) -> Self::Value;
    /// The number of the last lane whose bit is set, as a word below the width; any if there is none.
    fn last_set(&mut self, bits: &Self::Value) -> Self::Value;
    /// Whether any bit is set.
    fn some(&mut self, bits: &Self::Value) -> Self::Value;
    /// The number of the first lane whose bit is set, and the bits without it. There is one.
    fn next(&mut self, bits: &Self::Value) -> (Self::Value, Self::Value);
    /// A lane's number in the form of `next`.
    fn lane_number(&mut self, lane: u32) -> Self::Value;

    /// One word that combines those of all lanes, in any order.
    fn reduce(&mut self, f: Binary, lanes: &Self::Lanes) -> Self::Value;
    /// The sum or product of floats in the order of the lanes, if there is an instruction for it.
    fn reduce_in_order(
        &mut self,
        f: Binary,
        start: &Self::Value,
        lanes: &Self::Lanes,
    ) -> Option<Self::Value>;

    // Memory.

    /// Addresses are not negative, and offsets from them stay inside of the part of memory.
    fn address(&mut self, base: &Self::Value, bytes: &Self::Value) -> Self::Value;
    /// The address of the sum of indices times their bytes, and of bytes beyond it. Indices are words with a sign.
    fn element(
        &mut self,
        base: &Self::Value,
        terms: &[(Self::Value, u64)],
        beyond: u64,
    ) -> Self::Value;
    /// A word, or the narrow form of an f16.
    fn load_word(&mut self, half: bool, area: Area, at: &Self::Value, offset: u64) -> Self::Value;
    fn load_float(&mut self, area: Area, at: &Self::Value, offset: u64) -> Self::Value;
    fn store_word(
        &mut self,
        half: bool,
        area: Area,
        value: &Self::Value,
        at: &Self::Value,
        offset: u64,
    );
    /// The consecutive words, or narrow forms, of a gang.
    fn load_row(&mut self, half: bool, area: Area, at: &Self::Value, offset: u64) -> Self::Lanes;
    fn store_row(
        &mut self,
        half: bool,
        area: Area,
        lanes: &Self::Lanes,
        at: &Self::Value,
        offset: u64,
    );
    /// The words that lie so many words from an address; zero in lanes that are not wanted.
    fn gather(
        &mut self,
        area: Area,
        at: &Self::Value,
        offset: u64,
        words: &Self::Lanes,
        wanted: Option<&Self::Lanes>,
    ) -> Self::Lanes;
    /// Stores words so many words from an address.
    fn scatter(
        &mut self,
        area: Area,
        at: &Self::Value,
        offset: u64,
        words: &Self::Lanes,
        values: &Self::Lanes,
        wanted: Option<&Self::Lanes>,
    );
    /// Sets memory to zero, in multiples of 16 bytes.
    fn zero(&mut self, area: Area, at: &Self::Value, bytes: u64);
    /// An array in the frame, if it may be there.
    fn frame_array(&mut self, bytes: u64) -> Option<Self::Value>;
    /// The row of the frame that has a name, with these words.
    fn spill(&mut self, name: &'static str, lanes: &Self::Lanes) -> Self::Value;
    /// A word of a row in the frame, by a lane's number.
    fn spilled(&mut self, row: &Self::Value, lane: &Self::Value) -> Self::Value;
    fn set_spilled(&mut self, row: &Self::Value, lane: &Self::Value, value: &Self::Value);
    /// The address so many bytes times a word, without a sign, from another.
    fn word_address(&mut self, base: &Self::Value, words: &Self::Value, unit: u64) -> Self::Value;
    /// An update that other threads see at once; the old value.
    fn atomic(
        &mut self,
        f: AtomicFunction,
        area: Area,
        at: &Self::Value,
        value: &Self::Value,
        compare: &Self::Value,
    ) -> Self::Value;
    fn fence(&mut self);
    /// Keeps loads after this point from being merged with loads before it.
    fn observe(&mut self);
    fn prefetch(&mut self, at: &Self::Value);
}
