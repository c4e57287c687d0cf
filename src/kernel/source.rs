//! The WGSL text of a kernel, and how a place in it is shown to a person.
//!
//! naga's spans are byte ranges of this text, through every rewrite: a new expression or statement
//! gets the span of the one that it stands for.

use naga::Span;

/// A kernel's WGSL text, with the name under which diagnostics show it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The text as the user gave it.
    pub(crate) text: String,
    /// A file name, or `wgsl` where there is none.
    pub(crate) name: String,
}

impl Source {
    /// The 1-based line of a span; `None` for a span that points nowhere.
    pub(crate) fn line(&self, span: Span) -> Option<u32> {
        let range = span.to_range()?;
        let prefix = self.text.get(..range.start)?;
        Some(prefix.bytes().filter(|&b| b == b'\n').count() as u32 + 1)
    }

    /// The 1-based line and column, in characters; `None` for a span that points nowhere.
    pub(crate) fn line_and_column(&self, span: Span) -> Option<(u32, u32)> {
        let prefix = self.text.get(..span.to_range()?.start)?;
        let start = prefix.rfind('\n').map_or(0, |at| at + 1);
        Some((self.line(span)?, prefix[start..].chars().count() as u32 + 1))
    }

    /// `name:line:column`, the line itself, and a caret under the span's first line.
    /// Empty for a span that points nowhere.
    pub(crate) fn render(&self, span: Span) -> String {
        let (Some(range), Some(line)) = (span.to_range(), self.line(span)) else {
            return String::new();
        };
        let start = self.text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let full = self.text[start..].lines().next().unwrap_or("");
        let column = self.text[start..range.start].chars().count();
        let marked = self.text.get(range.start..range.end).unwrap_or("").lines().next();
        let width = marked.map_or(1, |part| part.chars().count()).max(1);
        let gutter = line.to_string();
        let blank = " ".repeat(gutter.len());
        // Tabs keep their width so that the caret stands under the right character.
        let lead: String =
            full.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        format!(
            "{blank}--> {}:{line}:{}\n{gutter} | {full}\n{blank} | {lead}{}",
            self.name,
            column + 1,
            "^".repeat(width)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendered_span_points_at_its_text() {
        let source = Source { text: "let a = 1;\n  let b = a;\n".into(), name: "k.wgsl".into() };
        let at = source.text.find("b = a").unwrap();
        let span = Span::new(at as u32, at as u32 + 1);
        assert_eq!(source.line(span), Some(2));
        assert_eq!(source.render(span), " --> k.wgsl:2:7\n2 |   let b = a;\n  |       ^");
        assert_eq!(source.render(Span::UNDEFINED), "");
    }
}
