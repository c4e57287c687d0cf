//! Properties of every policy, in virtual time and against arbitrary devices.

use std::ops::Range;

use proptest::prelude::*;

use super::Strategy;
use super::*;

fn all(_: &Range<u32>) -> bool {
    true
}

fn estimated(rate: f64) -> Option<Prior> {
    Some(Prior { speed: Speed::Estimated(rate), overhead: 1e-6 })
}

fn measured(rate: f64) -> Option<Prior> {
    Some(Prior { speed: Speed::Measured(rate), overhead: 1e-6 })
}

fn take(policy: &mut Policy, device: usize, now: f64) -> Option<Task> {
    match policy.take(device, now, &mut all) {
        Next::Run(task) => Some(task),
        Next::Wait(_) => None,
    }
}

pub(super) const STRATEGIES: [Strategy; 5] =
    [Strategy::Static, Strategy::Dynamic, Strategy::Guided, Strategy::Adaptive, Strategy::Single];

/// The outcome of a launch in virtual time.
struct Driven {
    makespan: f64,
    /// By device, the number of bands whose results counted.
    bands: Vec<u32>,
}

/// Runs a launch in virtual time. `rates` are the true speeds. `dies` gives, by device, the number of
/// the task that fails. Checks that each band counts exactly once.
fn drive(bands: u32, rates: &[f64], dies: &[Option<u32>], mut policy: Policy) -> Driven {
    let mut current: Vec<Option<(Task, f64)>> = vec![None; rates.len()];
    let mut begun = vec![0; rates.len()];
    let mut pieces: Vec<(usize, Task)> = Vec::new();
    let mut counted = vec![0u32; bands as usize];
    let mut by_device = vec![0; rates.len()];
    let mut now = 0.0;
    let mut count = |by: &mut Vec<u32>, device: usize, task: &Task| {
        by[device] += task.run.end - task.run.start;
        task.run.clone().for_each(|band| counted[band as usize] += 1);
    };
    let mut steps = 0;
    while !policy.finished() {
        steps += 1;
        assert!(steps < 200_000, "no end in sight");
        let mut wake = f64::INFINITY;
        for device in 0..rates.len() {
            if current[device].is_some() {
                continue;
            }
            match policy.take(device, now, &mut all) {
                Next::Run(task) => {
                    begun[device] += 1;
                    let time = f64::from(task.run.end - task.run.start) / rates[device];
                    current[device] = Some((task, now + time));
                }
                Next::Wait(until) => wake = wake.min(until.unwrap_or(f64::INFINITY)),
            }
        }
        let next = (0..rates.len())
            .filter_map(|device| Some((current[device].as_ref()?.1, device)))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((end, device)) = next else {
            panic!("bands are left, and nobody was given one");
        };
        if wake.max(now + 1e-9) < end {
            now = wake.max(now + 1e-9);
            continue;
        }
        now = end;
        let Some((task, _)) = current[device].take() else { unreachable!() };
        if dies[device] == Some(begun[device]) {
            policy.fail(task.id, now);
            assert!(!policy.takes_part(device));
            continue;
        }
        let seconds = f64::from(task.run.end - task.run.start) / rates[device];
        let ended = policy.complete(task.id, seconds, now);
        if let Some(original) = ended.overtaken {
            pieces.push((device, task.clone()));
            pieces.retain(|(device, piece)| {
                let of = piece.redoes == Some(original);
                if of {
                    count(&mut by_device, *device, piece);
                }
                !of
            });
        } else if ended.kept && task.redoes.is_some() {
            pieces.push((device, task.clone()));
        } else if ended.kept {
            pieces.retain(|(_, piece)| piece.redoes != Some(task.id));
            count(&mut by_device, device, &task);
        }
    }
    assert!(counted.iter().all(|n| *n == 1), "{counted:?}");
    Driven { makespan: now, bands: by_device }
}

fn drive_all(bands: u32, rates: &[f64], policy: Policy) -> Driven {
    drive(bands, rates, &vec![None; rates.len()], policy)
}

#[test]
fn unequal_devices_of_unknown_speed_finish_together() {
    let priors = [estimated(1.0); 3];
    let policy = Policy::new(Strategy::Adaptive, 512, &priors);
    let driven = drive_all(512, &[1.0, 3.0, 10.0], policy);
    let best = 512.0 / 14.0;
    assert!(driven.makespan < 1.06 * best, "{} against {best}", driven.makespan);
}

