//! Limits on WGSL text, checked before it is parsed.
//!
//! naga's parser bounds nested brackets and braces itself, but not the length of a chain such as
//! `a + a + a…`, `a[0][0]…` or `else if …`, over which it then recurses. The limits here are far
//! beyond any kernel that a person or a generator writes, and far below what the stack that
//! `kernel::isolated` gives can hold.

use naga::Span;

use super::source::Source;
use super::tokens::tokens;
use crate::error::{Error, Result};

/// Bytes of text.
const MAX_BYTES: usize = 8 << 20;

/// Characters of operators in one expression, not counting what is inside its brackets.
const MAX_OPERATORS: u32 = 50_000;

/// The word `else`, in the whole text.
const MAX_ELSE: u32 = 20_000;

/// Refuses text on which the front end could run out of stack.
pub(super) fn check(source: &Source) -> Result<()> {
    let refuse = |at: usize, what: String| {
        let span = Span::new(at as u32, at as u32 + 1);
        Err(Error::Unsupported { what, at: source.render(span) })
    };
    if source.text.len() > MAX_BYTES {
        let what = format!("WGSL text of more than {} MiB", MAX_BYTES >> 20);
        return Err(Error::Unsupported { what, at: String::new() });
    }
    let mut operators = vec![0u32];
    let mut branches = 0;
    for (at, token) in marks(&source.text) {
        match token {
            b'(' | b'[' => {
                // An index lengthens the chain that it stands in.
                if let (b'[', Some(count)) = (token, operators.last_mut()) {
                    *count += 1;
                }
                operators.push(0);
            }
            b')' | b']' => {
                if operators.len() > 1 {
                    operators.pop();
                }
            }
            b',' => *operators.last_mut().unwrap_or(&mut 0) = 0,
            b';' | b'{' | b'}' => operators = vec![0],
            b'e' => branches += 1,
            _ => *operators.last_mut().unwrap_or(&mut 0) += 1,
        }
        if operators.last().is_some_and(|&count| count > MAX_OPERATORS) {
            return refuse(at, format!("an expression of more than {MAX_OPERATORS} operators"));
        }
        if branches > MAX_ELSE {
            return refuse(at, format!("text with more than {MAX_ELSE} `else`"));
        }
    }
    Ok(())
}

/// The place where brackets are nested deepest, to point at when naga says that they are nested
/// too deep.
pub(super) fn deepest(text: &str) -> Span {
    let (mut depth, mut deepest, mut place) = (0u32, 0, 0);
    for (at, token) in marks(text) {
        match token {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            b';' => {}
            _ => continue,
        }
        if depth > deepest {
            (deepest, place) = (depth, at);
        }
    }
    Span::new(place as u32, place as u32 + 1)
}

/// Punctuation marks with their places, and `e` for each word `else`.
fn marks(text: &str) -> impl Iterator<Item = (usize, u8)> {
    tokens(text).filter_map(|token| match &text.as_bytes()[token.clone()] {
        b"else" => Some((token.start, b'e')),
        [mark] if mark.is_ascii_punctuation() && *mark != b'_' => Some((token.start, *mark)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    fn main(body: &str) -> String {
        format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<f32>;
            @compute @workgroup_size(1) fn main() {{
                var x = 1.0; var y = true; var z = 1; var a = array(1, 2);
                {body}
                out[0] = x;
            }}"
        )
    }

    #[test]
    fn ten_thousand_of_anything_works_or_is_an_error_that_names_a_line() {
        let n = 10_000;
        let nested = |open: &str, inner: &str, close: &str| {
            format!("{}{inner}{}", open.repeat(n), close.repeat(n))
        };
        let refused = [
            format!("x = {};", nested("(", "x", ")")),
            format!("x = {};", nested("abs(", "x", ")")),
            format!("z = {};", nested("a[", "0", "]")),
            format!("var t: {};", nested("array<", "i32", ", 1>")),
            nested("{", "", "}"),
            nested("if y {", "", "}"),
            nested("loop { break;", "", "}"),
            nested("switch z { default: {", "", "}}"),
            format!("if y {{}} {}", "else if y { x = 2.0; }".repeat(n)),
            format!("x = {}x;", "-".repeat(n)),
            format!("x = x{};", ".x".repeat(n)),
            format!("x = x{};", " + x".repeat(100_000)),
            format!("z = a{};", "[0]".repeat(100_000)),
            format!("y = {}y;", "!".repeat(100_000)),
            format!("if y {{}} {}", "else if y {}".repeat(100_000)),
        ];
        for body in refused {
            let start: String = body.chars().take(30).collect();
            let error = Kernel::from_wgsl(&main(&body)).unwrap_err().to_string();
            assert!(error.contains("wgsl:4:"), "{start}: {error:.300}");
        }
        let accepted = [
            format!("x = x{};", " + x".repeat(n / 10)),
            format!("y = {}y;", "!".repeat(n)),
            format!("z = {}z;", "~".repeat(n)),
            nested("/*", "", "*/"),
            "x += 1.0;".repeat(n / 10),
        ];
        for body in accepted {
            Kernel::from_wgsl(&main(&body)).unwrap_or_else(|e| panic!("{body:.30}: {e:.300}"));
        }
    }

    #[test]
    fn long_tables_of_negative_numbers_are_one_short_expression_each() {
        let text = format!("const T = array({});", "-1, -2.5,".repeat(40_000));
        check(&Source { text, name: String::new() }).unwrap();
    }

    #[test]
    fn comments_do_not_count() {
        let operators = "+".repeat(100_000);
        let text = format!("/* /* {operators} */ {operators} */ // {operators}\nconst a = 1;");
        check(&Source { text: text.clone(), name: String::new() }).unwrap();
        assert_eq!(marks(&text).collect::<Vec<_>>().len(), 2);
    }
}
