//! Injected faults: a device that wraps another, and fails by rules.
//!
//! The rule `DEVICE:FAULT@N` makes the N-th chunk that the device gets fail, counted from 1; `@N+` that chunk
//! and all later ones; `%P:SEED` each chunk with a probability of P percent, drawn from a seed. Rules are
//! separated by commas, and the first that applies counts. DEVICE is an id or `*`.
//!
//! A chunk that is to fail is not computed, so host memory does not change, as with a device that works on
//! copies. `destroy` really destroys a GPU in the middle of the chunk. After a fault that quarantines, every
//! call fails until the device is opened again, and the data on it is lost. A batch of launches counts as one
//! chunk.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::device::{
    Block, Cancel, Chosen, Chunk, ChunkBinding, ChunkCost, Device, DeviceInfo, Fetch, Held,
    HostBytes, Running, Store,
};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;
use crate::runtime::random::{mix, unit};

/// A kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The device is lost before it takes the chunk.
    Lost,
    /// The device is lost while it computes.
    LostLate,
    /// A GPU is destroyed while it computes.
    Destroy,
    /// The device has no memory for the chunk.
    Memory,
    /// The driver rejects the kernel.
    Reject,
    /// The device does not answer until the chunk's deadline.
    Hang,
    /// The result can't be mapped.
    Map,
    /// The device panics when it gets the chunk.
    Panic,
    /// The device panics while it computes.
    PanicLate,
    /// One bit of the result is wrong.
    Wrong,
    /// Any of the above, except `Wrong`.
    Any,
}

const FAULTS: [(&str, Fault); 11] = [
    ("lost", Fault::Lost),
    ("lost-late", Fault::LostLate),
    ("destroy", Fault::Destroy),
    ("oom", Fault::Memory),
    ("reject", Fault::Reject),
    ("hang", Fault::Hang),
    ("map", Fault::Map),
    ("panic", Fault::Panic),
    ("panic-late", Fault::PanicLate),
    ("wrong", Fault::Wrong),
    ("any", Fault::Any),
];

/// The chunks that are to fail.
#[derive(Debug, Clone, Copy, PartialEq)]
enum When {
    /// The chunk of this number, from 1, and if the flag is set all later ones.
    At(u64, bool),
    /// Each with this probability, drawn from a seed.
    Chance(f64, u64),
}

#[derive(Debug, Clone, PartialEq)]
struct Rule {
    device: String,
    fault: Fault,
    when: When,
}

/// The faults of a runtime's devices.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Faults(Vec<Rule>);

impl Faults {
    /// # Errors
    /// [`Error::InvalidFaultRule`] for a rule that can't be parsed.
    pub(crate) fn parse(text: &str) -> Result<Faults> {
        let rules = text.split(',').map(str::trim).filter(|rule| !rule.is_empty());
        rules.map(Rule::parse).collect::<Result<_>>().map(Faults)
    }

