//! The timeline of a launch: which device ran which workgroups when.

/// The timeline of one launch.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The policy's name.
    pub policy: String,
    /// The number of devices.
    pub devices: u32,
    /// The time at which all bands were done, in seconds.
    pub makespan: f64,
    /// The lower bound of the makespan, in seconds.
    pub bound: f64,
    /// All runs.
    pub bars: Vec<Bar>,
}

/// A run on a device.
#[derive(Debug, Clone)]
pub struct Bar {
    /// The index of the device.
    pub device: u32,
    /// The begin of the run, in seconds from the begin of the launch.
    pub begin: f64,
    /// The end of the run, in seconds from the begin of the launch.
    pub end: f64,
    /// The number of workgroups.
    pub workgroups: u32,
    /// The outcome of the run.
    pub kind: BarKind,
}

/// The outcome of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarKind {
    /// Its result counted.
    Run,
    /// It was a second run of bands that another device had in flight, and its result counted.
    Rerun,
    /// Its result did not count, since another device was first.
    Void,
    /// Its device failed.
    Lost,
}
