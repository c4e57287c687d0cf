//! Loops: what holds at the head of every iteration, and whether there is a last one.
//!
//! The integers that a loop may change are given assumptions at its head: an interval, or, once
//! a pass over the body has shown that every iteration adds a constant, `entry + step * turn`,
//! where `turn`, the number of iterations before, is one symbol for all of them. A pass walks the
//! body under the assumptions and sees what comes back to the head. What always holds of the pass
//! that counts: what came back meets the assumptions, so that by induction every iteration does.
//! All other passes leave no trace.
//!
//! What an earlier walk over a loop came to is tried first ([`Hints`]): a loop inside another is met in
//! every pass over that one, and every band of a launch walks the same loops. A hint is an assumption
//! like any other; it counts if it is met, and if a pass under it shows nothing better.

use std::rc::Rc;

use super::interval::{IntType, Interval, Operator};
use super::linear::{Linear, Symbol, residue};
use super::machine::{Machine, State};
use super::program::{Loop, Step, Trend};
use super::refine::refine;
use super::state::{Definition, Guards, at_least};
use super::value::{Condition, Value};
use super::walk::Frame;

/// Loops inside this many others get no second look.
const DEEP: usize = 4;
/// Passes in which intervals grow by what came back, before they grow to the type's ends.
const PATIENCE: u32 = 2;

/// An integer that the loop may change.
struct Leaf {
    variable: usize,
    path: Vec<usize>,
    ty: IntType,
    trend: Trend,
    entry: Linear,
    /// Whether `entry` equals the value as a mathematical integer, and not only modulo 2³².
    exact: bool,
    /// The value's range at the entry.
    range: Interval,
}

/// What is assumed of a leaf at the head of each iteration.
#[derive(Debug, Clone, PartialEq)]
enum Head {
    Within(Interval),
    /// The entry's value plus `step` per iteration, modulo 2³². With an interval: the value lies
    /// in it, and gets there without wrapping around.
    Step {
        step: i64,
        within: Option<Interval>,
    },
}

/// What came back of a leaf.
struct Back {
    /// The constant that was added, if that is all that happened.
    step: Option<i64>,
    range: Interval,
    /// The assumption held.
    met: bool,
    /// It went up or down by at least one without wrapping around.
    progress: bool,
}

struct Pass {
    after: Option<State>,
    /// Nothing if there is no second iteration.
    back: Option<Vec<Back>>,
    trips: Option<i128>,
}

/// What walks of one launch came to assume at the heads of loops.
#[derive(Debug, Default)]
pub(super) struct Hints {
    heads: Vec<Hint>,
    /// Loops whose unrolling failed.
    pub(super) rolled: Vec<usize>,
    /// Expressions and statements that walks turn by turn have looked at.
    pub(super) spent_on_turns: u64,
}

#[derive(Debug)]
struct Hint {
    /// The loop.
    id: usize,
    /// What was known of the leaves at the entry.
    entry: Vec<Start>,
    heads: Vec<Head>,
    /// What came back in the pass that counted.
    back: Vec<Came>,
}

/// The step, and the hull of what a leaf began with and what came back of it.
type Came = (Option<i64>, Interval);

/// Variable, path, whether the entry's form is exact, and its range.
type Start = (usize, Vec<usize>, bool, Interval);

/// Hints of one loop; the oldest is forgotten.
const MOST_HINTS: usize = 4;

impl Hints {
    fn find(&self, id: usize, leaves: &[Leaf]) -> Option<(Vec<Head>, Vec<Came>)> {
        let same = |(start, leaf): (&Start, &Leaf)| {
            (start.0, start.2, start.3) == (leaf.variable, leaf.exact, leaf.range)
                && start.1 == leaf.path
        };
        let hint = self.heads.iter().rev().find(|hint| {
            let starts = hint.entry.iter().zip(leaves);
            hint.id == id && hint.entry.len() == leaves.len() && starts.into_iter().all(same)
        })?;
        Some((hint.heads.clone(), hint.back.clone()))
    }

