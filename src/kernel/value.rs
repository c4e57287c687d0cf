//! Values without a Rust type, such as those of JSON, and their bytes in a WGSL type's layout.
//!
//! Every field of a struct and every component must be given, nothing is rounded to an integer or
//! wrapped, and an error names the place inside the value. Padding is zero.

use std::fmt::Write;

use super::scalar_type::ScalarType;
use super::signature::Binding;
use super::value_type::{Field, ValueType};
use crate::error::{Error, Result};

/// A value for a uniform, an immediate, or a part of one, to be laid out by [`Kernel::encode`](crate::Kernel::encode).
///
/// Numbers, lists and arrays of them convert with `into`:
///
/// ```
/// # use coexec::Value;
/// let row: Value = [1.5, 2.0].into();
/// assert_eq!(row, Value::List(vec![Value::Number(1.5), Value::Number(2.0)]));
/// assert_eq!(Value::from(7u32), Value::Int(7));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number. Fits an integer type only if it is whole.
    Number(f64),
    /// A whole number.
    Int(i64),
    /// A truth value: 0 or 1 of an integer.
    Bool(bool),
    /// A vector, a matrix (as a list of columns, or flat, column by column) or an array.
    List(Vec<Value>),
    /// A struct: each field's name and value, in any order.
    Fields(Vec<(String, Value)>),
}

macro_rules! from_numbers {
    ($($variant:ident: $($from:ty),*;)*) => {$($(
        impl From<$from> for Value {
            fn from(value: $from) -> Value {
                Value::$variant(value.into())
            }
        }
    )*)*};
}

from_numbers! {
    Number: f32, f64, half::f16;
    Int: i8, i16, i32, i64, u8, u16, u32;
    Bool: bool;
}

macro_rules! from_wide {
    ($($from:ty),*) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Value {
                // A value beyond `i64` fits no type of a binding, and is refused there.
                i64::try_from(value).map_or(Value::Number(value as f64), Value::Int)
            }
        }
    )*};
}

from_wide!(u64, usize, isize);

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Value {
        Value::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(list: [T; N]) -> Value {
        Value::List(list.into_iter().map(Into::into).collect())
    }
}

/// Lays a value out as a binding has it in memory.
pub(super) fn lay_out(binding: &Binding, value: &Value) -> Result<Vec<u8>> {
    let wrong = |problem| Error::Binding { name: binding.name.clone(), problem };
    let ty = &binding.value_type;
    let length = match binding.layout.count {
        Some(_) => ty.size(),
        None => binding.layout.header + binding.layout.stride * runtime_length(ty, value),
    };
    let mut bytes = Vec::new();
    usize::try_from(length)
        .ok()
        .and_then(|length| bytes.try_reserve_exact(length).ok().map(|()| length))
        .map(|length| bytes.resize(length, 0))
        .ok_or_else(|| wrong("there is not enough memory for the value".to_owned()))?;
    let mut out = Encoder { bytes: &mut bytes, given: None };
    out.put(ty, value, 0, &binding.name).map_err(wrong)?;
    Ok(bytes)
}

/// The number of elements that a value gives a runtime-sized array, itself or as the last field.
fn runtime_length(ty: &ValueType, value: &Value) -> u64 {
    match (ty, value) {
        (ValueType::Array { .. }, Value::List(items)) => items.len() as u64,
        (ValueType::Struct { fields, .. }, Value::Fields(given)) => {
            let last = fields.last().map(|f| f.name.as_str());
            match given.iter().find(|(name, _)| Some(name.as_str()) == last) {
                Some((_, Value::List(items))) => items.len() as u64,
                _ => 0,
            }
        }
        _ => 0,
    }
}

/// The value of a uniform or immediate that is given part by part.
#[derive(Debug, Clone)]
pub(crate) struct PartialValue {
    bytes: Vec<u8>,
    given: Vec<bool>,
}

