//! Override constants: values, defaults, where they reach, and the messages for wrong ones.

use naga::{ArraySize, TypeInner};

use crate::kernel::{Kernel, KernelBuilder};

const TEXT: &str = "
    override width: u32;
    @id(7) override scale: f32 = 2.0;
    override deep: bool = false;
    override shift: i32 = -1;
    override half_width: u32 = width / 2u;
    override unused: f32;
    var<workgroup> tile: array<f32, width + 1>;
    var<workgroup> other: array<f32, half_width>;
    @group(0) @binding(0) var<storage, read_write> out: array<f32>;
    fn scaled(x: f32) -> f32 { if deep { return x; } return x * scale; }
    @compute @workgroup_size(width, half_width)
    fn main(@builtin(local_invocation_index) i: u32) {
        tile[i % width] = scaled(f32(shift));
        other[0] = 1.0;
        workgroupBarrier();
        out[i] = tile[i] + other[0];
    }";

fn built(change: impl FnOnce(KernelBuilder) -> KernelBuilder) -> Result<Kernel, String> {
    change(Kernel::builder(TEXT)).build().map_err(|e| e.to_string())
}

#[test]
fn values_reach_workgroup_sizes_array_sizes_and_expressions() {
    let kernel = built(|b| b.constant("width", 16.0).constant("7", 3.0)).unwrap();
    assert_eq!(kernel.signature().workgroup_size, [16, 8, 1]);
    let module = kernel.module();
    assert!(module.overrides.is_empty());
    let sizes: Vec<u32> = module
        .global_variables
        .iter()
        .filter_map(|(_, global)| match module.types[global.ty].inner {
            TypeInner::Array { size: ArraySize::Constant(n), .. } => Some(n.get()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [17, 8]);
    let sizes = |kernel: &Kernel| {
        let constants = &kernel.signature().constants;
        constants.iter().map(|c| (c.name.clone(), c.value, c.type_name.clone())).collect::<Vec<_>>()
    };
    let expected: Vec<(String, Option<f64>, String)> = [
        ("width", Some(16.0), "u32"),
        ("scale", Some(3.0), "f32"),
        ("deep", None, "bool"),
        ("shift", None, "i32"),
        ("half_width", None, "u32"),
        ("unused", None, "f32"),
    ]
    .map(|(name, value, ty)| (name.to_owned(), value, ty.to_owned()))
    .into();
    assert_eq!(sizes(&kernel), expected);
}

#[test]
fn arrays_of_equal_size_by_different_constants_stay_apart() {
    let kernel = built(|b| b.constant("width", 7.0).constant("half_width", 8.0)).unwrap();
    assert_eq!(kernel.signature().workgroup_size, [7, 8, 1]);
}

#[test]
fn a_constant_that_the_entry_point_does_not_use_may_be_given() {
    built(|b| b.constant("width", 4.0).constant("unused", 1.0)).unwrap();
}

#[test]
fn each_mistake_names_the_constant_and_what_would_be_right() {
    let width = |b: KernelBuilder| b.constant("width", 4.0);
    for (result, parts) in [
        (built(|b| b), vec!["`width`", "no default and no value was given", "u32"]),
        (
            built(|b| width(b).constant("with", 1.0)),
            vec!["`with`", "no such override constant", "`width`, `scale` (@id(7)), `deep`"],
        ),
        (built(|b| width(b).constant("9", 1.0)), vec!["`9`", "no such override constant"]),
        (built(|b| b.constant("width", -1.0)), vec!["`width`", "-1 does not fit in u32"]),
        (built(|b| b.constant("width", 2.5)), vec!["2.5 does not fit in u32", "a whole number"]),
        (built(|b| b.constant("width", 5e9)), vec!["5000000000 does not fit", "4294967295"]),
        (
            built(|b| width(b).constant("scale", f64::NAN)),
            vec!["`scale`", "NaN does not fit in f32"],
        ),
        (built(|b| width(b).constant("scale", 1e39)), vec!["does not fit in f32"]),
        (built(|b| width(b).constant("deep", 2.0)), vec!["2 is not a bool", "0 for false"]),
        (
            built(|b| width(b).constant("7", 1.0).constant("scale", 1.0)),
            vec!["`scale` (@id(7)) is given twice, by name and by id"],
        ),
        (
            built(|b| b.constant("width", 0.0)),
            vec![
                "`width`",
                "an extent of the workgroup of `main`",
                "0 is out of range",
                "1 to 16384",
            ],
        ),
        (built(|b| width(b).constant("half_width", 0.0)), vec!["`half_width`", "1 to 16384"]),
    ] {
        let error = result.map(|_| ()).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{error} lacks {part}");
        }
    }
    // An expression of several constants has no name to report.
    let text =
        "override n: u32; override m: u32 = 4u; @compute @workgroup_size(n - m) fn main() {}";
    let difference = Kernel::builder(text).constant("n", 4.0);
    let error = difference.build().unwrap_err().to_string();
    assert!(error.contains("workgroup size"), "{error}");
    let none = Kernel::builder("@compute @workgroup_size(1) fn main() {}").constant("n", 1.0);
    assert!(none.build().unwrap_err().to_string().contains("no override constants"));
}
