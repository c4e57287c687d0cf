//! The report of a launch: which device computed which share, how fast, and what went wrong on the way.

use std::fmt;
use std::time::Duration;

use super::events::FailureEvent;
use crate::device::Engine;
use crate::plan::Plan;

/// The account of a finished launch. `Display` is a small table.
#[derive(Debug, Clone)]
pub struct Report {
    /// From the granting of the buffers to the last result in host memory.
    pub elapsed: Duration,
    /// Workgroups of the grid.
    pub workgroups: u64,
    /// One for each device of the runtime, in its order.
    pub devices: Vec<DeviceReport>,
    /// Failures that the launch survived, in the order in which they were met.
    pub events: Vec<FailureEvent>,
    /// Chunks of earlier launches that were computed once more in the course of this one, since only
    /// a lost device had their results. Launches at the same time count each other's.
    pub repeated: u64,
    /// The part of the launch that was computed a second time and compared, if
    /// [`Launch::verify`](crate::Launch::verify) asked for it.
    pub verified: Option<Verified>,
    /// Why the launch was split as it was.
    pub plan: Plan,
}

/// How much of a launch was computed a second time and compared, and by which device. `Display`
/// gives one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Why nothing was verified, with the WGSL line: another device may rightly compute something
    /// else.
    pub not_done: Option<String>,
    /// How much work of each device was verified, and by which device.
    pub parts: Vec<VerifiedPart>,
    /// Pieces of work whose two results did not agree; [`Report::events`] has each.
    pub disputes: u32,
    /// What counts as equal, in words.
    pub within: String,
}

/// Work of one device that another device verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedPart {
    /// The device that computed it first: `gpu0`.
    pub device: String,
    /// The device that computed it again: `cpu`, or "the CPU's interpreter".
    pub by: String,
    /// The amount, in workgroups.
    pub workgroups: u64,
}

impl Verified {
    /// Records that `by` computed work of a device again.
    pub(crate) fn add(&mut self, device: &str, by: &str, workgroups: u64) {
        let same = |part: &&mut VerifiedPart| part.device == device && part.by == by;
        match self.parts.iter_mut().find(same) {
            Some(part) => part.workgroups += workgroups,
            None => {
                let (device, by) = (device.to_owned(), by.to_owned());
                self.parts.push(VerifiedPart { device, by, workgroups });
            }
        }
    }

    /// Workgroups that were computed a second time.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let verified = launch.verify(1.0).run()?.verified.expect("the launch asked for it");
    /// assert_eq!(verified.workgroups(), 4);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn workgroups(&self) -> u64 {
        self.parts.iter().map(|part| part.workgroups).sum()
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.not_done {
            return write!(f, "not verified: {why}");
        }
        let part = |p: &VerifiedPart| format!("{} of {} by {}", p.workgroups, p.device, p.by);
        let parts: Vec<String> = self.parts.iter().map(part).collect();
        let plural = if self.workgroups() == 1 { "" } else { "s" };
        write!(f, "verified {} workgroup{plural}", self.workgroups())?;
        if !parts.is_empty() {
            write!(f, ": {}", parts.join(", "))?;
        }
        match self.disputes {
            0 => write!(f, "; all agree, {}", self.within),
            n => write!(f, "; {n} did not agree, {}", self.within),
        }
    }
}

/// One device's part of a launch.
#[derive(Debug, Clone, Default)]
pub struct DeviceReport {
    /// `cpu`, `gpu0`…
    pub id: String,
    /// The product's name.
    pub name: String,
    /// The driver and its version; for the CPU the fastest engine available, such as "LLVM 22".
    pub driver: String,
    /// The engine that ran the kernel there, never [`Engine::Auto`]. `None` for a device that did
    /// nothing, and for GPUs, which have no choice of engines.
    pub engine: Option<Engine>,
    /// Why a faster engine was not used, if one was tried: "not llvm: …".
    pub fallback: Option<String>,
    /// Chunks completed.
    pub chunks: u32,
    /// Of these, such as another device was late with.
    pub taken_over: u32,
    /// Why it did nothing, if it could have.
    pub left_out: Option<String>,
    /// Workgroups completed.
    pub workgroups: u64,
    /// Part of the grid, 0 to 1.
    pub share: f64,
    /// Time with a chunk on the device.
    pub busy: Duration,
    /// Bytes copied to the device.
    pub uploaded: u64,
    /// Bytes copied back.
    pub downloaded: u64,
}