impl PartialValue {
    /// A value without any part given.
    pub(crate) fn new(binding: &Binding) -> PartialValue {
        let size = binding.value_type.size() as usize;
        PartialValue { bytes: vec![0; size], given: vec![false; size] }
    }

    /// Sets the part at `path` inside the binding's value (empty for the whole). A later value
    /// replaces an earlier one.
    pub(crate) fn set(&mut self, binding: &Binding, path: &str, value: &Value) -> Result<()> {
        let wrong = |problem| Error::Binding { name: binding.name.clone(), problem };
        let (offset, ty) = binding.value_type.at(path).map_err(wrong)?;
        let full = if path.is_empty() || path.starts_with('[') {
            format!("{}{path}", binding.name)
        } else {
            format!("{}.{path}", binding.name)
        };
        let mut out = Encoder { bytes: &mut self.bytes, given: Some(&mut self.given) };
        out.put(&ty, value, offset, &full).map_err(wrong)
    }

    /// The bytes, if every field was given.
    pub(crate) fn finish(self, binding: &Binding) -> Result<Vec<u8>> {
        let mut missing = Vec::new();
        find_missing(&binding.value_type, 0, &binding.name, &self.given, &mut missing);
        if missing.is_empty() {
            return Ok(self.bytes);
        }
        let shown = &missing[..missing.len().min(SHOWN)];
        let more = if missing.len() > SHOWN { " and more" } else { "" };
        Err(Error::Binding {
            name: binding.name.clone(),
            problem: format!("no value was given for {}{more}", shown.join(", ")),
        })
    }
}

/// The most missing fields that a message names.
const SHOWN: usize = 8;

/// Lists the missing fields: a whole part if none of it was given. It stops when there are more
/// than a message shows.
fn find_missing(ty: &ValueType, at: u64, path: &str, given: &[bool], out: &mut Vec<String>) {
    if out.len() > SHOWN {
        return;
    }
    let part = given.get(at as usize..(at + ty.used_size()) as usize).unwrap_or(&[]);
    if !part.contains(&true) {
        out.push(format!("`{path}`: {ty}"));
        return;
    }
    match ty {
        ValueType::Scalar(_) => {}
        ValueType::Vector { scalar, components } => {
            for (i, name) in ["x", "y", "z", "w"].iter().take(*components as usize).enumerate() {
                let at = at + i as u64 * scalar.size();
                let component = ValueType::Scalar(*scalar);
                find_missing(&component, at, &format!("{path}.{name}"), given, out);
            }
        }
        ValueType::Matrix { scalar, columns, rows, column_stride } => {
            let column = ValueType::Vector { scalar: *scalar, components: *rows };
            for i in 0..u64::from(*columns) {
                let at = at + i * column_stride;
                find_missing(&column, at, &format!("{path}[{i}]"), given, out);
            }
        }
        ValueType::Array { element, count, stride } => {
            for i in 0..count.unwrap_or(0) {
                if out.len() > SHOWN {
                    return;
                }
                find_missing(element, at + i * stride, &format!("{path}[{i}]"), given, out);
            }
        }
        ValueType::Struct { fields, .. } => {
            for field in fields {
                let path = format!("{path}.{}", field.name);
                find_missing(&field.ty, at + field.offset, &path, given, out);
            }
        }
    }
}

struct Encoder<'a> {
    bytes: &'a mut [u8],
    /// Records which bytes were given, if the caller asks for it.
    given: Option<&'a mut [bool]>,
}

