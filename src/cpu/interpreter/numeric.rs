//! WGSL's built-in functions, as sequences of scalar functions.
//!
//! Every CPU engine must give the same bits, so the formulas here and their order of evaluation are part of the
//! semantics. Sums run from left to right, and only `dot` is contracted. f16 operations are rounded one by one.

use naga::{Expression, Handle, MathFunction as M};

use super::compiler::{Compiler, Scope, Value};
use super::functions::{Binary, Reg, Ternary, Unary};
use super::shape::{Extent, Kind};
use crate::error::Result;
use crate::kernel::host_has_fma;

/// The representation of a number in the low bits of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// An unsigned integer, truncated to the field.
    Low,
    /// An unsigned integer, clamped to the field.
    ClampU,
    /// A signed integer, clamped to the field.
    ClampI,
    /// A fraction of the largest unsigned integer.
    Unorm,
    /// A fraction of the largest signed integer.
    Snorm,
    /// An f16.
    Half,
}

/// The value that stands for 1 in a normalised field of `bits` bits.
fn scale(signed: bool, bits: u32) -> f32 {
    ((1u32 << (bits - u32::from(signed))) - 1) as f32
}

fn add(c: &mut Compiler<'_>, kind: Kind, a: Reg, b: Reg) -> Reg {
    let f = if kind.is_float() { Binary::AddF } else { Binary::AddI };
    let sum = c.binary(f, a, b);
    c.rounded(kind, sum)
}

fn sub(c: &mut Compiler<'_>, kind: Kind, a: Reg, b: Reg) -> Reg {
    let f = if kind.is_float() { Binary::SubF } else { Binary::SubI };
    let difference = c.binary(f, a, b);
    c.rounded(kind, difference)
}

fn mul(c: &mut Compiler<'_>, kind: Kind, a: Reg, b: Reg) -> Reg {
    let f = if kind.is_float() { Binary::MulF } else { Binary::MulI };
    let product = c.binary(f, a, b);
    c.rounded(kind, product)
}

fn div(c: &mut Compiler<'_>, kind: Kind, a: Reg, b: Reg) -> Reg {
    let quotient = c.binary(Binary::DivF, a, b);
    c.rounded(kind, quotient)
}

fn sqrt(c: &mut Compiler<'_>, kind: Kind, a: Reg) -> Reg {
    let root = c.unary(Unary::Sqrt, a);
    c.rounded(kind, root)
}

/// A sum of products, from left to right. Each product after the first is fused into the sum if the processor
/// has a fused multiply-add.
pub(in crate::cpu) fn dot(c: &mut Compiler<'_>, kind: Kind, a: &[Reg], b: &[Reg]) -> Result<Reg> {
    let mut sum = None;
    for (&a, &b) in a.iter().zip(b) {
        sum = Some(match sum {
            None => mul(c, kind, a, b),
            Some(sum) if kind == Kind::F32 && host_has_fma() => c.ternary(Ternary::FmaF, a, b, sum),
            Some(sum) => {
                let product = mul(c, kind, a, b);
                add(c, kind, sum, product)
            }
        });
    }
    sum.ok_or_else(|| c.broken("a dot product of operands without components"))
}

fn length(c: &mut Compiler<'_>, kind: Kind, a: &[Reg]) -> Result<Reg> {
    if let &[scalar] = a {
        return Ok(c.unary(Unary::AbsF, scalar));
    }
    let squares = dot(c, kind, a, a)?;
    Ok(sqrt(c, kind, squares))
}

/// Packs values into the fields of a word.
fn pack(c: &mut Compiler<'_>, value: &[Reg], f: Field, bits: u32) -> Result<Reg> {
    let mut word = None;
    for (k, &x) in value.iter().enumerate() {
        let field = narrow(c, x, f, bits);
        let shift = c.constant(k as u32 * bits);
        let field = c.binary(Binary::Shl, field, shift);
        word = Some(match word {
            None => field,
            Some(word) => c.binary(Binary::Or, word, field),
        });
    }
    word.ok_or_else(|| c.broken("a pack of a value without components"))
}

/// The fields of a word.
fn unpack(c: &mut Compiler<'_>, word: Reg, f: Field, bits: u32) -> Value {
    (0..32 / bits)
        .map(|k| {
            let shift = c.constant(k * bits);
            let field = c.binary(Binary::ShrU, word, shift);
            widen(c, field, f, bits)
        })
        .collect()
}

