//! Loops that leap through memory ask for what they will load.
//!
//! A loop whose counter goes up by the size of the grid touches a different page with every turn,
//! and no prefetcher of a processor follows it there. Where a load's index is such a counter, the
//! lines of a later turn are asked for. What always holds: a prefetch may be outside of everything,
//! so this changes no result; loops in loops are left alone, for their turns are short.

use std::collections::HashMap;

use super::ir::{Kernel, Loop, Node, Region};
use super::shape::{Class, Shape, Shapes};
use crate::cpu::interpreter::bytecode::{Address, Memory, NONE, Op};
use crate::cpu::interpreter::compile::Class as RegClass;
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};

/// Turns that a line takes to come from memory: 80 ns, where one takes 20.
const TURNS: u32 = 4;

/// Elements that are surely on another page.
const PAGE: u32 = 1024;

/// Adds prefetches to the loops of a kernel.
pub(super) fn prefetch(kernel: &mut Kernel, shapes: &mut Shapes) {
    let mut body = std::mem::take(&mut kernel.body);
    let mut leaps = Leaps { kernel, shapes };
    leaps.workgroup(&mut body);
    kernel.body = body;
}

struct Leaps<'k> {
    kernel: &'k mut Kernel,
    shapes: &'k mut Shapes,
}

impl Leaps<'_> {
    /// What is executed once for the workgroup.
    fn workgroup(&mut self, region: &mut Region) {
        for node in &mut region.nodes {
            match node {
                Node::Gangs(body) => self.gang(body),
                // Its gangs' turns are part of a turn.
                Node::Loop(_) => {}
                _ => node.regions_mut().into_iter().for_each(|inner| self.workgroup(inner)),
            }
        }
    }

    fn gang(&mut self, region: &mut Region) {
        for node in &mut region.nodes {
            match node {
                Node::Loop(l) => {
                    let mut found = Turn::of(self.kernel, self.shapes, l);
                    if !found.leaps.is_empty() {
                        self.body(&mut found, &mut l.body);
                    }
                }
                _ => node.regions_mut().into_iter().for_each(|inner| self.gang(inner)),
            }
        }
    }

    /// A turn of a loop, or a branch of it.
    fn body(&mut self, turn: &mut Turn, region: &mut Region) {
        let mut out = Vec::with_capacity(region.nodes.len());
        for mut node in std::mem::take(&mut region.nodes) {
            match &mut node {
                Node::Op(Op::Load(access)) => self.load(turn, &access.address, &mut out),
                Node::Loop(_) => {}
                _ => node.regions_mut().into_iter().for_each(|inner| self.body(turn, inner)),
            }
            out.push(node);
        }
        region.nodes = out;
    }

    fn load(&mut self, turn: &mut Turn, address: &Address, out: &mut Vec<Node>) {
        if !matches!(address.memory, Memory::Storage(_)) || address.outer == NONE {
            return;
        }
        let shape = self.shapes.regs[address.outer as usize];
        let Some(step) = turn.step(address.outer) else { return };
        let asked = (address.memory, address.outer);
        if shape.class != Class::Strided(1) || turn.asked.contains(&asked) {
            return;
        }
        turn.asked.push(asked);
        let by = self.register(RegClass::Constant(TURNS), self.shapes.regs[step as usize]);
        let far = self.register(RegClass::Temporary, self.shapes.regs[step as usize]);
        out.push(Node::Op(Op::Binary { f: Binary::MulI, dst: far, a: step, b: by }));
        let outer = self.register(RegClass::Temporary, Shape { align: 1, ..shape });
        let op = Op::Binary { f: Binary::AddI, dst: outer, a: address.outer, b: far };
        out.push(Node::Op(op));
        out.push(Node::Prefetch(Box::new(Address { outer, ..address.clone() })));
    }

    fn register(&mut self, class: RegClass, shape: Shape) -> Reg {
        self.kernel.classes.push(class);
        self.shapes.regs.push(shape);
        (self.kernel.classes.len() - 1) as Reg
    }
}

