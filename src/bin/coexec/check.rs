//! `coexec check`: runs a launch under watch and reports the errors of the kernel.

use anyhow::Result;
use serde_json::json;

use crate::args::CheckArgs;
use crate::exit::Faulty;
use crate::prepare::{self, Prepared};
use crate::progress::Progress;
use crate::{json, output};

pub(crate) fn check(args: &CheckArgs) -> Result<()> {
    let prepared = Prepared::new(&args.launch)?;
    let devices = args.launch.devices.devices.as_deref().unwrap_or("cpu");
    let runtime = prepare::runtime(&args.launch.devices, Some(devices))?;
    let buffers = prepared.upload();
    let launch = prepared.launch(&runtime, &buffers);
    let progress = Progress::of(format!("checking {}, workgroups", prepared.path));
    let found = if args.lint { launch.check_with_lints() } else { launch.check() };
    drop(progress);
    let found = found?;
    if args.json {
        let mut value = json::findings(&found);
        value["kernel"] = json!(prepared.path);
        json::print(&value)?;
    } else {
        output::print(&format!("{found}\n"))?;
    }
    match (found.errors(), &found.stopped) {
        (0, None) => Ok(()),
        _ => Err(Faulty.into()),
    }
}
