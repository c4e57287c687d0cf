//! The sentences that explain a plan, with numbers: why a launch ran as it did.

use std::fmt;

use super::band::{Band, cover};
use super::split::{Merge, Split};
use super::tiling::Tiling;
use super::wording::{elements, numbers};
use super::{BufferUse, Plan};
use crate::analysis::Reduction;
use crate::region::Region;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, y, z] = self.grid;
        let [sx, sy, sz] = self.workgroup_size;
        writeln!(
            f,
            "`{}` over {x} × {y} × {z} workgroups of {sx} × {sy} × {sz} invocations.",
            self.kernel
        )?;
        match &self.split {
            Split::Nothing => writeln!(f, "The grid is empty: nothing is run.")?,
            Split::Whole { reason, at, band } => {
                writeln!(f, "It runs whole on one device: {reason}.")?;
                if !at.is_empty() {
                    writeln!(f, "{at}")?;
                }
                for buffer in self.buffers.iter() {
                    let print = &band.footprints[buffer.binding];
                    writeln!(
                        f,
                        "  {}: {}{}.",
                        head(buffer),
                        range_words(&print.read, &print.may_write),
                        widened(buffer, std::slice::from_ref(band), 0, "band")
                    )?;
                }
            }
            Split::Bands { axis, bands, tiling: Some(tiling), .. } => {
                Sentences { plan: self }.tiles_in_words(f, *axis, bands, tiling)?;
            }
            Split::Bands { axis, bands, .. } => {
                Sentences { plan: self }.bands_in_words(f, *axis, bands)?;
            }
        }
        for buffer in self.buffers.iter() {
            let Some(summarised) = buffer.consulted else { continue };
            write!(f, "The contents of `{}` bound the touched elements", buffer.name)?;
            match summarised {
                0 => writeln!(f, ".")?,
                n => {
                    writeln!(
                        f,
                        ": {n} elements were summarised, and the summary is kept until a write."
                    )?;
                }
            }
        }
        if let Some(hurried) = &self.hurried {
            writeln!(f, "{hurried}")?;
        }
        for warning in self.warnings() {
            writeln!(f, "! {}.", sentence_case(warning))?;
        }
        for device in &self.devices {
            match &device.left_out {
                None => {
                    let (id, name) = (&device.id, &device.name);
                    match (&self.split, device.share) {
                        (Split::Nothing, _) => {}
                        (Split::Whole { .. }, _) => writeln!(f, "{id} ({name}) runs it.")?,
                        (_, None) => writeln!(f, "{id} ({name}) takes part.")?,
                        (_, Some((share, measured))) => {
                            let by = if measured { "measured" } else { "estimated" };
                            let share = match share * 100.0 {
                                little if little < 1.0 => "less than 1".to_owned(),
                                percent => format!("{percent:.0}"),
                            };
                            writeln!(
                                f,
                                "{id} ({name}) takes part: {share} % of the work, as {by}."
                            )?;
                        }
                    }
                }
                Some(why) => writeln!(f, "{} ({}) is left out: {why}.", device.id, device.name)?,
            }
        }
        let measured =
            |device: &super::PlannedDevice| device.share.is_some_and(|(_, measured)| measured);
        if matches!(self.split, Split::Bands { .. }) && self.devices.iter().any(measured) {
            writeln!(
                f,
                "A measured share comes from a device's own earlier launches of this kernel. After \
                 short launches, the shares of equal devices may differ. During the launch, a \
                 faster device takes more."
            )?;
        }
        Ok(())
    }
}

fn put_together(reduction: Reduction) -> &'static str {
    match reduction {
        Reduction::Sum => "added up",
        Reduction::Minimum => "combined by minimum",
        Reduction::Maximum => "combined by maximum",
        Reduction::And => "combined by bitwise and",
        Reduction::Or => "combined by bitwise or",
        Reduction::Xor => "combined by exclusive or",
    }
}

