//! The WGSL type of a binding, as a tree that a host program can lay values out by.
//!
//! Sizes and offsets are WGSL's memory layout, in bytes. Nodes are shared, so a type whose
//! fields repeat one struct a million times takes little room. Types nest at most 64 deep
//! (`kernel::unsupported` refuses more).

use std::fmt;
use std::sync::Arc;

use naga::{ArraySize, Handle, Module, ScalarKind, Type, TypeInner};

use super::scalar_type::ScalarType;

/// A type that lies in host-visible memory.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueType {
    /// A number; an atomic counts as its number.
    Scalar(ScalarType),
    /// `vec2`, `vec3` or `vec4`, tightly packed.
    Vector {
        /// The type of a component.
        scalar: ScalarType,
        /// 2, 3 or 4.
        components: u32,
    },
    /// A matrix: columns, each a vector.
    Matrix {
        /// The type of a component.
        scalar: ScalarType,
        /// 2, 3 or 4.
        columns: u32,
        /// Components of a column: 2, 3 or 4.
        rows: u32,
        /// Bytes from one column to the next.
        column_stride: u64,
    },
    /// An array.
    Array {
        /// The type of an element.
        element: Arc<ValueType>,
        /// The number of elements; `None` for a runtime-sized array.
        count: Option<u64>,
        /// Bytes from one element to the next.
        stride: u64,
    },
    /// A struct.
    Struct {
        /// The WGSL name.
        name: String,
        /// Bytes, trailing padding included, a runtime-sized array at the end left out.
        size: u64,
        /// The members, in order.
        fields: Vec<Field>,
    },
}

/// A member of a struct.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The WGSL name.
    pub name: String,
    /// Bytes from the start of the struct.
    pub offset: u64,
    /// The member's type.
    pub ty: Arc<ValueType>,
}

