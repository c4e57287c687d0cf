//! Opens the devices that a user selects.

use std::sync::{Arc, OnceLock};

use crate::cpu::{CpuDevice, CpuOptions, SUBGROUP_SIZES};
#[cfg(feature = "gpu")]
use crate::device::DeviceKind;
use crate::device::{Device, Engine, Throttle, Throttled};
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use crate::gpu;

/// A selection of devices, as `--devices` writes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Selection {
    /// All hardware GPUs, and the CPU.
    #[default]
    Default,
    /// All adapters, also software ones, and the CPU.
    All,
    /// This many logical devices of the named device, or else of the first adapter, or of the CPU if there is
    /// no adapter.
    Virtual(u32, Option<String>),
    /// These, in this order.
    List(Vec<String>),
}

const KNOWN: &str =
    "cpu, gpu, gpu0, gpu1, …, all, virtual:N, virtual:N:DEVICE, or a list such as cpu,gpu0";

/// The most logical devices: more only cost memory.
const MOST_VIRTUAL: u32 = 64;

impl Selection {
    pub(crate) fn parse(text: &str) -> Result<Selection> {
        let wrong = |problem: String| Error::NoSuchDevice { name: format!("`{text}`"), problem };
        let text = text.trim();
        match text {
            "" => return Err(wrong(format!("expected {KNOWN}"))),
            "default" => return Ok(Selection::Default),
            "all" => return Ok(Selection::All),
            _ => {}
        }
        let is_device = |name: &str| {
            name == "cpu"
                || name.strip_prefix("gpu").is_some_and(|index| index.parse::<u32>().is_ok())
        };
        if let Some(rest) = text.strip_prefix("virtual:") {
            let (count, name) = rest.split_once(':').map_or((rest, None), |(n, d)| (n, Some(d)));
            let count = count.parse().ok().filter(|n| (1..=MOST_VIRTUAL).contains(n));
            return match (count, name) {
                (Some(count), name) if name.is_none_or(is_device) => {
                    Ok(Selection::Virtual(count, name.map(str::to_owned)))
                }
                _ => Err(wrong(format!(
                    "expected virtual:N or virtual:N:DEVICE, with N from 1 to {MOST_VIRTUAL} and \
                     DEVICE cpu, gpu0, gpu1, …"
                ))),
            };
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        for (place, name) in names.iter().enumerate() {
            if name != "gpu" && !is_device(name) {
                return Err(wrong(format!("`{name}` is not a device; expected {KNOWN}")));
            }
            if names[..place].contains(name) {
                return Err(wrong(format!("`{name}` is named twice")));
            }
        }
        Ok(Selection::List(names))
    }
}

/// The options of the CPU's device.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpuChoice {
    pub(crate) threads: Option<usize>,
    pub(crate) engine: Engine,
    pub(crate) subgroup_size: Option<u32>,
    pub(crate) vector_bits: Option<u32>,
}

fn cpu(choice: &CpuChoice, id: &str, threads: Option<usize>) -> Result<Arc<dyn Device>> {
    let mut options =
        CpuOptions { id: id.to_owned(), threads, engine: choice.engine, ..CpuOptions::default() };
    options.vector_bits = choice.vector_bits;
    if let Some(size) = choice.subgroup_size {
        options.subgroup_size = size;
    }
    Ok(Arc::new(CpuDevice::new(options)?))
}

/// The CPU's interpreter on one thread, the reference for the results of kernels. Its subgroups have
/// `subgroup_size`, if that matters.
pub(crate) fn interpreter(subgroup_size: Option<u32>) -> Result<Arc<dyn Device>> {
    type Judge = OnceLock<Result<Arc<dyn Device>>>;
    static JUDGES: [Judge; SUBGROUP_SIZES.len() + 1] =
        [const { OnceLock::new() }; SUBGROUP_SIZES.len() + 1];
    let engine = Engine::Interpreter;
    let choice = CpuChoice { engine, subgroup_size, ..CpuChoice::default() };
    let place = SUBGROUP_SIZES.iter().position(|size| Some(*size) == subgroup_size);
    let judge = &JUDGES[place.unwrap_or(SUBGROUP_SIZES.len())];
    judge.get_or_init(|| cpu(&choice, "cpu", Some(1))).clone()
}

