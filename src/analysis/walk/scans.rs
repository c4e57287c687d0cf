//! Scans of buffers' contents: the integers that a load may give, if the host holds them.
//!
//! Floats, and storage that the kernel writes, may hold any value.

use naga::{Handle, Module, ScalarKind, Type, TypeInner};

use crate::analysis::arguments::{Argument, Arguments};
use crate::analysis::domain::{Arithmetic, Interval, Knowledge, Linear, Part, Value, int_type};
use crate::analysis::footprints::recorder::{Element, Recorder};
use crate::kernel::{Kernel, Space};

/// The scans of one walk.
pub(crate) struct Scans<'a> {
    kernel: &'a Kernel,
    arguments: Option<&'a Arguments<'a>>,
    done: Vec<Scan>,
}

/// The integers that were found in a buffer.
struct Scan {
    /// Binding, byte offset in the element, first and last element.
    place: (usize, u64, u64, u64),
    range: Interval,
}

impl<'a> Scans<'a> {
    pub(crate) fn new(kernel: &'a Kernel, arguments: Option<&'a Arguments<'a>>) -> Scans<'a> {
        Scans { kernel, arguments, done: Vec::new() }
    }

    /// The value of a part of an element. `steers` says whether the contents are worth a scan.
    pub(crate) fn value(
        &mut self,
        id: usize,
        (rest, ty, raw): Element<'_>,
        steers: bool,
        recorder: &mut Recorder<'_>,
        (arithmetic, known): (&mut Arithmetic, &mut Knowledge),
    ) -> Value {
        let Some(Argument::Storage { elements, contents: Some(contents) }) =
            self.arguments.map(|a| &a.bindings[id])
        else {
            return Value::Unknown;
        };
        let binding = &self.kernel.signature().bindings[id];
        let Some((kind, offset)) = scalar_at(self.kernel.module(), ty, rest) else {
            return Value::Unknown;
        };
        let Some(int) = int_type(kind) else { return Value::Unknown };
        let Some(inside) = raw.meet(Interval::new(0, i128::from(*elements) - 1)) else {
            return Value::Int(int, Linear::constant(0));
        };
        let (first, last) = (inside.lo as u64, inside.hi as u64);
        if binding.space == Space::StorageWrite || !steers {
            return Value::Unknown;
        }
        recorder.consulted(id);
        let place = (id, offset, first, last);
        let mut range = match self.done.iter().find(|s| s.place == place) {
            Some(scan) => scan.range,
            None => {
                let layout = &binding.layout;
                let series = (layout.header + offset, layout.stride, *elements);
                let Some(range) = contents.range(int, series, first, last) else {
                    return Value::Unknown;
                };
                self.done.push(Scan { place, range });
                range
            }
        };
        if inside != raw {
            range = range.hull(Interval::single(0));
        }
        arithmetic.any_of(int, range, known)
    }
}

/// The kind and byte offset of a scalar inside a type, if all steps are constant.
fn scalar_at(module: &Module, ty: Handle<Type>, parts: &[Part]) -> Option<(ScalarKind, u64)> {
    let index = match parts.first() {
        None => {
            return match &module.types[ty].inner {
                TypeInner::Scalar(s) if s.width == 4 => Some((s.kind, 0)),
                _ => None,
            };
        }
        Some(Part::At(index)) => *index,
        Some(Part::Dynamic(_, form)) => u32::try_from(form.as_constant()?).ok()?,
    };
    let (inner, offset) = match &module.types[ty].inner {
        TypeInner::Vector { size, scalar } => {
            let inside = index < *size as u32 && parts.len() == 1 && scalar.width == 4;
            return inside.then_some((scalar.kind, u64::from(index) * 4));
        }
        TypeInner::Array { base, size: naga::ArraySize::Constant(n), stride } => {
            if index >= n.get() {
                return None;
            }
            (*base, u64::from(index) * u64::from(*stride))
        }
        TypeInner::Struct { members, .. } => {
            let member = members.get(index as usize)?;
            (member.ty, u64::from(member.offset))
        }
        _ => return None,
    };
    let (kind, more) = scalar_at(module, inner, &parts[1..])?;
    Some((kind, offset + more))
}