/// A value in the low bits of a word, whose other bits are zero.
fn narrow(c: &mut Compiler<'_>, x: Reg, f: Field, bits: u32) -> Reg {
    let mask = c.constant((1 << bits) - 1);
    match f {
        Field::Low => c.binary(Binary::And, x, mask),
        Field::Half => c.unary(Unary::HBits, x),
        Field::ClampI => {
            let (least, most) =
                (c.constant(-(1 << (bits - 1)) as u32), c.constant((1 << (bits - 1)) - 1));
            let above = c.binary(Binary::MaxI, x, least);
            let inside = c.binary(Binary::MinI, above, most);
            c.binary(Binary::And, inside, mask)
        }
        Field::ClampU => c.binary(Binary::MinU, x, mask),
        // floor(0.5 + scale * clamp(x, least, 1))
        Field::Unorm | Field::Snorm => {
            let signed = f == Field::Snorm;
            let (least, one) = (c.float(if signed { -1.0 } else { 0.0 }), c.float(1.0));
            let scale = c.float(scale(signed, bits));
            let half = c.float(0.5);
            let above = c.binary(Binary::MaxF, x, least);
            let inside = c.binary(Binary::MinF, above, one);
            let scaled = c.binary(Binary::MulF, scale, inside);
            let sum = c.binary(Binary::AddF, half, scaled);
            let whole = c.unary(Unary::Floor, sum);
            let to = if signed { Unary::FToI } else { Unary::FToU };
            let whole = c.unary(to, whole);
            c.binary(Binary::And, whole, mask)
        }
    }
}

/// The value in the low bits of a word.
fn widen(c: &mut Compiler<'_>, field: Reg, f: Field, bits: u32) -> Reg {
    match f {
        Field::Half => return c.unary(Unary::FromHBits, field),
        Field::ClampI | Field::Snorm => {}
        Field::Low | Field::ClampU | Field::Unorm => {
            let mask = c.constant((1 << bits) - 1);
            let low = c.binary(Binary::And, field, mask);
            if f != Field::Unorm {
                return low;
            }
            let (x, scale) = (c.unary(Unary::UToF, low), c.float(scale(false, bits)));
            return c.binary(Binary::DivF, x, scale);
        }
    }
    let rest = c.constant(32 - bits);
    let up = c.binary(Binary::Shl, field, rest);
    let extended = c.binary(Binary::ShrI, up, rest);
    if f != Field::Snorm {
        return extended;
    }
    let (x, scale) = (c.unary(Unary::IToF, extended), c.float(scale(true, bits)));
    let (x, least) = (c.binary(Binary::DivF, x, scale), c.float(-1.0));
    c.binary(Binary::MaxF, x, least)
}

/// A mask of `count` ones, the same mask shifted to bit `offset`, and the offset. Offset and count are clamped
/// to the word, as in WGSL's bit fields.
fn bit_field(c: &mut Compiler<'_>, offset: Reg, count: Reg) -> [Reg; 3] {
    let (word, all, one) = (c.constant(32), c.constant(u32::MAX), c.constant(1));
    let offset = c.binary(Binary::MinU, offset, word);
    let room = c.binary(Binary::SubI, word, offset);
    let count = c.binary(Binary::MinU, count, room);
    // The shift is split in two, because a shift by 32 would be one by 0.
    let half = c.binary(Binary::ShrU, count, one);
    let other = c.binary(Binary::SubI, count, half);
    let zeros = c.binary(Binary::Shl, all, half);
    let zeros = c.binary(Binary::Shl, zeros, other);
    let ones = c.binary(Binary::Xor, zeros, all);
    [ones, c.binary(Binary::Shl, ones, offset), offset]
}

/// A bit field of a word. The top bit of a signed field is its sign.
fn extract_bits(c: &mut Compiler<'_>, word: Reg, offset: Reg, count: Reg, signed: bool) -> Reg {
    let [ones, _, offset] = bit_field(c, offset, count);
    // For an offset of 32, which would shift by 0, `ones` is zero.
    let low = c.binary(Binary::ShrU, word, offset);
    let field = c.binary(Binary::And, low, ones);
    if !signed {
        return field;
    }
    let one = c.constant(1);
    let rest = c.binary(Binary::ShrU, ones, one);
    let sign = c.binary(Binary::Xor, ones, rest);
    let flipped = c.binary(Binary::Xor, field, sign);
    c.binary(Binary::SubI, flipped, sign)
}

