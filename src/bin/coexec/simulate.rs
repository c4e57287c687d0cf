//! `coexec simulate`: scheduling policies against the best possible schedule, on simulated devices.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use coexec::simulate::{Scenario, Standing, compare, name, picture, timeline};
use serde_json::json;

use crate::args::{POLICIES, SimulateArgs};
use crate::exit::Usage;
use crate::progress::Progress;
use crate::{json, output};

pub(crate) fn simulate(args: &SimulateArgs) -> Result<()> {
    let mut scenario = match &args.scenario {
        None => short(),
        Some(file) => read(file)?,
    };
    if !args.devices.is_empty() {
        scenario.devices.clone_from(&args.devices);
    }
    scenario.seeds = args.seeds.unwrap_or(scenario.seeds);
    if let Some(mistake) = scenario.mistake() {
        return Err(Usage(format!("the scenario can't be simulated: {mistake}")).into());
    }
    let policies = if args.policies.is_empty() { &POLICIES[..] } else { &args.policies };
    if let Some(file) = &args.timeline {
        let devices = scenario.devices[0];
        let launches: Vec<_> = policies
            .iter()
            .map(|policy| timeline(&scenario, devices, *policy, args.seed))
            .collect();
        let title = format!("{}: {devices} devices, seed {}", scenario.name, args.seed);
        std::fs::write(file, picture(&title, &launches))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let mut found = Vec::new();
    if !args.json {
        output::print(&format!("{}\n{HEAD}\n", head(&scenario)))?;
    }
    for &devices in &scenario.devices {
        for &policy in policies {
            let work = format!("{} on {devices} devices, launches", name(policy));
            let progress = Progress::of(work);
            let begun = Instant::now();
            let standing = compare(&scenario, devices, policy);
            drop(progress);
            let asked = begun.elapsed().as_secs_f64() / standing.decisions.max(1) as f64;
            if !args.json {
                output::print(&line(&standing, asked))?;
            }
            found.push(standing);
        }
    }
    if args.json {
        json::print(&json!({
            "scenario": scenario.name,
            "seeds": scenario.seeds,
            "standings": found.iter().map(entry).collect::<Vec<_>>(),
        }))?;
    }
    Ok(())
}

/// The standard scenario, without the numbers of devices that take longer than some seconds.
fn short() -> Scenario {
    let mut scenario = Scenario::default();
    scenario.devices.retain(|devices| *devices <= 64);
    scenario
}

const HEAD: &str =
    "devices  policy     mean  worst  (seed)  / best alone  as lucky  runs  reruns  per decision";

fn head(scenario: &Scenario) -> String {
    format!(
        "{}: {} launches each. `mean`, `worst`: time over the lower bound. `best alone`: worst time over \
         that of the best\ndevice alone, without jitter; `as lucky`: with equal jitter. `runs`: per device \
         and launch. `reruns`: runs computed\na second time, per launch.",
        scenario.name, scenario.seeds
    )
}

fn line(standing: &Standing, asked: f64) -> String {
    let mut line = String::new();
    let _ = writeln!(
        line,
        "{:>7}  {:<9} {:>5.3}  {:>5.3}  {:>6}  {:>12.3}  {:>8.3}  {:>4.1}  {:>6.1}  {:>9.2} µs",
        standing.devices,
        name(standing.policy),
        standing.mean,
        standing.worst,
        standing.worst_seed,
        standing.against_best,
        standing.against_best_as_lucky,
        standing.runs,
        standing.reruns,
        asked * 1e6
    );
    line
}

fn entry(standing: &Standing) -> serde_json::Value {
    json!({
        "devices": standing.devices,
        "policy": name(standing.policy),
        "mean": standing.mean,
        "worst": standing.worst,
        "worst_seed": standing.worst_seed,
        "against_best_alone": standing.against_best,
        "against_best_alone_as_lucky": standing.against_best_as_lucky,
        "runs_per_device": standing.runs,
        "reruns_per_launch": standing.reruns,
        "decisions": standing.decisions,
    })
}

/// Reads a scenario. Values that the file omits are those of the standard scenario.
fn read(file: &Path) -> Result<Scenario> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text).with_context(|| format!("{}", file.display()))
}

fn parse(text: &str) -> Result<Scenario> {
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| Usage(e.to_string()))?;
    let mut scenario = Scenario::default();
    for (key, value) in &table {
        let wrong = |what: &str| {
            Usage(format!("`{key}` must be {what}, and is of type {}", value.type_str()))
        };
        let number = || match value {
            toml::Value::Float(number) => Ok(*number),
            toml::Value::Integer(number) => Ok(*number as f64),
            _ => Err(wrong("a number")),
        };
        let count = || {
            let number = value.as_integer().and_then(|n| u32::try_from(n).ok());
            number.ok_or_else(|| wrong("a whole number, 0 or more"))
        };
        let numbers = || -> Result<Vec<f64>, Usage> {
            let list = value.as_array().ok_or_else(|| wrong("a list of numbers"))?;
            list.iter()
                .map(|n| n.as_float().or_else(|| n.as_integer().map(|n| n as f64)))
                .collect::<Option<_>>()
                .ok_or_else(|| wrong("a list of numbers"))
        };
        match key.as_str() {
            "name" => {
                scenario.name = value.as_str().ok_or_else(|| wrong("a text"))?.to_owned();
            }
            "devices" => {
                scenario.devices = numbers()?.into_iter().map(|n| n as u32).collect();
            }
            "seeds" => scenario.seeds = count()?,
            "workgroups_per_device" => scenario.workgroups_per_device = count()?,
            "seconds_per_workgroup" => scenario.seconds_per_workgroup = number()?,
            "bytes_per_workgroup" => scenario.bytes_per_workgroup = number()?,
            "speeds" => match numbers()?.as_slice() {
                [least, most] => scenario.speeds = (*least, *most),
                _ => return Err(wrong("a list of the least and the largest speed").into()),
            },
            "speed_list" => scenario.speed_list = numbers()?,
            "estimate_error" => scenario.estimate_error = number()?,
            "launch" => scenario.launch = number()?,
            "link_latency" => scenario.link_latency = number()?,
            "link_bandwidth" => scenario.link_bandwidth = number()?,
            "jitter" => scenario.jitter = number()?,
            "slow_devices" => scenario.slow_devices = count()?,
            "slow_factor" => scenario.slow_factor = number()?,
            "slow_from" => scenario.slow_from = number()?,
            "failures" => scenario.failures = count()?,
            _ => return Err(Usage(format!("a scenario has no setting `{key}`")).into()),
        }
    }
    Ok(scenario)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_repository_is_the_standard_scenario() {
        let text = include_str!("../../../benches/scenarios/standard.toml");
        assert_eq!(parse(text).unwrap(), Scenario::default());
    }

    #[test]
    fn what_runs_without_a_scenario_is_the_standard_one_without_thousands_of_devices() {
        assert_eq!(short().devices, [2, 3, 4, 8, 16, 32, 64]);
        assert_eq!(
            Scenario { devices: Scenario::default().devices, ..short() },
            Scenario::default()
        );
    }

    #[test]
    fn a_wrong_scenario_is_explained() {
        for (text, part) in [
            ("sedes = 3", "`sedes`"),
            ("seeds = \"many\"", "a whole number"),
            ("speeds = [1]", "the least and the largest"),
            ("devices = [2, \"x\"]", "a list of numbers"),
            ("seeds = ", "TOML"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
