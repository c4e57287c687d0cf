//! Loop distribution: a loop with more sums than the processor has registers becomes several loops.
//!
//! A tile of a matrix product keeps a sum for each of its elements. If they outnumber the registers, every
//! iteration spills some and loads them again. Several loops over the same range, each with some of the
//! sums, load a few operands more often instead. The order of operations on one sum does not change, so
//! neither do the bits. What always holds: a distributed loop only loads and computes, and all lanes leave
//! it together. Its variables fall apart into groups that don't need each other. Counters, and the values
//! that decide about leaving, are in every part.
//! Source: Kennedy and McKinley, "Loop distribution with arbitrary control flow", 1990; the only control
//! flow here is the exit.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::ir::{Kernel, Loop, Node, Region};
use super::liveness::{Access, access};
use super::shape::{Class, Shapes};
use crate::cpu::interpreter::bytecode::{Address, Op};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};

/// The highest cost of all parts together, in percent of the loop's cost.
const MOST_COST: u64 = 150;

/// The cost of a slow operation, as a multiple of the cost of an addition.
const LONG: u64 = 8;

/// Distributes loops so that none keeps more than `most` values of each lane that it sets. Returns
/// whether there was one.
pub(super) fn distribute(kernel: &mut Kernel, shapes: &Shapes, most: u32) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let changed = region(kernel, shapes, most.max(1), &mut body);
    kernel.body = body;
    changed
}

fn region(kernel: &mut Kernel, shapes: &Shapes, most: u32, inside: &mut Region) -> bool {
    let mut changed = false;
    let mut nodes = Vec::with_capacity(inside.nodes.len());
    // Next to other barriers, one more does no harm: the values of one part wait in memory while the
    // gangs execute another.
    let barriers = inside.nodes.iter().any(|node| matches!(node, Node::Barrier));
    for mut node in std::mem::take(&mut inside.nodes) {
        if let Node::Loop(l) = &node
            && let Some(parts) = parts(kernel, shapes, most, l)
        {
            replace(kernel, l, &parts, barriers, &mut nodes);
            changed = true;
            continue;
        }
        for inner in node.regions_mut() {
            changed |= region(kernel, shapes, most, inner);
        }
        nodes.push(node);
    }
    inside.nodes = nodes;
    changed
}

/// The parts that a loop becomes.
struct Parts {
    /// Variables that each part needs for itself.
    shared: BTreeSet<Reg>,
    /// The operations of each part, by their index in the loop.
    ops: Vec<HashSet<usize>>,
}

/// The operations of a loop in order, and its decisions to leave, if it has nothing else.
fn straight<'l>(shapes: &Shapes, l: &'l Loop) -> Option<(Vec<&'l Op>, Vec<Reg>)> {
    if !l.finite || shapes.masked[l.target as usize] || l.break_if.is_some() {
        return None;
    }
    let (mut ops, mut decisions) = (Vec::new(), Vec::new());
    for node in l.body.nodes.iter().chain(&l.continuing.nodes) {
        match node {
            Node::Op(op) => ops.push(op),
            Node::If { condition, accept, reject } => {
                let leaves = |region: &Region| matches!(region.nodes[..], [Node::Break(target)] if target == l.target);
                let (a, b) = (accept, reject);
                if !(leaves(a) && b.nodes.is_empty() || leaves(b) && a.nodes.is_empty()) {
                    return None;
                }
                decisions.push(*condition);
            }
            _ => return None,
        }
    }
    Some((ops, decisions))
}

