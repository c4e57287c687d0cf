//! Valid WGSL that coexec does not support: textures and samplers, ray queries, cooperative
//! matrices, binding arrays, 64-bit and 16-bit integers, float atomics, and types nested too deep.
//! Each is refused with the first line that needs it.
//!
//! The check looks only at what the chosen entry point uses. Everything in the IR that is not
//! refused here has a meaning in every engine.

use naga::proc::TypeResolution;
use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    Expression, Function, Handle, Module, PredeclaredType, Scalar, ScalarKind, Span, Type,
    TypeInner,
};

use super::source::Source;
use crate::error::{Error, Result};

/// Structs and arrays inside each other. WGSL promises 15; the bound lets walks over types recurse.
const MAX_TYPE_DEPTH: u32 = 64;

/// Refuses what coexec does not run. `info` is naga's analysis of `module`, whose only entry
/// point is the chosen one.
pub(super) fn check(source: &Source, module: &Module, info: &ModuleInfo) -> Result<()> {
    let types = Types::new(module);
    let refuse = |what: &str, span: Span| {
        Err(Error::Unsupported { what: what.to_owned(), at: source.render(span) })
    };
    for (handle, global) in module.global_variables.iter() {
        if let Some(what) = types.refused[global.ty.index()] {
            return refuse(what, module.global_variables.get_span(handle));
        }
    }
    for (handle, constant) in module.constants.iter() {
        if let Some(what) = types.refused[constant.ty.index()] {
            return refuse(what, module.constants.get_span(handle));
        }
    }
    for (handle, constant) in module.overrides.iter() {
        if let Some(what) = types.refused[constant.ty.index()] {
            return refuse(what, module.overrides.get_span(handle));
        }
    }
    let entry = &module.entry_points[0].function;
    let functions = module
        .functions
        .iter()
        .map(|(handle, function)| (function, &info[handle], module.functions.get_span(handle)))
        .chain([(entry, info.get_entry_point(0), Span::UNDEFINED)]);
    for (function, info, span) in functions {
        if let Some((what, at)) = refused_in(&types, function, info) {
            return refuse(what, if at.is_defined() { at } else { span });
        }
    }
    Ok(())
}

fn refused_in(
    types: &Types<'_>,
    function: &Function,
    info: &FunctionInfo,
) -> Option<(&'static str, Span)> {
    let module = types.module;
    for argument in &function.arguments {
        if let Some(what) = types.refused[argument.ty.index()] {
            return Some((what, module.types.get_span(argument.ty)));
        }
    }
    for (handle, local) in function.local_variables.iter() {
        if let Some(what) = types.refused[local.ty.index()] {
            return Some((what, function.local_variables.get_span(handle)));
        }
    }
    for (handle, expression) in function.expressions.iter() {
        let what = match expression {
            Expression::ImageSample { .. }
            | Expression::ImageLoad { .. }
            | Expression::ImageQuery { .. } => Some(TEXTURE),
            Expression::RayQueryVertexPositions { .. }
            | Expression::RayQueryProceedResult
            | Expression::RayQueryGetIntersection { .. } => Some(RAYS),
            Expression::CooperativeLoad { .. } | Expression::CooperativeMultiplyAdd { .. } => {
                Some(COOPERATIVE)
            }
            Expression::Derivative { .. } => {
                Some("a derivative, which only fragment shaders have,")
            }
            // naga gives the result a 16-bit integer type, which WGSL does not have.
            Expression::As { expr, convert: None, .. }
                if info[*expr].ty.inner_with(&module.types).scalar() == Some(Scalar::F16) =>
            {
                types.refused_resolution(&info[handle].ty).and(Some(BITCAST_OF_F16))
            }
            _ => types.refused_resolution(&info[handle].ty),
        };
        if let Some(what) = what {
            return Some((what, function.expressions.get_span(handle)));
        }
    }
    None
}

const TEXTURE: &str =
    "a texture or sampler in a compute kernel (pass the data in a storage buffer)";
const RAYS: &str = "ray tracing";
const COOPERATIVE: &str = "a cooperative matrix";
const BITCAST_OF_F16: &str = "a bitcast of an f16 (use pack2x16float)";
/// naga gives the exponent a type that WGSL does not have.
const FREXP_OF_F16: &str = "frexp of an f16 (use frexp of the number as an f32)";

/// For each type of the module, the reason why it is refused, if it is.
struct Types<'a> {
    module: &'a Module,
    refused: Vec<Option<&'static str>>,
}

