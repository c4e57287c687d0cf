//! naga's reasons for refusing a text, told without naga's internals.
//!
//! naga nests its reasons, "entry point … is invalid, expression [9] is invalid, division by zero",
//! and names things by their numbers in its tables. The innermost reason is the message. Numbers,
//! and reasons that give nothing but a number, are dropped. Places in the text stay as they are.

use naga::WithSpan;
use naga::valid::{EntryPointError, ValidationError};

use super::source::Source;
use crate::error::Error;

/// naga's limit on the invocations along one axis of a workgroup.
pub(super) const MAX_EXTENT: u32 = 0x4000;

/// The error for a module that naga's validator refuses. `module` is that module, if it is at hand.
pub(super) fn rejected(
    source: &Source,
    module: Option<&naga::Module>,
    error: &WithSpan<ValidationError>,
) -> Error {
    if let ValidationError::EntryPoint { name, source: reason, .. } = error.as_inner()
        && matches!(reason, EntryPointError::OutOfRangeWorkgroupSize)
    {
        return workgroup_size(source, module, name);
    }
    Error::Wgsl {
        line: error.location(&source.text).map(|at| at.line_number),
        rendered: readable(&error.emit_to_string_with_path(&source.text, &source.name)),
    }
}

fn workgroup_size(source: &Source, module: Option<&naga::Module>, entry: &str) -> Error {
    let found = module.and_then(|m| m.entry_points.iter().find(|e| e.name == entry));
    let size = found.map_or(String::new(), |entry| {
        let [x, y, z] = entry.workgroup_size;
        format!("{x} × {y} × {z} ")
    });
    // The attribute has no span of its own: it stands before the function of that name.
    let text = &source.text;
    let function = text.match_indices("fn ").find(|(at, _)| {
        let rest = text[at + 3..].trim_start();
        rest.strip_prefix(entry).is_some_and(|after| after.trim_start().starts_with('('))
    });
    let attribute = function.and_then(|(at, _)| text[..at].rfind("workgroup_size"));
    let span = attribute.map_or(naga::Span::UNDEFINED, |at| {
        naga::Span::new(at as u32, (at + "workgroup_size".len()) as u32)
    });
    Error::Wgsl {
        line: source.line(span),
        rendered: format!(
            "error: the workgroup size {size}of `{entry}` is out of range: each extent is from 1 to \
             {MAX_EXTENT}\n{}",
            source.render(span)
        ),
    }
}

/// naga's rendering without the parts that only naga's authors can read.
pub(super) fn readable(rendered: &str) -> String {
    let (mut lines, mut reasons): (Vec<&str>, Vec<&str>) = Default::default();
    for line in rendered.lines() {
        match line.trim_start().strip_prefix("= ") {
            Some(reason) => reasons.push(reason),
            None => lines.push(line),
        }
    }
    let mut told = String::new();
    for (at, line) in lines.iter().enumerate() {
        let line = match (at, reasons.last()) {
            (0, Some(innermost)) => format!("error: {}", without_numbers(innermost)),
            // A line of the kernel's text, behind its number.
            _ if line.trim_start().starts_with(|c: char| c.is_ascii_digit()) => line.to_string(),
            _ => {
                let end = line.find(" naga::ir::").or_else(|| line.find(" see msg"));
                let marks = |end: &usize| line[..*end].ends_with(['^', '-']);
                without_numbers(&line[..end.filter(marks).unwrap_or(line.len())])
            }
        };
        told.push_str(line.trim_end());
        told.push('\n');
    }
    // Drops a rule under the text that leads to no reason.
    let mut told = told.trim_end_matches([' ', '│', '\n']).to_owned();
    told.push('\n');
    let outer = reasons.len().saturating_sub(1);
    for reason in reasons[..outer].iter().filter(|reason| !says_nothing(reason)) {
        told.push_str(&format!("  = {}\n", without_numbers(reason)));
    }
    told
}

