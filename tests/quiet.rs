//! A program that opens devices writes nothing to standard error, even if drivers do. The test starts
//! itself again with one thread and without a desktop session, for which Mesa would print an error.

use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    if std::env::var_os("COEXEC_TEST_QUIET").is_some() {
        let runtime = coexec::Runtime::new().expect("devices");
        println!("{} devices", runtime.devices().len());
        return ExitCode::SUCCESS;
    }
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command
        .env("COEXEC_TEST_QUIET", "1")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("NODEVICE_SELECT");
    let output = command.output().expect("it starts");
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    if output.status.success() && said.ends_with("devices\n") && complained.is_empty() {
        println!("a_program_of_one_thread_hears_nothing_from_mesa ... ok");
        return ExitCode::SUCCESS;
    }
    eprintln!("{}: {said}{complained}", output.status);
    ExitCode::FAILURE
}
