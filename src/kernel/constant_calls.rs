//! Calls with constant arguments that naga evaluates less exactly than WGSL requires: they are left
//! to run time.
//!
//! naga evaluates a call of a built-in function with constant arguments while it parses. Only
//! `atanh` of an f32 near -1 is wrong there (`cpu/tests/constants.rs` compares all functions): the
//! formula cancels, and below -0.94 the error exceeds WGSL's accuracy. Only naga knows whether an
//! argument is a constant, its type and its value, and the parsed module holds nothing but the
//! result. So this module lets naga parse changed texts:
//!
//! - *Is the call evaluated wrongly?* `sqrt(…)` replaces the call. Its argument is negative, which
//!   is an error, exactly where the call is evaluated wrongly.
//! - *What is its type?* A function of one type, declared in the text, replaces the call: naga does
//!   not evaluate such functions. The first type that gives a valid text is right, and that text is
//!   used. Source positions stay the same, since the function's name has as many letters and its
//!   declaration stands at the end.
//!
//! Where WGSL requires a constant, no declared function can be called: such a call is refused. A
//! text without `atanh` is parsed once; a text whose calls are all right, twice.

use std::ops::Range;

use naga::Span;

use super::source::Source;
use super::tokens::tokens;
use crate::error::{Error, Result};

const NAME: &str = "atanh";

const TYPES: [&str; 8] =
    ["f32", "vec2<f32>", "vec3<f32>", "vec4<f32>", "f16", "vec2<f16>", "vec3<f16>", "vec4<f16>"];

/// Bytes of changed text that naga may parse for one kernel.
const BUDGET: usize = 16 << 20;

/// A call, as the ranges of the function's name and of its argument in the text.
struct Call {
    name: Range<usize>,
    argument: Range<usize>,
}

/// A valid text that leaves to run time the calls that naga would evaluate wrongly; `None` if the
/// source has none. `is_valid` says whether a changed text is valid.
pub(super) fn left_to_run_time(
    source: &Source,
    is_valid: impl Fn(String) -> bool,
) -> Result<Option<String>> {
    let text = &source.text;
    let mut asked = Asked { budget: BUDGET, is_valid };
    let mut doubtful = Vec::new();
    let mut rest = calls(text);
    while !rest.is_empty() {
        // Calls inside of an argument follow in the next round.
        let mut end = 0;
        let (outer, inner) = rest.into_iter().partition::<Vec<Call>, _>(|call| {
            let outer = call.name.start >= end;
            end = end.max(call.argument.end);
            outer
        });
        asked.doubtful(text, &outer, &mut doubtful);
        rest = inner;
    }
    if doubtful.is_empty() {
        return Ok(None);
    }
    let mut whole = text.to_owned();
    let mut needed = Vec::new();
    for name in doubtful {
        let of_type = TYPES.into_iter().find(|ty| {
            let (function, declaration) = function(text, ty);
            let mut changed = text.to_owned() + &declaration;
            changed.replace_range(name.clone(), &function);
            asked.is_valid(changed)
        });
        let Some(ty) = of_type else {
            let span = Span::new(name.start as u32, name.end as u32);
            let what = match asked.budget {
                0 => "`atanh` of constants near -1 in too many places of one kernel",
                _ => {
                    "`atanh` of a number near -1 where WGSL requires a constant (write `-atanh` of \
                     the positive number)"
                }
            };
            return Err(Error::Unsupported { what: what.to_owned(), at: source.render(span) });
        };
        whole.replace_range(name, &function(text, ty).0);
        if !needed.contains(&ty) {
            needed.push(ty);
        }
    }
    whole.extend(needed.iter().map(|ty| function(text, ty).1));
    Ok(Some(whole))
}

/// Asks whether texts are valid, until the budget is used up.
struct Asked<V> {
    budget: usize,
    is_valid: V,
}

impl<V: Fn(String) -> bool> Asked<V> {
    fn is_valid(&mut self, text: String) -> bool {
        let left = self.budget.checked_sub(text.len());
        self.budget = left.unwrap_or(0);
        left.is_some() && (self.is_valid)(text)
    }

    /// Adds the names of those calls, none inside of another, that naga evaluates wrongly; all of
    /// them once the budget is used up.
    fn doubtful(&mut self, text: &str, calls: &[Call], found: &mut Vec<Range<usize>>) {
        if self.budget == 0 || calls.len() == 1 && !self.is_valid(in_doubt(text, calls)) {
            found.extend(calls.iter().map(|call| call.name.clone()));
        } else if calls.len() > 1 && !self.is_valid(in_doubt(text, calls)) {
            let (first, second) = calls.split_at(calls.len() / 2);
            self.doubtful(text, first, found);
            self.doubtful(text, second, found);
        }
    }
}

