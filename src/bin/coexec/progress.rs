//! A line on stderr that says that a long command is at work, and how far it is.
//!
//! The library counts, as `tracing` events of the target `coexec::progress` that hold `done` and
//! `total`. A terminal shows one line, drawn anew after each moment and gone at the end; a file gets
//! a line now and then. What ends soon shows nothing.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// What the library last said: how much is done, and of how much.
static DONE: AtomicU64 = AtomicU64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);

/// Until when nothing is shown, and how often something is: on a terminal and elsewhere.
const TERMINAL: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(250)];
const FILE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(10)];

/// From now on what the library counts is heard.
pub(crate) fn listen() {
    // That another subscriber is there can only cost the counts.
    let _ = tracing::subscriber::set_global_default(Listener);
}

/// Work under way. Until it is dropped, stderr tells.
pub(crate) struct Progress {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Begins to tell of some work: "checking k.wgsl".
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
        // Without a thread it works in silence.
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

/// Hears the library's counts, and nothing else.
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
