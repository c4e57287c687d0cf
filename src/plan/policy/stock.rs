//! The stock: the bands that no device has taken yet.
//!
//! It has one of three forms. In a row, devices take from the front. With *homes*, each device has
//! a range that it takes from first; when that is empty, it takes from the end of the largest home,
//! so that the bands of a device stay together. With [`Stretches`], devices take from both ends.
//! Ranges that a failed device gave back are taken first.

use std::collections::BTreeSet;
use std::ops::Range;

use super::stretches::Stretches;

#[derive(Debug)]
pub(super) struct Stock {
    returned: Vec<Range<u32>>,
    row: Range<u32>,
    /// By device; empty in the other two forms.
    homes: Vec<Range<u32>>,
    /// Homes that are not empty, by length.
    largest: BTreeSet<(u32, usize)>,
    /// Replaces the row and the homes.
    stretches: Option<Stretches>,
    /// Whether a device may take from another's home.
    shared: bool,
    left: u32,
}

impl Stock {
    /// One row for all devices.
    pub(super) fn row(bands: u32) -> Stock {
        Stock {
            returned: Vec::new(),
            row: 0..bands,
            homes: Vec::new(),
            largest: BTreeSet::new(),
            stretches: None,
            shared: true,
            left: bands,
        }
    }

    /// A home for each device, in order, with lengths in proportion to `weights`. `shared` says
    /// whether other devices may take from it.
    pub(super) fn homes(bands: u32, weights: &[f64], shared: bool) -> Stock {
        let total: f64 = weights.iter().sum();
        let mut homes = Vec::with_capacity(weights.len());
        let (mut sum, mut start) = (0.0, 0);
        for weight in weights {
            sum += weight;
            let end = (f64::from(bands) * sum / total).round() as u32;
            let end = end.clamp(start, bands);
            homes.push(start..end);
            start = end;
        }
        // Rounding, or weights that are not finite, may leave bands over. The last device that takes
        // part gets them.
        if start < bands
            && let Some(last) = (0..homes.len()).rev().find(|&i| weights[i] > 0.0)
        {
            for home in &mut homes[last..] {
                *home = bands..bands;
            }
            homes[last].start = if last == 0 { 0 } else { homes[last - 1].end };
        }
        Stock::with_homes(bands, homes, shared)
    }

    /// Homes that the caller chose: ranges in order that cover all bands.
    pub(super) fn with_homes(bands: u32, homes: Vec<Range<u32>>, shared: bool) -> Stock {
        let largest = homes
            .iter()
            .enumerate()
            .filter(|(_, home)| !home.is_empty())
            .map(|(device, home)| (home.end - home.start, device))
            .collect();
        let returned = Vec::new();
        Stock { returned, row: 0..0, homes, largest, stretches: None, shared, left: bands }
    }

    /// Stretches in proportion to the devices' `weights`. A device of weight 0 takes no part.
    pub(super) fn stretches(bands: u32, weights: &[f64]) -> Stock {
        let stretches = Some(Stretches::new(bands, weights));
        Stock { row: 0..0, stretches, ..Stock::row(bands) }
    }

    /// The number of bands in the stock.
    pub(super) fn left(&self) -> u32 {
        self.left
    }

    /// The number of bands that this device may take.
    pub(super) fn left_for(&self, device: usize) -> u32 {
        if self.shared || self.homes.is_empty() {
            return self.left;
        }
        let own = &self.homes[device];
        own.end - own.start + self.returned.iter().map(|r| r.end - r.start).sum::<u32>()
    }

    pub(super) fn give_back(&mut self, run: Range<u32>) {
        self.left += run.end - run.start;
        self.returned.push(run);
    }

    /// Frees a device's bands for all other devices.
    pub(super) fn abandon(&mut self, device: usize) {
        if let Some(stretches) = &mut self.stretches {
            stretches.abandon(device);
        }
        if let Some(home) = self.homes.get_mut(device)
            && home.start < home.end
        {
            self.largest.remove(&(home.end - home.start, device));
            self.returned.push(home.clone());
            *home = home.end..home.end;
        }
    }

