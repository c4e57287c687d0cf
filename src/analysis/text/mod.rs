//! Facts that the text of a kernel shows for all arguments, found without a walk over its values.

pub(super) mod members;
pub(super) mod pointers;
pub(super) mod steps;

pub(super) mod scaling;
pub(super) mod steering;
pub(super) mod uniformity;
pub(super) mod uses;

pub(super) mod facts;
pub(super) mod program;
