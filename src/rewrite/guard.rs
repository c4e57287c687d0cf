//! Guards: they keep an index in bounds and define the result of an access out of bounds.
//!
//! A pointer whose index may be out of bounds becomes a [`Place`]: a pointer that is always in
//! bounds, since zero replaces a bad index, and the condition under which it is the intended one. A
//! load then needs no branch: it loads in any case, and a select replaces the loaded value by zero.
//! That is cheaper on a GPU than a branch around the load, it lets the compiler move and merge
//! loads, and it makes the module safe without any check by naga or the driver. Values that
//! `select` doesn't take (structs and arrays) go through a local variable. Stores and atomics are
//! put under `if`, since they must not happen at all.

use naga::{BinaryOperator, Expression, Handle, ScalarKind, Span, Type, TypeInner};

use super::builder::Builder;

/// A pointer that may be followed, and the condition under which it is the intended one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) pointer: Handle<Expression>,
    /// `None` if the pointer always is the intended one.
    pub(super) guard: Option<Handle<Expression>>,
}

/// The bound that an index must stay below.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limit {
    /// A known number of elements, at least one.
    Known(u32),
    /// A window: its first element and its number of elements.
    Window { first: Handle<Expression>, len: Handle<Expression> },
    /// A window that is a box.
    Box(BoxLimit),
}

/// The words of a window that is a box, as `params::Word` defines them.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoxLimit {
    /// The number of elements of the logical buffer that the index can address.
    pub(super) elements: Handle<Expression>,
    pub(super) row: Handle<Expression>,
    pub(super) origin: Handle<Expression>,
    pub(super) rows: Handle<Expression>,
    pub(super) columns: Handle<Expression>,
}

/// The index to use instead of `index` (a u32 or an i32), and whether `index` is in bounds. A
/// negative i32 is a large u32, so one comparison covers both ends. For a window the subtraction
/// wraps, so the comparison covers the window's start, too.
pub(super) fn inside(
    out: &mut Builder,
    index: Handle<Expression>,
    signed: bool,
    limit: Limit,
    span: Span,
) -> (Handle<Expression>, Handle<Expression>) {
    let mut index = index;
    if signed {
        index =
            out.expr(Expression::As { expr: index, kind: ScalarKind::Uint, convert: None }, span);
    }
    let len = match limit {
        Limit::Known(len) => out.u32(len),
        Limit::Window { first, len } => {
            index = out.binary(BinaryOperator::Subtract, index, first, span);
            len
        }
        Limit::Box(limit) => return inside_box(out, index, limit, span),
    };
    let zero = out.u32(0);
    let inside = out.binary(BinaryOperator::Less, index, len, span);
    (out.select(inside, index, zero, span), inside)
}

/// As `inside`, for a box: the packed position of an element, if the box has its row and its
/// column. An index behind the buffer's last element is out of bounds even if the box reaches beyond
/// it.
fn inside_box(
    out: &mut Builder,
    index: Handle<Expression>,
    limit: BoxLimit,
    span: Span,
) -> (Handle<Expression>, Handle<Expression>) {
    // The subtraction wraps: an index before the origin lies behind the last row.
    let behind = out.binary(BinaryOperator::Subtract, index, limit.origin, span);
    let y = out.binary(BinaryOperator::Divide, behind, limit.row, span);
    let begin = out.binary(BinaryOperator::Multiply, y, limit.row, span);
    let x = out.binary(BinaryOperator::Subtract, behind, begin, span);
    let there = out.binary(BinaryOperator::Less, index, limit.elements, span);
    let in_rows = out.binary(BinaryOperator::Less, y, limit.rows, span);
    let in_columns = out.binary(BinaryOperator::Less, x, limit.columns, span);
    let inside = both(out, Some(there), in_rows, span);
    let inside = both(out, Some(inside), in_columns, span);
    let before = out.binary(BinaryOperator::Multiply, y, limit.columns, span);
    let place = out.binary(BinaryOperator::Add, before, x, span);
    let zero = out.u32(0);
    (out.select(inside, place, zero, span), inside)
}

/// Both conditions.
pub(super) fn both(
    out: &mut Builder,
    outer: Option<Handle<Expression>>,
    inner: Handle<Expression>,
    span: Span,
) -> Handle<Expression> {
    match outer {
        Some(outer) => out.binary(BinaryOperator::LogicalAnd, outer, inner, span),
        None => inner,
    }
}

/// The value, or zero where the guard is false.
pub(super) fn or_zero(
    out: &mut Builder,
    guard: Option<Handle<Expression>>,
    value: Handle<Expression>,
    ty: Handle<Type>,
    span: Span,
) -> Handle<Expression> {
    let Some(guard) = guard else {
        return value;
    };
    match out.types[ty].inner {
        TypeInner::Scalar(_) | TypeInner::Vector { .. } => {
            let zero = out.zero(ty);
            out.select(guard, value, zero, span)
        }
        TypeInner::Matrix { columns, rows, scalar } => {
            let column = out.ty(TypeInner::Vector { size: rows, scalar });
            let zero = out.zero(column);
            let components = (0..columns as u32)
                .map(|index| {
                    let column = out.expr(Expression::AccessIndex { base: value, index }, span);
                    out.select(guard, column, zero, span)
                })
                .collect();
            out.expr(Expression::Compose { ty, components }, span)
        }
        _ => {
            let kept = zeroed_local(out, ty, span);
            let outer = out.begin();
            out.store(kept, value, span);
            out.end_if(outer, guard, span);
            out.load(kept, span)
        }
    }
}

/// A new local variable that is set to zero here, in every iteration of a loop.
pub(super) fn zeroed_local(out: &mut Builder, ty: Handle<Type>, span: Span) -> Handle<Expression> {
    let local = out.local("guarded", ty, None);
    let zero = out.zero(ty);
    out.store(local, zero, span);
    local
}
