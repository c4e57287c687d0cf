//! What a back end asks of the compiler.

/// What a back end wants.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Gangs {
    /// Lanes, a power of two. A kernel that asks for subgroups has gangs of their size instead: a
    /// gang is a subgroup.
    pub(in crate::cpu) width: u32,
    /// Invocations of a subgroup.
    pub(in crate::cpu) subgroup: u32,
    /// Whether small workgroups may be executed several at once.
    pub(in crate::cpu) pack: bool,
    /// Values of each lane that a loop may set and keep, if more are too many for the registers.
    pub(in crate::cpu) values: Option<u32>,
}

#[cfg(test)]
impl Gangs {
    /// Gangs of so many lanes, and nothing special.
    pub(super) fn of(width: u32) -> Gangs {
        Gangs { width, subgroup: 32, pack: true, values: None }
    }
}