/// With a capital letter in front.
fn sentence_case(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

fn range_words(read: &Region, write: &Region) -> String {
    match (read.is_empty(), write.is_empty()) {
        (true, true) => "is not touched".to_owned(),
        (false, true) => format!("reads {}", elements(read)),
        (true, false) => format!("may write {}", elements(write)),
        (false, false) => {
            format!("reads {}, may write {}", elements(read), numbers(write))
        }
    }
}

fn head(buffer: &BufferUse) -> String {
    format!(
        "`{}`, {} × {} ({} B each)",
        buffer.name, buffer.elements, buffer.element_name, buffer.stride
    )
}

/// The parts of the grid that may touch the whole buffer because an index could not be bounded:
/// the part that is shown, or else the others. `part` is the noun for such a part.
fn widened(buffer: &BufferUse, parts: &[Band], shown: usize, part: &str) -> String {
    let Some(line) = buffer.unbounded_line else { return String::new() };
    let of = |at: usize| &parts[at].footprints[buffer.binding];
    let why = format!("an index on line {line} could not be bounded");
    if of(shown).unbounded.is_some() {
        let whole = |region: &Region| region.hull() == (0..buffer.elements);
        let counts = match (whole(&of(shown).read), whole(&of(shown).may_write)) {
            (true, false) => "read",
            (false, true) => "written",
            _ => "touched",
        };
        return format!(" ({why}, so all of it counts as {counts})");
    }
    let mut others = (0..parts.len()).filter(|&at| of(at).unbounded.is_some());
    match (others.next(), others.count()) {
        (Some(only), 0) => format!("; {part} {only} may touch all of it, since {why}"),
        (Some(_), more) => {
            format!("; {} other {part}s may touch all of it, since {why}", more + 1)
        }
        (None, _) => String::new(),
    }
}

/// The parts of the sentences of a plan that splits.
struct Sentences<'p> {
    plan: &'p Plan,
}

