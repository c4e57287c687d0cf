//! Loops that are walked iteration by iteration: the stages of a butterfly, a sorting network, a scan in place.
//!
//! If a counter doubles, or shifts, masks, multiplies or divides other values, indexes are linear only as long
//! as the counter keeps its value. `text::scaling` finds such loops. A walk takes each iteration by itself, as
//! if the loop were written out. The walk counts only if each iteration is known to be the last or not.
//! Otherwise its results are dropped, and `loops` walks the loop like any other. The same happens once the
//! walks of a launch have spent their common budget on iterations.

use super::machine::{Iteration, Machine};
use crate::analysis::domain::State;
use crate::analysis::text::steps::Loop;

/// The most iterations that are walked: a 32-bit counter doubles no more often.
const MOST_TURNS: u32 = 33;
/// Expressions and statements that the iterations of a loop may take, including loops inside it.
const FUEL: u64 = 1 << 14;
/// The same limit for all walks of a launch together: most need one walk, or a short one for each band.
pub(crate) const FUEL_OF_LAUNCH: u64 = 1 << 18;

/// Walks the iterations of a loop one by one, and returns the state after the last. `Some(None)` if control
/// does not get past the loop, `None` if the loop can't be walked like this.
pub(crate) fn unrolled(
    machine: &mut Machine<'_>,
    inner: &Loop,
    entry: &State,
    iteration: Iteration,
) -> Option<Option<State>> {
    if !inner.unroll || machine.hints.borrow().rolled.contains(&inner.id) {
        return None;
    }
    let spent = machine.hints.borrow().spent_on_turns;
    let fuel = machine.fuel.left();
    let budget = FUEL.min(fuel / 2).min(FUEL_OF_LAUNCH.saturating_sub(spent));
    let end =
        if budget > 0 { turns(machine, inner, entry, fuel - budget, iteration) } else { None };
    machine.hints.borrow_mut().spent_on_turns = spent + (fuel - machine.fuel.left());
    if end.is_none() && fuel - machine.fuel.left() >= budget {
        machine.fuel.hurry(inner.span);
    }
    end
}

/// As `unrolled`, as long as more than `least` fuel is left.
fn turns(
    machine: &mut Machine<'_>,
    inner: &Loop,
    entry: &State,
    least: u64,
    iteration: Iteration,
) -> Option<Option<State>> {
    let mark = machine.mark();
    // For each loop inside: whether it ended in every iteration, and the sum of its own iterations.
    let inside = inner.id + 1..inner.id + 1 + inner.loops;
    let mut finite = vec![true; inside.len()];
    let mut trips = vec![Some(0.0); inside.len()];
    let mut at = entry.clone();
    for turn in 0..MOST_TURNS {
        let made = machine.arithmetic.symbols.len();
        // An iteration that does not reach an inner loop says nothing about it.
        machine.finite[inside.clone()].fill(true);
        machine.trips[inside.clone()].fill(Some(0.0));
        let (back, after) = iteration(machine, inner, at, None);
        if machine.fuel.is_spent() {
            return Some(None);
        }
        machine.arithmetic.forget_operations(mark.arithmetic);
        let ends = machine.finite[inside.clone()].iter();
        finite.iter_mut().zip(ends).for_each(|(all, ends)| *all &= ends);
        let turns = machine.trips[inside.clone()].iter();
        trips.iter_mut().zip(turns).for_each(|(all, n)| *all = all.zip(*n).map(|(a, n)| a + n));
        match (back, after) {
            (None, after) => {
                let turns = f64::from(turn.max(1));
                machine.finite[inner.id] = true;
                machine.trips[inner.id] = Some(turns);
                machine.finite[inside.clone()].copy_from_slice(&finite);
                let mean = trips.iter().map(|all| all.map(|all| all / turns));
                machine.trips[inside].iter_mut().zip(mean).for_each(|(trips, mean)| *trips = mean);
                return Some(after);
            }
            (Some(mut next), None) if machine.fuel.left() > least => {
                // Constraints on this iteration's symbols say little about the next, and the number of
                // constraints is limited.
                next.known.forget_constraints(made);
                at = next;
            }
            _ => break,
        }
    }
    machine.back_to(&mark);
    machine.hints.borrow_mut().rolled.push(inner.id);
    None
}