/// The sum of the products of four bytes.
fn dot4(c: &mut Compiler<'_>, a: Reg, b: Reg, f: Field) -> Result<Reg> {
    let (a, b) = (unpack(c, a, f, 8), unpack(c, b, f, 8));
    let mut sum = None;
    for (&x, &y) in a.iter().zip(b.iter()) {
        let product = c.binary(Binary::MulI, x, y);
        sum = Some(match sum {
            None => product,
            Some(sum) => c.binary(Binary::AddI, sum, product),
        });
    }
    sum.ok_or_else(|| c.broken("a dot product of operands without components"))
}

pub(in crate::cpu) fn math(
    c: &mut Compiler<'_>,
    scope: Scope,
    fun: M,
    arguments: [Option<Handle<Expression>>; 4],
) -> Result<Value> {
    let first = arguments[0].ok_or_else(|| c.broken("a function without arguments"))?;
    let kind = c.kind(scope, first)?;
    let extent = c.shapes.extent(c.shape(scope, first)?);
    let mut args: Vec<Value> = Vec::new();
    for argument in arguments.into_iter().flatten() {
        args.push(c.ready_value(scope, argument)?);
    }
    let missing = c.broken("a function with too few arguments");
    let arg = |k: usize| args.get(k).cloned().ok_or_else(|| missing.clone());
    let a = arg(0)?;
    let one = |reg: Reg| Ok(Value::from([reg]));
    match fun {
        M::Dot => {
            let dot = dot(c, kind, &a, &arg(1)?)?;
            one(dot)
        }
        M::Cross => {
            let b = arg(1)?;
            if a.len() != 3 || b.len() != 3 {
                return Err(c.broken("a cross product of operands that are not vec3"));
            }
            Ok([(1, 2), (2, 0), (0, 1)]
                .into_iter()
                .map(|(i, j)| {
                    let left = mul(c, kind, a[i], b[j]);
                    let right = mul(c, kind, a[j], b[i]);
                    sub(c, kind, left, right)
                })
                .collect())
        }
        M::Length => {
            let length = length(c, kind, &a)?;
            one(length)
        }
        M::Distance => {
            let b = arg(1)?;
            let apart: Vec<Reg> =
                a.iter().zip(b.iter()).map(|(&a, &b)| sub(c, kind, a, b)).collect();
            let length = length(c, kind, &apart)?;
            one(length)
        }
        M::Normalize => {
            let length = length(c, kind, &a)?;
            Ok(a.iter().map(|&a| div(c, kind, a, length)).collect())
        }
        M::FaceForward => {
            let towards = dot(c, kind, &arg(1)?, &arg(2)?)?;
            let zero = c.constant(0);
            let faces = c.binary(Binary::LtF, towards, zero);
            Ok(a.iter()
                .map(|&x| {
                    let turned = c.unary(Unary::NegF, x);
                    c.select(faces, x, turned)
                })
                .collect())
        }
        M::Reflect => {
            // e1 - 2 * dot(e2, e1) * e2
            let normal = arg(1)?;
            let along = dot(c, kind, &normal, &a)?;
            let two = c.float(2.0);
            let twice = mul(c, kind, two, along);
            Ok(a.iter()
                .zip(normal.iter())
                .map(|(&x, &n)| {
                    let back = mul(c, kind, twice, n);
                    sub(c, kind, x, back)
                })
                .collect())
        }
        M::Refract => {
            // k = 1 - e3 * e3 * (1 - dot(e2, e1)^2); k < 0 gives zero, else
            // e3 * e1 - (e3 * dot(e2, e1) + sqrt(k)) * e2
            let (normal, ratio) = (arg(1)?, arg(2)?[0]);
            let along = dot(c, kind, &normal, &a)?;
            let unit = c.float(1.0);
            let square = mul(c, kind, along, along);
            let rest = sub(c, kind, unit, square);
            let ratios = mul(c, kind, ratio, ratio);
            let bent = mul(c, kind, ratios, rest);
            let k = sub(c, kind, unit, bent);
            let zero = c.constant(0);
            let total = c.binary(Binary::LtF, k, zero);
            let scaled = mul(c, kind, ratio, along);
            let root = sqrt(c, kind, k);
            let factor = add(c, kind, scaled, root);
            Ok(a.iter()
                .zip(normal.iter())
                .map(|(&x, &n)| {
                    let straight = mul(c, kind, ratio, x);
                    let aside = mul(c, kind, factor, n);
                    let ray = sub(c, kind, straight, aside);
                    c.select(total, zero, ray)
                })
                .collect())
        }
        M::Outer => {
            let b = arg(1)?;
            Ok(b.iter()
                .flat_map(|&y| a.iter().map(move |&x| (x, y)))
                .map(|(x, y)| mul(c, kind, x, y))
                .collect())
        }
        M::Transpose => match extent {
            Extent::Matrix(columns, rows) => Ok((0..rows)
                .flat_map(|row| (0..columns).map(move |column| (column, row)))
                .map(|(column, row)| a[column * rows + row])
                .collect()),
            _ => Err(c.broken("a transpose of a value that is not a matrix")),
        },
        M::Determinant => match extent {
            Extent::Matrix(n, _) => {
                let determinant = determinant(c, kind, &a, n);
                one(determinant)
            }
            _ => Err(c.broken("a determinant of a value that is not a matrix")),
        },
        M::Modf => {
            let whole: Vec<Reg> = a.iter().map(|&x| c.unary(Unary::Trunc, x)).collect();
            let mut regs: Vec<Reg> =
                a.iter().zip(&whole).map(|(&x, &whole)| c.binary(Binary::SubF, x, whole)).collect();
            regs.extend(whole);
            Ok(regs.into())
        }
        M::Frexp => Ok([Unary::FrexpFract, Unary::FrexpExponent]
            .into_iter()
            .flat_map(|f| a.iter().map(move |&x| (f, x)))
            .map(|(f, x)| c.unary(f, x))
            .collect()),
        M::Dot4I8Packed | M::Dot4U8Packed => {
            let f = if fun == M::Dot4I8Packed { Field::ClampI } else { Field::Low };
            let (x, y) = (a[0], arg(1)?[0]);
            dot4(c, x, y, f).and_then(one)
        }
        M::Pack4x8snorm => pack(c, &a, Field::Snorm, 8).and_then(one),
        M::Pack4x8unorm => pack(c, &a, Field::Unorm, 8).and_then(one),
        M::Pack2x16snorm => pack(c, &a, Field::Snorm, 16).and_then(one),
        M::Pack2x16unorm => pack(c, &a, Field::Unorm, 16).and_then(one),
        M::Pack2x16float => pack(c, &a, Field::Half, 16).and_then(one),
        M::Pack4xI8 | M::Pack4xU8 => pack(c, &a, Field::Low, 8).and_then(one),
        M::Pack4xI8Clamp => pack(c, &a, Field::ClampI, 8).and_then(one),
        M::Pack4xU8Clamp => pack(c, &a, Field::ClampU, 8).and_then(one),
        M::Unpack4x8snorm => Ok(unpack(c, a[0], Field::Snorm, 8)),
        M::Unpack4x8unorm => Ok(unpack(c, a[0], Field::Unorm, 8)),
        M::Unpack2x16snorm => Ok(unpack(c, a[0], Field::Snorm, 16)),
        M::Unpack2x16unorm => Ok(unpack(c, a[0], Field::Unorm, 16)),
        M::Unpack2x16float => Ok(unpack(c, a[0], Field::Half, 16)),
        M::Unpack4xI8 => Ok(unpack(c, a[0], Field::ClampI, 8)),
        M::Unpack4xU8 => Ok(unpack(c, a[0], Field::Low, 8)),
        _ => {
            let count = args.iter().map(|arg| arg.len()).max().unwrap_or(0);
            (0..count)
                .map(|k| {
                    let lane: Vec<Reg> =
                        args.iter().map(|arg| arg[if arg.len() == 1 { 0 } else { k }]).collect();
                    scalar_math(c, fun, kind, &lane)
                })
                .collect()
        }
    }
}

