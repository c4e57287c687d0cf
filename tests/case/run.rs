//! Runs a [`Case`] on a runtime and reports wrong results.

use coexec::{Buffer, Kernel, Launch, Report, Runtime};

use super::values::{Kind, Slot, Want};
use super::{Case, Cut, Size, Tolerance};
use crate::engines::{Class, Setup, is_beyond_the_device};

/// The contents of the storage buffers after a launch, in the order of [`Case::given`].
pub(crate) type Outputs = Vec<(String, Vec<u8>)>;

impl Case {
    /// The case's kernel. It is built once, so that engines compile it once.
    pub(crate) fn kernel(&self) -> coexec::Result<Kernel> {
        self.kernel.get_or_init(|| self.build()).clone()
    }

    fn build(&self) -> coexec::Result<Kernel> {
        let mut builder = Kernel::builder(&self.text).name(&self.name);
        if let Some(entry) = &self.entry {
            builder = builder.entry_point(entry);
        }
        for (name, value) in &self.constants {
            builder = builder.constant(name, *value);
        }
        builder.build()
    }

    /// A launch of the case, and its buffers by position in [`Case::given`].
    pub(crate) fn describe(
        &self,
        kernel: &Kernel,
        runtime: &Runtime,
    ) -> (Launch, Vec<Option<Buffer<u8>>>) {
        let buffers: Vec<_> = self
            .given
            .iter()
            .map(|g| (!g.by_value).then(|| Buffer::<u8>::from_slice(&g.bytes)))
            .collect();
        let mut launch = runtime.launch(kernel);
        for (given, buffer) in self.given.iter().zip(&buffers) {
            launch = match buffer {
                Some(buffer) => launch.bind(&given.name, buffer),
                None => launch.set_bytes(&given.name, given.bytes.clone()),
            };
        }
        launch = match self.size {
            Some(Size::Workgroups(size)) => launch.workgroups(size.map(u64::from)),
            Some(Size::Invocations(size)) => launch.invocations(size.map(u64::from)),
            None => launch,
        };
        (launch, buffers)
    }

    /// Launches the case, cut into `chunks` chunks if given.
    pub(crate) fn launch(
        &self,
        kernel: &Kernel,
        runtime: &Runtime,
        chunks: Option<u32>,
    ) -> coexec::Result<(Outputs, Report)> {
        let (mut launch, buffers) = self.describe(kernel, runtime);
        if let Some(chunks) = chunks {
            launch = launch.chunks(chunks);
        }
        let report = launch.run()?;
        let mut outputs = Vec::new();
        for (given, buffer) in self.given.iter().zip(&buffers) {
            if let Some(buffer) = buffer {
                outputs.push((given.name.clone(), buffer.to_vec()?));
            }
        }
        Ok((outputs, report))
    }

