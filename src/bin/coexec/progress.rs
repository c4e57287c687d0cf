//! A line on stderr that shows that a long command is running, and its progress.
//!
//! The library reports progress as `tracing` events of the target `coexec::progress` with the
//! fields `done` and `total`. A terminal shows one line, which is redrawn at short intervals and
//! removed at the end; a file gets a line every ten seconds. Short commands show nothing.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The last progress that the library reported.
static DONE: AtomicU64 = AtomicU64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);

/// The delay before the first line, and the interval between lines: on a terminal and elsewhere.
const TERMINAL: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(250)];
const FILE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(10)];

/// Begins to listen to the progress that the library reports.
pub(crate) fn listen() {
    // If another subscriber exists, only the counts are missing.
    let _ = tracing::subscriber::set_global_default(Listener);
}

/// Running work. Until it is dropped, its progress is shown on stderr.
pub(crate) struct Progress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to show the progress of `work`, such as "checking k.wgsl".
    pub(crate) fn of(work: String) -> Progress {
        DONE.store(0, Relaxed);
        TOTAL.store(0, Relaxed);
        let (end, ended) = mpsc::channel();
        let terminal = std::io::stderr().is_terminal();
        let thread = std::thread::Builder::new().spawn(move || {
            let begun = Instant::now();
            let [mut wait, step] = if terminal { TERMINAL } else { FILE };
            let mut shown = false;
            while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = step;
                shown = true;
                let line = line(&work, begun.elapsed(), DONE.load(Relaxed), TOTAL.load(Relaxed));
                let [before, after] = if terminal { ["\r\x1b[K", ""] } else { ["", "\n"] };
                let mut stderr = std::io::stderr().lock();
                let _ = write!(stderr, "{before}{line}{after}").and_then(|()| stderr.flush());
            }
            if shown && terminal {
                let _ = write!(std::io::stderr(), "\r\x1b[K");
            }
        });
        // Without a thread no progress is shown.
        Progress { end: Some(end), thread: thread.ok() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn line(work: &str, elapsed: Duration, done: u64, total: u64) -> String {
    let part = match total {
        0 => String::new(),
        _ => format!(": {done} of {total}"),
    };
    format!("{work}{part}, {} s (Ctrl-C ends it)", elapsed.as_secs())
}

/// Receives the progress that the library reports, and no other event.
struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "coexec::progress"
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Counts);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Counts;

impl Visit for Counts {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "done" => DONE.store(value, Relaxed),
            "total" => TOTAL.store(value, Relaxed),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_the_work_is_where_that_is_counted() {
        let time = Duration::from_millis(7800);
        assert_eq!(line("running", time, 0, 0), "running, 7 s (Ctrl-C ends it)");
        assert_eq!(line("checking", time, 3, 9), "checking: 3 of 9, 7 s (Ctrl-C ends it)");
    }

    #[test]
    fn what_the_library_counts_is_heard() {
        tracing::subscriber::with_default(Listener, || {
            tracing::trace!(target: "coexec::progress", done = 4u64, total = 5u64);
            tracing::trace!(target: "coexec", done = 7u64, total = 8u64);
        });
        assert_eq!((DONE.load(Relaxed), TOTAL.load(Relaxed)), (4, 5));
    }
}
