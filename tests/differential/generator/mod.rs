//! Seeded random kernels that are race-free and end by construction.
//!
//! A kernel reads any element of read-only inputs, also out of bounds; computes with locals,
//! functions, private arrays and workgroup memory; and writes only elements that belong to its
//! own invocation. The text has its inputs in comments, as a filetest does: the kernel of a failed
//! seed becomes a filetest with `expect` lines added.

mod expressions;
mod random;
mod statements;
mod sweeps;
mod together;
mod types;

use random::Random;
use types::{Array, Callee, Scalar, Scope, Type, Variable};

use Scalar::{Approximate, Bool, Exact, Half, I32, U32, Wild};

/// The number of elements of each read-only input.
const INPUT: u64 = 40;
/// The number of elements of the integer inputs if loops walk through them.
const SWEPT: u64 = 300;

/// A generated kernel.
pub(crate) struct Generated {
    /// The WGSL, with `//!` lines for the launch.
    pub(crate) text: String,
    /// Whether its results are defined on the CPU only.
    pub(crate) cpu_only: bool,
}

/// The mapping from invocations to output elements.
struct Shape {
    workgroup: [u64; 3],
    /// The number of invocations that own elements, along x and y.
    extent: [u64; 2],
    two_d: bool,
}

pub(super) struct Generator {
    random: Random,
    text: String,
    indent: usize,
    scope: Scope,
    callees: Vec<Callee>,
    /// A local i32 whose address calls may take.
    pointer: Option<String>,
    /// The number of calls that this function may still make. Calls are inlined, so it is bounded.
    calls_left: u32,
    /// Local structs, in the order of their declarations.
    structs: Vec<String>,
    names: u32,
    loops: u32,
    depth: u32,
    in_loop: bool,
    in_function: Option<Type>,
    /// The number of invocations of a workgroup.
    size: u64,
    /// Whether floats take any value, infinities and NaN too. Such kernels are for the CPU only.
    wild: bool,
    /// Whether there are f16 values too; only in wild kernels.
    half: bool,
    /// Whether there are subgroup operations, whose results depend on the device's subgroup size.
    subgroups: bool,
    /// Whether there are barriers in divergent control flow and after early returns, which GPUs need
    /// not support.
    rough: bool,
    /// Whether loops walk through memory.
    sweeps: bool,
}

/// The kernel of a seed.
pub(crate) fn generate(seed: u64) -> Generated {
    let mut random = Random::new(seed);
    let wild = random.percent(25);
    let half = wild && random.percent(50);
    let subgroups = random.percent(15);
    let rough = random.percent(20);
    let generator = Generator {
        depth: random.between(2, 3) as u32,
        random,
        text: String::new(),
        indent: 0,
        scope: Scope::default(),
        callees: Vec::new(),
        pointer: None,
        calls_left: 0,
        structs: Vec::new(),
        names: 0,
        loops: 0,
        in_loop: false,
        in_function: None,
        size: 1,
        wild,
        half,
        subgroups,
        rough,
        // Derived from the seed without a draw, because a draw would change all later ones.
        sweeps: seed % 8 >= 2,
    };
    generator.kernel(seed)
}

