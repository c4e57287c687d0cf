//! WGSL fragments to build kernels from: `shaders/*.wgsl`, embedded as text.
//!
//! A fragment has functions and no entry point. WGSL lets declarations stand in any order, so a
//! fragment's text goes *after* the kernel's own, and error messages keep the kernel's line numbers.
//! Functions that the kernel does not call cost nothing.

/// A piece of WGSL that comes with coexec: functions without an entry point. Append its text to that
/// of a kernel that calls them.
#[derive(Debug, Clone, Copy)]
pub struct Fragment {
    /// The name of the file in `shaders/`, without `.wgsl`.
    pub name: &'static str,
    /// The WGSL text.
    pub text: &'static str,
}

/// All fragments of `shaders/`, sorted by name.
///
/// ```
/// let random = coexec::ops::fragments().iter().find(|f| f.name == "random").unwrap();
/// let text = format!(
///     "@group(0) @binding(0) var<storage, read_write> out: array<f32>;
///      @compute @workgroup_size(64)
///      fn fill(@builtin(global_invocation_id) id: vec3<u32>) {{ out[id.x] = random_f32(id).x; }}
///      {}",
///     random.text
/// );
/// let kernel = coexec::Kernel::from_wgsl(&text)?;
/// # Ok::<(), coexec::Error>(())
/// ```
pub fn fragments() -> &'static [Fragment] {
    macro_rules! fragments {
        ($($name:literal),*) => {
            &[$(Fragment {
                name: $name,
                text: include_str!(concat!("../../shaders/", $name, ".wgsl")),
            }),*]
        };
    }
    fragments!["activation", "random", "reduce"]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;
    use crate::memory::Buffer;
    use crate::runtime::Runtime;

    /// The values of `out` after 256 invocations have run `body`, which may call a fragment.
    fn run(name: &str, body: &str) -> Vec<f32> {
        let fragment = fragments().iter().find(|f| f.name == name).unwrap();
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<f32>;
             @compute @workgroup_size(256)
             fn main(@builtin(local_invocation_index) i: u32) {{ {body} }}
             {}",
            fragment.text
        );
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"));
        let out = Buffer::<f32>::zeroed(256);
        let runtime = Runtime::builder().devices("cpu").build().unwrap();
        runtime.launch(&kernel).bind("out", &out).workgroups([1, 1, 1]).run().unwrap();
        out.to_vec().unwrap()
    }

    #[test]
    fn every_file_of_shaders_is_a_fragment() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names: Vec<String> = fragments().iter().map(|f| format!("{}.wgsl", f.name)).collect();
        assert_eq!(files, names);
    }

    #[test]
    fn random_words_are_those_of_the_paper_and_floats_are_below_one() {
        // pcg3d with wrapping arithmetic.
        let expected = |x: u32, y: u32, z: u32| {
            let mut v = [x, y, z].map(|w| w.wrapping_mul(1664525).wrapping_add(1013904223));
            for round in 0..2 {
                v[0] = v[0].wrapping_add(v[1].wrapping_mul(v[2]));
                v[1] = v[1].wrapping_add(v[2].wrapping_mul(v[0]));
                v[2] = v[2].wrapping_add(v[0].wrapping_mul(v[1]));
                if round == 0 {
                    v = v.map(|w| w ^ (w >> 16));
                }
            }
            (v[0] >> 8) as f32 / 16_777_216.0
        };
        let found = run("random", "out[i] = random_f32(vec3(i, 7u, 42u)).x;");
        let wanted: Vec<f32> = (0..256).map(|i| expected(i, 7, 42)).collect();
        assert_eq!(found, wanted);
        let mean: f32 = found.iter().sum::<f32>() / 256.0;
        assert!((0.4..0.6).contains(&mean) && found.iter().all(|x| (0.0..1.0).contains(x)));
    }

    #[test]
    fn reductions_give_every_invocation_the_same() {
        assert_eq!(run("reduce", "out[i] = reduce_sum_256(i, f32(i));"), [32640.0; 256]);
        let twice = "out[i] = reduce_max_256(i, -f32(i)) + reduce_max_256(i, f32(i % 100u));";
        assert_eq!(run("reduce", twice), [99.0; 256]);
    }

    #[test]
    fn activations_are_close_to_their_definitions_and_finite_everywhere() {
        let at = |i: usize| (i as f64 - 128.0) * 0.75;
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let gelu = |x: f64| {
            0.5 * x
                * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        };
        let cases: [(&str, &dyn Fn(f64) -> f64); 5] = [
            ("relu", &|x| x.max(0.0)),
            ("sigmoid", &sigmoid),
            ("silu", &|x| x * sigmoid(x)),
            ("gelu", &gelu),
            ("softplus", &|x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        ];
        for (name, define) in cases {
            let found = run("activation", &format!("out[i] = {name}((f32(i) - 128.0) * 0.75);"));
            for (i, &found) in found.iter().enumerate() {
                let wanted = define(at(i));
                let error = (f64::from(found) - wanted).abs();
                assert!(error <= 2e-6 * (1.0 + wanted.abs()), "{name}({}): {found}", at(i));
            }
        }
    }
}