/// The distribution of a loop, if it pays.
fn parts(kernel: &Kernel, shapes: &Shapes, most: u32, l: &Loop) -> Option<Parts> {
    let (ops, decisions) = straight(shapes, l)?;
    // The variables that values depend on (`from`), and the next values of variables (`needs`).
    let mut from: HashMap<Reg, BTreeSet<Reg>> = HashMap::new();
    let mut needs: BTreeMap<Reg, BTreeSet<Reg>> = BTreeMap::new();
    for op in &ops {
        let origin = match access(kernel, op) {
            Some(Access::Read(var)) => BTreeSet::from([var]),
            Some(Access::Change(_)) => return None,
            _ if !(op.is_pure() || matches!(op, Op::Load(_))) => return None,
            _ => {
                let mut all = BTreeSet::new();
                (*op).clone().for_each_source(&mut |reg| {
                    all.extend(from.get(reg).into_iter().flatten().copied());
                });
                all
            }
        };
        (*op).clone().for_each_result(&mut |reg| {
            if kernel.is_variable(*reg) {
                needs.entry(*reg).or_default().extend(&origin);
            } else {
                from.insert(*reg, origin.clone());
            }
        });
    }
    let varies =
        |var: Reg| matches!(shapes.regs[var as usize].class, Class::Likely | Class::Varying);
    let set = |var: &Reg| needs.contains_key(var);
    // Every part needs the decisions, the variables that are not vectors, and the operands of both.
    let decide = decisions.iter().flat_map(|reg| from.get(reg).into_iter().flatten());
    let cheap = needs.keys().filter(|var| !varies(**var));
    let mut shared = BTreeSet::new();
    let mut open: Vec<Reg> = decide.chain(cheap).copied().filter(set).collect();
    while let Some(var) = open.pop() {
        if shared.insert(var) {
            open.extend(needs[&var].iter().copied().filter(set));
        }
    }
    let groups = groups(&needs, &shared);
    let kept: usize = groups.iter().map(BTreeSet::len).sum();
    let count = kept.div_ceil(most as usize);
    if count < 2 {
        return None;
    }
    // Neighbours stay together, since they often have operands in common.
    let share = kept.div_ceil(count);
    let mut members: Vec<BTreeSet<Reg>> = Vec::new();
    for group in groups {
        match members.last_mut() {
            Some(part) if part.len() + group.len() <= share => part.extend(group),
            _ => members.push(group),
        }
    }
    let chosen: Vec<HashSet<usize>> = members
        .iter()
        .map(|part| {
            let sets = |reg: Reg| part.contains(&reg) || shared.contains(&reg);
            wanted(&ops, &decisions, kernel, &sets)
        })
        .collect();
    let costs = costs(shapes, &ops);
    let before: u64 = costs.iter().sum();
    let after: u64 = chosen.iter().flatten().map(|&place| costs[place]).sum();
    let worth = members.len() > 1 && after * 100 <= before * MOST_COST;
    worth.then_some(Parts { shared, ops: chosen })
}

/// Groups of variables that need each other, in the order of their numbers.
fn groups(needs: &BTreeMap<Reg, BTreeSet<Reg>>, shared: &BTreeSet<Reg>) -> Vec<BTreeSet<Reg>> {
    let mut groups: Vec<BTreeSet<Reg>> = Vec::new();
    for (var, needed) in needs.iter().filter(|(var, _)| !shared.contains(var)) {
        let mut group: BTreeSet<Reg> = needed
            .iter()
            .copied()
            .filter(|n| needs.contains_key(n) && !shared.contains(n))
            .collect();
        group.insert(*var);
        groups.retain(|other| {
            let apart = other.is_disjoint(&group);
            if !apart {
                group.extend(other);
            }
            apart
        });
        groups.push(group);
    }
    groups.sort_by_key(|group| group.first().copied());
    groups
}

/// The operations that the decisions and the variables with `sets` depend on.
fn wanted(
    ops: &[&Op],
    decisions: &[Reg],
    kernel: &Kernel,
    sets: &dyn Fn(Reg) -> bool,
) -> HashSet<usize> {
    let mut needed: HashSet<Reg> = decisions.iter().copied().collect();
    let mut places = HashSet::new();
    for (place, op) in ops.iter().enumerate().rev() {
        let mut op = (*op).clone();
        let mut keep = false;
        op.for_each_result(&mut |reg| {
            keep |= if kernel.is_variable(*reg) { sets(*reg) } else { needed.contains(reg) };
        });
        if keep {
            op.for_each_source(&mut |reg| {
                needed.insert(*reg);
            });
            places.insert(place);
        }
    }
    places
}

