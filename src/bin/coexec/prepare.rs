//! From flags to a launch: reads the kernel, matches names with bindings, loads the data.
//!
//! Nothing runs here. One error reports everything that is missing, each item with the flag that
//! gives it.

use anyhow::{Context, Result};
use coexec::{Binding, Buffer, Engine, Kernel, Launch, Runtime, Signature, Space, Value};

use crate::args::{CpuEngine, DeviceArgs, LaunchArgs};
use crate::data::Data;
use crate::exit::Usage;

/// A kernel with everything that a launch of it needs, on no device yet.
pub(crate) struct Prepared {
    pub(crate) kernel: Kernel,
    /// The kernel's file.
    pub(crate) path: String,
    values: Vec<(String, Vec<u8>)>,
    /// Parts of values, by path: `grid.width`.
    fields: Vec<(String, Value)>,
    pub(crate) buffers: Vec<Bound>,
    grid: Grid,
    chunks: Option<u32>,
    loop_budget: Option<u64>,
    race_free: bool,
}

/// A storage binding and its data.
pub(crate) struct Bound {
    pub(crate) binding: Binding,
    pub(crate) data: Data,
}

#[derive(Debug, Clone, Copy)]
enum Grid {
    Workgroups([u64; 3]),
    Invocations([u64; 3]),
}

/// The kernel that the flags name, and its file.
pub(crate) fn kernel(args: &LaunchArgs) -> Result<(Kernel, String)> {
    let path = args.kernel.display().to_string();
    let text = std::fs::read_to_string(&args.kernel)
        .with_context(|| format!("cannot read the kernel {path}"))?;
    let mut builder = Kernel::builder(&text).name(&path);
    if let Some(entry) = &args.entry {
        builder = builder.entry_point(entry);
    }
    for (name, value) in &args.constants {
        builder = builder.constant(name, *value);
    }
    Ok((builder.build()?, path))
}

impl Prepared {
    pub(crate) fn new(args: &LaunchArgs) -> Result<Prepared> {
        let (kernel, path) = kernel(args)?;
        Prepared::of(kernel, path, args)
    }

    /// A launch of a kernel that was read from a file.
    pub(crate) fn of(kernel: Kernel, path: String, args: &LaunchArgs) -> Result<Prepared> {
        let mut values = Vec::new();
        let used = kernel.signature().bindings.len();
        let mut given = vec![false; used + kernel.signature().unused.len()];
        let mut claim = |position: usize, name: &str| -> Result<()> {
            if std::mem::replace(&mut given[position], true) {
                return Err(Usage(format!("binding `{name}` is given twice")).into());
            }
            Ok(())
        };
        let mut fields: Vec<(String, Value)> = Vec::new();
        for (path, json) in &args.sets {
            let name = &path[..path.find(['.', '[']).unwrap_or(path.len())];
            let (position, binding) = find(&kernel, name)?;
            if binding.space.is_storage() {
                return Err(Usage(format!(
                    "binding `{name}` is a storage variable, {}; give its data with --bind \
                     {name}=…, not --set",
                    binding.type_name
                ))
                .into());
            }
            if name == path {
                claim(position, name)?;
                values.push((path.clone(), crate::json::encode(&kernel, name, json)?));
            } else {
                // Several flags make one value; the library says what is still missing.
                let begun =
                    |(path, _): &(String, Value)| path.split(['.', '[']).next() == Some(name);
                if !fields.iter().any(begun) {
                    claim(position, name)?;
                }
                fields.push((path.clone(), crate::json::value(path, json)?));
            }
        }
        let mut buffers = Vec::new();
        for (name, source) in &args.binds {
            let (position, binding) = find(&kernel, name)?;
            claim(position, name)?;
            let data = source.load(binding)?;
            if position >= used {
                continue;
            }
            if binding.space.is_storage() {
                buffers.push(Bound { binding: binding.clone(), data });
            } else {
                values.push((name.clone(), data.bytes));
            }
        }
        let workgroups = args.workgroups.map(Grid::Workgroups);
        let grid = workgroups.or(args.invocations.map(Grid::Invocations));
        let grid = complete(&kernel, &given, grid)?;
        Ok(Prepared {
            kernel,
            path,
            values,
            fields,
            buffers,
            grid,
            chunks: args.chunks,
            loop_budget: args.loop_budget,
            race_free: args.assume_race_free,
        })
    }

    /// New buffers that hold the data.
    pub(crate) fn upload(&self) -> Vec<Buffer<u8>> {
        self.buffers.iter().map(|bound| Buffer::from_slice(&bound.data.bytes)).collect()
    }

    /// A launch over such buffers.
    pub(crate) fn launch(&self, runtime: &Runtime, buffers: &[Buffer<u8>]) -> Launch {
        let mut launch = runtime.launch(&self.kernel);
        for (name, bytes) in &self.values {
            launch = launch.set_bytes(name, bytes.clone());
        }
        for (path, value) in &self.fields {
            launch = launch.set_field(path, value.clone());
        }
        for (bound, buffer) in self.buffers.iter().zip(buffers) {
            launch = launch.bind(&bound.binding.name, buffer);
        }
        launch = match self.grid {
            Grid::Workgroups(count) => launch.workgroups(count),
            Grid::Invocations(count) => launch.invocations(count),
        };
        if self.race_free {
            launch = launch.assume_race_free();
        }
        if let Some(iterations) = self.loop_budget {
            launch = launch.loop_budget(iterations);
        }
        match self.chunks {
            Some(count) => launch.chunks(count),
            None => launch,
        }
    }