impl Encoder<'_> {
    fn put(&mut self, ty: &ValueType, value: &Value, at: u64, path: &str) -> Result<(), String> {
        match ty {
            ValueType::Scalar(scalar) => self.put_scalar(*scalar, value, at, path),
            ValueType::Vector { scalar, components } => {
                for (i, item) in items(ty, value, u64::from(*components), path)?.iter().enumerate()
                {
                    let at = at + i as u64 * scalar.size();
                    self.put_scalar(*scalar, item, at, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            ValueType::Matrix { scalar, columns, rows, column_stride } => {
                let (columns, rows) = (u64::from(*columns), u64::from(*rows));
                if let Value::List(flat) = value
                    && flat.len() as u64 == columns * rows
                {
                    for (i, item) in (0u64..).zip(flat) {
                        let at = at + i / rows * column_stride + i % rows * scalar.size();
                        self.put_scalar(*scalar, item, at, &format!("{path}[{i}]"))?;
                    }
                    return Ok(());
                }
                let column = ValueType::Vector { scalar: *scalar, components: rows as u32 };
                for (i, item) in (0u64..).zip(items(ty, value, columns, path)?) {
                    self.put(&column, item, at + i * column_stride, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            ValueType::Array { element, count, stride } => {
                let items = match (count, value) {
                    (Some(count), value) => items(ty, value, *count, path)?,
                    (None, Value::List(items)) => items,
                    (None, other) => return Err(unfit(ty, other, path)),
                };
                for (i, item) in (0u64..).zip(items) {
                    self.put(element, item, at + i * stride, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            ValueType::Struct { fields, .. } => self.put_struct(ty, fields, value, at, path),
        }
    }

    fn put_struct(
        &mut self,
        ty: &ValueType,
        fields: &[Field],
        value: &Value,
        at: u64,
        path: &str,
    ) -> Result<(), String> {
        let Value::Fields(given) = value else {
            return Err(unfit(ty, value, path));
        };
        for (i, (name, _)) in given.iter().enumerate() {
            if !fields.iter().any(|f| f.name == *name) {
                let names = quoted(fields.iter().map(|f| f.name.as_str()));
                return Err(format!("`{path}` has no field `{name}`; {ty} has {names}"));
            }
            if given[..i].iter().any(|(before, _)| before == name) {
                return Err(format!("`{path}.{name}` is given twice"));
            }
        }
        for field in fields {
            let Some((_, value)) = given.iter().find(|(name, _)| *name == field.name) else {
                return Err(format!("`{path}.{}` is missing; give {}", field.name, form(ty)));
            };
            self.put(&field.ty, value, at + field.offset, &format!("{path}.{}", field.name))?;
        }
        Ok(())
    }

    fn put_scalar(
        &mut self,
        scalar: ScalarType,
        value: &Value,
        at: u64,
        path: &str,
    ) -> Result<(), String> {
        let unfit = || format!("`{path}` is {}, and not a value of {scalar}", described(value));
        let encoded = encode(scalar, value).ok_or_else(unfit)?;
        let range = at as usize..(at + scalar.size()) as usize;
        let place = self.bytes.get_mut(range.clone()).ok_or_else(unfit)?;
        place.copy_from_slice(&encoded[..place.len()]);
        if let Some(given) = &mut self.given {
            given[range].fill(true);
        }
        Ok(())
    }
}

/// A scalar's little-endian bytes, those of an `f16` first of four; `None` if the value does not
/// fit. Floats are rounded, infinities and NaN kept.
fn encode(scalar: ScalarType, value: &Value) -> Option<[u8; 4]> {
    let number = match *value {
        Value::Number(number) => Some(number),
        Value::Int(whole) => Some(whole as f64),
        _ => None,
    };
    let whole = match *value {
        Value::Int(whole) => Some(whole),
        Value::Bool(flag) => Some(i64::from(flag)),
        Value::Number(n) => (n.fract() == 0.0 && n.abs() < 1e15).then_some(n as i64),
        _ => None,
    };
    match scalar {
        ScalarType::F32 => {
            let narrow = number? as f32;
            (narrow.is_finite() || !number?.is_finite()).then(|| narrow.to_le_bytes())
        }
        ScalarType::F16 => {
            let narrow = half::f16::from_f64(number?);
            let [low, high] = narrow.to_le_bytes();
            (narrow.is_finite() || !number?.is_finite()).then_some([low, high, 0, 0])
        }
        ScalarType::I32 => Some(i32::try_from(whole?).ok()?.to_le_bytes()),
        ScalarType::U32 => Some(u32::try_from(whole?).ok()?.to_le_bytes()),
    }
}

fn items<'v>(
    ty: &ValueType,
    value: &'v Value,
    count: u64,
    path: &str,
) -> Result<&'v [Value], String> {
    match value {
        Value::List(items) if items.len() as u64 == count => Ok(items),
        other => Err(unfit(ty, other, path)),
    }
}

fn unfit(ty: &ValueType, value: &Value, path: &str) -> String {
    format!("`{path}` is {}, and the type {ty} takes {}", described(value), form(ty))
}

fn described(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Int(whole) => whole.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Fields(fields) if fields.is_empty() => "an object without fields".to_owned(),
        Value::Fields(fields) => {
            format!("an object with {}", quoted(fields.iter().map(|(name, _)| name.as_str())))
        }
    }
}

fn quoted<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The form that a type's value has, as JSON with types in place of values.
pub(super) fn form(ty: &ValueType) -> String {
    let mut text = String::new();
    write_form(ty, &mut text);
    text
}

/// Characters after which a form is cut short: a type that doubles at each level has an endless
/// one.
const FORM: usize = 1000;

fn write_form(ty: &ValueType, out: &mut String) {
    let list = |item: &ValueType, count: Option<u64>, out: &mut String| {
        out.push('[');
        match count {
            Some(count @ ..=4) => {
                for i in 0..count {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    write_form(item, out);
                }
            }
            Some(count) => {
                write_form(item, out);
                let _ = write!(out, ", … {count} in all");
            }
            None => {
                write_form(item, out);
                out.push_str(", …");
            }
        }
        out.push(']');
    };
    if out.len() > FORM {
        out.push('…');
        return;
    }
    match ty {
        ValueType::Scalar(scalar) => {
            let _ = write!(out, "{scalar}");
        }
        ValueType::Vector { scalar, components } => {
            list(&ValueType::Scalar(*scalar), Some(u64::from(*components)), out);
        }
        ValueType::Matrix { scalar, columns, rows, .. } => {
            let column = ValueType::Vector { scalar: *scalar, components: *rows };
            list(&column, Some(u64::from(*columns)), out);
        }
        ValueType::Array { element, count, .. } => list(element, *count, out),
        ValueType::Struct { fields, .. } => {
            out.push('{');
            for (i, field) in fields.iter().enumerate() {
                if out.len() > FORM {
                    out.push_str(", …");
                    break;
                }
                let _ = write!(out, "{}\"{}\": ", if i > 0 { ", " } else { "" }, field.name);
                write_form(&field.ty, out);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Value::{self, *};
    use crate::kernel::Kernel;

    fn kernel(types: &str) -> Kernel {
        Kernel::from_wgsl(&format!(
            "{types}
             @group(0) @binding(0) var<uniform> p: P;
             @group(0) @binding(1) var<storage, read_write> out: array<P>;
             @compute @workgroup_size(1) fn main() {{ out[0] = p; }}"
        ))
        .unwrap()
    }

    fn fields(fields: &[(&str, Value)]) -> Value {
        Fields(fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
    }

    fn error(kernel: &Kernel, value: &Value) -> String {
        kernel.encode("p", value).unwrap_err().to_string()
    }

    #[test]
    fn a_struct_is_laid_out_with_wgsl_padding() {
        let kernel = kernel("struct P { n: u32, v: vec3<f32>, s: i32, m: mat2x3<f32> }");
        let columns =
            List(vec![List(vec![Int(1), Int(2), Int(3)]), List(vec![Int(4), Int(5), Int(6)])]);
        let value = |m: Value| {
            fields(&[
                ("m", m),
                ("s", Int(-1)),
                ("v", List(vec![Number(0.5), Int(1), Int(2)])),
                ("n", Number(7.0)),
            ])
        };
        let bytes = kernel.encode("p", &value(columns)).unwrap();
        let flat = List((1..=6).map(Int).collect());
        assert_eq!(bytes, kernel.encode("p", &value(flat)).unwrap());
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]])).collect();
        let f = f32::to_bits;
        assert_eq!(
            words,
            [
                7,
                0,
                0,
                0,
                f(0.5),
                f(1.0),
                f(2.0),
                u32::MAX,
                f(1.0),
                f(2.0),
                f(3.0),
                0,
                f(4.0),
                f(5.0),
                f(6.0),
                0
            ]
        );
    }

    #[test]
    fn an_error_names_the_place_and_what_fits() {
        let kernel = kernel("struct P { n: u32, v: vec2<f32> }");
        let v = List(vec![Int(1), Int(2)]);
        let missing = error(&kernel, &fields(&[("v", v.clone())]));
        assert!(missing.contains("`p.n` is missing"), "{missing}");
        assert!(missing.contains("{\"n\": u32, \"v\": [f32, f32]}"), "{missing}");
        let extra = error(&kernel, &fields(&[("k", Int(1))]));
        assert!(extra.contains("no field `k`; P has `n`, `v`"), "{extra}");
        for (n, found) in [(Number(1.5), "1.5"), (Int(-1), "-1"), (Int(1 << 32), "4294967296")] {
            let unfit = error(&kernel, &fields(&[("n", n), ("v", v.clone())]));
            assert!(
                unfit.contains(&format!("`p.n` is {found}, and not a value of u32")),
                "{unfit}"
            );
        }
        let short = error(&kernel, &fields(&[("n", Int(1)), ("v", List(vec![Int(1)]))]));
        assert!(short.contains("`p.v` is a list of 1"), "{short}");
        let list = error(&kernel, &v);
        assert!(list.contains("takes {\"n\": u32"), "{list}");
        assert!(kernel.encode("q", &v).is_err());
    }

    #[test]
    fn a_runtime_sized_array_is_as_long_as_its_list() {
        let kernel = Kernel::from_wgsl(
            "struct S { n: u32, rest: array<vec3<u32>> }
             @group(0) @binding(0) var<storage, read_write> s: S;
             @compute @workgroup_size(1) fn main() { s.rest[0].x = s.n; }",
        )
        .unwrap();
        let triple = |a| List(vec![Int(a), Int(a), Int(a)]);
        let value = fields(&[("n", Int(2)), ("rest", List(vec![triple(1), triple(2)]))]);
        assert_eq!(kernel.encode("s", &value).unwrap().len(), 16 + 2 * 16);
    }

    #[test]
    fn numbers_beyond_f32_are_refused_and_infinities_kept() {
        let kernel = kernel("alias P = f32;");
        assert!(error(&kernel, &Number(1e39)).contains("not a value of f32"));
        let bytes = kernel.encode("p", &Number(f64::INFINITY)).unwrap();
        assert_eq!(bytes, f32::INFINITY.to_le_bytes());
    }

    #[test]
    fn a_value_given_in_parts_must_become_whole() {
        use super::PartialValue;
        let kernel = kernel(
            "struct Cell { at: vec3<f32>, kind: u32 }
            struct P { size: vec2<i32>, h: f32, m: mat2x3<f32>, cells: array<Cell, 2> }",
        );
        let binding = &kernel.signature().bindings[0];
        let set = |value: &mut PartialValue, path: &str, part: Value| {
            value.set(binding, path, &part).map_err(|e| e.to_string())
        };
        let mut value = PartialValue::new(binding);
        let nothing = value.clone().finish(binding).unwrap_err().to_string();
        assert!(nothing.ends_with("no value was given for `p`: P"), "{nothing}");
        set(&mut value, "size", [1, 2].into()).unwrap();
        set(&mut value, "h", 1.into()).unwrap();
        set(&mut value, "m[0]", [1, 2, 3].into()).unwrap();
        set(&mut value, "m[1].y", 2.into()).unwrap();
        let problem = value.clone().finish(binding).unwrap_err().to_string();
        assert!(
            problem.ends_with(
                "no value was given for `p.m[1].x`: f32, `p.m[1].z`: f32, `p.cells`: array<Cell, 2>"
            ),
            "{problem}"
        );
        let cell = fields(&[("at", [1.0, 2.0, 3.0].into()), ("kind", 7u32.into())]);
        set(&mut value, "m[1]", [4, 5, 6].into()).unwrap();
        set(&mut value, "cells", List(vec![cell.clone(), cell])).unwrap();
        set(&mut value, "cells[1].kind", 11u8.into()).unwrap();
        let problem = set(&mut value, "cells[1].at", [1, 2].into()).unwrap_err();
        assert!(problem.contains("`p.cells[1].at` is a list of 2"), "{problem}");
        let problem = set(&mut value, "width", 1.into()).unwrap_err();
        assert!(problem.contains("no `width`; `P` has the fields `size`, `h`"), "{problem}");
        let bytes = value.finish(binding).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!(bytes.len(), 80);
        assert_eq!((word(4), word(60), word(76)), (2, 7, 11));
        assert_eq!((word(40), word(56)), (6f32.to_bits(), 3f32.to_bits()));
    }

    #[test]
    fn truth_values_are_integers_and_nothing_is_given_twice() {
        let one = kernel("alias P = u32;");
        assert_eq!(one.encode("p", &true.into()).unwrap(), [1, 0, 0, 0]);
        assert!(error(&kernel("alias P = f32;"), &Bool(true)).contains("not a value of f32"));
        let pair = kernel("struct P { a: u32 }");
        let twice = error(&pair, &fields(&[("a", Int(1)), ("a", Int(2))]));
        assert!(twice.contains("`p.a` is given twice"), "{twice}");
        assert!(error(&one, &u64::MAX.into()).contains("not a value of u32"));
        assert!(error(&one, &f64::NAN.into()).contains("not a value of u32"));
    }

    #[test]
    fn half_floats_and_tables_are_laid_out_in_place() {
        let kernel = Kernel::from_wgsl(
            "enable f16;
            struct P { a: f16, b: vec3<f16>, t: array<vec2<f16>, 2> }
            @group(0) @binding(0) var<storage, read> p: P;
            @group(0) @binding(1) var<storage, read_write> out: P;
            @compute @workgroup_size(1) fn main() { out = p; }",
        )
        .unwrap();
        let rows = List(vec![[1, 2].into(), [-1, -2].into()]);
        let value = fields(&[("a", 0.5.into()), ("b", [1, 2, 3].into()), ("t", rows)]);
        let bytes = kernel.encode("p", &value).unwrap();
        let halves: Vec<f32> = bytes
            .chunks_exact(2)
            .map(|h| half::f16::from_le_bytes([h[0], h[1]]).to_f32())
            .collect();
        assert_eq!(halves, [0.5, 0., 0., 0., 1., 2., 3., 0., 1., 2., -1., -2.]);
        assert!(error(&kernel, &fields(&[("a", 70000.into())])).contains("not a value of f16"));
    }

    #[test]
    fn the_form_of_a_value_reads_as_json_and_ends() {
        let kernel = kernel("struct P { n: u32, v: vec2<f32>, t: array<vec4<i32>, 9> }");
        assert_eq!(
            kernel.value_form("p").unwrap(),
            "{\"n\": u32, \"v\": [f32, f32], \"t\": [[i32, i32, i32, i32], … 9 in all]}"
        );
        assert!(kernel.value_form("q").is_err());
        let mut types = "struct S0 { a: vec4<f32> }\n".to_owned();
        for i in 1..=16 {
            types += &format!("struct S{i} {{ a: S{j}, b: S{j} }}\n", j = i - 1);
        }
        let deep = self::kernel(&format!("{types} alias P = S16;")).value_form("p").unwrap();
        assert!(deep.len() < 2000 && deep.contains('…'), "{deep}");
    }
}
