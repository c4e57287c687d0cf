//! The access history of each scalar, in one cell, and the races that it shows.
//!
//! For the running workgroup, a cell holds up to two invocations that wrote the scalar since the last barrier,
//! and up to two that read it. For the whole launch, it holds two workgroups that wrote the scalar and two that
//! read it. Two are enough: any other invocation differs from at least one of them, so if two accesses to a
//! scalar race, a race on it is found. Cells are made at the first access.

/// An invocation and a site: local index, then site.
type Local = u32;
/// The same with the workgroup's number in front.
type Global = u64;

const NOBODY: Local = u32::MAX;
const NO_GROUP: Global = u64::MAX;

/// An invocation that touched a scalar, and the site of the access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Toucher {
    /// Position of the workgroup in the chunk.
    pub(super) group: u32,
    /// `local_invocation_index`
    pub(super) local: u16,
    pub(super) site: u16,
}

impl Toucher {
    fn short(self) -> Local {
        u32::from(self.local) << 16 | u32::from(self.site)
    }

    fn long(self) -> Global {
        u64::from(self.group) << 32 | u64::from(self.short())
    }

    fn from_short(group: u32, short: Local) -> Toucher {
        Toucher { group, local: (short >> 16) as u16, site: short as u16 }
    }

    fn from_long(long: Global) -> Toucher {
        Toucher::from_short((long >> 32) as u32, long as u32)
    }
}

/// The accesses to a scalar since the last barrier of the workgroup that touched it last.
#[derive(Debug, Clone, Copy)]
struct Recent {
    group: u32,
    epoch: u32,
    writers: [Local; 2],
    readers: [Local; 2],
}

const UNTOUCHED: Recent =
    Recent { group: u32::MAX, epoch: 0, writers: [NOBODY; 2], readers: [NOBODY; 2] };

impl Recent {
    /// Records an access. Returns the earlier accesses that it races with: a write and a read.
    #[inline]
    fn touch(&mut self, who: Toucher, epoch: u32, write: bool) -> [Option<Toucher>; 2] {
        let me = who.short();
        if self.group != who.group || self.epoch != epoch {
            *self = Recent { group: who.group, epoch, ..UNTOUCHED };
        }
        let other = |list: &[Local; 2]| {
            let stranger = |&&one: &&Local| one != NOBODY && one >> 16 != me >> 16;
            list.iter().find(stranger).map(|&one| Toucher::from_short(who.group, one))
        };
        let raced = [other(&self.writers), if write { other(&self.readers) } else { None }];
        let list = if write { &mut self.writers } else { &mut self.readers };
        if list[0] == NOBODY {
            list[0] = me;
        } else if list[1] == NOBODY && list[0] >> 16 != me >> 16 {
            list[1] = me;
        }
        raced
    }
}

/// The accesses to a scalar in the whole launch.
#[derive(Debug, Clone, Copy)]
struct Ever {
    writers: [Global; 2],
    readers: [Global; 2],
}

impl Ever {
    #[inline]
    fn touch(&mut self, who: Toucher, write: bool) -> [Option<Toucher>; 2] {
        let me = who.long();
        let other = |list: &[Global; 2]| {
            let stranger = |&&one: &&Global| one != NO_GROUP && one >> 32 != me >> 32;
            list.iter().find(stranger).map(|&one| Toucher::from_long(one))
        };
        let raced = [other(&self.writers), if write { other(&self.readers) } else { None }];
        let list = if write { &mut self.writers } else { &mut self.readers };
        if list[0] == NO_GROUP {
            list[0] = me;
        } else if list[1] == NO_GROUP && list[0] >> 32 != me >> 32 {
            list[1] = me;
        }
        raced
    }
}

/// The history of workgroup memory.
#[derive(Debug)]
pub(super) struct WorkgroupShadow {
    cells: Vec<Recent>,
}

impl WorkgroupShadow {
    pub(super) fn new(words: usize) -> WorkgroupShadow {
        WorkgroupShadow { cells: vec![UNTOUCHED; words] }
    }

    #[inline]
    pub(super) fn touch(
        &mut self,
        word: usize,
        who: Toucher,
        epoch: u32,
        write: bool,
    ) -> [Option<Toucher>; 2] {
        self.cells.get_mut(word).map_or([None; 2], |cell| cell.touch(who, epoch, write))
    }
}