impl Sentences<'_> {
    fn bands_in_words(
        &self,
        f: &mut fmt::Formatter<'_>,
        axis: usize,
        bands: &[Band],
    ) -> fmt::Result {
        let letter = ["x", "y", "z"][axis];
        let middle = &bands[bands.len() / 2];
        let groups = middle.end - middle.start;
        let lines = u64::from(groups) * u64::from(self.plan.workgroup_size[axis]);
        writeln!(
            f,
            "It is cut along {letter} into {} bands of about {groups} workgroup{} ({lines} \
             invocation{} along {letter}); devices take runs of bands. A band in the middle \
             ({letter} = {}):",
            bands.len(),
            if groups == 1 { "" } else { "s" },
            if lines == 1 { "" } else { "s" },
            match groups {
                1 => middle.start.to_string(),
                _ => format!("{} to {}", middle.start, middle.end - 1),
            },
        )?;
        for buffer in self.plan.buffers.iter() {
            writeln!(
                f,
                "  {}: {}{}.",
                head(buffer),
                self.band_sentence(buffer, axis, bands),
                widened(buffer, bands, bands.len() / 2, "band")
            )?;
        }
        self.merges_in_words(f, bands)
    }

    fn tiles_in_words(
        &self,
        f: &mut fmt::Formatter<'_>,
        axis: usize,
        tiles: &[Band],
        tiling: &Tiling,
    ) -> fmt::Result {
        let letters = ["x", "y", "z"];
        let (outer, inner) = (letters[axis], letters[tiling.axis]);
        let columns = tiling.columns() as usize;
        let rows = tiles.len() / columns;
        let at = rows / 2 * columns + columns / 2;
        let middle = &tiles[at];
        let across = tiling.across(&(at as u32..at as u32 + 1));
        let words = |start: u32, end: u32| match end - start {
            1 => start.to_string(),
            _ => format!("{start} to {}", end - 1),
        };
        writeln!(
            f,
            "Cut into bands along one axis, it does not fit ({}). So it is cut along {outer} and {inner} into \
             {rows} × {columns} tiles of about {} × {} workgroups; devices take tiles. A tile in the \
             middle ({outer} = {}, {inner} = {}):",
            tiling.why,
            middle.end - middle.start,
            across.end - across.start,
            words(middle.start, middle.end),
            words(across.start, across.end),
        )?;
        for buffer in self.plan.buffers.iter() {
            let print = &middle.footprints[buffer.binding];
            writeln!(
                f,
                "  {}: {}{}.",
                head(buffer),
                range_words(&print.read, &print.may_write),
                widened(buffer, tiles, at, "tile")
            )?;
            let Some(pitch) = tiling.pitch(buffer.stride, buffer.binding, print) else { continue };
            let range = cover(&print.read.hull(), &print.may_write.hull());
            writeln!(
                f,
                "    It is copied in pitched windows: the tile touches {} columns of {} rows, packed \
                 into {} bytes; the range around them has {} bytes.",
                pitch.columns,
                pitch.rows,
                pitch.len() * buffer.stride,
                (range.end - range.start) * buffer.stride,
            )?;
        }
        self.merges_in_words(f, tiles)
    }

    /// How the chunks' writes are merged, and why they are not made in place.
    fn merges_in_words(&self, f: &mut fmt::Formatter<'_>, bands: &[Band]) -> fmt::Result {
        let written = |b: &&BufferUse| {
            bands.iter().any(|band| !band.footprints[b.binding].may_write.is_empty())
        };
        let (apart, merged): (Vec<&BufferUse>, Vec<&BufferUse>) = self
            .plan
            .buffers
            .iter()
            .filter(written)
            .partition(|buffer| *self.plan.merge(buffer.binding) == Merge::Apart);
        let ranges = |buffer: &&BufferUse| {
            bands.iter().all(|band| band.footprints[buffer.binding].may_write.is_range())
        };
        if merged.is_empty() {
            let how = if apart.iter().all(ranges) { "as ranges" } else { "row by row" };
            writeln!(f, "Chunks write disjoint elements, which are copied back {how}.")?;
        } else if !apart.is_empty() {
            let names: Vec<String> = apart.iter().map(|b| format!("`{}`", b.name)).collect();
            let names = names.join(" and ");
            writeln!(f, "Chunks write disjoint elements of {names}, which are copied back.")?;
        }
        for buffer in merged {
            let name = &buffer.name;
            match self.plan.merge(buffer.binding) {
                Merge::Apart => {}
                Merge::Difference { why, at } => {
                    writeln!(
                        f,
                        "`{name}` is merged: {why}. Each chunk writes to a copy of the launch's \
                         input; the values that it changed are merged, and the highest chunk wins."
                    )?;
                    if !at.is_empty() {
                        writeln!(f, "{at}")?;
                    }
                }
                Merge::Reduce(reduction) => {
                    writeln!(
                        f,
                        "`{name}` is only reduced into: each chunk updates a copy, and the updates \
                         are {}.",
                        put_together(*reduction)
                    )?;
                }
                Merge::Members(by_member) => {
                    let part = |(names, reduction): &(Vec<String>, Option<Reduction>)| {
                        let names = format!("`{}`", names.join("`, `"));
                        match reduction {
                            Some(how) => {
                                format!("the updates of {names} are {}", put_together(*how))
                            }
                            None => format!(
                                "the changed values of {names} are merged, and the highest chunk wins"
                            ),
                        }
                    };
                    let parts: Vec<String> = by_member.parts.iter().map(part).collect();
                    writeln!(
                        f,
                        "`{name}` is merged member by member: each chunk writes to a copy of the \
                         launch's input; {}.",
                        parts.join("; ")
                    )?;
                }
            }
        }
        Ok(())
    }

    /// How the middle band uses a buffer, in terms of its own rows if it has any.
    fn band_sentence(&self, buffer: &BufferUse, axis: usize, bands: &[Band]) -> String {
        let at = bands.len() / 2;
        let print = &bands[at].footprints[buffer.binding];
        let (reads, writes) = (&print.read, &print.may_write);
        let (read, write) = (&reads.hull(), &writes.hull());
        let lines =
            u64::from(bands[at].end - bands[at].start) * u64::from(self.plan.workgroup_size[axis]);
        let own = self.own_rows(buffer, bands, at);
        let line = own.as_ref().map(|own| own.end - own.start).filter(|own| own % lines == 0);
        let unit = line.and_then(|own| self.unit(own / lines, buffer.elements));
        let amount = |n: u64, more: &str| match unit {
            Some((unit, size)) if n.is_multiple_of(size) => {
                format!("{}{more} {unit}{} of {size}", n / size, if n == size { "" } else { "s" })
            }
            _ => format!("{n}{more} element{}", if n == 1 { "" } else { "s" }),
        };
        if let Merge::Reduce(_) = self.plan.merge(buffer.binding) {
            return format!("may update {}", elements(writes));
        }
        let count = |n: u64| amount(n, "");
        let more = |n: u64| amount(n, " more");
        let mut parts = Vec::new();
        if !read.is_empty() {
            parts.push(match &own {
                _ if !reads.is_range() => format!("reads {}", elements(reads)),
                _ if *read == (0..buffer.elements) => "reads all of it".to_owned(),
                Some(own) if read == own => {
                    format!("reads its own {} ({})", count(own.end - own.start), numbers(reads))
                }
                Some(own) if read.start <= own.start && own.end <= read.end => {
                    let (before, after) = (own.start - read.start, read.end - own.end);
                    let halo = match (before, after) {
                        (b, a) if b == a => format!("{} on each side", more(b)),
                        (0, a) => format!("{} after", more(a)),
                        (b, 0) => format!("{} before", more(b)),
                        (b, a) => format!("{} before and {} after", more(b), count(a)),
                    };
                    format!(
                        "reads its own {} and {halo} ({})",
                        count(own.end - own.start),
                        numbers(reads)
                    )
                }
                _ => format!("reads {}", elements(reads)),
            });
        }
        if !write.is_empty() {
            parts.push(match &own {
                Some(own) if own == write && writes.is_range() => {
                    format!(
                        "writes its own {} ({})",
                        count(write.end - write.start),
                        numbers(writes)
                    )
                }
                _ => format!("may write {}", elements(writes)),
            });
            if writes.is_range() && print.must_write == *write && read.is_empty() {
                parts.push("every one of them, so nothing is uploaded".to_owned());
            }
        }
        if parts.is_empty() { "is not touched".to_owned() } else { parts.join(", ") }
    }

    /// The name and the number of the elements that belong to one line of invocations. They are a
    /// row if uniforms give both that number and the number of rows, and a plane if they give the
    /// number as a product of two. Otherwise it is only a guess that a line is a row: `None`.
    fn unit(&self, line: u64, elements: u64) -> Option<(&'static str, u64)> {
        let known = &self.plan.row_lengths;
        if line == 0 || !elements.is_multiple_of(line) || !known.contains(&(elements / line)) {
            return None;
        }
        if known.contains(&line) {
            return Some(("row", line));
        }
        let plane = known.iter().any(|&a| known.iter().any(|&b| a.checked_mul(b) == Some(line)));
        plane.then_some(("plane", line))
    }

    /// The elements of a buffer that belong to a band: an equal part of the elements that all bands
    /// touch, if the footprints move by an equal step from band to band.
    fn own_rows(
        &self,
        buffer: &BufferUse,
        bands: &[Band],
        at: usize,
    ) -> Option<std::ops::Range<u64>> {
        let of = |band: &Band| {
            let print = &band.footprints[buffer.binding];
            if print.may_write.is_empty() { print.read.hull() } else { print.may_write.hull() }
        };
        // No band owns elements of a merged buffer.
        if bands.len() < 2 || at == 0 || *self.plan.merge(buffer.binding) != Merge::Apart {
            return None;
        }
        let here = of(&bands[at]);
        if !bands[at].footprints[buffer.binding].may_write.is_empty() {
            return Some(here);
        }
        // If the buffer is only read, the step from the band before, per workgroup, gives the band's
        // own part. The rest on both sides is halo.
        let before = of(&bands[at - 1]);
        let step = here.start.checked_sub(before.start).filter(|&step| step > 0)?;
        let groups = |band: &Band| u64::from(band.end - band.start);
        if !step.is_multiple_of(groups(&bands[at - 1])) {
            return None;
        }
        let per_group = step / groups(&bands[at - 1]);
        let width = per_group * groups(&bands[at]);
        // Rows of a sparse matrix differ in length, so bands own no equal parts.
        if bands.get(at + 1).is_some_and(|next| of(next).start != here.start + width) {
            return None;
        }
        let extent = here.end - here.start;
        let halo = extent.checked_sub(width)?;
        // The first band of the grid can't reach below zero. The elements that it lacks of a full
        // halo are the halo on that side.
        let first = bands[0].footprints[buffer.binding].read.hull();
        let full = per_group * groups(&bands[0]) + halo;
        let below = full.saturating_sub(first.end - first.start).min(halo);
        let start = here.start + below;
        Some(start..start + width).filter(|own| cover(own, &here) == here)
    }
}