    fn keep(&mut self, id: usize, leaves: &[Leaf], heads: &[Head], back: &[Back]) {
        let of_loop = |hint: &&Hint| hint.id == id;
        if self.heads.iter().filter(of_loop).count() >= MOST_HINTS
            && let Some(oldest) = self.heads.iter().position(|hint| hint.id == id)
        {
            self.heads.remove(oldest);
        }
        let start = |leaf: &Leaf| (leaf.variable, leaf.path.clone(), leaf.exact, leaf.range);
        let entry = leaves.iter().map(start).collect();
        let back = leaves.iter().zip(back).map(|(l, b)| (b.step, l.range.hull(b.range))).collect();
        self.heads.push(Hint { id, entry, heads: heads.to_vec(), back });
    }
}

impl Machine<'_> {
    /// Walks a loop; nothing if control does not get past it.
    pub(super) fn walk_loop(&mut self, inner: &Loop, state: State) -> Option<State> {
        let remembered = self.remembered();
        let guards = state.guards.clone();
        let mut after = if inner.once {
            self.finite[inner.id] = true;
            self.trips[inner.id] = Some(1.0);
            let mut frames = vec![Frame { is_loop: true, ..Frame::default() }];
            let end = self.walk(&inner.body, state, &mut frames);
            debug_assert!(end.is_none(), "the body of such a loop ends in a jump");
            frames.pop().and_then(|f| f.breaks)
        } else if let Some(after) = self.unrolled(inner, &state) {
            after
        } else {
            self.fixpoint(inner, &state)
        };
        self.forget_operations(remembered);
        if let Some(after) = &mut after {
            // Whoever gets here came by the loop, and whoever came to the loop gets here.
            after.guards = guards.filter(|_| !inner.returns);
        }
        after
    }

    fn fixpoint(&mut self, inner: &Loop, entry: &State) -> Option<State> {
        let mut entry = entry.clone();
        let leaves = self.leaves_of(inner, &mut entry);
        if self.hurries(inner.span) {
            return self.assume_nothing(inner, &entry, &leaves);
        }
        let deep = inner.depth >= DEEP;
        let hint = self.hints.borrow().find(inner.id, &leaves);
        if let Some((heads, before)) = hint {
            let symbols = self.symbols.len();
            let remembered = self.remembered();
            let mark = self.recorder.mark();
            let pass = self.pass(inner, &entry, &leaves, &heads);
            if self.fuel == 0 {
                return None;
            }
            let settled = |back: &Vec<Back>| settled(&leaves, &before, back);
            if pass.back.as_ref().is_none_or(settled) {
                return self.counts(inner, pass);
            }
            self.symbols.infos.truncate(symbols);
            self.forget_operations(remembered);
            self.recorder.back_to(&mark);
        }
        let mut heads: Vec<Head> = leaves
            .iter()
            .map(|leaf| {
                let all = leaf.ty.range();
                Head::Within(match leaf.trend {
                    Trend::Up => Interval::new(leaf.range.lo, all.hi),
                    Trend::Down => Interval::new(all.lo, leaf.range.hi),
                    Trend::Fresh => all,
                    Trend::Other if deep => all,
                    Trend::Other => leaf.range,
                })
            })
            .collect();
        // Assumptions that are known to be met, in case better ones turn out not to be.
        let mut safe: Option<Vec<Head>> = None;
        let mut tried = false;
        let mut improvements = 0;
        for round in 0u32.. {
            let symbols = self.symbols.len();
            let remembered = self.remembered();
            let mark = self.recorder.mark();
            let pass = self.pass(inner, &entry, &leaves, &heads);
            if self.fuel == 0 {
                return None;
            }
            let Some(back) = &pass.back else {
                return self.counts(inner, pass);
            };
            let met = back.iter().all(|b| b.met);
            let better = if met && (tried || deep || improvements == 2) {
                None
            } else {
                let progress = back.iter().any(|b| b.progress);
                let stepped = stepped(&leaves, &heads, back);
                // A second improvement must be more than a smaller interval.
                let better = stepped.filter(|better| {
                    let more = steps(better) > steps(&heads);
                    !met || (*better != heads && (improvements == 0 || more))
                });
                better.or_else(|| (met && !progress).then(|| daring(&leaves, &heads, back))?)
            };
            if met && better.is_none() {
                self.hints.borrow_mut().keep(inner.id, &leaves, &heads, back);
                return self.counts(inner, pass);
            }
            // The pass does not count.
            self.symbols.infos.truncate(symbols);
            self.forget_operations(remembered);
            self.recorder.back_to(&mark);
            if self.hurries(inner.span) {
                return self.assume_nothing(inner, &entry, &leaves);
            }
            heads = match better {
                _ if tried => wider(&leaves, &heads, back, u32::MAX),
                Some(better) if met => {
                    improvements += 1;
                    safe = Some(heads);
                    better
                }
                better => match (safe.take(), better) {
                    (Some(safe), _) => {
                        tried = true;
                        safe
                    }
                    (None, Some(better)) => {
                        tried = round > PATIENCE;
                        better
                    }
                    (None, None) => wider(&leaves, &heads, back, round),
                },
            };
        }
        None
    }

    /// One pass without assumptions, whose result therefore always counts.
    fn assume_nothing(&mut self, inner: &Loop, entry: &State, leaves: &[Leaf]) -> Option<State> {
        let heads: Vec<Head> = leaves.iter().map(|leaf| Head::Within(leaf.ty.range())).collect();
        let pass = self.pass(inner, entry, leaves, &heads);
        if self.fuel == 0 {
            return None;
        }
        self.counts(inner, pass)
    }

    /// Takes over what the pass that counts has found.
    fn counts(&mut self, inner: &Loop, pass: Pass) -> Option<State> {
        let (finite, trips) = match &pass.back {
            None => (true, Some(1.0)),
            Some(back) => (back.iter().any(|b| b.progress), pass.trips.map(|t| t as f64)),
        };
        self.finite[inner.id] = finite;
        self.trips[inner.id] = trips;
        pass.after
    }

    /// The integers of the variables that a loop stores to. Everything else in them is forgotten.
    fn leaves_of(&mut self, inner: &Loop, entry: &mut State) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        for &(variable, trend) in &inner.modified {
            let value = entry.variables[variable].clone();
            let mut path = Vec::new();
            self.collect(&value, variable, trend, &mut path, entry, &mut leaves);
        }
        leaves
    }

    fn collect(
        &mut self,
        value: &Value,
        variable: usize,
        trend: Trend,
        path: &mut Vec<usize>,
        entry: &mut State,
        leaves: &mut Vec<Leaf>,
    ) {
        match value {
            Value::Int(ty, form) => {
                let (range, shift) = entry.known.value_range(&self.symbols, form, *ty);
                leaves.push(Leaf {
                    variable,
                    path: path.clone(),
                    ty: *ty,
                    trend,
                    entry: form.plus_constant(-shift.unwrap_or(0)),
                    exact: shift.is_some(),
                    range,
                });
            }
            Value::Many(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    path.push(i);
                    self.collect(part, variable, trend, path, entry, leaves);
                    path.pop();
                }
            }
            Value::Bool(_) | Value::Unknown => {}
        }
    }

    /// One walk over the body under assumptions.
    fn pass(&mut self, inner: &Loop, entry: &State, leaves: &[Leaf], heads: &[Head]) -> Pass {
        let mut state = entry.clone();
        let turn = self.turn(&mut state, leaves, heads);
        // A counted loop: its body is walked for every turn that meets the guard.
        let counted = inner.guard.filter(|_| turn.is_some());
        if let (Some(turn), Some(_)) = (turn, counted) {
            let (lo, hi) = self.bounds_of(turn, &mut state);
            self.symbols.infos[turn as usize].dimension = Some((lo, hi));
        }
        for &(variable, _) in &inner.modified {
            let value = forgotten(&state.variables[variable]);
            state.variables[variable] = value;
        }
        let mut forms = Vec::with_capacity(leaves.len());
        for (leaf, head) in leaves.iter().zip(heads) {
            let form = self.head(&mut state, leaf, head, turn);
            let value = Value::Int(leaf.ty, form.clone().wrapped());
            replace(&mut state.variables[leaf.variable], &leaf.path, value);
            forms.push(form);
        }
        let fork = state.guards.take();
        let (back, after) = self.iteration(inner, state, Some((fork, turn)));
        // After the loop the symbol is the last iteration, not every one.
        if let Some(turn) = turn {
            self.symbols.infos[turn as usize].dimension = None;
        }
        let mut trips = None;
        let back = back.map(|mut state| {
            trips = turn.map(|turn| i128::from(self.bounds_of(turn, &mut state).1) + 1);
            (0..leaves.len())
                .map(|i| self.came_back(&mut state, &leaves[i], &heads[i], &forms[i]))
                .collect()
        });
        Pass { after, back, trips }
    }

    /// One walk over the body: the state that returns to the head, and the state that leaves the
    /// loop. For a walk that covers all iterations, `all` has the guards of the path to the loop
    /// and the symbol of the iteration.
    pub(super) fn iteration(
        &mut self,
        inner: &Loop,
        state: State,
        all: Option<(Option<Guards>, Option<Symbol>)>,
    ) -> (Option<State>, Option<State>) {
        let mut frames = vec![Frame { is_loop: true, ..Frame::default() }];
        let remembered = self.remembered();
        let mut at = Some(state);
        for (i, step) in inner.body.iter().enumerate() {
            let Some(state) = at.take() else { break };
            at = match (step, &all) {
                (Step::If { condition, accept, reject, escapes }, Some((fork, turn)))
                    if inner.guard == Some(i) =>
                {
                    let branches = [accept.as_slice(), reject.as_slice()];
                    let known = fork.as_ref().map_or(0, |g| g.len());
                    let fork = fork.clone();
                    let mut end =
                        self.branch(*condition, branches, *escapes, state, fork, &mut frames);
                    if let Some(state) = &mut end
                        && !state.guards.as_ref().is_some_and(|g| prefix(&g[known..], *turn))
                    {
                        state.guards = None;
                    }
                    end
                }
                (step, _) => self.step(step, state, &mut frames),
            };
        }
        if let Some(continued) = frames[0].continues.take() {
            at = Some(self.meet(at, continued));
        }
        self.forget_operations(remembered);
        for handle in &inner.skipped {
            self.values[handle.index()] = None;
        }
        let mut back = at.and_then(|mut state| {
            state.guards = state.guards.filter(|_| all.is_none());
            self.walk(&inner.continuing, state, &mut frames)
        });
        let mut breaks = frames.pop().and_then(|f| f.breaks);
        if let Some(condition) = inner.break_if
            && let Some(mut state) = back.take()
        {
            state.guards = None;
            let condition: Rc<Condition> = self.value(condition).condition();
            let mut leaving = state.clone();
            if refine(&mut leaving.known, &self.symbols, &condition, true) {
                breaks = Some(self.meet(breaks, leaving));
            }
            if refine(&mut state.known, &self.symbols, &condition, false) {
                back = Some(state);
            }
        }
        (back, breaks)
    }

    fn bounds_of(&self, symbol: Symbol, state: &mut State) -> (i64, i64) {
        let range = state.known.symbol(&self.symbols, symbol);
        (range.lo as i64, range.hi as i64)
    }

    /// A symbol for the number of iterations before, if a leaf bounds it.
    fn turn(&mut self, state: &mut State, leaves: &[Leaf], heads: &[Head]) -> Option<Symbol> {
        let last = leaves.iter().zip(heads).filter_map(|(leaf, head)| match head {
            Head::Step { step, within: Some(within) } if *step > 0 => {
                Some((within.hi - leaf.range.lo) / i128::from(*step))
            }
            Head::Step { step, within: Some(within) } if *step < 0 => {
                Some((leaf.range.hi - within.lo) / i128::from(-*step))
            }
            _ => None,
        });
        let turns = Interval::new(0, last.min()?.max(0));
        Some(state.known.opaque(&mut self.symbols, IntType::U32, turns))
    }

    /// The form of a leaf at the head, as a mathematical integer where it cannot wrap around.
    fn head(
        &mut self,
        state: &mut State,
        leaf: &Leaf,
        head: &Head,
        turn: Option<Symbol>,
    ) -> Linear {
        match (head, turn) {
            (Head::Within(within), _) => {
                Linear::symbol(state.known.opaque(&mut self.symbols, leaf.ty, *within))
            }
            (Head::Step { step: 0, .. }, _) => leaf.entry.clone(),
            (Head::Step { step, within }, Some(turn)) => {
                let form = leaf.entry.plus(&Linear::from_terms(0, &[(turn, *step)]), 1);
                if let Some(within) = within {
                    // True of every iteration; an empty meet would say that there is none.
                    state.known.refine(&self.symbols, &form, *within);
                }
                form
            }
            (Head::Step { .. }, None) => {
                let all = leaf.ty.range();
                Linear::symbol(state.known.opaque(&mut self.symbols, leaf.ty, all))
            }
        }
    }

    fn came_back(&mut self, state: &mut State, leaf: &Leaf, head: &Head, form: &Linear) -> Back {
        let Value::Int(ty, back) = at_path(&state.variables[leaf.variable], &leaf.path) else {
            let all = leaf.ty.range();
            let met = matches!(head, Head::Within(within) if within.contains(all));
            return Back { step: None, range: all, met, progress: false };
        };
        let (range, _) = state.known.value_range(&self.symbols, &back, ty);
        let step = back.plus(form, -1).wrapped().as_constant().map(residue);
        // The same as mathematical integers, where neither wraps around.
        let before = state.known.unwrapped(&self.symbols, form, ty);
        let after = state.known.unwrapped(&self.symbols, &back, ty);
        let change = match (before, after) {
            (Some(before), Some(after)) => {
                Some(state.known.bounds(&self.symbols, &after.plus(&before, -1)))
            }
            _ => None,
        };
        let halved = self.halved(state, form, &back, ty);
        let progress = halved || change.is_some_and(|c| c.lo >= 1 || c.hi <= -1);
        let met = match head {
            Head::Within(within) => within.contains(range),
            Head::Step { step: assumed, within } => {
                step == Some(*assumed)
                    && within.is_none_or(|within| {
                        let next = form.plus_constant(*assumed);
                        within.contains(state.known.bounds(&self.symbols, &next))
                    })
            }
        };
        Back { step, range, met, progress }
    }

    /// Whether what came back is the head's value, which is above 0, divided by 2 or more.
    fn halved(&self, state: &mut State, form: &Linear, back: &Linear, ty: IntType) -> bool {
        let [(symbol, 1)] = back.terms() else { return false };
        let Definition::Operation(Operator::Divide, dividend, divisor) =
            &self.symbols.infos[*symbol as usize].definition
        else {
            return false;
        };
        back.k == 0
            && *dividend == form.clone().wrapped()
            && divisor.as_constant().is_some_and(|d| d >= 2)
            && state.known.value_range(&self.symbols, form, ty).0.meet(at_least(1))
                == Some(state.known.value_range(&self.symbols, form, ty).0)
    }
}