impl ValueType {
    /// Bytes, trailing padding included. A runtime-sized array has none.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// assert_eq!(kernel.signature().binding("s").unwrap().value_type.size(), 32);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn size(&self) -> u64 {
        match self {
            ValueType::Scalar(scalar) => scalar.size(),
            ValueType::Vector { scalar, components } => scalar.size() * u64::from(*components),
            ValueType::Matrix { columns, column_stride, .. } => column_stride * u64::from(*columns),
            ValueType::Array { count, stride, .. } => stride * count.unwrap_or(0),
            ValueType::Struct { size, .. } => *size,
        }
    }

    /// Bytes up to the end of the last scalar: [`ValueType::size`] without trailing padding.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// assert_eq!(kernel.signature().binding("s").unwrap().value_type.used_size(), 28);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn used_size(&self) -> u64 {
        match self {
            ValueType::Matrix { scalar, columns, rows, column_stride } => {
                column_stride * u64::from(columns - 1) + scalar.size() * u64::from(*rows)
            }
            ValueType::Array { element, count, stride } => match count {
                Some(count @ 1..) => stride * (count - 1) + element.used_size(),
                _ => 0,
            },
            ValueType::Struct { fields, .. } => {
                fields.iter().map(|f| f.offset + f.ty.used_size()).max().unwrap_or(0)
            }
            other => other.size(),
        }
    }

    /// The part of the type at a path such as `grid.cells[3].x`: its offset and type. An empty
    /// path is the whole. Vectors take `x`, `y`, `z`, `w` (or `r`, `g`, `b`, `a`) and indices,
    /// matrices an index for the column.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// let (offset, _) = kernel.signature().binding("s").unwrap().value_type.at("b.y").unwrap();
    /// assert_eq!(offset, 20);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// A sentence that names the part of the path that does not exist, and the parts that do.
    pub fn at(&self, path: &str) -> Result<(u64, ValueType), String> {
        let mut offset = 0;
        let mut here = self.clone();
        let mut done = String::new();
        let steps = Steps { rest: path, first: true };
        for step in steps {
            let step = step.map_err(|problem| format!("`{path}`: {problem}"))?;
            let (more, ty) = here.step(&step).map_err(|what| {
                let place =
                    if done.is_empty() { "the value".to_owned() } else { format!("`{done}`") };
                format!("{place} has no {step}; {what}")
            })?;
            match step {
                Step::Name(name) if done.is_empty() => done = name.to_owned(),
                Step::Name(name) => done = format!("{done}.{name}"),
                Step::Index(index) => done = format!("{done}[{index}]"),
            }
            offset += more;
            here = ty;
        }
        Ok((offset, here))
    }

    fn step(&self, step: &Step<'_>) -> Result<(u64, ValueType), String> {
        match (self, step) {
            (ValueType::Struct { name, fields, .. }, Step::Name(wanted)) => {
                match fields.iter().find(|f| f.name == *wanted) {
                    Some(field) => Ok((field.offset, (*field.ty).clone())),
                    None => Err(format!("`{name}` has {}", names(fields))),
                }
            }
            (ValueType::Array { element, count, stride }, Step::Index(index)) => {
                if count.is_none_or(|count| *index < count) {
                    Ok((index * stride, (**element).clone()))
                } else {
                    Err(format!("{self} has {} elements", count.unwrap_or(0)))
                }
            }
            (ValueType::Matrix { scalar, columns, rows, column_stride }, Step::Index(index))
                if *index < u64::from(*columns) =>
            {
                let column = ValueType::Vector { scalar: *scalar, components: *rows };
                Ok((index * column_stride, column))
            }
            (ValueType::Vector { scalar, components }, step) => {
                let index = match step {
                    Step::Index(index) => Some(*index),
                    Step::Name(name) if name.len() == 1 => {
                        "xyzw".find(name).or_else(|| "rgba".find(name)).map(|i| i as u64)
                    }
                    Step::Name(_) => None,
                };
                match index {
                    Some(index) if index < u64::from(*components) => {
                        Ok((index * scalar.size(), ValueType::Scalar(*scalar)))
                    }
                    _ => {
                        Err(format!("{self} has {}", &"x, y, z, w"[..*components as usize * 3 - 2]))
                    }
                }
            }
            (ValueType::Struct { fields, .. }, Step::Index(_)) => {
                Err(format!("{self} is a struct with {}", names(fields)))
            }
            (ValueType::Array { .. }, Step::Name(_)) => {
                Err(format!("{self} is an array; name an element, as in [0]"))
            }
            (ValueType::Matrix { columns, .. }, _) => {
                Err(format!("{self} has the columns [0] to [{}]", columns - 1))
            }
            (ValueType::Scalar(_), _) => Err(format!("it is a single {self}")),
        }
    }

    /// The type of one element of a binding of this type: an array's element, the element of the
    /// runtime-sized array that ends a struct, or the type itself.
    pub(crate) fn element(&self) -> &ValueType {
        match self {
            ValueType::Array { element, .. } => element,
            ValueType::Struct { fields, .. } => match fields.last().map(|f| &*f.ty) {
                Some(ValueType::Array { element, count: None, .. }) => element,
                _ => self,
            },
            other => other,
        }
    }

    /// Every field as a line: offset, size, name and type. Fields of inner structs are indented.
    pub(crate) fn describe(&self) -> String {
        /// Lines after which a message stops.
        const LINES: usize = 40;
        fn walk(ty: &ValueType, base: u64, depth: usize, lines: &mut Vec<String>) {
            let ValueType::Struct { fields, .. } = ty else { return };
            for field in fields {
                if lines.len() == LINES {
                    lines.push("  …".to_owned());
                }
                if lines.len() > LINES {
                    return;
                }
                let at = base + field.offset;
                lines.push(format!(
                    "  {:indent$}offset {at:3}, {:3} bytes: {}: {}",
                    "",
                    field.ty.size(),
                    field.name,
                    field.ty,
                    indent = depth * 2
                ));
                walk(&field.ty, at, depth + 1, lines);
            }
        }
        let mut lines = Vec::new();
        walk(self, 0, 0, &mut lines);
        lines.join("\n")
    }
}

/// ``the fields `a`, `b` ``.
fn names(fields: &[Field]) -> String {
    let names: Vec<_> = fields.iter().map(|f| format!("`{}`", f.name)).collect();
    format!("the fields {}", names.join(", "))
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValueType::Scalar(scalar) => write!(f, "{scalar}"),
            ValueType::Vector { scalar, components } => write!(f, "vec{components}<{scalar}>"),
            ValueType::Matrix { scalar, columns, rows, .. } => {
                write!(f, "mat{columns}x{rows}<{scalar}>")
            }
            ValueType::Array { element, count: Some(count), .. } => {
                write!(f, "array<{element}, {count}>")
            }
            ValueType::Array { element, .. } => write!(f, "array<{element}>"),
            ValueType::Struct { name, .. } => write!(f, "{name}"),
        }
    }
}

