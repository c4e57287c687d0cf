//! Pass 5: multiply-adds become `fma`, by one rule, so that all CPU engines agree to the bit.
//!
//! **The rule.** It applies to every addition and subtraction whose result is an `f32` or a vector
//! of `f32`, in the order of the text. An operand is a *product* if it is a multiplication of that
//! same result type, of scalars or vectors (a scalar factor of a vector counts as splatted; matrix
//! products never count), if the sum is its only use in the normalised module, and if no `let`
//! names it. By naming a product, an author has it rounded on every device alike.
//!
//! | sum         | becomes         |                                             |
//! |-------------|-----------------|---------------------------------------------|
//! | `a * b + c` | `fma(a, b, c)`  |                                             |
//! | `c + a * b` | `fma(a, b, c)`  |                                             |
//! | `a * b - c` | `fma(a, b, -c)` |                                             |
//! | `c - a * b` | `fma(-a, b, c)` |                                             |
//! | both are    | the left one is fused, the right one is rounded | `a*b - c*d` is `fma(a, b, -(c*d))` |
//!
//! Nothing else is fused: not `f16`, not a product behind a negation, a splat, a select or a
//! variable. A negation is exact, so every row rounds once.
//!
//! On a CPU without a fused multiply-add instruction the pass does nothing, because there `fma`
//! is a slow library call. GPUs get the same module; WGSL lets them compute `fma` either way.

use naga::valid::FunctionInfo;
use naga::{
    Arena, BinaryOperator, Block, Expression, Function, Handle, MathFunction, Module, Range,
    Scalar, Span, Statement, TypeInner, UnaryOperator, VectorSize,
};

use crate::error::{Error, Result};
use crate::kernel::operands::{expression_operands, statement_operands, statement_result};

/// Whether this machine's CPU multiplies and adds in one instruction.
pub(crate) fn host_has_fma() -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    return std::arch::is_x86_feature_detected!("fma");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "x86")))]
    return cfg!(target_arch = "aarch64");
}

/// One sum that becomes `fma`.
#[derive(Debug, Clone, Copy)]
struct Fusion {
    product: Handle<Expression>,
    /// The other operand of the sum.
    addend: Handle<Expression>,
    /// The addend is subtracted.
    negate_addend: bool,
    /// The product is subtracted.
    negate_product: bool,
    /// The result's size, to splat scalar factors to; `None` for a scalar.
    size: Option<VectorSize>,
}

/// Applies the rule to the one function of the module.
pub(super) fn fuse(module: &mut Module, info: &FunctionInfo) -> Result<()> {
    let function = &module.entry_points[0].function;
    let uses = uses(function);
    let mut fused: Vec<Option<Fusion>> = vec![None; function.expressions.len()];
    let mut gone = vec![false; function.expressions.len()];
    for (sum, expression) in function.expressions.iter() {
        let Expression::Binary { op, left, right } = *expression else { continue };
        let subtract = match op {
            BinaryOperator::Add => false,
            BinaryOperator::Subtract => true,
            _ => continue,
        };
        let types = &module.types;
        let inner = |e: Handle<Expression>| info[e].ty.inner_with(types);
        let Some(size) = f32_size(inner(sum)) else { continue };
        let is_product = |e: Handle<Expression>| {
            let Expression::Binary { op: BinaryOperator::Multiply, left, right } =
                function.expressions[e]
            else {
                return false;
            };
            uses[e.index()] == 1
                && !function.named_expressions.contains_key(&e)
                && f32_size(inner(e)) == Some(size)
                && f32_size(inner(left)).is_some()
                && f32_size(inner(right)).is_some()
        };
        let fusion = if is_product(left) {
            let (negate_addend, negate_product) = (subtract, false);
            Fusion { product: left, addend: right, negate_addend, negate_product, size }
        } else if is_product(right) {
            let (negate_addend, negate_product) = (false, subtract);
            Fusion { product: right, addend: left, negate_addend, negate_product, size }
        } else {
            continue;
        };
        gone[fusion.product.index()] = true;
        fused[sum.index()] = Some(fusion);
    }
    if gone.iter().any(|&g| g) {
        let function = std::mem::take(&mut module.entry_points[0].function);
        let scalar = |e: Handle<Expression>| {
            matches!(*info[e].ty.inner_with(&module.types), TypeInner::Scalar(_))
        };
        let rebuilt = rebuild(function, &fused, &gone, scalar)?;
        module.entry_points[0].function = rebuilt;
    }
    Ok(())
}

