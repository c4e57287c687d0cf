//! Runs a [`Program`]: one batch of workgroups in lockstep, operation by operation.
//!
//! A machine belongs to one thread and is used for many batches. The launch's bindings are shared.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, fence};

use naga::Span;

use super::bytecode::{Builtin, NONE, OUTSIDE, Op, Program};
use super::functions::{Reg, Row, WIDTH};
use super::memory::{Bound, Planes, State};
use super::probe::Probe;
use super::subgroup::Subgroups;

/// The state that all batches of a chunk share.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(super) program: &'a Program,
    pub(super) bounds: Vec<Bound<'a>>,
    /// Workgroups of the whole launch.
    pub(super) grid: [u32; 3],
    /// The chunk's first workgroup, and its extents in workgroups.
    pub(super) first: [u32; 3],
    pub(super) count: [u32; 3],
    pub(super) loop_budget: u64,
    /// Set when the chunk shall stop early.
    pub(super) stop: &'a AtomicBool,
    /// Like `stop`, but set by the caller of the launch.
    pub(super) cancel: Option<&'a crate::device::Cancel<'a>>,
}

impl Launch<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Relaxed) || self.cancel.is_some_and(|cancel| cancel.is_set())
    }
}

/// The reason why a batch stopped early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Halt {
    /// The loop at that place ran past its budget.
    EndlessLoop(Span),
    /// A stop was requested.
    Stopped,
}

/// The registers and the memory of one thread.
#[derive(Debug)]
pub(crate) struct Machine {
    file: Vec<Row>,
    rows: usize,
    workgroup: Vec<u32>,
    /// Iterations of each lane in loops that have a budget.
    iterations: Vec<u64>,
    /// Coordinates of each lane in its workgroup.
    locals: [Vec<Row>; 3],
    /// The packed workgroup that each lane belongs to.
    groups: Vec<Row>,
}

impl Machine {
    /// A machine for the program, with its constants and invariants set.
    pub(crate) fn new(launch: &Launch<'_>) -> Machine {
        let program = launch.program;
        let lanes = (program.lanes() as usize).next_multiple_of(WIDTH);
        let rows = lanes / WIDTH;
        let [x, y, _] = program.workgroup_size;
        let size = program.invocations();
        let plane = |value: &dyn Fn(u32) -> u32| -> Vec<Row> {
            let lane = |k: usize, i: usize| value((k * WIDTH + i) as u32);
            (0..rows).map(|k| Row(std::array::from_fn(|i| lane(k, i)))).collect()
        };
        let mut machine = Machine {
            locals: [
                plane(&|lane| lane % size % x),
                plane(&|lane| lane % size / x % y),
                plane(&|lane| lane % size / x / y),
            ],
            // Lanes beyond the batch's invocations get values that are never used.
            groups: plane(&|lane| (lane / size).min(program.pack - 1)),
            file: vec![Row([0; WIDTH]); program.slots as usize * rows],
            rows,
            workgroup: vec![0; program.workgroup_words],
            iterations: vec![0; lanes],
        };
        for &(reg, value) in &program.constants {
            machine.fill(reg, |_| value);
        }
        for &(reg, builtin) in &program.builtins {
            let subgroup = program.subgroup_size;
            match builtin {
                Builtin::LocalId(axis) => {
                    let plane = &mut machine.file[reg as usize * rows..][..rows];
                    plane.copy_from_slice(&machine.locals[usize::from(axis)]);
                }
                Builtin::LocalIndex => machine.fill(reg, |lane| lane % size),
                Builtin::NumWorkgroups(axis) => {
                    machine.fill(reg, |_| launch.grid[usize::from(axis)]);
                }
                Builtin::NumSubgroups => machine.fill(reg, |_| size.div_ceil(subgroup)),
                Builtin::SubgroupId => machine.fill(reg, |lane| lane % size / subgroup),
                Builtin::SubgroupSize => machine.fill(reg, |_| subgroup),
                Builtin::SubgroupInvocationId => {
                    machine.fill(reg, |lane| lane % size % subgroup);
                }
                Builtin::WorkgroupId(_) | Builtin::GlobalId(_) | Builtin::Active => {}
            }
        }
        // The preamble has no loop, so it cannot halt.
        let _ = machine.run(launch, &program.preamble, &mut ());
        machine
    }

    fn fill(&mut self, reg: Reg, value: impl Fn(u32) -> u32) {
        let plane = &mut self.file[reg as usize * self.rows..][..self.rows];
        for (k, row) in plane.iter_mut().enumerate() {
            for (i, lane) in row.0.iter_mut().enumerate() {
                *lane = value((k * WIDTH + i) as u32);
            }
        }
    }