/// Better assumptions from a pass: a step where there is one, intervals no larger than needed.
/// Nothing if what did not meet its assumption has no step either.
fn stepped(leaves: &[Leaf], heads: &[Head], back: &[Back]) -> Option<Vec<Head>> {
    let bounded = |i: usize| {
        let leaf = &leaves[i];
        let moving = back[i].step.is_some_and(|s| s != 0);
        match &heads[i] {
            Head::Within(_) if moving && leaf.exact && back[i].met && back[i].progress => {
                Some(leaf.range.hull(back[i].range))
            }
            Head::Step { within, .. } => *within,
            Head::Within(_) => None,
        }
    };
    let counted = (0..leaves.len()).any(|i| bounded(i).is_some());
    let mut better = Vec::new();
    for (i, leaf) in leaves.iter().enumerate() {
        better.push(match back[i].step {
            Some(0) => Head::Step { step: 0, within: None },
            Some(step) if counted => Head::Step { step, within: bounded(i) },
            // What an iteration starts with does not matter.
            _ if leaf.trend == Trend::Fresh => heads[i].clone(),
            _ if back[i].met => Head::Within(leaf.range.hull(back[i].range)),
            _ => return None,
        });
    }
    Some(better)
}

/// Whether assumptions are met that were made before, and what came back is no better than then.
fn settled(leaves: &[Leaf], before: &[Came], back: &[Back]) -> bool {
    leaves.iter().zip(before).zip(back).all(|((leaf, (step, range)), back)| {
        let no_better = back.step == *step && leaf.range.hull(back.range).contains(*range);
        back.met && (no_better || leaf.trend == Trend::Fresh)
    })
}

