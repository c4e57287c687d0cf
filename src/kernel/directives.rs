//! `enable subgroups;`, which the WGSL standard asks for before subgroup built-ins are used, and
//! which naga 30 refuses although it has them.
//!
//! The word is blanked before naga sees the text, byte for byte, so that every span still points
//! at the same place.

use std::borrow::Cow;
use std::ops::Range;

use super::tokens::tokens;

/// The text with `subgroups` taken out of its `enable` directives.
pub(super) fn without_enable_subgroups(text: &str) -> Cow<'_, str> {
    let mut blank: Vec<Range<usize>> = Vec::new();
    let mut tokens = tokens(text);
    // Directives come first; the scan ends at the first token that begins none.
    while let Some(word) = tokens.next() {
        match &text[word.clone()] {
            ";" => continue,
            "enable" | "requires" | "diagnostic" => {}
            _ => break,
        }
        let mut items: Vec<Range<usize>> = Vec::new();
        for item in tokens.by_ref() {
            let end = &text[item.clone()] == ";";
            items.push(item);
            if end {
                break;
            }
        }
        if &text[word.clone()] == "enable" {
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

/// The ranges to blank in one `enable a, b, c;`, given its tokens after `enable`.
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