/// One step of a path.
enum Step<'a> {
    Name(&'a str),
    Index(u64),
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Name(name) => write!(f, "`{name}`"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The steps of a path such as `a.b[3].x`.
struct Steps<'a> {
    rest: &'a str,
    first: bool,
}

impl<'a> Iterator for Steps<'a> {
    type Item = Result<Step<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let first = std::mem::replace(&mut self.first, false);
        let malformed =
            |rest: &str| Some(Err(format!("`{rest}` is not a path; write it as in `a.b[3].x`")));
        let rest = std::mem::take(&mut self.rest);
        if let Some(inside) = rest.strip_prefix('[') {
            let Some((number, after)) = inside.split_once(']') else { return malformed(rest) };
            let Ok(index) = number.trim().parse::<u32>() else { return malformed(rest) };
            self.rest = after;
            return Some(Ok(Step::Index(u64::from(index))));
        }
        let name = match rest.strip_prefix('.') {
            Some(name) if !first => name,
            None if first => rest,
            _ => return malformed(rest),
        };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        if end == 0 {
            return malformed(rest);
        }
        self.rest = &name[end..];
        Some(Ok(Step::Name(&name[..end])))
    }
}

/// The value type of each type of a module, and its scalar if it consists of one kind of scalar
/// without padding. `None` for types that no host sees.
pub(super) struct ValueTypes {
    types: Vec<Option<(Arc<ValueType>, Option<ScalarType>)>>,
}

impl ValueTypes {
    pub(super) fn new(module: &Module) -> ValueTypes {
        let mut all = ValueTypes { types: Vec::with_capacity(module.types.len()) };
        // Types only refer to earlier ones.
        for (_, ty) in module.types.iter() {
            let made = all.make(ty).map(|(ty, packed)| (Arc::new(ty), packed));
            all.types.push(made);
        }
        all
    }

    pub(super) fn get(&self, ty: Handle<Type>) -> Option<&Arc<ValueType>> {
        self.types[ty.index()].as_ref().map(|(ty, _)| ty)
    }

    /// The scalar that fills the whole type, if there is only one.
    pub(super) fn packed(&self, ty: Handle<Type>) -> Option<ScalarType> {
        self.types[ty.index()].as_ref().and_then(|(_, packed)| *packed)
    }

    fn make(&self, ty: &Type) -> Option<(ValueType, Option<ScalarType>)> {
        Some(match ty.inner {
            TypeInner::Scalar(s) | TypeInner::Atomic(s) => {
                let s = scalar(s)?;
                (ValueType::Scalar(s), Some(s))
            }
            TypeInner::Vector { size, scalar: s } => {
                let s = scalar(s)?;
                (ValueType::Vector { scalar: s, components: size as u32 }, Some(s))
            }
            TypeInner::Matrix { columns, rows, scalar: s } => {
                let s = scalar(s)?;
                let (columns, rows) = (columns as u32, rows as u32);
                // A column of three takes the room of four.
                let column_stride = s.size() * u64::from(rows.next_power_of_two());
                let packed = (rows != 3).then_some(s);
                (ValueType::Matrix { scalar: s, columns, rows, column_stride }, packed)
            }
            TypeInner::Array { base, size, stride } => {
                let element = Arc::clone(self.get(base)?);
                let count = match size {
                    ArraySize::Constant(n) => Some(u64::from(n.get())),
                    ArraySize::Dynamic => None,
                    ArraySize::Pending(_) => return None,
                };
                let stride = u64::from(stride);
                let packed = if element.size() == stride { self.packed(base) } else { None };
                (ValueType::Array { element, count, stride }, packed)
            }
            TypeInner::Struct { ref members, span } => {
                let mut fields = Vec::with_capacity(members.len());
                let mut end = 0;
                // Nothing yet, one kind, or a mixture.
                let mut kind: Option<Option<ScalarType>> = None;
                for (i, member) in members.iter().enumerate() {
                    let ty = Arc::clone(self.get(member.ty)?);
                    let offset = u64::from(member.offset);
                    let packed = self.packed(member.ty).filter(|_| offset == end);
                    kind = Some(match kind {
                        None => packed,
                        Some(before) => packed.filter(|&p| before == Some(p)),
                    });
                    end = offset + ty.size();
                    let name = member.name.clone().unwrap_or_else(|| format!("member_{i}"));
                    fields.push(Field { name, offset, ty });
                }
                let packed = kind.flatten().filter(|_| end == u64::from(span));
                let name = ty.name.clone().unwrap_or_else(|| "struct".to_owned());
                (ValueType::Struct { name, size: u64::from(span), fields }, packed)
            }
            _ => return None,
        })
    }
}