fn steps(heads: &[Head]) -> usize {
    heads.iter().filter(|h| matches!(h, Head::Step { .. })).count()
}

/// A step that the loop's condition follows may wrap around before it is looked at: that it never
/// does is worth assuming once.
fn dare(leaf: &Leaf, back: &Back) -> Option<Head> {
    let all = leaf.ty.range();
    let step = i128::from(back.step?);
    if step > 0 && all.hi - step >= leaf.range.hi {
        return Some(Head::Within(Interval::new(leaf.range.lo, all.hi - step)));
    }
    if step < 0 && all.lo - step <= leaf.range.lo {
        return Some(Head::Within(Interval::new(all.lo - step, leaf.range.hi)));
    }
    None
}

fn daring(leaves: &[Leaf], heads: &[Head], back: &[Back]) -> Option<Vec<Head>> {
    let dared: Vec<Head> = (0..leaves.len())
        .map(|i| match &heads[i] {
            Head::Within(_) => dare(&leaves[i], &back[i]).unwrap_or_else(|| heads[i].clone()),
            head => head.clone(),
        })
        .collect();
    (dared != heads).then_some(dared)
}

/// Weaker assumptions after a pass that did not meet them.
fn wider(leaves: &[Leaf], heads: &[Head], back: &[Back], round: u32) -> Vec<Head> {
    let widen = |i: usize| {
        let (leaf, head) = (&leaves[i], &heads[i]);
        if back[i].met {
            return head.clone();
        }
        let all = leaf.ty.range();
        let Head::Within(within) = head else { return Head::Within(all) };
        let hull = within.hull(back[i].range);
        if round == 0
            && let Some(dared) = dare(leaf, &back[i])
        {
            return dared;
        }
        Head::Within(if round < PATIENCE {
            hull
        } else if round < 2 * PATIENCE {
            Interval {
                lo: if hull.lo < within.lo { all.lo } else { hull.lo },
                hi: if hull.hi > within.hi { all.hi } else { hull.hi },
            }
        } else {
            all
        })
    };
    (0..leaves.len()).map(widen).collect()
}

/// Whether guards hold for the first turns and then no more, so that a turn that meets them is
/// one that the loop gets to.
fn prefix(guards: &[super::state::Guard], turn: Option<Symbol>) -> bool {
    let Some(turn) = turn else { return false };
    let far = 1i128 << 70;
    guards.iter().all(|guard| {
        let c = guard.form.coefficient(turn);
        c == 0 || (c > 0 && guard.within.lo < -far) || (c < 0 && guard.within.hi > far)
    })
}

/// The value with nothing known of it but its shape.
fn forgotten(value: &Value) -> Value {
    match value {
        Value::Many(parts) => Value::Many(Rc::new(parts.iter().map(forgotten).collect())),
        _ => Value::Unknown,
    }
}

fn replace(value: &mut Value, path: &[usize], new: Value) {
    match (path.split_first(), value) {
        (None, value) => *value = new,
        (Some((&first, rest)), Value::Many(parts)) => {
            if let Some(part) = Rc::make_mut(parts).get_mut(first) {
                replace(part, rest, new);
            }
        }
        _ => {}
    }
}

fn at_path(value: &Value, path: &[usize]) -> Value {
    path.iter().fold(value.clone(), |value, &i| value.component(i))
}
