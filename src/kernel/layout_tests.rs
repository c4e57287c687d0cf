//! Layouts against WGSL's rules (section "Memory Layout"), which are implemented here a second
//! time: all combinations of `@align`, `@size`, nesting and arrays up to a depth, and random ones
//! beyond it.

use super::Kernel;
use super::value_type::ValueType;
use crate::error::Error;

/// A type, with the properties that the rules need.
#[derive(Clone)]
enum Type {
    /// Its name, size and alignment.
    Plain(&'static str, u64, u64),
    Array(Box<Type>, u64),
    Struct(Vec<Member>),
}

#[derive(Clone)]
struct Member {
    ty: Type,
    align: Option<u64>,
    /// Bytes that `@size` adds to the size of the type.
    more: Option<u64>,
}

const PLAIN: [Type; 5] = [
    Type::Plain("u32", 4, 4),
    Type::Plain("vec3<f32>", 12, 16),
    Type::Plain("vec2<f16>", 4, 4),
    Type::Plain("mat3x2<f32>", 24, 8),
    Type::Plain("atomic<i32>", 4, 4),
];

impl Member {
    fn plain(ty: Type) -> Member {
        Member { ty, align: None, more: None }
    }

    fn align(&self) -> u64 {
        self.align.unwrap_or(self.ty.align())
    }

    fn size(&self) -> u64 {
        self.ty.size() + self.more.unwrap_or(0)
    }
}

impl Type {
    fn align(&self) -> u64 {
        match self {
            Type::Plain(_, _, align) => *align,
            Type::Array(element, _) => element.align(),
            Type::Struct(members) => members.iter().map(Member::align).max().unwrap(),
        }
    }

    fn stride(&self) -> u64 {
        self.size().next_multiple_of(self.align())
    }

    fn size(&self) -> u64 {
        match self {
            Type::Plain(_, size, _) => *size,
            Type::Array(element, count) => element.stride() * count,
            Type::Struct(members) => {
                let last = members.len() - 1;
                let end = offsets(members)[last] + members[last].size();
                end.next_multiple_of(self.align())
            }
        }
    }

    /// The type as WGSL, after the structs that it needs.
    fn text(&self, structs: &mut String) -> String {
        match self {
            Type::Plain(name, _, _) => (*name).to_owned(),
            Type::Array(element, count) => format!("array<{}, {count}>", element.text(structs)),
            Type::Struct(members) => {
                let mut fields = String::new();
                for (i, member) in members.iter().enumerate() {
                    if let Some(align) = member.align {
                        fields += &format!("@align({align}) ");
                    }
                    if member.more.is_some() {
                        fields += &format!("@size(ONE * {}i) ", member.size());
                    }
                    fields += &format!("m{i}: {}, ", member.ty.text(structs));
                }
                let name = format!("S{}", structs.lines().count());
                *structs += &format!("struct {name} {{ {fields}}}\n");
                name
            }
        }
    }