/// A rough cost of each operation.
fn costs(shapes: &Shapes, ops: &[&Op]) -> Vec<u64> {
    // Inner indices that vary without a stride, so that their loads gather.
    let mut scattered: HashSet<Reg> = HashSet::new();
    let varies = |reg: Reg| shapes.regs.get(reg as usize).is_some_and(|s| s.class >= Class::Likely);
    let mut cost = |op: &&Op| match **op {
        Op::Unary { f: Unary::Copy, .. } => 0,
        Op::Index { dst, base, index, .. } => {
            if varies(index) || scattered.contains(&base) {
                scattered.insert(dst);
            }
            1
        }
        Op::Load(ref access) => {
            let Address { outer, inner, .. } = access.address;
            if varies(outer) || scattered.contains(&inner) { LONG } else { 1 }
        }
        Op::Unary { f: Unary::Sqrt, .. } => LONG,
        Op::Binary { f: Binary::DivF | Binary::RemF, .. } => LONG,
        Op::Binary { f: Binary::DivI | Binary::DivU | Binary::RemI | Binary::RemU, .. } => LONG,
        _ => 1,
    };
    ops.iter().map(&mut cost).collect()
}

/// Appends the parts of a loop to `out`, in place of the loop.
fn replace(kernel: &mut Kernel, l: &Loop, parts: &Parts, barriers: bool, out: &mut Vec<Node>) {
    // Each part begins with the values that the loop began with.
    let starts: Vec<(Reg, Reg)> =
        parts.shared.iter().map(|&var| (var, start(kernel, var, out))).collect();
    for (number, chosen) in parts.ops.iter().enumerate() {
        if number == 0 {
            let mut part = Part { kernel, names: None, target: l.target, chosen, place: 0 };
            out.push(Node::Loop(Box::new(part.of(l))));
            continue;
        }
        if barriers {
            out.push(Node::Barrier);
        }
        for &(dst, a) in &starts {
            out.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a }));
        }
        let target = kernel.targets;
        kernel.targets += 1;
        let mut part = Part { kernel, names: Some(HashMap::new()), target, chosen, place: 0 };
        out.push(Node::Loop(Box::new(part.of(l))));
    }
}

/// A register with the value that a variable has after `nodes`: one that is there, or a new copy.
fn start(kernel: &mut Kernel, var: Reg, nodes: &mut Vec<Node>) -> Reg {
    for node in nodes.iter().rev() {
        match node {
            Node::Op(Op::Unary { f: Unary::Copy, dst, a })
                if *dst == var && !kernel.is_variable(*a) =>
            {
                return *a;
            }
            Node::Op(op) => {
                let sets = |reg: Reg| matches!(access(kernel, op), Some(Access::Set(v) | Access::Change(v)) if v == reg);
                if sets(var) {
                    break;
                }
            }
            _ => break,
        }
    }
    let dst = fresh(kernel);
    nodes.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a: var }));
    dst
}

fn fresh(kernel: &mut Kernel) -> Reg {
    kernel.classes.push(RegClass::Temporary);
    (kernel.classes.len() - 1) as Reg
}

/// A copy of one part of the loop.
struct Part<'k> {
    kernel: &'k mut Kernel,
    /// New names of registers. Nothing for the first part, which keeps names and regions' numbers.
    names: Option<HashMap<Reg, Reg>>,
    target: u32,
    chosen: &'k HashSet<usize>,
    /// The number of operations visited.
    place: usize,
}