/// The calls of the built-in function in a text.
fn calls(text: &str) -> Vec<Call> {
    let (mut calls, mut open) = (Vec::new(), Vec::new());
    let mut before = 0..0;
    for token in tokens(text) {
        match &text[token.clone()] {
            "(" => open.push((before, token.end)),
            ")" => {
                if let Some((name, start)) = open.pop()
                    && &text[name.clone()] == NAME
                {
                    calls.push(Call { name, argument: start..token.start });
                }
            }
            // The text declares a function of that name itself.
            NAME if &text[before.clone()] == "fn" => return Vec::new(),
            _ => {}
        }
        before = token;
    }
    calls.sort_by_key(|call| call.name.start);
    calls
}

/// The text with an error in place of each of these calls that naga evaluates wrongly.
fn in_doubt(text: &str, calls: &[Call]) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut end = 0;
    for call in calls {
        let x = &text[call.argument.clone()];
        let x = x.trim_end().trim_end_matches(',');
        changed += &text[end..call.name.start];
        // A number without a type has the precision of f64, and naga's result is right. The
        // difference is then not zero, and the argument of `sqrt` is positive.
        changed += &format!("sqrt(0.9375+({x}\n)+((({x}\n)+1.2e-9)-({x}\n))*30000*30000)");
        end = call.argument.end + 1;
    }
    changed + &text[end..]
}

/// The name and the declaration of a function that computes `atanh` for one type.
fn function(text: &str, ty: &str) -> (String, String) {
    let place = TYPES.iter().position(|other| *other == ty).unwrap_or(0);
    let mut names = (0..).map(|n| format!("a{:04}", n * TYPES.len() + place));
    let name = names.find(|name| !text.contains(name)).unwrap_or_default();
    let declaration = format!("\nfn {name}(x: {ty}) -> {ty} {{ return {NAME}(x); }}");
    (name, declaration)
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::kernel::Kernel;

    /// Builds a kernel from declarations and statements, and returns whether it computes an
    /// `atanh`.
    fn computes(declarations: &str, body: &str) -> Result<bool, Error> {
        let text = format!(
            "enable f16; {declarations}
            @group(0) @binding(0) var<storage, read_write> out: array<f32>;
            @compute @workgroup_size(1) fn main() {{
                {body}
            }}"
        );
        let kernel = Kernel::from_wgsl(&text)?;
        let function = &kernel.entry_point().function;
        let is_atanh = |expression: &naga::Expression| {
            matches!(expression, naga::Expression::Math { fun: naga::MathFunction::Atanh, .. })
        };
        Ok(function.expressions.iter().any(|(_, expression)| is_atanh(expression)))
    }

    #[test]
    fn an_atanh_that_naga_gets_wrong_is_left_to_run_time_whatever_its_type() {
        for body in [
            "out[0] = atanh(-0.9999999403953552f);",
            "const X = -0.99f; out[0] = 2.0 * atanh ( /* ( */ X , );",
            "out[0] = atanh(vec3(-0.5f, 0.5, -0.95)).y + atanh(vec2<f32>(-0.96)).x;",
            "out[0] = atanh(atanh(-0.75f)); out[1] = atanh(-0.98f);",
            "out[0] = f32(atanh(vec2(-0.99h)).y);",
        ] {
            assert!(computes("", body).unwrap_or_else(|e| panic!("{e}")), "{body}");
        }
    }

    #[test]
    fn other_constant_calls_of_atanh_stay_constants() {
        for body in [
            "out[0] = atanh(0.9999999403953552f);",
            "out[0] = atanh(-0.9f);",
            "out[0] = atanh(-0.9999999403953552);",
            "const X = vec2(-0.5f); out[0] = atanh(X).x; // atanh(-0.99f)",
        ] {
            assert!(!computes("", body).unwrap_or_else(|e| panic!("{e}")), "{body}");
        }
        assert!(
            !computes("fn atanh(x: f32) -> f32 { return x; }", "out[0] = atanh(-0.99f);").unwrap()
        );
        assert!(!computes("const X = atanh(-0.5f);", "out[0] = X;").unwrap());
    }

    #[test]
    fn where_wgsl_wants_a_constant_such_a_call_is_refused_with_what_to_write() {
        let error =
            computes("const X = 1.0;\nconst Y = atanh(-0.99f);", "out[0] = Y;").unwrap_err();
        let told = error.to_string();
        assert!(told.contains("write `-atanh`") && told.contains("wgsl:2:11"), "{told}");
        assert!(!computes("const Y = -atanh(0.99f);", "out[0] = Y;").unwrap());
    }

    #[test]
    fn any_number_of_calls_ends() {
        assert!(
            computes("", &"out[0] = atanh(-0.5f);\n".repeat(2000)).is_ok_and(|computes| !computes)
        );
        let error = computes("", &"out[0] = atanh(-0.99f);\n".repeat(3000)).unwrap_err();
        assert!(error.to_string().contains("too many places"), "{error}");
    }
}
