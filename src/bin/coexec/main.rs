//! coexec on the command line: the library without Rust.
//!
//! `args::EXIT_CODES` explains the exit codes. Results go to stdout, everything else to stderr.

mod args;
mod bench;
mod check;
mod compare;
mod data;
mod devices;
mod explain;
#[cfg(test)]
mod fuzz_tests;
mod json;
mod output;
mod prepare;
mod progress;
mod run;
mod simulate;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Cli, Command};

/// Wrong usage: a wrong flag, or data that does not fit the kernel.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

/// A check that found errors, and has already reported them.
#[derive(Debug, thiserror::Error)]
#[error("the kernel has errors")]
struct Faulty;

/// A comparison that failed, and has already been reported.
#[derive(Debug, thiserror::Error)]
#[error("results differ")]
struct Mismatch;

/// Mesa's device-select layer complains on stderr where there is no desktop. coexec looks at all
/// adapters and needs no layer to order them.
fn quiet_mesa() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first thing that the program does; no other thread reads the
        // environment yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

fn main() -> ExitCode {
    quiet_mesa();
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is::<Mismatch>() && !error.is::<Faulty>() {
                let message = message(&error);
                // A WGSL diagnostic brings the word along.
                let message = message.strip_prefix("error: ").unwrap_or(&message);
                eprintln!("error: {}", message.trim_end());
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

fn run(command: Command) -> Result<()> {
    output::handle_interrupts()?;
    progress::listen();
    match command {
        Command::Devices(args) => devices::devices(&args),
        Command::Run(args) => run::run(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Check(args) => check::check(&args),
        Command::Bench(args) => bench::bench(&args),
        Command::Simulate(args) => simulate::simulate(&args),
    }
}

/// The chain of causes on one line, unless a cause has lines of its own.
fn message(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    // thiserror's transparent wrappers repeat their source.
    causes.dedup();
    causes.join(": ")
}

fn exit_code(error: &anyhow::Error) -> u8 {
    use coexec::Error;
    if error.is::<Faulty>() {
        return 3;
    }
    let usage = error.chain().any(|cause| {
        cause.is::<Usage>()
            || matches!(
                cause.downcast_ref(),
                Some(
                    Error::EntryPoint { .. }
                        | Error::Constant { .. }
                        | Error::Binding { .. }
                        | Error::Grid(_)
                        | Error::NoSuchDevice { .. }
                        | Error::NoSuchEngine { .. }
                )
            )
    });
    if usage { 2 } else { 1 }
}

/// Whether whoever reads our output has gone, as `head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