#[test]
fn a_hopeless_device_takes_nothing_and_it_is_known_why() {
    let priors = [measured(1.0), measured(1000.0)];
    let policy = Policy::new(Strategy::Adaptive, 64, &priors);
    let driven = drive_all(64, &[1.0, 1000.0], policy);
    assert_eq!(driven.bands, [0, 64]);
    assert!(driven.makespan < 0.0645);

    let mut policy = Policy::new(Strategy::Adaptive, 64, &priors);
    assert_eq!(take(&mut policy, 0, 0.0), None);
    let (one, rest) = policy.refusal(0).unwrap();
    assert!((0.9..1.1).contains(&one) && rest < 0.1, "{one} {rest}");
}

#[test]
fn a_device_alone_gets_everything_at_once() {
    for strategy in STRATEGIES.into_iter().filter(|s| *s != Strategy::Single) {
        let mut policy = Policy::new(strategy, 64, &[None, estimated(1.0)]);
        assert_eq!(take(&mut policy, 0, 0.0), None);
        assert_eq!(take(&mut policy, 1, 0.0).unwrap().run, 0..64, "{strategy:?}");
    }
}

#[test]
fn a_probe_is_smaller_than_a_first_run_of_a_device_that_is_known() {
    let first = |prior| {
        let mut policy = Policy::new(Strategy::Adaptive, 1000, &[prior, prior]);
        let run = take(&mut policy, 0, 0.0).unwrap().run;
        run.end - run.start
    };
    assert!(first(estimated(1.0)) <= first(measured(1.0)));
    assert!(first(estimated(1.0)) * 4 < 500, "four times slower it would end last");
}

#[test]
fn a_device_that_is_tried_computes_a_band_and_is_believed_at_once() {
    let priors = [measured(10.0), measured(1e-6)];
    let mut without = Policy::new(Strategy::Adaptive, 100, &priors);
    assert!(take(&mut without, 0, 0.0).is_some());
    assert_eq!(take(&mut without, 1, 0.0), None);
    let mut policy = Policy::new(Strategy::Adaptive, 100, &priors).with_trial(1);
    assert!(take(&mut policy, 0, 0.0).is_some());
    let trial = take(&mut policy, 1, 0.0).expect("a band");
    assert_eq!(trial.run.end - trial.run.start, 1);
    policy.complete(trial.id, 0.1, 0.1);
    assert!((policy.rate(1).expect("it was measured") / 10.0 - 1.0).abs() < 0.01);
    assert!(take(&mut policy, 1, 0.1).is_some(), "it goes on");

    // A band whose time includes compilation is not measured, so the device gets a second one.
    let mut policy = Policy::new(Strategy::Adaptive, 100, &priors).with_trial(1);
    assert!(take(&mut policy, 0, 0.0).is_some());
    let first = take(&mut policy, 1, 0.0).expect("a band");
    policy.complete(first.id, None::<f64>, 0.1);
    assert_eq!(policy.rate(1), None);
    let second = take(&mut policy, 1, 0.1).expect("another");
    policy.complete(second.id, 1e6, 0.2);
    assert_eq!(take(&mut policy, 1, 0.2), None, "it is as slow as was believed");
}

#[test]
fn a_failed_run_is_done_by_another_device() {
    let mut policy = Policy::new(Strategy::Single, 2, &[estimated(1.0); 2]);
    let a = take(&mut policy, 0, 0.0).unwrap();
    let b = take(&mut policy, 1, 0.0).unwrap();
    policy.complete(b.id, 1.0, 1.0);
    policy.fail(a.id, 1.0);
    assert_eq!(take(&mut policy, 0, 1.0), None);
    assert!(!policy.finished() && !policy.takes_part(0));
    let again = take(&mut policy, 1, 1.0).unwrap();
    assert_eq!(again.run, a.run);
    policy.complete(again.id, 1.0, 2.0);
    assert!(policy.finished());
}

/// Two devices: the first is late with its run, and the second has done all other bands.
fn straggling(rerun: bool) -> (Policy, Task, f64) {
    let priors = [measured(10.0), measured(10.0)];
    let mut policy = Policy::new(Strategy::Adaptive, 100, &priors).with_reruns(rerun);
    let slow = take(&mut policy, 0, 0.0).unwrap();
    let mut now = 0.0;
    let mut rest = 100 - (slow.run.end - slow.run.start);
    while rest > 0 {
        let Some(task) = take(&mut policy, 1, now) else {
            // The later the first device is, the less the outlook expects of it.
            now += 1.0;
            continue;
        };
        assert_eq!(task.redoes, None);
        let bands = task.run.end - task.run.start;
        rest -= bands;
        now += f64::from(bands) / 10.0;
        policy.complete(task.id, f64::from(bands) / 10.0, now);
    }
    (policy, slow, now + 20.0)
}

