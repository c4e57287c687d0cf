//! The devices of one simulated launch, as a seed makes them: their true speeds, what is believed
//! of them, which becomes slower and which fails. Also what a run really takes on one of them, and
//! what a clairvoyant would need for the whole launch.

use super::chance::Chance;
use super::scenario::Scenario;

/// A simulated device. Times are in seconds from the launch's begin.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Seconds per workgroup.
    pub(super) group: f64,
    /// What is believed of that before the launch.
    pub(super) believed: f64,
    /// From when on it is slower, and how many times.
    pub(super) slower: Option<(f64, f64)>,
    /// When it is lost.
    pub(super) lost: f64,
    /// Seconds that each run costs, however small.
    pub(super) overhead: f64,
    /// Seconds per workgroup on the link.
    link: f64,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    pub(super) groups: u32,
    /// What a clairvoyant needs: nobody can be faster, jitter's luck apart.
    pub(super) bound: f64,
    pub(super) jitter: f64,
    pub(super) chance: Chance,
}

impl World {
    pub(super) fn new(scenario: &Scenario, devices: u32, seed: u64) -> World {
        let mut chance = Chance::new(seed.wrapping_mul(0x1_0001).wrapping_add(u64::from(devices)));
        let (least, most) = scenario.speeds;
        let error = scenario.estimate_error.max(1.0);
        let mut machines: Vec<Machine> = (0..devices as usize)
            .map(|index| {
                let speed = match scenario.speed_list.as_slice() {
                    [] => chance.log_uniform(least, most),
                    list => list[index % list.len()],
                };
                let group = scenario.seconds_per_workgroup / speed;
                Machine {
                    group,
                    believed: group * chance.log_uniform(1.0 / error, error),
                    slower: None,
                    lost: f64::INFINITY,
                    overhead: scenario.launch + scenario.link_latency,
                    link: scenario.bytes_per_workgroup / scenario.link_bandwidth,
                }
            })
            .collect();
        let groups = devices.saturating_mul(scenario.workgroups_per_device);
        let calm = bound(&machines, groups);
        for _ in 0..scenario.slow_devices.min(devices) {
            let at = chance.below(machines.len());
            machines[at].slower = Some((calm * scenario.slow_from, scenario.slow_factor));
        }
        // One is always left.
        for _ in 0..scenario.failures.min(devices - 1) {
            let at = chance.below(machines.len());
            let left = machines.iter().filter(|m| m.lost.is_infinite()).count();
            if left > 1 {
                machines[at].lost = calm * chance.uniform();
            }
        }
        let bound = bound(&machines, groups);
        World { machines, groups, bound, jitter: scenario.jitter, chance }
    }

    /// What the best device alone needs, if everything takes a device such a factor longer.
    pub(super) fn alone(&self, jitter: impl Fn(usize) -> f64) -> f64 {
        let machines = self.machines.iter().enumerate();
        machines
            .filter(|(_, machine)| machine.lost.is_infinite())
            .map(|(device, machine)| machine.time(0.0, self.groups, jitter(device)))
            .fold(f64::INFINITY, f64::min)
    }
}

impl Machine {
    /// Seconds that a run takes that begins at a time.
    pub(super) fn time(&self, begun: f64, groups: u32, jitter: f64) -> f64 {
        let before = self.overhead + f64::from(groups) * self.link;
        let compute = f64::from(groups) * self.group * jitter;
        let start = begun + before;
        match self.slower {
            Some((from, factor)) if start + compute > from => {
                let fast = (from - start).max(0.0);
                before + fast + (compute - fast) * factor
            }
            _ => before + compute,
        }
    }

    /// Seconds per workgroup as they are believed to be, with the link.
    pub(super) fn believed_group(&self) -> f64 {
        self.believed + self.link
    }

    /// The most whole workgroups that can be done until a time, with one overhead.
    fn most(&self, until: f64, groups: u32) -> u32 {
        let until = until.min(self.lost);
        let time = (until - self.overhead).max(0.0);
        let done = match self.slower {
            // As if it computed as much as can be before it becomes slower, and sent the rest after.
            Some((from, factor)) if until > from => {
                let fast = (from - self.overhead).max(0.0);
                fast / (self.group + self.link) + (time - fast) / (self.group * factor + self.link)
            }
            _ => time / (self.group + self.link),
        };
        (done.max(0.0) as u32).min(groups)
    }
}

/// The shortest time in which the devices can do so many workgroups, none of which can be cut,
/// if each does its part in one run and jitter is what it is on average.
fn bound(machines: &[Machine], groups: u32) -> f64 {
    let done = |until: f64| {
        machines.iter().map(|m| u64::from(m.most(until, groups))).sum::<u64>() >= u64::from(groups)
    };
    let mut high = 1e-6;
    while !done(high) && high < 1e12 {
        high *= 2.0;
    }
    let mut low = high / 2.0;
    while high - low > 1e-7 * high {
        let middle = 0.5 * (low + high);
        if done(middle) { high = middle } else { low = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(group: f64) -> Machine {
        Machine {
            group,
            believed: group,
            slower: None,
            lost: f64::INFINITY,
            overhead: 0.0,
            link: 0.0,
        }
    }

    #[test]
    fn the_bound_is_the_best_that_whole_workgroups_allow() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-5 * b;
        assert!(near(bound(&[machine(1.0)], 7), 7.0));
        assert!(near(bound(&[machine(1.0), machine(1.0)], 7), 4.0));
        assert!(near(bound(&[machine(1.0), machine(10.0)], 3), 3.0));
        let slow = Machine { slower: Some((2.0, 5.0)), ..machine(1.0) };
        assert!(near(bound(std::slice::from_ref(&slow), 3), 7.0));
        assert!(near(slow.time(1.0, 2, 1.0), 6.0));
        let lost = Machine { lost: 2.5, ..machine(1.0) };
        assert!(near(bound(&[lost, machine(1.0)], 6), 4.0));
    }
}