/// Opens the devices of a selection. A GPU that was not named and can't be opened is left out with a warning.
pub(crate) fn open(
    selection: &Selection,
    choice: &CpuChoice,
    budgets: Budgets<'_>,
) -> Result<Vec<Arc<dyn Device>>> {
    let mut devices = Vec::new();
    let places = open_selection(selection, choice, budgets)?;
    let beside = beside(choice, places.iter().flatten());
    for place in places {
        devices.push(match place {
            Some(device) => device,
            None => cpu(&beside, "cpu", choice.threads)?,
        });
    }
    for (name, _) in budgets {
        if name == "cpu" || name.starts_with("cpu.") {
            return Err(Error::NoSuchDevice {
                name: format!("`{name}`"),
                problem: "a memory budget is for a GPU; the CPU works in the host's memory".into(),
            });
        }
        if !devices.iter().any(|device| is_called(&device.info().id, name)) {
            let ids: Vec<&str> = devices.iter().map(|device| device.info().id.as_str()).collect();
            return Err(Error::NoSuchDevice {
                name: format!("`{name}`"),
                problem: format!("a memory budget names it; the devices are {}", ids.join(", ")),
            });
        }
    }
    Ok(devices)
}

/// The options of a CPU beside GPUs. If the caller gave no subgroup size, the CPU takes that of the GPUs, if
/// it supports it and all have the same one. Kernels with subgroups can then be split.
fn beside<'d>(choice: &CpuChoice, gpus: impl Iterator<Item = &'d Arc<dyn Device>>) -> CpuChoice {
    let mut sizes = gpus.map(|gpu| gpu.info().limits.subgroup_size);
    let theirs = match sizes.next() {
        Some(Some((least, most))) if least == most => Some(least),
        _ => None,
    };
    let theirs = theirs.filter(|size| SUBGROUP_SIZES.contains(size));
    let theirs = theirs.filter(|&size| sizes.all(|other| other == Some((size, size))));
    CpuChoice { subgroup_size: choice.subgroup_size.or(theirs), ..choice.clone() }
}

/// Bytes, by the name of a device.
type Budgets<'a> = &'a [(String, u64)];

/// Whether `name` is the id of a device, or that of which it is a logical device.
fn is_called(id: &str, name: &str) -> bool {
    id.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// An opened device, or `None` for the CPU, which is opened later.
type Place = Option<Arc<dyn Device>>;

fn open_selection(
    selection: &Selection,
    choice: &CpuChoice,
    budgets: Budgets<'_>,
) -> Result<Vec<Place>> {
    let all = match selection {
        Selection::Default => gpus(|kind| !kind, false, budgets)?,
        Selection::All => gpus(|_| true, false, budgets)?,
        Selection::Virtual(count, name) => {
            let devices = open_virtual(*count, name.as_deref(), choice, budgets)?;
            return Ok(devices.into_iter().map(Some).collect());
        }
        Selection::List(names) => return open_list(names, budgets),
    };
    Ok(all.into_iter().map(Some).chain([None]).collect())
}

fn open_list(names: &[String], budgets: Budgets<'_>) -> Result<Vec<Place>> {
    let mut devices = Vec::new();
    for name in names {
        match name.as_str() {
            "cpu" => devices.push(None),
            "gpu" => {
                let mut found = gpus(|software| !software, true, budgets)?;
                if found.is_empty() {
                    found = gpus(|_| true, true, budgets)?;
                }
                if found.is_empty() {
                    return Err(Error::NoSuchDevice {
                        name: "`gpu`".to_owned(),
                        problem: no_gpu().to_owned(),
                    });
                }
                devices.extend(found.into_iter().map(Some));
            }
            gpu => devices.push(Some(one_gpu(gpu, gpu.to_owned(), budgets)?)),
        }
    }
    Ok(devices)
}

fn no_gpu() -> &'static str {
    if cfg!(feature = "gpu") {
        "no Vulkan, Metal or DirectX 12 adapter was found; install the GPU's driver, or use cpu"
    } else {
        "coexec was built without the feature `gpu`; use cpu"
    }
}

#[cfg(feature = "gpu")]
fn gpus(
    wanted: impl Fn(bool) -> bool,
    named: bool,
    budgets: Budgets<'_>,
) -> Result<Vec<Arc<dyn Device>>> {
    let mut devices: Vec<Arc<dyn Device>> = Vec::new();
    for (index, adapter) in gpu::adapters()?.iter().enumerate() {
        if !wanted(adapter.info.kind == DeviceKind::SoftwareGpu) {
            continue;
        }
        match open_gpu(adapter, format!("gpu{index}"), budgets) {
            Ok(device) => devices.push(Arc::new(device)),
            Err(error) if named => return Err(error),
            Err(error) => tracing::warn!(%error, "an adapter is left out: it can't be opened"),
        }
    }
    Ok(devices)
}

