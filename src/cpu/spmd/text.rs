//! The SPMD form as text, for readers and snapshots.
//!
//! `u` marks a value that is uniform in the workgroup, `g` one that is uniform in the gang, `s` a strided
//! value, `l` one that is likely strided by one, `v` a varying one.

use std::fmt::Write;

use super::compiled::Compiled;
use super::ir::{Node, Region};
use super::shape::Class;
use super::wide::{Facts, Number, Wide};
use crate::cpu::interpreter::bytecode::{Access, Op};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::Reg;

/// A kernel as text.
pub(in crate::cpu) fn print(compiled: &Compiled) -> String {
    let code = &compiled.code;
    let mut out = format!("gangs of {} in workgroups of {:?}\n", code.width, code.workgroup_size);
    if code.packed > 1 {
        out.push_str(&format!("{} workgroups along x in one\n", code.packed));
    }
    let printer = Printer { compiled };
    let mut builtins: Vec<_> = code.builtins.iter().collect();
    builtins.sort_by_key(|(reg, _)| **reg);
    for (&reg, builtin) in builtins {
        let _ = writeln!(out, "{} = {builtin:?}", printer.reg(reg));
    }
    for op in &code.preamble {
        printer.op(op, 0, &mut out);
    }
    printer.region(&code.body, 0, &mut out);
    out
}

struct Printer<'c> {
    compiled: &'c Compiled,
}

