//! The analysis of a kernel: which elements it touches, found from its normalised module. Pure: no device, no
//! thread, no clock.
//!
//! [`Analysis`] is made once per kernel. [`Analysis::facts`] holds for all arguments, [`OfLaunch::footprints`]
//! for these arguments, this grid and a box of workgroups. Every result is conservative: without a proof a
//! footprint is the whole buffer, a loop may be endless, a value is varying.

mod domain;
mod text;

mod contents;

mod arguments;

mod footprints;

mod walk;

mod launch;

#[cfg(test)]
mod precision_tests;
#[cfg(test)]
mod tests;

pub(crate) use arguments::{Argument, Arguments};
pub(crate) use contents::{Contents, Version};
pub(crate) use footprints::footprint::{Footprint, Outside};
pub(crate) use launch::{Analysis, OfLaunch, facts};
pub(crate) use text::facts::Facts;
pub(crate) use text::members::{at_offset as member_at, names as member_names};
pub(crate) use text::uses::{Reduction, Use, Uses};
