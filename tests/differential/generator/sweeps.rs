//! Loops that walk through memory: counters that go up and down, second induction variables, nested
//! loops, and barriers around them.
//!
//! Only the counter bounds the number of iterations, and only the loop's header sets it.

use super::types::{Scalar, Type, Variable};
use super::{Generator, SWEPT};

use Scalar::{Bool, U32};

impl Generator {
    /// Adds a loop that sums elements of memory, possibly inside of another loop. With `meets`, every
    /// invocation of the workgroup reaches it, and they may exchange their sums.
    pub(super) fn sweep(&mut self, meets: bool) {
        let outer = self.scope.clone();
        let (at, sum) = (self.fresh("at"), self.fresh("sum"));
        let fill = meets && self.random.percent(30);
        let start = self.start();
        self.line(&format!("var {at} = {start};"));
        self.line(&format!("var {sum} = 0u;"));
        let other = self.random.percent(20).then(|| self.fresh("by"));
        if let Some(other) = &other {
            let start = self.start();
            self.line(&format!("var {other} = {start};"));
        }
        let around = self.random.percent(45);
        if around {
            let j = self.fresh("j");
            let bound = match self.random.below(3) {
                0 => "params.turns".to_owned(),
                _ => format!("{}u", self.random.between(1, 4)),
            };
            self.line(&format!("for (var {j} = 0u; {j} < {bound}; {j}++) {{"));
            self.indent += 1;
            if self.random.percent(40) {
                let lane = self.lane();
                self.line(&format!("{at} = {j} + {lane};"));
            }
        }
        if fill {
            self.fill();
        }
        self.walk(&at, &sum, other.as_deref(), fill);
        if meets && (fill || around && self.random.percent(60)) {
            self.line("workgroupBarrier();");
            self.line(&format!("tile[l] = {sum};"));
            self.line("workgroupBarrier();");
            self.line(&format!("{sum} ^= tile[{}u - l];", self.size - 1));
            self.line("workgroupBarrier();");
        }
        if around {
            self.indent -= 1;
            self.line("}");
        }
        self.scope = outer;
        self.scope.variables.push(Variable {
            name: sum.clone(),
            ty: Type::scalar(U32),
            mutable: true,
        });
        if self.in_function.is_none() {
            // The output depends on `i0`.
            self.line(&format!("i0 = i0 * 5 + i32({sum});"));
        }
    }

