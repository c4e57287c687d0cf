//! Stretches: ranges of bands that devices take from both ends, so that the bands of a device lie together.
//!
//! Each pair of devices has a stretch: one device takes from its front, the other from its end, until
//! they meet. The place where they meet need not be known beforehand. When a stretch is used up, its
//! devices join the longest remaining one: at an end without a device, or else in the middle, which
//! cuts it in two. So each of two devices computes contiguous bands, whatever their speeds. With more
//! devices, that holds for all but some of the last bands.

use std::ops::Range;

/// Consecutive bands in stock, and the devices that take from their front and their end.
#[derive(Debug)]
struct Stretch {
    left: Range<u32>,
    front: Option<usize>,
    end: Option<usize>,
}

impl Stretch {
    fn is_of(&self, device: usize) -> bool {
        self.front == Some(device) || self.end == Some(device)
    }
}

/// Gives the part of a range that fits: from its front if the flag is set, or else from its end.
type Fitting<'f> = dyn FnMut(&Range<u32>, bool) -> Option<Range<u32>> + 'f;

/// Stretches that are not empty.
#[derive(Debug)]
pub(super) struct Stretches(Vec<Stretch>);

impl Stretches {
    /// Stretches with lengths in proportion to the `weights` of their devices. A device of weight 0
    /// gets none.
    pub(super) fn new(bands: u32, weights: &[f64]) -> Stretches {
        let able: Vec<usize> = (0..weights.len()).filter(|&device| weights[device] > 0.0).collect();
        let total: f64 = able.iter().map(|&device| weights[device]).sum();
        let (mut sum, mut start) = (0.0, 0);
        let mut all = Vec::new();
        for (number, pair) in able.chunks(2).enumerate() {
            sum += pair.iter().map(|&device| weights[device]).sum::<f64>();
            let last = (number + 1) * 2 >= able.len();
            let end = if last { bands } else { (f64::from(bands) * sum / total).round() as u32 };
            let end = end.clamp(start, bands);
            let (front, other) = (pair.first().copied(), pair.get(1).copied());
            all.push(Stretch { left: start..end, front, end: other });
            start = end;
        }
        all.retain(|stretch| !stretch.left.is_empty());
        if all.is_empty() && bands > 0 {
            all.push(Stretch { left: 0..bands, front: None, end: None });
        }
        Stretches(all)
    }

    /// Takes the bands that `fitting` chooses, from the front or the end of the device's stretch.
    /// `count` is their expected number: a device that joins a stretch in the middle cuts it there.
    pub(super) fn take(
        &mut self,
        device: usize,
        count: u32,
        fitting: &mut Fitting<'_>,
    ) -> Option<Range<u32>> {
        let at = match self.0.iter().position(|stretch| stretch.is_of(device)) {
            Some(own) => own,
            None => self.join(device, count)?,
        };
        let stretch = &mut self.0[at];
        let from_front = stretch.front == Some(device);
        let run = fitting(&stretch.left, from_front)?;
        match from_front {
            true => stretch.left.start = run.end,
            false => stretch.left.end = run.start,
        }
        if stretch.left.is_empty() {
            self.0.swap_remove(at);
        }
        Some(run)
    }

    /// Lets a device without a stretch join the longest one, from which it is about to take `count`
    /// bands.
    fn join(&mut self, device: usize, count: u32) -> Option<usize> {
        let length = |stretch: &Stretch| stretch.left.end - stretch.left.start;
        let at = (0..self.0.len()).max_by_key(|&at| length(&self.0[at]))?;
        let stretch = &mut self.0[at];
        if stretch.front.is_none() {
            stretch.front = Some(device);
            return Some(at);
        }
        if stretch.end.is_none() {
            stretch.end = Some(device);
            return Some(at);
        }
        let half = length(stretch).saturating_sub(count) / 2;
        let middle = stretch.left.start + half;
        let behind = Stretch {
            left: middle..stretch.left.end,
            front: Some(device),
            end: stretch.end.take(),
        };
        stretch.left.end = middle;
        if half == 0 {
            *stretch = behind;
            return Some(at);
        }
        self.0.push(behind);
        Some(self.0.len() - 1)
    }

    /// Removes a device from its stretch.
    pub(super) fn abandon(&mut self, device: usize) {
        for stretch in &mut self.0 {
            for side in [&mut stretch.front, &mut stretch.end] {
                *side = side.filter(|of| *of != device);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(stretches: &mut Stretches, device: usize, count: u32) -> Option<Range<u32>> {
        stretches.take(device, count, &mut |left, front| {
            let count = count.min(left.end - left.start);
            Some(if front { left.start..left.start + count } else { left.end - count..left.end })
        })
    }

    #[test]
    fn two_devices_meet_wherever_they_are_when_nothing_is_left() {
        let mut stretches = Stretches::new(100, &[1.0, 1.0]);
        assert_eq!(take(&mut stretches, 0, 10), Some(0..10));
        assert_eq!(take(&mut stretches, 1, 30), Some(70..100));
        assert_eq!(take(&mut stretches, 1, 50), Some(20..70));
        assert_eq!(take(&mut stretches, 0, 20), Some(10..20));
        assert_eq!((take(&mut stretches, 0, 1), take(&mut stretches, 1, 1)), (None, None));
    }

    #[test]
    fn who_has_nothing_left_joins_the_longest_stretch_in_the_middle_or_at_a_free_end() {
        let mut stretches = Stretches::new(120, &[1.0, 1.0, 2.0, 0.0, 2.0]);
        assert_eq!(take(&mut stretches, 0, 40), Some(0..40));
        // Devices 2 and 4 have 40..120 from both ends.
        assert_eq!(take(&mut stretches, 4, 10), Some(110..120));
        assert_eq!(take(&mut stretches, 1, 10), Some(70..80));
        assert_eq!(take(&mut stretches, 1, 10), Some(80..90));
        assert_eq!(take(&mut stretches, 2, 30), Some(40..70));
        stretches.abandon(4);
        assert_eq!(take(&mut stretches, 2, 5), Some(105..110));
        assert_eq!(take(&mut stretches, 0, 99), Some(90..105));
    }

    #[test]
    fn every_band_is_dealt_once_whatever_the_weights_and_whoever_asks() {
        for devices in 1..9usize {
            for seed in 0..200u64 {
                let mut state = seed * 977 + devices as u64;
                let mut random = |end: u64| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 33) % end
                };
                let weights: Vec<f64> = (0..devices).map(|_| random(4) as f64).collect();
                let bands = random(300) as u32;
                let mut stretches = Stretches::new(bands, &weights);
                let mut seen = vec![false; bands as usize];
                let mut left = bands;
                while left > 0 {
                    let device = random(devices as u64) as usize;
                    if random(20) == 0 {
                        stretches.abandon(device);
                    }
                    let count = random(40) as u32 + 1;
                    let run = take(&mut stretches, device, count).unwrap();
                    assert!(!run.is_empty() && run.end - run.start <= count);
                    for band in run {
                        assert!(!std::mem::replace(&mut seen[band as usize], true));
                        left -= 1;
                    }
                }
                assert_eq!(take(&mut stretches, 0, 1), None);
            }
        }
    }
}