    /// The position in `buffers` of a binding.
    pub(crate) fn buffer(&self, name: &str) -> Result<usize> {
        let (position, binding) = find(&self.kernel, name)?;
        if position >= self.kernel.signature().bindings.len() {
            return Err(Usage(format!("the kernel does not use `{name}`")).into());
        }
        self.buffers.iter().position(|bound| bound.binding.name == binding.name).ok_or_else(|| {
            Usage(format!("`{name}` is not a storage variable, so it has no buffer")).into()
        })
    }
}

/// The binding with that name or `GROUP:BINDING`. Unused bindings come after the used ones.
fn find<'k>(kernel: &'k Kernel, name: &str) -> Result<(usize, &'k Binding)> {
    let Signature { bindings, unused, .. } = kernel.signature();
    let found = kernel.signature().binding(name);
    let place = |found| bindings.iter().chain(unused).position(|b| std::ptr::eq(b, found));
    found.and_then(|found| Some((place(found)?, found))).ok_or_else(|| {
        let known: Vec<_> = bindings.iter().map(|b| format!("`{}`", b.name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Usage(format!(
            "the kernel `{}` has no binding `{name}`; it has {known}",
            kernel.signature().entry_point
        ))
        .into()
    })
}

/// The grid, if the grid and all data are given; else an error that lists what is missing.
fn complete(kernel: &Kernel, given: &[bool], grid: Option<Grid>) -> Result<Grid> {
    let bindings = kernel.signature().bindings.iter().zip(given);
    let bindings: Vec<String> = bindings
        .filter(|(_, given)| !**given)
        .map(|(binding, _)| how_to_give(kernel, binding))
        .collect();
    let what = match (grid, bindings.len()) {
        (Some(grid), 0) => return Ok(grid),
        (None, 0) => "a grid".to_owned(),
        (grid, count) => {
            let plural = if count == 1 { "" } else { "s" };
            let also = if grid.is_none() { "a grid, and " } else { "" };
            format!("{also}data for {count} more binding{plural}")
        }
    };
    let grid = grid.is_none().then(|| GRID.to_owned());
    Err(Usage(format!(
        "the kernel `{}` needs {what}; add{}",
        kernel.signature().entry_point,
        lines(grid.into_iter().chain(bindings)),
    ))
    .into())
}

/// The flags that give a launch its grid.
const GRID: &str = "--invocations X,Y,Z   or --workgroups X,Y,Z";

/// The flags, each on an indented line of its own.
fn lines(flags: impl Iterator<Item = String>) -> String {
    flags.map(|flag| format!("\n    {flag}")).collect()
}

/// The flags that describe a launch of a kernel, each on a line: one for its grid, and one for the
/// data of each binding.
pub(crate) fn flags(kernel: &Kernel) -> String {
    let bindings = kernel.signature().bindings.iter();
    let bindings = bindings.map(|binding| how_to_give(kernel, binding));
    lines(std::iter::once(GRID.to_owned()).chain(bindings))
}

/// The flag that gives a binding its data, with its type.
fn how_to_give(kernel: &Kernel, binding: &Binding) -> String {
    let name = &binding.name;
    let kind = match binding.space {
        Space::Uniform => "uniform",
        Space::Immediate => "immediate",
        Space::StorageRead => "read",
        Space::StorageWrite => "written",
    };
    let flag = match binding.space {
        Space::Uniform | Space::Immediate => {
            format!("--set '{name}={}'", kernel.value_form(name).unwrap_or_default())
        }
        Space::StorageRead => match binding.layout.scalar {
            Some(scalar) => format!("--bind {name}=random:1:COUNT:{scalar}   or {name}=@FILE.npy"),
            None => format!("--bind {name}=@FILE.bin"),
        },
        Space::StorageWrite => format!(
            "--bind {name}=zeros:{}",
            match binding.layout.count {
                Some(_) => binding.layout.min_bytes().to_string(),
                None => "BYTES".to_owned(),
            }
        ),
    };
    format!("{flag:<48}  ({kind}, {})", binding.type_name)
}

/// The CPU engine that the flags name.
pub(crate) fn engine(args: &DeviceArgs) -> Engine {
    match args.cpu_engine {
        CpuEngine::Auto => Engine::Auto,
        CpuEngine::Llvm => Engine::Llvm,
        CpuEngine::Cranelift => Engine::Cranelift,
        CpuEngine::Interpreter => Engine::Interpreter,
    }
}

/// The devices and the engine that the flags name.
pub(crate) fn runtime(args: &DeviceArgs, devices: Option<&str>) -> Result<Runtime> {
    let mut builder = Runtime::builder().cpu_engine(engine(args));
    if let Some(devices) = devices.or(args.devices.as_deref()) {
        builder = builder.devices(devices);
    }
    // The CPU alone, as --compare runs it, has no memory budget.
    let budgets = args.memory_budget.iter().filter(|_| devices != Some("cpu"));
    for (device, bytes) in budgets {
        builder = builder.memory_budget(device, *bytes);
    }
    Ok(builder.build()?)
}