    /// A value that rises by one from invocation to invocation; in a function, a uniform value.
    fn lane(&mut self) -> &'static str {
        match (self.in_function.is_some(), self.random.below(4)) {
            (true, _) => "params.turns",
            (false, 0) => "u0",
            (false, _) => "l",
        }
    }

    fn start(&mut self) -> String {
        match self.random.below(6) {
            0 => format!("({} % {SWEPT}u)", self.of(U32, 1)),
            1 => format!("{}u", self.random.below(SWEPT)),
            2 => format!("{} + {}u", self.lane(), self.random.below(SWEPT)),
            3 => format!("{} * {}u", self.lane(), self.random.between(2, 9)),
            _ => self.lane().to_owned(),
        }
    }

    /// The step of a variable: often the width of the workgroup, or one.
    fn step(&mut self) -> u64 {
        *self.random.pick(&[1, 1, 2, 3, 16, 64, 64, self.size.max(1), self.size.max(1)])
    }

    /// Fills an array in workgroup memory with four elements for each invocation.
    fn fill(&mut self) {
        let (i, size) = (self.fresh("i"), self.size);
        let from = self.random.below(SWEPT);
        self.line(&format!("for (var {i} = l; {i} < {}u; {i} += {size}u) {{", 4 * size));
        self.line(&format!("    wide[{i}] = in_u[{i} + {from}u].x;"));
        self.line("}");
        self.line("workgroupBarrier();");
    }

    /// Adds the innermost loop.
    fn walk(&mut self, at: &str, sum: &str, other: Option<&str>, fill: bool) {
        let (k, step) = (self.fresh("k"), self.step());
        let turns = match self.random.below(4) {
            0 => "params.turns".to_owned(),
            1 => format!("({} % 7u)", self.of(U32, 1)),
            _ => format!("{}u", self.random.between(1, 12)),
        };
        let fixed = self.random.between(1, 8) * step;
        let mut end = None;
        match self.random.below(6) {
            0 => self.line(&format!("for (var {k} = {turns}; {k} > 0u; {k}--) {{")),
            1 => self.line(&format!("for (var {k} = 0u; {k} < {fixed}u; {k} += {step}u) {{")),
            2 => self.line(&format!("for (var {k} = {fixed}u; {k} >= {step}u; {k} -= {step}u) {{")),
            3 => {
                let lane = self.lane();
                self.line(&format!("for (var {k} = {lane}; {k} < {fixed}u; {k} += {step}u) {{"));
            }
            4 => {
                self.line(&format!("var {k} = 0u;"));
                self.line("loop {");
                end = Some(format!("{k}++; break if {k} >= {turns};"));
            }
            _ => self.line(&format!("for (var {k} = 0u; {k} < {turns}; {k}++) {{")),
        }
        self.indent += 1;
        let moves = self.moves(at, other);
        let late = self.random.below(3);
        if late == 0 {
            self.line(&moves);
        }
        for _ in 0..self.random.between(1, 2) {
            let element = self.element(at, &k, fill);
            let op = *self.random.pick(&["+=", "+=", "+=", "^="]);
            self.line(&format!("{sum} {op} {element};"));
        }
        if self.random.percent(20) {
            let condition = self.of(Bool, 1);
            let statement = match self.random.below(3) {
                0 => "break;".to_owned(),
                1 => "continue;".to_owned(),
                _ => moves.clone(),
            };
            self.line(&format!("if {condition} {{ {statement} }}"));
        }
        if self.random.percent(15) && self.loops < 2 {
            let (name, ty) = (at.to_owned(), Type::scalar(U32));
            self.scope.variables.push(Variable { name, ty, mutable: true });
            self.looped(1, &k, 1);
        }
        match (late, &end) {
            (0, _) => {}
            (1, Some(_)) => end = end.map(|end| format!("{moves} {end}")),
            _ => self.line(&moves),
        }
        if let Some(end) = end {
            self.line(&format!("continuing {{ {end} }}"));
        }
        self.indent -= 1;
        self.line("}");
    }

    /// The statement that advances the induction variables besides the counter.
    fn moves(&mut self, at: &str, other: Option<&str>) -> String {
        let step = self.step();
        if let Some(other) = other {
            return match self.random.below(2) {
                0 => format!("let was = {at}; {at} = {other} + {step}u; {other} = was;"),
                _ => format!("{other} += {step}u; {at} = {other};"),
            };
        }
        match self.random.below(8) {
            0 => format!("{at} -= {step}u;"),
            1 => format!("{at} = {at} + {}u * params.turns;", self.random.between(1, 9)),
            2 => format!("{at} = {step}u + {at};"),
            3 => format!("{at} ^= {step}u;"),
            _ => format!("{at} += {step}u;"),
        }
    }

    /// An element of an input, or of workgroup memory, as a u32.
    fn element(&mut self, at: &str, k: &str, fill: bool) -> String {
        let (lane, step) = (self.lane(), self.step());
        let index = match self.random.below(9) {
            0 => format!("{k} * {step}u + {lane}"),
            1 => format!("({k} << {}u) + {lane}", self.random.between(1, 6)),
            2 => format!("{k} + {lane}"),
            3 => format!("{at} + {k}"),
            4 => format!("{at} - {k}"),
            5 => format!("min({at}, {}u)", SWEPT - 1),
            _ => at.to_owned(),
        };
        match self.random.below(6) {
            0 | 1 if fill => format!("wide[({index}) % {}u]", 4 * self.size),
            5 if !self.wild => format!("u32(i32(in_e[{index}] * 16.0))"),
            0 => format!("u32(in_i[{index}])"),
            1 => format!("in_u[{index}].y"),
            2 => format!("u32(in_i[i32({index})])"),
            _ => format!("in_u[{index}].x"),
        }
    }
}
