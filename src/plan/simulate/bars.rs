//! A launch in full: what ran when on which device.

/// One launch in full.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The policy's name.
    pub policy: String,
    /// How many devices.
    pub devices: u32,
    /// When everything was done, in seconds.
    pub makespan: f64,
    /// The lower bound.
    pub bound: f64,
    /// Everything that ran.
    pub bars: Vec<Bar>,
}

/// A run on a device.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Which device.
    pub device: u32,
    /// Seconds from the launch's begin.
    pub begin: f64,
    /// The same of its end.
    pub end: f64,
    /// How many workgroups.
    pub workgroups: u32,
    /// What became of it.
    pub kind: BarKind,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarKind {
    /// Its result counted.
    Run,
    /// Its result counted, and another device was at it too.
    Rerun,
    /// Somebody else was first.
    Void,
    /// Its device was lost.
    Lost,
}
