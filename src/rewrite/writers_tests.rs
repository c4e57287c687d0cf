//! Rewritten modules as MSL and HLSL. Only running these needs Metal or DirectX, writing them does not.
//! So these tests show at least that naga's writers accept every rewritten module.

use naga::back::{hlsl, msl};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::ModuleInfo;

use super::tests::all_finite;
use super::trusted_tests::texts;
use super::*;

/// Writes MSL with the options that wgpu uses for a trusted module.
fn as_msl(module: &naga::Module, info: &ModuleInfo) -> Result<String, String> {
    let unchecked = BoundsCheckPolicy::Unchecked;
    let options = msl::Options {
        lang_version: (3, 0),
        bounds_check_policies: BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        force_loop_bounding: false,
        ..msl::Options::default()
    };
    let written = msl::write_string(module, info, &options, &msl::PipelineOptions::default());
    let (text, entries) = written.map_err(|error| error.to_string())?;
    match entries.entry_point_names.into_iter().find_map(Result::err) {
        Some(error) => Err(error.to_string()),
        None => Ok(text),
    }
}

/// Writes HLSL with the options that wgpu uses for a trusted module.
fn as_hlsl(module: &naga::Module, info: &ModuleInfo) -> Result<String, String> {
    let target = hlsl::BindTarget { space: 1, ..hlsl::BindTarget::default() };
    let options = hlsl::Options {
        shader_model: hlsl::ShaderModel::V6_6,
        immediates_target: Some(target),
        special_constants_binding: Some(target),
        restrict_indexing: false,
        force_loop_bounding: false,
        ..hlsl::Options::default()
    };
    let mut text = String::new();
    let pipeline = hlsl::PipelineOptions::default();
    let written = hlsl::Writer::new(&mut text, &options, &pipeline).write(module, info, None);
    let entries = written.map_err(|error| error.to_string())?;
    match entries.entry_point_names.into_iter().find_map(Result::err) {
        Some(error) => Err(error.to_string()),
        None => Ok(text),
    }
}

#[test]
fn every_rewritten_kernel_can_be_written_as_msl_and_hlsl() {
    let (mut seen, mut failures) = (0, Vec::new());
    for (name, text) in texts() {
        // Some kernels are meant to be refused.
        let Ok(kernel) = Kernel::from_wgsl(&text) else { continue };
        seen += 1;
        let all: Vec<usize> = (0..kernel.signature().bindings.len()).collect();
        for (facts, boxes) in
            [(Facts::default(), &[][..]), (all_finite(), &[]), (all_finite(), &all)]
        {
            for space in [ParamSpace::Uniform, ParamSpace::Immediate { max_bytes: 128 }] {
                let module =
                    for_gpu_with_boxes(&kernel, &facts, space, false, boxes).unwrap().module;
                let info = Validator::new(ValidationFlags::all(), Capabilities::all())
                    .validate(&module)
                    .unwrap();
                for (language, written) in
                    [("MSL", as_msl(&module, &info)), ("HLSL", as_hlsl(&module, &info))]
                {
                    match written {
                        Ok(text) => assert!(text.contains(&kernel.signature().entry_point)),
                        Err(error) => {
                            failures.push(format!("{name}, {language}, {space:?}: {error}"))
                        }
                    }
                }
            }
        }
    }
    assert!(seen > 60, "{seen} kernels");
    assert!(failures.is_empty(), "{} failures: {failures:#?}", failures.len());
}

/// The padding of structs keeps a layout that naga's own rules would not give, in both languages.
#[test]
fn structs_that_are_aligned_by_an_attribute_are_padded_in_msl_and_hlsl() {
    let kernel = super::tests::kernel(
        "struct Inner { @align(16) x: u32 }
        struct S { a: u32, y: Inner, z: u32 }
        @group(0) @binding(0) var<storage, read_write> out: S;
        @group(0) @binding(1) var<uniform> given: S;
        @compute @workgroup_size(1) fn main() { out.a = given.a; out.y.x = given.y.x; out.z = given.z; }",
    );
    let module = for_gpu(&kernel, &all_finite(), ParamSpace::Uniform, false).unwrap().module;
    let info =
        Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).unwrap();
    let msl = as_msl(&module, &info).unwrap();
    let hlsl = as_hlsl(&module, &info).unwrap();
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (msl, hlsl) = (squeezed(&msl), squeezed(&hlsl));
    for part in [
        "struct Inner { uint x; char _pad1[12]; };",
        "struct S { uint a; char _pad1[12]; Inner y; uint z; char _pad3[12]; };",
    ] {
        assert!(msl.contains(part), "{part}: {msl}");
    }
    for part in [
        "struct Inner { uint x; int _end_pad_0; int _end_pad_1; int _end_pad_2; };",
        "struct S { uint a; int _pad1_0; int _pad1_1; int _pad1_2; Inner y; uint z; int _end_pad_0; \
         int _end_pad_1; int _end_pad_2; };",
        "out_.Store(0+16,",
        "out_.Store(32,",
    ] {
        assert!(hlsl.contains(part), "{part}: {hlsl}");
    }
}
