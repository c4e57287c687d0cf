//! Values without a Rust type, such as JSON gives: to bytes in a WGSL type's memory layout.
//!
//! Every field of a struct and every component must be given, nothing is rounded or wrapped, and
//! an error names the place inside the value. Padding is zero.

use half::f16;
use naga::{ArraySize, Handle, Scalar, ScalarKind, Type, TypeInner};

use super::Kernel;
use super::reflect::type_name;
use crate::error::{Error, Result};

/// A value for a binding, to be laid out by [`Kernel::encode`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number. Fits an integer type only if it is whole.
    Number(f64),
    /// A whole number.
    Int(i64),
    /// A vector, a matrix (as a list of columns, or flat, column by column) or an array.
    List(Vec<Value>),
    /// A struct: each field's name and value, in any order.
    Fields(Vec<(String, Value)>),
}

impl Kernel {
    /// Lays a value out as a binding has it in memory.
    ///
    /// # Errors
    /// [`Error::Binding`] for a name that is none, and for a value that does not fit the type;
    /// it names the field or component, what was found and what would fit.
    pub fn encode(&self, name: &str, value: &Value) -> Result<Vec<u8>> {
        let id = self.binding(name)?;
        let binding = &self.signature().bindings[id];
        let encoder = Encoder { module: self.module() };
        let length = match (&binding.layout.count, value) {
            (Some(_), _) => encoder.size(binding.ty),
            (None, value) => {
                let layout = &binding.layout;
                layout.header + layout.stride * encoder.runtime_length(value)
            }
        };
        let wrong = |problem| Error::Binding { name: binding.name.clone(), problem };
        let mut bytes = Vec::new();
        usize::try_from(length)
            .ok()
            .and_then(|length| bytes.try_reserve_exact(length).ok().map(|()| length))
            .map(|length| bytes.resize(length, 0))
            .ok_or_else(|| wrong("there is not enough memory for the value".to_owned()))?;
        encoder.put(&mut bytes, 0, binding.ty, value, &binding.name).map_err(wrong)?;
        Ok(bytes)
    }

    /// The form that [`Kernel::encode`] wants for a binding, as JSON with types in place of
    /// values: `{"width": u32, "origin": [f32, f32]}`.
    ///
    /// # Errors
    /// [`Error::Binding`] for a name that is none.
    pub fn value_form(&self, name: &str) -> Result<String> {
        let id = self.binding(name)?;
        Ok(Encoder { module: self.module() }.form(self.signature().bindings[id].ty))
    }
}

struct Encoder<'a> {
    module: &'a naga::Module,
}