/// Races of one access with earlier ones.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Races {
    /// With a writer and a reader of the same workgroup.
    pub(super) within: [Option<Toucher>; 2],
    /// With a writer and a reader of another workgroup.
    pub(super) across: [Option<Toucher>; 2],
}

/// The history of consecutive scalars; `None` if no invocation has touched any of them.
type Page = Option<Box<[(Recent, Ever)]>>;

/// The history of a storage buffer.
#[derive(Debug)]
pub(super) struct StorageShadow {
    pages: Vec<Page>,
    /// The binary logarithm of a scalar's bytes.
    shift: u32,
}

/// Scalars of one page.
const PAGE: usize = 1 << 10;

impl StorageShadow {
    /// Makes the history of a buffer of `bytes` bytes; `halves` says that it has scalars of two bytes.
    pub(super) fn new(bytes: u64, halves: bool) -> StorageShadow {
        let shift = if halves { 1 } else { 2 };
        let pages = ((bytes >> shift) as usize).div_ceil(PAGE);
        StorageShadow { pages: (0..pages).map(|_| None).collect(), shift }
    }

    /// Records an access to `size` bytes at `at`: the size of one scalar or of two.
    #[inline]
    pub(super) fn touch(
        &mut self,
        at: u64,
        size: u8,
        who: Toucher,
        epoch: u32,
        write: bool,
    ) -> Races {
        let mut races = Races::default();
        let scalars = (u64::from(size) >> self.shift).max(1);
        let first = at >> self.shift;
        for scalar in first..first + scalars {
            let Some(page) = self.pages.get_mut(scalar as usize / PAGE) else { continue };
            let page = page.get_or_insert_with(|| {
                let ever = Ever { writers: [NO_GROUP; 2], readers: [NO_GROUP; 2] };
                vec![(UNTOUCHED, ever); PAGE].into_boxed_slice()
            });
            let (recent, ever) = &mut page[scalar as usize % PAGE];
            let within = recent.touch(who, epoch, write);
            let across = ever.touch(who, write);
            for kind in 0..2 {
                races.within[kind] = races.within[kind].or(within[kind]);
                races.across[kind] = races.across[kind].or(across[kind]);
            }
        }
        races
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(group: u32, local: u16) -> Toucher {
        Toucher { group, local, site: 7 }
    }

    #[test]
    fn reads_never_race_and_one_invocation_never_races_with_itself() {
        let mut shadow = StorageShadow::new(64, false);
        let clean = |races: Races| races.within == [None; 2] && races.across == [None; 2];
        for who in [by(0, 0), by(0, 1), by(1, 0), by(2, 5)] {
            assert!(clean(shadow.touch(4, 4, who, 0, false)));
        }
        assert!(clean(shadow.touch(8, 4, by(0, 0), 0, true)));
        assert!(clean(shadow.touch(8, 4, by(0, 0), 0, false)));
        assert!(clean(shadow.touch(8, 4, by(0, 0), 0, true)));
    }

    #[test]
    fn a_barrier_orders_a_workgroup_and_nothing_orders_two() {
        let mut shadow = StorageShadow::new(64, false);
        shadow.touch(0, 4, by(0, 0), 0, true);
        assert_eq!(shadow.touch(0, 4, by(0, 1), 1, false).within, [None; 2]);
        assert_eq!(shadow.touch(0, 4, by(0, 2), 1, true).within, [None, Some(by(0, 1))]);
        let races = shadow.touch(0, 4, by(1, 0), 5, false);
        assert_eq!((races.within, races.across), ([None; 2], [Some(by(0, 0)), None]));
    }

    #[test]
    fn a_writer_meets_a_reader_that_is_not_itself() {
        let mut shadow = WorkgroupShadow::new(4);
        shadow.touch(1, by(0, 3), 0, false);
        assert_eq!(shadow.touch(1, by(0, 3), 0, true), [None; 2]);
        shadow.touch(2, by(0, 3), 0, false);
        shadow.touch(2, by(0, 4), 0, false);
        assert_eq!(shadow.touch(2, by(0, 3), 0, true), [None, Some(by(0, 4))]);
    }

    #[test]
    fn halves_of_a_word_are_apart() {
        let mut shadow = StorageShadow::new(64, true);
        shadow.touch(0, 2, by(0, 0), 0, true);
        assert_eq!(shadow.touch(2, 2, by(0, 1), 0, true).within, [None; 2]);
        assert_eq!(shadow.touch(0, 4, by(0, 2), 0, false).within, [Some(by(0, 0)), None]);
    }
}
