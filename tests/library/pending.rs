//! Submitted launches, sequences and reads: order, progress, cancellation.

use std::time::{Duration, Instant};

use coexec::{Buffer, Error, Launch, Pending, Runtime, SequenceReport};

use super::{engines, increment};

/// A CPU device on which a workgroup takes a millisecond.
fn slow() -> Runtime {
    let builder = Runtime::builder().devices("cpu").pace("cpu", Duration::from_millis(1));
    builder.build().expect("the CPU")
}

/// A launch of 100 workgroups in ten chunks.
fn hundred(runtime: &Runtime, data: &Buffer<u32>) -> Launch {
    runtime.launch(&increment()).bind("data", data).invocations([800, 1, 1]).chunks(10)
}

/// The values of the progress until the work ends.
fn watched<T>(pending: &Pending<T>) -> Vec<f64> {
    let begun = Instant::now();
    let mut seen = vec![pending.progress()];
    while !pending.is_finished() {
        assert!(begun.elapsed().as_secs() < 60, "it does not end: {seen:?}");
        let now = pending.progress();
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        std::thread::yield_now();
    }
    assert!(seen.is_sorted() && seen[0] >= 0.0, "{seen:?}");
    assert_eq!(pending.progress(), 1.0);
    seen
}

#[test]
fn pending_results_can_be_sent_and_shared() {
    fn shared<T: Send + Sync + Unpin + 'static>() {}
    shared::<Pending<Vec<f32>>>();
    shared::<Pending<SequenceReport>>();
}

#[test]
fn a_launch_tells_how_much_of_it_is_done() {
    let data = Buffer::<u32>::zeroed(800);
    let pending = hundred(&slow(), &data).submit().expect("a submission");
    let seen = watched(&pending);
    assert!(seen.iter().any(|part| (0.1..=0.9).contains(part)), "{seen:?}");
    assert_eq!(pending.wait().expect("a report").workgroups, 100);
    // An empty grid has progress 1 at its end.
    let runtime = engines::runtime("cpu");
    let nothing = runtime.launch(&increment()).bind("data", &data).workgroups([0, 1, 1]);
    watched(&nothing.submit().expect("a submission"));
}

#[test]
fn a_sequence_is_submitted_and_tells_how_much_of_it_is_done() {
    let data = Buffer::<u32>::zeroed(800);
    let runtime = slow();
    let sequence = runtime.sequence().then(hundred(&runtime, &data)).then(hundred(&runtime, &data));
    let pending = sequence.submit(2).expect("a submission");
    let seen = watched(&pending);
    assert!(seen.iter().any(|part| (0.1..=0.9).contains(part)), "{seen:?}");
    assert_eq!(pending.wait().expect("a report").launches, 4);
    assert_eq!(data.to_vec().expect("a result"), [4; 800]);
}

#[test]
fn a_sequence_that_one_gpu_gets_at_once_tells_how_much_of_it_is_done() {
    if engines::gpu_ids().is_empty() {
        return engines::skip("progress of a sequence on a GPU", "this machine has no adapter");
    }
    let (runtime, data) = (engines::runtime("gpu0"), Buffer::<u32>::zeroed(64));
    let launch = runtime.launch(&increment()).bind("data", &data).invocations([64, 1, 1]);
    // The sequence takes more submissions than are in flight at once.
    let pending = runtime.sequence().then(launch).submit(20_000).expect("a submission");
    let seen = watched(&pending);
    let report = pending.wait().expect("a report");
    assert!(report.batched.is_some() && seen.len() > 2, "{report}\n{seen:?}");
    assert_eq!(data.to_vec().expect("a result"), [20_000; 64]);
}

#[test]
fn a_sequence_that_is_cancelled_ends_soon_and_its_buffers_are_poisoned() {
    let (runtime, data) = (slow(), Buffer::<u32>::zeroed(800));
    let sequence = runtime.sequence().then(hundred(&runtime, &data));
    let pending = sequence.submit(100_000).expect("a submission");
    while pending.progress() == 0.0 {
        std::thread::yield_now();
    }
    pending.cancel();
    assert!(matches!(pending.wait(), Err(Error::Cancelled)));
    assert!(matches!(data.to_vec(), Err(Error::Poisoned { .. })));
    // Dropping the future cancels the work too.
    data.write(0, &[0; 800]).expect("all of it heals");
    drop(sequence.submit(100_000).expect("a submission"));
    match data.to_vec() {
        Ok(values) => assert_eq!(values, [0; 800]),
        Err(error) => assert!(matches!(error, Error::Poisoned { .. }), "{error}"),
    }
}

#[test]
fn a_launch_that_is_cancelled_before_its_turn_changes_nothing() {
    let (runtime, data) = (slow(), Buffer::<u32>::zeroed(800));
    let first = hundred(&runtime, &data).submit().expect("a submission");
    let launch = hundred(&runtime, &data).submit().expect("a submission");
    let sequence = runtime.sequence().then(hundred(&runtime, &data)).submit(1).expect("another");
    let read = data.read_async(..).expect("a submission");
    launch.cancel();
    sequence.cancel();
    read.cancel();
    assert!(matches!(launch.wait(), Err(Error::Cancelled)));
    assert!(matches!(sequence.wait(), Err(Error::Cancelled)));
    assert!(matches!(read.wait(), Err(Error::Cancelled)));
    first.wait().expect("it was not cancelled");
    assert_eq!(data.to_vec().expect("not poisoned"), [1; 800]);
}

#[test]
fn a_submitted_sequence_is_checked_and_queued_at_once() {
    let (runtime, data) = (slow(), Buffer::<u32>::zeroed(800));
    let unbound = runtime.sequence().then(runtime.launch(&increment()).invocations([8, 1, 1]));
    assert!(matches!(unbound.submit(1), Err(Error::Binding { .. })));
    let sequence = runtime.sequence().then(hundred(&runtime, &data));
    let pending = sequence.submit(2).expect("a submission");
    // A read waits for all submitted launches.
    assert_eq!(data.read(..1).expect("a result"), [2]);
    pending.wait().expect("a report");
    let report = runtime.sequence().submit(3).expect("nothing to do").wait().expect("a report");
    assert_eq!(report.launches, 0);
}

#[test]
fn a_submitted_read_sees_what_came_before_it_and_nothing_of_what_came_after() {
    let mut selections = vec!["cpu".to_owned(), "virtual:2:cpu".to_owned()];
    selections.extend(engines::gpu_ids());
    for selection in selections {
        let runtime = engines::runtime(&selection);
        let data = Buffer::<u32>::zeroed(800);
        let mut reads = Vec::new();
        let mut launches = Vec::new();
        for _ in 0..5 {
            reads.push(data.read_async(798..).expect("a submission"));
            launches.push(hundred(&runtime, &data).submit().expect("a submission"));
        }
        for (turn, read) in (0..).zip(reads) {
            assert_eq!(read.wait().expect("elements"), [turn; 2], "{selection}");
        }
        for launch in launches {
            launch.wait().expect("a report");
        }
    }
}

#[test]
fn a_submitted_read_is_an_error_where_a_read_is_one() {
    let data = Buffer::from_slice(&[1u32; 4]);
    assert!(matches!(data.read_async(3..6), Err(Error::Range(_))));
    assert_eq!(data.read_async(4..).expect("inside").wait().expect("none"), [0u32; 0]);
    let huge = Buffer::<u64>::zeroed(1 << 60);
    let read = huge.read_async(..1).expect("a submission").wait();
    assert!(matches!(read, Err(Error::Poisoned { .. })), "{read:?}");
}
