//! Converts places to addresses, and to scalars in memory.

use super::address::{Address, Memory, NONE};
use super::compiler::Compiler;
use super::place::{Place, Root};
use super::shape::Kind;
use crate::error::Result;

pub(in crate::cpu) fn address(c: &Compiler<'_>, place: &Place) -> Result<Address> {
    let memory = match place.root {
        Root::Storage(binding) => Memory::Storage(binding),
        Root::Value(binding) => Memory::Value(binding),
        Root::Workgroup => Memory::Workgroup,
        Root::Local(_) => return Err(c.broken("a variable has no address")),
    };
    let (outer, signed, stride) = place.outer.unwrap_or((NONE, false, 0));
    let inner = place.inner.unwrap_or(NONE);
    Ok(Address { memory, offset: place.offset, outer, stride, signed, inner })
}

pub(super) fn is_atomic(c: &Compiler<'_>, place: &Place) -> bool {
    c.shapes.is_atomic(place.shape)
}

/// The scalars at a place, each with its offset.
pub(super) fn parts(c: &Compiler<'_>, place: &Place) -> Result<Vec<(u32, Kind)>> {
    let leaves = c
        .shapes
        .leaves(place.shape, place.root.measure())
        .ok_or_else(|| c.unsupported("a value of this type", c.span))?;
    Ok(leaves
        .into_iter()
        .map(|leaf| ((leaf.offset * place.root.unit()) as u32, leaf.kind))
        .collect())
}
