//! wgpu trusts the module that a GPU runs, and adds no check to it. These tests check the module
//! without knowing how it was made: every dynamic index must stay in bounds for any contents of
//! memory and any invocation, and every loop that is not proved finite must begin with a check of
//! the budget.

use naga::{
    ArraySize, BinaryOperator as Op, Block, BuiltIn, Expression, Handle, Literal, MathFunction,
    Module, Statement, TypeInner,
};

use super::tests::{all_finite, kernel};
use super::*;

/// An evaluation with random values for memory and built-ins, many of them extreme.
struct Guess<'m> {
    module: &'m Module,
    state: u64,
    /// By expression: its value in this evaluation, once it is known.
    known: Vec<Option<u32>>,
}

impl Guess<'_> {
    fn any(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let word = (self.state >> 20) as u32;
        match word % 5 {
            0 => u32::MAX - word / 5 % 4,
            1 => (1 << 31) + word / 5 % 3,
            2 => word / 5 % 70,
            _ => word,
        }
    }

    fn function(&self) -> &naga::Function {
        &self.module.entry_points[0].function
    }

    /// A random built-in input, within the bounds that WGSL promises.
    fn builtin(&mut self, argument: u32, axis: u32) -> u32 {
        let argument = &self.function().arguments[argument as usize];
        let size = self.module.entry_points[0].workgroup_size;
        let any = argument.binding.clone();
        let any = (any, self.any());
        match any {
            (Some(naga::Binding::BuiltIn(BuiltIn::LocalInvocationId)), word) => {
                word % size[axis as usize]
            }
            (Some(naga::Binding::BuiltIn(BuiltIn::LocalInvocationIndex)), word) => {
                word % size.iter().product::<u32>()
            }
            (_, word) => word,
        }
    }

    fn value(&mut self, handle: Handle<Expression>) -> u32 {
        if let Some(value) = self.known[handle.index()] {
            return value;
        }
        let value = self.compute(handle);
        self.known[handle.index()] = Some(value);
        value
    }

    fn compute(&mut self, handle: Handle<Expression>) -> u32 {
        match self.function().expressions[handle] {
            Expression::Literal(Literal::U32(value)) => value,
            Expression::Literal(Literal::I32(value)) => value as u32,
            Expression::Literal(Literal::Bool(value)) => value.into(),
            Expression::ZeroValue(_) => 0,
            Expression::FunctionArgument(argument) => self.builtin(argument, 0),
            Expression::AccessIndex { base, index } => match self.function().expressions[base] {
                Expression::FunctionArgument(argument) => self.builtin(argument, index),
                Expression::Compose { ref components, .. } => {
                    let component = components[index as usize];
                    self.value(component)
                }
                _ => self.any(),
            },
            Expression::As { expr, convert: None, .. } => self.value(expr),
            Expression::As { expr, kind, convert: Some(4) } => {
                let integer = matches!(kind, naga::ScalarKind::Uint | naga::ScalarKind::Sint);
                let value = self.value(expr);
                // A conversion from a float gives anything.
                if integer { value } else { self.any() }
            }
            Expression::Select { condition, accept, reject } => {
                if self.value(condition) != 0 {
                    self.value(accept)
                } else {
                    self.value(reject)
                }
            }
            Expression::Binary { op, left, right } => {
                let (a, b) = (self.value(left), self.value(right));
                match op {
                    Op::Add => a.wrapping_add(b),
                    Op::Subtract => a.wrapping_sub(b),
                    Op::Multiply => a.wrapping_mul(b),
                    Op::Divide => a.checked_div(b).unwrap_or(a),
                    Op::Modulo => a.checked_rem(b).unwrap_or(0),
                    Op::And => a & b,
                    Op::InclusiveOr => a | b,
                    Op::ExclusiveOr => a ^ b,
                    Op::ShiftLeft => a.wrapping_shl(b),
                    Op::ShiftRight => a.wrapping_shr(b),
                    Op::Less => (a < b).into(),
                    Op::GreaterEqual => (a >= b).into(),
                    Op::LogicalAnd => (a != 0 && b != 0).into(),
                    _ => self.any(),
                }
            }
            Expression::Math { fun, arg, arg1: Some(second), arg2, .. } => {
                let (a, b) = (self.value(arg), self.value(second));
                match (fun, arg2) {
                    (MathFunction::Min, _) => a.min(b),
                    (MathFunction::Max, _) => a.max(b),
                    (MathFunction::Clamp, Some(third)) => a.max(b).min(self.value(third)),
                    _ => self.any(),
                }
            }
            _ => self.any(),
        }
    }
}

