//! `coexec bench`: runs the kernels of `kernels/` on each device alone and on all together.
//!
//! The first run of each configuration starts from fresh buffers, and its result is checked against
//! the plain definition. Later runs are timed, and the median is reported. Efficiency is the time
//! that the devices would need together at the rates that they have alone, divided by the measured
//! time. It is omitted where two devices share the CPU's cores, since it means nothing there. The
//! lines of native peers give the speed of coexec's CPU as a multiple of the peer's: the ratio of
//! `benches/cpu`.

#[cfg(feature = "peers")]
#[path = "../../../../benches/peers/gemm.rs"]
mod gemm;
#[path = "../../../../benches/peers/mod.rs"]
mod peers;
#[path = "../../../../tests/conformance/reference.rs"]
mod reference;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use coexec::{Buffer, DeviceInfo, Kernel, Report, Runtime};
use serde_json::{Value, json};

use crate::args::{BenchArgs, BenchSize};
use crate::exit::{Mismatch, Usage};
use crate::output::{self, PendingFiles};
use crate::prepare;
use reference::{CASES, Case, Grid, Job, Tolerance};

/// Elements of each output that are checked.
const SAMPLE: usize = 2000;

/// The devices that run a case: one alone, or all together.
struct Party {
    /// The name in the table.
    name: String,
    runtime: Runtime,
    devices: Vec<DeviceInfo>,
}

/// One line of the table.
struct Line {
    kernel: &'static str,
    shape: String,
    party: String,
    /// The median time, or why there is none.
    time: Result<Duration, String>,
    /// `work / 1e9 / s`.
    rate: f64,
    unit: &'static str,
    /// Each device's part of the grid, where there are several.
    shares: Vec<(String, f64)>,
    efficiency: Option<f64>,
    /// For a native peer: the speed of coexec's CPU as a multiple of the peer's.
    ratio: Option<f64>,
    /// The error in the result, if there is one.
    wrong: Option<String>,
}

pub(crate) fn bench(args: &BenchArgs) -> Result<()> {
    let cases = choose(&args.names)?;
    if let Some(path) = &args.json {
        output::check_writable(path)?;
    }
    let parties = parties(args)?;
    for party in &parties {
        for device in &party.devices {
            if parties.len() == 1 || party.devices.len() == 1 {
                eprintln!("{}: {} ({})", device.id, device.name, device.kind);
            }
        }
    }
    output::print(&heading())?;
    let mut lines = Vec::new();
    for case in cases {
        for &size in &args.sizes {
            let size = match size {
                BenchSize::Named(which) => case.sizes[which],
                BenchSize::Number(size) => size,
            };
            lines.extend(bench_case(case, size, &parties, args.seconds)?);
        }
    }
    if let Some(path) = &args.json {
        let value = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "devices": parties.iter().filter(|p| p.devices.len() == 1).map(|p| json!({
                "id": p.devices[0].id,
                "name": p.devices[0].name,
                "kind": p.devices[0].kind.to_string(),
            })).collect::<Vec<_>>(),
            "results": lines.iter().map(as_json).collect::<Vec<_>>(),
        });
        let mut files = PendingFiles::default();
        files.write(path, |writer| {
            use std::io::Write;
            writeln!(writer, "{value:#}")
        })?;
        files.publish()?;
    }
    let wrong: Vec<&Line> = lines.iter().filter(|line| line.wrong.is_some()).collect();
    for line in &wrong {
        eprintln!(
            "WRONG: {} {} on {}: {}",
            line.kernel,
            line.shape,
            line.party,
            line.wrong.as_deref().unwrap_or_default()
        );
    }
    if wrong.is_empty() { Ok(()) } else { Err(Mismatch.into()) }
}

fn choose(names: &[String]) -> Result<Vec<&'static Case>> {
    if names.is_empty() {
        return Ok(CASES.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            CASES.iter().find(|case| case.name == name).ok_or_else(|| {
                let known: Vec<_> = CASES.iter().map(|case| case.name).collect();
                Usage(format!("there is no kernel `{name}`; the kernels are {}", known.join(", ")))
                    .into()
            })
        })
        .collect()
}

