//! Random expressions. None is a constant expression: WGSL rejects a division by zero or a shift by
//! 40 there, but defines them at run time. So at most one of two operands is a literal.

use super::Generator;
use super::types::{Scalar, Type};

use Scalar::{Approximate, Bool, Exact, Half, I32, U32, Wild};

impl Generator {
    /// An expression of this type that is not constant.
    pub(super) fn expression(&mut self, ty: Type, depth: u32) -> String {
        if depth == 0 || self.random.percent(15) {
            return self.atom(ty);
        }
        if ty.size > 1 {
            return self.vector(ty, depth - 1);
        }
        match ty.scalar {
            I32 | U32 => self.integer(ty.scalar, depth - 1),
            Bool => self.boolean(depth - 1),
            Exact => self.exact(depth - 1),
            Approximate => self.approximate(depth - 1),
            Wild => self.wild(depth - 1),
            Half => self.half(depth - 1),
        }
    }

    pub(super) fn of(&mut self, scalar: Scalar, depth: u32) -> String {
        self.expression(Type::scalar(scalar), depth)
    }

    /// An expression or a literal.
    fn operand(&mut self, scalar: Scalar, depth: u32) -> String {
        if self.random.percent(25) { self.literal(scalar) } else { self.of(scalar, depth) }
    }

    fn literal(&mut self, scalar: Scalar) -> String {
        let random = &mut self.random;
        match scalar {
            I32 => match random.below(4) {
                0 => format!("{}", random.between(1, 9)),
                1 => format!("(-{})", random.between(1, 9)),
                2 => "2147483647".to_owned(),
                _ => format!("{}", random.below(1 << 31)),
            },
            U32 => match random.below(3) {
                0 => format!("{}u", random.between(1, 9)),
                1 => "4294967295u".to_owned(),
                _ => format!("{}u", random.below(1 << 32)),
            },
            Bool => (*random.pick(&["true", "false"])).to_owned(),
            Exact => format!("{:?}", random.between(1, 1023) as f32 / 16.0 - 32.0),
            Approximate => format!("{:?}", random.between(1, 127) as f32 / 16.0 - 4.0),
            Wild => (*random.pick(&["0.0", "1.0", "0.1", "(-3.7)", "1e30", "1e-30", "3.0e38"]))
                .to_owned(),
            Half => {
                (*random.pick(&["0.0h", "1.0h", "0.1h", "(-3.7h)", "6e4h", "1e-6h"])).to_owned()
            }
        }
    }

    /// A variable, an element of an array, or a component.
    fn atom(&mut self, ty: Type) -> String {
        let named: Vec<String> =
            self.scope.variables.iter().filter(|v| v.ty == ty).map(|v| v.name.clone()).collect();
        if self.random.percent(30) {
            let arrays: Vec<_> =
                self.scope.arrays.iter().filter(|a| a.element == ty).cloned().collect();
            if !arrays.is_empty() {
                let array = self.random.pick(&arrays).clone();
                let index = self.index(array.len);
                return format!("{}[{index}]", array.name);
            }
        }
        if ty.size == 1 && self.random.percent(20) {
            let vectors: Vec<_> = self
                .scope
                .variables
                .iter()
                .filter(|v| v.ty.scalar == ty.scalar && v.ty.size > 1)
                .cloned()
                .collect();
            if !vectors.is_empty() {
                let vector = self.random.pick(&vectors).clone();
                if self.random.percent(30) {
                    let index = self.index(u64::from(vector.ty.size));
                    return format!("{}[{index}]", vector.name);
                }
                let component = self.component(vector.ty.size);
                return format!("{}.{component}", vector.name);
            }
        }
        if !named.is_empty() {
            return self.random.pick(&named).clone();
        }
        // Every scope has a scalar of each kind, so the recursion ends.
        let parts: Vec<String> = (0..ty.size).map(|_| self.atom(Type::scalar(ty.scalar))).collect();
        format!("{}({})", ty.wgsl(), parts.join(", "))
    }

