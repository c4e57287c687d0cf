//! A damaged file of profiles: the balance of launches recovers by itself.

use std::path::PathBuf;
use std::time::Duration;

use super::measurement::device_hash;
use super::memo::Memo;
use crate::runtime::api::LOG_MEMORY;
use crate::runtime::execution::tests::{Script, devices, launch, right};
use crate::runtime::{Report, Runtime};

/// Launches within which the work must be balanced again.
const FEW: usize = 6;

/// The time of a workgroup on each of the two devices.
const EACH: Script = Script::Each(Duration::from_micros(200));

struct Cache(PathBuf);

impl Cache {
    fn new() -> Cache {
        let name = format!("coexec-spoilt-profiles-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&place);
        Cache(place)
    }

    /// A runtime in a new program of the same user.
    fn program(&self) -> Runtime {
        let memo = Memo::kept_in(self.0.clone());
        Runtime::with(devices(&[(EACH, 1), (EACH, 1)]), None, LOG_MEMORY, memo)
    }

    fn file(&self) -> PathBuf {
        self.0.join("profiles.txt")
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(runtime: &Runtime) -> Report {
    let (report, out) = launch(runtime, None);
    assert!(right(&out));
    report.unwrap()
}

/// Whether each of the two equal devices did a large part.
fn is_balanced(report: &Report) -> bool {
    report.devices.iter().all(|device| device.share > 0.25)
}

/// The hash of the second device in a file.
fn second() -> u64 {
    device_hash(devices(&[(EACH, 1), (EACH, 1)])[1].info())
}

/// A file in which the rates of the second device are multiplied.
fn second_by(text: &str, factor: f64) -> String {
    let second = format!("{:x}", second());
    let line = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if words.get(1) == Some(&second) && words.len() == 6 {
            words[3] = format!("{:e}", words[3].parse::<f64>().unwrap() * factor);
        }
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// A file with additional lines before the end; `rates` says whether the others stay.
fn with_lines(text: &str, rates: bool, lines: &[(u8, f64)]) -> String {
    let second = second();
    let head = text.lines().next().unwrap();
    let mut all = format!("{head}\n");
    for line in text.lines().skip(1).filter(|line| rates && *line != "end") {
        all += &format!("{line}\n");
    }
    for (bound, rate) in lines {
        all += &format!("0 {second:x} {bound} {rate:e} 9 0e0\n");
    }
    all + "end\n"
}

/// A way to damage a file.
type Way = (&'static str, fn(&str) -> Vec<u8>);

const WAYS: [Way; 12] = [
    ("empty", |_| Vec::new()),
    ("cut short", |text| text.as_bytes()[..text.len() * 2 / 3].to_vec()),
    ("garbage", |_| b"\xff\xfe\x00garbage\n".repeat(100)),
    ("another version", |text| text.replace("profiles 3", "profiles 2").into()),
    ("a device that is slow beyond belief", |text| second_by(text, 1e-6).into()),
    ("a device that is fast beyond belief", |text| second_by(text, 1e6).into()),
    ("a device that is slower than it is", |text| second_by(text, 1.0 / 40.0).into()),
    ("a device that is faster than it is", |text| second_by(text, 40.0).into()),
    ("a roofline of a tiny launch that was compiled", |text| {
        with_lines(text, false, &[(0, 2e5), (1, 2e4)]).into()
    }),
    ("a roofline beyond all hardware", |text| {
        with_lines(text, false, &[(0, 1e20), (1, 1e20)]).into()
    }),
    ("rooflines that are just possible", |text| {
        with_lines(text, true, &[(0, 4e8), (1, 4e8)]).into()
    }),
    ("many measurements of what is wrong", |text| {
        second_by(text, 1e-3).replace(" 1 0e0\n", " 4294967295 1e300\n").into()
    }),
];

#[test]
fn in_whichever_way_profiles_are_spoilt_the_work_is_balanced_within_a_few_launches() {
    let cache = Cache::new();
    // The file as one program measures it.
    assert!((0..FEW).any(|_| is_balanced(&run(&cache.program()))));
    let whole = std::fs::read_to_string(cache.file()).unwrap();
    assert!(whole.lines().count() >= 4, "{whole}");
    for (name, spoil) in WAYS {
        for programs in [true, false] {
            let _ = std::fs::create_dir_all(&cache.0);
            std::fs::write(cache.file(), spoil(&whole)).unwrap();
            let one = cache.program();
            let next = || if programs { run(&cache.program()) } else { run(&one) };
            let reports: Vec<Report> = (0..FEW).map(|_| next()).collect();
            let shown: String = reports.iter().map(|report| format!("{report}\n")).collect();
            assert!(reports.iter().any(is_balanced), "{name}, programs: {programs}\n{shown}");
        }
    }
}