/// Each device alone, then all together.
fn parties(args: &BenchArgs) -> Result<Vec<Party>> {
    let all = prepare::runtime(&args.devices, None)?;
    let devices = all.devices();
    let mut parties = Vec::new();
    // Logical devices share one adapter, so their times alone say nothing.
    let logical = args.devices.devices.as_ref().is_some_and(|d| d.starts_with("virtual"));
    if devices.len() > 1 && !logical {
        for device in &devices {
            parties.push(Party {
                name: device.id.clone(),
                runtime: prepare::runtime(&args.devices, Some(&device.id))?,
                devices: vec![device.clone()],
            });
        }
    }
    let name = if devices.len() == 1 { devices[0].id.clone() } else { "together".to_owned() };
    parties.push(Party { name, runtime: all, devices });
    Ok(parties)
}

fn bench_case(
    case: &'static Case,
    size: usize,
    parties: &[Party],
    seconds: f64,
) -> Result<Vec<Line>> {
    let entry = coexec::ops::library()
        .iter()
        .find(|entry| entry.name == case.name)
        .with_context(|| format!("{} is not in the library", case.name))?;
    let kernel = Kernel::from_wgsl(entry.text)?;
    let tolerance = Tolerance::stated_by(entry.text)
        .with_context(|| format!("{}.wgsl states no tolerance", case.name))?;
    has_room(case, size)?;
    let job = (case.build)(size);
    let mut lines: Vec<Line> = Vec::new();
    for party in parties {
        let mut line = Line::new(case, &job, &party.name);
        match measure(party, &kernel, &job, tolerance, seconds) {
            Err(error) => line.time = Err(format!("{error:#}")),
            Ok(measured) => {
                line.set_time(measured.time, &job);
                line.wrong = measured.wrong;
                if party.devices.len() > 1 {
                    line.shares = measured
                        .report
                        .devices
                        .iter()
                        .map(|device| (device.id.clone(), device.share))
                        .collect();
                    line.efficiency = efficiency(party, &lines, measured.time);
                }
            }
        }
        line.show(lines.is_empty())?;
        lines.push(line);
    }
    for peer in peers::peers(case.name, &job).into_iter().chain(product(case.name, &job)) {
        let mut line = Line::new(case, &job, peer.name);
        line.set_time(peer.measure(Duration::from_secs_f64(seconds)), &job);
        line.ratio =
            lines.iter().find(|ours| ours.party == "cpu" && ours.time.is_ok()).and_then(|ours| {
                Some(
                    line.time.as_ref().ok()?.as_secs_f64() / ours.time.as_ref().ok()?.as_secs_f64(),
                )
            });
        line.show(false)?;
        lines.push(line);
    }
    Ok(lines)
}

/// Refuses a size whose data does not fit this machine's memory. The growth of the data with the
/// size depends on the case, so it is extrapolated from two small sizes.
fn has_room(case: &Case, size: usize) -> Result<()> {
    const SMALL: usize = 64;
    let bytes = |size: usize| -> f64 {
        (case.build)(size).buffers.iter().map(|(_, bytes)| bytes.len() as f64).sum()
    };
    let (one, two) = (bytes(SMALL), bytes(2 * SMALL));
    let needed = one * (size as f64 / SMALL as f64).powf((two / one).log2());
    // Room for the data, the buffers and the expected results.
    let room = Vec::<u8>::new().try_reserve_exact((3.0 * needed) as usize);
    if needed > one && room.is_err() {
        bail!(
            "{} of size {size} works on about {:.1} GiB of data, which this machine has no memory \
             for; choose a smaller size",
            case.name,
            needed / f64::from(1 << 30)
        );
    }
    Ok(())
}

/// The native matrix product, if the build includes it.
fn product(kernel: &str, job: &Job) -> Option<peers::Peer> {
    #[cfg(feature = "peers")]
    if kernel == "matmul" {
        return Some(gemm::matmul(job));
    }
    let _ = (kernel, job);
    None
}

struct Measured {
    time: Duration,
    report: Report,
    wrong: Option<String>,
}

