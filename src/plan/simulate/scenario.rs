//! The scenario of a simulation: the devices, the costs of a launch on them, slow-downs and failures.

/// A class of launches to be simulated. Times are in seconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The name of the scenario.
    pub name: String,
    /// The numbers of devices to simulate.
    pub devices: Vec<u32>,
    /// The number of workgroups of the launch, divided by the number of devices.
    pub workgroups_per_device: u32,
    /// The time of a workgroup on a device of speed 1.
    pub seconds_per_workgroup: f64,
    /// The bytes that cross the link for each workgroup.
    pub bytes_per_workgroup: f64,
    /// The least and the largest speed. Speeds are drawn uniformly in their logarithm.
    pub speeds: (f64, f64),
    /// Speeds of the devices, in turn, instead of random ones.
    pub speed_list: Vec<f64>,
    /// Speeds that are estimated before the launch are wrong by up to this factor.
    pub estimate_error: f64,
    /// The overhead of a run, whatever its size.
    pub launch: f64,
    /// The latency of the link, which each run costs once.
    pub link_latency: f64,
    /// The bandwidth of the link, in bytes per second.
    pub link_bandwidth: f64,
    /// The spread of a run's time: the standard deviation of its logarithm.
    pub jitter: f64,
    /// The most devices that become slower during the launch.
    pub slow_devices: u32,
    /// The factor by which they become slower.
    pub slow_factor: f64,
    /// The time at which they become slower, as a part of the bound.
    pub slow_from: f64,
    /// The most devices that fail, each at a random time.
    pub failures: u32,
    /// The number of launches for each number of devices.
    pub seeds: u32,
}

impl Default for Scenario {
    /// The standard scenario.
    fn default() -> Scenario {
        Scenario {
            name: "standard".to_owned(),
            devices: vec![2, 3, 4, 8, 16, 32, 64, 4096],
            workgroups_per_device: 256,
            seconds_per_workgroup: 1e-3,
            bytes_per_workgroup: 65536.0,
            speeds: (1.0, 20.0),
            speed_list: Vec::new(),
            estimate_error: 4.0,
            launch: 50e-6,
            link_latency: 10e-6,
            link_bandwidth: 12e9,
            jitter: 0.2,
            slow_devices: 1,
            slow_factor: 5.0,
            slow_from: 0.5,
            failures: 0,
            seeds: 100,
        }
    }
}

impl Scenario {
    /// Why the scenario can't be simulated; `None` if it can.
    pub fn mistake(&self) -> Option<String> {
        let positive = [
            ("seconds_per_workgroup", self.seconds_per_workgroup),
            ("the least speed", self.speeds.0),
            ("the largest speed", self.speeds.1),
            ("link_bandwidth", self.link_bandwidth),
        ];
        let wrong = positive.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0));
        if let Some((name, value)) = wrong {
            return Some(format!("{name} is {value}, and must be more than 0"));
        }
        let not_negative = [
            ("bytes_per_workgroup", self.bytes_per_workgroup),
            ("launch", self.launch),
            ("link_latency", self.link_latency),
            ("jitter", self.jitter),
            ("slow_from", self.slow_from),
        ];
        let wrong = not_negative.iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0));
        if let Some((name, value)) = wrong {
            return Some(format!("{name} is {value}, and must not be negative"));
        }
        let factors = [("slow_factor", self.slow_factor), ("estimate_error", self.estimate_error)];
        let wrong = factors.iter().find(|(_, value)| !(value.is_finite() && *value >= 1.0));
        if let Some((name, value)) = wrong {
            return Some(format!("{name} is {value}, and must be at least 1"));
        }
        if let Some(speed) = self.speed_list.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Some(format!("a speed is {speed}, and must be more than 0"));
        }
        if self.speeds.0 > self.speeds.1 {
            return Some("the least speed is more than the largest".to_owned());
        }
        let bad = self.devices.iter().find(|n| !(1..=MOST_DEVICES).contains(*n));
        if let Some(count) = bad {
            return Some(format!("it has {count} devices, and must have from 1 to {MOST_DEVICES}"));
        }
        if self.devices.is_empty() || self.seeds == 0 || self.workgroups_per_device == 0 {
            return Some("it has no devices, no seeds or no workgroups".to_owned());
        }
        None
    }
}

/// The most devices that can be simulated. With more, the number of workgroups could overflow.
const MOST_DEVICES: u32 = 65536;
