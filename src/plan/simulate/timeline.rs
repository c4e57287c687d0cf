//! Timelines as SVG pictures: a row per device, a bar per run, time from left to right.

use std::fmt::Write as _;

use super::bars::{BarKind, Timeline};

/// The most rows of a timeline. More can't be told apart.
const ROWS: u32 = 96;
const WIDTH: f64 = 1200.0;
const LEFT: f64 = 70.0;

/// Draws timelines one below the other, on one time axis.
pub(super) fn svg(title: &str, timelines: &[Timeline]) -> String {
    let rows = timelines.iter().map(|t| t.devices.min(ROWS)).max().unwrap_or(1);
    let row = (360.0 / f64::from(rows)).clamp(4.0, 22.0);
    let longest = timelines.iter().map(|t| t.makespan).fold(1e-12, f64::max);
    let scale = (WIDTH - LEFT - 20.0) / longest;
    let height: f64 = timelines.iter().map(|t| f64::from(t.devices.min(ROWS)) * row + 46.0).sum();
    let mut out = String::new();
    let total = height + 60.0;
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{total:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\">{}</text>",
        escape(title)
    );
    let legend = [BarKind::Run, BarKind::Rerun, BarKind::Void, BarKind::Lost];
    for (place, kind) in legend.into_iter().enumerate() {
        let x = 10.0 + 190.0 * place as f64;
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"32\" width=\"12\" height=\"12\" fill=\"{}\"/>\
             <text x=\"{}\" y=\"42\">{}</text>",
            color(kind),
            x + 17.0,
            words(kind)
        );
    }
    let mut top = 56.0;
    for timeline in timelines {
        let shown = timeline.devices.min(ROWS);
        let _ = writeln!(
            out,
            "<text x=\"10\" y=\"{:.1}\">{}: {:.3} ms, {:.3} × the bound{}</text>",
            top + 14.0,
            escape(&timeline.policy),
            timeline.makespan * 1e3,
            timeline.makespan / timeline.bound,
            if shown < timeline.devices { " (the first devices)" } else { "" }
        );
        let first = top + 20.0;
        for device in 0..shown {
            if row >= 9.0 {
                let y = first + row * (f64::from(device) + 0.75);
                let _ = writeln!(
                    out,
                    "<text x=\"10\" y=\"{y:.1}\" font-size=\"9\">device {device}</text>"
                );
            }
        }
        for bar in timeline.bars.iter().filter(|bar| bar.device < shown) {
            let _ = writeln!(
                out,
                "<rect x=\"{:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{:.1}\" fill=\"{}\" \
                 stroke=\"white\" stroke-width=\"0.4\"><title>device {}: {} workgroups, {:.3} to \
                 {:.3} ms</title></rect>",
                LEFT + bar.begin * scale,
                first + row * f64::from(bar.device),
                ((bar.end - bar.begin) * scale).max(0.3),
                row * 0.86,
                color(bar.kind),
                bar.device,
                bar.workgroups,
                bar.begin * 1e3,
                bar.end * 1e3
            );
        }
        let bottom = first + row * f64::from(shown);
        let x = LEFT + timeline.bound * scale;
        let _ = writeln!(
            out,
            "<line x1=\"{x:.2}\" y1=\"{:.1}\" x2=\"{x:.2}\" y2=\"{bottom:.1}\" stroke=\"black\" \
             stroke-dasharray=\"4 3\"/>",
            first - 3.0
        );
        top = bottom + 26.0;
    }
    let _ = writeln!(
        out,
        "<text x=\"10\" y=\"{:.1}\" font-size=\"10\">The dashed line is the lower bound.</text>\n\
         </svg>",
        top + 4.0
    );
    out
}

fn color(kind: BarKind) -> &'static str {
    match kind {
        BarKind::Run => "#4477aa",
        BarKind::Rerun => "#228833",
        BarKind::Void => "#cccccc",
        BarKind::Lost => "#ee6677",
    }
}

fn words(kind: BarKind) -> &'static str {
    match kind {
        BarKind::Run => "run",
        BarKind::Rerun => "computed again",
        BarKind::Void => "no longer needed",
        BarKind::Lost => "lost with its device",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
