//! What a launch that has ended teaches for the next ones: whether the CPU should leave cores for feeding GPUs, and whether
//! one device alone is faster.

use std::time::Duration;

use super::running::Running;
use crate::device::DeviceKind;
use crate::runtime::report::DeviceReport;

/// Takes note of a launch that the CPU shared with GPUs.
pub(crate) fn note_cores(
    running: &Running<'_>,
    reports: &[DeviceReport],
    groups: f64,
    took: Duration,
) {
    let kind = |at: usize| running.planned.checked.devices[at].device.info().kind;
    let worked = |cpu: bool| {
        let mut both = reports.iter().enumerate();
        both.any(|(at, report)| report.chunks > 0 && (kind(at) == DeviceKind::Cpu) == cpu)
    };
    if running.planned.fed().is_some() && worked(true) && worked(false) {
        let (left, seconds) = (running.planned.spare > 0, took.as_secs_f64());
        let memo = &running.planned.checked.resources.memo;
        let kernel = &running.planned.checked.kernel;
        memo.cores(kernel, |cores| cores.observe(left, groups as u64, seconds));
    }
}

/// Takes note that a device that was to do it alone may not have.
pub(crate) fn note_failure(running: &Running<'_>) {
    if let (Some(_), Some(workgroups)) = (running.alone, running.may_be_alone()) {
        let memo = &running.planned.checked.resources.memo;
        memo.alone(&running.planned.checked.kernel, |alone| alone.failed(workgroups));
    }
}

/// Takes note of a launch that several devices shared, or one of them did alone. `expected` says what
/// one would have taken, in seconds.
pub(crate) fn note_way(
    running: &Running<'_>,
    reports: &[DeviceReport],
    took: Duration,
    expected: &dyn Fn(usize) -> Option<f64>,
) {
    let Some(workgroups) = running.may_be_alone() else { return };
    let others = |alone| {
        let mut reports = reports.iter().enumerate();
        reports.any(|(device, report)| device != alone && report.chunks > 0)
    };
    if running.alone.is_some_and(others) {
        return;
    }
    let able = (0..reports.len()).filter(|&device| running.planned.takes_part(device));
    let times = able.filter_map(|device| Some((device, expected(device)?)));
    let best = || times.min_by(|a, b| a.1.total_cmp(&b.1));
    let (memo, kernel) = (&running.planned.checked.resources.memo, &running.planned.checked.kernel);
    let (way, seconds) = (running.alone, took.as_secs_f64());
    memo.alone(kernel, |alone| alone.observe(workgroups, way, seconds, best));
}