impl DeviceReport {
    /// Workgroups per second of busy time; zero for a device that did nothing.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let report = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).run()?;
    /// for device in &report.devices {
    ///     println!("{}: {:.0} workgroups per second", device.id, device.rate());
    /// }
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn rate(&self) -> f64 {
        if self.busy.is_zero() { 0.0 } else { self.workgroups as f64 / self.busy.as_secs_f64() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &self.devices)?;
        for device in &self.devices {
            if let Some(why) = &device.left_out {
                writeln!(f, "{} did nothing: {why}", device.id)?;
            }
            if device.taken_over > 0 {
                writeln!(
                    f,
                    "{} computed {} chunk{} that another device was late with",
                    device.id,
                    device.taken_over,
                    if device.taken_over == 1 { "" } else { "s" }
                )?;
            }
        }
        for event in &self.events {
            writeln!(f, "! {event}")?;
        }
        for warning in self.plan.warnings() {
            writeln!(f, "! {warning}")?;
        }
        repeated(f, self.repeated)?;
        for sentence in self.plan.without_effect() {
            writeln!(f, "{sentence}")?;
        }
        if let Some(verified) = &self.verified {
            writeln!(f, "{verified}")?;
        }
        let plural = if self.workgroups == 1 { "" } else { "s" };
        write!(f, "{} workgroup{plural} in {}", self.workgroups, seconds(self.elapsed))
    }
}

/// A line, if there is something to tell.
pub(crate) fn repeated(f: &mut fmt::Formatter<'_>, chunks: u64) -> fmt::Result {
    match chunks {
        0 => Ok(()),
        1 => writeln!(f, "! 1 chunk of earlier launches was computed once more: {ONLY_THERE}"),
        n => writeln!(f, "! {n} chunks of earlier launches were computed once more: {ONLY_THERE}"),
    }
}

const ONLY_THERE: &str = "only a lost device had the results";

/// A line for each device.
pub(crate) fn table(f: &mut fmt::Formatter<'_>, devices: &[DeviceReport]) -> fmt::Result {
    writeln!(
        f,
        "{:<8} {:>6} {:>7} {:>10} {:>10} {:>10} {:>13}  name",
        "device", "chunks", "share", "busy", "up", "down", "workgroups/s"
    )?;
    for device in devices {
        writeln!(
            f,
            "{:<8} {:>6} {:>6.1}% {:>10} {:>10} {:>10} {:>13.4e}  {}",
            device.id,
            device.chunks,
            device.share * 100.0,
            seconds(device.busy),
            bytes(device.uploaded),
            bytes(device.downloaded),
            device.rate(),
            described(device),
        )?;
    }
    Ok(())
}

/// The product, the engine that ran the kernel there, and why no faster engine did.
fn described(device: &DeviceReport) -> String {
    let mut text = device.name.clone();
    if let Some(engine) = device.engine {
        // The driver includes the version of LLVM.
        text += &match engine {
            Engine::Llvm => format!(", {}", device.driver),
            other => format!(", {other}"),
        };
    }
    if let Some(why) = &device.fallback {
        text += &format!(" ({why})");
    }
    text
}

pub(crate) fn seconds(time: Duration) -> String {
    let s = time.as_secs_f64();
    match s {
        _ if s >= 1.0 => format!("{s:.2} s"),
        _ if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        _ => format!("{:.1} µs", s * 1e6),
    }
}

fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_readable() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(seconds(Duration::from_micros(1500)), "1.50 ms");
        assert_eq!(seconds(Duration::from_nanos(500)), "0.5 µs");
    }
}
