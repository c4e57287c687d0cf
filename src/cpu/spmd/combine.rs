//! Combines loads of several fields of one element into one load, and stores likewise.
//!
//! `p[i].mass` and `p[i].charge` are two accesses in the text, each with the stride of the whole element.
//! Each alone would be a gather; one access of two parts is wide loads and shuffles. What always holds:
//! accesses are combined within one region, and none moves over an operation that might see or change it. A
//! load moves up to the first of its element, a store down to the last. Without atomics and barriers in
//! between, only invocations that race can observe the order of each other's accesses. Bindings do not
//! overlap: a launch ensures that.

use super::ir::{Kernel, Node, Region};
use crate::cpu::interpreter::bytecode::{Access, Address, Memory, NONE, Op, Part};
use crate::cpu::interpreter::functions::Reg;

/// The most bytes that the parts of one access span.
const WIDEST: u64 = 64;

/// Combines a kernel's loads and stores.
pub(super) fn combine(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    region(&mut body);
    kernel.body = body;
}

fn region(inside: &mut Region) {
    for node in &mut inside.nodes {
        node.regions_mut().into_iter().for_each(region);
    }
    loads(inside);
    stores(inside);
}

/// An address without its offset.
type Key = (Memory, Reg, u64, bool, Reg);

fn key(address: &Address) -> Key {
    let &Address { memory, outer, stride, signed, inner, .. } = address;
    (memory, outer, stride, signed, inner)
}

/// Whether an address is in storage or workgroup memory, which may be written.
fn is_memory(address: &Address) -> bool {
    !matches!(address.memory, Memory::Value(_))
}

/// Takes over the parts of another access if they are near enough.
fn merge(access: &mut Access, other: &Access) -> bool {
    let least = access.address.offset.min(other.address.offset);
    let end = |access: &Access| {
        let part = |part: &Part| access.address.offset + u64::from(part.offset) + 4;
        access.parts.iter().map(part).max().unwrap_or(0)
    };
    let span = end(access).max(end(other)) - least;
    // Beyond the stride is another element, or another array.
    let within = access.address.outer == NONE || span <= access.address.stride;
    if span > WIDEST || !within {
        return false;
    }
    let moved = |access: &Access| -> Vec<Part> {
        let by = (access.address.offset - least) as u32;
        access.parts.iter().map(|part| Part { offset: part.offset + by, ..*part }).collect()
    };
    let mut parts = moved(access);
    parts.extend(moved(other));
    access.parts = parts;
    access.address.offset = least;
    true
}

fn loads(inside: &mut Region) {
    let mut kept: Vec<Node> = Vec::with_capacity(inside.nodes.len());
    // Loads that later loads may still join, by their index in `kept`.
    let mut open: Vec<usize> = Vec::new();
    for node in std::mem::take(&mut inside.nodes) {
        match &node {
            Node::Op(Op::Load(access)) if is_memory(&access.address) => {
                let joined = open.iter().any(|&place| match &mut kept[place] {
                    Node::Op(Op::Load(first)) => {
                        key(&first.address) == key(&access.address) && merge(first, access)
                    }
                    _ => false,
                });
                if joined {
                    continue;
                }
                open.push(kept.len());
            }
            Node::Op(Op::Store(access)) => open.retain(|&place| match &kept[place] {
                Node::Op(Op::Load(first)) => first.address.memory != access.address.memory,
                _ => false,
            }),
            Node::Op(op) if op.only_computes() || is_local(op) => {}
            _ => open.clear(),
        }
        kept.push(node);
    }
    inside.nodes = kept;
}

