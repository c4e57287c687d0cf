//! A planned launch under way: the parts that it has.

use super::chunks::Chunks;
use super::log::Recording;
use super::planned::Planned;
use super::residency::Residency;
use crate::runtime::history::{Cores, Way};

/// A launch from its plan to its end.
pub(super) struct Running<'p> {
    pub(super) planned: &'p Planned<'p>,
    pub(super) chunks: Chunks<'p>,
    /// What stays on devices.
    pub(super) residency: Residency<'p>,
    /// What the log keeps of the launch.
    pub(super) recording: Recording,
    /// The device that runs it alone, since that is faster or is tried.
    pub(super) alone: Way,
    /// The number of the launch among those that run at once, if others do.
    pub(super) place: Option<usize>,
}

impl<'p> Running<'p> {
    /// `place` counts the launches that run beside it: each begins with another of the devices that
    /// are equally fast.
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
            // The other devices have what runs beside it.
            alone: way.filter(|_| place.is_none()),
            place,
        }
    }
}