    /// Runs the case. The error lists the wrong results.
    pub(crate) fn check(&self, setup: &Setup) -> Result<Outputs, String> {
        let Setup { runtime, chunks, class, .. } = setup;
        let result = self.kernel().and_then(|k| self.launch(&k, runtime, *chunks));
        if !self.errors.is_empty() {
            let message = match result {
                Ok(_) => return Err(format!("succeeded; expected an error {:?}", self.errors)),
                Err(error) => error.to_string(),
            };
            return match self.errors.iter().find(|part| !message.contains(part.as_str())) {
                Some(part) => Err(format!("the error has no {part:?} in it:\n{message}")),
                None => Ok(Vec::new()),
            };
        }
        let (outputs, report) = match result {
            Err(error) if is_beyond_the_device(&error) => {
                eprintln!("SKIPPED {} [{}]: {error}", self.name, setup.label);
                return Ok(Vec::new());
            }
            other => other.map_err(|error| error.to_string())?,
        };
        let ran: u32 = report.devices.iter().map(|d| d.chunks).sum();
        // Devices with different subgroup sizes do not share a kernel with subgroups.
        let mut sizes: Vec<_> = runtime.devices().iter().map(|d| d.limits.subgroup_size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let shared = sizes.len() < 2 || !self.text.contains("enable subgroups;");
        match self.cut {
            Cut::Split if chunks.is_some_and(|c| c > 1) && ran < 2 && shared => {
                return Err(format!("ran as {ran} chunk; expected a split\n{report}"));
            }
            Cut::Whole if ran != 1 => {
                return Err(format!("ran as {ran} chunks; expected it whole\n{report}"));
            }
            _ => {}
        }
        let mut wrong = Vec::new();
        for expected in &self.expected {
            let Some((_, bytes)) = outputs.iter().find(|(name, _)| *name == expected.name) else {
                return Err(format!("`expect {}` has no `bind` or `zeros`", expected.name));
            };
            wrong.extend(
                compare(bytes, &expected.slots, self.tolerance, *class)
                    .into_iter()
                    .map(|w| format!("{}{w}", expected.name)),
            );
        }
        if wrong.is_empty() {
            return Ok(outputs);
        }
        let more = wrong.len().saturating_sub(12);
        wrong.truncate(12);
        if more > 0 {
            wrong.push(format!("and {more} more"));
        }
        Err(wrong.join("\n"))
    }

    /// The first difference between two results on one class of device. Scalars that may be
    /// anything are left out.
    pub(crate) fn difference(&self, one: &Outputs, two: &Outputs) -> Option<String> {
        for ((name, a), (_, b)) in one.iter().zip(two) {
            let slots = self.expected.iter().find(|e| e.name == *name).map(|e| &e.slots);
            let mut free = vec![false; a.len()];
            let mut at = 0;
            for slot in slots.into_iter().flatten() {
                let end = (at + slot.kind.size()).min(free.len());
                if matches!(slot.want, Want::Anything) {
                    free[at..end].fill(true);
                }
                at = end;
            }
            let differs = (0..a.len().max(b.len()))
                .find(|&i| a.get(i) != b.get(i) && !free.get(i).copied().unwrap_or(false));
            if let Some(at) = differs {
                return Some(format!(
                    "{name} differs from the unsplit run at byte {at}: {:?} and {:?}",
                    a.get(at),
                    b.get(at)
                ));
            }
        }
        None
    }
}

fn compare(bytes: &[u8], slots: &[Slot], tolerance: Tolerance, class: Class) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut at = 0;
    for (index, slot) in slots.iter().enumerate() {
        let size = slot.kind.size();
        let Some(found) = bytes.get(at..at + size) else {
            wrong.push(format!(": {} values expected, it has {} bytes", slots.len(), bytes.len()));
            return wrong;
        };
        let mut word = [0; 4];
        word[..size].copy_from_slice(found);
        let found = u32::from_le_bytes(word);
        if !right(found, slot, tolerance, class) {
            let want = match &slot.want {
                Want::Anything => "anything".to_owned(),
                Want::Nan => "nan".to_owned(),
                Want::Bits(all) => {
                    all.iter().map(|b| slot.kind.show(*b)).collect::<Vec<_>>().join(" or ")
                }
            };
            wrong.push(format!("[{index}] = {}, expected {want}", slot.kind.show(found)));
        }
        at += size;
    }
    if at != bytes.len() {
        wrong.push(format!(": {at} bytes are expected, it has {}", bytes.len()));
    }
    wrong
}

fn right(found: u32, slot: &Slot, tolerance: Tolerance, class: Class) -> bool {
    match &slot.want {
        Want::Anything => true,
        Want::Nan => slot.kind.float(found).is_some_and(f64::is_nan),
        Want::Bits(all) => all.iter().any(|&want| close(slot.kind, found, want, tolerance, class)),
    }
}

fn close(kind: Kind, found: u32, want: u32, tolerance: Tolerance, class: Class) -> bool {
    if found == want {
        return true;
    }
    let (Some(a), Some(b)) = (kind.float(found), kind.float(want)) else { return false };
    // WGSL lets an implementation ignore the sign of zero.
    if class == Class::Gpu && a == 0.0 && b == 0.0 {
        return true;
    }
    if !a.is_finite() || !b.is_finite() {
        return false;
    }
    let distance = match class {
        Class::Cpu => tolerance.distance,
        Class::Gpu => tolerance.gpu_distance.or(tolerance.distance),
    };
    let near = distance.is_none_or(|(abs, rel)| {
        let apart = (a - b).abs();
        apart <= abs || apart <= rel * b.abs()
    });
    let judged_by_ulps = class == Class::Cpu || distance.is_none();
    let ulps = match tolerance.ulps {
        Some(ulps) if judged_by_ulps => kind == Kind::F32 && ulps_between(found, want) <= ulps,
        _ => true,
    };
    let any_tolerance = distance.is_some() || tolerance.ulps.is_some();
    any_tolerance && near && ulps
}

/// The number of representable values from one finite f32 to another.
fn ulps_between(a: u32, b: u32) -> u32 {
    let ordered =
        |bits: u32| if bits >> 31 == 1 { -i64::from(bits & 0x7fff_ffff) } else { i64::from(bits) };
    ordered(a).abs_diff(ordered(b)) as u32
}
