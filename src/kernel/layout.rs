//! Layouts of structs by WGSL's rules, where naga's differ.
//!
//! naga derives the alignment of a struct from the types of its members. An `@align` that is larger
//! than the type's own alignment is therefore lost when the struct is itself a member or an
//! element. naga's module does not hold the attributes, so this module finds them in the text and
//! lets naga evaluate them. It then corrects offsets, spans and strides in the parsed module before
//! that is validated. A text without `@align` needs no correction.

use std::collections::HashMap;
use std::ops::Range;

use naga::proc::Layouter;
use naga::valid::MAX_TYPE_SIZE;
use naga::{ArraySize, Expression, Literal, Module, Span, StructMember, Type, TypeInner};

use super::isolated::step_of_naga;
use super::source::Source;
use super::tokens::tokens;
use crate::error::{Error, Result};

/// An expression: a range of the text.
type Text = Range<usize>;

/// The attributes of a member of a struct.
#[derive(Debug, Default, PartialEq)]
struct Attributes {
    align: Option<Text>,
    size: Option<Text>,
}

/// The attributes of each member of each struct, by the struct's name.
type Structs<'a> = HashMap<&'a str, Vec<Attributes>>;

/// Size and alignment of a type.
#[derive(Clone, Copy)]
struct Extent {
    size: u64,
    align: u64,
}

impl Extent {
    fn padded_size(self) -> u64 {
        self.size.next_multiple_of(self.align)
    }
}

/// Corrects `module`, which was parsed from `text`. Positions in `text` are those of the source.
pub(super) fn correct(source: &Source, text: &str, module: &mut Module) -> Result<()> {
    let structs = structs(text);
    if !structs.values().flatten().any(|member| member.align.is_some()) {
        return Ok(());
    }
    let values = evaluate(text, &structs)?;
    let mut layouter = Layouter::default();
    if layouter.update(module.to_ctx()).is_err() {
        // A type that is too large: the validator refuses it, with its line.
        return Ok(());
    }
    let mut extents: Vec<Extent> = Vec::with_capacity(module.types.len());
    let mut changed = Vec::new();
    for (handle, ty) in module.types.iter() {
        let mut inner = ty.inner.clone();
        let bounded = |bytes: u64| match u32::try_from(bytes) {
            Ok(bytes) if bytes <= MAX_TYPE_SIZE => Ok(bytes),
            _ => {
                let problem = format!("the type is larger than {MAX_TYPE_SIZE} bytes");
                Err(wrong(source, module.types.get_span(handle), problem))
            }
        };
        extents.push(match &mut inner {
            TypeInner::Array { base, size, stride } => {
                let element = extents[base.index()];
                let count = match size {
                    ArraySize::Constant(count) => u64::from(count.get()),
                    // As in naga, a runtime-sized array counts as one element, and an array sized
                    // by an override as none.
                    ArraySize::Dynamic => 1,
                    ArraySize::Pending(_) => 0,
                };
                *stride = bounded(element.padded_size())?;
                Extent { size: count * element.padded_size(), ..element }
            }
            TypeInner::Struct { members, span } => {
                let attributes = ty.name.as_deref().and_then(|name| structs.get(name));
                let mut whole = Extent { size: 0, align: 1 };
                for (i, member) in members.iter_mut().enumerate() {
                    let natural = extents[member.ty.index()];
                    let given = attributes.and_then(|members| members.get(i));
                    let extent = match given {
                        Some(given) => attributed(source, member, natural, given, &values)?,
                        None => natural,
                    };
                    let offset = whole.size.next_multiple_of(extent.align);
                    member.offset = bounded(offset)?;
                    whole.size = offset + extent.size;
                    whole.align = whole.align.max(extent.align);
                }
                whole.size = whole.padded_size();
                *span = bounded(whole.size)?;
                whole
            }
            _ => {
                let layout = layouter[handle];
                let align = u64::from(layout.alignment * 1);
                Extent { size: u64::from(layout.size), align }
            }
        });
        if inner != ty.inner {
            changed.push((handle, Type { name: ty.name.clone(), inner }));
        }
    }
    for (handle, ty) in changed {
        module.types.replace(handle, ty);
    }
    Ok(())
}