    /// Runs up to `pack` workgroups from `start` on, of the chunk's `total` in linear order.
    pub(crate) fn batch<P: Probe>(
        &mut self,
        launch: &Launch<'_>,
        start: u64,
        total: u64,
        probe: &mut P,
    ) -> Result<(), Halt> {
        let program = launch.program;
        let groups = u64::from(program.pack).min(total - start);
        let invocations = groups as u32 * program.invocations();
        let [x, y, _] = launch.count.map(u64::from);
        // The id of each packed workgroup. Places beyond the last workgroup repeat its id.
        let ids: Vec<[u32; 3]> = (0..u64::from(program.pack))
            .map(|group| {
                let linear = start + group.min(groups - 1);
                let at = [linear % x, linear / x % y, linear / x / y];
                std::array::from_fn(|axis| launch.first[axis].wrapping_add(at[axis] as u32))
            })
            .collect();
        for &(reg, builtin) in &program.builtins {
            let plane = &mut self.file[reg as usize * self.rows..][..self.rows];
            match builtin {
                Builtin::Active => {
                    for (k, row) in plane.iter_mut().enumerate() {
                        for (i, lane) in row.0.iter_mut().enumerate() {
                            let active = ((k * WIDTH + i) as u32) < invocations;
                            *lane = 0u32.wrapping_sub(u32::from(active));
                        }
                    }
                }
                Builtin::WorkgroupId(axis) => {
                    for (row, groups) in plane.iter_mut().zip(&self.groups) {
                        for i in 0..WIDTH {
                            row.0[i] = ids[groups.0[i] as usize][usize::from(axis)];
                        }
                    }
                }
                Builtin::GlobalId(axis) => {
                    let axis = usize::from(axis);
                    let extent = program.workgroup_size[axis];
                    let locals = self.groups.iter().zip(&self.locals[axis]);
                    for (row, (groups, local)) in plane.iter_mut().zip(locals) {
                        for i in 0..WIDTH {
                            let id = ids[groups.0[i] as usize][axis];
                            row.0[i] = id.wrapping_mul(extent).wrapping_add(local.0[i]);
                        }
                    }
                }
                _ => {}
            }
        }
        self.workgroup.fill(0);
        self.iterations.fill(0);
        self.run(launch, &program.body, probe)
    }