/// For an `f32` scalar or vector: `Some` of its size, which is `None` for a scalar.
fn f32_size(ty: &TypeInner) -> Option<Option<VectorSize>> {
    match *ty {
        TypeInner::Scalar(Scalar::F32) => Some(None),
        TypeInner::Vector { size, scalar: Scalar::F32 } => Some(Some(size)),
        _ => None,
    }
}

/// How often each expression is used.
fn uses(function: &Function) -> Vec<u32> {
    fn block(statements: &Block, count: &mut dyn FnMut(Handle<Expression>)) {
        for statement in statements {
            // Cheap for all but nested blocks, whose operands are visited below.
            match statement {
                Statement::Block(b) => block(b, count),
                Statement::If { condition, accept, reject } => {
                    count(*condition);
                    block(accept, count);
                    block(reject, count);
                }
                Statement::Switch { selector, cases } => {
                    count(*selector);
                    cases.iter().for_each(|case| block(&case.body, count));
                }
                Statement::Loop { body, continuing, break_if } => {
                    block(body, count);
                    block(continuing, count);
                    break_if.iter().for_each(|&condition| count(condition));
                }
                other => statement_operands(&mut other.clone(), |e| count(*e)),
            }
        }
    }
    let mut uses = vec![0; function.expressions.len()];
    for (_, expression) in function.expressions.iter() {
        expression_operands(&mut expression.clone(), |e| uses[e.index()] += 1);
    }
    for (_, local) in function.local_variables.iter() {
        local.init.iter().for_each(|e| uses[e.index()] += 1);
    }
    block(&function.body, &mut |e| uses[e.index()] += 1);
    uses
}

/// The new handles of the old arena's expressions.
struct Moved {
    /// The first expression made for an old one: helpers come first, then the expression itself.
    first: Vec<Option<Handle<Expression>>>,
    last: Vec<Option<Handle<Expression>>>,
}

impl Moved {
    fn adjust(&self, handle: &mut Handle<Expression>) -> Result<()> {
        *handle = self.last[handle.index()].ok_or_else(|| Error::Internal {
            place: "kernel::normalise::fuse".to_owned(),
            cause: "a fused product has another use".to_owned(),
        })?;
        Ok(())
    }
}

fn rebuild(
    mut function: Function,
    fused: &[Option<Fusion>],
    gone: &[bool],
    scalar: impl Fn(Handle<Expression>) -> bool,
) -> Result<Function> {
    let old = function.expressions.take();
    let mut new = Arena::new();
    let mut moved = Moved { first: vec![None; old.len()], last: vec![None; old.len()] };
    for (handle, expression) in old.iter() {
        if gone[handle.index()] {
            continue;
        }
        let span = old.get_span(handle);
        let start = new.len();
        let expression = match fused[handle.index()] {
            None => {
                let mut expression = expression.clone();
                let mut result = Ok(());
                expression_operands(&mut expression, |e| {
                    if let Err(error) = moved.adjust(e) {
                        result = Err(error);
                    }
                });
                result?;
                expression
            }
            Some(fusion) => fma(fusion, &old, &mut new, &moved, span, &scalar)?,
        };
        let last = new.append(expression, span);
        let first = new.range_from(start).first_and_last().map_or(last, |(first, _)| first);
        moved.first[handle.index()] = Some(first);
        moved.last[handle.index()] = Some(last);
    }
    function.expressions = new;
    for (_, local) in function.local_variables.iter_mut() {
        if let Some(init) = &mut local.init {
            moved.adjust(init)?;
        }
    }
    let names = std::mem::take(&mut function.named_expressions);
    for (handle, name) in names {
        if let Some(handle) = moved.last[handle.index()] {
            function.named_expressions.insert(handle, name);
        }
    }
    function.body = adjust_block(std::mem::take(&mut function.body), &moved)?;
    Ok(function)
}