impl<'a> Types<'a> {
    fn new(module: &'a Module) -> Self {
        let mut types = Types { module, refused: Vec::with_capacity(module.types.len()) };
        let mut depth: Vec<u32> = Vec::with_capacity(module.types.len());
        let frexp_of_f16 = |ty: Handle<Type>| {
            module.special_types.predeclared_types.iter().any(|(of, &handle)| {
                matches!(of, PredeclaredType::FrexpResult { scalar: Scalar::F16, .. })
                    && handle == ty
            })
        };
        for (handle, ty) in module.types.iter() {
            let deepest = match &ty.inner {
                TypeInner::Array { base, .. } => 1 + depth[base.index()],
                TypeInner::Struct { members, .. } => {
                    1 + members.iter().map(|m| depth[m.ty.index()]).max().unwrap_or(0)
                }
                _ => 0,
            };
            depth.push(deepest);
            let mut refused = types.refused_inner(&ty.inner);
            if frexp_of_f16(handle) {
                refused = Some(FREXP_OF_F16);
            }
            if deepest > MAX_TYPE_DEPTH {
                refused = Some("a type of more than 64 nested arrays and structs");
            }
            types.refused.push(refused);
        }
        types
    }

    fn get(&self, ty: Handle<Type>) -> Option<&'static str> {
        // Types only refer to earlier ones.
        self.refused.get(ty.index()).copied().flatten()
    }

    fn refused_resolution(&self, ty: &TypeResolution) -> Option<&'static str> {
        match ty {
            TypeResolution::Handle(handle) => self.get(*handle),
            TypeResolution::Value(inner) => self.refused_inner(inner),
        }
    }

    fn refused_inner(&self, inner: &TypeInner) -> Option<&'static str> {
        match inner {
            TypeInner::Scalar(scalar)
            | TypeInner::Vector { scalar, .. }
            | TypeInner::Matrix { scalar, .. }
            | TypeInner::ValuePointer { scalar, .. } => refused_scalar(*scalar),
            TypeInner::Atomic(scalar) if scalar.kind == ScalarKind::Float => {
                Some("an atomic float (use atomicCompareExchangeWeak on its bits)")
            }
            TypeInner::Atomic(scalar) => refused_scalar(*scalar),
            TypeInner::Pointer { base, .. } | TypeInner::Array { base, .. } => self.get(*base),
            TypeInner::Struct { members, .. } => members.iter().find_map(|m| self.get(m.ty)),
            TypeInner::Image { .. } | TypeInner::Sampler { .. } => Some(TEXTURE),
            TypeInner::AccelerationStructure { .. } | TypeInner::RayQuery { .. } => Some(RAYS),
            TypeInner::CooperativeMatrix { .. } => Some(COOPERATIVE),
            TypeInner::BindingArray { .. } => Some("a binding array"),
        }
    }
}