/// The dynamic indices that may be out of bounds.
fn outside(module: &Module) -> Vec<String> {
    let info = Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(module)
        .expect("a valid module");
    let info = info.get_entry_point(0);
    let function = &module.entry_points[0].function;
    let mut found = Vec::new();
    for (handle, expression) in function.expressions.iter() {
        let (base, index) = match *expression {
            Expression::Access { base, index } => (base, Ok(index)),
            Expression::AccessIndex { base, index } => (base, Err(index)),
            _ => continue,
        };
        let of = |inner: &TypeInner| match *inner {
            TypeInner::Array { size: ArraySize::Constant(n), .. } => Some(Some(n.get())),
            TypeInner::Array { .. } => Some(None),
            TypeInner::Vector { size, .. } => Some(Some(size as u32)),
            TypeInner::Matrix { columns, .. } => Some(Some(columns as u32)),
            _ => None,
        };
        let limit = match *info[base].ty.inner_with(&module.types) {
            TypeInner::Pointer { base, .. } => of(&module.types[base].inner),
            TypeInner::ValuePointer { size: Some(size), .. } => Some(Some(size as u32)),
            ref inner => of(inner),
        };
        let inside = match (limit, index) {
            // A field of a struct.
            (None, _) => true,
            // The validator has checked the index.
            (Some(Some(_)), Err(_)) => true,
            // A window has at least one element.
            (Some(None), Err(index)) => index == 0,
            (Some(Some(limit)), Ok(index)) => (0..300u64).all(|turn| {
                let known = vec![None; function.expressions.len()];
                let state = (turn + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                Guess { module, state, known }.value(index) < limit
            }),
            (Some(None), Ok(index)) => match function.expressions[index] {
                Expression::Select { condition, accept, reject } => {
                    let zero = matches!(
                        function.expressions[reject],
                        Expression::Literal(Literal::U32(0)) | Expression::ZeroValue(_)
                    );
                    let less = matches!(
                        function.expressions[condition],
                        Expression::Binary { op: Op::Less, left, .. } if left == accept
                    );
                    zero && (less || in_box(function, condition, accept))
                }
                _ => false,
            },
        };
        if !inside {
            found.push(format!("{handle:?}: {expression:?}"));
        }
    }
    found
}

/// Whether a condition says that row `y` and column `x` are less than two words, and the place is
/// `y * columns + x`, with the same word for the columns.
fn in_box(
    function: &naga::Function,
    condition: Handle<Expression>,
    place: Handle<Expression>,
) -> bool {
    let of = |handle: Handle<Expression>, wanted: Op| match function.expressions[handle] {
        Expression::Binary { op, left, right } if op == wanted => Some((left, right)),
        _ => None,
    };
    let known = || {
        let (rest, in_columns) = of(condition, Op::LogicalAnd)?;
        let (_, in_rows) = of(rest, Op::LogicalAnd)?;
        let ((x, columns), (y, _)) = (of(in_columns, Op::Less)?, of(in_rows, Op::Less)?);
        let (before, last) = of(place, Op::Add)?;
        Some(last == x && of(before, Op::Multiply)? == (y, columns))
    };
    known().unwrap_or(false)
}

/// The number of loops whose bodies do not begin with a check of the budget.
fn unbounded(block: &Block) -> usize {
    let looks = |body: &Block| {
        let first = body.iter().find(|statement| !matches!(statement, Statement::Emit(_)));
        matches!(first, Some(Statement::If { accept, .. })
            if matches!(accept.iter().last(), Some(Statement::Break)))
    };
    block
        .iter()
        .map(|statement| match statement {
            Statement::Block(inner) => unbounded(inner),
            Statement::If { accept, reject, .. } => unbounded(accept) + unbounded(reject),
            Statement::Switch { cases, .. } => cases.iter().map(|c| unbounded(&c.body)).sum(),
            Statement::Loop { body, continuing, .. } => {
                usize::from(!looks(body)) + unbounded(body) + unbounded(continuing)
            }
            _ => 0,
        })
        .sum()
}

/// All kernels of `kernels/` and `tests/filetests/`.
pub(super) fn texts() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) =
        (vec![root.join("kernels"), root.join("tests/filetests")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "wgsl") {
                found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

const HOSTILE: &str = "
    struct Inner { a: u32, list: array<vec3<u32>, 3> }
    @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    @group(0) @binding(1) var<storage, read_write> inner: array<Inner>;
    @group(0) @binding(2) var<uniform> table: array<vec4<u32>, 4>;
    var<workgroup> tile: array<u32, 16>;
    var<private> own: array<u32, 8>;
    @compute @workgroup_size(16)
    fn main(@builtin(local_invocation_index) l: u32) {
        let i = data[0] + l;
        var m = mat4x4<f32>();
        var v = vec4<u32>();
        data[i] = own[i] + tile[i] + table[i][i] + inner[i].list[i][i] + u32(m[i][i]) + v[i];
        own[l] = 1u;
        tile[l] = 2u;
        for (var k = 0u; k < i; k += data[k]) { v[k] = k; }
    }";

#[test]
fn no_index_of_a_trusted_module_can_be_outside_and_no_loop_without_proof_is_endless() {
    let (mut seen, mut loops) = (0, 0);
    for (name, text) in texts().into_iter().chain([("hostile".to_owned(), HOSTILE.to_owned())]) {
        // Some kernels are meant to be refused.
        let Ok(kernel) = Kernel::from_wgsl(&text) else { continue };
        for facts in [Facts::default(), all_finite()] {
            let rewritten = for_gpu(&kernel, &facts, ParamSpace::Uniform, false).unwrap();
            let found = outside(&rewritten.module);
            assert!(found.is_empty(), "{name}: {found:#?}");
            let all: Vec<usize> = (0..kernel.signature().bindings.len()).collect();
            let boxes =
                for_gpu_with_boxes(&kernel, &facts, ParamSpace::Uniform, false, &all).unwrap();
            let found = outside(&boxes.module);
            assert!(found.is_empty(), "{name}, boxes: {found:#?}");
            let body = &rewritten.module.entry_points[0].function.body;
            if facts.finite_loops.is_empty() {
                assert_eq!(unbounded(body), 0, "{name}");
            } else {
                loops += unbounded(body);
            }
        }
        seen += 1;
    }
    assert!(seen > 60, "{seen} kernels");
    // The checks find violations in modules that have some.
    assert!(loops > 30, "{loops} loops have no budget where they need none");
    assert!(outside(kernel(HOSTILE).module()).len() >= 10);
}