    fn run<P: Probe>(
        &mut self,
        launch: &Launch<'_>,
        ops: &[Op],
        probe: &mut P,
    ) -> Result<(), Halt> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the two features by the check above.
            return unsafe { self.run_avx2(launch, ops, probe) };
        }
        self.interpret(launch, ops, probe)
    }

    /// The same code, compiled for wider vectors. Rust never fuses or reorders floating-point operations by
    /// itself, so the results are bit-identical.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_avx2<P: Probe>(
        &mut self,
        launch: &Launch<'_>,
        ops: &[Op],
        probe: &mut P,
    ) -> Result<(), Halt> {
        self.interpret(launch, ops, probe)
    }

    #[inline(always)]
    fn interpret<P: Probe>(
        &mut self,
        launch: &Launch<'_>,
        ops: &[Op],
        probe: &mut P,
    ) -> Result<(), Halt> {
        let program = launch.program;
        let rows = self.rows;
        let bounds = launch.bounds.as_slice();
        let mut state = State { file: &mut self.file, rows, workgroup: &mut self.workgroup };
        let mut turns = 0u64;
        let mut at = 0;
        while let Some(op) = ops.get(at) {
            at += 1;
            match op {
                Op::Unary { f, dst, a } => f.apply(state.file, rows, *dst, [*a]),
                Op::Binary { f, dst, a, b } => f.apply(state.file, rows, *dst, [*a, *b]),
                Op::Ternary { f, dst, a, b, c } => f.apply(state.file, rows, *dst, [*a, *b, *c]),
                Op::Index { dst, base, index, bound, stride } => {
                    index_plane(state.file, rows, [*dst, *base, *index], *bound, *stride);
                }
                Op::Pick { dst, planes, index } => {
                    for k in 0..rows {
                        let index = state.file[*index as usize * rows + k].0;
                        let mut out = [0; WIDTH];
                        for i in 0..WIDTH {
                            if let Some(&plane) = planes.get(index[i] as usize) {
                                out[i] = state.file[plane as usize * rows + k].0[i];
                            }
                        }
                        state.file[*dst as usize * rows + k].0 = out;
                    }
                }
                Op::Blend { var, src, mask } => {
                    for k in 0..rows {
                        let src = state.file[*src as usize * rows + k].0;
                        let mask = state.file[*mask as usize * rows + k].0;
                        let var = &mut state.file[*var as usize * rows + k].0;
                        for i in 0..WIDTH {
                            var[i] = (src[i] & mask[i]) | (var[i] & !mask[i]);
                        }
                    }
                }
                Op::Clear { var, count } => {
                    let first = *var as usize * rows;
                    state.file[first..first + *count as usize * rows].fill(Row([0; WIDTH]));
                }
                Op::LocalLoad { dst, var, index } => {
                    for k in 0..rows {
                        let index = state.file[*index as usize * rows + k].0;
                        let mut out = [0; WIDTH];
                        for i in 0..WIDTH {
                            if index[i] != OUTSIDE {
                                let plane = *var as usize + index[i] as usize;
                                out[i] = state.file[plane * rows + k].0[i];
                            }
                        }
                        state.file[*dst as usize * rows + k].0 = out;
                    }
                }
                Op::LocalStore { var, index, src, mask } => {
                    for k in 0..rows {
                        let index = state.file[*index as usize * rows + k].0;
                        let src = state.file[*src as usize * rows + k].0;
                        let mask = state.file[*mask as usize * rows + k].0;
                        for i in 0..WIDTH {
                            if mask[i] != 0 && index[i] != OUTSIDE {
                                let plane = *var as usize + index[i] as usize;
                                state.file[plane * rows + k].0[i] = src[i];
                            }
                        }
                    }
                }
                Op::Load(access) => state.load(access, bounds, probe),
                Op::Store(access) => state.store(access, bounds, probe),
                Op::Atomic(atomic) => state.atomic(atomic, bounds, probe),
                Op::ArrayLength { dst, binding } => {
                    let length = match &bounds[*binding] {
                        Bound::Storage { elements, .. } => {
                            u32::try_from(*elements).unwrap_or(u32::MAX)
                        }
                        Bound::Value(_) => 0,
                    };
                    let first = *dst as usize * rows;
                    state.file[first..first + rows].fill(Row([length; WIDTH]));
                }
                Op::Fence => fence(SeqCst),
                Op::Ballot { dst, predicate, mask } => {
                    subgroups(&mut state, program).ballot(*dst, *predicate, *mask);
                }
                Op::SubgroupGather { mode, dst, src, index, mask } => {
                    subgroups(&mut state, program).gather(*mode, *dst, *src, *index, *mask);
                }
                Op::SubgroupFold(fold) => subgroups(&mut state, program).fold(fold),
                Op::Iterate { counter, mask } => {
                    turns += 1;
                    if turns.is_multiple_of(64) && launch.stopped() {
                        return Err(Halt::Stopped);
                    }
                    if *counter == NONE {
                        continue;
                    }
                    let mut most = 0;
                    for k in 0..rows {
                        let mask = state.file[*mask as usize * rows + k].0;
                        let counts = &mut self.iterations[k * WIDTH..][..WIDTH];
                        for i in 0..WIDTH {
                            counts[i] += u64::from(mask[i] & 1);
                            most = most.max(counts[i]);
                        }
                    }
                    if most > launch.loop_budget {
                        let span = program.loops.get(*counter as usize).copied();
                        return Err(Halt::EndlessLoop(span.unwrap_or_default()));
                    }
                }
                Op::Jump { to } => at = *to as usize,
                Op::JumpIfNone { mask, to } => {
                    let first = *mask as usize * rows;
                    let mut any = 0;
                    for row in &state.file[first..first + rows] {
                        for lane in row.0 {
                            any |= lane;
                        }
                    }
                    if any == 0 {
                        at = *to as usize;
                    }
                }
                Op::Note(note) => {
                    if P::LISTENS {
                        probe.note(note, &Planes { file: state.file, rows, bounds });
                    }
                }
                // Labels were resolved during compilation.
                Op::Label(_) => {}
            }
        }
        Ok(())
    }
}

/// `base + index * stride`, or `OUTSIDE` if the base is or the index is not below the bound.
#[inline(always)]
fn index_plane(file: &mut [Row], rows: usize, regs: [Reg; 3], bound: u32, stride: u32) {
    let [dst, base, index] = regs.map(|reg| reg as usize * rows);
    for k in 0..rows {
        let index = file[index + k].0;
        let base = if regs[1] == NONE { [0; WIDTH] } else { file[base + k].0 };
        let out = &mut file[dst + k].0;
        for i in 0..WIDTH {
            let inside = index[i] < bound && base[i] != OUTSIDE;
            let at = base[i].wrapping_add(index[i].wrapping_mul(stride));
            out[i] = if inside { at } else { OUTSIDE };
        }
    }
}

fn subgroups<'s>(state: &'s mut State<'_>, program: &Program) -> Subgroups<'s> {
    Subgroups {
        file: state.file,
        rows: state.rows,
        lanes: program.invocations() as usize,
        size: program.subgroup_size as usize,
    }
}
