//! The interface of a kernel: its bindings, by name, with their WGSL layouts.
//!
//! The signature is data, computed once by `kernel::reflect`. The binding indices of the whole
//! crate (`BindingId`) are positions in [`Signature::bindings`], ordered by group and binding, an
//! immediate last.

use std::sync::Arc;

use naga::{GlobalVariable, Handle};

use super::scalar_type::ScalarType;
use super::value_type::ValueType;

/// Position of a binding in [`Signature::bindings`].
pub(crate) type BindingId = usize;

/// The interface of a kernel.
#[derive(Debug, Clone)]
pub struct Signature {
    /// The entry point's name.
    pub entry_point: String,
    /// Invocations of one workgroup along x, y and z.
    pub workgroup_size: [u32; 3],
    /// The resources that the entry point statically uses, ordered by group and binding.
    pub bindings: Vec<Binding>,
    /// Variables of the module that the entry point does not use. A launch accepts buffers and
    /// values for them, checks their types, and does not touch them.
    pub unused: Vec<Binding>,
    /// The override constants of the module, with the values that this kernel was built with.
    pub constants: Vec<Constant>,
}

impl Signature {
    /// The binding with that WGSL name or `GROUP:BINDING`, as [`Launch::bind`] and [`Launch::set`]
    /// find it.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "@group(0) @binding(3) var<storage, read_write> data: array<vec2<f32>>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] *= 2.0; }",
    /// )?;
    /// let data = kernel.signature().binding("0:3").expect("the kernel has it");
    /// assert_eq!((data.name.as_str(), data.layout.stride), ("data", 8));
    /// assert!(kernel.signature().binding("date").is_none());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// [`Launch::bind`]: crate::Launch::bind
    /// [`Launch::set`]: crate::Launch::set
    pub fn binding(&self, name: &str) -> Option<&Binding> {
        self.find(name).map(|(_, binding)| binding)
    }

    /// As `binding`, with the id. The ids of [`Signature::unused`] follow those of the used
    /// bindings.
    pub(crate) fn find(&self, name: &str) -> Option<(BindingId, &Binding)> {
        let slot = || {
            let (group, binding) = name.split_once(':')?;
            Some((group.parse().ok()?, binding.parse().ok()?))
        };
        let mut bindings = self.bindings.iter().chain(&self.unused).enumerate();
        match slot() {
            Some(slot) => bindings.find(|(_, binding)| binding.slot == Some(slot)),
            None => bindings.find(|(_, binding)| binding.name == name),
        }
    }
}

/// One resource variable of a kernel.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The WGSL variable's name.
    pub name: String,
    /// `@group` and `@binding`; `None` for `var<immediate>`.
    pub slot: Option<(u32, u32)>,
    /// Address space and access.
    pub space: Space,
    /// Where elements lie in memory.
    pub layout: Layout,
    /// The type as WGSL writes it, such as `array<vec4<f32>>`.
    pub type_name: String,
    /// The type with all its fields.
    pub value_type: Arc<ValueType>,
    /// The variable in the kernel's module; for an unused binding, in the module as it was parsed.
    pub(crate) global: Handle<GlobalVariable>,
    pub(super) header_scalars: Vec<(u64, ScalarType)>,
    pub(super) element_scalars: Vec<(u64, ScalarType)>,
}

impl Binding {
    /// The scalars before the first element, in bytes from the start of the binding.
    ///
    /// ```
    /// use coexec::ScalarType;
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { count: u32, items: array<vec2<f32>> }
    ///      @group(0) @binding(0) var<storage, read_write> s: S;
    ///      @compute @workgroup_size(1) fn main() { s.items[s.count].x = 1.0; }",
    /// )?;
    /// let s = &kernel.signature().bindings[0];
    /// assert_eq!(s.header_scalars(), [(0, ScalarType::U32)]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn header_scalars(&self) -> &[(u64, ScalarType)] {
        &self.header_scalars
    }

    /// The scalars of one element, in bytes from its start, without padding. At most 2¹⁶ of them
    /// are listed.
    ///
    /// ```
    /// use coexec::ScalarType;
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { count: u32, items: array<vec2<f32>> }
    ///      @group(0) @binding(0) var<storage, read_write> s: S;
    ///      @compute @workgroup_size(1) fn main() { s.items[s.count].x = 1.0; }",
    /// )?;
    /// let s = &kernel.signature().bindings[0];
    /// assert_eq!(s.element_scalars(), [(0, ScalarType::F32), (4, ScalarType::F32)]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn element_scalars(&self) -> &[(u64, ScalarType)] {
        &self.element_scalars
    }

    /// Whether the lists of scalars are complete, so that elements can be compared scalar by
    /// scalar.
    pub(crate) fn scalars_are_listed(&self) -> bool {
        self.header_scalars.len() < MOST_SCALARS && self.element_scalars.len() < MOST_SCALARS
    }
}

