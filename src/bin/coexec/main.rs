//! coexec on the command line: the library without Rust.
//!
//! `args::EXIT_CODES` explains the exit codes. Results go to stdout, everything else to stderr.

mod exit;
mod progress;

mod data;

mod args;
mod output;

mod json;

mod prepare;

mod compare;

// The commands.
mod bench;
mod check;
mod devices;
mod explain;
mod run;
mod simulate;

#[cfg(test)]
mod fuzz_tests;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use args::{Cli, Command};
use exit::{Faulty, Mismatch, exit_code, is_closed_pipe, message};

/// Turns off Mesa's device-select layer, which complains on stderr where there is no desktop.
/// coexec looks at all adapters and needs no layer to order them.
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
                // A WGSL diagnostic already starts with this word.
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
