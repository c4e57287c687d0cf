//! The one public error type.
//!
//! Every message names the thing, what was expected, what was found, and what to do. Errors are
//! values: no input, however bad, makes the library panic. This file is the lowest floor; it
//! imports nothing of the crate.

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// In which way a device failed. It decides what becomes of the device: see
/// `Report::events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The device is gone: reset, unplugged, destroyed. It is quarantined.
    Lost,
    /// It has no memory left. Its chunks are made smaller.
    OutOfMemory,
    /// Its driver rejects the kernel, or can't run it to its end. It runs other kernels.
    Rejected,
    /// A chunk was not done by its deadline. The device is quarantined.
    Deadline,
    /// What it computed could not be mapped into the host's memory. It is quarantined.
    Mapping,
    /// Its driver, wgpu or coexec panicked on it. It is quarantined.
    Panicked,
    /// Other devices compute something else. It is quarantined.
    WrongAnswer,
    /// It refused a request: a limit, an invalid request, no thread.
    Refused,
}

impl FailureKind {
    /// Whether the device is not asked again until somebody says so.
    pub fn quarantines(self) -> bool {
        match self {
            FailureKind::Lost
            | FailureKind::Deadline
            | FailureKind::Mapping
            | FailureKind::Panicked
            | FailureKind::WrongAnswer => true,
            FailureKind::OutOfMemory | FailureKind::Rejected | FailureKind::Refused => false,
        }
    }

    /// One word: `lost`, `out-of-memory`…
    pub fn name(self) -> &'static str {
        match self {
            FailureKind::Lost => "lost",
            FailureKind::OutOfMemory => "out-of-memory",
            FailureKind::Rejected => "rejected",
            FailureKind::Deadline => "deadline",
            FailureKind::Mapping => "mapping",
            FailureKind::Panicked => "panicked",
            FailureKind::WrongAnswer => "wrong-answer",
            FailureKind::Refused => "refused",
        }
    }
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The remedy for a loop that was stopped.
fn more_iterations(device: &Option<String>) -> String {
    match device {
        None => {
            "; if it is meant to end later, raise the budget (`--loop-budget` on the command line, \
                 `Launch::loop_budget` in the library)"
                .to_owned()
        }
        Some(device) => {
            format!(", after which the driver of {device} stops it; run it on another device")
        }
    }
}

/// What can go wrong, in the order in which a launch would meet it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The WGSL does not parse or does not validate. The text is the rendered diagnostic, with
    /// the line and a caret.
    #[error("{rendered}")]
    Wgsl {
        /// The diagnostic as a compiler would print it.
        rendered: String,
        /// 1-based line of the first label, if the diagnostic has one.
        line: Option<u32>,
    },

    /// Valid WGSL that coexec, or the engine that was asked for, does not run.
    #[error("{what} is not supported{}{at}", if .at.is_empty() { "" } else { "\n" })]
    Unsupported {
        /// The construct, and what to do instead.
        what: String,
        /// The rendered WGSL line, or nothing where there is no line to show.
        at: String,
    },

    /// The entry point that was asked for does not exist, or none was named and there are many.
    #[error("entry point {name}: {problem}")]
    EntryPoint {
        /// The name as given, or `(none given)`.
        name: String,
        /// What is wrong, and which entry points there are.
        problem: String,
    },

    /// An override constant that does not exist, has no value, or does not fit.
    #[error("override constant `{name}`: {problem}")]
    Constant {
        /// The constant's WGSL name or numeric id.
        name: String,
        /// What is wrong and what would be right.
        problem: String,
    },

    /// A binding of the kernel and what the launch gave for it do not go together.
    #[error("binding `{name}`: {problem}")]
    Binding {
        /// The WGSL variable's name, or the name that the caller used.
        name: String,
        /// What was expected, what was found, and the remedy.
        problem: String,
    },

    /// The grid of the launch is missing or too large.
    #[error("grid: {0}")]
    Grid(String),

    /// A range of a buffer that is not inside it, or a host slice of the wrong length.
    #[error("buffer: {0}")]
    Range(String),

    /// A buffer whose last launch was cancelled or failed while writing it, or of which only a lost
    /// device had some that can't be computed again (now, or at all).
    #[error("buffer {name} is poisoned: {cause}. Write all of it before using it again")]
    Poisoned {
        /// The name under which the failed launch bound it.
        name: String,
        /// What ended that launch, or what is lost and why it is not computed again.
        cause: String,
    },

    /// No device of that name, or none of that kind.
    #[error("device {name}: {problem}")]
    NoSuchDevice {
        /// The name as given.
        name: String,
        /// What there is instead.
        problem: String,
    },

    /// The CPU has no engine of that name.
    #[error("engine {name}: {problem}")]
    NoSuchEngine {
        /// The name as given.
        name: String,
        /// The engines that exist.
        problem: String,
    },

    /// A device refused, failed or was lost.
    #[error("device {device} failed to {doing}: {cause}")]
    Device {
        /// The device's name.
        device: String,
        /// In which way.
        kind: FailureKind,
        /// What it was doing: "create a pipeline", "map a download"...
        doing: String,
        /// The driver's or wgpu's words.
        cause: String,
    },

    /// No device of the runtime can run this kernel or finish this launch.
    #[error("no device can run `{kernel}`:\n{}", .causes.join("\n"))]
    NoDevice {
        /// The kernel's entry point.
        kernel: String,
        /// A line for each device: its name and why not.
        causes: Vec<String>,
    },

    /// A loop exceeded its iteration budget, or the iterations that a driver allows.
    #[error("a loop did not end within {budget} iterations of one invocation{}{}{at}", more_iterations(.device), if .at.is_empty() { "" } else { "\n" })]
    EndlessLoop {
        /// Iterations after which it was stopped.
        budget: u64,
        /// The device whose driver ended the loop; `None` if the launch's budget ended it.
        device: Option<String>,
        /// The rendered WGSL line, where the device can tell.
        at: String,
    },

    /// The launch was cancelled.
    #[error("the launch was cancelled")]
    Cancelled,

    /// Something inside coexec, wgpu or a driver panicked or broke an invariant. A bug.
    #[error("internal error in {place}: {cause}. Please report this, with the kernel")]
    Internal {
        /// The module.
        place: String,
        /// The panic's message or the broken invariant.
        cause: String,
    },
}

impl Error {
    /// The failure of a device, for errors that another device may not have: its id, the kind, and
    /// the cause. Any other error is the launch's own and is returned as `Err`.
    pub(crate) fn of_device(self) -> Result<(String, FailureKind, String)> {
        match self {
            Error::Device { device, kind, doing, cause } => {
                Ok((device, kind, format!("it failed to {doing}: {cause}")))
            }
            Error::EndlessLoop { budget, device: Some(device), .. } => {
                let cause = format!(
                    "its driver stops the loops of an invocation after {budget} iterations, and \
                     those of the kernel need more"
                );
                Ok((device, FailureKind::Rejected, cause))
            }
            error => Err(error),
        }
    }
}
