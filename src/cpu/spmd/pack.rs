//! Fits gangs to the workgroup: several small workgroups are executed as one, or gangs get shorter.
//!
//! Lanes that are neighbours along x touch neighbours in memory, so a gang should lie in one row of
//! invocations. Rows are often shorter than a gang: workgroups of 8 by 8 are common, workgroups of one
//! invocation not rare. If invocations can't tell which workgroup they are in, neighbouring workgroups along
//! x are packed and executed as one, with long rows. Otherwise gangs become as short as the rows.
//!
//! What always holds: a packed kernel has no workgroup memory, barriers, subgroups or storage atomics, and
//! reads no id but the global one. Through storage atomics a workgroup may wait for an earlier one, so it
//! must not run in lockstep with it.

use std::collections::HashSet;

use super::ir::{Kernel, Node};
use crate::cpu::interpreter::bytecode::{Builtin, Op};
use crate::cpu::interpreter::functions::Reg;

/// A single row of at least this length may end in the middle of a gang.
const LONG: u32 = 64;

/// The most invocations of a packed workgroup.
const MOST: u32 = 4096;

/// The shortest gang that is made to fit rows.
const SHORTEST: u32 = 4;

/// Fits the kernel's workgroup and its gangs to each other; `pack` says whether workgroups may be
/// packed.
pub(super) fn fit(kernel: &mut Kernel, pack: bool) {
    if kernel.subgroups {
        return;
    }
    kernel.anonymous = is_anonymous(kernel);
    let [x, y, z] = kernel.workgroup_size;
    let rows = y > 1 || z > 1;
    if x.is_multiple_of(kernel.width) || !rows && x >= LONG {
        return;
    }
    let row = common_divisor(x, kernel.width);
    // No more than needed: a second program executes the workgroups left over in each row, unpacked.
    let together = kernel.width / row;
    let invocations = u64::from(x) * u64::from(y) * u64::from(z) * u64::from(together);
    if pack && invocations <= u64::from(MOST) && kernel.anonymous {
        kernel.workgroup_size[0] *= together;
        kernel.packed = together;
    } else if rows && row >= SHORTEST {
        kernel.width = row;
    }
}

/// The largest power of two that divides both; `width` is a power of two.
fn common_divisor(x: u32, width: u32) -> u32 {
    1 << x.trailing_zeros().min(width.trailing_zeros())
}

/// Whether no invocation can tell which workgroup it is in.
fn is_anonymous(kernel: &Kernel) -> bool {
    if kernel.workgroup_words > 0 || kernel.storage_atomics || kernel.body.has_barrier() {
        return false;
    }
    let mut used: HashSet<Reg> = HashSet::new();
    let mut visit = |op: &Op| {
        op.clone().for_each_source(&mut |reg| {
            used.insert(*reg);
        });
    };
    kernel.preamble.iter().for_each(&mut visit);
    kernel.body.for_each(&mut |node| {
        if let Node::Op(op) = node {
            visit(op);
        }
    });
    kernel.builtins.iter().all(|(reg, builtin)| {
        matches!(builtin, Builtin::GlobalId(_) | Builtin::NumWorkgroups(_)) || !used.contains(reg)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile};
    use crate::kernel::Kernel;

    /// The lanes of a gang, the size of the executed workgroup, and the number of workgroups packed into
    /// it.
    fn fitted(size: &str, body: &str) -> (u32, [u32; 3], u32) {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
             @compute @workgroup_size({size})
             fn main(@builtin(global_invocation_id) id: vec3<u32>,
                     @builtin(local_invocation_id) local: vec3<u32>) {{
                 out[id.y * 100u + id.x] = {body};
             }}"
        );
        let code = compile(&Kernel::from_wgsl(&text).unwrap(), Gangs::of(16)).unwrap().code;
        (code.width, code.workgroup_size, code.packed)
    }

    #[test]
    fn small_workgroups_are_packed_until_rows_are_gangs() {
        assert_eq!(fitted("1", "id.x"), (16, [16, 1, 1], 16));
        assert_eq!(fitted("10", "id.x"), (16, [80, 1, 1], 8));
        assert_eq!(fitted("4, 4", "id.x"), (16, [16, 4, 1], 4));
        assert_eq!(fitted("8, 8", "id.x"), (16, [16, 8, 1], 2));
        assert_eq!(fitted("3, 5, 2", "id.x"), (16, [48, 5, 2], 16));
    }

    #[test]
    fn large_workgroups_and_single_rows_stay_as_they_are() {
        assert_eq!(fitted("64", "id.x"), (16, [64, 1, 1], 1));
        assert_eq!(fitted("100", "id.x"), (16, [100, 1, 1], 1));
        assert_eq!(fitted("16, 16", "id.x"), (16, [16, 16, 1], 1));
    }

    #[test]
    fn a_kernel_that_knows_its_workgroup_has_gangs_as_short_as_its_rows() {
        assert_eq!(fitted("8, 8", "local.x"), (8, [8, 8, 1], 1));
        assert_eq!(fitted("12, 8", "local.x"), (4, [12, 8, 1], 1));
        assert_eq!(fitted("3, 8", "local.x"), (16, [3, 8, 1], 1));
    }
}
