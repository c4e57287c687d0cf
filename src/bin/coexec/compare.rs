//! `coexec run --compare`: runs one launch on several device selections and compares the results.
//!
//! The first selection is the reference. Integers must be equal, or agree within a number; floats
//! agree within an absolute or a relative bound. Two NaNs agree, whatever their payload.

use anyhow::Result;
use coexec::{Binding, ScalarType, Space};
use serde_json::{Value, json};

use crate::args::{RunArgs, Tolerance};
use crate::data::scalar_at;
use crate::exit::{Mismatch, Usage};
use crate::json;
use crate::output::{self, PendingFiles};
use crate::prepare::{self, Prepared};

/// The result of comparing two buffers.
struct Comparison {
    /// Scalars compared.
    count: u64,
    /// Scalars that differ by more than the tolerance.
    wrong: u64,
    worst: Option<Worst>,
}

/// The scalar with the largest error relative to the tolerance.
struct Worst {
    /// The element of the binding; `None` for a scalar in its header.
    element: Option<u64>,
    /// The scalar's position in its element, or its byte in the header.
    component: u64,
    expected: f64,
    found: f64,
    /// The error as a multiple of the tolerance.
    excess: f64,
}

pub(crate) fn compare(args: &RunArgs, prepared: &Prepared) -> Result<()> {
    if args.compare.len() < 2 {
        return Err(Usage("--compare needs at least two devices, such as cpu,gpu".into()).into());
    }
    // All runtimes exist before the first run, so that a wrong selection fails early.
    let mut runtimes = Vec::new();
    for selection in &args.compare {
        runtimes.push(prepare::runtime(&args.launch.devices, Some(selection))?);
    }
    let mut results = Vec::new();
    let mut reports = Vec::new();
    for runtime in &runtimes {
        let buffers = prepared.upload();
        reports.push(prepared.launch(runtime, &buffers).run()?);
        let mut bytes = Vec::new();
        for buffer in &buffers {
            bytes.push(buffer.to_vec()?);
        }
        results.push(bytes);
    }
    output::warn(reports[0].plan.warnings());

    let mut all_agree = true;
    let mut text = String::new();
    let mut comparisons = Vec::new();
    for (other, selection) in args.compare.iter().enumerate().skip(1) {
        for (position, bound) in prepared.buffers.iter().enumerate() {
            let binding = &bound.binding;
            if binding.space != Space::StorageWrite {
                continue;
            }
            let comparison = compare_buffers(
                binding,
                &results[0][position],
                &results[other][position],
                args.tolerance,
            );
            all_agree &= comparison.wrong == 0;
            text += &sentence(binding, &args.compare[0], selection, &comparison);
            comparisons.push(as_json(binding, &args.compare[0], selection, &comparison));
        }
    }

    // The files hold what the first selection computed.
    let mut files = PendingFiles::default();
    for (name, file) in &args.outs {
        let position = prepared.buffer(name)?;
        let bound = &prepared.buffers[position];
        let shape = bound.data.shape.as_deref();
        output::write_buffer(&mut files, file, &bound.binding, &results[0][position], shape)?;
    }
    files.publish()?;

    if args.json {
        json::print(&json!({
            "kernel": prepared.path,
            "agree": all_agree,
            "tolerance": {
                "abs": args.tolerance.abs, "rel": args.tolerance.rel, "int": args.tolerance.int,
            },
            "comparisons": comparisons,
            "runs": args.compare.iter().zip(&reports).map(|(selection, report)| {
                let mut value = json::report(report);
                value["selection"] = json!(selection);
                value
            }).collect::<Vec<_>>(),
        }))?;
    } else {
        for (selection, report) in args.compare.iter().zip(&reports) {
            text += &format!("{selection}: {:.3} ms\n", report.elapsed.as_secs_f64() * 1e3);
        }
        output::print(&text)?;
    }
    if all_agree { Ok(()) } else { Err(Mismatch.into()) }
}

/// The scalars of an element or of the header: their offsets and types.
type Parts<'a> = &'a [(u64, ScalarType)];

fn compare_buffers(binding: &Binding, a: &[u8], b: &[u8], tolerance: Tolerance) -> Comparison {
    let mut comparison = Comparison { count: 0, wrong: 0, worst: None };
    let layout = &binding.layout;
    let elements = layout.elements(a.len() as u64);
    comparison.add(a, b, None, 0, binding.header_scalars(), tolerance);
    let parts = binding.element_scalars();
    for element in 0..elements {
        let start = layout.header + element * layout.stride;
        comparison.add(a, b, Some(element), start, parts, tolerance);
    }
    comparison
}

