//! `enable subgroups;`, which the WGSL standard asks for before subgroup built-ins are used, and
//! which naga 30 refuses although it has them.
//!
//! The word is blanked before naga sees the text, byte for byte, so that every span still points
//! at the same place.

use std::borrow::Cow;
use std::ops::Range;

/// The text with `subgroups` taken out of its `enable` directives.
pub(super) fn without_enable_subgroups(text: &str) -> Cow<'_, str> {
    let mut blank: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    // Directives come first; the scan ends at the first thing that is none.
    while let Some(word) = next_token(text, at) {
        let is_enable = &text[word.clone()] == "enable";
        if !is_enable && !matches!(&text[word.clone()], "requires" | "diagnostic" | ";") {
            break;
        }
        let mut items: Vec<Range<usize>> = Vec::new();
        at = word.end;
        if &text[word.clone()] == ";" {
            continue;
        }
        while let Some(item) = next_token(text, at) {
            at = item.end;
            let end = &text[item.clone()] == ";";
            items.push(item);
            if end {
                break;
            }
        }
        if is_enable {
            blank.extend(blanks(text, word, &items));
        }
    }
    if blank.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    for range in blank {
        bytes[range].fill(b' ');
    }
    // Only whole ASCII tokens were replaced.
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What to blank of one `enable a, b, c;`, given its tokens after `enable`.
fn blanks(text: &str, enable: Range<usize>, items: &[Range<usize>]) -> Vec<Range<usize>> {
    let is = |i: usize, word: &str| items.get(i).is_some_and(|item| &text[item.clone()] == word);
    let Some(found) = (0..items.len()).find(|&i| is(i, "subgroups")) else {
        return Vec::new();
    };
    if is(found + 1, ",") {
        vec![items[found].clone(), items[found + 1].clone()]
    } else if found > 0 && is(found - 1, ",") {
        vec![items[found - 1].clone(), items[found].clone()]
    } else if found == 0 && is(1, ";") {
        vec![enable, items[0].clone(), items[1].clone()]
    } else {
        Vec::new()
    }
}

/// The next word or punctuation mark from `at` on, comments and blanks skipped.
fn next_token(text: &str, mut at: usize) -> Option<Range<usize>> {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("//") {
            at += trimmed.find('\n')?;
        } else if trimmed.starts_with("/*") {
            let (mut depth, mut inside) = (0u32, 0);
            loop {
                let tail = trimmed.get(inside..).unwrap_or("");
                if tail.starts_with("/*") {
                    (depth, inside) = (depth + 1, inside + 2);
                } else if tail.starts_with("*/") {
                    (depth, inside) = (depth - 1, inside + 2);
                    if depth == 0 {
                        break;
                    }
                } else {
                    inside += tail.chars().next()?.len_utf8();
                }
            }
            at += inside;
        } else {
            let first = trimmed.chars().next()?;
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let end = if word(first) {
                trimmed.find(|c| !word(c)).unwrap_or(trimmed.len())
            } else {
                first.len_utf8()
            };
            return Some(at..at + end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::without_enable_subgroups as without;

    #[test]
    fn the_word_is_blanked_in_place_and_nothing_else_is() {
        for (text, expected) in [
            ("enable subgroups;\nfn", format!("{}\nfn", " ".repeat(17))),
            ("enable f16, subgroups; fn", "enable f16           ; fn".into()),
            ("enable subgroups, f16;", "enable            f16;".into()),
            (
                "/* é */ enable /* x */ subgroups ; // y",
                "/* é */        /* x */             // y".into(),
            ),
            ("requires a; enable subgroups; ", "requires a;                   ".into()),
            ("const a = 1; enable subgroups;", "const a = 1; enable subgroups;".into()),
            ("// enable subgroups;\nfn", "// enable subgroups;\nfn".into()),
            ("/* enable subgroups;", "/* enable subgroups;".into()),
            ("enable subgroups", "enable subgroups".into()),
            ("", String::new()),
        ] {
            let out = without(text);
            assert_eq!(out.len(), text.len(), "{text}");
            assert_eq!(out, expected, "{text}");
        }
    }
}