impl Generator {
    fn line(&mut self, line: &str) {
        self.text.push_str(&"    ".repeat(self.indent));
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// One scalar of each kind that this kernel uses.
    fn base(&self) -> Vec<Scalar> {
        if self.half {
            vec![I32, U32, Bool, Wild, Half]
        } else if self.wild {
            vec![I32, U32, Bool, Wild]
        } else {
            vec![I32, U32, Bool, Exact, Approximate]
        }
    }

    fn kernel(mut self, seed: u64) -> Generated {
        let two_d = self.random.percent(35);
        let shape = if two_d {
            let workgroup = *self.random.pick(&[
                [4, 2, 1],
                [8, 1, 1],
                [3, 5, 1],
                [2, 4, 1],
                [16, 3, 1],
                [7, 6, 1],
            ]);
            let extent = [self.random.between(1, 11), self.random.between(1, 12)];
            Shape { workgroup, extent, two_d }
        } else {
            let workgroup = *self.random.pick(&[
                [1, 1, 1],
                [3, 1, 1],
                [8, 1, 1],
                [16, 1, 1],
                [33, 1, 1],
                [64, 1, 1],
            ]);
            Shape { workgroup, extent: [self.random.between(1, 90), 1], two_d }
        };
        self.size = shape.workgroup.iter().product();
        let stride = *self.random.pick(&[1u64, 1, 1, 2, 3]);
        self.header(seed, &shape, stride);
        self.declarations();
        for _ in 0..self.random.below(3) {
            self.function();
        }
        self.entry_point(&shape, stride);
        let cpu_only = self.wild || self.subgroups || self.rough;
        Generated { text: self.text, cpu_only }
    }

    /// The number of elements of each input of integers.
    fn input(&self) -> u64 {
        if self.sweeps { SWEPT } else { INPUT }
    }

    /// The launch: its size and its data.
    fn header(&mut self, seed: u64, shape: &Shape, stride: u64) {
        let [x, y] = shape.extent;
        let owned = x * y;
        self.line(&format!("// Seed {seed} of the differential generator."));
        self.line(&format!("//! invocations {x},{y}"));
        let turns = self.random.between(0, 4);
        let salt = self.random.below(1 << 32);
        self.line(&format!("//! set params u32 {x} {y} {turns} {salt}"));
        let integers = |random: &mut Random, count: u64| -> Vec<i64> {
            (0..count)
                .map(|_| match random.below(6) {
                    0 => i64::from(i32::MIN),
                    1 => -1,
                    2 => random.below(10) as i64,
                    3 => i64::from(i32::MAX),
                    _ => i64::from(random.bits() as i32),
                })
                .collect()
        };
        let input = self.input();
        let i: Vec<String> = integers(&mut self.random, input).iter().map(i64::to_string).collect();
        let u: Vec<String> =
            integers(&mut self.random, 2 * input).iter().map(|&n| (n as u32).to_string()).collect();
        let e: Vec<String> = (0..INPUT)
            .map(|_| format!("{:?}", self.random.below(2048) as f32 / 16.0 - 64.0))
            .collect();
        let a: Vec<String> = (0..INPUT)
            .map(|_| format!("{:?}", self.random.below(16001) as f32 / 1000.0 - 8.0))
            .collect();
        let wild: Vec<String> =
            (0..INPUT).map(|_| format!("0x{:08x}", self.random.bits() as u32)).collect();
        self.line(&format!("//! bind in_i i32 {}", i.join(" ")));
        self.line(&format!("//! bind in_u u32 {}", u.join(" ")));
        if self.half {
            let bits: Vec<String> =
                (0..INPUT).map(|_| format!("0x{:04x}", self.random.bits() as u16)).collect();
            self.line(&format!("//! bind in_h f16 {}", bits.join(" ")));
        }
        if self.wild {
            self.line(&format!("//! bind in_w f32 {}", wild.join(" ")));
        } else {
            self.line(&format!("//! bind in_e f32 {}", e.join(" ")));
            self.line(&format!("//! bind in_a f32 {}", a.join(" ")));
        }
        // No invocation writes the last element.
        let elements = owned * stride + 1;
        self.line(&format!("//! bind out_u u32 {elements}*77"));
        self.line(&format!("//! bind out_v i32 {}*-77", 4 * elements));
        self.line(&format!("//! bind state u32 0..{elements}"));
        if self.wild {
            self.line(&format!("//! bind out_w f32 {elements}*77"));
            if self.half {
                // An even number, so that the buffer is whole words.
                self.line(&format!("//! bind out_h f16 {}*77", elements.next_multiple_of(2)));
            }
        } else {
            self.line(&format!("//! bind out_e f32 {elements}*77"));
            self.line(&format!("//! bind out_a f32 {elements}*77"));
        }
    }

    fn declarations(&mut self) {
        let float = self.float().wgsl();
        let mut globals = vec![
            "var<uniform> params: Params;".to_owned(),
            "var<storage, read> in_i: array<i32>;".to_owned(),
            "var<storage, read> in_u: array<vec2<u32>>;".to_owned(),
            "var<storage, read_write> out_u: array<u32>;".to_owned(),
            "var<storage, read_write> out_v: array<vec3<i32>>;".to_owned(),
            "var<storage, read_write> state: array<u32>;".to_owned(),
        ];
        let floats: &[&str] = if self.wild { &["w"] } else { &["e", "a"] };
        for kind in floats {
            globals.push(format!("var<storage, read> in_{kind}: array<f32>;"));
            globals.push(format!("var<storage, read_write> out_{kind}: array<f32>;"));
        }
        if self.half {
            for (name, access) in [("in_h", "read"), ("out_h", "read_write")] {
                globals.push(format!("var<storage, {access}> {name}: array<f16>;"));
            }
            self.line("enable f16;");
        }
        self.line("struct Params { width: u32, height: u32, turns: u32, salt: u32 }");
        self.line("struct Inner { d: vec2<u32>, list: array<i32, 3> }");
        self.line(&format!("struct Mixed {{ a: i32, b: vec3<{float}>, c: u32, inner: Inner }}"));
        for (slot, global) in globals.iter().enumerate() {
            self.line(&format!("@group(0) @binding({slot}) {global}"));
        }
        self.line("var<private> kept: array<i32, 4> = array<i32, 4>(1, 2, 3, 4);");
        self.line("struct Shared { a: i32, v: vec3<u32>, b: bool }");
        self.line(&format!("var<workgroup> tile: array<u32, {}>;", self.size.max(2)));
        self.line(&format!("var<workgroup> shared_: array<Shared, {}>;", self.size));
        self.line("var<workgroup> counts: array<atomic<u32>, 3>;");
        if self.sweeps {
            self.line(&format!("var<workgroup> wide: array<u32, {}>;", 4 * self.size));
        }
        if self.wild {
            return;
        }
        for n in 1..=4 {
            let (name, ty, splat) = match n {
                1 => (String::new(), "f32".to_owned(), ""),
                n => (n.to_string(), format!("vec{n}<f32>"), ""),
            };
            let of = |v: &str| if n == 1 { v.to_owned() } else { format!("{ty}({v})") };
            self.line(&format!("fn exact{name}(x: {ty}) -> {ty} {{{splat}"));
            self.line("    let y = floor(x * 16.0) * 0.0625;");
            self.line("    return y - 128.0 * floor((y + 64.0) * 0.0078125);");
            self.line("}");
            let (low, high) = (of("-8.0"), of("8.0"));
            self.line(&format!(
                "fn near{name}(x: {ty}) -> {ty} {{ return clamp(x, {low}, {high}); }}"
            ));
        }
    }

    /// The scope with the inputs, which all functions see.
    fn inputs(&self) -> Scope {
        let mut scope = Scope::default();
        let mut array = |name: &str, element: Type, len: u64, mutable: bool| {
            scope.arrays.push(Array { name: name.to_owned(), element, len, mutable });
        };
        array("in_i", Type::scalar(I32), self.input(), false);
        array("in_u", Type::vector(U32, 2), self.input(), false);
        if self.wild {
            array("in_w", Type::scalar(Wild), INPUT, false);
            if self.half {
                array("in_h", Type::scalar(Half), INPUT, false);
            }
        } else {
            array("in_e", Type::scalar(Exact), INPUT, false);
            array("in_a", Type::scalar(Approximate), INPUT, false);
        }
        array("kept", Type::scalar(I32), 4, true);
        for (name, scalar) in [("params.salt", U32), ("params.width", U32)] {
            let variable =
                Variable { name: name.to_owned(), ty: Type::scalar(scalar), mutable: false };
            scope.variables.push(variable);
        }
        scope
    }

    fn function(&mut self) {
        let result = Type::scalar(*self.random.pick(&self.base()));
        let name = self.fresh("call");
        self.scope = self.inputs();
        let mut parameters = Vec::new();
        for scalar in self.base() {
            let name = self.fresh("p");
            parameters.push(format!("{name}: {}", scalar.wgsl()));
            self.scope.variables.push(Variable { name, ty: Type::scalar(scalar), mutable: false });
        }
        let pointer = self.fresh("to");
        parameters.push(format!("{pointer}: ptr<function, i32>"));
        self.scope.variables.push(Variable {
            name: format!("(*{pointer})"),
            ty: Type::scalar(I32),
            mutable: true,
        });
        self.line(&format!("fn {name}({}) -> {} {{", parameters.join(", "), result.wgsl()));
        self.in_function = Some(result);
        self.pointer = None;
        self.indent += 1;
        let depth = 2;
        for _ in 0..self.random.between(1, 4) {
            self.statement(depth);
        }
        let value = self.expression(result, 2);
        self.line(&format!("return {value};"));
        self.indent -= 1;
        self.in_function = None;
        self.line("}");
        self.callees.push(Callee { name, result });
    }

    fn entry_point(&mut self, shape: &Shape, stride: u64) {
        let [x, y, z] = shape.workgroup;
        self.line(&format!("@compute @workgroup_size({x}, {y}, {z})"));
        self.line("fn main(");
        self.line("    @builtin(global_invocation_id) id: vec3<u32>,");
        self.line("    @builtin(local_invocation_index) l: u32,");
        self.line("    @builtin(workgroup_id) group: vec3<u32>,");
        self.line("    @builtin(num_workgroups) groups: vec3<u32>,");
        self.line(") {");
        self.indent += 1;
        self.scope = self.inputs();
        let own = if shape.two_d { "id.y * params.width + id.x" } else { "id.x" };
        self.line(&format!("let u0 = {own};"));
        self.line("var i0 = in_i[u0];");
        self.line("var b0 = (in_u[u0].x & 1u) == 0u;");
        let mut names = vec![
            ("u0", Type::scalar(U32), false),
            ("l", Type::scalar(U32), false),
            ("i0", Type::scalar(I32), true),
            ("b0", Type::scalar(Bool), true),
            ("group", Type::vector(U32, 3), false),
            ("groups", Type::vector(U32, 3), false),
        ];
        if self.wild {
            self.line("var w0 = in_w[u0];");
            names.push(("w0", Type::scalar(Wild), true));
            if self.half {
                self.line("var h0 = in_h[u0];");
                names.push(("h0", Type::scalar(Half), true));
            }
        } else {
            self.line("var e0 = in_e[u0];");
            self.line("var a0 = in_a[u0];");
            names.push(("e0", Type::scalar(Exact), true));
            names.push(("a0", Type::scalar(Approximate), true));
        }
        for (name, ty, mutable) in names {
            self.scope.variables.push(Variable { name: name.to_owned(), ty, mutable });
        }
        self.pointer = Some("i0".to_owned());
        self.calls_left = 6;
        let barriers = self.rough || self.random.percent(40);
        let mut rounds = if barriers { self.random.between(1, 2) } else { 0 };
        loop {
            for _ in 0..self.random.between(2, 5) {
                self.statement(3);
            }
            if rounds == 0 {
                break;
            }
            rounds -= 1;
            if self.sweeps && self.random.percent(60) {
                self.sweep(true);
            }
            self.exchange();
        }
        if !barriers && self.random.percent(25) {
            let condition = self.of(Bool, 2);
            self.line(&format!("if {condition} {{ return; }}"));
        }
        // Invocations outside the extent own nothing.
        let guard = shape.two_d || barriers || self.random.percent(60);
        if guard {
            self.line("if id.x < params.width && id.y < params.height {");
            self.indent += 1;
        }
        self.outputs(stride);
        if guard {
            self.indent -= 1;
            self.line("}");
        }
        self.indent -= 1;
        self.line("}");
    }

    /// Writes elements that belong to this invocation: `stride * u0` up to `stride * (u0 + 1)`.
    fn outputs(&mut self, stride: u64) {
        let at = match stride {
            1 => "u0".to_owned(),
            n => {
                let offset = self.random.below(n);
                if offset == 0 { format!("{n}u * u0") } else { format!("{n}u * u0 + {offset}u") }
            }
        };
        let value = self.of(U32, 3);
        let swept = if self.sweeps { " ^ u32(i0)" } else { "" };
        self.line(&format!("out_u[{at}] = {value}{swept};"));
        let floats: &[(&str, Scalar)] = match (self.wild, self.half) {
            (true, true) => &[("w", Wild), ("h", Half)],
            (true, false) => &[("w", Wild)],
            _ => &[("e", Exact), ("a", Approximate)],
        };
        for &(kind, scalar) in floats {
            let value = self.of(scalar, 3);
            self.line(&format!("out_{kind}[{at}] = {value};"));
        }
        let vector = self.expression(Type::vector(I32, 3), 3);
        if self.random.percent(40) {
            let condition = self.of(Bool, 2);
            self.line(&format!("if {condition} {{"));
            self.line(&format!("    out_v[{at}] = {vector};"));
            self.line("}");
        } else if self.random.percent(30) {
            let component = self.component(3);
            let value = self.of(I32, 3);
            self.line(&format!("out_v[{at}].{component} = {value};"));
        } else {
            self.line(&format!("out_v[{at}] = {vector};"));
        }
        let add = self.of(U32, 2);
        let op = *self.random.pick(&["+=", "^=", "*="]);
        if self.random.percent(30) {
            self.line(&format!("let place = &state[{at}];"));
            self.line(&format!("*place {op} {add} + params.turns;"));
            self.line(&format!("if *place > 77u {{ *place -= {add}; }}"));
        } else {
            self.line(&format!("state[{at}] {op} {add} + params.turns;"));
        }
        if stride > 1 && self.random.percent(50) {
            let n = stride;
            let value = self.of(U32, 2);
            self.line(&format!("for (var last = 0u; last < {n}u; last++) {{"));
            self.line(&format!("    state[{n}u * u0 + last] ^= {value} + last;"));
            self.line("}");
        }
    }
}
