//! The parameters that a back end gives the compiler.

/// The gangs that a back end wants.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Gangs {
    /// The number of lanes, a power of two. If a kernel uses subgroups, its gangs have their size
    /// instead, since a gang is a subgroup.
    pub(in crate::cpu) width: u32,
    /// The number of invocations of a subgroup.
    pub(in crate::cpu) subgroup: u32,
    /// Whether several small workgroups may be executed as one.
    pub(in crate::cpu) pack: bool,
    /// The most values of each lane that a loop may set and keep, if registers limit them.
    pub(in crate::cpu) values: Option<u32>,
}

#[cfg(test)]
impl Gangs {
    /// Gangs of `width` lanes, with defaults for the rest.
    pub(super) fn of(width: u32) -> Gangs {
        Gangs { width, subgroup: 32, pack: true, values: None }
    }
}
