//! JSON in and out: the values of uniforms, reports, summaries.

use anyhow::Result;
use coexec::{Binding, Kernel, Report};
use serde_json::{Value, json};

use crate::exit::Usage;
use crate::output::{self, Summary};

/// The bytes of a uniform, from JSON.
pub(crate) fn encode(kernel: &Kernel, name: &str, value: &Value) -> Result<Vec<u8>> {
    let value = convert(value).map_err(|found| {
        Usage(format!(
            "binding `{name}`: {found} is not a value for --set; give {}",
            kernel.value_form(name).unwrap_or_default()
        ))
    })?;
    Ok(kernel.encode(name, &value)?)
}

/// A value of a part of a uniform, from JSON.
pub(crate) fn value(path: &str, value: &Value) -> Result<coexec::Value> {
    Ok(convert(value).map_err(|found| {
        Usage(format!("`{path}`: {found} is not a value for --set; give a number"))
    })?)
}

fn convert(value: &Value) -> Result<coexec::Value, String> {
    Ok(match value {
        // As WGSL's u32(true); a uniform cannot hold a bool.
        Value::Bool(flag) => coexec::Value::Int(i64::from(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => coexec::Value::Int(whole),
            None => coexec::Value::Number(number.as_f64().ok_or_else(|| number.to_string())?),
        },
        Value::Array(items) => {
            coexec::Value::List(items.iter().map(convert).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => coexec::Value::Fields(
            fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), convert(value)?)))
                .collect::<Result<_, String>>()?,
        ),
        Value::Null | Value::String(_) => return Err(value.to_string()),
    })
}

/// A launch's report.
pub(crate) fn report(report: &Report) -> Value {
    json!({
        "elapsed_s": report.elapsed.as_secs_f64(),
        "workgroups": report.workgroups,
        "devices": report.devices.iter().map(|device| json!({
            "id": device.id,
            "name": device.name,
            "engine": device.engine.as_ref().map(ToString::to_string),
            "chunks": device.chunks,
            "workgroups": device.workgroups,
            "share": device.share,
            "busy_s": device.busy.as_secs_f64(),
            "uploaded_bytes": device.uploaded,
            "downloaded_bytes": device.downloaded,
        })).collect::<Vec<_>>(),
        "repeated": report.repeated,
        "events": report.events.iter().map(|event| json!({
            "device": event.device,
            "kind": event.kind.name(),
            "cause": event.cause,
            "remedy": event.remedy.to_string(),
        })).collect::<Vec<_>>(),
        "verified": report.verified.as_ref().map(|verified| json!({
            "workgroups": verified.workgroups(),
            "parts": verified.parts.iter().map(|part| json!({
                "device": part.device,
                "by": part.by,
                "workgroups": part.workgroups,
            })).collect::<Vec<_>>(),
            "disputes": verified.disputes,
            "within": verified.within,
            "not_done": verified.not_done,
        })),
        "without_effect": report.plan.without_effect(),
        "warnings": report.plan.warnings(),
        "plan": report.plan.to_string(),
    })
}

/// The findings of a check.
pub(crate) fn findings(found: &coexec::Findings) -> Value {
    json!({
        "errors": found.errors(),
        "lints": found.lints(),
        "workgroups": found.workgroups,
        "stopped": found.stopped,
        "findings": found.findings.iter().map(|finding| json!({
            "rule": finding.rule.name(),
            "error": finding.rule.is_error(),
            "message": finding.message,
            "address": finding.address,
            "first": witness(&finding.first),
            "second": finding.second.as_ref().map(witness),
            "note": finding.note,
            "count": finding.count,
            "across_chunks": finding.across_chunks,
        })).collect::<Vec<_>>(),
    })
}

fn witness(witness: &coexec::Witness) -> Value {
    json!({
        "action": witness.action.to_string(),
        "line": witness.line,
        "column": witness.column,
        "global_invocation_id": witness.invocation.global,
        "workgroup_id": witness.invocation.workgroup,
        "local_invocation_id": witness.invocation.local,
    })
}

/// A buffer's summary.
pub(crate) fn summary(binding: &Binding, summary: &Summary) -> Value {
    json!({
        "binding": binding.name,
        "type": binding.type_name,
        "values": summary.kind,
        "count": summary.count,
        "min": number(summary.min),
        "max": number(summary.max),
        "mean": number(summary.mean),
        "not_finite": summary.not_finite,
        "first": summary.first.iter().map(|&v| number(v)).collect::<Vec<_>>(),
    })
}

/// A number, or a string where JSON has no such number.
pub(crate) fn number(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

/// Prints to stdout, over several lines.
pub(crate) fn print(value: &Value) -> Result<()> {
    output::print(&format!("{value:#}\n"))
}
