//! Profiles: measurements that are kept from run to run. They are workgroups per second by kernel, device and
//! size class, and the roofline of each device, as launches have shown it.
//!
//! The file (`profile_file`) is read at the first launch, and written when the runtime is dropped, if a
//! measurement is worth keeping. If it can't be written, it stays as it is, because profiles only improve the
//! first launches. Its contents are hearsay (`belief`) until this runtime has measured the same. A
//! measurement that contradicts hearsay replaces it.
//!
//! Profiles also have the time for which launches ran without a device, so that `belief` can try the device.
//! A roofline is the largest measured rate, and fades slowly if launches show less. A runtime whose devices
//! fail or are slow on purpose neither reads nor writes the file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::belief::Measured;
use super::measurement::{ANY_KERNEL, Key, Known};
use super::profile_file::{self, MOST, read, write};
use crate::plan::Bound;

/// The time of the shortest launch whose measurements are worth keeping.
const WORTH: Duration = Duration::from_millis(1);
/// The number of workgroups that fill a device. Smaller launches do not make its roofline fade.
const FULL: u64 = 64;
/// The profiles of a runtime.
#[derive(Debug)]
pub(super) struct Profiles {
    directory: Option<PathBuf>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    read: bool,
    changed: bool,
    known: HashMap<Key, Known>,
    /// The entries that this runtime measured.
    own: HashMap<Key, Known>,
}

impl Default for Profiles {
    fn default() -> Profiles {
        // Unit tests neither read nor write the user's file.
        Profiles::at(if cfg!(test) { None } else { profile_file::directory() })
    }
}

impl Profiles {
    /// Profiles that are not kept beyond their runtime.
    pub(super) fn of_one_runtime() -> Profiles {
        Profiles::at(None)
    }

    /// Profiles in a directory; without one they are not kept.
    pub(super) fn at(directory: Option<PathBuf>) -> Profiles {
        Profiles { directory, inner: Mutex::default() }
    }

    /// The known entries, read from the file at the first call.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if !inner.read {
            inner.read = true;
            if let Some(directory) = &self.directory {
                inner.known = read(&profile_file::place(directory));
            }
        }
        inner
    }

    /// Workgroups per second, in launches of this size class or else of the nearest known one.
    pub(super) fn rate(&self, key: Key) -> Option<Measured> {
        let inner = self.inner();
        let of = |key: Key, near: bool| {
            let known = inner.known.get(&key).filter(|known| known.samples > 0)?;
            Some(Measured { speed: known.rate, near, hearsay: !known.own })
        };
        let near = |away: u8| {
            let below = key.class.checked_sub(away).map(|class| Key { class, ..key });
            let above = key.class.checked_add(away).map(|class| Key { class, ..key });
            [above, below].into_iter().flatten().find_map(|key| of(key, true))
        };
        of(key, false).or_else(|| (1..=6).find_map(near))
    }

    /// Seconds of launches without the device since it was last measured or tried.
    pub(super) fn idle(&self, key: Key) -> f64 {
        self.inner().known.get(&key).map_or(0.0, |known| known.idle)
    }

    /// Records a launch of length `took` in which the device computed nothing, or was tried and
    /// called off.
    pub(super) fn left_out(&self, key: Key, took: Duration, tried: bool) {
        let mut inner = self.inner();
        let known = inner.known.entry(key).or_insert(Known::NOTHING);
        known.idle = if tried { 0.0 } else { known.idle + took.as_secs_f64() };
        let known = *known;
        if took >= WORTH {
            inner.own.insert(key, known);
            inner.changed = true;
        }
    }

    /// The known rates of a device's roofline.
    pub(super) fn roofline(&self, device: u64) -> [Option<f64>; 3] {
        let inner = self.inner();
        Bound::ALL.map(|bound| {
            let key = Key { kernel: ANY_KERNEL, device, class: bound as u8 };
            inner.known.get(&key).map(|known| known.rate)
        })
    }

    /// Records that a device ran a launch of `key` at `rate`, and was busy for `busy`.
    pub(super) fn measured(&self, key: Key, rate: f64, busy: Duration) {
        self.note(key, rate, busy, Known::add);
    }

    /// Records that a device computed `workgroups` in `busy`, and thereby showed a rate of its
    /// roofline.
    pub(super) fn showed(
        &self,
        device: u64,
        (bound, rate): (Bound, f64),
        workgroups: u64,
        busy: Duration,
    ) {
        if busy >= WORTH {
            let key = Key { kernel: ANY_KERNEL, device, class: bound as u8 };
            self.note(key, rate, busy, |known, rate| known.show(rate, workgroups >= FULL));
        }
    }

    fn note(&self, key: Key, rate: f64, busy: Duration, take: impl FnOnce(&mut Known, f64)) {
        if !(rate.is_finite() && rate > 0.0) {
            return;
        }
        let mut inner = self.inner();
        let known = inner.known.entry(key).or_insert(Known::NOTHING);
        take(known, rate);
        let known = *known;
        if busy >= WORTH {
            inner.own.insert(key, known);
            inner.changed = true;
        }
    }

    /// Writes the own measurements, and those that other programs have written meanwhile.
    fn save(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (true, Some(directory)) = (inner.changed, &self.directory) else { return };
        inner.changed = false;
        let mut all: Vec<(Key, Known)> = inner.own.iter().map(|(k, v)| (*k, *v)).collect();
        let others = read(&profile_file::place(directory));
        let mut others: Vec<_> =
            others.into_iter().filter(|(key, _)| !inner.own.contains_key(key)).collect();
        others.sort_by_key(|(key, known)| (std::cmp::Reverse(known.samples), *key));
        all.extend(others);
        all.truncate(MOST);
        all.sort_by_key(|(key, _)| *key);
        if let Err(error) = write(directory, &all) {
            tracing::debug!(%error, "the profiles can't be saved");
        }
    }
}