    pub(super) fn component(&mut self, size: u8) -> &'static str {
        ["x", "y", "z", "w"][self.random.below(u64::from(size)) as usize]
    }

    /// An index into `len` elements, mostly in bounds, sometimes any number.
    pub(super) fn index(&mut self, len: u64) -> String {
        let depth = 1;
        match self.random.below(10) {
            0 => self.of(U32, depth),
            1 => self.of(I32, depth),
            2 => format!("({} % {}u)", self.of(U32, depth), len + 2),
            3 => format!("({} % {})", self.of(I32, depth), len),
            4 if len > 1 => format!("{}", self.random.below(len)),
            _ => format!("({} % {}u)", self.of(U32, depth), len),
        }
    }

    fn integer(&mut self, scalar: Scalar, depth: u32) -> String {
        let name = scalar.wgsl();
        match self.random.below(26) {
            0..=4 => {
                let op = *self.random.pick(&["+", "-", "*", "&", "|", "^"]);
                format!("({} {op} {})", self.of(scalar, depth), self.operand(scalar, depth))
            }
            5 | 6 => {
                let op = *self.random.pick(&["/", "%"]);
                format!("({} {op} {})", self.of(scalar, depth), self.operand(scalar, depth))
            }
            7 | 8 => {
                let op = *self.random.pick(&["<<", ">>"]);
                let count = if self.random.percent(50) {
                    format!("{}u", self.random.below(32))
                } else {
                    self.of(U32, depth)
                };
                format!("({} {op} {count})", self.of(scalar, depth))
            }
            9 if scalar == I32 => format!("(-{})", self.of(I32, depth)),
            9 | 10 => format!("(~{})", self.of(scalar, depth)),
            11 | 12 => {
                let f = *self.random.pick(&["min", "max"]);
                format!("{f}({}, {})", self.of(scalar, depth), self.operand(scalar, depth))
            }
            13 => {
                let (e, low, high) =
                    (self.of(scalar, depth), self.of(scalar, depth), self.of(scalar, depth));
                format!("clamp({e}, {low}, {high})")
            }
            14 | 15 => {
                let f = *self.random.pick(&[
                    "countOneBits",
                    "countLeadingZeros",
                    "countTrailingZeros",
                    "reverseBits",
                    "firstLeadingBit",
                    "firstTrailingBit",
                    "abs",
                ]);
                format!("{f}({})", self.of(scalar, depth))
            }
            16 => {
                let (e, offset, count) =
                    (self.of(scalar, depth), self.of(U32, depth), self.of(U32, depth));
                format!("extractBits({e}, {offset} % 40u, {count} % 40u)")
            }
            17 => {
                let (e, new) = (self.of(scalar, depth), self.of(scalar, depth));
                let (offset, count) = (self.of(U32, depth), self.of(U32, depth));
                format!("insertBits({e}, {new}, {offset} % 40u, {count} % 40u)")
            }
            18 => {
                let other = if scalar == I32 { U32 } else { I32 };
                let f = if self.random.percent(50) {
                    name.to_owned()
                } else {
                    format!("bitcast<{name}>")
                };
                format!("{f}({})", self.of(other, depth))
            }
            19 => format!("{name}({})", self.of(Bool, depth)),
            20 => format!("{name}({})", self.of(self.float(), depth)),
            21 | 22 => self.select(Type::scalar(scalar), depth),
            23 => {
                let size = self.random.between(2, 4) as u8;
                let vector = Type::vector(scalar, size);
                format!("dot({}, {})", self.expression(vector, depth), self.atom(vector))
            }
            24 => match self.random.below(3) {
                0 => {
                    let f = *self.random.pick(&["dot4U8Packed", "dot4I8Packed"]);
                    format!("{name}({f}({}, {}))", self.of(U32, depth), self.of(U32, depth))
                }
                1 => {
                    let f = *self.random.pick(&["pack4xI8", "pack4xI8Clamp"]);
                    let v = self.expression(Type::vector(I32, 4), depth);
                    format!("{name}({f}({v}))")
                }
                _ => {
                    let f = *self.random.pick(&["unpack4xU8", "unpack4xI8"]);
                    let component = self.component(4);
                    format!("{name}({f}({}).{component})", self.of(U32, depth))
                }
            },
            _ => self.call(Type::scalar(scalar), depth),
        }
    }

    /// The kind of float that may decide branches in this kernel.
    pub(super) fn float(&self) -> Scalar {
        if self.wild { Wild } else { Exact }
    }

    fn select(&mut self, ty: Type, depth: u32) -> String {
        let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
        format!("select({a}, {b}, {})", self.of(Bool, depth))
    }

    fn boolean(&mut self, depth: u32) -> String {
        let scalar = *self.random.pick(&[I32, U32, self.float()]);
        match self.random.below(10) {
            0..=4 => {
                let op = *self.random.pick(&["<", "<=", ">", ">=", "==", "!="]);
                format!("({} {op} {})", self.of(scalar, depth), self.operand(scalar, depth))
            }
            5 | 6 => {
                let op = *self.random.pick(&["&&", "||", "&", "|", "==", "!="]);
                format!("({} {op} {})", self.of(Bool, depth), self.of(Bool, depth))
            }
            7 => format!("(!{})", self.of(Bool, depth)),
            8 => {
                let vector = Type::vector(scalar, self.random.between(2, 4) as u8);
                let f = *self.random.pick(&["any", "all"]);
                let op = *self.random.pick(&["<", ">=", "!="]);
                format!("{f}({} {op} {})", self.expression(vector, depth), self.atom(vector))
            }
            _ => format!("(({} & 1u) == 1u)", self.of(U32, depth)),
        }
    }

    fn exact(&mut self, depth: u32) -> String {
        let a = self.of(Exact, depth);
        match self.random.below(16) {
            0..=3 => {
                let op = *self.random.pick(&["+", "-", "*"]);
                format!("exact({a} {op} {})", self.operand(Exact, depth))
            }
            4 | 5 => {
                let f = *self
                    .random
                    .pick(&["floor", "ceil", "round", "trunc", "fract", "abs", "sign", "saturate"]);
                format!("exact({f}({a}))")
            }
            6 => format!("exact(-{a})"),
            7 | 8 => {
                let f = *self.random.pick(&["min", "max", "step"]);
                format!("{f}({a}, {})", self.operand(Exact, depth))
            }
            9 => format!("exact(fma({a}, {}, {}))", self.of(Exact, depth), self.of(Exact, depth)),
            10 => format!("exact(f32({} & 1023))", self.of(I32, depth)),
            11 => format!("exact(f32({} & 1023u))", self.of(U32, depth)),
            12 => self.select(Type::scalar(Exact), depth),
            13 => {
                let vector = Type::vector(Exact, self.random.between(2, 4) as u8);
                format!("exact(dot({}, {}))", self.expression(vector, depth), self.atom(vector))
            }
            14 => {
                let part = *self.random.pick(&["whole", "fract"]);
                format!("exact(modf({a}).{part})")
            }
            _ => self.call(Type::scalar(Exact), depth),
        }
    }

    /// The error of each operation is at most the sum of its operands' errors and its own rounding.
    fn approximate(&mut self, depth: u32) -> String {
        let a = self.of(Approximate, depth);
        let b = self.operand(Approximate, depth);
        match self.random.below(20) {
            0 | 1 => format!("near({a} + {b})"),
            2 => format!("near({a} - {b})"),
            3 | 4 => format!("near({a} * {b} * 0.125)"),
            5 => format!("near({a} / (1.0 + abs({b})))"),
            6 | 7 => {
                let f = *self.random.pick(&["sin", "cos", "tanh", "atan"]);
                format!("{f}({a})")
            }
            8 => format!("exp(-abs({a}))"),
            9 => format!("exp2(-abs({a}))"),
            10 => format!("log(1.0 + abs({a}))"),
            11 => format!("log2(2.0 + abs({a}))"),
            12 => {
                let f = *self.random.pick(&["sqrt", "inverseSqrt"]);
                format!("{f}(1.0 + abs({a}))")
            }
            13 => {
                let f = *self.random.pick(&["min", "max"]);
                format!("{f}({a}, {b})")
            }
            14 => format!("near({})", self.of(Exact, depth)),
            15 => self.select(Type::scalar(Approximate), depth),
            16 => format!("mix({a}, {b}, saturate({}))", self.of(Exact, depth)),
            17 => {
                let vector = Type::vector(Approximate, self.random.between(2, 4) as u8);
                let f = *self.random.pick(&["length", "0.03 * dot"]);
                let v = self.expression(vector, depth);
                if f == "length" {
                    format!("near(length({v}) * 0.5)")
                } else {
                    format!("near(dot({v}, {}) * 0.03)", self.atom(vector))
                }
            }
            18 => format!("smoothstep(-8.0, 8.0, {a})"),
            _ => self.call(Type::scalar(Approximate), depth),
        }
    }

    fn wild(&mut self, depth: u32) -> String {
        let a = self.of(Wild, depth);
        match self.random.below(12) {
            0..=4 => {
                let op = *self.random.pick(&["+", "-", "*", "/", "%"]);
                format!("({a} {op} {})", self.operand(Wild, depth))
            }
            5..=7 => {
                let f = *self.random.pick(&[
                    "sin",
                    "cos",
                    "exp",
                    "log",
                    "sqrt",
                    "floor",
                    "round",
                    "fract",
                    "abs",
                    "sign",
                    "atan",
                    "tanh",
                    "inverseSqrt",
                    "exp2",
                    "log2",
                ]);
                format!("{f}({a})")
            }
            8 => {
                let f = *self.random.pick(&["min", "max", "pow", "atan2"]);
                format!("{f}({a}, {})", self.of(Wild, depth))
            }
            9 => format!("fma({a}, {}, {})", self.of(Wild, depth), self.of(Wild, depth)),
            10 => {
                let from = *self.random.pick(&[I32, U32, if self.half { Half } else { Bool }]);
                format!("f32({})", self.of(from, depth))
            }
            _ => self.select(Type::scalar(Wild), depth),
        }
    }

    fn half(&mut self, depth: u32) -> String {
        let a = self.of(Half, depth);
        match self.random.below(12) {
            0..=4 => {
                let op = *self.random.pick(&["+", "-", "*", "/"]);
                format!("({a} {op} {})", self.operand(Half, depth))
            }
            5 | 6 => {
                let f = *self.random.pick(&[
                    "sqrt", "floor", "round", "trunc", "fract", "abs", "sign", "exp", "cos",
                    "saturate",
                ]);
                format!("{f}({a})")
            }
            7 => {
                let f = *self.random.pick(&["min", "max", "step"]);
                format!("{f}({a}, {})", self.of(Half, depth))
            }
            8 => format!("fma({a}, {}, {})", self.of(Half, depth), self.of(Half, depth)),
            9 | 10 => {
                let from = *self.random.pick(&[I32, U32, Wild, Bool]);
                format!("f16({})", self.of(from, depth))
            }
            _ => self.select(Type::scalar(Half), depth),
        }
    }

    fn vector(&mut self, ty: Type, depth: u32) -> String {
        let n = ty.size;
        let wide = |f: &str| format!("{f}{n}");
        match self.random.below(11) {
            0..=2 => {
                let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
                match ty.scalar {
                    I32 | U32 => {
                        let op = *self.random.pick(&["+", "-", "*", "/", "%", "^", "&"]);
                        format!("({a} {op} {b})")
                    }
                    Bool => format!("({a} | {b})"),
                    Exact => {
                        let op = *self.random.pick(&["+", "-", "*"]);
                        format!("{}({a} {op} {b})", wide("exact"))
                    }
                    Approximate => format!("{}(({a} + {b}) * 0.5)", wide("near")),
                    Wild | Half => format!("({a} * {b})"),
                }
            }
            3..=6 if ty.scalar == Bool => {
                let scalar = *self.random.pick(&[I32, U32, self.float()]);
                let of = Type::vector(scalar, n);
                let op = *self.random.pick(&["<", "<=", ">", ">=", "==", "!="]);
                format!("({} {op} {})", self.expression(of, depth), self.expression(of, depth))
            }
            3 | 4 if ty.scalar != Bool => {
                // A swizzle takes a vector of any size.
                let from = Type::vector(ty.scalar, self.random.between(2, 4) as u8);
                let swizzle: String = (0..n).map(|_| self.component(from.size)).collect();
                format!("{}.{swizzle}", self.atom(from))
            }
            5 if ty.scalar == Exact => {
                let matrices: Vec<_> =
                    self.scope.matrices.iter().filter(|m| m.rows == n).cloned().collect();
                if matrices.is_empty() {
                    return self.atom(ty);
                }
                let m = self.random.pick(&matrices).clone();
                if self.random.percent(40) {
                    let index = self.index(u64::from(m.columns));
                    return format!("{}[{index}]", m.name);
                }
                if self.random.percent(30) {
                    let v = self.expression(Type::vector(Exact, m.columns), depth);
                    return format!("{}({v} * transpose({}))", wide("exact"), m.name);
                }
                let v = self.expression(Type::vector(Exact, m.columns), depth);
                format!("{}({} * {v})", wide("exact"), m.name)
            }
            6 if matches!(ty.scalar, I32 | U32) => {
                let other = if ty.scalar == I32 { U32 } else { I32 };
                format!("{}({})", ty.wgsl(), self.expression(Type::vector(other, n), depth))
            }
            7 if ty.scalar != Bool => {
                let f = *self.random.pick(&["min", "max"]);
                format!("{f}({}, {})", self.expression(ty, depth), self.expression(ty, depth))
            }
            8 if ty.scalar != Bool && self.random.percent(50) => {
                let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
                let conditions = self.expression(Type::vector(Bool, n), depth);
                format!("select({a}, {b}, {conditions})")
            }
            8 => self.select(ty, depth),
            9 if matches!(ty.scalar, I32 | U32) => {
                let op = *self.random.pick(&["<<", ">>"]);
                let counts = self.expression(Type::vector(U32, n), depth);
                format!("({} {op} {counts})", self.expression(ty, depth))
            }
            _ => {
                let parts: Vec<String> =
                    (0..n).map(|_| self.of(ty.scalar, depth.saturating_sub(1))).collect();
                format!("{}({})", ty.wgsl(), parts.join(", "))
            }
        }
    }

    /// A call of a generated function, if one has this type of result.
    fn call(&mut self, ty: Type, depth: u32) -> String {
        let found: Vec<_> = self.callees.iter().filter(|c| c.result == ty).cloned().collect();
        let pointer = self.pointer.clone();
        let (Some(pointer), false, true) = (pointer, found.is_empty(), self.calls_left > 0) else {
            return self.expression(ty, depth);
        };
        self.calls_left -= 1;
        let callee = self.random.pick(&found).clone();
        let arguments: Vec<String> =
            self.base().into_iter().map(|scalar| self.of(scalar, depth.min(1))).collect();
        format!("{}({}, &{pointer})", callee.name, arguments.join(", "))
    }
}
