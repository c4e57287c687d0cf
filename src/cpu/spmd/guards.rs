//! Early leaving made structure: `if c { return; } rest` becomes `if c {} else { rest }`.
//!
//! The same for `continue` in a loop's body. What is left are leaves from the middle of something
//! and those that a barrier follows; they cost masks. Afterwards regions have their numbers.

use super::ir::{Kernel, Node, Region};

/// Rewrites the kernel.
pub(super) fn structure(kernel: &mut Kernel) {
    let body = std::mem::take(&mut kernel.body);
    kernel.body = tail(body, &|node| matches!(node, Node::Return));
    inner_loops(&mut kernel.body);
    let mut next = 0;
    number(&mut kernel.body, &mut next);
    kernel.regions = next;
}

fn inner_loops(region: &mut Region) {
    for node in &mut region.nodes {
        if let Node::Loop(l) = node {
            let target = l.target;
            let body = std::mem::take(&mut l.body);
            l.body = tail(body, &|node| matches!(node, Node::Continue(t) if *t == target));
        }
        for inner in node.regions_mut() {
            inner_loops(inner);
        }
    }
}

/// A region after which nothing follows but what `leaves` goes to.
fn tail(region: Region, leaves: &dyn Fn(&Node) -> bool) -> Region {
    let ends = |region: &Region| region.nodes.last().is_some_and(leaves);
    let mut out = Region::default();
    let mut rest = region.nodes.into_iter();
    while let Some(node) = rest.next() {
        if leaves(&node) {
            break;
        }
        let last = rest.as_slice().is_empty();
        let barrier = rest.as_slice().iter().any(Node::has_barrier);
        match node {
            Node::If { condition, mut accept, mut reject }
                if last || !barrier && (ends(&accept) || ends(&reject)) =>
            {
                let (yes, no) = (ends(&accept), ends(&reject));
                let rest: Vec<Node> = rest.collect();
                for (region, ends, other) in [(&mut accept, yes, no), (&mut reject, no, yes)] {
                    if ends {
                        region.nodes.pop();
                    } else if other {
                        region.nodes.extend(rest.iter().cloned());
                    }
                }
                out.nodes.push(Node::If {
                    condition,
                    accept: tail(accept, leaves),
                    reject: tail(reject, leaves),
                });
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
