//! A planned launch under way, and its parts.

use super::chunks::Chunks;
use super::log::Recording;
use super::planned::Planned;
use super::residency::Residency;
use crate::runtime::history::{Cores, Way};

/// One attempt at a planned launch.
pub(super) struct Running<'p> {
    pub(super) planned: &'p Planned<'p>,
    pub(super) chunks: Chunks<'p>,
    /// The data that stays on devices.
    pub(super) residency: Residency<'p>,
    /// The launch as the log keeps it.
    pub(super) recording: Recording,
    /// The device that runs the launch alone, because that is faster or on trial.
    pub(super) alone: Way,
    /// The launch's number among those that run at the same time, if any do.
    pub(super) place: Option<usize>,
}

impl<'p> Running<'p> {
    /// `place` numbers the launches that run at the same time, so that each starts with a different one of
    /// the equally fast devices.
    pub(super) fn new(planned: &'p Planned<'p>, place: Option<usize>) -> Running<'p> {
        let (memo, kernel) = (&planned.checked.resources.memo, &planned.checked.kernel);
        let way = planned
            .may_be_alone()
            .and_then(|workgroups| memo.alone(kernel, |alone| alone.way(workgroups)).flatten());
        let way = way.filter(|&device| planned.takes_part(device));
        let leaves = |cores: &mut Cores| cores.leave();
        let spare = match (planned.fed(), way) {
            (Some(gpus), None) if memo.cores(kernel, leaves) == Some(true) => gpus,
            _ => 0,
        };
        Running {
            planned,
            chunks: Chunks::new(planned, spare),
            residency: Residency::new(planned),
            recording: Recording::default(),
            // Launches at the same time share the devices, so measurements of single launches do not apply.
            alone: way.filter(|_| place.is_none()),
            place,
        }
    }
}
