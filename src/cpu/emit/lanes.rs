//! Code for one lane after the other.

use super::instructions::{Instructions, Kind};
use crate::cpu::spmd::types::Ty;

/// Calls `body` with the number of each lane that is set, in order; without a loop if all are set (`None`: they
/// surely are). `quick` says whether that is likely, and worth the code.
pub(in crate::cpu) fn for_each_lane<I: Instructions>(
    b: &mut I,
    lanes: Option<&I::Lanes>,
    quick: bool,
    body: impl Fn(&mut I, &I::Value),
) {
    let done = b.block();
    if quick {
        let some = b.block();
        if let Some(lanes) = lanes {
            let all = b.block();
            let every = b.all(lanes);
            b.branch_if(&every, &all, &some);
            b.begin(&all);
        }
        for lane in 0..b.width() {
            let lane = b.lane_number(lane);
            body(b, &lane);
        }
        b.branch(&done);
        if lanes.is_none() {
            b.begin(&done);
            return;
        }
        b.begin(&some);
    }
    let all_set = b.number(u32::MAX, Ty::Bool, true);
    let bits = b.bits(lanes.unwrap_or(&all_set));
    let slot = b.slot(Kind::Bits);
    b.write_scalar(&slot, &bits);
    let (head, one) = (b.block(), b.block());
    b.branch(&head);
    b.begin_loop(&head);
    let left = b.read_scalar(&slot);
    let some = b.some(&left);
    b.branch_if(&some, &one, &done);
    b.begin(&one);
    let (lane, rest) = b.next(&left);
    b.write_scalar(&slot, &rest);
    body(b, &lane);
    b.branch(&head);
    b.close_loop(&head);
    b.begin(&done);
}
