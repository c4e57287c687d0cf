//! Limits `Gangs` regions in which only the first invocations of a workgroup have work to their gangs.
//!
//! `if index < 64 { … }` between two barriers concerns two gangs of 32, and `if index == 0` one; the others
//! are left out. What always holds: outside of its branch, such a region only computes values that it uses
//! itself, so a gang that is left out changes nothing. `interior` decides whether the branch itself is then
//! superfluous.

use std::collections::HashMap;

use super::ir::{Kernel, Node, Region};
use crate::cpu::interpreter::bytecode::{Builtin, Op};
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};

/// The most operations of a condition.
const CONDITION: u32 = 32;

/// Limits the regions of a kernel that was split at its barriers.
pub(super) fn limit(kernel: &mut Kernel) {
    if !kernel.is_split() {
        return;
    }
    let mut body = std::mem::take(&mut kernel.body);
    region(kernel, &mut body);
    kernel.body = body;
}

fn region(kernel: &Kernel, inside: &mut Region) {
    for node in &mut inside.nodes {
        if let Node::Gangs { body, most } = node {
            *most = concerned(kernel, body);
            continue;
        }
        for inner in node.regions_mut() {
            region(kernel, inner);
        }
    }
}

/// The number of gangs that a region concerns, if not all.
fn concerned(kernel: &Kernel, body: &Region) -> Option<u32> {
    let (last, before) = body.nodes.split_last()?;
    let Node::If { condition, accept, reject } = last else { return None };
    let truth = match (accept.nodes.is_empty(), reject.nodes.is_empty()) {
        (false, true) => true,
        (true, false) => false,
        _ => return None,
    };
    let mut ops = HashMap::new();
    for node in before {
        let Node::Op(op) = node else { return None };
        let mut private = op.is_pure() || matches!(op, Op::Load(_));
        op.clone().for_each_result(&mut |reg| {
            private &= !kernel.is_variable(*reg);
            ops.insert(*reg, op);
        });
        if !private {
            return None;
        }
    }
    let lanes = Lanes { kernel, ops }.first(*condition, truth, &mut CONDITION.clone())?;
    let most = lanes.div_ceil(kernel.width).max(1);
    (u64::from(most) < kernel.gangs()).then_some(most)
}

struct Lanes<'k> {
    kernel: &'k Kernel,
    ops: HashMap<Reg, &'k Op>,
}

impl Lanes<'_> {
    /// A number of invocations, from the first one, that includes all in which the condition has this
    /// truth value; `None` if the condition has more than `left` operations.
    fn first(&self, condition: Reg, truth: bool, left: &mut u32) -> Option<u32> {
        *left = left.checked_sub(1)?;
        match **self.ops.get(&condition)? {
            Op::Unary { f: Unary::Not, a, .. } => self.first(a, !truth, left),
            Op::Unary { f: Unary::Copy, a, .. } => self.first(a, truth, left),
            Op::Binary { f: f @ (Binary::And | Binary::Or), a, b, .. } => {
                let (a, b) = (self.first(a, truth, left), self.first(b, truth, left));
                match (a, b, truth == (f == Binary::And)) {
                    (Some(a), Some(b), true) => Some(a.min(b)),
                    (Some(a), Some(b), false) => Some(a.max(b)),
                    (a, b, true) => a.or(b),
                    _ => None,
                }
            }
            // Indices are far below 2^31, so signed and unsigned comparisons agree.
            Op::Binary { f: Binary::LtU | Binary::LtI, a, b, .. } if truth => self.below(a, b, 0),
            Op::Binary { f: Binary::LeU | Binary::LeI, a, b, .. } if truth => self.below(a, b, 1),
            Op::Binary { f: Binary::LtU | Binary::LtI, a, b, .. } => self.below(b, a, 1),
            Op::Binary { f: Binary::LeU | Binary::LeI, a, b, .. } => self.below(b, a, 0),
            Op::Binary { f: Binary::EqI, a, b, .. } if truth => {
                self.below(a, b, 1).or_else(|| self.below(b, a, 1))
            }
            Op::Binary { f: Binary::NeI, a, b, .. } if !truth => {
                self.below(a, b, 1).or_else(|| self.below(b, a, 1))
            }
            _ => None,
        }
    }

    /// The number of invocations whose index is below a known bound plus `more`.
    fn below(&self, index: Reg, bound: Reg, more: u32) -> Option<u32> {
        let bound = self.kernel.known(bound).filter(|&bound| bound < 1 << 31)?;
        self.is_index(index).then_some(bound + more)
    }

    /// Whether a register is the invocation's index in its workgroup.
    fn is_index(&self, mut reg: Reg) -> bool {
        while let Some(Op::Unary { f: Unary::Copy, a, .. }) = self.ops.get(&reg) {
            reg = *a;
        }
        let [_, y, z] = self.kernel.workgroup_size;
        match self.kernel.builtins.get(&reg) {
            Some(Builtin::LocalIndex) => true,
            Some(Builtin::LocalId(0)) => y == 1 && z == 1 && self.kernel.packed == 1,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile, print};
    use crate::kernel::Kernel;

    /// The limits of the regions of a kernel of 64 invocations, in gangs of 16.
    fn limits(body: &str) -> Vec<String> {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
            var<workgroup> cells: array<u32, 64>;
            @compute @workgroup_size(8, 8)
            fn main(@builtin(local_invocation_index) i: u32,
                    @builtin(local_invocation_id) id: vec3<u32>) {{
                cells[i] = i;
                workgroupBarrier();
                {body}
                workgroupBarrier();
                dst[i] = cells[63u - i];
            }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap();
        let printed = print(&compile(&kernel, Gangs::of(16)).unwrap());
        let gangs = printed.lines().filter_map(|line| line.trim().strip_prefix("gangs below "));
        gangs.map(str::to_owned).collect()
    }

    #[test]
    fn regions_of_the_first_invocations_are_limited_to_their_gangs() {
        // Gangs are as short as the rows: 8 lanes.
        assert_eq!(limits("if i < 24u { cells[i] = 1u; }"), ["3"]);
        assert_eq!(limits("if i <= 24u { cells[i] = 1u; }"), ["4"]);
        assert_eq!(limits("if i == 0u { cells[1] = 1u; }"), ["1"]);
        assert_eq!(limits("if (9u > i) & ((i & 1u) == 0u) { cells[i] = 1u; }"), ["2"]);
        assert_eq!(limits("if i >= 20u {} else { cells[i] = 1u; }"), ["3"]);
    }

    #[test]
    fn regions_that_concern_others_or_leave_something_behind_are_not() {
        let none: [&str; 0] = [];
        assert_eq!(limits("if i >= 24u { cells[i] = 1u; }"), none);
        assert_eq!(limits("if i < 64u { cells[i] = 1u; }"), none);
        assert_eq!(limits("if id.x < 4u { cells[i] = 1u; }"), none);
        assert_eq!(limits("if i < 24u || cells[i] < 9u { cells[i] = 1u; }"), none);
        assert_eq!(limits("cells[i] = 2u; if i < 24u { cells[i] = 1u; }"), none);
        assert_eq!(limits("if i < 24u { cells[i] = 1u; } else { cells[i] = 3u; }"), none);
    }
}