#[cfg(not(feature = "gpu"))]
fn gpus(_: impl Fn(bool) -> bool, _: bool, _: Budgets<'_>) -> Result<Vec<Arc<dyn Device>>> {
    Ok(Vec::new())
}

#[cfg(feature = "gpu")]
fn open_gpu(
    adapter: &gpu::AdapterHandle,
    id: String,
    budgets: Budgets<'_>,
) -> Result<gpu::GpuDevice> {
    // Of several budgets the last counts, as with flags.
    let budget = budgets.iter().rev().find(|(name, _)| is_called(&id, name));
    let memory = budget.map(|(_, bytes)| *bytes);
    gpu::GpuDevice::open_with(adapter, id, gpu::Settings { memory, ..gpu::Settings::default() })
}

#[cfg(feature = "gpu")]
fn one_gpu(name: &str, id: String, budgets: Budgets<'_>) -> Result<Arc<dyn Device>> {
    let adapters = gpu::adapters()?;
    let adapter = name
        .strip_prefix("gpu")
        .and_then(|index| index.parse::<usize>().ok())
        .and_then(|index| adapters.get(index))
        .ok_or_else(|| Error::NoSuchDevice {
            name: format!("`{name}`"),
            problem: match adapters.len() {
                0 => no_gpu().to_owned(),
                1 => "the only GPU is gpu0; `coexec devices` describes it".to_owned(),
                n => format!("there are gpu0 to gpu{}; `coexec devices` lists them", n - 1),
            },
        })?;
    Ok(Arc::new(open_gpu(adapter, id, budgets)?))
}

#[cfg(not(feature = "gpu"))]
fn one_gpu(name: &str, _: String, _: Budgets<'_>) -> Result<Arc<dyn Device>> {
    Err(Error::NoSuchDevice { name: format!("`{name}`"), problem: no_gpu().to_owned() })
}

#[cfg(feature = "gpu")]
fn has_gpu() -> Result<bool> {
    Ok(!gpu::adapters()?.is_empty())
}

#[cfg(not(feature = "gpu"))]
fn has_gpu() -> Result<bool> {
    Ok(false)
}

fn open_virtual(
    count: u32,
    name: Option<&str>,
    choice: &CpuChoice,
    budgets: Budgets<'_>,
) -> Result<Vec<Arc<dyn Device>>> {
    let name = match name {
        Some(name) => name,
        None if has_gpu()? => "gpu0",
        None => "cpu",
    };
    if name != "cpu" {
        return (0..count).map(|i| one_gpu(name, format!("{name}.{i}"), budgets)).collect();
    }
    let cores = choice
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    (0..count)
        .map(|i| cpu(choice, &format!("cpu.{i}"), Some((cores / count as usize).max(1))))
        .collect()
}

/// Makes the named devices slower.
pub(crate) fn throttle(
    devices: &mut [Arc<dyn Device>],
    throttles: &[(String, Throttle)],
) -> Result<()> {
    for (name, throttle) in throttles {
        let ids: Vec<String> = devices.iter().map(|d| d.info().id.clone()).collect();
        let Some(at) = ids.iter().position(|id| id == name) else {
            return Err(Error::NoSuchDevice {
                name: format!("`{name}`"),
                problem: format!("a throttle names it; the devices are {}", ids.join(", ")),
            });
        };
        devices[at] = Arc::new(Throttled::new(Arc::clone(&devices[at]), *throttle));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_are_read_and_wrong_ones_explained() {
        assert_eq!(Selection::parse("all").unwrap(), Selection::All);
        assert_eq!(Selection::parse("virtual:3").unwrap(), Selection::Virtual(3, None));
        assert_eq!(
            Selection::parse("virtual:2:cpu").unwrap(),
            Selection::Virtual(2, Some("cpu".into()))
        );
        assert_eq!(
            Selection::parse("cpu, gpu0").unwrap(),
            Selection::List(vec!["cpu".into(), "gpu0".into()])
        );
        for bad in [
            "",
            "virtual:0",
            "virtual:2:tpu",
            "virtual:2:",
            "virtual:x",
            "tpu",
            "gpu-1",
            "cpu,,gpu",
            "cpu,cpu",
        ] {
            assert!(Selection::parse(bad).is_err(), "{bad}");
        }
    }
}
