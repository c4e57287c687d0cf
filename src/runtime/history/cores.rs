//! Spare cores: whether the CPU leaves cores idle for the workers that feed GPUs, by kernel.
//!
//! A GPU's worker copies data and waits. If the CPU computes on all cores, the worker also waits for a core,
//! and the GPU waits for the worker. Whether a core helps the CPU or the GPU more is not known in advance, so
//! it is tried. In a trial, launches run alternately as usual and the other way, and the faster way is kept.
//! Trials become rarer over time. What always holds: only launches of one size are compared, and only those
//! that take long enough to be meaningful. Pure: no clock, no device.

/// The number of pairs of launches in a trial.
const PAIRS: usize = 5;

/// The least number of pairs in which the other way must be faster.
const MOST_PAIRS: usize = 4;

/// The least median gain, as a factor: less is not worth a change.
const GAIN: f64 = 1.03;

/// The number of launches before the first trial. It doubles with each trial.
const FIRST: u32 = 8;

/// The most launches before a trial.
const RAREST: u32 = 4096;

/// The time of the shortest launch that counts, in seconds.
const WORTH: f64 = 2e-3;

/// The state for launches of a kernel that the CPU shares with GPUs.
#[derive(Debug, Clone)]
pub(crate) struct Cores {
    /// Whether cores are left idle outside of trials.
    leaves: bool,
    workgroups: u64,
    /// The launches left until the next trial.
    until: u32,
    /// All launches between the last trial and the next.
    pause: u32,
    /// The seconds of the trial's launches, alternately the usual way and the other way.
    trial: Vec<f64>,
}

impl Default for Cores {
    fn default() -> Cores {
        Cores { leaves: false, workgroups: 0, until: FIRST, pause: FIRST, trial: Vec::new() }
    }
}

impl Cores {
    /// Whether the next launch leaves cores idle.
    pub(crate) fn leave(&self) -> bool {
        let other = self.until == 0 && self.trial.len() % 2 == 1;
        self.leaves != other
    }

    /// Takes the time of a launch. `left`: whether it left cores idle.
    pub(crate) fn observe(&mut self, left: bool, workgroups: u64, seconds: f64) {
        if seconds < WORTH {
            return;
        }
        let other = std::mem::replace(&mut self.workgroups, workgroups) != workgroups;
        if other && !self.trial.is_empty() {
            self.rest();
        }
        if self.until > 0 {
            self.until -= 1;
            return;
        }
        // Launches at the same time may all have been told the same.
        if left != self.leave() {
            return;
        }
        self.trial.push(seconds);
        if self.trial.len() < 2 * PAIRS {
            return;
        }
        let mut gains: Vec<f64> = self.trial.chunks_exact(2).map(|p| p[0] / p[1]).collect();
        gains.sort_by(f64::total_cmp);
        let faster = gains.iter().filter(|&&gain| gain > 1.0).count();
        if faster >= MOST_PAIRS && gains[PAIRS / 2] > GAIN {
            self.leaves = !self.leaves;
            tracing::debug!(leaves = self.leaves, gains = ?gains, "changed whether cores are left idle for GPUs");
        }
        self.rest();
    }

    /// Ends a trial. The pause before the next is twice as long.
    fn rest(&mut self) {
        self.trial.clear();
        self.pause = self.pause.saturating_mul(2).min(RAREST);
        self.until = self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pseudo-random number from 0 to 1.
    fn chance(seed: &mut u64) -> f64 {
        *seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (*seed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Runs launches whose time changes by `factor` if they leave cores idle. Returns the number of launches
    /// that did, and whether the last way does.
    fn run(seed: u64, launches: u32, factor: f64) -> (u32, bool) {
        let (mut seed, mut cores, mut left) = (seed, Cores::default(), 0);
        for _ in 0..launches {
            let leaves = cores.leave();
            let noise = 0.9 + 0.2 * chance(&mut seed);
            let seconds = 0.01 * noise * if leaves { factor } else { 1.0 };
            left += u32::from(leaves);
            cores.observe(leaves, 64, seconds);
        }
        (left, cores.leaves)
    }

    #[test]
    fn cores_are_left_where_that_is_faster_and_only_there() {
        for seed in 0..200 {
            let (left, leaves) = run(seed, 2000, 0.8);
            assert!(leaves && left > 1900, "seed {seed}: {left}");
            let (left, leaves) = run(seed, 2000, 1.2);
            assert!(!leaves && left < 50, "seed {seed}: {left}");
        }
    }

    #[test]
    fn trials_become_rare_and_cost_little() {
        // Eight trials of five launches in 2,000, whatever their results.
        let mut cores = Cores::default();
        let tried = (0..2000).filter(|_| {
            let leaves = cores.leave();
            cores.observe(leaves, 64, if leaves { 0.02 } else { 0.01 });
            leaves
        });
        assert!(tried.count() <= 40);
    }

    #[test]
    fn short_launches_and_other_sizes_decide_nothing() {
        let (mut cores, mut left) = (Cores::default(), 0);
        for launch in 0..1000 {
            cores.observe(cores.leave(), 64, 1e-4);
            // The other sizes are faster the other way, but each occurs only once.
            let leaves = cores.leave();
            left += u32::from(leaves);
            cores.observe(leaves, 100 + launch, if leaves { 0.01 } else { 0.02 });
        }
        assert!(!cores.leaves && left < 10, "{left}");
    }
}
