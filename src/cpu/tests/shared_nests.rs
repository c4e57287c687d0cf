//! Random nests of calls give the same bits whether or not calls share a copy of their callee.
//!
//! Functions call earlier ones two to four times: in a row, in expressions, branches, switches, loops and
//! their `continuing`, with early returns, values and pointers that do not alias. Every nest ends, since
//! loops have fixed bounds and there is no recursion. Floats are only added and compared: a product that
//! crosses a shared call may be rounded where the inlined one is fused.

use std::fmt::Write as _;

use super::{device, launch_kernel_on};
use crate::kernel::Kernel;

const INVOCATIONS: u32 = 24;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    U32,
    F32,
    Bool,
}

use Kind::{Bool, F32, U32};

impl Kind {
    fn wgsl(self) -> &'static str {
        match self {
            U32 => "u32",
            F32 => "f32",
            Bool => "bool",
        }
    }
}

#[derive(Debug, Clone)]
struct Signature {
    name: String,
    values: Vec<Kind>,
    /// Whether the function takes `p: ptr<function, u32>`, and `q: ptr<function, array<u32, 3>>`.
    pointers: [bool; 2],
    result: Option<Kind>,
}

struct Nest {
    random: u64,
    text: String,
    functions: Vec<Signature>,
    /// Names of the current function's values, and which of them are variables.
    scope: Vec<(String, Kind, bool)>,
    /// The signature of the current function; none in the entry point.
    signature: Option<Signature>,
    names: u32,
    /// Calls that the current function may still make.
    calls: u64,
    in_loop: bool,
}

impl Nest {
    fn of(seed: u64) -> String {
        let mut nest = Nest {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            text: String::new(),
            functions: Vec::new(),
            scope: Vec::new(),
            signature: None,
            names: 0,
            calls: 0,
            in_loop: false,
        };
        nest.text.push_str(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
             var<private> seed: u32;\n",
        );
        for level in 0..2 {
            for _ in 0..nest.between(1, 2) {
                nest.function(level);
            }
        }
        nest.signature = None;
        nest.text.push_str(
            "@compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3u) {
             let i = id.x;\n",
        );
        nest.scope = vec![("i".to_owned(), U32, false)];
        nest.body(2);
        nest.text.push_str("out[i] = (s ^ w[0] ^ seed) + w[1] * 3u + t + bitcast<u32>(y);\n}\n");
        nest.text
    }

    fn below(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{line}");
    }