impl Encoder<'_> {
    fn size(&self, ty: Handle<Type>) -> u64 {
        u64::from(self.module.types[ty].inner.size(self.module.to_ctx()))
    }

    /// Elements that a value gives a runtime-sized array, itself or as the last field.
    fn runtime_length(&self, value: &Value) -> u64 {
        match value {
            Value::List(items) => items.len() as u64,
            Value::Fields(fields) => fields
                .iter()
                .filter_map(|(_, value)| match value {
                    Value::List(items) => Some(items.len() as u64),
                    _ => None,
                })
                .max()
                .unwrap_or(0),
            _ => 0,
        }
    }

    fn put(
        &self,
        out: &mut [u8],
        at: u64,
        ty: Handle<Type>,
        value: &Value,
        path: &str,
    ) -> Result<(), String> {
        match self.module.types[ty].inner {
            TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => {
                put_scalar(out, at, scalar, value, path)
            }
            TypeInner::Vector { size, scalar } => {
                let items = self.items(ty, value, size as usize, path)?;
                for (i, item) in items.iter().enumerate() {
                    let at = at + i as u64 * u64::from(scalar.width);
                    put_scalar(out, at, scalar, item, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            TypeInner::Matrix { columns, rows, scalar } => {
                self.put_matrix(out, at, ty, (columns as usize, rows as usize, scalar), value, path)
            }
            TypeInner::Array { base, size, stride } => {
                let items = match (size, value) {
                    (ArraySize::Constant(n), value) => {
                        self.items(ty, value, n.get() as usize, path)?
                    }
                    (_, Value::List(items)) => items,
                    (_, other) => return Err(self.unfit(ty, other, path)),
                };
                for (i, item) in items.iter().enumerate() {
                    let at = at + i as u64 * u64::from(stride);
                    self.put(out, at, base, item, &format!("{path}[{i}]"))?;
                }
                Ok(())
            }
            TypeInner::Struct { ref members, .. } => {
                let Value::Fields(fields) = value else {
                    return Err(self.unfit(ty, value, path));
                };
                let name = |i: usize| members[i].name.clone().unwrap_or_else(|| i.to_string());
                let names: Vec<String> = (0..members.len()).map(name).collect();
                if let Some((extra, _)) = fields.iter().find(|(name, _)| !names.contains(name)) {
                    return Err(format!(
                        "`{path}` has no field `{extra}`; {} has {}",
                        type_name(self.module, ty),
                        quoted(&names)
                    ));
                }
                for (member, name) in members.iter().zip(&names) {
                    let Some((_, value)) = fields.iter().find(|(given, _)| given == name) else {
                        return Err(format!("`{path}.{name}` is missing; give {}", self.form(ty)));
                    };
                    let at = at + u64::from(member.offset);
                    self.put(out, at, member.ty, value, &format!("{path}.{name}"))?;
                }
                Ok(())
            }
            _ => Err(format!("`{path}` is {}, which takes no value", type_name(self.module, ty))),
        }
    }

    fn put_matrix(
        &self,
        out: &mut [u8],
        at: u64,
        ty: Handle<Type>,
        (columns, rows, scalar): (usize, usize, Scalar),
        value: &Value,
        path: &str,
    ) -> Result<(), String> {
        let Value::List(items) = value else {
            return Err(self.unfit(ty, value, path));
        };
        // A column of three takes the room of four.
        let width = u64::from(scalar.width);
        let stride = (rows as u64).next_power_of_two() * width;
        let mut put = |column: usize, row: usize, value: &Value, path: &str| {
            put_scalar(out, at + column as u64 * stride + row as u64 * width, scalar, value, path)
        };
        if items.len() == columns * rows {
            for (i, item) in items.iter().enumerate() {
                put(i / rows, i % rows, item, &format!("{path}[{i}]"))?;
            }
            return Ok(());
        }
        if items.len() != columns {
            return Err(self.unfit(ty, value, path));
        }
        for (column, item) in items.iter().enumerate() {
            let path = format!("{path}[{column}]");
            match item {
                Value::List(items) if items.len() == rows => {
                    for (row, item) in items.iter().enumerate() {
                        put(column, row, item, &format!("{path}[{row}]"))?;
                    }
                }
                other => {
                    return Err(format!(
                        "`{path}` is {}, and a column of {} has {rows} components",
                        described(other),
                        type_name(self.module, ty)
                    ));
                }
            }
        }
        Ok(())
    }

    fn items<'v>(
        &self,
        ty: Handle<Type>,
        value: &'v Value,
        count: usize,
        path: &str,
    ) -> Result<&'v [Value], String> {
        match value {
            Value::List(items) if items.len() == count => Ok(items),
            other => Err(self.unfit(ty, other, path)),
        }
    }

    fn unfit(&self, ty: Handle<Type>, value: &Value, path: &str) -> String {
        format!(
            "`{path}` is {}, and the type {} takes {}",
            described(value),
            type_name(self.module, ty),
            self.form(ty)
        )
    }

    fn form(&self, ty: Handle<Type>) -> String {
        let list = |item: String, count: usize| {
            if count <= 4 {
                format!("[{}]", vec![item; count].join(", "))
            } else {
                format!("[{item}, … {count} in all]")
            }
        };
        match self.module.types[ty].inner {
            TypeInner::Scalar(scalar) | TypeInner::Atomic(scalar) => scalar_name(scalar),
            TypeInner::Vector { size, scalar } => list(scalar_name(scalar), size as usize),
            TypeInner::Matrix { columns, rows, scalar } => {
                list(list(scalar_name(scalar), rows as usize), columns as usize)
            }
            TypeInner::Array { base, size: ArraySize::Constant(n), .. } => {
                list(self.form(base), n.get() as usize)
            }
            TypeInner::Array { base, .. } => format!("[{}, …]", self.form(base)),
            TypeInner::Struct { ref members, .. } => {
                let fields: Vec<String> = members
                    .iter()
                    .map(|member| {
                        let name = member.name.as_deref().unwrap_or("?");
                        format!("\"{name}\": {}", self.form(member.ty))
                    })
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            _ => type_name(self.module, ty),
        }
    }
}

fn put_scalar(
    out: &mut [u8],
    at: u64,
    scalar: Scalar,
    value: &Value,
    path: &str,
) -> Result<(), String> {
    let unfit =
        || format!("`{path}` is {}, and not a value of {}", described(value), scalar_name(scalar));
    let number = match *value {
        Value::Number(number) => number,
        // Only for floats; exact for every integer that fits i32 or u32.
        Value::Int(whole) => whole as f64,
        Value::List(_) | Value::Fields(_) => return Err(unfit()),
    };
    let whole = || match *value {
        Value::Int(whole) => Some(whole),
        _ => (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64),
    };
    let bytes: Vec<u8> = match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => {
            let narrow = number as f32;
            if narrow.is_infinite() && number.is_finite() {
                return Err(unfit());
            }
            narrow.to_le_bytes().into()
        }
        (ScalarKind::Float, 2) => {
            let narrow = f16::from_f64(number);
            if narrow.is_infinite() && number.is_finite() {
                return Err(unfit());
            }
            narrow.to_le_bytes().into()
        }
        (ScalarKind::Sint, 4) => {
            let value = whole().and_then(|v| i32::try_from(v).ok()).ok_or_else(unfit)?;
            value.to_le_bytes().into()
        }
        (ScalarKind::Uint, 4) => {
            let value = whole().and_then(|v| u32::try_from(v).ok()).ok_or_else(unfit)?;
            value.to_le_bytes().into()
        }
        _ => return Err(format!("`{path}` is {}, which takes no value", scalar_name(scalar))),
    };
    let at = usize::try_from(at).map_err(|_| unfit())?;
    let place = out.get_mut(at..at + bytes.len()).ok_or_else(unfit)?;
    place.copy_from_slice(&bytes);
    Ok(())
}

fn scalar_name(scalar: Scalar) -> String {
    let letter = match scalar.kind {
        ScalarKind::Float => 'f',
        ScalarKind::Sint => 'i',
        ScalarKind::Uint => 'u',
        _ => return "bool".to_owned(),
    };
    format!("{letter}{}", u32::from(scalar.width) * 8)
}

fn described(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Int(whole) => whole.to_string(),
        Value::List(items) => format!("a list of {}", items.len()),
        Value::Fields(fields) => {
            let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();
            if names.is_empty() {
                "an object without fields".to_owned()
            } else {
                format!("an object with {}", quoted(&names))
            }
        }
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
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
}
