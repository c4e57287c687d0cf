//! Pass 2: override constants become constants.
//!
//! Names are resolved and values checked here, so that an error names the constant and gives valid
//! values; naga does the evaluation. The result has no overrides: array sizes that an override gave
//! are numbers.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use naga::back::PipelineConstants;
use naga::back::pipeline_constants::{PipelineConstantError, process_overrides};
use naga::{ArraySize, Expression, Handle, Literal, Override, Scalar, ScalarKind, Type, TypeInner};

use crate::error::{Error, Result};
use crate::kernel::Source;
use crate::kernel::parse::validate;
use crate::kernel::reflect::type_name;
use crate::kernel::rejected::{MAX_EXTENT, rejected};
use crate::kernel::signature::Constant;

/// The given value of each override that was given one, by the key that naga looks for.
pub(super) type Given = BTreeMap<String, f64>;

/// naga's key for an override: its `@id` if it has one, else its name.
fn key(constant: &Override) -> String {
    match (constant.id, &constant.name) {
        (Some(id), _) => id.to_string(),
        (None, name) => name.clone().unwrap_or_default(),
    }
}

/// The name of an override in messages.
fn display(constant: &Override) -> String {
    match (constant.id, &constant.name) {
        (Some(id), Some(name)) => format!("`{name}` (@id({id}))"),
        (None, Some(name)) => format!("`{name}`"),
        (id, None) => format!("@id({})", id.unwrap_or_default()),
    }
}

fn error(name: &str, problem: String) -> Error {
    Error::Constant { name: name.to_owned(), problem }
}

/// Resolves names and ids, and checks that every value fits its constant.
pub(super) fn given(module: &naga::Module, constants: &BTreeMap<String, f64>) -> Result<Given> {
    let mut given = Given::new();
    for (name, &value) in constants {
        let id = name.parse::<u16>().ok();
        let found = module
            .overrides
            .iter()
            .find(|(_, o)| o.name.as_deref() == Some(name) || (id.is_some() && o.id == id));
        let Some((_, constant)) = found else {
            let known: Vec<_> = module.overrides.iter().map(|(_, o)| display(o)).collect();
            let problem = if known.is_empty() {
                "the module has no override constants".to_owned()
            } else {
                format!("the module has no such override constant; it has {}", known.join(", "))
            };
            return Err(error(name, problem));
        };
        if let TypeInner::Scalar(scalar) = module.types[constant.ty].inner {
            fits(scalar, value).map_err(|problem| error(name, problem))?;
        }
        if given.insert(key(constant), value).is_some() {
            let problem = format!("{} is given twice, by name and by id", display(constant));
            return Err(error(name, problem));
        }
    }
    Ok(given)
}

/// Whether a value can be that of a constant of this type, and if not, why.
fn fits(scalar: Scalar, value: f64) -> Result<(), String> {
    let (name, low, high) = match (scalar.kind, scalar.width) {
        (ScalarKind::Bool, _) if value == 0.0 || value == 1.0 => return Ok(()),
        (ScalarKind::Bool, _) => {
            return Err(format!("{value} is not a bool; give 0 for false or 1 for true"));
        }
        (ScalarKind::Sint, 4) => ("i32", f64::from(i32::MIN), f64::from(i32::MAX)),
        (ScalarKind::Uint, 4) => ("u32", 0.0, f64::from(u32::MAX)),
        (ScalarKind::Float, 4) => ("f32", f64::from(f32::MIN), f64::from(f32::MAX)),
        (ScalarKind::Float, 2) => ("f16", -65504.0, 65504.0),
        // Refused elsewhere, with its line.
        _ => return Ok(()),
    };
    let whole = scalar.kind == ScalarKind::Float || value.fract() == 0.0;
    if value >= low && value <= high && whole {
        return Ok(());
    }
    let kind = if scalar.kind == ScalarKind::Float { "a finite number" } else { "a whole number" };
    Err(format!("{value} does not fit in {name}: it takes {kind} from {low} to {high}"))
}

/// Every override of the module, with the value that was given.
pub(super) fn list(module: &naga::Module, given: &Given) -> Vec<Constant> {
    module
        .overrides
        .iter()
        .filter(|(_, o)| o.name.is_some() || o.id.is_some())
        .map(|(_, o)| Constant {
            name: o.name.clone().unwrap_or_else(|| key(o)),
            value: given.get(&key(o)).copied(),
            type_name: type_name(module, o.ty),
        })
        .collect()
}