    fn kind(&mut self) -> Kind {
        [U32, U32, F32, Bool][self.below(4) as usize]
    }

    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }

    fn function(&mut self, level: u64) {
        let values: Vec<Kind> = (0..self.between(1, 3)).map(|_| self.kind()).collect();
        let pointers = [self.percent(50), self.percent(40)];
        let result = if self.percent(85) { Some(self.kind()) } else { None };
        let name = format!("f{}", self.functions.len());
        let signature = Signature { name, values, pointers, result };
        let mut parameters = Vec::new();
        self.scope.clear();
        for (at, &kind) in signature.values.iter().enumerate() {
            parameters.push(format!("a{at}: {}", kind.wgsl()));
            self.scope.push((format!("a{at}"), kind, false));
        }
        if pointers[0] {
            parameters.push("p: ptr<function, u32>".to_owned());
            self.scope.push(("(*p)".to_owned(), U32, true));
        }
        if pointers[1] {
            parameters.push("q: ptr<function, array<u32, 3>>".to_owned());
            self.scope.push(("(*q)[1]".to_owned(), U32, true));
        }
        let arrow = result.map_or(String::new(), |kind| format!(" -> {}", kind.wgsl()));
        self.line(&format!("fn {}({}){arrow} {{", signature.name, parameters.join(", ")));
        self.signature = Some(signature.clone());
        self.body(level);
        if let Some(kind) = result {
            let value = self.value(kind, 2);
            // Sometimes the return stands in a block of its own.
            let line = format!("return {value};");
            let line = if self.percent(20) { format!("{{ {line} }}") } else { line };
            self.line(&line);
        }
        self.line("}");
        self.functions.push(signature);
    }

    /// Locals and statements.
    fn body(&mut self, level: u64) {
        self.calls = 0;
        for (name, kind) in [("s", U32), ("t", U32), ("y", F32)] {
            let value = self.value(kind, 1);
            self.line(&format!("var {name}: {} = {value};", kind.wgsl()));
            self.scope.push((name.to_owned(), kind, true));
        }
        let (a, b) = (self.value(U32, 1), self.value(U32, 1));
        self.line(&format!("var w = array<u32, 3>({a}, {b}, 5u);"));
        self.scope.push(("w[2]".to_owned(), U32, true));
        self.calls = if level == 0 { 0 } else { self.below(2) };
        for _ in 0..self.between(1, 3) {
            self.statement(2);
        }
        // The remaining calls, two at least, are of one callee, except for those in arguments.
        if level > 0 {
            self.calls += 2;
        }
        let last = self.functions.last().cloned();
        while let (true, Some(callee)) = (self.calls > 0, &last) {
            let call = self.call_of(callee);
            match callee.result {
                Some(U32) => self.line(&format!("s = s * 3u + {call};")),
                Some(F32) => self.line(&format!("y += {call};")),
                Some(Bool) => self.line(&format!("if {call} {{ t += s; }}")),
                None => self.line(&format!("{call};")),
            }
        }
    }

    fn block(&mut self, depth: u64) {
        let outer = self.scope.len();
        for _ in 0..self.between(1, 2) {
            self.statement(depth);
        }
        self.scope.truncate(outer);
    }

    fn statement(&mut self, depth: u64) {
        let what = self.below(14);
        // Made only where it is used, since a call in it counts.
        let condition = if what < 8 { self.value(Bool, 2) } else { String::new() };
        match what {
            0 | 1 if depth > 0 => {
                self.line(&format!("if {condition} {{"));
                self.block(depth - 1);
                if self.percent(50) {
                    self.line("} else {");
                    self.block(depth - 1);
                }
                self.line("}");
            }
            2 if depth > 0 => {
                let selector = self.value(U32, 2);
                self.line(&format!("switch {selector} % 5u {{ case 0u, 3u: {{"));
                self.block(depth - 1);
                if self.percent(40) {
                    self.line(&format!("if {condition} {{ break; }}"));
                    self.block(depth - 1);
                }
                self.line("} default: {");
                self.block(depth - 1);
                self.line("} case 1u: {");
                self.block(depth - 1);
                self.line("} }");
            }
            3 if depth > 0 => {
                let k = self.fresh();
                self.line(&format!("for (var {k} = 0u; {k} < 2u; {k}++) {{"));
                self.turn(depth);
                self.line("}");
            }
            4 if depth > 0 => {
                let k = self.fresh();
                self.line(&format!("var {k} = 0u; loop {{"));
                self.turn(depth);
                let (first, second) = (self.value(Bool, 2), self.value(U32, 2));
                let name = self.fresh();
                self.line(&format!("continuing {{ let {name} = {first}; s += {second}; {k}++;"));
                self.line(&format!("break if {name} || {k} > 1u; }} }}"));
            }
            5 if depth > 0 => {
                self.line("{");
                self.block(depth - 1);
                self.line("}");
            }
            6 => {
                let value = match self.signature.as_ref().map(|signature| signature.result) {
                    Some(Some(kind)) => self.value(kind, 2),
                    Some(None) => String::new(),
                    None => {
                        let value = self.value(U32, 2);
                        return self.line(&format!(
                            "if {condition} && s % 3u == 0u {{ out[i] = {value}; return; }}"
                        ));
                    }
                };
                self.line(&format!("if {condition} && s % 3u == 1u {{ return {value}; }}"));
            }
            7 if self.in_loop => {
                let way = ["break", "continue"][self.below(2) as usize];
                self.line(&format!("if {condition} {{ {way}; }}"));
            }
            8 => self.line("seed = seed * 5u + s; s ^= seed;"),
            9 | 10 => {
                let places: Vec<_> = self.scope.iter().filter(|named| named.2).cloned().collect();
                let (place, kind, _) = places[self.below(places.len() as u64) as usize].clone();
                let value = self.value(kind, 3);
                self.line(&format!("{place} = {value};"));
            }
            _ => {
                let kind = self.kind();
                let (name, value) = (self.fresh(), self.value(kind, 3));
                self.line(&format!("let {name} = {value};"));
                self.scope.push((name, kind, false));
            }
        }
    }

    /// The body of a loop.
    fn turn(&mut self, depth: u64) {
        let was = std::mem::replace(&mut self.in_loop, true);
        self.block(depth - 1);
        self.in_loop = was;
    }

    fn value(&mut self, kind: Kind, depth: u64) -> String {
        if self.calls > 0
            && self.percent(35)
            && let Some(call) = self.call(kind)
        {
            return call;
        }
        if depth == 0 || self.percent(30) {
            let named: Vec<_> = self.scope.iter().filter(|named| named.1 == kind).collect();
            if !named.is_empty() {
                let count = named.len() as u64;
                let names: Vec<String> = named.into_iter().map(|named| named.0.clone()).collect();
                return names[self.below(count) as usize].clone();
            }
            let n = self.below(9);
            return match kind {
                U32 => format!("{n}u"),
                F32 => format!("{n}.25"),
                Bool => ["true", "false"][n as usize % 2].to_owned(),
            };
        }
        let depth = depth - 1;
        let n = self.below(4);
        let of = match (kind, n) {
            (Bool, 0 | 1) => U32,
            (Bool, 2) => F32,
            _ => kind,
        };
        let (a, b) = (self.value(of, depth), self.value(of, depth));
        match (kind, n) {
            (U32, 0) => format!("({a} + {b})"),
            (U32, 1) => format!("({a} ^ {b})"),
            (U32, 2) => format!("({a} * 3u + {b} % 7u)"),
            (F32, 0) => format!("({a} + {b})"),
            (F32, 1) => format!("max({a}, {b})"),
            (F32, 2) => format!("({a} - f32({} % 32u))", self.value(U32, depth)),
            (Bool, 0 | 2) => format!("({a} < {b})"),
            (Bool, 1) => format!("(({a} ^ {b}) % 3u == 1u)"),
            (Bool, _) => format!("({a} == !{b})"),
            _ => format!("select({a}, {b}, {})", self.value(Bool, depth)),
        }
    }

    /// A call of a function with this type of result.
    fn call(&mut self, result: Kind) -> Option<String> {
        let fits = |f: &&Signature| f.result == Some(result);
        let fit: Vec<Signature> = self.functions.iter().filter(fits).cloned().collect();
        if fit.is_empty() {
            return None;
        }
        // Mostly the later functions, which call others.
        let at = self.below(fit.len() as u64).max(self.below(fit.len() as u64));
        Some(self.call_of(&fit[at as usize]))
    }

    fn call_of(&mut self, callee: &Signature) -> String {
        self.calls -= 1;
        let mut arguments: Vec<String> =
            callee.values.iter().map(|&kind| self.value(kind, 2)).collect();
        let own = self.signature.as_ref().map_or([false; 2], |signature| signature.pointers);
        let calls = std::mem::take(&mut self.calls);
        let index = format!("({}) % 3u", self.value(U32, 1));
        self.calls = calls;
        let mut taken = "";
        if callee.pointers[0] {
            let mut places = vec![("s", "&s".to_owned()), ("t", "&t".to_owned())];
            places.push(("w", format!("&w[{index}]")));
            if own[0] {
                places.push(("p", "p".to_owned()));
            }
            if own[1] {
                places.push(("q", format!("&(*q)[{index}]")));
            }
            let (root, place) = places.swap_remove(self.below(places.len() as u64) as usize);
            taken = root;
            arguments.push(place);
        }
        if callee.pointers[1] {
            let lists: &[(&str, &str)] =
                if own[1] { &[("w", "&w"), ("q", "q")] } else { &[("w", "&w")] };
            match lists.iter().rfind(|list| list.0 != taken) {
                Some(list) => arguments.push(list.1.to_owned()),
                None => {
                    // There is no other array, so the first pointer points elsewhere.
                    arguments.pop();
                    arguments.extend(["&t".to_owned(), "&w".to_owned()]);
                }
            }
        }
        format!("{}({})", callee.name, arguments.join(", "))
    }
}