fn measure(
    party: &Party,
    kernel: &Kernel,
    job: &Job,
    tolerance: Tolerance,
    seconds: f64,
) -> Result<Measured> {
    let buffers: Vec<(&str, Buffer<u8>)> =
        job.buffers.iter().map(|(name, bytes)| (*name, Buffer::from_slice(bytes))).collect();
    let run = || -> Result<Report> {
        let mut launch = party.runtime.launch(kernel);
        for (name, bytes) in &job.uniforms {
            launch = launch.set_bytes(name, bytes.clone());
        }
        for (name, buffer) in &buffers {
            launch = launch.bind(name, buffer);
        }
        launch = match job.grid {
            Grid::Invocations(count) => launch.invocations(count.map(u64::from)),
            Grid::Workgroups(count) => launch.workgroups(count.map(u64::from)),
        };
        Ok(launch.run()?)
    };
    let mut report = run()?;
    let mut wrong = None;
    for output in &job.outputs {
        let (_, buffer) = buffers
            .iter()
            .find(|(name, _)| *name == output.name)
            .with_context(|| format!("no buffer {}", output.name))?;
        if let Err(what) = output.check(&buffer.to_vec()?, tolerance, SAMPLE) {
            wrong.get_or_insert(what);
        }
    }
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed().as_secs_f64() < seconds {
        // A launch of many seconds is measured once: its first run was no slower than the next.
        if !times.is_empty() && start.elapsed().as_secs_f64() > 20.0 * seconds {
            break;
        }
        report = run()?;
        times.push(report.elapsed);
    }
    times.sort();
    Ok(Measured { time: times[times.len() / 2], report, wrong })
}

/// The time predicted from the rates of the devices alone, divided by the measured time.
fn efficiency(party: &Party, alone: &[Line], measured: Duration) -> Option<f64> {
    if party.devices.iter().filter(|d| d.kind.shares_cpu_cores()).count() > 1 {
        return None;
    }
    let mut rate = 0.0;
    for device in &party.devices {
        let line = alone.iter().find(|line| line.party == device.id)?;
        rate += 1.0 / line.time.as_ref().ok()?.as_secs_f64();
    }
    Some(1.0 / rate / measured.as_secs_f64())
}

impl Line {
    fn new(case: &Case, job: &Job, party: &str) -> Line {
        Line {
            kernel: case.name,
            shape: job.shape.clone(),
            party: party.to_owned(),
            time: Err("not measured".to_owned()),
            rate: 0.0,
            unit: job.unit,
            shares: Vec::new(),
            efficiency: None,
            ratio: None,
            wrong: None,
        }
    }

    fn set_time(&mut self, time: Duration, job: &Job) {
        self.time = Ok(time);
        self.rate = job.work / 1e9 / time.as_secs_f64();
    }

    /// Prints the line as soon as it is known: the whole table takes minutes.
    fn show(&self, first_of_case: bool) -> Result<()> {
        let shares: Vec<String> =
            self.shares.iter().map(|(id, share)| format!("{id} {:.0}%", share * 100.0)).collect();
        let mut text = if first_of_case { "\n".to_owned() } else { String::new() };
        text += &format!("{:<14} {:<26} {:<10}", self.kernel, self.shape, self.party);
        match &self.time {
            Ok(time) => {
                text += &format!(
                    " {:>10} {:>9} {:<8} {:>9} {:>10}  {}",
                    significant(time.as_secs_f64() * 1e3),
                    significant(self.rate),
                    self.unit,
                    self.ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                    self.efficiency.map_or("-".to_owned(), |e| format!("{e:.2}")),
                    shares.join(", "),
                );
            }
            Err(why) => text += &format!(" {why}"),
        }
        if self.wrong.is_some() {
            text += "  WRONG";
        }
        output::print(&(text.trim_end().to_owned() + "\n"))
    }
}

/// The heading over the lines that [`Line::show`] prints.
fn heading() -> String {
    format!(
        "{:<14} {:<26} {:<10} {:>10} {:>9} {:<8} {:>9} {:>10}  share\n",
        "kernel", "shape", "on", "ms", "rate", "", "cpu ratio", "efficiency"
    )
}

/// Three significant digits.
fn significant(value: f64) -> String {
    match value {
        _ if value >= 100.0 => format!("{value:.0}"),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ if value >= 1.0 => format!("{value:.2}"),
        _ if value >= 0.1 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

fn as_json(line: &Line) -> Value {
    json!({
        "kernel": line.kernel,
        "shape": line.shape,
        "on": line.party,
        "seconds": line.time.as_ref().ok().map(Duration::as_secs_f64),
        "error": line.time.as_ref().err(),
        "rate": line.rate,
        "unit": line.unit,
        "shares": line.shares.iter().map(|(id, share)| json!({ "id": id, "share": share }))
            .collect::<Vec<_>>(),
        "cpu_ratio": line.ratio,
        "efficiency": line.efficiency,
        "wrong": line.wrong,
    })
}
