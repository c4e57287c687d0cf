//! Measures how tight footprints are: the elements that the analysis infers for a plan's bands, compared with
//! those that the interpreter sees them touch.
//!
//! Every band runs on copies of its outputs, one invocation after the other, so the user's buffers do not
//! change. This takes many times as long as the launch. It is meant for tuning a kernel or the analysis.

use std::fmt;
use std::ops::Range;

use super::chunks::Chunks;
use super::planned::Planned;
use crate::cpu::touched;
use crate::error::{Error, Result};
use crate::kernel::Space;
use crate::plan::Merge;
use crate::region::Region;

/// The CPU's default subgroup size.
const SUBGROUP: u32 = 32;

/// Elements that were inferred and elements that were touched, summed over all bands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// Elements of the inferred footprints.
    pub inferred: u64,
    /// Elements that some invocation of the band touches.
    pub touched: u64,
}

impl Measured {
    fn add(&mut self, inferred: &Region, touched: &[Range<u64>]) {
        self.inferred += inferred.len();
        self.touched += touched.iter().map(|r| r.end - r.start).sum::<u64>();
    }

    /// Inferred elements per touched element; 1 if there are none of either.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// for buffer in launch.measure()? {
    ///     assert_eq!(buffer.reads.ratio(), 1.0); // nothing was inferred that is not read
    /// }
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn ratio(&self) -> f64 {
        if self.inferred == self.touched {
            return 1.0;
        }
        self.inferred as f64 / self.touched as f64
    }
}

/// How tight the footprints of one buffer are.
#[derive(Debug, Clone)]
pub struct Tightness {
    /// The WGSL variable's name.
    pub buffer: String,
    /// The elements that the bands read.
    pub reads: Measured,
    /// The elements that the bands write.
    pub writes: Measured,
}

impl fmt::Display for Tightness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`:", self.buffer)?;
        for (what, measured) in [("reads", self.reads), ("writes", self.writes)] {
            if measured != Measured::default() {
                let Measured { inferred, touched } = measured;
                write!(f, " {what} {inferred} / {touched} = {:.3}", measured.ratio())?;
            }
        }
        Ok(())
    }
}

/// Measures each storage binding over all bands of a plan.
pub(super) fn measure(planned: &Planned<'_>) -> Result<Vec<Tightness>> {
    let chunks = Chunks::new(planned, 0);
    let bindings = &planned.checked.kernel.signature().bindings;
    let mut all: Vec<Tightness> = bindings
        .iter()
        .map(|binding| Tightness {
            buffer: binding.name.clone(),
            reads: Measured::default(),
            writes: Measured::default(),
        })
        .collect();
    for band in 0..planned.plan.bands().len() as u32 {
        let run = band..band + 1;
        let copies = chunks.copies_of("cpu", |id| {
            (bindings[id].space == Space::StorageWrite).then(|| 0..planned.elements[id])
        })?;
        let found = touched(&chunks.chunk(&run, &copies, None, None), SUBGROUP);
        chunks.give_back(&copies);
        for (id, touched) in found?.iter().enumerate() {
            let inferred = planned.plan.footprint(&run, id);
            let reduced = matches!(planned.plan.merge(id), Merge::Reduce(_));
            // A reduction reads the elements that it updates: they count once, as written.
            if !reduced {
                hold(&bindings[id].name, &inferred.read, &touched.read, planned.elements[id])?;
                all[id].reads.add(&inferred.read, &touched.read);
            }
            hold(&bindings[id].name, &inferred.may_write, &touched.written, planned.elements[id])?;
            all[id].writes.add(&inferred.may_write, &touched.written);
        }
    }
    let storage = |id: &usize| bindings[*id].space.is_storage();
    Ok((0..bindings.len()).filter(storage).map(|id| all[id].clone()).collect())
}

/// Checks that all touched elements were inferred.
fn hold(name: &str, inferred: &Region, touched: &[Range<u64>], elements: u64) -> Result<()> {
    let mut inside = vec![false; elements as usize];
    inferred.for_each_run(|run| inside[run.start as usize..run.end as usize].fill(true));
    for element in touched.iter().cloned().flatten() {
        if !inside[element as usize] {
            return Err(Error::Internal {
                place: "analysis".to_owned(),
                cause: format!("element {element} of `{name}` is touched, and was not inferred"),
            });
        }
    }
    Ok(())
}
