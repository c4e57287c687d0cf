//! A device made slower, to test and measure how unequal devices work together.
//!
//! The work is real; sleeping stretches its time, so that several slow devices fit on few cores.
//! The time is multiplied by a factor, or extended to the time of a device of a known speed. A
//! factor also multiplies delays by the machine's other work; a known speed hides them. The delay
//! of a link comes before each chunk. Every sleep ends early when the chunk is cancelled.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Cancel, Chosen, Chunk, ChunkCost, Device, DeviceInfo, Held, Running, Store};
use crate::error::{Error, Result};
use crate::kernel::Kernel;

/// How much slower a device is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Throttle {
    /// The factor on the time of each chunk.
    pub(crate) factor: f64,
    /// The least time for one workgroup.
    pub(crate) workgroup: Duration,
    /// The delay before each chunk.
    pub(crate) delay: Duration,
}

impl Throttle {
    /// No slowdown.
    pub(crate) const NONE: Throttle =
        Throttle { factor: 1.0, workgroup: Duration::ZERO, delay: Duration::ZERO };

    /// The time of `workgroups` workgroups on the slower device. `own` is their time on the real one.
    fn whole(&self, own: Duration, workgroups: f64) -> Duration {
        let least = Duration::try_from_secs_f64(self.workgroup.as_secs_f64() * workgroups);
        own.mul_f64(self.factor).max(least.unwrap_or(Duration::MAX)).saturating_add(self.delay)
    }
}

/// A device whose chunks take longer.
pub(crate) struct Throttled {
    inner: Arc<dyn Device>,
    info: DeviceInfo,
    throttle: Throttle,
}

impl Throttled {
    pub(crate) fn new(inner: Arc<dyn Device>, throttle: Throttle) -> Throttled {
        let mut info = inner.info().clone();
        if throttle.factor != 1.0 {
            info.name += &format!(", {} times slower", throttle.factor);
        }
        if !throttle.workgroup.is_zero() {
            info.name += &format!(", {:?} a workgroup", throttle.workgroup);
        }
        if !throttle.delay.is_zero() {
            info.name += &format!(", {:?} later", throttle.delay);
        }
        Throttled { inner, info, throttle }
    }
}

/// Waits for `time`, or until soon after the chunk is cancelled. The wait ends on time: late
/// wake-ups would make the device slower than its throttle says.
fn pause(time: Duration, cancel: Option<&Cancel<'_>>) -> Result<()> {
    const LOOK: Duration = Duration::from_millis(2);
    /// How late a system may wake a thread, even when idle.
    const LATE: Duration = Duration::from_micros(150);
    let until = Instant::now() + time;
    loop {
        if cancel.is_some_and(Cancel::is_set) {
            return Err(Error::Cancelled);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        if left <= LATE {
            std::thread::yield_now();
        } else {
            std::thread::sleep((left - LATE).min(LOOK));
        }
    }
}

struct Begun<'a> {
    inner: Box<dyn Running + 'a>,
    begun: Instant,
    throttle: Throttle,
    workgroups: f64,
    cancel: Option<&'a Cancel<'a>>,
}

impl Running for Begun<'_> {
    fn finish(self: Box<Self>) -> Result<ChunkCost> {
        let waited = Instant::now();
        let mut cost = self.inner.finish()?;
        // The time of `start` does not count: it may include compilation.
        let took = cost.busy.max(waited.elapsed());
        let whole = self.throttle.whole(took, self.workgroups);
        pause(whole.saturating_sub(self.begun.elapsed()), self.cancel)?;
        cost.busy = whole.max(took);
        Ok(cost)
    }
}

impl Device for Throttled {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn prepare(&self, kernel: &Kernel) -> Result<()> {
        self.inner.prepare(kernel)
    }

    fn engine(&self, kernel: &Kernel) -> Option<Chosen> {
        self.inner.engine(kernel)
    }

    fn depth(&self) -> usize {
        1
    }

    fn in_place(&self) -> bool {
        self.inner.in_place()
    }

    fn destroy(&self) {
        self.inner.destroy();
    }

    fn reopen(&self) -> Result<Option<Arc<dyn Device>>> {
        let throttle = self.throttle;
        let slower = |inner| Arc::new(Throttled::new(inner, throttle)) as Arc<dyn Device>;
        Ok(self.inner.reopen()?.map(slower))
    }

    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        self.start_with(chunk, &[])
    }

    fn store(&self) -> Option<&dyn Store> {
        self.inner.store()
    }

    fn runs_many(&self) -> bool {
        self.inner.runs_many()
    }

    fn run_many(
        &self,
        chunks: &[(Chunk<'_>, Vec<Option<Held>>)],
        times: u32,
    ) -> Option<Result<ChunkCost>> {
        let (begun, cancel) = (Instant::now(), chunks.first().and_then(|(chunk, _)| chunk.cancel));
        let workgroups: f64 =
            chunks.iter().map(|(chunk, _)| chunk.groups.workgroups() as f64).sum();
        let ran = self.inner.run_many(chunks, times)?;
        Some(ran.and_then(|mut cost| {
            let whole = self.throttle.whole(begun.elapsed(), workgroups * f64::from(times));
            pause(whole.saturating_sub(begun.elapsed()), cancel)?;
            cost.busy = whole;
            Ok(cost)
        }))
    }

    fn start_with<'a>(
        &'a self,
        chunk: Chunk<'a>,
        held: &[Option<Held>],
    ) -> Result<Box<dyn Running + 'a>> {
        let (begun, cancel, throttle) = (Instant::now(), chunk.cancel, self.throttle);
        let workgroups = chunk.groups.workgroups() as f64;
        pause(throttle.delay, cancel)?;
        let inner = self.inner.start_with(chunk, held)?;
        Ok(Box::new(Begun { inner, begun, throttle, workgroups, cancel }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_on_time() {
        // Other threads may delay this one, but not a thousand times. A plain sleep is at least 50 µs
        // late, even on an idle system.
        let late = || {
            let (begun, time) = (Instant::now(), Duration::from_millis(1));
            pause(time, None).unwrap();
            begun.elapsed().checked_sub(time).expect("never early")
        };
        assert!((0..1000).any(|_| late() < Duration::from_micros(20)));
    }
}
