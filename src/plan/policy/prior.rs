//! What is known of a device before the launch.

/// What is known of a device's speed before the launch, in bands per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// Measured on an earlier launch.
    Measured(f64),
    /// Estimated, and perhaps several times too high or too low.
    Estimated(f64),
}

/// What is known of a device before the launch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prior {
    pub(crate) speed: Speed,
    /// Seconds that each run costs, whatever its size.
    pub(crate) overhead: f64,
}
