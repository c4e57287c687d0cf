//! A WGSL compute kernel: text, parsed, validated, reflected and normalised.
//!
//! What always holds of [`Kernel::module`]: it is valid; it has exactly one entry point, a compute
//! one; it has no overrides; the entry point calls no function (calls are inlined), so every
//! pointer leads to one of its own locals or to one of the module's globals; f32 products that feed
//! only a sum are fused with it into `fma` (`normalise::fuse` states the rule); every expression
//! and statement keeps the span of its text. No other room needs to look at a second function.
//! Unsupported constructs are refused here, with their line, unless only one engine lacks them.
//!
//! This module knows nothing of launches, devices or sizes.

mod derived;
mod isolated;
mod operands;
mod returns;
mod scalar_type;
mod source;
mod tokens;

mod constant_calls;
mod directives;
mod layout;
mod rejected;
mod text_limits;
mod unsupported;
mod value_type;

mod signature;

mod fit;
mod scalars;
mod value;

mod reflect;

mod parse;

mod normalise;

#[cfg(test)]
mod layout_tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use fit::{RustType, check_buffer, check_element, check_value, check_value_bytes};
pub(crate) use isolated::isolated;
pub(crate) use normalise::host_has_fma;
pub(crate) use operands::expression_operands;
#[cfg(feature = "gpu")]
pub(crate) use operands::{statement_operands, statement_result};
pub use scalar_type::ScalarType;
pub(crate) use signature::BindingId;
pub use signature::{Binding, Constant, Layout, Signature, Space};
pub(crate) use source::Source;
pub(crate) use value::PartialValue;
pub use value::Value;
pub use value_type::{Field, ValueType};

use crate::error::{Error, Result};

/// A compiled-once, launch-many WGSL kernel. Cheap to clone.
///
/// ```
/// let kernel = coexec::Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> data: array<f32>;
///      @compute @workgroup_size(64)
///      fn double(@builtin(global_invocation_id) id: vec3<u32>) {
///          if id.x < arrayLength(&data) { data[id.x] *= 2.0; }
///      }",
/// )?;
/// assert_eq!(kernel.signature().workgroup_size, [64, 1, 1]);
/// assert_eq!(kernel.signature().bindings[0].name, "data");
/// # Ok::<(), coexec::Error>(())
/// ```
#[derive(Clone)]
pub struct Kernel {
    inner: Arc<Inner>,
}

struct Inner {
    id: u64,
    source: Source,
    module: naga::Module,
    info: naga::valid::ModuleInfo,
    signature: Signature,
    derived: derived::Derived,
}

impl Kernel {
    /// Parses and validates WGSL that has one compute entry point and whose override constants
    /// all have defaults.
    ///
    /// ```
    /// use coexec::{Error, Kernel};
    /// let saxpy = coexec::ops::library().iter().find(|kernel| kernel.name == "saxpy").unwrap();
    /// let kernel = Kernel::from_wgsl(saxpy.text)?;
    /// assert_eq!(kernel.signature().entry_point, "saxpy");
    /// assert!(matches!(Kernel::from_wgsl("fn main() {"), Err(Error::Wgsl { .. })));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Wgsl`] with the line and a caret for text that is not valid WGSL,
    /// [`Error::Unsupported`] for textures, ray queries and cooperative matrices,
    /// [`Error::EntryPoint`] and [`Error::Constant`] when [`Kernel::builder`] is needed.
    pub fn from_wgsl(text: &str) -> Result<Kernel> {
        Kernel::builder(text).build()
    }

    /// A builder, to choose an entry point and give override constants.
    ///
    /// ```
    /// use coexec::Kernel;
    /// let text = "override n: u32;
    ///     @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    ///     @compute @workgroup_size(1) fn one() { data[0] = n; }
    ///     @compute @workgroup_size(1) fn two() { data[0] = 2u * n; }";
    /// let kernel = Kernel::builder(text).entry_point("two").constant("n", 21.0).build()?;
    /// assert_eq!(kernel.signature().entry_point, "two");
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn builder(text: &str) -> KernelBuilder {
        KernelBuilder {
            text: text.to_owned(),
            name: "wgsl".to_owned(),
            entry_point: None,
            constants: BTreeMap::new(),
            most_inlined: normalise::MOST_INLINED,
        }
    }