    /// Takes at most `count` consecutive bands, as many as fit, but at least one. `None` if the
    /// device may take none.
    pub(super) fn take(
        &mut self,
        device: usize,
        count: u32,
        fits: &mut dyn FnMut(&Range<u32>) -> bool,
    ) -> Option<Range<u32>> {
        let mut fitting = |from: &Range<u32>, front: bool| {
            let mut count = count.min(from.end - from.start);
            if count == 0 {
                return None;
            }
            let mut at = |count: u32| {
                let run = match front {
                    true => from.start..from.start + count,
                    false => from.end - count..from.end,
                };
                (count == 1 || fits(&run)).then_some(run)
            };
            let mut refused = count + 1;
            let mut run = loop {
                match at(count) {
                    Some(run) => break run,
                    None => (count, refused) = (count / 2, count),
                }
            };
            // Find the longest run that fits, since each run costs an overhead.
            while refused - count > 1 {
                let middle = count + (refused - count) / 2;
                match at(middle) {
                    Some(longer) => (run, count) = (longer, middle),
                    None => refused = middle,
                }
            }
            Some(run)
        };
        let run = if let Some(range) = self.returned.last() {
            let run = fitting(range, true)?;
            let rest = run.end..range.end;
            self.returned.pop();
            if !rest.is_empty() {
                self.returned.push(rest);
            }
            run
        } else if let Some(stretches) = &mut self.stretches {
            stretches.take(device, count, &mut fitting)?
        } else if !self.row.is_empty() {
            let run = fitting(&self.row, true)?;
            self.row.start = run.end;
            run
        } else {
            let own = self.homes.get(device).is_some_and(|home| !home.is_empty());
            let from = match own {
                true => device,
                false if self.shared => self.largest.last()?.1,
                false => return None,
            };
            let home = self.homes[from].clone();
            let run = fitting(&home, own)?;
            let rest = if own { run.end..home.end } else { home.start..run.start };
            self.largest.remove(&(home.end - home.start, from));
            if !rest.is_empty() {
                self.largest.insert((rest.end - rest.start, from));
            }
            self.homes[from] = rest;
            run
        };
        self.left -= run.end - run.start;
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(stock: &mut Stock, device: usize, count: u32) -> Option<Range<u32>> {
        stock.take(device, count, &mut |_| true)
    }

    #[test]
    fn a_device_takes_from_its_home_and_then_from_the_end_of_the_largest() {
        let mut stock = Stock::homes(100, &[1.0, 3.0], true);
        assert_eq!(take(&mut stock, 0, 20), Some(0..20));
        assert_eq!(take(&mut stock, 1, 20), Some(25..45));
        assert_eq!(take(&mut stock, 0, 20), Some(20..25));
        assert_eq!(take(&mut stock, 0, 20), Some(80..100));
        assert_eq!(take(&mut stock, 1, 99), Some(45..80));
        assert_eq!((take(&mut stock, 1, 1), stock.left()), (None, 0));
    }

    #[test]
    fn homes_cover_all_bands_whatever_the_weights() {
        for weights in [&[1.0, 0.0][..], &[0.0, 1.0], &[1e-9, 1e9, 1e-9], &[0.3; 7], &[0.1, 0.0]] {
            let mut stock = Stock::homes(10, weights, true);
            let mut seen = 0;
            while let Some(run) = take(&mut stock, 0, 3) {
                seen += run.end - run.start;
            }
            assert_eq!(seen, 10, "{weights:?}");
        }
    }

    #[test]
    fn what_came_back_goes_out_first_and_no_run_is_larger_than_fits() {
        let mut stock = Stock::row(100);
        let run = take(&mut stock, 0, 50).unwrap();
        stock.give_back(run);
        let small = |run: &Range<u32>| run.end - run.start <= 10;
        assert_eq!(stock.take(0, 50, &mut { small }), Some(0..10));
        assert_eq!(take(&mut stock, 0, 99), Some(10..50));
        assert_eq!(take(&mut stock, 0, 99), Some(50..100));
    }

    #[test]
    fn an_abandoned_home_is_anybodys() {
        let mut stock = Stock::homes(10, &[1.0, 1.0], false);
        assert_eq!(take(&mut stock, 0, 9), Some(0..5));
        assert_eq!((take(&mut stock, 0, 9), stock.left_for(0)), (None, 0));
        stock.abandon(1);
        assert_eq!(take(&mut stock, 0, 9), Some(5..10));
    }
}
