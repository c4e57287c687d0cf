//! The one public error type.
//!
//! Every message names the thing, what was expected, what was found, and what to do. No input
//! makes the library panic: bad input is an `Error`. This file imports nothing of the crate.

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The way in which a device failed. It determines the [`Remedy`](crate::Remedy). A quarantined
/// device takes no more chunks until
/// [`Runtime::retry_quarantined`](crate::Runtime::retry_quarantined).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureKind {
    /// The device is gone: reset, unplugged, destroyed. It is quarantined.
    Lost,
    /// It is out of memory. It gets fewer or smaller chunks.
    OutOfMemory,
    /// Its driver rejects the kernel, or can't run it to its end. It still runs other kernels.
    Rejected,
    /// It did not finish a chunk by the chunk's deadline. It is quarantined.
    Deadline,
    /// Its results could not be mapped into host memory. It is quarantined.
    Mapping,
    /// Its driver, wgpu or coexec panicked during a call to it. It is quarantined.
    Panicked,
    /// Its results differ from those of other devices. It is quarantined.
    WrongAnswer,
    /// It refused a request: a limit, an invalid request, no thread.
    Refused,
}

impl FailureKind {
    /// Whether a failure of this kind quarantines the device.
    ///
    /// ```
    /// use coexec::FailureKind;
    /// assert!(FailureKind::Lost.quarantines());
    /// assert!(!FailureKind::OutOfMemory.quarantines());
    /// ```
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

    /// The kind in one word, such as `lost` or `out-of-memory`.
    ///
    /// ```
    /// assert_eq!(coexec::FailureKind::OutOfMemory.name(), "out-of-memory");
    /// ```
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

/// The end of the message of [`Error::EndlessLoop`]: what to do about the loop.
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

/// An error of a call of this crate. The variants are roughly in the order of a launch's checks.
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

    /// Valid WGSL that coexec, or the requested engine, does not run.
    #[error("{what} is not supported{}{at}", if .at.is_empty() { "" } else { "\n" })]
    Unsupported {
        /// The construct, and what to do instead.
        what: String,
        /// The rendered WGSL line, or empty where there is no line to show.
        at: String,
    },

    /// The requested entry point does not exist, or none was named and there are several.
    #[error("entry point {name}: {problem}")]
    EntryPoint {
        /// The name as given, or `(none given)`.
        name: String,
        /// The problem, and the entry points of the module.
        problem: String,
    },

    /// An override constant that does not exist, has no value, or has a value that does not fit.
    #[error("override constant `{name}`: {problem}")]
    Constant {
        /// The constant's WGSL name or numeric id.
        name: String,
        /// The problem, and what would be right.
        problem: String,
    },

    /// A binding of the kernel does not match the value or buffer that the launch gave for it.
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

    /// A range that is not inside its buffer, or a host slice of the wrong length.
    #[error("buffer: {0}")]
    Range(String),

    /// A buffer with unusable contents. A launch was cancelled or failed while writing it, or a lost
    /// device held the only copy of a range that coexec can't compute again at the moment, or at all.
    #[error("buffer {name} is poisoned: {cause}")]
    Poisoned {
        /// The name under which the failed launch bound it.
        name: String,
        /// What ended that launch, or which range is lost and why coexec can't compute it again; then
        /// what to do.
        cause: String,
    },

    /// A selection of devices, a memory budget, a throttle or a fault rule names a device that does not
    /// exist or does not fit, or a selection is malformed.
    #[error("device {name}: {problem}")]
    NoSuchDevice {
        /// The name or the text as given.
        name: String,
        /// The problem, and what would be right.
        problem: String,
    },

    /// The CPU has no engine of this name.
    #[error("engine {name}: {problem}")]
    NoSuchEngine {
        /// The name as given.
        name: String,
        /// The problem, and the engines that exist.
        problem: String,
    },

    /// A fault rule, of [`RuntimeBuilder::inject`](crate::RuntimeBuilder::inject) or the environment
    /// variable `COEXEC_INJECT`, is malformed.
    #[error("fault rule {rule}: {problem}")]
    InvalidFaultRule {
        /// The rule as given.
        rule: String,
        /// The problem, and what would be right.
        problem: String,
    },

    /// A device refused, failed or was lost.
    #[error("device {device} failed to {doing}: {cause}")]
    Device {
        /// The device's name.
        device: String,
        /// The way in which it failed.
        kind: FailureKind,
        /// The operation that failed, such as "create a pipeline" or "map a download".
        doing: String,
        /// The message of the driver, of wgpu or of coexec.
        cause: String,
    },

    /// No device of the runtime can run this kernel or finish this launch.
    #[error("no device can run `{kernel}`:\n{}", .causes.join("\n"))]
    NoDevice {
        /// The kernel's entry point.
        kernel: String,
        /// A line for each device: its name, and why it can't run the kernel.
        causes: Vec<String>,
    },

    /// A loop exceeded the launch's iteration budget, or the iterations that a driver allows.
    #[error("a loop did not end within {budget} iterations of one invocation{}{}{at}", more_iterations(.device), if .at.is_empty() { "" } else { "\n" })]
    EndlessLoop {
        /// The number of iterations of one invocation after which the loop was stopped.
        budget: u64,
        /// The device whose driver stopped the loop; `None` if the launch's budget stopped it.
        device: Option<String>,
        /// The rendered WGSL line, or empty where the device can't tell.
        at: String,
    },

    /// The launch was cancelled.
    #[error("the launch was cancelled")]
    Cancelled,

    /// A bug: coexec, wgpu or a driver panicked or broke an invariant.
    #[error("internal error in {place}: {cause}. Please report this, with the kernel")]
    Internal {
        /// The module or thread where it happened.
        place: String,
        /// The panic's message or the broken invariant.
        cause: String,
    },
}

impl Error {
    /// The id, the failure kind and the cause, for an error of one device that another device may not
    /// have. Any other error is the launch's own and is returned as `Err`.
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
