//! The program's own errors, and the exit code of every error.

/// Wrong usage: a wrong flag, or data that does not fit the kernel.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// A check that found errors, and has already reported them.
#[derive(Debug, thiserror::Error)]
#[error("the kernel has errors")]
pub(crate) struct Faulty;

/// A comparison that failed, and has already been reported.
#[derive(Debug, thiserror::Error)]
#[error("results differ")]
pub(crate) struct Mismatch;

/// The chain of causes on one line, unless a cause has lines of its own.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    // thiserror's transparent wrappers repeat their source.
    causes.dedup();
    causes.join(": ")
}

pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
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
                        | Error::InvalidFaultRule { .. }
                )
            )
    });
    if usage { 2 } else { 1 }
}

/// Whether the reader of the output has closed the pipe, as `head` does.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
