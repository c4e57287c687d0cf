//! Prior knowledge of a device: its speed and its overhead, as known before the launch.

/// The speed of a device as known before the launch, in bands per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// Measured on an earlier launch.
    Measured(f64),
    /// Estimated, and perhaps several times too high or too low.
    Estimated(f64),
}

/// The speed and the overhead of a device as known before the launch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prior {
    pub(crate) speed: Speed,
    /// Seconds that each run costs, whatever its size.
    pub(crate) overhead: f64,
}