    /// Whether there are no faults.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wraps the devices that are to fail in a `Faulty`.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] for a rule about an unknown device.
    pub(crate) fn wrap(&self, devices: Vec<Arc<dyn Device>>) -> Result<Vec<Arc<dyn Device>>> {
        for rule in &self.0 {
            if rule.device != "*" && devices.iter().all(|d| d.info().id != rule.device) {
                let ids: Vec<&str> = devices.iter().map(|d| d.info().id.as_str()).collect();
                return Err(Error::NoSuchDevice {
                    name: format!("`{}`", rule.device),
                    problem: format!("a fault rule names it; the devices are {}", ids.join(", ")),
                });
            }
        }
        let wrapped = devices.into_iter().enumerate().map(|(index, device)| {
            let id = device.info().id.clone();
            let mine = self.0.iter().filter(|rule| rule.device == "*" || rule.device == id);
            let rules: Vec<Rule> = mine.cloned().collect();
            if rules.is_empty() {
                return device;
            }
            let counts = Arc::new(Counts { index: index as u64, ..Counts::default() });
            Arc::new(Faulty::new(device, rules, counts)) as Arc<dyn Device>
        });
        Ok(wrapped.collect())
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Rule> {
        let names: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
        let wrong = || Error::InvalidFaultRule {
            rule: format!("`{text}`"),
            problem: format!(
                "expected DEVICE:FAULT@N, DEVICE:FAULT@N+ or DEVICE:FAULT%PERCENT:SEED, \
                 such as gpu0:lost@3; FAULT is one of {}",
                names.join(", ")
            ),
        };
        let (device, rest) = text.split_once(':').ok_or_else(wrong)?;
        let end = rest.find(['@', '%']).unwrap_or(rest.len());
        let (name, when) = rest.split_at(end);
        let fault = FAULTS.iter().find(|(known, _)| *known == name).ok_or_else(wrong)?.1;
        let when = if let Some(chance) = when.strip_prefix('%') {
            let (percent, seed) = chance.split_once(':').unwrap_or((chance, "0"));
            let percent: f64 = percent.parse().map_err(|_| wrong())?;
            if !(0.0..=100.0).contains(&percent) {
                return Err(wrong());
            }
            When::Chance(percent / 100.0, seed.parse().map_err(|_| wrong())?)
        } else {
            let number = when.strip_prefix('@').unwrap_or("1");
            let on = number.strip_suffix('+');
            let number: u64 = on.unwrap_or(number).parse().map_err(|_| wrong())?;
            When::At(number, on.is_some())
        };
        Ok(Rule { device: device.to_owned(), fault, when })
    }

    fn holds(&self, number: u64, device: u64) -> bool {
        match self.when {
            When::At(at, on) => number == at || on && number > at,
            When::Chance(chance, seed) => unit(mix(seed, device, number)) < chance,
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    /// The device's position, so that equal rules affect different devices at different times.
    index: u64,
    chunks: AtomicU64,
    prepared: AtomicU64,
}

/// A device that fails by rules.
struct Faulty {
    inner: Arc<dyn Device>,
    rules: Vec<Rule>,
    counts: Arc<Counts>,
    gone: Mutex<Option<FailureKind>>,
    destroyed: AtomicBool,
}

impl Faulty {
    fn new(inner: Arc<dyn Device>, rules: Vec<Rule>, counts: Arc<Counts>) -> Faulty {
        let (gone, destroyed) = (Mutex::default(), AtomicBool::new(false));
        Faulty { inner, rules, counts, gone, destroyed }
    }

    fn error(&self, kind: FailureKind, doing: &str) -> Error {
        if kind.quarantines() {
            *self.gone.lock().unwrap_or_else(PoisonError::into_inner) = Some(kind);
        }
        Error::Device {
            device: self.info().id.clone(),
            kind,
            doing: doing.to_owned(),
            cause: "an injected fault".to_owned(),
        }
    }

    fn check_there(&self, doing: &str) -> Result<()> {
        let gone = *self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.map_or(Ok(()), |kind| Err(self.error(kind, doing)))
    }

    /// The store of the device, unless a fault has taken the device away.
    fn kept(&self, doing: &str) -> Result<&dyn Store> {
        self.check_there(doing)?;
        self.inner.store().ok_or_else(|| self.error(FailureKind::Refused, doing))
    }

    /// The fault of the chunk, or if `prepares` of the compilation, of this number.
    fn fault(&self, number: u64, prepares: bool) -> Option<Fault> {
        const ALL: [Fault; 9] = [
            Fault::Lost,
            Fault::LostLate,
            Fault::Destroy,
            Fault::Memory,
            Fault::Reject,
            Fault::Hang,
            Fault::Map,
            Fault::Panic,
            Fault::PanicLate,
        ];
        let rules = self.rules.iter().filter(|rule| rule.holds(number, self.counts.index));
        let mut faults = rules.map(|rule| match rule.fault {
            Fault::Any => {
                let random = mix(1, self.counts.index, number);
                ALL[(random % ALL.len() as u64) as usize]
            }
            fault => fault,
        });
        faults.find(|fault| (*fault == Fault::Reject) == prepares)
    }
}

impl Device for Faulty {
    fn info(&self) -> &DeviceInfo {
        self.inner.info()
    }

    fn prepare(&self, kernel: &Kernel) -> Result<()> {
        let doing = "compile a kernel";
        self.check_there(doing)?;
        let number = self.counts.prepared.fetch_add(1, Ordering::Relaxed) + 1;
        match self.fault(number, true) {
            Some(_) => Err(self.error(FailureKind::Rejected, doing)),
            None => self.inner.prepare(kernel),
        }
    }

    fn engine(&self, kernel: &Kernel) -> Option<Chosen> {
        self.inner.engine(kernel)
    }

    fn depth(&self) -> usize {
        self.inner.depth()
    }

    fn destroy(&self) {
        self.inner.destroy();
    }

    fn reopen(&self) -> Result<Option<Arc<dyn Device>>> {
        let fresh = match self.destroyed.load(Ordering::Relaxed) {
            true => self.inner.reopen()?,
            false => None,
        };
        let inner = fresh.unwrap_or_else(|| Arc::clone(&self.inner));
        let (rules, counts) = (self.rules.clone(), Arc::clone(&self.counts));
        Ok(Some(Arc::new(Faulty::new(inner, rules, counts))))
    }

    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        self.start_with(chunk, &[])
    }

    fn store(&self) -> Option<&dyn Store> {
        self.inner.store().map(|_| self as &dyn Store)
    }

    fn runs_many(&self) -> bool {
        self.inner.runs_many()
    }

    fn run_many(
        &self,
        chunks: &[(Chunk<'_>, Vec<Option<Held>>)],
        times: u32,
    ) -> Option<Result<ChunkCost>> {
        const DOING: &str = "run a sequence";
        if let Err(error) = self.check_there(DOING) {
            return Some(Err(error));
        }
        let number = self.counts.chunks.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = self.fault(number, false);
        let kind = match fault {
            None | Some(Fault::Wrong) => return self.inner.run_many(chunks, times),
            Some(Fault::Destroy) => {
                self.destroyed.store(true, Ordering::Relaxed);
                return std::thread::scope(|scope| {
                    scope.spawn(|| {
                        std::thread::sleep(Duration::from_millis(1));
                        self.inner.destroy();
                    });
                    self.inner.run_many(chunks, times)
                });
            }
            Some(Fault::Panic | Fault::PanicLate) => {
                drop(self.error(FailureKind::Panicked, ""));
                panic!("an injected fault")
            }
            Some(Fault::Memory) => FailureKind::OutOfMemory,
            Some(Fault::Hang) => FailureKind::Deadline,
            Some(Fault::Map) => FailureKind::Mapping,
            Some(_) => FailureKind::Lost,
        };
        if fault != Some(Fault::Memory) {
            // The device has changed its data before it fails.
            self.inner.run_many(chunks, times)?.ok();
        }
        Some(Err(self.error(kind, DOING)))
    }

    fn start_with<'a>(
        &'a self,
        chunk: Chunk<'a>,
        held: &[Option<Held>],
    ) -> Result<Box<dyn Running + 'a>> {
        self.check_there("start a chunk")?;
        let number = self.counts.chunks.fetch_add(1, Ordering::Relaxed) + 1;
        let fault = self.fault(number, false);
        let started = Instant::now();
        let begun = |inner| Box::new(Begun { device: self, fault, started, inner, chunk: None });
        match fault {
            None => self.inner.start_with(chunk, held),
            Some(Fault::Lost) => Err(self.error(FailureKind::Lost, "start a chunk")),
            Some(Fault::Memory) => Err(self.error(FailureKind::OutOfMemory, "start a chunk")),
            Some(Fault::Panic) => {
                drop(self.error(FailureKind::Panicked, ""));
                panic!("an injected fault")
            }
            Some(Fault::Destroy) if !self.inner.in_place() => {
                let mut begun = begun(Some(self.inner.start_with(chunk, held)?));
                self.destroyed.store(true, Ordering::Relaxed);
                self.inner.destroy();
                begun.fault = None;
                Ok(begun)
            }
            Some(Fault::Wrong) => {
                let mut begun = begun(Some(self.inner.start_with(chunk.clone(), held)?));
                // Results that stay on the device are not in host memory, and can't be spoilt.
                begun.chunk = held.iter().all(Option::is_none).then_some(chunk);
                Ok(begun)
            }
            Some(_) => {
                let mut begun = begun(None);
                begun.chunk = Some(chunk);
                Ok(begun)
            }
        }
    }
}

/// The store fails once a fault has taken the device away.
impl Store for Faulty {
    fn largest(&self) -> u64 {
        self.inner.store().map_or(0, Store::largest)
    }

    fn allocate(&self, bytes: u64) -> Result<Block> {
        self.kept("allocate memory")?.allocate(bytes)
    }

    fn upload(&self, block: &Block, at: u64, from: HostBytes<'_>) -> Result<()> {
        self.kept("upload data")?.upload(block, at, from)
    }

    fn download(&self, parts: &[Fetch<'_>]) -> Result<()> {
        self.kept("download data")?.download(parts)
    }

    fn copy(&self, from: &Block, range: Range<u64>, to: &Block, at: u64) -> Result<()> {
        self.kept("copy on the device")?.copy(from, range, to, at)
    }
}

/// A chunk that is to fail.
struct Begun<'a> {
    device: &'a Faulty,
    fault: Option<Fault>,
    started: Instant,
    inner: Option<Box<dyn Running + 'a>>,
    chunk: Option<Chunk<'a>>,
}

impl Running for Begun<'_> {
    fn finish(self: Box<Self>) -> Result<ChunkCost> {
        let doing = "finish a chunk";
        let kind = match self.fault {
            Some(Fault::PanicLate) => {
                drop(self.device.error(FailureKind::Panicked, ""));
                panic!("an injected fault")
            }
            Some(Fault::Hang) => {
                let chunk = self.chunk.as_ref();
                let deadline = chunk.and_then(|chunk| chunk.deadline);
                let deadline = deadline.unwrap_or(Duration::from_secs(120));
                while self.started.elapsed() < deadline {
                    let cancel = chunk.and_then(|chunk| chunk.cancel);
                    if cancel.is_some_and(Cancel::is_set) {
                        return Err(Error::Cancelled);
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
                FailureKind::Deadline
            }
            Some(Fault::Map) => FailureKind::Mapping,
            _ => FailureKind::Lost,
        };
        let Some(inner) = self.inner else { return Err(self.device.error(kind, doing)) };
        let cost = inner.finish()?;
        if let (Some(Fault::Wrong), Some(chunk)) = (self.fault, &self.chunk) {
            spoil(chunk);
        }
        Ok(cost)
    }
}

/// Flips a bit of the first scalar that a chunk may have written.
fn spoil(chunk: &Chunk<'_>) {
    for (binding, given) in chunk.kernel.signature().bindings.iter().zip(&chunk.bindings) {
        let ChunkBinding::Storage { memory, write_back, .. } = given else { continue };
        let Some(&(offset, scalar)) = binding.element_scalars().first() else { continue };
        // The hull may begin with an element of another chunk.
        let mut first = None;
        write_back.for_each_run(|run| first = first.or(Some(run.start)));
        let Some(first) = first else { continue };
        let layout = &binding.layout;
        let start = layout.header + first * layout.stride + offset;
        // A bit of the exponent, if the scalar is a float: no tolerance is that large.
        let at = (start + scalar.size() - 1) as usize;
        let mut byte = [0];
        memory.read(at, &mut byte);
        memory.write(at, &[byte[0] ^ 0x40]);
        return;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_and_wrong_ones_explained() {
        let Faults(rules) =
            Faults::parse("gpu0:lost@3, *:any%2.5:7,cpu:wrong@2+, cpu:oom").unwrap();
        let got: Vec<_> = rules.iter().map(|r| (r.device.as_str(), r.fault, r.when)).collect();
        assert_eq!(
            got,
            [
                ("gpu0", Fault::Lost, When::At(3, false)),
                ("*", Fault::Any, When::Chance(0.025, 7)),
                ("cpu", Fault::Wrong, When::At(2, true)),
                ("cpu", Fault::Memory, When::At(1, false)),
            ]
        );
        for bad in
            ["lost@3", "cpu:broken@3", "cpu:lost@x", "cpu:lost%101:1", "cpu:lost%1:z", "cpu:"]
        {
            let error = Faults::parse(bad).unwrap_err();
            assert!(matches!(error, Error::InvalidFaultRule { .. }), "{error:?}");
            let message = error.to_string();
            assert!(message.starts_with(&format!("fault rule `{bad}`: expected")), "{message}");
            assert!(message.contains("such as gpu0:lost@3"), "{message}");
        }
    }
}
