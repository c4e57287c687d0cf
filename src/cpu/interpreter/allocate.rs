//! The last stage of compilation: removes dead operations, gives slots to planes, and turns labels into
//! positions.
//!
//! Constants, invariants, built-in values and variables keep a slot of their own. The live range of another
//! register extends from its first definition to its last use, or to the end of a loop that contains the use but
//! not the definition. Slots are assigned in one walk over the code.

use std::collections::HashMap;

use super::bytecode::{Label, NONE, Op};
use super::class::Class;
use super::functions::Reg;

/// Code whose registers are slots.
pub(super) struct Code {
    pub(super) preamble: Vec<Op>,
    pub(super) body: Vec<Op>,
    pub(super) slots: u32,
    places: Vec<Reg>,
}

impl Code {
    /// The slot of a register, if it is used.
    pub(super) fn slot_of(&self, reg: Reg) -> Option<Reg> {
        Some(self.places[reg as usize]).filter(|&slot| slot != NONE)
    }
}

pub(super) fn allocate(classes: &[Class], preamble: Vec<Op>, body: Vec<Op>) -> Code {
    let mut used = vec![false; classes.len()];
    let mut body = without_dead(classes, body, &mut used);
    let mut preamble = without_dead(classes, preamble, &mut used);

    let mut places = vec![NONE; classes.len()];
    let mut slots = 0;
    for (reg, class) in classes.iter().enumerate() {
        let fixed = match class {
            Class::Variable(_) => true,
            Class::Constant(_) | Class::Invariant | Class::Builtin => used[reg],
            Class::Temporary | Class::Mask => false,
        };
        if fixed {
            places[reg] = slots;
            slots += 1;
        }
    }
    let last = last_uses(classes, &mut body);
    slots = assign(&mut body, &last, &mut places, slots);

    for op in preamble.iter_mut().chain(&mut body) {
        op.for_each_variable(&mut |reg| *reg = places[*reg as usize]);
        op.for_each_source(&mut |reg| *reg = places[*reg as usize]);
        // No register is renamed twice: the parts of a load are only results, those of a store only sources.
        op.for_each_result(&mut |reg| *reg = places[*reg as usize]);
    }
    resolve_labels(&mut body);
    Code { preamble, body, slots, places }
}

/// The code without operations whose results are unused. Registers that the rest reads are marked in `used`.
fn without_dead(classes: &[Class], mut ops: Vec<Op>, used: &mut [bool]) -> Vec<Op> {
    // Results come before their uses in the text, so a backward walk sees every use first.
    let mut live: Vec<Op> = Vec::with_capacity(ops.len());
    while let Some(mut op) = ops.pop() {
        let mut wanted = !op.only_computes();
        let keeps = |reg: Reg| {
            used[reg as usize] || matches!(classes[reg as usize], Class::Mask | Class::Variable(_))
        };
        op.for_each_result(&mut |reg| wanted |= keeps(*reg));
        if !wanted {
            continue;
        }
        match &mut op {
            Op::Load(access) => access.parts.retain(|part| keeps(part.reg)),
            Op::Atomic(atomic) => {
                if atomic.dst != NONE && !keeps(atomic.dst) {
                    atomic.dst = NONE;
                }
                if atomic.exchanged != NONE && !keeps(atomic.exchanged) {
                    atomic.exchanged = NONE;
                }
            }
            // Most ballots use only some of the four words.
            Op::Ballot { dst, .. } => {
                for reg in dst {
                    if !keeps(*reg) {
                        *reg = NONE;
                    }
                }
            }
            _ => {}
        }
        op.for_each_source(&mut |reg| used[*reg as usize] = true);
        live.push(op);
    }
    live.reverse();
    live
}

/// For each temporary and mask, the position at which its live range ends.
fn last_uses(classes: &[Class], body: &mut [Op]) -> Vec<usize> {
    let mut labels: HashMap<Label, usize> = HashMap::new();
    let mut ends: HashMap<usize, usize> = HashMap::new();
    for (at, op) in body.iter().enumerate() {
        match op {
            Op::Label(label) => {
                labels.insert(*label, at);
            }
            Op::Jump { to } => {
                // Only loops jump backwards, and only loops use `Jump`.
                if let Some(&head) = labels.get(to) {
                    ends.insert(head, at);
                }
            }
            _ => {}
        }
    }
    let mut first = vec![usize::MAX; classes.len()];
    let mut last = vec![0; classes.len()];
    // The loops around the position, outermost first, with their first and last positions.
    let mut loops: Vec<(usize, usize)> = Vec::new();
    for (at, op) in body.iter_mut().enumerate() {
        while loops.last().is_some_and(|&(_, end)| end < at) {
            loops.pop();
        }
        if let Some(&end) = ends.get(&at) {
            loops.push((at, end));
        }
        let mut touch = |reg: &mut Reg| {
            let reg = *reg as usize;
            if !matches!(classes[reg], Class::Temporary | Class::Mask) {
                return;
            }
            first[reg] = first[reg].min(at);
            let outer = loops.iter().find(|&&(head, _)| head > first[reg]);
            last[reg] = last[reg].max(outer.map_or(at, |&(_, end)| end));
        };
        op.for_each_source(&mut touch);
        op.for_each_result(&mut touch);
    }
    last
}

/// Gives slots to temporaries and masks; returns the number of slots.
fn assign(body: &mut [Op], last: &[usize], places: &mut [Reg], mut slots: u32) -> u32 {
    let mut free: Vec<Reg> = Vec::new();
    // The registers whose slots become free after each position.
    let mut ending: Vec<Vec<Reg>> = vec![Vec::new(); body.len() + 1];
    for (at, op) in body.iter_mut().enumerate() {
        // These operations read a row of each source before they write it, so a source that ends here may give
        // its slot to the result.
        let elementwise = matches!(op, Op::Unary { .. } | Op::Binary { .. } | Op::Ternary { .. });
        if elementwise {
            free.extend(ending[at].drain(..).map(|reg| places[reg as usize]));
        }
        op.for_each_result(&mut |reg| {
            if places[*reg as usize] == NONE {
                places[*reg as usize] = free.pop().unwrap_or_else(|| {
                    slots += 1;
                    slots - 1
                });
                // A result that is never read still needs its slot while it is written.
                ending[last[*reg as usize].max(at)].push(*reg);
            }
        });
        free.extend(ending[at].drain(..).map(|reg| places[reg as usize]));
    }
    slots
}

/// Turns labels into positions, and removes the labels.
fn resolve_labels(body: &mut Vec<Op>) {
    let mut positions: HashMap<Label, u32> = HashMap::new();
    let mut at = 0;
    for op in body.iter() {
        match op {
            Op::Label(label) => {
                positions.insert(*label, at);
            }
            _ => at += 1,
        }
    }
    body.retain(|op| !matches!(op, Op::Label(_)));
    for op in body {
        if let Op::Jump { to } | Op::JumpIfNone { to, .. } = op {
            *to = positions.get(to).copied().unwrap_or(at);
        }
    }
}