impl Comparison {
    fn add(
        &mut self,
        a: &[u8],
        b: &[u8],
        element: Option<u64>,
        start: u64,
        parts: Parts<'_>,
        tolerance: Tolerance,
    ) {
        for (component, &(offset, scalar)) in parts.iter().enumerate() {
            let place = (start + offset) as usize..(start + offset + scalar.size()) as usize;
            let (Some(a), Some(b)) = (a.get(place.clone()), b.get(place)) else { continue };
            self.count += 1;
            if a == b {
                continue;
            }
            let (expected, found) = (scalar_at(a, scalar), scalar_at(b, scalar));
            let excess = excess(expected, found, scalar, tolerance);
            self.wrong += u64::from(excess > 1.0);
            if self.worst.as_ref().is_none_or(|worst| excess > worst.excess) {
                let component = if element.is_some() { component as u64 } else { offset };
                self.worst = Some(Worst { element, component, expected, found, excess });
            }
        }
    }
}

/// The error as a multiple of the tolerance.
fn excess(a: f64, b: f64, scalar: ScalarType, tolerance: Tolerance) -> f64 {
    if a == b || (a.is_nan() && b.is_nan()) {
        return 0.0;
    }
    let allowed = match scalar {
        ScalarType::F32 | ScalarType::F16 => {
            tolerance.abs.max(tolerance.rel * a.abs().max(b.abs()))
        }
        ScalarType::I32 | ScalarType::U32 => f64::from(tolerance.int),
    };
    let error = (a - b).abs();
    // A NaN or an infinity on one side only is beyond any bound.
    if error.is_finite() && allowed > 0.0 { error / allowed } else { f64::INFINITY }
}

fn place(binding: &Binding, worst: &Worst) -> String {
    match worst.element {
        None => format!("byte {} of the header", worst.component),
        Some(element) if binding.element_scalars().len() > 1 => {
            format!("element {element}, scalar {}", worst.component)
        }
        Some(element) => format!("element {element}"),
    }
}

fn sentence(binding: &Binding, first: &str, other: &str, comparison: &Comparison) -> String {
    let Comparison { count, wrong, worst } = comparison;
    let verdict = if *wrong == 0 { "agree" } else { "DIFFER" };
    let mut text = format!("{}: {first} and {other} {verdict}", binding.name);
    match worst {
        None => text += &format!(" bit for bit in all {count} values\n"),
        Some(worst) => {
            if *wrong == 0 {
                text += &format!(" in all {count} values");
            } else {
                text += &format!(" in {wrong} of {count} values");
            }
            text += &format!(
                "; the worst is {}: {first} {}, {other} {}, off by {:e}\n",
                place(binding, worst),
                worst.expected,
                worst.found,
                (worst.expected - worst.found).abs(),
            );
        }
    }
    text
}

fn as_json(binding: &Binding, first: &str, other: &str, comparison: &Comparison) -> Value {
    json!({
        "binding": binding.name,
        "between": [first, other],
        "values": comparison.count,
        "differ": comparison.wrong,
        "worst": comparison.worst.as_ref().map(|worst| json!({
            "element": worst.element,
            "scalar": worst.component,
            "values": [json::number(worst.expected), json::number(worst.found)],
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Tolerance = Tolerance { abs: 1e-6, rel: 1e-5, int: 0 };

    #[test]
    fn floats_agree_within_either_bound() {
        assert!(excess(0.0, 9e-7, ScalarType::F32, DEFAULT) < 1.0);
        assert!(excess(0.0, 2e-6, ScalarType::F32, DEFAULT) > 1.0);
        assert!(excess(1000.0, 1000.009, ScalarType::F32, DEFAULT) < 1.0);
        assert!(excess(1000.0, 1000.02, ScalarType::F32, DEFAULT) > 1.0);
    }

    #[test]
    fn integers_agree_to_the_bit_only() {
        assert_eq!(excess(5.0, 5.0, ScalarType::U32, DEFAULT), 0.0);
        assert_eq!(
            excess(4_000_000_000.0, 4_000_000_001.0, ScalarType::U32, DEFAULT),
            f64::INFINITY
        );
        let seven = Tolerance { int: 7, ..DEFAULT };
        assert_eq!(excess(-3.0, 4.0, ScalarType::I32, seven), 1.0);
        assert!(excess(-3.0, 5.0, ScalarType::I32, seven) > 1.0);
    }

    #[test]
    fn nan_agrees_with_nan_and_infinity_with_itself_alone() {
        let inf = f64::INFINITY;
        assert_eq!(excess(f64::NAN, f64::NAN, ScalarType::F32, DEFAULT), 0.0);
        assert_eq!(excess(f64::NAN, 1.0, ScalarType::F32, DEFAULT), inf);
        assert_eq!(excess(inf, inf, ScalarType::F32, DEFAULT), 0.0);
        assert_eq!(excess(inf, -inf, ScalarType::F32, DEFAULT), inf);
        assert_eq!(excess(inf, 1.0, ScalarType::F32, DEFAULT), inf);
    }
}
