//! Turns early exits into structure: `if c { return; } rest` becomes `if c {} else { rest }`.
//!
//! The pass does the same for `continue` in a loop's body. Some early exits remain and cost masks: those
//! inside another statement, those before a barrier, and those that would nest deeper than [`DEEPEST`]. At
//! its end it numbers the regions.

use super::ir::{Kernel, Node, Region};

/// The deepest nesting of regions that this pass creates. Passes recurse over regions, and take longer
/// the deeper they are nested.
const DEEPEST: usize = 64;

/// Rewrites the kernel.
pub(super) fn structure(kernel: &mut Kernel) {
    let body = std::mem::take(&mut kernel.body);
    kernel.body = tail(body, 0, &|node| matches!(node, Node::Return));
    inner_loops(&mut kernel.body, 0);
    let mut next = 0;
    number(&mut kernel.body, &mut next);
    kernel.regions = next;
}

/// `depth` is the number of enclosing regions.
fn inner_loops(region: &mut Region, depth: usize) {
    for node in &mut region.nodes {
        if let Node::Loop(l) = node {
            let target = l.target;
            let body = std::mem::take(&mut l.body);
            l.body =
                tail(body, depth + 1, &|node| matches!(node, Node::Continue(t) if *t == target));
        }
        for inner in node.regions_mut() {
            inner_loops(inner, depth + 1);
        }
    }
}

/// Restructures a region inside of `depth` others, if only the target of `leaves` follows it.
fn tail(region: Region, depth: usize, leaves: &dyn Fn(&Node) -> bool) -> Region {
    if depth >= DEEPEST {
        return region;
    }
    let ends = |region: &Region| region.nodes.last().is_some_and(leaves);
    let barriers = region.nodes.iter().rposition(Node::has_barrier).map_or(0, |last| last + 1);
    let mut out = Region::default();
    let mut rest = region.nodes.into_iter().enumerate();
    while let Some((at, node)) = rest.next() {
        if leaves(&node) {
            break;
        }
        let (last, barrier) = (rest.len() == 0, at + 1 < barriers);
        match node {
            Node::If { condition, mut accept, mut reject }
                if last || !barrier && (ends(&accept) || ends(&reject)) =>
            {
                let mut rest = rest.map(|(_, node)| node);
                match (ends(&accept), ends(&reject)) {
                    (true, false) => reject.nodes.extend(&mut rest),
                    (false, true) => accept.nodes.extend(&mut rest),
                    _ => {}
                }
                let side = |mut region: Region| {
                    if ends(&region) {
                        region.nodes.pop();
                    }
                    tail(region, depth + 1, leaves)
                };
                let (accept, reject) = (side(accept), side(reject));
                out.nodes.push(Node::If { condition, accept, reject });
                break;
            }
            other => out.nodes.push(other),
        }
    }
    out
}

fn number(region: &mut Region, next: &mut u32) {
    region.id = *next;
    *next += 1;
    for node in &mut region.nodes {
        for inner in node.regions_mut() {
            number(inner, next);
        }
    }
}