impl Printer<'_> {
    fn reg(&self, reg: Reg) -> String {
        let Some(class) = self.compiled.code.classes.get(reg as usize) else {
            return "-".to_owned();
        };
        if let RegClass::Constant(value) = class {
            let float = f32::from_bits(*value);
            return if *value > 0xffff && float.is_finite() && float.abs() > 1e-6 {
                format!("{float:?}f")
            } else {
                (*value as i32).to_string()
            };
        }
        let shape = self.compiled.shapes.regs[reg as usize];
        let mark = match shape.class {
            Class::Unset | Class::Workgroup => "u".to_owned(),
            Class::Gang => "g".to_owned(),
            Class::Strided(1) => "s".to_owned(),
            Class::Strided(step) => format!("s({step})"),
            Class::Likely => "l".to_owned(),
            Class::Varying => "v".to_owned(),
        };
        let kind = match class {
            RegClass::Variable(_) => "@",
            // Known to be in bounds.
            _ if self.compiled.code.inside.contains(&reg) => "%!",
            _ => "%",
        };
        format!("{kind}{reg}{mark}")
    }

    fn region(&self, region: &Region, depth: usize, out: &mut String) {
        for node in &region.nodes {
            self.node(node, depth, out);
        }
    }

    fn node(&self, node: &Node, depth: usize, out: &mut String) {
        let pad = "  ".repeat(depth);
        let masked = |target: u32| {
            if self.compiled.shapes.masked[target as usize] { " masked" } else { "" }
        };
        match node {
            Node::Op(op) => self.op(op, depth, out),
            Node::UniformLoad(op) => {
                let _ = writeln!(out, "{pad}for the workgroup");
                self.op(op, depth, out);
            }
            Node::If { condition, accept, reject } => {
                let _ = writeln!(out, "{pad}if {}", self.reg(*condition));
                self.region(accept, depth + 1, out);
                if !reject.nodes.is_empty() {
                    let _ = writeln!(out, "{pad}else");
                    self.region(reject, depth + 1, out);
                }
            }
            Node::Loop(l) => {
                let budget = if l.finite { "" } else { " budget" };
                let _ = writeln!(out, "{pad}loop {}{}{budget}", l.target, masked(l.target));
                self.region(&l.body, depth + 1, out);
                let _ = writeln!(out, "{pad}continuing");
                self.region(&l.continuing, depth + 1, out);
                if let Some(condition) = l.break_if {
                    let _ = writeln!(out, "{pad}  break if {}", self.reg(condition));
                }
            }
            Node::Once { target, body } => {
                let _ = writeln!(out, "{pad}once {target}{}", masked(*target));
                self.region(body, depth + 1, out);
            }
            Node::Break(target) => {
                let _ = writeln!(out, "{pad}break {target}");
            }
            Node::Continue(target) => {
                let _ = writeln!(out, "{pad}continue {target}");
            }
            Node::Return => {
                let _ = writeln!(out, "{pad}return");
            }
            Node::Barrier => {
                let _ = writeln!(out, "{pad}barrier");
            }
            Node::Prefetch(address) => {
                let outer = self.reg(address.outer);
                let _ = writeln!(
                    out,
                    "{pad}prefetch {:?}+{}[{outer} * {}]",
                    address.memory, address.offset, address.stride
                );
            }
            Node::Versions(versions) => {
                let facts = &versions.facts;
                let mut text = Vec::new();
                for &(a, b) in &facts.less {
                    text.push(format!("{} < {}", self.wide(facts, a), self.wide(facts, b)));
                }
                let _ = writeln!(out, "{pad}where {}", text.join(" and "));
                self.region(&versions.inner, depth + 1, out);
                let _ = writeln!(out, "{pad}elsewhere");
                self.region(&versions.edge, depth + 1, out);
            }
            Node::Gangs { body, most } => {
                let most = most.map_or(String::new(), |most| format!(" below {most}"));
                let _ = writeln!(out, "{pad}gangs{most}");
                self.region(body, depth + 1, out);
            }
        }
    }

    fn wide(&self, facts: &Facts, n: Number) -> String {
        let two = |sign: &str, a: Number, b: Number| {
            format!("({} {sign} {})", self.wide(facts, a), self.wide(facts, b))
        };
        match facts.numbers[n as usize] {
            Wide::Constant(value) => value.to_string(),
            Wide::Register(reg) => self.reg(reg),
            Wide::Workgroup(axis) => format!("workgroup.{}", ["x", "y", "z"][usize::from(axis)]),
            Wide::Length(binding) => format!("length {binding}"),
            Wide::Add(a, b) => two("+", a, b),
            Wide::Sub(a, b) => two("-", a, b),
            Wide::Mul(a, b) => two("*", a, b),
            Wide::Min(a, b) => two("min", a, b),
            Wide::Max(a, b) => two("max", a, b),
            Wide::Held(a) => self.wide(facts, a),
            Wide::Shr(a, by) => format!("({} >> {by})", self.wide(facts, a)),
            Wide::Div(a, by) => format!("({} / {by})", self.wide(facts, a)),
        }
    }

    fn access(&self, access: &Access) -> String {
        let address = &access.address;
        let mut text = format!("{:?}+{}", address.memory, address.offset);
        let there = |reg: Reg| (reg as usize) < self.compiled.code.classes.len();
        if there(address.outer) {
            let _ = write!(text, "[{} * {}]", self.reg(address.outer), address.stride);
        }
        if there(address.inner) {
            let _ = write!(text, "[{}]", self.reg(address.inner));
        }
        text
    }

    fn op(&self, op: &Op, depth: usize, out: &mut String) {
        let pad = "  ".repeat(depth);
        let r = |reg: Reg| self.reg(reg);
        let parts = |access: &Access| {
            let parts: Vec<String> = access.parts.iter().map(|part| r(part.reg)).collect();
            parts.join(", ")
        };
        let _ = match op {
            Op::Unary { f, dst, a } => writeln!(out, "{pad}{} = {f:?} {}", r(*dst), r(*a)),
            Op::Binary { f, dst, a, b } => {
                writeln!(out, "{pad}{} = {f:?} {}, {}", r(*dst), r(*a), r(*b))
            }
            Op::Ternary { f, dst, a, b, c } => {
                writeln!(out, "{pad}{} = {f:?} {}, {}, {}", r(*dst), r(*a), r(*b), r(*c))
            }
            Op::Index { dst, base, index, bound, stride } => writeln!(
                out,
                "{pad}{} = index {} + {} * {stride} below {bound}",
                r(*dst),
                r(*base),
                r(*index)
            ),
            Op::LocalLoad { dst, var, index } => {
                writeln!(out, "{pad}{} = {}[{}]", r(*dst), r(*var), r(*index))
            }
            Op::LocalStore { var, index, src, .. } => {
                writeln!(out, "{pad}{}[{}] = {}", r(*var), r(*index), r(*src))
            }
            Op::Clear { var, count } => writeln!(out, "{pad}clear {} {count}", r(*var)),
            Op::Load(access) => {
                writeln!(out, "{pad}{} = load {}", parts(access), self.access(access))
            }
            Op::Store(access) => {
                writeln!(out, "{pad}store {} = {}", self.access(access), parts(access))
            }
            other => writeln!(out, "{pad}{other:?}"),
        };
    }
}
