//! Accesses of lanes that have addresses of their own, by the relation of these addresses.
//!
//! Consecutive words take one vector access, consecutive whole elements wide ones and shuffles. Other addresses take a
//! gather or a scatter.

use super::builder::Builder;
use super::interleaved::{is_interleaved, load_elements, store_elements};
use super::rows::{gather_all, load_rows, scatter_all, store_rows};
use crate::cpu::emit::emitter::Emitter;
use crate::cpu::emit::memory::Accesses;
use crate::cpu::emit::place::{Place, Spread, contiguous, likely};
use crate::cpu::interpreter::bytecode::Access;
use crate::error::Result;

impl Accesses for Builder {
    fn load_lanes(
        e: &mut Emitter<'_, Builder>,
        access: &Access,
        place: &Place<String>,
        spread: Spread,
    ) -> Result<()> {
        let values = match spread {
            Spread::Strided(bytes) if contiguous(access, bytes) => {
                load_rows(e, access, place, &None, None)?
            }
            Spread::Strided(bytes) if is_interleaved(access, bytes) && e.mask.is_full() => {
                match load_elements(e, access, place, bytes)? {
                    Some(values) => values,
                    None => gather_all(e, access, place)?,
                }
            }
            Spread::Likely(bytes) if contiguous(access, bytes) => {
                let (first, follow) = likely(e, place)?;
                load_rows(e, access, place, &first, Some(&follow))?
            }
            _ => gather_all(e, access, place)?,
        };
        for (part, value) in access.parts.iter().zip(values) {
            e.define_loaded(part.reg, &value, part.half, true);
        }
        Ok(())
    }

    fn store_lanes(
        e: &mut Emitter<'_, Builder>,
        access: &Access,
        place: &Place<String>,
        spread: Spread,
    ) -> Result<()> {
        match spread {
            Spread::Strided(bytes) if contiguous(access, bytes) => store_rows(e, access, place),
            Spread::Strided(bytes) if is_interleaved(access, bytes) && e.mask.is_full() => {
                store_elements(e, access, place, bytes)
            }
            _ => scatter_all(e, access, place),
        }
    }
}
