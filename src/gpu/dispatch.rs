//! Splits a box of workgroups where it exceeds the device's limit per axis. Pure.

use crate::grid::GroupBox;

/// The number of parts that [`dispatches`] gives.
pub(super) fn dispatch_count(groups: GroupBox, most: u32) -> u128 {
    groups.count.iter().map(|&count| u128::from(count.div_ceil(most))).product()
}

/// The box in parts of at most `most` workgroups along each axis, x fastest. None for an empty box.
pub(super) fn dispatches(groups: GroupBox, most: u32) -> impl Iterator<Item = GroupBox> {
    let cuts = move |axis: usize| {
        let count = groups.count[axis];
        (0..count.div_ceil(most)).map(move |i| (i * most, (count - i * most).min(most)))
    };
    cuts(2).flat_map(move |z| {
        cuts(1).flat_map(move |y| {
            cuts(0).map(move |x| GroupBox {
                first: [groups.first[0] + x.0, groups.first[1] + y.0, groups.first[2] + z.0],
                count: [x.1, y.1, z.1],
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_box_are_within_the_limit_and_cover_it_once() {
        for (first, count) in [
            ([0, 0, 0], [1, 1, 1]),
            ([3, 5, 7], [10, 4, 9]),
            ([0, 9, 0], [8, 1, 4]),
            ([1, 1, 1], [0, 3, 3]),
        ] {
            let groups = GroupBox { first, count };
            let parts: Vec<GroupBox> = dispatches(groups, 4).collect();
            assert_eq!(parts.len() as u128, dispatch_count(groups, 4));
            let mut seen = std::collections::HashSet::new();
            for part in &parts {
                assert!(part.count.iter().all(|n| (1..=4).contains(n)));
                for z in 0..part.count[2] {
                    for y in 0..part.count[1] {
                        for x in 0..part.count[0] {
                            let [a, b, c] = part.first;
                            assert!(seen.insert([a + x, b + y, c + z]));
                        }
                    }
                }
            }
            assert_eq!(seen.len() as u128, groups.workgroups());
            assert!(
                seen.iter()
                    .all(|at| { (0..3).all(|i| (first[i]..first[i] + count[i]).contains(&at[i])) })
            );
        }
        let widest = GroupBox { first: [0; 3], count: [u32::MAX, 1, 1] };
        assert_eq!(
            dispatches(widest, 65_535).last().unwrap().first[0],
            u32::MAX / 65_535 * 65_535 - 65_535
        );
    }
}