/// The size and alignment of a member with its attributes. naga has refused any `@align` that is
/// not a power of two.
fn attributed(
    source: &Source,
    member: &StructMember,
    natural: Extent,
    given: &Attributes,
    values: &HashMap<usize, u32>,
) -> Result<Extent> {
    let value = |attribute: &str, expression: &Option<Text>, least: u64| {
        let Some(text) = expression else { return Ok(least) };
        let value = u64::from(values[&text.start]);
        if value < least {
            let name = member.name.as_deref().unwrap_or("");
            let problem =
                format!("`@{attribute}({value})` is too small for `{name}`, which needs {least}");
            let span = Span::new(text.start as u32, text.end as u32);
            return Err(wrong(source, span, problem));
        }
        Ok(value)
    };
    Ok(Extent {
        size: value("size", &given.size, natural.size)?,
        align: value("align", &given.align, natural.align)?,
    })
}

fn wrong(source: &Source, span: Span, problem: String) -> Error {
    let rendered = format!("error: {problem}\n{}", source.render(span));
    Error::Wgsl { line: source.line(span), rendered }
}

/// The structs that a text declares.
fn structs(text: &str) -> Structs<'_> {
    let mut found = HashMap::new();
    let mut tokens = tokens(text);
    while let Some(token) = tokens.next() {
        if &text[token] != "struct" {
            continue;
        }
        let Some(name) = tokens.next() else { break };
        let mut members = Vec::new();
        let mut member = Attributes::default();
        while let Some(token) = tokens.next() {
            match &text[token] {
                "}" => break,
                "@" => match tokens.next().map(|name| &text[name]) {
                    Some("align") => member.align = argument(text, &mut tokens),
                    Some("size") => member.size = argument(text, &mut tokens),
                    _ => {}
                },
                // A colon stands only between a member's name and its type.
                ":" => members.push(std::mem::take(&mut member)),
                _ => {}
            }
        }
        found.insert(&text[name], members);
    }
    found
}

/// The contents of the parentheses that come next, without a trailing comma.
fn argument(text: &str, tokens: &mut impl Iterator<Item = Text>) -> Option<Text> {
    let open = tokens.next()?;
    let (mut depth, mut end) = (1, open.end);
    for token in tokens {
        match &text[token.clone()] {
            ")" if depth == 1 => return Some(open.end..end),
            ")" => depth -= 1,
            "(" => depth += 1,
            "," if depth == 1 => continue,
            _ => {}
        }
        end = token.end;
    }
    None
}

/// The values of all attributes, by the start of their expressions. An expression may name
/// constants of the text, so naga evaluates it as an additional constant at the end of the text.
fn evaluate(text: &str, structs: &Structs<'_>) -> Result<HashMap<usize, u32>> {
    let mut prefix = "attribute_".to_owned();
    while text.contains(&prefix) {
        prefix.push('_');
    }
    let members = structs.values().flatten();
    let expressions: Vec<_> = members.flat_map(|m| [&m.align, &m.size]).flatten().collect();
    let mut longer = text.to_owned();
    for Text { start, end } in expressions.iter().copied() {
        longer += &format!("\nconst {prefix}{start} = u32({});", &text[*start..*end]);
    }
    let internal = |cause: &str| Error::Internal {
        place: "kernel::layout".to_owned(),
        cause: cause.to_owned(),
    };
    let module = step_of_naga("parser", || naga::front::wgsl::parse_str(&longer))?
        .map_err(|error| internal(error.message()))?;
    let constants = module.constants.iter().filter_map(|(_, constant)| {
        let start = constant.name.as_deref()?.strip_prefix(&prefix)?.parse().ok()?;
        match module.global_expressions[constant.init] {
            Expression::Literal(Literal::U32(value)) => Some((start, value)),
            _ => None,
        }
    });
    let values: HashMap<usize, u32> = constants.collect();
    if expressions.iter().any(|text| !values.contains_key(&text.start)) {
        return Err(internal("an attribute has no value"));
    }
    Ok(values)
}
