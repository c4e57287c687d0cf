//! The range map: which holders have the current version of which bytes of a buffer. Pure: no memory, no
//! device.
//!
//! A holder is a place that can have a copy: the host, or a device. Invariant: the ranges cover the
//! buffer without gap or overlap, and neighbours differ. A range without any holder is *lost* until it is
//! written again.

use std::ops::Range;

/// A set of holders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Holders(u64);

/// The host's memory.
pub(super) const HOST: Holders = Holders(1);

impl Holders {
    /// The most devices that a buffer may have copies on.
    pub(super) const MOST_DEVICES: usize = 63;

    /// A device, by its number for this buffer, below `MOST_DEVICES`.
    pub(super) fn device(number: usize) -> Holders {
        debug_assert!(number < Self::MOST_DEVICES);
        Holders(2 << number)
    }

    pub(super) fn has(self, other: Holders) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The numbers of the devices in it.
    pub(super) fn devices(self) -> impl Iterator<Item = usize> {
        (0..Self::MOST_DEVICES).filter(move |&number| self.has(Holders::device(number)))
    }
}

/// The holders of each byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RangeMap {
    /// Each range's start and holders. The first starts at 0.
    ranges: Vec<(u64, Holders)>,
    len: u64,
}

impl RangeMap {
    /// A map in which the host has all bytes.
    pub(super) fn new(len: u64) -> RangeMap {
        RangeMap { ranges: vec![(0, HOST)], len }
    }

    /// A holder has made a new version of a range: the copies of all others are stale.
    pub(super) fn write(&mut self, range: &Range<u64>, holder: Holders) {
        self.change(range, |_| holder);
    }

    /// A holder has received a copy of the current version.
    pub(super) fn add(&mut self, range: &Range<u64>, holder: Holders) {
        self.change(range, |holders| Holders(holders.0 | holder.0));
    }

    /// A holder has lost its copy.
    pub(super) fn remove(&mut self, range: &Range<u64>, holder: Holders) {
        self.change(range, |holders| Holders(holders.0 & !holder.0));
    }

    /// The parts of a range that a holder lacks, in order, with their holders.
    pub(super) fn missing(
        &self,
        range: &Range<u64>,
        holder: Holders,
    ) -> Vec<(Range<u64>, Holders)> {
        self.within(range).filter(|(_, holders)| !holders.has(holder)).collect()
    }

    /// The parts of a range that no other holder has, in order.
    pub(super) fn only(&self, range: &Range<u64>, holder: Holders) -> Vec<Range<u64>> {
        self.within(range).filter(|(_, holders)| *holders == holder).map(|(part, _)| part).collect()
    }

    /// Whether a holder has all of a range.
    pub(super) fn holds(&self, range: &Range<u64>, holder: Holders) -> bool {
        self.within(range).all(|(_, holders)| holders.has(holder))
    }

    /// The bytes of a range that a holder has and none of `others` has.
    pub(super) fn held(&self, range: &Range<u64>, holder: Holders, others: Holders) -> u64 {
        let has = |holders: Holders| holders.has(holder) && !holders.has(others);
        let parts = self.within(range).filter(|(_, holders)| has(*holders));
        parts.map(|(part, _)| part.end - part.start).sum()
    }

    /// The parts of a range, in order, with their holders.
    pub(super) fn within(&self, range: &Range<u64>) -> impl Iterator<Item = (Range<u64>, Holders)> {
        let range = range.start.min(self.len)..range.end.min(self.len);
        let first = self.ranges.partition_point(|r| r.0 <= range.start).saturating_sub(1);
        (first..self.ranges.len())
            .map(move |at| {
                let end = self.ranges.get(at + 1).map_or(self.len, |next| next.0);
                let (start, holders) = self.ranges[at];
                (start.max(range.start)..end.min(range.end), holders)
            })
            .take_while(|(part, _)| !part.is_empty())
    }

    fn change(&mut self, range: &Range<u64>, to: impl Fn(Holders) -> Holders) {
        let range = range.start.min(self.len)..range.end.min(self.len);
        if range.is_empty() {
            return;
        }
        let last = self.cut(range.end);
        let first = self.cut(range.start);
        let last = last + usize::from(self.ranges.len() > last && self.ranges[last].0 < range.end);
        for (_, holders) in &mut self.ranges[first..last] {
            *holders = to(*holders);
        }
        self.ranges.dedup_by(|next, before| next.1 == before.1);
    }

