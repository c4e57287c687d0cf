//! Random statements. Loops end by construction, and nothing here writes memory that another
//! invocation can see.

use super::Generator;
use super::types::{Array, Matrix, Scalar, Type, Variable};

use Scalar::{Bool, Exact, I32, U32};

impl Generator {
    /// Adds `count` statements in a scope of their own.
    pub(super) fn block(&mut self, count: u64, depth: u32) {
        let outer = self.scope.clone();
        self.indent += 1;
        for _ in 0..count {
            self.statement(depth);
        }
        self.indent -= 1;
        self.scope = outer;
    }

    pub(super) fn statement(&mut self, depth: u32) {
        if self.subgroups && self.random.percent(12) {
            return self.subgroup();
        }
        if self.rough && self.in_function.is_none() && self.random.percent(15) {
            if self.random.percent(25) {
                let condition = self.of(Bool, 2);
                return self.line(&format!("if {condition} {{ return; }}"));
            }
            return self.exchange();
        }
        if self.sweeps && depth > 0 && self.loops < 2 && self.random.percent(10) {
            return self.sweep(false);
        }
        match self.random.below(20) {
            0..=3 => self.declare(),
            4..=8 => self.assign(),
            9 => self.declare_array(),
            10 => self.declare_struct(),
            11 if !self.wild => self.declare_matrix(),
            12 | 13 if depth > 0 => self.branch(depth),
            14 | 15 if depth > 0 && self.loops < 2 => self.bounded_for(depth),
            16 if depth > 0 && self.loops < 2 => self.bounded_loop(depth),
            17 if depth > 0 => self.switch(depth),
            18 if self.in_loop => {
                let condition = self.of(Bool, 2);
                let word = *self.random.pick(&["break", "continue"]);
                self.line(&format!("if {condition} {{ {word}; }}"));
            }
            19 if self.in_function.is_some() => {
                let condition = self.of(Bool, 2);
                let ty = self.in_function.expect("checked by the guard");
                let value = self.expression(ty, 2);
                self.line(&format!("if {condition} {{ return {value}; }}"));
            }
            _ => self.assign(),
        }
    }

    pub(super) fn any_type(&mut self) -> Type {
        let base = self.base();
        let scalar = *self.random.pick(&base);
        if scalar != Bool && self.random.percent(35) {
            Type::vector(scalar, self.random.between(2, 4) as u8)
        } else {
            Type::scalar(scalar)
        }
    }

    fn declare(&mut self) {
        let ty = self.any_type();
        let value = self.expression(ty, self.depth);
        let mutable = self.random.percent(70);
        let name = self.fresh(if mutable { "v" } else { "c" });
        let keyword = if mutable { "var" } else { "let" };
        self.line(&format!("{keyword} {name} = {value};"));
        self.scope.variables.push(Variable { name, ty, mutable });
    }

    fn declare_array(&mut self) {
        let element = self.any_type();
        let len = self.random.between(1, 6);
        if self.random.percent(25) {
            // An array value, which is indexed without a variable.
            let values: Vec<String> = (0..len).map(|_| self.expression(element, 1)).collect();
            let name = self.fresh("table");
            let ty = element.wgsl();
            self.line(&format!("let {name} = array<{ty}, {len}>({});", values.join(", ")));
            return self.scope.arrays.push(Array { name, element, len, mutable: false });
        }
        let name = self.fresh("list");
        self.line(&format!("var {name}: array<{}, {len}>;", element.wgsl()));
        self.scope.arrays.push(Array { name, element, len, mutable: true });
    }

    fn declare_struct(&mut self) {
        let name = self.fresh("s");
        match self.structs.last().cloned() {
            Some(other) if self.random.percent(60) && self.in_scope(&other) => {
                self.line(&format!("var {name} = {other};"));
            }
            _ => self.line(&format!("var {name}: Mixed;")),
        }
        self.structs.push(name.clone());
        let float = self.float();
        for (member, ty) in [
            ("a", Type::scalar(I32)),
            ("b", Type::vector(float, 3)),
            ("c", Type::scalar(U32)),
            ("inner.d", Type::vector(U32, 2)),
        ] {
            let name = format!("{name}.{member}");
            self.scope.variables.push(Variable { name, ty, mutable: true });
        }
        self.scope.arrays.push(Array {
            name: format!("{name}.inner.list"),
            element: Type::scalar(I32),
            len: 3,
            mutable: true,
        });
    }

    fn in_scope(&self, name: &str) -> bool {
        let member = format!("{name}.a");
        self.scope.variables.iter().any(|variable| variable.name == member)
    }

    fn declare_matrix(&mut self) {
        let (columns, rows) = (self.random.between(2, 4) as u8, self.random.between(2, 4) as u8);
        let column = Type::vector(Exact, rows);
        let values: Vec<String> = (0..columns).map(|_| self.expression(column, 1)).collect();
        let name = self.fresh("m");
        self.line(&format!("var {name} = mat{columns}x{rows}<f32>({});", values.join(", ")));
        self.scope.matrices.push(Matrix { name, columns, rows });
    }