fn refused_scalar(scalar: Scalar) -> Option<&'static str> {
    match (scalar.kind, scalar.width) {
        (ScalarKind::Float, 8) => Some("the type f64 (use f32)"),
        (ScalarKind::Sint, 8) => Some("the type i64 (use i32, or two words)"),
        (ScalarKind::Uint, 8) => Some("the type u64 (use u32, or two words)"),
        (ScalarKind::Sint, 2) => Some("the type i16 (use i32)"),
        (ScalarKind::Uint, 2) => Some("the type u16 (use u32)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Error;
    use crate::kernel::Kernel;

    fn refused(text: &str, what: &str, line: u32) {
        let error = Kernel::from_wgsl(text).unwrap_err();
        let Error::Unsupported { .. } = error else { panic!("{error}") };
        let text = error.to_string();
        assert!(text.contains(what) && text.contains("is not supported"), "{text}");
        assert!(text.contains(&format!("wgsl:{line}:")), "{text}");
    }

    const MAIN: &str = "@compute @workgroup_size(1) fn main()";

    #[test]
    fn each_refused_construct_is_named_with_its_line() {
        refused(
            &format!(
                "@group(0) @binding(0) var t: texture_2d<f32>;\n{MAIN} {{ _ = textureLoad(t, vec2(0), 0); }}"
            ),
            "a texture or sampler",
            1,
        );
        refused(
            &format!(
                "@group(0) @binding(0)\nvar t: texture_storage_2d<rgba8unorm, write>;
                {MAIN} {{ textureStore(t, vec2(0), vec4(1.0)); }}"
            ),
            "a texture or sampler",
            2,
        );
        refused(
            &format!(
                "@group(0) @binding(0) var<storage, read_write> o: array<f64>;\n{MAIN} {{ o[0] = 1.0lf; }}"
            ),
            "f64",
            1,
        );
        refused(
            &format!(
                "@group(0) @binding(0) var<storage, read_write> o: u32;\n{MAIN} {{\n o = u32(u64(o) * 5lu); }}"
            ),
            "u64",
            3,
        );
        refused(&format!("{MAIN} {{\n let a = 1li; }}"), "i64", 2);
        refused(
            &format!(
                "@group(0) @binding(0) var<storage, read_write> o: atomic<f32>;\n{MAIN} {{ atomicAdd(&o, 1.0); }}"
            ),
            "an atomic float",
            1,
        );
        refused(
            &format!(
                "enable wgpu_binding_array; struct B {{ a: array<f32> }}
                @group(0) @binding(0) var<storage> o: binding_array<B, 2>;
                {MAIN} {{ _ = o[1].a[0]; }}"
            ),
            "a binding array",
            2,
        );
        refused(
            &format!(
                "enable wgpu_ray_query;
                @group(0) @binding(0) var a: acceleration_structure;
                {MAIN} {{
                    var q: ray_query;
                    rayQueryInitialize(&q, a, RayDesc(0u, 255u, 0.1, 9.0, vec3(0.0), vec3(1.0)));
                }}"
            ),
            "ray tracing",
            2,
        );
        for exponent in ["frexp(1h).exp", "frexp(vec2(h, 1h)).exp.y"] {
            let body = format!("var h = 2h;\n o = u32({exponent});");
            let o = "@group(0) @binding(0) var<storage, read_write> o: u32;";
            refused(&format!("enable f16; {o}\n{MAIN} {{ {body} }}"), "frexp of an f16", 3);
        }
        let body = "var h = 2h;\n o = u32(bitcast<i32>(h));";
        let o = "@group(0) @binding(0) var<storage, read_write> o: u32;";
        refused(&format!("enable f16; {o}\n{MAIN} {{ {body} }}"), "a bitcast of an f16", 3);
    }

    #[test]
    fn what_the_entry_point_does_not_use_is_not_refused() {
        let text = format!(
            "@group(0) @binding(0) var t: texture_2d<f32>;
            @fragment fn paint() -> @location(0) vec4<f32> {{ return textureLoad(t, vec2(0), 0); }}
            fn unused() -> f64 {{ return 1.0lf; }}
            @group(0) @binding(1) var<storage, read_write> o: u32;
            {MAIN} {{ o = 1u; }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap();
        assert_eq!(kernel.signature().bindings.len(), 1);
    }

    #[test]
    fn packing_subgroups_f16_and_immediates_are_accepted() {
        Kernel::from_wgsl(
            "enable f16; enable subgroups;
            var<immediate> k: u32;
            @group(0) @binding(0) var<storage, read_write> o: array<u32>;
            @compute @workgroup_size(64)
            fn main(@builtin(subgroup_size) n: u32, @builtin(subgroup_invocation_id) i: u32) {
                let h = vec2<f16>(unpack2x16float(o[i]));
                o[i] = pack2x16float(vec2<f32>(h) + quantizeToF16(0.1)) + k;
                o[0] = subgroupAdd(i) + subgroupShuffle(i, 0u) + subgroupBallot(true).x;
                o[1] = subgroupBroadcast(i, 3u) + quadSwapX(i) + subgroupExclusiveAdd(n);
                subgroupBarrier();
            }",
        )
        .unwrap();
    }

    #[test]
    fn pointers_into_storage_as_arguments_are_nagas_error() {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> o: array<u32>;
            fn f(p: ptr<storage, array<u32>, read_write>) {{ (*p)[0] = 1u; }}
            {MAIN} {{ f(&o); }}"
        );
        let error = Kernel::from_wgsl(&text).unwrap_err();
        let Error::Wgsl { rendered, line } = error else { panic!("{error}") };
        assert!(rendered.contains("pointer") && rendered.contains("space"), "{rendered}");
        assert!(line.is_some());
    }

    #[test]
    fn a_type_nested_beyond_reason_is_refused() {
        let mut text = "struct S0 { a: f32 }\n".to_owned();
        for i in 1..100 {
            text += &format!("struct S{i} {{ a: S{} }}\n", i - 1);
        }
        text += &format!("@group(0) @binding(0) var<storage> s: S99;\n{MAIN} {{ _ = &s; }}");
        refused(&text, "64 nested arrays and structs", 101);
    }
}
