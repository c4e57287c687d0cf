//! WGSL's built-in functions, spelled out in scalar functions.
//!
//! Every CPU engine must give the same bits, so the formulas and their order of evaluation here
//! are part of the meaning: sums run from left to right, nothing but `dot` is contracted. f16
//! operations are rounded one by one.

use naga::{Expression, Handle, MathFunction as M};

use super::compile::{Compiler, Scope, Value};
use super::functions::{Binary, Reg, Ternary, Unary};
use super::shape::{Extent, Kind};
use crate::error::Result;
use crate::kernel::host_has_fma;

/// How a number lies in the low bits of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// As an unsigned integer, its upper bits cut off.
    Low,
    /// As an unsigned integer, the largest one if it is larger.
    ClampU,
    /// As a signed integer, clamped.
    ClampI,
    /// As a fraction of the largest unsigned integer.
    Unorm,
    /// As a fraction of the largest signed integer.
    Snorm,
    /// As an f16.
    Half,
}

/// What a normalised field of so many bits holds for 1.
fn scale(signed: bool, bits: u32) -> f32 {
    ((1u32 << (bits - u32::from(signed))) - 1) as f32
}

impl Compiler<'_> {
    fn add(&mut self, kind: Kind, a: Reg, b: Reg) -> Reg {
        let f = if kind.is_float() { Binary::AddF } else { Binary::AddI };
        let sum = self.binary(f, a, b);
        self.rounded(kind, sum)
    }

    fn sub(&mut self, kind: Kind, a: Reg, b: Reg) -> Reg {
        let f = if kind.is_float() { Binary::SubF } else { Binary::SubI };
        let difference = self.binary(f, a, b);
        self.rounded(kind, difference)
    }

    fn mul(&mut self, kind: Kind, a: Reg, b: Reg) -> Reg {
        let f = if kind.is_float() { Binary::MulF } else { Binary::MulI };
        let product = self.binary(f, a, b);
        self.rounded(kind, product)
    }

    fn div(&mut self, kind: Kind, a: Reg, b: Reg) -> Reg {
        let quotient = self.binary(Binary::DivF, a, b);
        self.rounded(kind, quotient)
    }

    fn sqrt(&mut self, kind: Kind, a: Reg) -> Reg {
        let root = self.unary(Unary::Sqrt, a);
        self.rounded(kind, root)
    }

    /// A sum of products, from left to right, each after the first fused into the sum where the
    /// processor does that.
    pub(in crate::cpu) fn dot(&mut self, kind: Kind, a: &[Reg], b: &[Reg]) -> Result<Reg> {
        let mut sum = None;
        for (&a, &b) in a.iter().zip(b) {
            sum = Some(match sum {
                None => self.mul(kind, a, b),
                Some(sum) if kind == Kind::F32 && host_has_fma() => {
                    self.ternary(Ternary::FmaF, a, b, sum)
                }
                Some(sum) => {
                    let product = self.mul(kind, a, b);
                    self.add(kind, sum, product)
                }
            });
        }
        sum.ok_or_else(|| self.broken("a dot product of nothing"))
    }

    fn length(&mut self, kind: Kind, a: &[Reg]) -> Result<Reg> {
        if let &[scalar] = a {
            return Ok(self.unary(Unary::AbsF, scalar));
        }
        let squares = self.dot(kind, a, a)?;
        Ok(self.sqrt(kind, squares))
    }

    /// `(x << shift) | rest` and the like, for packing.
    fn pack(&mut self, value: &[Reg], f: Field, bits: u32) -> Result<Reg> {
        let mut word = None;
        for (k, &x) in value.iter().enumerate() {
            let field = self.narrow(x, f, bits);
            let shift = self.constant(k as u32 * bits);
            let field = self.binary(Binary::Shl, field, shift);
            word = Some(match word {
                None => field,
                Some(word) => self.binary(Binary::Or, word, field),
            });
        }
        word.ok_or_else(|| self.broken("nothing to pack"))
    }

    /// The fields of a word.
    fn unpack(&mut self, word: Reg, f: Field, bits: u32) -> Value {
        (0..32 / bits)
            .map(|k| {
                let shift = self.constant(k * bits);
                let field = self.binary(Binary::ShrU, word, shift);
                self.widen(field, f, bits)
            })
            .collect()
    }

    /// A value in the low bits of a word, whose others are zero.
    fn narrow(&mut self, x: Reg, f: Field, bits: u32) -> Reg {
        let mask = self.constant((1 << bits) - 1);
        match f {
            Field::Low => self.binary(Binary::And, x, mask),
            Field::Half => self.unary(Unary::HBits, x),
            Field::ClampI => {
                let (least, most) = (
                    self.constant(-(1 << (bits - 1)) as u32),
                    self.constant((1 << (bits - 1)) - 1),
                );
                let above = self.binary(Binary::MaxI, x, least);
                let inside = self.binary(Binary::MinI, above, most);
                self.binary(Binary::And, inside, mask)
            }
            Field::ClampU => self.binary(Binary::MinU, x, mask),
            // floor(0.5 + scale * clamp(x, least, 1))
            Field::Unorm | Field::Snorm => {
                let signed = f == Field::Snorm;
                let (least, one) = (self.float(if signed { -1.0 } else { 0.0 }), self.float(1.0));
                let scale = self.float(scale(signed, bits));
                let half = self.float(0.5);
                let above = self.binary(Binary::MaxF, x, least);
                let inside = self.binary(Binary::MinF, above, one);
                let scaled = self.binary(Binary::MulF, scale, inside);
                let sum = self.binary(Binary::AddF, half, scaled);
                let whole = self.unary(Unary::Floor, sum);
                let to = if signed { Unary::FToI } else { Unary::FToU };
                let whole = self.unary(to, whole);
                self.binary(Binary::And, whole, mask)
            }
        }
    }

    /// The value in the low bits of a word.
    fn widen(&mut self, field: Reg, f: Field, bits: u32) -> Reg {
        match f {
            Field::Half => return self.unary(Unary::FromHBits, field),
            Field::ClampI | Field::Snorm => {}
            Field::Low | Field::ClampU | Field::Unorm => {
                let mask = self.constant((1 << bits) - 1);
                let low = self.binary(Binary::And, field, mask);
                if f != Field::Unorm {
                    return low;
                }
                let (x, scale) = (self.unary(Unary::UToF, low), self.float(scale(false, bits)));
                return self.binary(Binary::DivF, x, scale);
            }
        }
        let rest = self.constant(32 - bits);
        let up = self.binary(Binary::Shl, field, rest);
        let extended = self.binary(Binary::ShrI, up, rest);
        if f != Field::Snorm {
            return extended;
        }
        let (x, scale) = (self.unary(Unary::IToF, extended), self.float(scale(true, bits)));
        let (x, least) = (self.binary(Binary::DivF, x, scale), self.float(-1.0));
        self.binary(Binary::MaxF, x, least)
    }

    /// `count` ones, and the same from bit `offset` on; both clamped to the word as WGSL's bit
    /// fields are. Then the offset.
    fn bit_field(&mut self, offset: Reg, count: Reg) -> [Reg; 3] {
        let (word, all, one) = (self.constant(32), self.constant(u32::MAX), self.constant(1));
        let offset = self.binary(Binary::MinU, offset, word);
        let room = self.binary(Binary::SubI, word, offset);
        let count = self.binary(Binary::MinU, count, room);
        // In two halves: a shift by 32 is one by 0.
        let half = self.binary(Binary::ShrU, count, one);
        let other = self.binary(Binary::SubI, count, half);
        let zeros = self.binary(Binary::Shl, all, half);
        let zeros = self.binary(Binary::Shl, zeros, other);
        let ones = self.binary(Binary::Xor, zeros, all);
        [ones, self.binary(Binary::Shl, ones, offset), offset]
    }

    /// A bit field of a word; the top bit of a signed one is its sign.
    fn extract_bits(&mut self, word: Reg, offset: Reg, count: Reg, signed: bool) -> Reg {
        let [ones, _, offset] = self.bit_field(offset, count);
        // From bit 32 on there are no ones.
        let low = self.binary(Binary::ShrU, word, offset);
        let field = self.binary(Binary::And, low, ones);
        if !signed {
            return field;
        }
        let one = self.constant(1);
        let rest = self.binary(Binary::ShrU, ones, one);
        let sign = self.binary(Binary::Xor, ones, rest);
        let flipped = self.binary(Binary::Xor, field, sign);
        self.binary(Binary::SubI, flipped, sign)
    }

    /// The sum of the products of four bytes.
    fn dot4(&mut self, a: Reg, b: Reg, f: Field) -> Result<Reg> {
        let (a, b) = (self.unpack(a, f, 8), self.unpack(b, f, 8));
        let mut sum = None;
        for (&x, &y) in a.iter().zip(b.iter()) {
            let product = self.binary(Binary::MulI, x, y);
            sum = Some(match sum {
                None => product,
                Some(sum) => self.binary(Binary::AddI, sum, product),
            });
        }
        sum.ok_or_else(|| self.broken("a dot product of nothing"))
    }

    pub(in crate::cpu) fn math(
        &mut self,
        scope: Scope,
        fun: M,
        arguments: [Option<Handle<Expression>>; 4],
    ) -> Result<Value> {
        let first = arguments[0].ok_or_else(|| self.broken("a function without arguments"))?;
        let kind = self.kind(scope, first)?;
        let extent = self.shapes.extent(self.shape(scope, first)?);
        let mut args: Vec<Value> = Vec::new();
        for argument in arguments.into_iter().flatten() {
            args.push(self.ready_value(scope, argument)?);
        }
        let missing = self.broken("a function with too few arguments");
        let arg = |k: usize| args.get(k).cloned().ok_or_else(|| missing.clone());
        let a = arg(0)?;
        let one = |reg: Reg| Ok(Value::from([reg]));
        match fun {
            M::Dot => {
                let dot = self.dot(kind, &a, &arg(1)?)?;
                one(dot)
            }
            M::Cross => {
                let b = arg(1)?;
                if a.len() != 3 || b.len() != 3 {
                    return Err(self.broken("a cross product of other than vec3"));
                }
                Ok([(1, 2), (2, 0), (0, 1)]
                    .into_iter()
                    .map(|(i, j)| {
                        let left = self.mul(kind, a[i], b[j]);
                        let right = self.mul(kind, a[j], b[i]);
                        self.sub(kind, left, right)
                    })
                    .collect())
            }
            M::Length => {
                let length = self.length(kind, &a)?;
                one(length)
            }
            M::Distance => {
                let b = arg(1)?;
                let apart: Vec<Reg> =
                    a.iter().zip(b.iter()).map(|(&a, &b)| self.sub(kind, a, b)).collect();
                let length = self.length(kind, &apart)?;
                one(length)
            }
            M::Normalize => {
                let length = self.length(kind, &a)?;
                Ok(a.iter().map(|&a| self.div(kind, a, length)).collect())
            }
            M::FaceForward => {
                let towards = self.dot(kind, &arg(1)?, &arg(2)?)?;
                let zero = self.constant(0);
                let faces = self.binary(Binary::LtF, towards, zero);
                Ok(a.iter()
                    .map(|&x| {
                        let turned = self.unary(Unary::NegF, x);
                        self.select(faces, x, turned)
                    })
                    .collect())
            }
            M::Reflect => {
                // e1 - 2 * dot(e2, e1) * e2
                let normal = arg(1)?;
                let along = self.dot(kind, &normal, &a)?;
                let two = self.float(2.0);
                let twice = self.mul(kind, two, along);
                Ok(a.iter()
                    .zip(normal.iter())
                    .map(|(&x, &n)| {
                        let back = self.mul(kind, twice, n);
                        self.sub(kind, x, back)
                    })
                    .collect())
            }
            M::Refract => {
                // k = 1 - e3 * e3 * (1 - dot(e2, e1)^2); k < 0 gives zero, else
                // e3 * e1 - (e3 * dot(e2, e1) + sqrt(k)) * e2
                let (normal, ratio) = (arg(1)?, arg(2)?[0]);
                let along = self.dot(kind, &normal, &a)?;
                let unit = self.float(1.0);
                let square = self.mul(kind, along, along);
                let rest = self.sub(kind, unit, square);
                let ratios = self.mul(kind, ratio, ratio);
                let bent = self.mul(kind, ratios, rest);
                let k = self.sub(kind, unit, bent);
                let zero = self.constant(0);
                let total = self.binary(Binary::LtF, k, zero);
                let scaled = self.mul(kind, ratio, along);
                let root = self.sqrt(kind, k);
                let factor = self.add(kind, scaled, root);
                Ok(a.iter()
                    .zip(normal.iter())
                    .map(|(&x, &n)| {
                        let straight = self.mul(kind, ratio, x);
                        let aside = self.mul(kind, factor, n);
                        let ray = self.sub(kind, straight, aside);
                        self.select(total, zero, ray)
                    })
                    .collect())
            }
            M::Outer => {
                let b = arg(1)?;
                Ok(b.iter()
                    .flat_map(|&y| a.iter().map(move |&x| (x, y)))
                    .map(|(x, y)| self.mul(kind, x, y))
                    .collect())
            }
            M::Transpose => match extent {
                Extent::Matrix(columns, rows) => Ok((0..rows)
                    .flat_map(|row| (0..columns).map(move |column| (column, row)))
                    .map(|(column, row)| a[column * rows + row])
                    .collect()),
                _ => Err(self.broken("the transpose of other than a matrix")),
            },
            M::Determinant => match extent {
                Extent::Matrix(n, _) => {
                    let determinant = self.determinant(kind, &a, n);
                    one(determinant)
                }
                _ => Err(self.broken("the determinant of other than a matrix")),
            },
            M::Modf => {
                let whole: Vec<Reg> = a.iter().map(|&x| self.unary(Unary::Trunc, x)).collect();
                let mut regs: Vec<Reg> = a
                    .iter()
                    .zip(&whole)
                    .map(|(&x, &whole)| self.binary(Binary::SubF, x, whole))
                    .collect();
                regs.extend(whole);
                Ok(regs.into())
            }
            M::Frexp => Ok([Unary::FrexpFract, Unary::FrexpExponent]
                .into_iter()
                .flat_map(|f| a.iter().map(move |&x| (f, x)))
                .map(|(f, x)| self.unary(f, x))
                .collect()),
            M::Dot4I8Packed | M::Dot4U8Packed => {
                let f = if fun == M::Dot4I8Packed { Field::ClampI } else { Field::Low };
                let (x, y) = (a[0], arg(1)?[0]);
                self.dot4(x, y, f).and_then(one)
            }
            M::Pack4x8snorm => self.pack(&a, Field::Snorm, 8).and_then(one),
            M::Pack4x8unorm => self.pack(&a, Field::Unorm, 8).and_then(one),
            M::Pack2x16snorm => self.pack(&a, Field::Snorm, 16).and_then(one),
            M::Pack2x16unorm => self.pack(&a, Field::Unorm, 16).and_then(one),
            M::Pack2x16float => self.pack(&a, Field::Half, 16).and_then(one),
            M::Pack4xI8 | M::Pack4xU8 => self.pack(&a, Field::Low, 8).and_then(one),
            M::Pack4xI8Clamp => self.pack(&a, Field::ClampI, 8).and_then(one),
            M::Pack4xU8Clamp => self.pack(&a, Field::ClampU, 8).and_then(one),
            M::Unpack4x8snorm => Ok(self.unpack(a[0], Field::Snorm, 8)),
            M::Unpack4x8unorm => Ok(self.unpack(a[0], Field::Unorm, 8)),
            M::Unpack2x16snorm => Ok(self.unpack(a[0], Field::Snorm, 16)),
            M::Unpack2x16unorm => Ok(self.unpack(a[0], Field::Unorm, 16)),
            M::Unpack2x16float => Ok(self.unpack(a[0], Field::Half, 16)),
            M::Unpack4xI8 => Ok(self.unpack(a[0], Field::ClampI, 8)),
            M::Unpack4xU8 => Ok(self.unpack(a[0], Field::Low, 8)),
            _ => {
                let count = args.iter().map(|arg| arg.len()).max().unwrap_or(0);
                (0..count)
                    .map(|k| {
                        let lane: Vec<Reg> = args
                            .iter()
                            .map(|arg| arg[if arg.len() == 1 { 0 } else { k }])
                            .collect();
                        self.scalar_math(fun, kind, &lane)
                    })
                    .collect()
            }
        }
    }

    /// By the first row (of the columns' first components): WGSL leaves the order open.
    fn determinant(&mut self, kind: Kind, m: &[Reg], n: usize) -> Reg {
        let at = |column: usize, row: usize| m[column * n + row];
        let two = |this: &mut Self, c: [usize; 2], r: [usize; 2]| {
            let left = this.mul(kind, at(c[0], r[0]), at(c[1], r[1]));
            let right = this.mul(kind, at(c[1], r[0]), at(c[0], r[1]));
            this.sub(kind, left, right)
        };
        let three = |this: &mut Self, c: [usize; 3], r: [usize; 3]| {
            let minors = [
                two(this, [c[1], c[2]], [r[1], r[2]]),
                two(this, [c[0], c[2]], [r[1], r[2]]),
                two(this, [c[0], c[1]], [r[1], r[2]]),
            ];
            let terms = [0, 1, 2].map(|k| this.mul(kind, at(c[k], r[0]), minors[k]));
            let difference = this.sub(kind, terms[0], terms[1]);
            this.add(kind, difference, terms[2])
        };
        match n {
            2 => two(self, [0, 1], [0, 1]),
            3 => three(self, [0, 1, 2], [0, 1, 2]),
            _ => {
                let minors = [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
                    .map(|columns| three(self, columns, [1, 2, 3]));
                let terms = [0, 1, 2, 3].map(|k| self.mul(kind, at(k, 0), minors[k]));
                let sum = self.sub(kind, terms[0], terms[1]);
                let sum = self.add(kind, sum, terms[2]);
                self.sub(kind, sum, terms[3])
            }
        }
    }

    /// The functions that work on each component alone.
    fn scalar_math(&mut self, fun: M, kind: Kind, args: &[Reg]) -> Result<Reg> {
        let missing = self.broken("a function with too few arguments");
        let arg = |k: usize| args.get(k).copied().ok_or_else(|| missing.clone());
        let float = kind.is_float();
        let signed = kind == Kind::I32;
        let a = arg(0)?;
        let by = |f: Unary, i: Unary, u: Unary| {
            if float {
                f
            } else if signed {
                i
            } else {
                u
            }
        };
        let least = if float {
            Binary::MinF
        } else if signed {
            Binary::MinI
        } else {
            Binary::MinU
        };
        let most = if float {
            Binary::MaxF
        } else if signed {
            Binary::MaxI
        } else {
            Binary::MaxU
        };
        let unary = match fun {
            M::Abs => by(Unary::AbsF, Unary::AbsI, Unary::Copy),
            M::Sign => by(Unary::SignF, Unary::SignI, Unary::NonZeroI),
            M::Cos => Unary::Cos,
            M::Cosh => Unary::Cosh,
            M::Sin => Unary::Sin,
            M::Sinh => Unary::Sinh,
            M::Tan => Unary::Tan,
            M::Tanh => Unary::Tanh,
            M::Acos => Unary::Acos,
            M::Asin => Unary::Asin,
            M::Atan => Unary::Atan,
            M::Asinh => Unary::Asinh,
            M::Acosh => Unary::Acosh,
            M::Atanh => Unary::Atanh,
            M::Ceil => Unary::Ceil,
            M::Floor => Unary::Floor,
            M::Round => Unary::Round,
            M::Fract => Unary::Fract,
            M::Trunc => Unary::Trunc,
            M::Exp => Unary::Exp,
            M::Exp2 => Unary::Exp2,
            M::Log => Unary::Log,
            M::Log2 => Unary::Log2,
            M::Sqrt => Unary::Sqrt,
            M::InverseSqrt => Unary::InverseSqrt,
            M::QuantizeToF16 => Unary::RoundH,
            M::CountTrailingZeros => Unary::TrailingZeros,
            M::CountLeadingZeros => Unary::LeadingZeros,
            M::CountOneBits => Unary::CountOnes,
            M::ReverseBits => Unary::ReverseBits,
            M::FirstTrailingBit => Unary::FirstTrailing,
            M::FirstLeadingBit if signed => Unary::FirstLeadingI,
            M::FirstLeadingBit => Unary::FirstLeadingU,
            _ => {
                return match fun {
                    M::Min => Ok(self.binary(least, a, arg(1)?)),
                    M::Max => Ok(self.binary(most, a, arg(1)?)),
                    M::Clamp => {
                        let above = self.binary(most, a, arg(1)?);
                        Ok(self.binary(least, above, arg(2)?))
                    }
                    M::Saturate => {
                        let (zero, one) = (self.float(0.0), self.float(1.0));
                        let above = self.binary(most, a, zero);
                        Ok(self.binary(least, above, one))
                    }
                    M::Radians => {
                        let factor = self.float(std::f32::consts::PI / 180.0);
                        Ok(self.mul(kind, a, factor))
                    }
                    M::Degrees => {
                        let factor = self.float(180.0 / std::f32::consts::PI);
                        Ok(self.mul(kind, a, factor))
                    }
                    M::Atan2 | M::Pow | M::Step => {
                        let f = match fun {
                            M::Atan2 => Binary::Atan2F,
                            M::Pow => Binary::PowF,
                            _ => Binary::StepF,
                        };
                        let result = self.binary(f, a, arg(1)?);
                        Ok(self.rounded(kind, result))
                    }
                    M::Ldexp => {
                        let result = self.binary(Binary::Ldexp, a, arg(1)?);
                        Ok(self.rounded(kind, result))
                    }
                    M::Fma => {
                        let f = if kind == Kind::F16 { Ternary::FmaH } else { Ternary::FmaF };
                        Ok(self.ternary(f, a, arg(1)?, arg(2)?))
                    }
                    M::Mix => {
                        // x * (1 - t) + y * t
                        let (y, t) = (arg(1)?, arg(2)?);
                        let one = self.float(1.0);
                        let rest = self.sub(kind, one, t);
                        let left = self.mul(kind, a, rest);
                        let right = self.mul(kind, y, t);
                        Ok(self.add(kind, left, right))
                    }
                    M::SmoothStep => {
                        // t = clamp((x - low) / (high - low), 0, 1); t * t * (3 - 2 * t)
                        let (high, x) = (arg(1)?, arg(2)?);
                        let above = self.sub(kind, x, a);
                        let range = self.sub(kind, high, a);
                        let t = self.div(kind, above, range);
                        let (zero, one) = (self.float(0.0), self.float(1.0));
                        let t = self.binary(Binary::MaxF, t, zero);
                        let t = self.binary(Binary::MinF, t, one);
                        let square = self.mul(kind, t, t);
                        let (two, three) = (self.float(2.0), self.float(3.0));
                        let twice = self.mul(kind, two, t);
                        let rest = self.sub(kind, three, twice);
                        Ok(self.mul(kind, square, rest))
                    }
                    M::ExtractBits => Ok(self.extract_bits(a, arg(1)?, arg(2)?, signed)),
                    M::InsertBits => {
                        let (field, offset, count) = (arg(1)?, arg(2)?, arg(3)?);
                        let [_, mask, _] = self.bit_field(offset, count);
                        let field = self.binary(Binary::Shl, field, offset);
                        Ok(self.select(mask, field, a))
                    }
                    _ => Err(self
                        .unsupported("this built-in function in the CPU's interpreter", self.span)),
                };
            }
        };
        let result = self.unary(unary, a);
        // These are exact in f16, or no floats.
        let exact = !float
            || matches!(
                fun,
                M::Abs | M::Sign | M::Ceil | M::Floor | M::Round | M::Trunc | M::QuantizeToF16
            );
        Ok(if exact { result } else { self.rounded(kind, result) })
    }
}