fn stores(inside: &mut Region) {
    let mut kept: Vec<Option<Node>> = Vec::with_capacity(inside.nodes.len());
    // Stores that later stores may still absorb, by their index in `kept`.
    let mut open: Vec<usize> = Vec::new();
    let address = |kept: &[Option<Node>], place: usize| match &kept[place] {
        Some(Node::Op(Op::Store(access))) => Some(access.address.clone()),
        _ => None,
    };
    for mut node in std::mem::take(&mut inside.nodes) {
        match &mut node {
            Node::Op(Op::Store(access)) => {
                let same = open.iter().copied().find(|&place| {
                    address(&kept, place).is_some_and(|a| key(&a) == key(&access.address))
                });
                if let Some(place) = same
                    && let Some(Node::Op(Op::Store(first))) = &kept[place]
                    && let Some(both) = over(first, access)
                {
                    **access = both;
                    kept[place] = None;
                }
                // A different address may name the same element.
                open.retain(|&place| {
                    address(&kept, place).is_some_and(|a| a.memory != access.address.memory)
                });
                open.push(kept.len());
            }
            Node::Op(Op::Load(access)) if is_memory(&access.address) => open.retain(|&place| {
                address(&kept, place).is_some_and(|a| a.memory != access.address.memory)
            }),
            Node::Op(op) if op.only_computes() || is_local(op) => {}
            _ => open.clear(),
        }
        kept.push(Some(node));
    }
    inside.nodes = kept.into_iter().flatten().collect();
}

/// Two stores as one: `last` wins where they overlap. `None` if parts overlap only partially.
fn over(first: &Access, last: &Access) -> Option<Access> {
    let places = |access: &Access| -> Vec<(u64, bool)> {
        let place = |part: &Part| (access.address.offset + u64::from(part.offset), part.half);
        access.parts.iter().map(place).collect()
    };
    let late = places(last);
    let bytes = |half: bool| if half { 2 } else { 4 };
    let meets = |(at, half): (u64, bool)| {
        late.iter().any(|&(other, size)| at < other + bytes(size) && other < at + bytes(half))
    };
    let mut rest = first.clone();
    let early = places(first);
    if early.iter().any(|&place| meets(place) && !late.contains(&place)) {
        return None;
    }
    let mut stays = early.iter().map(|&place| !meets(place));
    rest.parts.retain(|_| stays.next().unwrap_or(false));
    let mut both = last.clone();
    merge(&mut both, &rest).then_some(both)
}

/// Whether an operation touches only variables.
fn is_local(op: &Op) -> bool {
    matches!(op, Op::LocalStore { .. } | Op::Clear { .. } | Op::Blend { .. })
}

#[cfg(test)]
mod tests {
    use crate::cpu::spmd::{Gangs, compile, print};
    use crate::kernel::Kernel;

    /// The number of loads from a kernel's first buffer, and of stores to its second.
    fn accesses(body: &str) -> (usize, usize) {
        let text = format!(
            "struct Four {{ a: u32, b: u32, c: u32, d: u32 }}
            @group(0) @binding(0) var<storage, read> src: array<Four>;
            @group(0) @binding(1) var<storage, read_write> dst: array<Four>;
            @compute @workgroup_size(1)
            fn main(@builtin(global_invocation_id) id: vec3<u32>) {{ let i = id.x; {body} }}"
        );
        let printed = print(&compile(&Kernel::from_wgsl(&text).unwrap(), Gangs::of(16)).unwrap());
        // There is a version for the interior and one for the edge.
        let printed = printed.rsplit("elsewhere").next().unwrap();
        (printed.matches("load Storage(0)").count(), printed.matches("store Storage(1)").count())
    }

    #[test]
    fn fields_of_one_element_are_one_load_and_one_store() {
        let both = "dst[i].a = src[i].d; dst[i].d = src[i].a; dst[i].b = src[i].b + src[i].a;";
        assert_eq!(accesses(both), (1, 1));
    }

    #[test]
    fn other_elements_are_accesses_of_their_own() {
        assert_eq!(accesses("dst[i].a = src[i + 1u].a; dst[i + 1u].b = src[i].b;"), (2, 2));
    }

    #[test]
    fn nothing_moves_over_what_may_see_it() {
        // A load of the same buffer; a branch.
        let (_, stores) = accesses("dst[i].a = src[i].a; let x = dst[i + 1u].b; dst[i].b = x;");
        assert_eq!(stores, 2);
        let (loads, stores) = accesses(
            "dst[i].a = src[i].a; if src[i].b > 3u { dst[i].c = 2u; } dst[i].d = src[i].d;",
        );
        assert_eq!((loads, stores), (2, 3));
    }
}