/// Replaces every override by its value. The module has one entry point and only what it uses.
pub(super) fn resolve(source: &Source, module: &mut naga::Module, given: &Given) -> Result<()> {
    if module.overrides.is_empty() {
        return Ok(());
    }
    let mut values = PipelineConstants::default();
    for (_, constant) in module.overrides.iter() {
        if constant.name.is_none() && constant.id.is_none() {
            continue;
        }
        let key = key(constant);
        match given.get(&key) {
            Some(&value) => {
                values.insert(key, value);
            }
            None if constant.init.is_none() => {
                let name = constant.name.clone().unwrap_or(key);
                let problem = format!(
                    "it has no default and no value was given; give one of type {}",
                    type_name(module, constant.ty)
                );
                return Err(error(&name, problem));
            }
            None => {}
        }
    }
    extents(module, given)?;
    let info = validate(source, module)?;
    let (resolved, _) =
        process_overrides(module, &info, None, &values).map_err(|e| failed(source, e))?;
    let mut resolved = resolved.into_owned();
    number_array_sizes(&mut resolved)?;
    *module = resolved;
    Ok(())
}

/// Refuses an override that makes a workgroup larger than naga allows, by the override's name. An
/// expression of several overrides is left to naga, whose message says less.
fn extents(module: &naga::Module, given: &Given) -> Result<()> {
    let entry = &module.entry_points[0];
    for extent in entry.workgroup_size_overrides.iter().flatten().flatten() {
        let Expression::Override(constant) = module.global_expressions[*extent] else { continue };
        let constant = &module.overrides[constant];
        let default = constant.init.and_then(|init| match module.global_expressions[init] {
            Expression::Literal(Literal::U32(n)) => Some(f64::from(n)),
            Expression::Literal(Literal::I32(n)) => Some(f64::from(n)),
            _ => None,
        });
        let value = given.get(&key(constant)).copied().or(default);
        if let Some(value) = value.filter(|&n| n < 1.0 || n > f64::from(MAX_EXTENT)) {
            let name = constant.name.clone().unwrap_or_else(|| key(constant));
            let problem = format!(
                "it is an extent of the workgroup of `{}`, and {value} is out of range: each is from 1 to \
                 {MAX_EXTENT}",
                entry.name
            );
            return Err(error(&name, problem));
        }
    }
    Ok(())
}

/// The error for a failed evaluation by naga; names and ranges were checked before.
fn failed(source: &Source, problem: PipelineConstantError) -> Error {
    match problem {
        PipelineConstantError::ValidationError(e) => rejected(source, None, &e),
        PipelineConstantError::NegativeWorkgroupSize => error(
            "@workgroup_size",
            "with these override constants the workgroup size is not positive".to_owned(),
        ),
        PipelineConstantError::MissingValue(name) => {
            error(&name, "it has no default and no value was given".to_owned())
        }
        other => error("(an expression of override constants)", other.to_string()),
    }
}

/// `array<T, N>` with an override `N` becomes `array<T, 16>`. Types are unique by name and shape,
/// so the array keeps its identity by the name of the constant.
fn number_array_sizes(module: &mut naga::Module) -> Result<()> {
    let mut changes: HashMap<Handle<Type>, Type> = HashMap::new();
    for (handle, ty) in module.types.iter() {
        let TypeInner::Array { base, size: ArraySize::Pending(constant), stride } = ty.inner else {
            continue;
        };
        let constant = &module.overrides[constant];
        let count = constant.init.and_then(|init| match module.global_expressions[init] {
            Expression::Literal(Literal::U32(n)) => NonZeroU32::new(n),
            Expression::Literal(Literal::I32(n)) => u32::try_from(n).ok().and_then(NonZeroU32::new),
            _ => None,
        });
        let name = constant.name.clone().unwrap_or_else(|| format!("size_{}", handle.index()));
        let Some(count) = count else {
            return Err(error(&name, "as the size of an array it must be positive".to_owned()));
        };
        let inner = TypeInner::Array { base, size: ArraySize::Constant(count), stride };
        let name = Some(format!("array_{name}_{}", handle.index()));
        changes.insert(handle, Type { name, inner });
    }
    for (handle, ty) in changes {
        module.types.replace(handle, ty);
    }
    module.overrides = naga::Arena::new();
    Ok(())
}
