//! Random numbers. A seed gives the same numbers on every machine.

/// SplitMix64.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        let mut chance = Chance(seed ^ 0x5851_f42d_4c95_7f2d);
        chance.bits();
        chance
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in its logarithm.
    pub(super) fn log_uniform(&mut self, least: f64, most: f64) -> f64 {
        least * (most / least).powf(self.uniform())
    }

    /// Log-normal, of mean 1.
    pub(super) fn jitter(&mut self, sigma: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
        (sigma * normal - 0.5 * sigma * sigma).exp()
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_has_mean_one_and_the_spread_that_was_asked_for() {
        let mut chance = Chance::new(7);
        let logs: Vec<f64> = (0..20_000).map(|_| chance.jitter(0.2).ln()).collect();
        let mean = logs.iter().map(|l| l.exp()).sum::<f64>() / logs.len() as f64;
        let spread = logs.iter().map(|l| (l + 0.02).powi(2)).sum::<f64>() / logs.len() as f64;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!((spread.sqrt() - 0.2).abs() < 0.01, "{spread}");
    }
}
