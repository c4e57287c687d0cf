//! Cutting the grid into tiles along two axes, if no band along one axis fits a device.
//!
//! A column band of a row-major matrix touches few elements, but the range that encloses them is the whole
//! matrix. So the window of a tile is the box around the elements that it touches (`Tiling::pitch`), if
//! the box is clearly smaller than the range. Tiles are as large as fits, since larger tiles move fewer
//! bytes: a tile of a product C = A B copies in rows of A and columns of B. In all other respects a tile
//! is a band: soundness is shown for any two tiles, and a device takes one tile at a time, or several
//! adjacent ones.

use std::ops::Range;

use super::band::{Band, cover};
use super::bands::note;
use super::soundness::merges;
use super::split::{Merge, Split, Wishes};
use super::subgroups::Able;
use super::tiling::{Room, Tiling, pitch};
use crate::analysis::{Footprint, OfLaunch, Use};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// The most tiles. Each is analysed, and more would cost more than they gain.
const MOST_TILES: u64 = 1024;

/// Tiles for each device that takes part, so that all are busy to the end.
const TILES_EACH: u64 = 4;

/// Cuts the grid into tiles that fit. The error says why that can't be done; it is empty if there is
/// nothing to say.
pub(super) fn split(
    kernel: &Kernel,
    analysis: &OfLaunch<'_>,
    able: &Able,
    wishes: &Wishes,
    (room, lengths): (&Room, &[u64]),
    consulted: &mut [bool],
) -> Result<Split, String> {
    let grid = analysis.arguments.grid;
    let facts = analysis.facts();
    let whole = facts.subgroups.is_some() && able.subgroups.is_err()
        || facts.uses.iter().flatten().any(|(_, used)| used.refused().is_some());
    if whole || grid.contains(&0) {
        return Err(String::new());
    }
    let search = Search { kernel, analysis, room, lengths };
    let mut found: Vec<Candidate> = Vec::new();
    let mut smallest: Option<String> = None;
    for (outer, inner) in [(1, 0), (2, 0), (2, 1)] {
        let axes = [outer, inner];
        if grid[outer] == 1 && grid[inner] == 1 {
            continue;
        }
        match search.candidates(axes) {
            Ok(candidates) => found.extend(candidates),
            Err(why) => smallest = smallest.or(Some(why)),
        }
    }
    // Prefer cuts with enough tiles, then those that move the fewest bytes.
    let all = GroupBox::whole(grid).workgroups();
    let enough = u64::try_from(all).unwrap_or(u64::MAX).min(TILES_EACH * able.count as u64);
    found.sort_by_key(|c| (c.tiles() < enough, c.bytes.saturating_mul(c.tiles())));
    let mut refusal = None;
    // The middle tile of each candidate fits. Tiles at the corners may be larger.
    let corners_fit = |candidate: &Candidate| {
        let fits = |part| search.sample(candidate.axes, candidate.counts, part).is_ok();
        fits(Part::First) && fits(Part::Last)
    };
    for candidate in found.into_iter().filter(corners_fit).take(MOST_TRIED) {
        match search.cut(&candidate, wishes, consulted) {
            Ok(split) => return Ok(split),
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    Err(refusal.or(smallest).unwrap_or_default())
}

/// The most cuts that are analysed, best first.
const MOST_TRIED: usize = 6;

/// A cut whose middle tile fits.
struct Candidate {
    axes: [usize; 2],
    /// The numbers of tiles along the axes.
    counts: [u32; 2],
    /// The bytes of all windows of a tile.
    bytes: u64,
}

impl Candidate {
    fn tiles(&self) -> u64 {
        u64::from(self.counts[0]) * u64::from(self.counts[1])
    }
}

/// The position of a tile in a cut.
#[derive(Clone, Copy)]
enum Part {
    First,
    Middle,
    Last,
}

/// The range of part `at` of `count` nearly equal ones.
fn part(extent: u32, count: u32, at: u32) -> Range<u32> {
    let edge = |at: u32| (u64::from(extent) * u64::from(at) / u64::from(count)) as u32;
    edge(at)..edge(at + 1)
}

struct Search<'s> {
    kernel: &'s Kernel,
    analysis: &'s OfLaunch<'s>,
    room: &'s Room,
    lengths: &'s [u64],
}

impl Search<'_> {
    /// For several numbers of tiles along the second axis, the fewest along the first with which a tile
    /// fits. The error says why not even a single workgroup fits.
    fn candidates(&self, axes: [usize; 2]) -> Result<Vec<Candidate>, String> {
        let grid = self.analysis.arguments.grid;
        let [most, columns] = axes.map(|axis| grid[axis]);
        let mut found = Vec::new();
        let mut finest = Err(format!("that would take more than {MOST_TILES} tiles"));
        // 1, 2, 3, 4, 6, 8, 12…
        let halves = (0..32).flat_map(|n| [1u64 << n, 3 << n]);
        let mut numbers: Vec<u32> = halves.filter_map(|n| u32::try_from(n).ok()).collect();
        numbers.sort_unstable();
        numbers.retain(|&n| n < columns);
        numbers.push(columns);
        // The more tiles along the second axis, the fewer suffice along the first.
        let mut high = most;
        for across in numbers {
            let fits = |down: u32| self.sample(axes, [down, across], Part::Middle);
            let mut bytes = match fits(high) {
                Ok(bytes) => bytes,
                Err(why) => {
                    finest = Err(why);
                    continue;
                }
            };
            let mut low = 1;
            while low < high {
                let middle = low + (high - low) / 2;
                match fits(middle) {
                    Ok(found) => (high, bytes) = (middle, found),
                    Err(_) => low = middle + 1,
                }
            }
            // More tiles along the first axis leave room for tiles that are larger than the middle one.
            let counts = [high, high.saturating_add(1), high.saturating_mul(2)];
            for down in counts.into_iter().filter(|down| *down <= most) {
                found.push(Candidate { axes, counts: [down, across], bytes });
            }
        }
        found.retain(|candidate| candidate.tiles() <= MOST_TILES);
        if found.is_empty() { finest.map(|()| found) } else { Ok(found) }
    }

    /// The bytes of a tile, if it fits, or why it does not.
    fn sample(&self, axes: [usize; 2], counts: [u32; 2], which: Part) -> Result<u64, String> {
        let grid = self.analysis.arguments.grid;
        let mut groups = GroupBox::whole(grid);
        for (axis, count) in axes.into_iter().zip(counts) {
            let part = match which {
                Part::First => part(grid[axis], count, 0),
                Part::Last => part(grid[axis], count, count - 1),
                // The largest tile near the middle.
                Part::Middle => {
                    let near = (count / 2).saturating_sub(1)..(count / 2 + 2).min(count);
                    let parts = near.map(|at| part(grid[axis], count, at));
                    parts.max_by_key(|part| part.len()).unwrap_or(0..grid[axis])
                }
            };
            groups = groups.band(axis, part.start, part.end);
        }
        let footprints = self.analysis.footprints(groups);
        self.fit("a single workgroup", &footprints, &self.pitched(&footprints))
    }

    /// Which bindings have boxes as windows: those whose box has less than 3/4 of the elements of the
    /// enclosing range.
    fn pitched(&self, footprints: &[Footprint]) -> Vec<bool> {
        let bindings = self.kernel.signature().bindings.iter().zip(&self.analysis.facts().uses);
        let reduced = bindings.zip(footprints);
        let boxed = reduced.map(|((binding, used), footprint)| {
            let layout = &binding.layout;
            let simple = binding.space.is_storage() && layout.header == 0 && layout.count.is_none();
            if !simple || used.iter().any(|(_, used)| matches!(used, Use::Reduce(_))) {
                return false;
            }
            let range = range_of(footprint);
            let boxed = pitch(binding.layout.stride, footprint, self.lengths).len();
            boxed < (range.end - range.start) / 4 * 3
        });
        boxed.collect()
    }

    /// The bytes of all windows, or why they do not fit.
    fn fit(&self, who: &str, footprints: &[Footprint], pitched: &[bool]) -> Result<u64, String> {
        let mut total = 0u64;
        for (id, binding) in self.kernel.signature().bindings.iter().enumerate() {
            if !binding.space.is_storage() {
                continue;
            }
            let footprint = &footprints[id];
            let range = range_of(footprint);
            let elements = match pitched[id] {
                true => pitch(binding.layout.stride, footprint, self.lengths).len(),
                false => range.end - range.start,
            };
            let bytes = elements.saturating_mul(binding.layout.stride);
            let bytes = bytes.saturating_add(binding.layout.header);
            if bytes > self.room.binding {
                return Err(format!(
                    "{who} needs {bytes} bytes of `{}`, and a binding holds {} at most",
                    binding.name, self.room.binding
                ));
            }
            total = total.saturating_add(bytes);
        }
        if total > self.room.memory {
            return Err(format!(
                "{who} needs {total} bytes of all buffers, and a chunk may take {} at most",
                self.room.memory
            ));
        }
        Ok(total)
    }

    /// The split, if all its tiles fit and the cut is sound.
    fn cut(
        &self,
        candidate: &Candidate,
        wishes: &Wishes,
        consulted: &mut [bool],
    ) -> Result<Split, String> {
        let grid = self.analysis.arguments.grid;
        let Candidate { axes: [outer, inner], counts: [down, across], .. } = *candidate;
        let edges: Vec<u32> = (0..across)
            .map(|at| part(grid[inner], across, at).start)
            .chain([grid[inner]])
            .collect();
        let mut tiles = Vec::new();
        for at in 0..down {
            let rows = part(grid[outer], down, at);
            let row = GroupBox::whole(grid).band(outer, rows.start, rows.end);
            for footprints in self.analysis.bands_of(row, inner, &edges) {
                tiles.push(Band { start: rows.start, end: rows.end, footprints });
            }
        }
        tiles.iter().for_each(|tile| note(&tile.footprints, consulted));
        let merges = merges(self.kernel, self.analysis, &tiles, outer, wishes.race_free)
            .map_err(|(why, _)| why)?;
        let mut pitched = vec![false; merges.len()];
        for tile in &tiles {
            let boxed = self.pitched(&tile.footprints);
            pitched.iter_mut().zip(boxed).for_each(|(all, one)| *all |= one);
        }
        // Merging compares ranges, so windows of merged bindings are ranges.
        for (pitched, merge) in pitched.iter_mut().zip(&merges) {
            *pitched &= *merge == Merge::Apart;
        }
        for tile in &tiles {
            self.fit("a tile", &tile.footprints, &pitched)?;
        }
        let tiling = Tiling {
            axis: inner,
            edges,
            pitched,
            lengths: self.lengths.to_vec(),
            why: self.room.why.clone(),
        };
        Ok(Split::Bands {
            axis: outer,
            bands: tiles.into(),
            merges: merges.into(),
            tiling: Some(tiling.into()),
        })
    }
}

/// The range that encloses all elements that are touched.
fn range_of(footprint: &Footprint) -> Range<u64> {
    cover(&footprint.read.hull(), &footprint.may_write.hull())
}
