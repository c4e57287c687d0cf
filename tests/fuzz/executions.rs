//! Executions of a fuzzer, on one thread or several. The number of an execution determines it.
//!
//! `COEXEC_FUZZ` is the number of executions, `COEXEC_FUZZ_FROM` the number of the first,
//! `COEXEC_FUZZ_SECONDS` a time limit, and `COEXEC_FUZZ_THREADS` the number of threads. An execution
//! that panics is a finding: the others go on, and the test fails at the end with the numbers of all
//! findings. An execution that hangs aborts the process, which prints its number. For an execution
//! that crashes the process, each thread writes the number to a file before it begins:
//! `COEXEC_FUZZ_NOTE` names the file of the first thread, with `.1` appended that of the second.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A random number generator (SplitMix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The number in the environment variable `name`, or `usual`.
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => usual,
    }
}

/// An execution that takes this long hangs. None takes that long even on a busy machine.
const HANGS: Duration = Duration::from_secs(300);
/// The number of findings that stop a run early.
const ENOUGH: usize = 20;

/// Runs executions until their number is reached or, in a normal test run, `usual` seconds are over.
/// Returns the states of the threads. `fuzzer` is its name in messages.
pub(crate) fn executions<S: Send>(
    fuzzer: &str,
    usual: u64,
    state: impl Fn() -> S + Sync,
    run: impl Fn(&mut S, &mut Random) + Sync,
) -> Vec<S> {
    let asked = std::env::var_os("COEXEC_FUZZ").is_some();
    let seconds = number("COEXEC_FUZZ_SECONDS", if asked { u64::MAX } else { usual });
    let (from, count) = (number("COEXEC_FUZZ_FROM", 0), number("COEXEC_FUZZ", u64::MAX));
    let threads = number("COEXEC_FUZZ_THREADS", 1).max(1);
    let begun = Instant::now();
    let (next, done, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let found = Mutex::new(Vec::new());
    // The execution that each thread runs, and its start in milliseconds, 0 between executions.
    let at: Vec<(AtomicU64, AtomicU64)> = (0..threads).map(|_| Default::default()).collect();
    let now = || begun.elapsed().as_millis() as u64 + 1;
    let note = std::env::var("COEXEC_FUZZ_NOTE").ok();
    let work = |thread: usize, (at, since): &(AtomicU64, AtomicU64)| {
        let mut mine = state();
        let note = note.as_ref().map(|file| match thread {
            0 => file.clone(),
            _ => format!("{file}.{thread}"),
        });
        loop {
            let number = next.fetch_add(1, Relaxed);
            let enough = || found.lock().unwrap().len() >= ENOUGH;
            if number >= count || begun.elapsed().as_secs() >= seconds || enough() {
                return mine;
            }
            let number = from + number;
            at.store(number, Relaxed);
            since.store(now(), Relaxed);
            if let Some(file) = &note {
                std::fs::write(file, number.to_string()).expect("a file for notes");
            }
            let mut random = Random(number.wrapping_mul(0x1234_5678_9ABC_DEF1));
            if catch_unwind(AssertUnwindSafe(|| run(&mut mine, &mut random))).is_err() {
                eprintln!("{fuzzer}: execution {number} (COEXEC_FUZZ_FROM={number} COEXEC_FUZZ=1)");
                found.lock().unwrap().push(number);
            }
            since.store(0, Relaxed);
            let all = done.fetch_add(1, Relaxed) + 1;
            if asked && all.is_multiple_of(10_000) {
                eprintln!("{fuzzer}: {all} executions in {:?}", begun.elapsed());
            }
        }
    };
    let states = std::thread::scope(|scope| {
        let watchdog = scope.spawn(|| {
            while !over.load(Relaxed) {
                std::thread::park_timeout(Duration::from_secs(1));
                for (at, since) in &at {
                    let (at, since) = (at.load(Relaxed), since.load(Relaxed));
                    if since != 0 && now().saturating_sub(since) > HANGS.as_millis() as u64 {
                        eprintln!("{fuzzer}: execution {at} does not end");
                        std::process::abort();
                    }
                }
            }
        });
        let work = &work;
        let workers = at.iter().enumerate();
        let workers = workers.map(|(thread, at)| scope.spawn(move || work(thread, at)));
        let workers: Vec<_> = workers.collect();
        let states: Vec<_> = workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        over.store(true, Relaxed);
        watchdog.thread().unpark();
        states
    });
    let (done, found) = (done.into_inner(), found.into_inner().unwrap());
    eprintln!("{fuzzer}: {done} executions from {from} in {:?}", begun.elapsed());
    assert!(found.is_empty(), "{fuzzer}: found by executions {found:?}");
    states.into_iter().map(|state| state.expect("a fuzzer's state is made")).collect()
}
