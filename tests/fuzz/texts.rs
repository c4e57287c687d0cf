//! Texts of kernels: those of the repository and some generated ones, with a few random changes each.

use std::path::Path;

use crate::executions::Random;
use crate::generator::generate;

/// The number of generated kernels in the corpus, about a quarter of it.
const GENERATED: u64 = 64;

pub(crate) fn texts() -> Vec<String> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("kernels"), root.join("tests/filetests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "wgsl") {
                found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    let kept = found.into_iter().map(|(_, text)| text);
    kept.chain((0..GENERATED).map(|seed| generate(seed).text)).collect()
}

/// The tokens of a text: words, numbers, single signs, space.
fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same: fn(char) -> bool = match first {
            c if c.is_alphanumeric() || c == '_' => |c| c.is_alphanumeric() || c == '_' || c == '.',
            c if c.is_whitespace() => char::is_whitespace,
            _ => |_| false,
        };
        let len = rest.find(|c| !same(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (token, after) = rest.split_at(len);
        all.push(token);
        rest = after;
    }
    all
}

const NUMBERS: [&str; 22] = [
    "0u",
    "1u",
    "2u",
    "3u",
    "7u",
    "31u",
    "32u",
    "64u",
    "255u",
    "4294967295u",
    "2147483648u",
    "0",
    "1",
    "-1",
    "2147483647",
    "0.0",
    "1.0",
    "-0.5",
    "1e30",
    "3.4e38",
    "5",
    "16",
];
const WORDS: [&str; 46] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "<",
    ">",
    "=",
    "!",
    "&",
    "|",
    "^",
    "~",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ";",
    ",",
    "u32",
    "i32",
    "f32",
    "vec4",
    "break",
    "continue",
    "return",
    "if",
    "loop",
    "select",
    "min",
    "max",
    "workgroupBarrier",
    "array",
    "var",
    "let",
    "storageBarrier",
    "atomicAdd",
    "abs",
    " at += 64u; ",
    " at -= 1u; ",
    " workgroupBarrier(); ",
    " for (var at = 0u; at < 100u; at += 64u) { ",
    " for (var k = 4u; k > 0u; k--) { ",
    " var at = 0u; ",
];

pub(crate) fn mutated(random: &mut Random, corpus: &[String]) -> String {
    let text = random.pick(corpus);
    let mut pieces: Vec<String> = tokens(text).into_iter().map(str::to_owned).collect();
    for _ in 0..1 + random.below(4) {
        let at = random.below(pieces.len());
        let is_number = |piece: &str| piece.starts_with(|c: char| c.is_ascii_digit());
        match random.below(11) {
            0 => drop(pieces.remove(at)),
            1 => pieces.insert(at, pieces[at].clone()),
            2 => {
                let other = random.below(pieces.len());
                pieces.swap(at, other);
            }
            3 => pieces[at] = (*random.pick(&WORDS)).to_owned(),
            4 => {
                // Inserts a line of another kernel.
                let lines: Vec<&str> = random.pick(corpus).lines().collect();
                pieces.insert(at, format!("\n{}\n", random.pick(&lines)));
            }
            5 => {
                let from = random.below(pieces.len());
                let end = (from + 1 + random.below(12)).min(pieces.len());
                let part: Vec<String> = pieces[from..end].to_vec();
                pieces.splice(at..at, part);
            }
            10 => {
                // Repetition makes long chains and deep nests.
                let end = (at + 1 + random.below(12)).min(pieces.len());
                let part = pieces[at..end].concat().repeat(*random.pick(&[3, 30, 300]));
                pieces.insert(end, part);
            }
            // A number for a number, or a word for a word, often keeps the text valid.
            6 | 7 => {
                let numbers: Vec<usize> =
                    (0..pieces.len()).filter(|&i| is_number(&pieces[i])).collect();
                if !numbers.is_empty() {
                    pieces[*random.pick(&numbers)] = (*random.pick(&NUMBERS)).to_owned();
                }
            }
            _ => {
                let like = |piece: &str| {
                    piece.starts_with(|c: char| c.is_alphabetic()) && piece.len() < 12
                };
                let words: Vec<usize> = (0..pieces.len()).filter(|&i| like(&pieces[i])).collect();
                let (to, from) = (*random.pick(&words), *random.pick(&words));
                pieces[to] = pieces[from].clone();
            }
        }
    }
    pieces.concat()
}