/// The `fma`, after the splats and negations that it needs.
fn fma(
    fusion: Fusion,
    old: &Arena<Expression>,
    new: &mut Arena<Expression>,
    moved: &Moved,
    span: Span,
    scalar: &impl Fn(Handle<Expression>) -> bool,
) -> Result<Expression> {
    let at = old.get_span(fusion.product);
    let Expression::Binary { left, right, .. } = old[fusion.product] else {
        return Err(Error::Internal {
            place: "kernel::normalise::fuse".to_owned(),
            cause: "a product is not a multiplication".to_owned(),
        });
    };
    let factor = |old: Handle<Expression>, new: &mut Arena<Expression>| {
        let mut value = old;
        moved.adjust(&mut value)?;
        Ok(match fusion.size {
            Some(size) if scalar(old) => new.append(Expression::Splat { size, value }, at),
            _ => value,
        })
    };
    let mut arg = factor(left, new)?;
    let arg1 = factor(right, new)?;
    let mut arg2 = fusion.addend;
    moved.adjust(&mut arg2)?;
    let negate = |expr| Expression::Unary { op: UnaryOperator::Negate, expr };
    if fusion.negate_product {
        arg = new.append(negate(arg), at);
    }
    if fusion.negate_addend {
        arg2 = new.append(negate(arg2), span);
    }
    let fun = MathFunction::Fma;
    Ok(Expression::Math { fun, arg, arg1: Some(arg1), arg2: Some(arg2), arg3: None })
}