/// What a turn of a loop does to its counters.
struct Turn {
    computed: HashMap<Reg, Op>,
    /// Variables that go up by a register from outside of the loop with each turn.
    leaps: HashMap<Reg, Reg>,
    asked: Vec<(Memory, Reg)>,
}

impl Turn {
    fn of(kernel: &Kernel, shapes: &Shapes, l: &Loop) -> Turn {
        let mut turn = Turn { computed: HashMap::new(), leaps: HashMap::new(), asked: Vec::new() };
        let mut sets: HashMap<Reg, u32> = HashMap::new();
        let mut note = |node: &Node| {
            let Node::Op(op) = node else { return };
            op.clone().for_each_result(&mut |reg| {
                *sets.entry(*reg).or_default() += 1;
                turn.computed.insert(*reg, op.clone());
            });
        };
        l.body.for_each(&mut note);
        l.continuing.for_each(&mut note);
        let variables = turn.computed.iter().filter_map(|(&var, op)| {
            let Op::Unary { f: Unary::Copy, a: next, .. } = *op else { return None };
            let Op::Binary { f: Binary::AddI, a, b, .. } = *turn.computed.get(&next)? else {
                return None;
            };
            let itself = |reg: Reg| {
                let copied = turn.computed.get(&reg);
                matches!(copied, Some(&Op::Unary { f: Unary::Copy, a, .. }) if a == var)
            };
            let step = if itself(a) {
                b
            } else if itself(b) {
                a
            } else {
                return None;
            };
            let far =
                kernel.known(step).is_none_or(|step| step.cast_signed().unsigned_abs() >= PAGE);
            let stays = !turn.computed.contains_key(&step)
                && shapes.regs[step as usize].class <= Class::Gang;
            let counter = kernel.is_variable(var) && kernel.array_of(var).is_none();
            (counter && sets[&var] == 1 && far && stays).then_some((var, step))
        });
        turn.leaps = variables.collect();
        // What sets a variable says nothing of what is read from it.
        turn.computed.retain(|&reg, _| !kernel.is_variable(reg));
        turn
    }

    /// By how much an index goes up with each turn, if that is one of the leaps.
    fn step(&self, reg: Reg) -> Option<Reg> {
        match *self.computed.get(&reg)? {
            Op::Unary { f: Unary::Copy, a, .. } => {
                self.leaps.get(&a).copied().or_else(|| self.step(a))
            }
            Op::Binary { f: Binary::AddI, a, b, .. } => {
                let stays = |reg| !self.computed.contains_key(&reg);
                if stays(b) {
                    self.step(a)
                } else if stays(a) {
                    self.step(b)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{compile, print};
    use crate::kernel::Kernel;

    /// The kernel of a loop whose counter starts at the invocation, for a step.
    fn printed(step: &str) -> String {
        let text = format!(
            "@group(0) @binding(0) var<storage, read> src: array<f32>;
             @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
             @compute @workgroup_size(64)
             fn main(
                 @builtin(global_invocation_id) id: vec3<u32>,
                 @builtin(num_workgroups) groups: vec3<u32>,
             ) {{
                 var sum = 0.0;
                 for (var i = id.x; i < arrayLength(&src); i += {step}) {{ sum += src[i]; }}
                 dst[id.x] = sum;
             }}"
        );
        print(&compile(&Kernel::from_wgsl(&text).unwrap(), 16, 32, true).unwrap())
    }

    #[test]
    fn a_loop_over_the_grid_asks_for_a_later_turn_and_one_over_neighbours_does_not() {
        assert_eq!(printed("groups.x * 64u").matches("prefetch").count(), 1);
        assert_eq!(printed("4096u").matches("prefetch").count(), 1);
        assert_eq!(printed("64u").matches("prefetch").count(), 0);
    }
}