/// Expands along the first row (the columns' first components): WGSL leaves the order open.
fn determinant(c: &mut Compiler<'_>, kind: Kind, m: &[Reg], n: usize) -> Reg {
    let at = |column: usize, row: usize| m[column * n + row];
    let two = |this: &mut Compiler<'_>, c: [usize; 2], r: [usize; 2]| {
        let left = mul(this, kind, at(c[0], r[0]), at(c[1], r[1]));
        let right = mul(this, kind, at(c[1], r[0]), at(c[0], r[1]));
        sub(this, kind, left, right)
    };
    let three = |this: &mut Compiler<'_>, c: [usize; 3], r: [usize; 3]| {
        let minors = [
            two(this, [c[1], c[2]], [r[1], r[2]]),
            two(this, [c[0], c[2]], [r[1], r[2]]),
            two(this, [c[0], c[1]], [r[1], r[2]]),
        ];
        let terms = [0, 1, 2].map(|k| mul(this, kind, at(c[k], r[0]), minors[k]));
        let difference = sub(this, kind, terms[0], terms[1]);
        add(this, kind, difference, terms[2])
    };
    match n {
        2 => two(c, [0, 1], [0, 1]),
        3 => three(c, [0, 1, 2], [0, 1, 2]),
        _ => {
            let minors = [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]
                .map(|columns| three(c, columns, [1, 2, 3]));
            let terms = [0, 1, 2, 3].map(|k| mul(c, kind, at(k, 0), minors[k]));
            let sum = sub(c, kind, terms[0], terms[1]);
            let sum = add(c, kind, sum, terms[2]);
            sub(c, kind, sum, terms[3])
        }
    }
}