    /// Bindings, workgroup size and constants.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// assert_eq!(kernel.signature().workgroup_size, [64, 1, 1]);
    /// let names: Vec<_> = kernel.signature().bindings.iter().map(|b| b.name.as_str()).collect();
    /// assert_eq!(names, ["s", "data"]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn signature(&self) -> &Signature {
        &self.inner.signature
    }

    /// The WGSL text as given.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// assert!(kernel.text().starts_with("struct S"));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn text(&self) -> &str {
        &self.inner.source.text
    }

    /// A number that differs between any two kernels of this process; for caches.
    pub(crate) fn id(&self) -> u64 {
        self.inner.id
    }

    /// The number of results that were derived from the kernel.
    #[cfg(test)]
    pub(crate) fn derivations(&self) -> usize {
        self.inner.derived.count()
    }

    /// Whether this is the last clone.
    pub(crate) fn is_last(&self) -> bool {
        Arc::strong_count(&self.inner) == 1
    }

    /// A result that another room derives from the kernel. It is made once per type and variant,
    /// and dropped with the last clone of the kernel.
    pub(crate) fn derived<T: std::any::Any + Send + Sync>(
        &self,
        variant: u64,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        self.inner.derived.get(variant, make)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.inner.source
    }

    /// The normalised module; the top of this file says what always holds of it.
    pub(crate) fn module(&self) -> &naga::Module {
        &self.inner.module
    }

    /// naga's own analysis of [`Kernel::module`].
    pub(crate) fn info(&self) -> &naga::valid::ModuleInfo {
        &self.inner.info
    }

    /// The one entry point.
    pub(crate) fn entry_point(&self) -> &naga::EntryPoint {
        &self.inner.module.entry_points[0]
    }

    /// The binding with that WGSL name or `GROUP:BINDING`. The ids of [`Signature::unused`] follow
    /// those of [`Signature::bindings`].
    pub(crate) fn binding(&self, name: &str) -> Result<(BindingId, &Binding)> {
        let signature = &self.inner.signature;
        signature.find(name).ok_or_else(|| {
            let known: Vec<_> =
                signature.bindings.iter().map(|b| format!("`{}`", b.name)).collect();
            Error::Binding {
                name: name.to_owned(),
                problem: format!(
                    "the kernel `{}` has no such binding; it has {}",
                    signature.entry_point,
                    if known.is_empty() { "none".to_owned() } else { known.join(", ") }
                ),
            }
        })
    }

    /// Lays a value out as a binding has it in memory. A runtime-sized array is as long as the
    /// list given for it.
    ///
    /// ```
    /// use coexec::Value;
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// let b = Value::List(vec![1.0f32.into(), 2.0f32.into(), 3.0f32.into()]);
    /// let value = Value::Fields(vec![("a".into(), 0.5f32.into()), ("b".into(), b)]);
    /// let bytes = kernel.encode("s", &value)?;
    /// assert_eq!(bytes[..4], 0.5f32.to_le_bytes());
    /// assert_eq!(bytes[16..20], 1.0f32.to_le_bytes());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Binding`] for an unknown name, and for a value that does not fit the type. The
    /// error names the field or component, what was found and what would fit.
    pub fn encode(&self, name: &str, value: &Value) -> Result<Vec<u8>> {
        let (_, binding) = self.binding(name)?;
        value::lay_out(binding, value)
    }

    /// The form that [`Kernel::encode`] expects for a binding, as JSON with types in place of
    /// values: `{"width": u32, "origin": [f32, f32]}`.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { a: f32, b: vec3<f32> }
    ///      @group(0) @binding(0) var<uniform> s: S;
    ///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
    /// )?;
    /// assert_eq!(kernel.value_form("s")?, "{\"a\": f32, \"b\": [f32, f32, f32]}");
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Binding`] for an unknown name.
    pub fn value_form(&self, name: &str) -> Result<String> {
        let (_, binding) = self.binding(name)?;
        Ok(value::form(&binding.value_type))
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel").field("signature", &self.inner.signature).finish_non_exhaustive()
    }
}

/// Builds a [`Kernel`]; made by [`Kernel::builder`].
#[derive(Debug, Clone)]
#[must_use]
pub struct KernelBuilder {
    text: String,
    name: String,
    entry_point: Option<String>,
    constants: BTreeMap<String, f64>,
    /// The parameter `most` of `normalise::inline`.
    most_inlined: u64,
}

impl KernelBuilder {
    /// The name under which diagnostics show the text, such as a path.
    ///
    /// ```
    /// let error = coexec::Kernel::builder("fn main() {").name("wrong.wgsl").build().unwrap_err();
    /// assert!(error.to_string().contains("wrong.wgsl:1"));
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The entry point; not needed when there is only one.
    ///
    /// ```
    /// let text = "override n: u32;
    ///     @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    ///     @compute @workgroup_size(1) fn one() { data[0] = n; }
    ///     @compute @workgroup_size(1) fn two() { data[0] = 2u * n; }";
    /// let kernel = coexec::Kernel::builder(text).entry_point("one").constant("n", 1.0).build()?;
    /// assert_eq!(kernel.signature().entry_point, "one");
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn entry_point(mut self, name: impl Into<String>) -> Self {
        self.entry_point = Some(name.into());
        self
    }

    /// The value of an override constant, by WGSL name or by `@id` as text. Booleans are 0 and 1.
    ///
    /// ```
    /// let text = "override n: u32;
    ///     @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    ///     @compute @workgroup_size(1) fn one() { data[0] = n; }
    ///     @compute @workgroup_size(1) fn two() { data[0] = 2u * n; }";
    /// let kernel = coexec::Kernel::builder(text).entry_point("one").constant("n", 7.0).build()?;
    /// assert_eq!(kernel.signature().constants[0].value, Some(7.0));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn constant(mut self, name: impl Into<String>, value: f64) -> Self {
        self.constants.insert(name.into(), value);
        self
    }

    /// The size up to which calls are inlined. With 0, all calls share a copy of their callee that
    /// may.
    #[cfg(test)]
    pub(crate) fn most_inlined(mut self, most: u64) -> Self {
        self.most_inlined = most;
        self
    }

    /// Parses, validates, reflects and normalises.
    ///
    /// ```
    /// use coexec::{Error, Kernel};
    /// let text = "override n: u32;
    ///     @group(0) @binding(0) var<storage, read_write> data: array<u32>;
    ///     @compute @workgroup_size(1) fn one() { data[0] = n; }
    ///     @compute @workgroup_size(1) fn two() { data[0] = 2u * n; }";
    /// let kernel = Kernel::builder(text).entry_point("one").constant("n", 7.0).build()?;
    /// // `n` has no default.
    /// let missing = Kernel::builder(text).entry_point("one").build();
    /// assert!(matches!(missing, Err(Error::Constant { .. })));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Kernel::from_wgsl`].
    pub fn build(self) -> Result<Kernel> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let source = Source { text: self.text, name: self.name };
        let (module, info, signature) = isolated("kernel", || {
            text_limits::check(&source)?;
            let parsed = parse::parse(&source)?;
            let declared = reflect::declared(&parsed)?;
            let (entry_point, most) = (self.entry_point.as_deref(), self.most_inlined);
            let normalise::Normalised { module, info, constants } =
                normalise::normalise(&source, parsed, entry_point, &self.constants, most)?;
            let signature = reflect::reflect(&source, &module, &info, constants, declared)?;
            Ok((module, info, signature))
        })?;
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(Kernel {
            inner: Arc::new(Inner {
                id,
                source,
                module,
                info,
                signature,
                derived: derived::Derived::default(),
            }),
        })
    }
}