impl Part<'_> {
    fn of(&mut self, l: &Loop) -> Loop {
        Loop {
            target: self.target,
            body: self.region(&l.body),
            continuing: self.region(&l.continuing),
            break_if: None,
            finite: l.finite,
            span: l.span,
        }
    }

    fn region(&mut self, region: &Region) -> Region {
        let mut id = region.id;
        if self.names.is_some() {
            id = self.kernel.regions;
            self.kernel.regions += 1;
        }
        let nodes = region.nodes.iter().filter_map(|node| self.node(node)).collect();
        Region { id, nodes }
    }

    fn node(&mut self, node: &Node) -> Option<Node> {
        match node {
            Node::Op(op) => {
                self.place += 1;
                if !self.chosen.contains(&(self.place - 1)) {
                    return None;
                }
                let mut op = op.clone();
                op.for_each_source(&mut |reg| *reg = self.name(*reg));
                op.for_each_result(&mut |reg| *reg = self.rename(*reg));
                Some(Node::Op(op))
            }
            Node::If { condition, accept, reject } => Some(Node::If {
                condition: self.name(*condition),
                accept: self.region(accept),
                reject: self.region(reject),
            }),
            Node::Break(_) => Some(Node::Break(self.target)),
            // `straight` admits no other node.
            other => Some(other.clone()),
        }
    }

    fn name(&self, reg: Reg) -> Reg {
        let new = self.names.as_ref().and_then(|names| names.get(&reg));
        new.copied().unwrap_or(reg)
    }

    /// The new name of a result.
    fn rename(&mut self, reg: Reg) -> Reg {
        let Some(names) = &mut self.names else { return reg };
        if self.kernel.is_variable(reg) || self.kernel.classes.get(reg as usize).is_none() {
            return reg;
        }
        let new = fresh(self.kernel);
        names.insert(reg, new);
        if self.kernel.inside.contains(&reg) {
            self.kernel.inside.insert(new);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use crate::cpu::spmd::{Gangs, compile, print};
    use crate::kernel::Kernel;

    /// The number of loops of a kernel that adds `term` to each of its variables `s0` to `s9`, if a loop
    /// keeps at most four values. Each iteration computes `x`.
    fn loops(x: &str, term: &str) -> usize {
        let (mut starts, mut sums, mut all) = (String::new(), String::new(), String::new());
        for k in 0..10 {
            starts += &format!("var s{k} = id.x;\n");
            sums += &format!("s{k} = s{k} * 3u + {};\n", term.replace('K', &k.to_string()));
            all += &format!(" + s{k}");
        }
        let text = format!(
            "@group(0) @binding(0) var<storage, read> src: array<u32>;
            @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
            @compute @workgroup_size(16)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                {starts}
                for (var i = 0u; i < 100u; i++) {{ let x = {x}; {sums} }}
                dst[id.x] = 0u {all};
            }}"
        );
        let kernel = Kernel::from_wgsl(&text).unwrap();
        let gangs = Gangs { values: Some(4), ..Gangs::of(16) };
        let printed = print(&compile(&kernel, gangs).unwrap());
        // There is a version for the interior and one for the edge.
        let edge = printed.rsplit("elsewhere").next().unwrap();
        edge.matches("loop ").count()
    }

    #[test]
    fn ten_sums_take_three_loops_of_four_at_most() {
        assert_eq!(loops("src[i]", "x * (id.x + Ku)"), 3);
        assert_eq!(loops("0u", "Ku"), 3);
    }

    #[test]
    fn sums_that_need_each_other_stay_together() {
        assert_eq!(loops("0u", "s0"), 1);
        assert_eq!(loops("id.x", "s9 * x"), 1);
    }

    #[test]
    fn what_would_be_computed_many_times_is_computed_in_one_loop() {
        assert_eq!(loops("src[src[src[id.x * 7u + i]]]", "x + Ku"), 1);
    }

    #[test]
    fn a_loop_that_stores_is_left_alone() {
        assert_eq!(loops("i", "x; dst[id.x + i] = x; s0 += 1u"), 1);
    }
}