fn adjust_block(block: Block, moved: &Moved) -> Result<Block> {
    let mut out = Block::with_capacity(block.len());
    for (mut statement, span) in block.span_into_iter() {
        let mut result = Ok(());
        statement_operands(&mut statement, |e| {
            if let Err(error) = moved.adjust(e) {
                result = Err(error);
            }
        });
        result?;
        if let Some(produced) = statement_result(&mut statement) {
            moved.adjust(produced)?;
        }
        let statement = match statement {
            Statement::Emit(range) => {
                let first = range.clone().find_map(|e| moved.first[e.index()]);
                let last = range.filter_map(|e| moved.last[e.index()]).last();
                match (first, last) {
                    (Some(first), Some(last)) => {
                        Statement::Emit(Range::new_from_bounds(first, last))
                    }
                    _ => continue,
                }
            }
            Statement::Block(b) => Statement::Block(adjust_block(b, moved)?),
            Statement::If { condition, accept, reject } => Statement::If {
                condition,
                accept: adjust_block(accept, moved)?,
                reject: adjust_block(reject, moved)?,
            },
            Statement::Switch { selector, mut cases } => {
                for case in &mut cases {
                    case.body = adjust_block(std::mem::take(&mut case.body), moved)?;
                }
                Statement::Switch { selector, cases }
            }
            Statement::Loop { body, continuing, break_if } => Statement::Loop {
                body: adjust_block(body, moved)?,
                continuing: adjust_block(continuing, moved)?,
                break_if,
            },
            other => other,
        };
        out.push(statement, span);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Source;
    use crate::kernel::parse::{parse, validate};

    /// The last stored value, as text: loads by the name of what is loaded.
    fn stored(module: &Module) -> String {
        let function = &module.entry_points[0].function;
        let value = function.body.iter().rev().find_map(|statement| match statement {
            Statement::Store { value, .. } => Some(*value),
            _ => None,
        });
        print(module, value.expect("the kernel stores"))
    }

    fn print(module: &Module, handle: Handle<Expression>) -> String {
        let function = &module.entry_points[0].function;
        let print = |e: Handle<Expression>| print(module, e);
        match function.expressions[handle] {
            Expression::Binary { op, left, right } => {
                let op = match op {
                    BinaryOperator::Add => "+",
                    BinaryOperator::Subtract => "-",
                    BinaryOperator::Multiply => "*",
                    _ => "/",
                };
                format!("({} {op} {})", print(left), print(right))
            }
            Expression::Unary { expr, .. } => format!("-{}", print(expr)),
            Expression::Splat { value, .. } => format!("splat({})", print(value)),
            Expression::As { expr, .. } => format!("as({})", print(expr)),
            Expression::Math { fun, arg, arg1: Some(b), arg2: Some(c), .. } => {
                assert_eq!(fun, MathFunction::Fma);
                format!("fma({}, {}, {})", print(arg), print(b), print(c))
            }
            Expression::Load { pointer } => match function.expressions[pointer] {
                Expression::AccessIndex { index, .. } => {
                    let names = ["a", "b", "c", "d", "m", "u", "v", "w", "h", "i"];
                    names[index as usize].to_owned()
                }
                Expression::LocalVariable(local) => {
                    function.local_variables[local].name.clone().unwrap_or_default()
                }
                ref other => format!("{other:?}"),
            },
            Expression::AccessIndex { base, index } => format!("{}.{index}", print(base)),
            ref other => format!("{other:?}"),
        }
    }

    /// The value stored by a kernel of one store, as text, after fusing.
    fn fused(expression: &str) -> String {
        let text = format!(
            "enable f16;
            struct In {{ a: f32, b: f32, c: f32, d: f32, m: mat3x3<f32>, u: vec3<f32>, v: vec3<f32>,
                        w: vec3<f32>, h: f16, i: i32 }}
            @group(0) @binding(0) var<uniform> in: In;
            @group(0) @binding(1) var<storage, read_write> out: vec4<f32>;
            @compute @workgroup_size(1) fn main() {{ {expression} }}"
        );
        let source = Source { text, name: "wgsl".into() };
        let mut module = parse(&source).unwrap();
        let info = validate(&source, &module).unwrap();
        fuse(&mut module, info.get_entry_point(0)).unwrap();
        validate(&source, &module).unwrap_or_else(|e| panic!("{expression}: {e}"));
        stored(&module)
    }

    #[test]
    fn each_row_of_the_rule() {
        assert_eq!(fused("out.x = in.a * in.b + in.c;"), "fma(a, b, c)");
        assert_eq!(fused("out.x = in.c + in.a * in.b;"), "fma(a, b, c)");
        assert_eq!(fused("out.x = in.a * in.b - in.c;"), "fma(a, b, -c)");
        assert_eq!(fused("out.x = in.c - in.a * in.b;"), "fma(-a, b, c)");
        assert_eq!(fused("out.x = in.a * in.b + in.c * in.d;"), "fma(a, b, (c * d))");
        assert_eq!(fused("out.x = in.a * in.b - in.c * in.d;"), "fma(a, b, -(c * d))");
    }

    #[test]
    fn sums_of_products_chain() {
        assert_eq!(
            fused("out.x = in.a * in.b + in.c * in.d + in.b * in.c;"),
            "fma(b, c, fma(a, b, (c * d)))"
        );
    }

    #[test]
    fn scalar_factors_of_vectors_are_splatted() {
        assert_eq!(fused("let r = in.u * in.a + in.v; out.x = r.x;"), "fma(u, splat(a), v).0");
        assert_eq!(fused("let r = in.v - in.a * in.u; out.x = r.x;"), "fma(-splat(a), u, v).0");
        assert_eq!(fused("let r = in.u * in.v + in.w; out.x = r.x;"), "fma(u, v, w).0");
    }

    #[test]
    fn what_is_not_fused() {
        assert_eq!(fused("let p = in.a * in.b; out.x = p + p;"), "((a * b) + (a * b))");
        assert_eq!(fused("let p = in.a * in.b; out.y = p; out.x = p + in.c;"), "((a * b) + c)");
        assert_eq!(fused("let r = in.m * in.u + in.v; out.x = r.x;"), "((m * u) + v).0");
        assert_eq!(fused("out.x = f32(in.h * in.h + in.h);"), "as(((h * h) + h))");
        assert_eq!(fused("out.x = f32(in.i * in.i + in.i);"), "as(((i * i) + i))");
        assert_eq!(fused("out.x = -(in.a * in.b) + in.c;"), "(-(a * b) + c)");
        assert_eq!(fused("out.x = in.a / in.b + in.c;"), "((a / b) + c)");
    }

    #[test]
    fn a_right_product_is_fused_where_the_left_one_has_two_uses() {
        assert_eq!(
            fused("let p = in.a * in.b; out.y = p; out.x = p + in.c * in.d;"),
            "fma(c, d, (a * b))"
        );
    }

    #[test]
    fn a_product_that_is_named_is_rounded() {
        assert_eq!(fused("let p = in.a * in.b; out.x = in.c + p;"), "(c + (a * b))");
    }
}
