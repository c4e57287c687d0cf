//! The scenario of a simulation: which devices there are, what a launch costs on them, and what goes wrong.

/// A class of launches to be simulated. Times are in seconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// The numbers of devices to simulate.
    pub devices: Vec<u32>,
    /// Workgroups of the launch, for each device.
    pub workgroups_per_device: u32,
    /// What a workgroup takes on a device of speed 1.
    pub seconds_per_workgroup: f64,
    /// What crosses the link for each workgroup.
    pub bytes_per_workgroup: f64,
    /// Speeds are drawn between these, uniformly in their logarithm.
    pub speeds: (f64, f64),
    /// Speeds of the devices, in turn, instead of random ones.
    pub speed_list: Vec<f64>,
    /// What is believed of a speed before the launch is wrong by up to this factor.
    pub estimate_error: f64,
    /// What a run costs, however small.
    pub launch: f64,
    /// The same of its link.
    pub link_latency: f64,
    /// Bytes per second.
    pub link_bandwidth: f64,
    /// The spread of a run's time: the standard deviation of its logarithm.
    pub jitter: f64,
    /// So many devices become slower,
    pub slow_devices: u32,
    /// so many times,
    pub slow_factor: f64,
    /// from this part of the bound on.
    pub slow_from: f64,
    /// So many devices are lost at some time.
    pub failures: u32,
    /// Launches for each number of devices.
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
    /// What makes it impossible to simulate, if anything.
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

/// More devices than this make the arithmetic of workgroups overflow sooner than they are useful.
const MOST_DEVICES: u32 = 65536;
