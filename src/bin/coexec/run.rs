//! `coexec run`: one launch on files or generated data.

use anyhow::Result;
use serde_json::json;

use crate::args::{RunArgs, Tolerance};
use crate::output::{self, PendingFiles, Summary};
use crate::prepare::{self, Prepared};
use crate::progress::Progress;
use crate::{compare, json};

pub(crate) fn run(args: &RunArgs) -> Result<()> {
    let prepared = Prepared::new(&args.launch)?;
    let mut outs = Vec::new();
    for (name, file) in &args.outs {
        output::check_writable(&file.path)?;
        outs.push((prepared.buffer(name)?, file));
    }
    if !args.compare.is_empty() {
        return compare::compare(args, &prepared);
    }

    let runtime = prepare::runtime(&args.launch.devices, None)?;
    let buffers = prepared.upload();
    let mut launch = prepared.launch(&runtime, &buffers);
    if let Some(part) = args.verify {
        let Tolerance { abs, rel, int } = args.tolerance;
        launch = launch.verify(part).tolerance(abs, rel).integer_tolerance(int);
    }
    let progress = Progress::of(format!("running {}", prepared.path));
    let report = launch.run();
    drop(progress);
    let report = report?;
    output::warn(report.plan.warnings());

    let mut files = PendingFiles::default();
    for (position, file) in &outs {
        let bound = &prepared.buffers[*position];
        let bytes = buffers[*position].to_vec()?;
        output::write_buffer(
            &mut files,
            file,
            &bound.binding,
            &bytes,
            bound.data.shape.as_deref(),
        )?;
    }
    files.publish()?;

    let mut summaries = Vec::new();
    for (bound, buffer) in prepared.buffers.iter().zip(&buffers) {
        if bound.binding.space == coexec::Space::StorageWrite {
            summaries.push((&bound.binding, Summary::of(&bound.binding, &buffer.to_vec()?)));
        }
    }
    let written: Vec<String> =
        outs.iter().map(|(_, file)| file.path.display().to_string()).collect();
    if args.json {
        let mut value = json::report(&report);
        value["kernel"] = json!(prepared.path);
        value["outputs"] = summaries.iter().map(|(b, s)| json::summary(b, s)).collect();
        value["files"] = json!(written);
        return json::print(&value);
    }
    let mut text = String::new();
    if outs.is_empty() {
        for (binding, summary) in &summaries {
            text += &format!("{}: {summary}\n", binding.name);
        }
    }
    for path in &written {
        text += &format!("wrote {path}\n");
    }
    output::print(&format!("{text}{report}\n"))
}