/// The results of a nest, and whether calls share a copy in it.
fn run(text: &str, shared: bool) -> Result<(Vec<u32>, bool), String> {
    let builder = Kernel::builder(text).most_inlined(if shared { 0 } else { u64::MAX });
    let kernel = builder.build().map_err(|error| error.to_string())?;
    let mut data = [vec![0; INVOCATIONS as usize]];
    launch_kernel_on(device(), &kernel, [INVOCATIONS / 8, 1, 1], &mut data, 1 << 20)
        .map_err(|error| error.to_string())?;
    let [out] = data;
    let locals = &kernel.entry_point().function.local_variables;
    let turns = locals.iter().any(|(_, local)| local.name.as_deref() == Some("turn"));
    Ok((out, turns))
}

#[test]
fn random_nests_of_calls_give_the_same_bits_with_shared_and_with_inlined_callees() {
    const NESTS: u64 = 60;
    let mut sharing = 0;
    for seed in 0..NESTS {
        let text = Nest::of(seed);
        let (inlined, already) =
            run(&text, false).unwrap_or_else(|e| panic!("nest {seed}: {e}\n{text}"));
        let (shared, turns) =
            run(&text, true).unwrap_or_else(|e| panic!("nest {seed}, shared: {e}\n{text}"));
        assert_eq!(shared, inlined, "nest {seed}\n{text}");
        assert!(!already, "nest {seed} is not inlined");
        sharing += u64::from(turns);
    }
    assert!(2 * sharing > NESTS, "only {sharing} of {NESTS} nests share a callee");
}
