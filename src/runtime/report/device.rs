//! The part of one device in a launch or a sequence, and the table of all devices.

use std::fmt;
use std::time::Duration;

use crate::device::{ChunkCost, Engine};

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
    /// The number of completed chunks.
    pub chunks: u32,
    /// The number of these chunks that were taken over from a late device.
    pub taken_over: u32,
    /// Why it did nothing, if it could have taken part.
    pub left_out: Option<String>,
    /// The number of completed workgroups.
    pub workgroups: u64,
    /// The fraction of the grid, from 0 to 1.
    pub share: f64,
    /// The time during which the device had a chunk.
    pub busy: Duration,
    /// Bytes copied to the device.
    pub uploaded: u64,
    /// Bytes copied back.
    pub downloaded: u64,
}

impl DeviceReport {
    /// Adds a chunk whose result counts.
    pub(crate) fn add_chunk(&mut self, workgroups: u64, cost: &ChunkCost, taken_over: bool) {
        self.chunks += 1;
        self.taken_over += u32::from(taken_over);
        self.workgroups += workgroups;
        self.busy += cost.busy;
        self.uploaded += cost.uploaded;
        self.downloaded += cost.downloaded;
    }

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

/// Adds the reports of one more launch of a sequence.
pub(crate) fn add_launch(sum: &mut Vec<DeviceReport>, more: &[DeviceReport]) {
    if sum.is_empty() {
        sum.extend(more.iter().cloned());
        return;
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        sum.engine = sum.engine.or(more.engine);
        sum.fallback = sum.fallback.take().or_else(|| more.fallback.clone());
        sum.chunks = sum.chunks.saturating_add(more.chunks);
        sum.taken_over = sum.taken_over.saturating_add(more.taken_over);
        sum.left_out = match sum.chunks {
            0 => sum.left_out.take().or_else(|| more.left_out.clone()),
            _ => None,
        };
        sum.workgroups += more.workgroups;
        sum.busy += more.busy;
        sum.uploaded += more.uploaded;
        sum.downloaded += more.downloaded;
    }
    let all: u64 = sum.iter().map(|device| device.workgroups).sum();
    for device in sum {
        device.share = device.workgroups as f64 / all.max(1) as f64;
    }
}

/// A line for chunks that were computed again, if there are any.
pub(crate) fn repeated(f: &mut fmt::Formatter<'_>, chunks: u64) -> fmt::Result {
    match chunks {
        0 => Ok(()),
        1 => writeln!(f, "! 1 chunk of earlier launches was computed again: {ONLY_THERE}"),
        n => writeln!(f, "! {n} chunks of earlier launches were computed again: {ONLY_THERE}"),
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
    fn the_report_of_a_sequence_adds_up_and_a_device_is_left_out_only_if_it_did_nothing() {
        let idle = DeviceReport { left_out: Some("too slow".to_owned()), ..Default::default() };
        let busy = DeviceReport { chunks: 3, taken_over: 2, workgroups: 6, ..Default::default() };
        let mut sum = Vec::new();
        add_launch(&mut sum, &[idle.clone(), busy.clone()]);
        add_launch(&mut sum, &[idle, busy.clone()]);
        assert_eq!((sum[1].chunks, sum[1].taken_over, sum[1].workgroups), (6, 4, 12));
        assert_eq!((sum[0].left_out.as_deref(), sum[1].share), (Some("too slow"), 1.0));
        add_launch(&mut sum, &[busy.clone(), busy]);
        assert_eq!((&sum[0].left_out, sum[0].chunks), (&None, 3));
    }

    #[test]
    fn sizes_and_times_are_readable() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(seconds(Duration::from_micros(1500)), "1.50 ms");
        assert_eq!(seconds(Duration::from_nanos(500)), "0.5 µs");
    }
}