    fn check(&self, found: &ValueType, text: &str) {
        match (self, found) {
            (Type::Array(element, _), ValueType::Array { element: inner, stride, .. }) => {
                assert_eq!(*stride, element.stride(), "stride of {found} in\n{text}");
                element.check(inner, text);
            }
            (Type::Struct(members), ValueType::Struct { fields, size, .. }) => {
                assert_eq!(*size, self.size(), "size of {found} in\n{text}");
                for ((member, field), offset) in members.iter().zip(fields).zip(offsets(members)) {
                    assert_eq!(field.offset, offset, "{found}.{} in\n{text}", field.name);
                    member.ty.check(&field.ty, text);
                }
            }
            _ => assert_eq!(found.size(), self.size(), "size of {found} in\n{text}"),
        }
    }
}

fn offsets(members: &[Member]) -> Vec<u64> {
    let mut end = 0;
    let mut place = |member: &Member| {
        let offset = u64::next_multiple_of(end, member.align());
        end = offset + member.size();
        offset
    };
    members.iter().map(&mut place).collect()
}

/// Compares a type as an element of a buffer, and as a member behind a member of four bytes.
fn check(ty: Type) {
    let whole = Type::Struct(vec![Member::plain(PLAIN[0].clone()), Member::plain(ty)]);
    let mut text = "enable f16; const ONE = 1;\n".to_owned();
    let name = whole.text(&mut text);
    text += &format!(
        "@group(0) @binding(0) var<storage, read_write> v: array<{name}>;
        @compute @workgroup_size(1) fn main() {{ v[0].m0 = 1u; }}"
    );
    let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let binding = &kernel.signature().bindings[0];
    assert_eq!(binding.layout.stride, whole.stride(), "{text}");
    whole.check(binding.value_type.element(), &text);
}

/// Members of the type, with several values of `@align` and `@size` that it allows.
fn attributed(ty: &Type) -> Vec<Member> {
    let aligns = [None, Some(4), Some(8), Some(16), Some(64)];
    let aligns = aligns.into_iter().filter(|align| align.is_none_or(|align| align >= ty.align()));
    let with = |align| [None, Some(0), Some(20)].map(|more| Member { ty: ty.clone(), align, more });
    aligns.flat_map(with).collect()
}

#[test]
fn every_combination_of_align_size_nesting_and_arrays_lies_where_wgsl_puts_it() {
    let after = || Member::plain(PLAIN[0].clone());
    for plain in [&PLAIN[0], &PLAIN[1]] {
        for inner in attributed(plain) {
            let inner = Type::Struct(vec![inner, after()]);
            let array = |ty: &Type| Type::Array(Box::new(ty.clone()), 3);
            let nested = Type::Struct(vec![after(), Member::plain(array(&inner)), after()]);
            for ty in [inner.clone(), array(&inner), array(&array(&inner)), nested] {
                for outer in attributed(&ty) {
                    check(Type::Struct(vec![after(), outer, after()]));
                }
            }
        }
    }
}

#[test]
fn random_structs_of_structs_lie_where_wgsl_puts_them() {
    let mut state = 1u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    fn make(random: &mut dyn FnMut(u64) -> u64, depth: u32) -> Type {
        match random(if depth == 0 { 2 } else { 6 }) {
            0 | 1 => PLAIN[random(PLAIN.len() as u64) as usize].clone(),
            2 => Type::Array(Box::new(make(random, depth - 1)), 1 + random(3)),
            _ => {
                let count = 1 + random(4);
                let mut member = || {
                    let choices = attributed(&make(random, depth - 1));
                    choices[random(choices.len() as u64) as usize].clone()
                };
                Type::Struct((0..count).map(|_| member()).collect())
            }
        }
    }
    for _ in 0..500 {
        check(make(&mut random, 3));
    }
}

#[test]
fn attributes_are_read_whatever_stands_around_them() {
    let text = "alias Size = u32;
        const attribute_ = 4; // struct No { @align(64) x: u32 }
        struct /* { */ Inner { @size(8,) @align((attribute_ + 4) * 2 // }
            ,) x: array<u32, (1 + 1)>, };
        @group(0) @binding(0) var<storage, read_write> v: S;
        struct S { a: u32, @align(16) y: Inner, z: Size }
        @compute @workgroup_size(1) fn main() { v.a = 1u; }";
    let kernel = Kernel::from_wgsl(text).unwrap_or_else(|e| panic!("{e}"));
    let ty = &kernel.signature().bindings[0].value_type;
    assert_eq!([ty.at("y").unwrap().0, ty.at("z").unwrap().0, ty.size()], [16, 32, 48]);
}

#[test]
fn an_attribute_that_is_less_than_the_true_layout_needs_is_refused_at_its_line() {
    for (attribute, expected) in [
        ("@align(4)", "`@align(4)` is too small for `y`, which needs 16"),
        ("@size(36)", "`@size(36)` is too small for `y`, which needs 48"),
    ] {
        let text = format!(
            "struct Inner {{ @align(16) x: u32 }}
            struct Middle {{ a: u32, x: Inner, b: u32 }}
            struct S {{ a: u32,
                {attribute} y: Middle }}
            @group(0) @binding(0) var<storage, read_write> v: S;
            @compute @workgroup_size(1) fn main() {{ v.a = 1u; }}"
        );
        let error = Kernel::from_wgsl(&text).unwrap_err();
        let Error::Wgsl { line: Some(4), rendered } = error else { panic!("{error}") };
        assert!(rendered.contains(expected), "{rendered}");
    }
}
