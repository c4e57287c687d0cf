//! Sets of elements in words, for the sentences of a plan.

use std::ops::Range;

use crate::region::Region;

/// `element a`, or `elements` with their numbers.
pub(super) fn elements(region: &Region) -> String {
    let plural = if region.len() == 1 { "" } else { "s" };
    format!("element{plural} {}", numbers(region))
}

/// `a to b`, both included; or the rows of a box.
pub(super) fn numbers(region: &Region) -> String {
    let hull = region.hull();
    if hull.is_empty() {
        return "none".to_owned();
    }
    let words = |range: &Range<u64>| match range.end - range.start {
        1 => range.start.to_string(),
        _ => format!("{} to {}", range.start, range.end - 1),
    };
    let range = words(&hull);
    if let Some(several) = region.ranges().filter(|ranges| (2..=3).contains(&ranges.len())) {
        let several: Vec<String> = several.iter().map(words).collect();
        return several.join(" and ");
    }
    match region.rows() {
        _ if region.is_range() => range,
        Some((rows, 1, stride)) => format!("{range}: {rows} of them, {stride} apart"),
        Some((rows, columns, stride)) => {
            format!("{range}: {rows} rows of {columns}, {stride} apart")
        }
        None => format!("{range}: about {} of them", region.len()),
    }
}
