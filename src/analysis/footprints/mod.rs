//! Footprints: the elements that the accesses of a walk may or must touch.

pub(super) mod access;
pub(super) mod footprint;

pub(super) mod must_write;
pub(super) mod whole;

pub(super) mod recorder;

pub(super) mod shifts;