/// The most scalars that are listed for a type. A larger type is a single header or element, which
/// is never compared scalar by scalar.
pub(super) const MOST_SCALARS: usize = 1 << 16;

/// Address space and access of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// `var<uniform>`.
    Uniform,
    /// `var<storage, read>`, or declared `read_write` and never written.
    StorageRead,
    /// `var<storage, read_write>` that the kernel writes or updates atomically.
    StorageWrite,
    /// `var<immediate>`.
    Immediate,
}

impl Space {
    /// Whether buffers are bound here, and not values.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { count: u32, items: array<vec2<f32>> }
    ///      @group(0) @binding(0) var<storage, read_write> s: S;
    ///      @compute @workgroup_size(1) fn main() { s.items[s.count].x = 1.0; }",
    /// )?;
    /// let s = &kernel.signature().bindings[0];
    /// assert!(s.space.is_storage());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn is_storage(self) -> bool {
        matches!(self, Space::StorageRead | Space::StorageWrite)
    }
}

/// The memory layout of a binding: a header, then `stride`-spaced elements.
///
/// An `array<T>` or `array<T, N>` has no header. A struct that ends in a runtime-sized array has
/// its other members as header. Any other type is one element without a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Bytes before the first element.
    pub header: u64,
    /// Bytes from one element to the next.
    pub stride: u64,
    /// Bytes of an element without trailing padding.
    pub element_size: u64,
    /// The number of elements; `None` if the buffer's size determines it.
    pub count: Option<u64>,
    /// The scalar type of an element, if it consists of one kind only and has no padding.
    pub scalar: Option<ScalarType>,
    /// The element's type as WGSL writes it, such as `vec4<f32>`.
    pub element_name: String,
}

impl Layout {
    /// The fewest bytes that a buffer bound here may have. A runtime-sized array has at least one
    /// element, as in WebGPU.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { count: u32, items: array<vec2<f32>> }
    ///      @group(0) @binding(0) var<storage, read_write> s: S;
    ///      @compute @workgroup_size(1) fn main() { s.items[s.count].x = 1.0; }",
    /// )?;
    /// let s = &kernel.signature().bindings[0];
    /// assert_eq!(s.layout.min_bytes(), 16); // `count`, padding, one item
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn min_bytes(&self) -> u64 {
        match self.count {
            Some(0) | None => self.header + self.stride,
            Some(count) => self.header + (count - 1) * self.stride + self.element_size,
        }
    }

    /// The bytes of a value of the type, with the padding at its end. A runtime-sized array counts
    /// one element.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { count: u32, items: array<vec2<f32>> }
    ///      @group(0) @binding(0) var<storage, read_write> s: S;
    ///      @compute @workgroup_size(1) fn main() { s.items[s.count].x = 1.0; }",
    /// )?;
    /// let s = &kernel.signature().bindings[0];
    /// assert_eq!(s.layout.whole_bytes(), 16);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn whole_bytes(&self) -> u64 {
        self.header + self.count.unwrap_or(1).max(1) * self.stride
    }

    /// The number of elements that `bytes` bytes hold.
    ///
    /// ```
    /// let kernel = coexec::Kernel::from_wgsl(
    ///     "struct S { count: u32, items: array<vec2<f32>> }
    ///      @group(0) @binding(0) var<storage, read_write> s: S;
    ///      @compute @workgroup_size(1) fn main() { s.items[s.count].x = 1.0; }",
    /// )?;
    /// let s = &kernel.signature().bindings[0];
    /// assert_eq!(s.layout.elements(8 + 3 * 8), 3);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn elements(&self, bytes: u64) -> u64 {
        match self.count {
            Some(count) => count,
            None => bytes.saturating_sub(self.header) / self.stride,
        }
    }
}

/// An override constant and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// The WGSL name, or the `@id` as text where it has no name.
    pub name: String,
    /// The value that this kernel was built with; `None` if WGSL's default expression gave it.
    pub value: Option<f64>,
    /// `f32`, `i32`, `u32`, `bool` or `f16`.
    pub type_name: String,
}