/// Functions that work on each component alone.
fn scalar_math(c: &mut Compiler<'_>, fun: M, kind: Kind, args: &[Reg]) -> Result<Reg> {
    let missing = c.broken("a function with too few arguments");
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
                M::Min => Ok(c.binary(least, a, arg(1)?)),
                M::Max => Ok(c.binary(most, a, arg(1)?)),
                M::Clamp => {
                    let above = c.binary(most, a, arg(1)?);
                    Ok(c.binary(least, above, arg(2)?))
                }
                M::Saturate => {
                    let (zero, one) = (c.float(0.0), c.float(1.0));
                    let above = c.binary(most, a, zero);
                    Ok(c.binary(least, above, one))
                }
                M::Radians => {
                    let factor = c.float(std::f32::consts::PI / 180.0);
                    Ok(mul(c, kind, a, factor))
                }
                M::Degrees => {
                    let factor = c.float(180.0 / std::f32::consts::PI);
                    Ok(mul(c, kind, a, factor))
                }
                M::Atan2 | M::Pow | M::Step => {
                    let f = match fun {
                        M::Atan2 => Binary::Atan2F,
                        M::Pow => Binary::PowF,
                        _ => Binary::StepF,
                    };
                    let result = c.binary(f, a, arg(1)?);
                    Ok(c.rounded(kind, result))
                }
                M::Ldexp => {
                    let result = c.binary(Binary::Ldexp, a, arg(1)?);
                    Ok(c.rounded(kind, result))
                }
                M::Fma => {
                    let f = if kind == Kind::F16 { Ternary::FmaH } else { Ternary::FmaF };
                    Ok(c.ternary(f, a, arg(1)?, arg(2)?))
                }
                M::Mix => {
                    // x * (1 - t) + y * t
                    let (y, t) = (arg(1)?, arg(2)?);
                    let one = c.float(1.0);
                    let rest = sub(c, kind, one, t);
                    let left = mul(c, kind, a, rest);
                    let right = mul(c, kind, y, t);
                    Ok(add(c, kind, left, right))
                }
                M::SmoothStep => {
                    // t = clamp((x - low) / (high - low), 0, 1); t * t * (3 - 2 * t)
                    let (high, x) = (arg(1)?, arg(2)?);
                    let above = sub(c, kind, x, a);
                    let range = sub(c, kind, high, a);
                    let t = div(c, kind, above, range);
                    let (zero, one) = (c.float(0.0), c.float(1.0));
                    let t = c.binary(Binary::MaxF, t, zero);
                    let t = c.binary(Binary::MinF, t, one);
                    let square = mul(c, kind, t, t);
                    let (two, three) = (c.float(2.0), c.float(3.0));
                    let twice = mul(c, kind, two, t);
                    let rest = sub(c, kind, three, twice);
                    Ok(mul(c, kind, square, rest))
                }
                M::ExtractBits => Ok(extract_bits(c, a, arg(1)?, arg(2)?, signed)),
                M::InsertBits => {
                    let (field, offset, count) = (arg(1)?, arg(2)?, arg(3)?);
                    let [_, mask, _] = bit_field(c, offset, count);
                    let field = c.binary(Binary::Shl, field, offset);
                    Ok(c.select(mask, field, a))
                }
                _ => Err(c.unsupported("this built-in function in the CPU's interpreter", c.span)),
            };
        }
    };
    let result = c.unary(unary, a);
    // These results are exact in f16, or no floats.
    let exact = !float
        || matches!(
            fun,
            M::Abs | M::Sign | M::Ceil | M::Floor | M::Round | M::Trunc | M::QuantizeToF16
        );
    Ok(if exact { result } else { c.rounded(kind, result) })
}