    fn assign(&mut self) {
        match self.random.below(6) {
            0 => {
                let arrays: Vec<_> =
                    self.scope.arrays.iter().filter(|a| a.mutable).cloned().collect();
                if !arrays.is_empty() {
                    let array = self.random.pick(&arrays).clone();
                    let index = self.index(array.len);
                    let value = self.expression(array.element, self.depth);
                    return self.line(&format!("{}[{index}] = {value};", array.name));
                }
            }
            1 if !self.scope.matrices.is_empty() => {
                let matrices = self.scope.matrices.clone();
                let m = self.random.pick(&matrices).clone();
                let index = self.index(u64::from(m.columns));
                let value = self.expression(Type::vector(Exact, m.rows), 2);
                return self.line(&format!("{}[{index}] = {value};", m.name));
            }
            2 => {
                let vectors: Vec<_> = self
                    .scope
                    .variables
                    .iter()
                    .filter(|v| v.mutable && v.ty.size > 1)
                    .cloned()
                    .collect();
                if !vectors.is_empty() {
                    let vector = self.random.pick(&vectors).clone();
                    let value = self.of(vector.ty.scalar, self.depth);
                    let place = if self.random.percent(40) {
                        format!("[{}]", self.index(u64::from(vector.ty.size)))
                    } else {
                        format!(".{}", self.component(vector.ty.size))
                    };
                    return self.line(&format!("{}{place} = {value};", vector.name));
                }
            }
            _ => {}
        }
        let places: Vec<_> = self.scope.variables.iter().filter(|v| v.mutable).cloned().collect();
        if places.is_empty() {
            return self.declare();
        }
        let place = self.random.pick(&places).clone();
        let value = self.expression(place.ty, self.depth);
        if matches!(place.ty.scalar, I32 | U32) && self.random.percent(40) {
            let op = *self.random.pick(&["+=", "-=", "*=", "^=", "|=", "&=", "/=", "%="]);
            return self.line(&format!("{} {op} {value};", place.name));
        }
        self.line(&format!("{} = {value};", place.name));
    }

    fn branch(&mut self, depth: u32) {
        let condition = self.of(Bool, 2);
        self.line(&format!("if {condition} {{"));
        let count = self.random.between(1, 3);
        self.block(count, depth - 1);
        if self.random.percent(50) {
            if self.random.percent(30) {
                let condition = self.of(Bool, 2);
                self.line(&format!("}} else if {condition} {{"));
                self.block(1, depth - 1);
            }
            self.line("} else {");
            let count = self.random.between(1, 3);
            self.block(count, depth - 1);
        }
        self.line("}");
    }

    pub(super) fn looped(&mut self, depth: u32, counter: &str, count: u64) {
        let (was, outer) = (self.in_loop, self.scope.clone());
        self.in_loop = true;
        self.loops += 1;
        self.scope.variables.push(Variable {
            name: counter.to_owned(),
            ty: Type::scalar(U32),
            mutable: false,
        });
        self.block(count, depth - 1);
        self.loops -= 1;
        self.in_loop = was;
        self.scope = outer;
    }

    fn bounded_for(&mut self, depth: u32) {
        let k = self.fresh("k");
        let bound = match self.random.below(3) {
            0 => format!("{}u", self.random.between(1, 5)),
            1 => format!("({} % 5u)", self.of(U32, 1)),
            _ => "params.turns".to_owned(),
        };
        self.line(&format!("for (var {k} = 0u; {k} < {bound}; {k}++) {{"));
        let count = self.random.between(1, 3);
        self.looped(depth, &k, count);
        self.line("}");
    }

    fn bounded_loop(&mut self, depth: u32) {
        let k = self.fresh("k");
        let bound = format!("({} % 4u)", self.of(U32, 1));
        self.line(&format!("var {k} = 0u;"));
        self.line("loop {");
        let count = self.random.between(1, 3);
        self.looped(depth, &k, count);
        self.line("    continuing {");
        self.line(&format!("        {k}++;"));
        self.line(&format!("        break if {k} > {bound};"));
        self.line("    }");
        self.line("}");
    }

    fn switch(&mut self, depth: u32) {
        let (scalar, suffix) = *self.random.pick(&[(I32, ""), (U32, "u")]);
        let selector = self.of(scalar, 2);
        self.line(&format!("switch {selector} & 7{suffix} {{"));
        self.indent += 1;
        // In a case, a break leaves the switch, and a continue the iteration of the loop.
        for cases in [format!("0{suffix}, 3{suffix}"), "default".to_owned(), format!("5{suffix}")] {
            let word = if cases == "default" { "" } else { "case " };
            self.line(&format!("{word}{cases}: {{"));
            let count = self.random.between(1, 2);
            self.block(count, depth - 1);
            self.line("}");
        }
        self.indent -= 1;
        self.line("}");
    }
}