#[test]
fn of_a_run_and_its_second_run_the_first_to_end_counts() {
    // The second run ends first: the straggler's result is void.
    let (mut policy, slow, now) = straggling(true);
    let piece = take(&mut policy, 1, now).unwrap();
    assert_eq!((piece.redoes, &piece.run), (Some(slow.id), &slow.run));
    let ended = policy.complete(piece.id, 1.0, now + 1.0);
    assert!(ended.kept && policy.finished());
    assert_eq!((ended.overtaken, ended.void), (Some(slow.id), vec![slow.id]));
    assert_eq!(policy.complete(slow.id, 30.0, now + 2.0), Ended::default());

    // The straggler ends first: the second run is void.
    let (mut policy, slow, now) = straggling(true);
    let piece = take(&mut policy, 1, now).unwrap();
    let ended = policy.complete(slow.id, 30.0, now + 0.5);
    assert!(ended.kept && policy.finished());
    assert_eq!((ended.overtaken, ended.void), (None, vec![piece.id]));
    assert_eq!(policy.complete(piece.id, 1.0, now + 1.0), Ended::default());

    // The straggler fails: its second run counts.
    let (mut policy, slow, now) = straggling(true);
    let piece = take(&mut policy, 1, now).unwrap();
    policy.fail(slow.id, now);
    assert!(policy.complete(piece.id, 1.0, now + 1.0).kept && policy.finished());

    // The second run fails: the straggler's counts.
    let (mut policy, slow, now) = straggling(true);
    let piece = take(&mut policy, 1, now).unwrap();
    policy.fail(piece.id, now);
    assert!(policy.complete(slow.id, 30.0, now + 1.0).kept && policy.finished());
}

#[test]
fn nothing_is_computed_twice_where_that_was_not_allowed() {
    let (mut policy, _, now) = straggling(false);
    assert_eq!(take(&mut policy, 1, now + 1e6), None);
}

#[test]
fn homes_keep_what_a_device_computes_together() {
    let priors = [measured(10.0), measured(30.0)];
    let mut policy = Policy::new(Strategy::Adaptive, 100, &priors).with_homes(vec![0..25, 25..100]);
    let (a, b) = (take(&mut policy, 0, 0.0).unwrap(), take(&mut policy, 1, 0.0).unwrap());
    assert_eq!((a.run.start, b.run.start), (0, 25));
    let next = take(&mut policy, 0, 0.0).unwrap();
    assert_eq!(next.run.start, a.run.end);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever the devices and their estimated speeds, each band counts once, and no launch hangs.
    #[test]
    fn every_band_counts_once(
        bands in 1u32..300,
        rates in proptest::collection::vec(0.01f64..100.0, 1..7),
        beliefs in proptest::collection::vec(0.001f64..1000.0, 7),
        dies in proptest::collection::vec(proptest::option::weighted(0.3, 1u32..6), 7),
        known in any::<bool>(),
        strategy in 0usize..5,
        rerun in any::<bool>(),
        place in 0..3,
    ) {
        let priors: Vec<_> = rates
            .iter()
            .zip(&beliefs)
            .map(|(_, belief)| if known { measured(*belief) } else { estimated(*belief) })
            .collect();
        let mut dies = dies;
        dies[0] = None;
        let mut policy = Policy::new(STRATEGIES[strategy], bands, &priors).with_reruns(rerun);
        if place == 1 {
            policy = policy.with_neighbours();
        } else if place == 2 && strategy != 0 {
            let count = rates.len() as u32;
            policy = policy
                .with_homes((0..count).map(|i| bands * i / count..bands * (i + 1) / count).collect());
        }
        drive(bands, &rates, &dies, policy);
    }

    /// If the known speeds are right, slower devices delay the launch by 2 % at most.
    #[test]
    fn together_is_never_slower_than_the_best_alone(
        bands in 1u32..500,
        rates in proptest::collection::vec(0.01f64..100.0, 1..7),
    ) {
        let priors: Vec<_> = rates.iter().map(|rate| measured(*rate)).collect();
        let policy = Policy::new(Strategy::Adaptive, bands, &priors);
        let driven = drive_all(bands, &rates, policy);
        let best = rates.iter().copied().fold(0.0, f64::max);
        prop_assert!(driven.makespan <= 1.02 * f64::from(bands) / best, "{}", driven.makespan);
    }
}
