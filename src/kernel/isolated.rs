//! Compiling on a thread of its own, with a stack that no accepted kernel can overflow.
//!
//! naga's front end and validator recurse over the nesting of the text, engines over the nesting of
//! a kernel's blocks, and back ends over structures that coexec does not know. The recursion of
//! coexec itself is bounded: by `MAX_NESTING` over blocks, by a number of operations over chains of
//! values. A panic becomes an error value. A thread costs some tens of microseconds, far less than
//! any compilation.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};

/// Virtual memory; only used pages become real.
const STACK: usize = 256 << 20;

/// Runs `compile` on a large stack, and turns a panic into an [`Error::Internal`] that names
/// `place`.
pub(crate) fn isolated<T: Send>(
    place: &str,
    compile: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let internal = |cause| Error::Internal { place: place.to_owned(), cause };
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("coexec kernel".to_owned())
            .stack_size(STACK)
            .spawn_scoped(scope, || catch_unwind(AssertUnwindSafe(compile)))
            .map_err(|e| internal(format!("can't start a thread to compile on: {e}")))?
            .join()
            .and_then(|caught| caught)
            .map_err(|panic| internal(message(&*panic)))?
    })
}

/// Runs a step of naga that may panic on some texts: with checked arithmetic it does where a size
/// does not fit. The text is to blame, not coexec.
pub(super) fn step_of_naga<T>(name: &str, step: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| Error::Wgsl {
        line: None,
        rendered: format!(
            "error: naga's {name} panicked on this text: {}. Look for a size, an alignment or a \
             constant that is out of range",
            message(&*panic)
        ),
    })
}

fn message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "a panic without a message".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let error =
            isolated::<()>("kernel", || panic!("the reason is {}", 7)).unwrap_err().to_string();
        assert!(error.contains("the reason is 7"), "{error}");
    }

    #[test]
    fn a_deep_recursion_has_room() {
        fn depth(n: u64) -> u64 {
            if n == 0 { 0 } else { 1 + std::hint::black_box(depth(n - 1)) }
        }
        assert_eq!(isolated("kernel", || Ok(depth(500_000))).unwrap(), 500_000);
    }
}