/// A scalar as it lies in memory; `None` for bool and for widths that coexec refuses.
fn scalar(scalar: naga::Scalar) -> Option<ScalarType> {
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 4) => Some(ScalarType::F32),
        (ScalarKind::Float, 2) => Some(ScalarType::F16),
        (ScalarKind::Sint, 4) => Some(ScalarType::I32),
        (ScalarKind::Uint, 4) => Some(ScalarType::U32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;

    /// The type of `v` in a kernel with these declarations.
    fn type_of(declarations: &str, ty: &str) -> ValueType {
        let text = format!(
            "enable f16; {declarations}
            @group(0) @binding(0) var<storage, read> v: {ty};
            @compute @workgroup_size(1) fn main() {{ let keep = v; }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"));
        (*kernel.signature().bindings[0].value_type).clone()
    }

    fn offsets(ty: &ValueType) -> Vec<(&str, u64, u64)> {
        let ValueType::Struct { fields, .. } = ty else { panic!("{ty} is no struct") };
        fields.iter().map(|f| (f.name.as_str(), f.offset, f.ty.size())).collect()
    }

    #[test]
    fn structs_are_laid_out_as_the_standard_says() {
        let ty = type_of(
            "struct S { a: f32, b: vec3<f32>, c: f32, m: mat3x3<f32>, h: vec3<f16>, k: f16,
                        n: array<vec3<f32>, 2>, p: array<vec2<f16>, 3>, q: u32 }",
            "S",
        );
        assert_eq!(
            offsets(&ty),
            [
                ("a", 0, 4),
                ("b", 16, 12),
                ("c", 28, 4),
                ("m", 32, 48),
                ("h", 80, 6),
                ("k", 86, 2),
                ("n", 96, 32),
                ("p", 128, 12),
                ("q", 140, 4)
            ]
        );
        assert_eq!((ty.size(), ty.used_size()), (144, 144));
        let ty = type_of("struct S { @size(24) a: f32, @align(32) b: u32, c: vec3<u32> }", "S");
        assert_eq!(offsets(&ty), [("a", 0, 4), ("b", 32, 4), ("c", 48, 12)]);
        assert_eq!((ty.size(), ty.used_size()), (64, 60));
        let ty = type_of("", "mat4x3<f16>");
        assert_eq!((ty.size(), ty.used_size()), (32, 30));
        assert_eq!(ty.to_string(), "mat4x3<f16>");
    }

    #[test]
    fn paths_lead_to_scalars_and_wrong_ones_say_what_there_is() {
        let ty = type_of(
            "struct Cell { at: vec3<f32>, kind: u32 }
            struct Grid { size: vec2<u32>, m: mat2x3<f32>, cells: array<Cell, 4> }",
            "Grid",
        );
        let at = |path: &str| ty.at(path).map(|(offset, ty)| (offset, ty.to_string()));
        assert_eq!(at("size.y"), Ok((4, "u32".to_owned())));
        assert_eq!(at("size"), Ok((0, "vec2<u32>".to_owned())));
        assert_eq!(at("m[1].z"), Ok((16 + 16 + 8, "f32".to_owned())));
        assert_eq!(at("m[1][2]"), Ok((16 + 16 + 8, "f32".to_owned())));
        assert_eq!(at("cells[3].kind"), Ok((48 + 3 * 16 + 12, "u32".to_owned())));
        assert_eq!(at("cells[0].at.b"), Ok((48 + 8, "f32".to_owned())));
        assert_eq!(at(""), Ok((0, "Grid".to_owned())));
        for (path, expected) in [
            ("width", "the value has no `width`; `Grid` has the fields `size`, `m`, `cells`"),
            ("size.z", "`size` has no `z`; vec2<u32> has x, y"),
            ("cells[4].kind", "`cells` has no [4]; array<Cell, 4> has 4 elements"),
            ("cells.kind", "`cells` has no `kind`; array<Cell, 4> is an array"),
            ("cells[1].kinds", "`cells[1]` has no `kinds`; `Cell` has the fields `at`, `kind`"),
            ("m[2]", "`m` has no [2]; mat2x3<f32> has the columns [0] to [1]"),
            ("size.x.y", "`size.x` has no `y`; it is a single u32"),
            ("size..x", "not a path"),
            ("cells[x]", "not a path"),
            ("cells[1", "not a path"),
            (".size", "not a path"),
            ("size.", "not a path"),
            ("[0]", "the value has no [0]; Grid is a struct with the fields"),
        ] {
            let problem = at(path).unwrap_err();
            assert!(problem.contains(expected), "{path}: {problem}");
        }
    }

    #[test]
    fn a_type_that_doubles_at_each_level_is_shared() {
        let mut text = "struct S0 { a: f32 }\n".to_owned();
        for i in 1..17 {
            text += &format!("struct S{i} {{ a: S{j}, b: S{j} }}\n", j = i - 1);
        }
        let ty = type_of(&text, "S16");
        assert_eq!(ty.size(), 4 << 16);
        assert_eq!(ty.at(&["a"; 17].join(".")).unwrap().1, ValueType::Scalar(ScalarType::F32));
    }
}
