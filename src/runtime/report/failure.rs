//! The failures that a launch survived, and their remedies.

use std::fmt;

use crate::error::FailureKind;

/// A failure that a launch survived.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureEvent {
    /// The device: `gpu0`.
    pub device: String,
    /// The kind of the failure.
    pub kind: FailureKind,
    /// What the device was doing, and the driver's message.
    pub cause: String,
    /// The remedy.
    pub remedy: Remedy,
}

/// The remedy for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// The work went to other devices, and this one got no more of the launch.
    PutAside,
    /// As `PutAside`, and launches do not use the device until `Runtime::retry_quarantined`.
    Quarantined,
    /// Another device computed all the work of this device again, and this one is quarantined.
    Recomputed,
    /// The device goes on with one chunk at a time.
    OneAtATime,
    /// The device goes on with chunks of at most this many workgroups.
    SmallerChunks(u64),
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::PutAside => f.write_str("its work went to other devices"),
            Remedy::Quarantined => {
                f.write_str("its work went to other devices, and it is quarantined")
            }
            Remedy::Recomputed => {
                f.write_str("all its chunks were computed again, and it is quarantined")
            }
            Remedy::OneAtATime => f.write_str("it continues with one chunk at a time"),
            Remedy::SmallerChunks(1) => f.write_str("it continues with chunks of one workgroup"),
            Remedy::SmallerChunks(most) => {
                write!(f, "it continues with chunks of at most {most} workgroups")
            }
        }
    }
}

impl fmt::Display for FailureEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}; {}", self.device, self.kind, self.cause, self.remedy)
    }
}
