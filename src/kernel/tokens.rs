//! WGSL text as tokens: words and punctuation marks, without comments and blanks.
//!
//! For the few facts about a text that naga's parser does not provide. A word consists of letters,
//! digits, underscores and characters outside of ASCII. Every other character is a token of its
//! own, so `<=` is two tokens and `1.5` is three.

use std::ops::Range;

/// Characters that end a line, and thereby a `//` comment.
const LINE_BREAKS: [char; 7] = ['\n', '\u{b}', '\u{c}', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// The tokens of a text, as ranges of its bytes.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> + Clone {
    let mut at = 0;
    std::iter::from_fn(move || {
        let token = next_token(text, at)?;
        at = token.end;
        Some(token)
    })
}

fn next_token(text: &str, mut at: usize) -> Option<Range<usize>> {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("//") {
            at += trimmed.find(LINE_BREAKS)?;
        } else if trimmed.starts_with("/*") {
            at += comment_length(trimmed)?;
        } else {
            let first = trimmed.chars().next()?;
            let word = |c: char| match c {
                c if c.is_ascii() => c.is_ascii_alphanumeric() || c == '_',
                c => !c.is_whitespace(),
            };
            let length = if word(first) {
                trimmed.find(|c| !word(c)).unwrap_or(trimmed.len())
            } else {
                first.len_utf8()
            };
            return Some(at..at + length);
        }
    }
}

/// The length of the comment at the start of the text, nested comments included; `None` if it does
/// not end.
fn comment_length(text: &str) -> Option<usize> {
    let (mut depth, mut inside) = (0u32, 0);
    loop {
        let tail = &text[inside..];
        if tail.starts_with("/*") {
            (depth, inside) = (depth + 1, inside + 2);
        } else if tail.starts_with("*/") {
            (depth, inside) = (depth - 1, inside + 2);
            if depth == 0 {
                return Some(inside);
            }
        } else {
            inside += tail.chars().next()?.len_utf8();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn words_and_marks_are_found_between_comments_and_blanks() {
        for (text, expected) in [
            ("a_1+é (2)", vec!["a_1", "+", "é", "(", "2", ")"]),
            ("/* a /* b */ c */x// y\nz", vec!["x", "z"]),
            ("1.5<=a", vec!["1", ".", "5", "<", "=", "a"]),
            ("/* open", vec![]),
            ("// last", vec![]),
            ("// last\u{2028}é→ü", vec!["é→ü"]),
            ("", vec![]),
        ] {
            let found: Vec<&str> = tokens(text).map(|range| &text[range]).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
