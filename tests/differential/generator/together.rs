//! Statements in which the invocations of a workgroup communicate: workgroup memory between barriers,
//! atomics, subgroups.
//!
//! Each exchange ends with a barrier, so that later writes do not race with its reads. This holds in
//! divergent control flow too, where only CPU-only kernels have exchanges.

use super::Generator;
use super::types::{Scalar, Type, Variable};

use Scalar::{Bool, Half, I32, U32, Wild};

impl Generator {
    fn keep(&mut self, name: String, ty: Type) {
        self.scope.variables.push(Variable { name, ty, mutable: false });
    }

    /// Adds an exchange: each invocation stores a number and loads that of another.
    pub(super) fn exchange(&mut self) {
        let size = self.size;
        match self.random.below(10) {
            0..=2 => return self.count(),
            3 => return self.vectors(),
            4 => return self.uniform_load(),
            _ => {}
        }
        let uniform = self.random.percent(40);
        let number = self.fresh("k");
        if uniform {
            self.line(&format!("for (var {number} = 0u; {number} < params.turns; {number}++) {{"));
            self.indent += 1;
        }
        let give = self.of(U32, 2);
        self.line(&format!("tile[l] = {give};"));
        self.line("workgroupBarrier();");
        let from = self.of(U32, 1);
        if uniform {
            if self.random.percent(40) {
                // A reduction tree.
                let s = self.fresh("s");
                self.line(&format!("for (var {s} = {}u; {s} > 0u; {s} /= 2u) {{", size / 2));
                self.line(&format!("    if l < {s} {{ tile[l] += tile[l + {s}]; }}"));
                self.line("    workgroupBarrier();");
                self.line("}");
            }
            self.line(&format!("i0 ^= i32(tile[(l + {from}) % {size}u]);"));
            self.line("workgroupBarrier();");
            self.indent -= 1;
            self.line("}");
            return;
        }
        let name = self.fresh("c");
        // Some indices are out of bounds.
        let modulus = if self.random.percent(30) { size + 4 } else { size };
        self.line(&format!("let {name} = tile[(l + {from}) % {modulus}u];"));
        self.line("workgroupBarrier();");
        self.keep(name, Type::scalar(U32));
    }

    /// Adds atomic updates in any order; after a barrier, all invocations load the same counts.
    fn count(&mut self) {
        // All invocations update one counter, or each chooses its own.
        let index =
            if self.random.percent(50) { "params.turns % 3u".to_owned() } else { self.index(3) };
        let amount = self.of(U32, 2);
        let op = *self.random.pick(&["Add", "Xor", "Or", "And", "Max", "Min", "Sub"]);
        self.line(&format!("atomic{op}(&counts[{index}], {amount});"));
        self.line("workgroupBarrier();");
        let name = self.fresh("c");
        let index = self.index(3);
        self.line(&format!("let {name} = atomicLoad(&counts[{index}]);"));
        self.line("workgroupBarrier();");
        self.keep(name, Type::scalar(U32));
    }

    /// Adds an exchange of a structure of several scalars.
    fn vectors(&mut self) {
        let size = self.size;
        let (a, b) = (self.of(I32, 2), self.of(Bool, 1));
        let vector = Type::vector(U32, 3);
        let v = self.expression(vector, 2);
        self.line(&format!("shared_[l] = Shared({a}, {v}, {b});"));
        self.line("workgroupBarrier();");
        let from = self.of(U32, 1);
        let name = self.fresh("c");
        self.line(&format!("let {name} = shared_[(l ^ {from}) % {}u];", size + 1));
        self.line("workgroupBarrier();");
        self.keep(format!("{name}.a"), Type::scalar(I32));
        self.keep(format!("{name}.v"), vector);
        self.keep(format!("{name}.b"), Type::scalar(Bool));
    }

    /// Adds a `workgroupUniformLoad` of a number that one invocation stored.
    fn uniform_load(&mut self) {
        let give = self.of(U32, 1);
        let size = self.size;
        self.line(&format!("if l == params.turns % {size}u {{ tile[1] = {give}; }}"));
        let name = self.fresh("c");
        self.line(&format!("let {name} = workgroupUniformLoad(&tile[1]);"));
        self.keep(name, Type::scalar(U32));
    }

    /// Adds a subgroup operation.
    pub(super) fn subgroup(&mut self) {
        let other = self.decisive();
        let scalar = *self.random.pick(&[U32, I32, other]);
        let float = matches!(scalar, Wild | Half);
        let ty = if self.random.percent(25) {
            Type::vector(scalar, self.random.between(2, 4) as u8)
        } else {
            Type::scalar(scalar)
        };
        let value = self.expression(ty, 2);
        let name = self.fresh("c");
        match self.random.below(10) {
            0..=2 => {
                let f = *self.random.pick(&["Add", "Mul", "Min", "Max"]);
                self.line(&format!("let {name} = subgroup{f}({value});"));
            }
            3 if !float => {
                let f = *self.random.pick(&["And", "Or", "Xor"]);
                self.line(&format!("let {name} = subgroup{f}({value});"));
            }
            3 | 4 => {
                let f = *self.random.pick(&["Add", "Mul"]);
                let part = *self.random.pick(&["Inclusive", "Exclusive"]);
                self.line(&format!("let {name} = subgroup{part}{f}({value});"));
            }
            5 | 6 => {
                let f = *self.random.pick(&["", "Up", "Down", "Xor"]);
                let by = self.of(U32, 1);
                self.line(&format!("let {name} = subgroupShuffle{f}({value}, {by} % 40u);"));
            }
            7 => {
                let f = *self.random.pick(&["quadSwapX", "quadSwapY", "subgroupBroadcastFirst"]);
                self.line(&format!("let {name} = {f}({value});"));
            }
            8 => {
                let f = *self.random.pick(&["All", "Any"]);
                let condition = self.of(Bool, 2);
                self.line(&format!("let {name} = subgroup{f}({condition});"));
                return self.keep(name, Type::scalar(Bool));
            }
            _ => {
                let condition = self.of(Bool, 2);
                self.line(&format!("let {name} = subgroupBallot({condition});"));
                return self.keep(name, Type::vector(U32, 4));
            }
        }
        self.keep(name, ty);
    }

    /// A scalar kind whose subgroup results are defined to the bit: a float if possible, else i32.
    fn decisive(&mut self) -> Scalar {
        match (self.half, self.wild) {
            (true, _) if self.random.percent(50) => Half,
            (_, true) => Wild,
            // A sum of exact floats need not be exact.
            _ => I32,
        }
    }
}