impl Drop for Profiles {
    fn drop(&mut self) {
        self.save();
    }
}

#[cfg(test)]
mod tests {
    use super::profile_file::{LARGEST, VERSION, parse};
    use super::*;

    const KEY: Key = Key { kernel: 7, device: 9, class: 10 };
    const LONG: Duration = Duration::from_millis(5);

    /// A directory for one test, removed at its end.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Directory {
            let place = format!("coexec-profiles-{name}-{}", std::process::id());
            let place = std::env::temp_dir().join(place);
            let _ = std::fs::remove_dir_all(&place);
            Directory(place)
        }

        fn open(&self) -> Profiles {
            Profiles::at(Some(self.0.clone()))
        }

        fn file(&self) -> PathBuf {
            profile_file::place(&self.0)
        }

        /// Writes the measurements of an earlier program.
        fn fill(&self) {
            let earlier = self.open();
            earlier.measured(KEY, 100.0, LONG);
            earlier.showed(KEY.device, (Bound::Compute, 50.0), FULL, LONG);
            drop(earlier);
            assert_eq!(rate(&self.open(), KEY), Some((100.0, false)));
        }
    }

    /// The known rate, and whether it is of launches of another size.
    fn rate(profiles: &Profiles, key: Key) -> Option<(f64, bool)> {
        profiles.rate(key).map(|measured| (measured.speed, measured.near))
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_was_measured_is_known_to_the_next_runtime() {
        let directory = Directory::new("kept");
        directory.fill();
        let next = directory.open();
        assert_eq!(next.roofline(9), [Some(50.0), None, None]);
        assert_eq!(next.roofline(8), [None; 3]);
        next.showed(9, (Bound::Link, 7.0), FULL, LONG);
        assert_eq!(next.roofline(9), [Some(50.0), None, Some(7.0)]);
        assert_eq!(rate(&next, Key { class: 12, ..KEY }), Some((100.0, true)));
        assert_eq!(rate(&next, Key { class: 30, ..KEY }), None);
        assert_eq!(rate(&next, Key { kernel: 8, ..KEY }), None);
        // Two runtimes at the same time: neither loses the measurements of the other.
        let (a, b) = (directory.open(), directory.open());
        a.measured(Key { kernel: 1, ..KEY }, 1.0, LONG);
        b.measured(Key { kernel: 2, ..KEY }, 2.0, LONG);
        drop((a, b));
        let all = directory.open();
        for kernel in [1, 2, 7] {
            assert!(all.rate(Key { kernel, ..KEY }).is_some(), "{kernel}");
        }
    }

    #[test]
    fn deleted_corrupt_truncated_and_foreign_files_are_as_good_as_none() {
        let directory = Directory::new("corrupt");
        directory.fill();
        let whole = std::fs::read(directory.file()).unwrap();
        let mut bad: Vec<Vec<u8>> = (0..whole.len()).map(|n| whole[..n].to_vec()).collect();
        bad.push(b"\xff\xfe\x00garbage".to_vec());
        bad.push(
            String::from_utf8(whole.clone()).unwrap().replace("profiles 3", "profiles 2").into(),
        );
        for text in [
            "7 9 10 NaN 1 0",
            "7 9 10 -1e2 1 0",
            "7 9 10 1e999 1 0",
            "7 9 999 1 1 0",
            "7 9 10 1e2 1 NaN",
            "7 9 10 1e2 1 -1",
            "7 9 10 1e2 1",
            "x",
            "7 9",
        ] {
            bad.push(format!("{VERSION}\n{text}\nend\n").into());
        }
        for bytes in bad {
            std::fs::write(directory.file(), &bytes).unwrap();
            let profiles = directory.open();
            assert_eq!(rate(&profiles, KEY), None, "{:?}", String::from_utf8_lossy(&bytes));
            // The next write repairs the file.
            profiles.measured(KEY, 5.0, LONG);
            drop(profiles);
            assert_eq!(rate(&directory.open(), KEY), Some((5.0, false)));
        }
        std::fs::remove_dir_all(&directory.0).unwrap();
        assert_eq!(rate(&directory.open(), KEY), None);
    }

    #[test]
    fn a_directory_that_cannot_be_written_does_no_harm() {
        // A file where the directory should be: not even root can write there.
        let directory = Directory::new("readonly");
        std::fs::write(&directory.0, b"in the way").unwrap();
        let profiles = directory.open();
        assert_eq!(rate(&profiles, KEY), None);
        profiles.measured(KEY, 5.0, LONG);
        assert_eq!(rate(&profiles, KEY), Some((5.0, false)));
        drop(profiles);
        assert_eq!(std::fs::read(&directory.0).unwrap(), b"in the way");
        std::fs::remove_file(&directory.0).unwrap();
    }

    #[test]
    fn files_that_lie_are_neither_believed_nor_a_danger() {
        let directory = Directory::new("lies");
        directory.fill();
        for kernel in 20..30 {
            directory.open().measured(Key { kernel, ..KEY }, 3.5, LONG);
        }
        let whole = std::fs::read(directory.file()).unwrap();
        let cases = std::env::var("COEXEC_FUZZ").map_or(2000, |n| n.parse().unwrap());
        let mut chance = 0x9E37_79B9_7F4A_7C15u64;
        let mut below = |bound: usize| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            ((chance >> 11) % bound as u64) as usize
        };
        let (mut believed, mut refused) = (0, 0);
        for _ in 0..cases {
            let mut bytes = whole.clone();
            for _ in 0..1 + below(4) {
                let at = below(bytes.len());
                match below(6) {
                    0 => bytes[at] ^= 1 << below(8),
                    1 => bytes.truncate(at.max(1)),
                    2 => bytes.insert(at, b"0123456789abcdef -.e\n\0"[below(22)]),
                    3 => drop(bytes.drain(at..(at + 1 + below(9)).min(bytes.len() - 1).max(at))),
                    4 => bytes.extend_from_within(at..),
                    _ => bytes.splice(at..at, *b"99999999999999999999").for_each(drop),
                }
            }
            let known = String::from_utf8(bytes).ok().and_then(|text| parse(&text));
            match known {
                Some(known) => {
                    believed += 1;
                    assert!(known.len() <= 2 * MOST + 1);
                    assert!(known.values().all(|k| k.rate.is_finite() && k.rate > 0.0));
                }
                None => refused += 1,
            }
        }
        assert!(believed > 0 && refused > cases / 4, "{believed} and {refused}");

        // Valid, and far too large.
        let line = "7 9 10 1e2 1 0\n".repeat((LARGEST / 15) as usize + 1);
        std::fs::write(directory.file(), format!("{VERSION}\n{line}end\n")).unwrap();
        assert_eq!(rate(&directory.open(), KEY), None);
        // A directory with the name of the file.
        std::fs::remove_file(directory.file()).unwrap();
        std::fs::create_dir(directory.file()).unwrap();
        let profiles = directory.open();
        assert_eq!(rate(&profiles, KEY), None);
        profiles.measured(KEY, 5.0, LONG);
        drop(profiles);
        assert!(directory.file().is_dir());
        let left = std::fs::read_dir(&directory.0).unwrap().count();
        assert_eq!(left, 1, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_without_permission_to_write_keeps_what_it_has() {
        use std::os::unix::fs::PermissionsExt;
        let directory = Directory::new("permission");
        directory.fill();
        let before = std::fs::read(directory.file()).unwrap();
        let allow = |mode| {
            std::fs::set_permissions(&directory.0, PermissionsExt::from_mode(mode)).unwrap();
        };
        allow(0o555);
        let writable = std::fs::write(directory.0.join("probe"), b"").is_ok();
        directory.open().measured(KEY, 7.0, LONG);
        allow(0o755);
        // Root may write anywhere.
        if !writable {
            assert_eq!(std::fs::read(directory.file()).unwrap(), before);
        }
    }

    #[test]
    fn nothing_is_written_where_nothing_worth_keeping_was_measured() {
        let directory = Directory::new("nothing");
        let profiles = directory.open();
        profiles.measured(KEY, 5.0, Duration::from_micros(10));
        profiles.showed(9, (Bound::Compute, 5.0), FULL, Duration::from_micros(10));
        profiles.left_out(KEY, Duration::from_micros(10), false);
        assert_eq!(rate(&profiles, KEY), Some((5.0, false)));
        drop(profiles);
        assert!(!directory.0.exists());
    }

    #[test]
    fn an_outlier_moves_what_is_known_only_a_little() {
        let profiles = Profiles::at(None);
        (0..10).for_each(|_| profiles.measured(KEY, 100.0, LONG));
        profiles.measured(KEY, 1e6, LONG);
        let known = || rate(&profiles, KEY).unwrap().0;
        assert!((100.0..150.0).contains(&known()), "{}", known());
        // Repeated measurements are believed in the end.
        (0..12).for_each(|_| profiles.measured(KEY, 1000.0, LONG));
        assert!((800.0..1001.0).contains(&known()), "{}", known());
        profiles.measured(KEY, f64::NAN, LONG);
        profiles.measured(KEY, 0.0, LONG);
        assert!(known().is_finite());
    }

    #[test]
    fn a_measurement_takes_the_place_of_hearsay_that_it_contradicts() {
        let directory = Directory::new("hearsay");
        directory.fill();
        let profiles = directory.open();
        assert!(profiles.rate(KEY).unwrap().hearsay);
        profiles.measured(KEY, 1e4, LONG);
        let known = profiles.rate(KEY).unwrap();
        assert_eq!((known.speed, known.hearsay), (1e4, false));
        let other = directory.open();
        other.measured(KEY, 150.0, LONG);
        let known = other.rate(KEY).unwrap().speed;
        assert!((100.0..150.0).contains(&known), "both count: {known}");
    }

    #[test]
    fn a_roofline_is_the_largest_rate_and_fades_slowly_where_launches_that_fill_the_device_show_less()
     {
        let profiles = Profiles::at(None);
        let show = |rate: f64, workgroups: u64| {
            profiles.showed(9, (Bound::Compute, rate), workgroups, LONG);
            profiles.roofline(9)[0]
        };
        assert_eq!(show(1e3, 1), Some(1e3));
        assert_eq!(show(1e9, FULL), Some(1e9));
        assert_eq!(show(1e3, FULL - 1), Some(1e9), "it leaves most of the device idle");
        assert_eq!(show(1e3, FULL), Some(0.9e9));
        assert_eq!(show(2e9, 1), Some(2e9));
    }

    #[test]
    fn how_long_a_device_was_left_out_is_kept_until_it_is_measured_or_tried() {
        let directory = Directory::new("idle");
        let key = Key { kernel: 5, ..KEY };
        for launch in 0..3 {
            let profiles = directory.open();
            assert_eq!(profiles.idle(key), 0.005 * f64::from(launch));
            assert!(profiles.rate(key).is_none(), "nothing was measured");
            profiles.left_out(key, LONG, false);
        }
        directory.open().left_out(key, LONG, true);
        assert_eq!(directory.open().idle(key), 0.0);
        directory.open().left_out(key, LONG, false);
        directory.open().measured(key, 5.0, LONG);
        assert_eq!(directory.open().idle(key), 0.0);
    }
}
