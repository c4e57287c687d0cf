//! The devices of one simulated launch, drawn from a seed: their true and estimated speeds, and which
//! of them become slower or fail. Also the true time of a run, and the lower bound of a launch.

use super::chance::Chance;
use super::scenario::Scenario;

/// A simulated device. Times are in seconds from the begin of the launch.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// Seconds per workgroup.
    pub(super) group: f64,
    /// Seconds per workgroup, as estimated before the launch.
    pub(super) believed: f64,
    /// The time from which on it is slower, and the factor.
    pub(super) slower: Option<(f64, f64)>,
    /// The time at which it fails; infinite if it does not.
    pub(super) lost: f64,
    /// Seconds that each run costs, whatever its size.
    pub(super) overhead: f64,
    /// Seconds per workgroup on the link.
    link: f64,
}

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) machines: Vec<Machine>,
    pub(super) groups: u32,
    /// The lower bound of the makespan, without jitter.
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
        // At least one device never fails.
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

    /// The time of the best device alone, of those that never fail. `jitter` gives each device's
    /// factor.
    pub(super) fn alone(&self, jitter: impl Fn(usize) -> f64) -> f64 {
        let machines = self.machines.iter().enumerate();
        machines
            .filter(|(_, machine)| machine.lost.is_infinite())
            .map(|(device, machine)| machine.time(0.0, self.groups, jitter(device)))
            .fold(f64::INFINITY, f64::min)
    }
}

impl Machine {
    /// The seconds of a run of `groups` workgroups that begins at `begun`.
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

    /// Estimated seconds per workgroup, with the link.
    pub(super) fn believed_group(&self) -> f64 {
        self.believed + self.link
    }

    /// The most whole workgroups that the device can do by a time in one run.
    fn most(&self, until: f64, groups: u32) -> u32 {
        let until = until.min(self.lost);
        let time = (until - self.overhead).max(0.0);
        let done = match self.slower {
            // Optimistic: the device computes at full speed until it becomes slower, and transfers
            // the bytes of later workgroups after that.
            Some((from, factor)) if until > from => {
                let fast = (from - self.overhead).max(0.0);
                fast / (self.group + self.link) + (time - fast) / (self.group * factor + self.link)
            }
            _ => time / (self.group + self.link),
        };
        (done.max(0.0) as u32).min(groups)
    }
}

/// The shortest time in which the devices can do `groups` whole workgroups, if each does its part in
/// one run, without jitter.
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