    /// Makes a range start at byte `at`. Returns its index, or the number of ranges if `at` is the end.
    fn cut(&mut self, at: u64) -> usize {
        let place = self.ranges.partition_point(|r| r.0 < at);
        if at < self.len && self.ranges.get(place).is_none_or(|r| r.0 != at) {
            let holders = self.ranges[place - 1].1;
            self.ranges.insert(place, (at, holders));
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_version_moves_from_holder_to_holder() {
        let (a, b) = (Holders::device(0), Holders::device(1));
        let mut map = RangeMap::new(100);
        map.add(&(0..60), a);
        map.write(&(40..60), a);
        map.write(&(60..100), b);
        assert!(map.holds(&(0..60), a) && !map.holds(&(0..61), a) && map.holds(&(0..40), HOST));
        assert_eq!(map.missing(&(30..70), HOST), [(40..60, a), (60..70, b)]);
        assert_eq!(map.only(&(0..100), a).as_slice(), std::slice::from_ref(&(40..60)));
        assert_eq!(map.held(&(50..70), b, Holders::default()), 10);
        map.add(&(40..60), HOST);
        assert!(map.only(&(0..100), a).is_empty());
        map.remove(&(0..100), b);
        assert_eq!(map.missing(&(0..100), HOST), [(60..100, Holders::default())]);
        map.write(&(0..100), HOST);
        assert_eq!(map, RangeMap::new(100));
    }

    #[test]
    fn nothing_of_nothing_is_missing() {
        let mut map = RangeMap::new(0);
        map.write(&(0..0), Holders::device(0));
        assert!(map.holds(&(0..10), Holders::device(3)));
        assert!(map.missing(&(0..0), HOST).is_empty());
    }

    proptest! {
        /// Compares with a map that has a set for each byte.
        #[test]
        fn every_byte_has_the_holders_that_the_history_gives_it(
            len in 1u64..40,
            steps in proptest::collection::vec((0u8..3, 0u64..44, 0u64..44, 0usize..4), 0..40),
            ask in (0u64..44, 0u64..44, 0usize..4),
        ) {
            let holder = |n: usize| if n == 0 { HOST } else { Holders::device(n * 20 - 18) };
            let mut map = RangeMap::new(len);
            let mut bytes = vec![HOST; len as usize];
            for (what, a, b, who) in steps {
                let (range, who) = (a.min(b)..a.max(b), holder(who));
                for at in range.clone().filter(|&at| at < len) {
                    let byte = &mut bytes[at as usize];
                    match what {
                        0 => *byte = who,
                        1 => byte.0 |= who.0,
                        _ => byte.0 &= !who.0,
                    }
                }
                match what {
                    0 => map.write(&range, who),
                    1 => map.add(&range, who),
                    _ => map.remove(&range, who),
                }
                prop_assert_eq!(map.ranges[0].0, 0);
                prop_assert!(map.ranges.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 != w[1].1));
                prop_assert!(map.ranges.iter().all(|r| r.0 < len));
            }
            let (range, who) = (ask.0.min(ask.1)..ask.0.max(ask.1), holder(ask.2));
            let inside: Vec<u64> = range.clone().filter(|&at| at < len).collect();
            let lacking: Vec<u64> =
                inside.iter().copied().filter(|&at| !bytes[at as usize].has(who)).collect();
            let missing = map.missing(&range, who);
            for (part, holders) in &missing {
                prop_assert!(part.clone().all(|at| bytes[at as usize] == *holders));
            }
            let found: Vec<u64> = missing.into_iter().flat_map(|(part, _)| part).collect();
            prop_assert_eq!(&found, &lacking);
            prop_assert_eq!(map.holds(&range, who), lacking.is_empty());
            let held = (inside.len() - lacking.len()) as u64;
            prop_assert_eq!(map.held(&range, who, Holders::default()), held);
            let beyond = |at: &&u64| bytes[**at as usize].has(who) && !bytes[**at as usize].has(HOST);
            let held = inside.iter().filter(beyond).count() as u64;
            prop_assert_eq!(map.held(&range, who, HOST), if who == HOST { 0 } else { held });
            let only: Vec<u64> = map.only(&range, who).into_iter().flatten().collect();
            let alone: Vec<u64> =
                inside.into_iter().filter(|&at| bytes[at as usize] == who).collect();
            prop_assert_eq!(only, alone);
        }
    }
}