/// Whether a reason is `Expression [9] is invalid` or similar.
fn says_nothing(reason: &str) -> bool {
    let what = reason.strip_suffix(" is invalid").unwrap_or("");
    ["Expression [", "Constant expression [", "Entry point "].iter().any(|p| what.starts_with(p))
}

/// The text without the numbers of handles, and with types as WGSL writes them.
fn without_numbers(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(" [") {
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_digit).count();
        let (before, after) = rest.split_at(at);
        told.push_str(before);
        rest = match after[2 + digits..].strip_prefix(']') {
            // An index in the kernel's text stands behind a name, without a space.
            Some(after) if digits > 0 => after,
            _ => {
                told.push_str(&after[..2]);
                &after[2..]
            }
        };
    }
    told.push_str(rest);
    for (kind, width, name) in [
        ("Uint", 4, "u32"),
        ("Sint", 4, "i32"),
        ("Float", 4, "f32"),
        ("Float", 2, "f16"),
        ("Bool", 1, "bool"),
    ] {
        let scalar = format!("Scalar {{ kind: {kind}, width: {width} }}");
        told = told.replace(&format!("Scalar({scalar})"), name).replace(&scalar, name);
    }
    told
}

#[cfg(test)]
mod tests {
    use crate::Kernel;

    fn message(body: &str) -> String {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> data: array<u32>;\n\
             override N: u32 = 100000;\n\
             @compute {body}"
        );
        Kernel::from_wgsl(&text).unwrap_err().to_string()
    }

    fn in_main(statement: &str) -> String {
        message(&format!("@workgroup_size(1) fn main() {{\n{statement}\n}}"))
    }

    #[test]
    fn what_the_validator_refuses_is_named_at_its_line_without_numbers_of_its_tables() {
        for (statement, reason) in [
            ("data[0] = data[1] / 0u;", "error: Division by zero"),
            ("data[0] = data[1] % vec2(1u, 0u).y;", "error: Division by zero"),
            ("data[0] = 7u / 0u;", "error: Division by zero"),
            ("data[0] = data[1] << 33u;", "error: Shift amount exceeds the bit width of u32"),
        ] {
            let told = in_main(statement);
            assert!(told.contains(reason), "{told}");
            assert!(told.contains(":4:") && told.contains(statement), "{told}");
            for inside in ["[9]", "Expression", "naga", "see msg", "is invalid", "kind:"] {
                assert!(!told.contains(inside), "{inside}: {told}");
            }
        }
    }

    #[test]
    fn a_workgroup_that_is_too_large_is_told_with_its_size_and_the_limit() {
        let told = message("@workgroup_size(2, 0x10000) fn main() { data[0] = 1u; }");
        assert!(told.contains("2 × 65536 × 1") && told.contains("1 to 16384"), "{told}");
        assert!(told.contains(":3:"), "{told}");
        let told = message("@workgroup_size(N) fn main() { data[0] = 1u; }");
        assert!(told.contains("100000") && told.contains("16384") && told.contains("N"), "{told}");
    }

    #[test]
    fn a_member_beyond_all_memory_is_a_mistake_in_the_text() {
        for size in ["4294967295u", "4294967292"] {
            let text = format!(
                "struct Bins {{ counts: array<u32, 5>, @size({size}) total: u32, plain: u32 }}\n\
                 @group(0) @binding(0) var<storage, read_write> bins: Bins;\n\
                 @compute @workgroup_size(1) fn main() {{ bins.plain = 7u; }}"
            );
            let error = Kernel::from_wgsl(&text).unwrap_err();
            assert!(matches!(error, crate::Error::Wgsl { .. }), "{size}: {error}");
        }
    }

    #[test]
    fn an_index_in_the_text_is_no_number_of_a_table() {
        let told = in_main("data[9] = data [9] + 1.5;");
        assert!(told.contains("data [9] + 1.5"), "{told}");
    }
}
