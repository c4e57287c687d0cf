//! Inferred footprints against the accesses that the interpreter makes.
//!
//! A recorder watches a chunk. Every element that was read or written must be in the footprint, and in that
//! of its member if members of a buffer are used differently. Every element that the analysis calls surely
//! written must have been written, all of it, and not read. Loops that it calls finite have no budget in the
//! interpreter, so a wrong claim hangs the test.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use crate::analysis::{
    Analysis, Argument, Arguments, Contents, Footprint, Use, Version, member_at,
};
use crate::cpu::interpreter::{Halt, Machine, Probe, Touch, batch_size, compile, launch};
use crate::device::{Chunk, ChunkBinding, HostBytes};
use crate::grid::GroupBox;
use crate::kernel::{Kernel, Layout, Space};
use crate::region::Region;

/// The bytes of one binding that were touched: the header first, then the elements.
struct Seen {
    layout: Layout,
    read: Vec<bool>,
    written: Vec<bool>,
}

struct Recorder(Vec<Seen>);

impl Probe for Recorder {
    const LISTENS: bool = true;

    fn touch(&mut self, binding: usize, offset: u64, bytes: u32, _: usize, touch: Touch) {
        let seen = &mut self.0[binding];
        let range = offset as usize..(offset + u64::from(bytes)) as usize;
        if touch != Touch::Write {
            seen.read[range.clone()].fill(true);
        }
        if touch != Touch::Read {
            seen.written[range].fill(true);
        }
    }
}

/// Pseudorandom numbers, which the seed determines.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// Bands along an axis, and one of them.
struct Cut {
    axis: usize,
    edges: Vec<u32>,
    band: usize,
}

/// Runs a box of workgroups under watch and compares its accesses with the footprints. `data` has the words
/// of each binding. `cut` has the bands of which the box is one.
fn check(
    kernel: &Kernel,
    grid: [u32; 3],
    groups: GroupBox,
    cut: Option<&Cut>,
    data: &mut [Vec<u32>],
) {
    let bindings = &kernel.signature().bindings;
    let analysis = Analysis::new(kernel);
    let describe = |footprints: &[Footprint]| {
        let mut text = String::new();
        for (binding, footprint) in bindings.iter().zip(footprints) {
            let _ = writeln!(text, "{}: {footprint:?}", binding.name);
        }
        text
    };
    let memory: Vec<Option<HostBytes<'_>>> = bindings
        .iter()
        .zip(&mut *data)
        .map(|(b, words)| {
            b.space.is_storage().then(|| HostBytes::new(bytemuck::cast_slice_mut(words)))
        })
        .collect();
    let uniforms: Vec<Vec<u8>> = bindings
        .iter()
        .zip(&memory)
        .map(|(b, m)| match m {
            Some(_) => Vec::new(),
            None => {
                (0..b.layout.min_bytes()).map(|i| UNIFORM[i as usize % UNIFORM.len()]).collect()
            }
        })
        .collect();
    let elements: Vec<u64> = bindings
        .iter()
        .zip(&memory)
        .map(|(b, m)| m.map_or(0, |m| b.layout.elements(m.len() as u64)))
        .collect();
    let footprints = {
        let arguments = (0..bindings.len())
            .map(|i| match memory[i] {
                Some(m) => Argument::Storage {
                    elements: elements[i],
                    contents: (bindings[i].space == Space::StorageRead).then(|| Contents {
                        bytes: m,
                        start: 0,
                        version: Version::new(),
                        absent: None,
                    }),
                },
                None => Argument::Value(&uniforms[i]),
            })
            .collect();
        let arguments = Arguments { grid, bindings: arguments };
        match cut {
            None => analysis.footprints(&arguments, groups),
            Some(cut) => {
                analysis.of_launch(&arguments).bands(cut.axis, &cut.edges).swap_remove(cut.band)
            }
        }
    };
    let given = (0..bindings.len())
        .map(|i| match memory[i] {
            Some(memory) => ChunkBinding::Storage {
                memory,
                elements: elements[i],
                window: 0..elements[i],
                upload: 0..elements[i],
                write_back: (0..elements[i]).into(),
                write_header: true,
                pitch: None,
            },
            None => ChunkBinding::Value(&uniforms[i]),
        })
        .collect();
    let chunk = Chunk::new(kernel, grid, groups, given, 200);
    let mut recorder = Recorder(
        (0..bindings.len())
            .map(|i| {
                let bytes = memory[i].map_or(0, HostBytes::len);
                Seen {
                    layout: bindings[i].layout.clone(),
                    read: vec![false; bytes],
                    written: vec![false; bytes],
                }
            })
            .collect(),
    );
    let program = compile(kernel, 32).unwrap();
    let stop = AtomicBool::new(false);
    let run = launch(&program, &chunk, &stop);
    let mut machine = Machine::new(&run);
    let total = groups.workgroups() as u64;
    let mut ended = true;
    for start in (0..total).step_by(batch_size(&program) as usize) {
        match machine.batch(&run, start, total, &mut recorder) {
            Ok(()) => {}
            Err(Halt::EndlessLoop(_)) => ended = false,
            Err(Halt::Stopped) => unreachable!("nobody stops it"),
        }
    }
    for (id, seen) in recorder.0.iter().enumerate() {
        let footprint = &footprints[id];
        let at = |byte: usize| (byte as u64).checked_sub(seen.layout.header);
        let place = |what: &str, byte: usize| {
            format!(
                "binding {} {what} byte {byte} of {groups:?} in {grid:?}\n{}{}",
                bindings[id].name,
                describe(&footprints),
                kernel.text()
            )
        };
        let set = |region: &Region| {
            let mut set = vec![false; elements[id] as usize];
            region.for_each_run(|run| set[run.start as usize..run.end as usize].fill(true));
            set
        };
        let (may_read, may_write) = (set(&footprint.read), set(&footprint.may_write));
        let exchanged = (set(&footprint.exchanged.read), set(&footprint.exchanged.may_write));
        let uses = &analysis.facts().uses[id];
        for byte in 0..seen.read.len() {
            let element = at(byte).map(|b| b / seen.layout.stride);
            if seen.read[byte]
                && let Some(e) = element
            {
                assert!(may_read[e as usize], "{}", place("read", byte));
            }
            if seen.written[byte] {
                let inside = match element {
                    Some(e) => may_write[e as usize],
                    None => footprint.writes_header,
                };
                assert!(inside, "{}", place("written", byte));
            }
            if uses.len() == 1 || !(seen.read[byte] || seen.written[byte]) {
                continue;
            }
            let inside = element
                .map_or(byte as u64, |e| byte as u64 - seen.layout.header - e * seen.layout.stride);
            let member = member_at(kernel, &bindings[id], element.is_none(), inside);
            let used = uses.iter().find(|(members, _)| members.meet(member));
            let (read, written) = (seen.read[byte], seen.written[byte]);
            let right = match used.map(|(_, used)| used) {
                None => false,
                Some(Use::Read) => !written,
                Some(Use::Write) => !read,
                Some(Use::Reduce(_)) => read && written,
                Some(Use::Atomic { .. }) => true,
                Some(Use::ReadWrite | Use::Signal(_)) => match element {
                    Some(e) => {
                        (!read || exchanged.0[e as usize]) && (!written || exchanged.1[e as usize])
                    }
                    None => !written || footprint.exchanged.writes_header,
                },
            };
            assert!(right, "{:?} {}", uses, place("used", byte));
        }
        // Code behind a loop that an invocation never leaves does not surely write, and the analysis may
        // know that it does not.
        if !ended {
            continue;
        }
        let must = &footprint.must_write;
        assert!(must.clone().all(|e| may_write[e as usize]), "{}", place("may not write", 0));
        for e in must.clone() {
            let start = (seen.layout.header + e * seen.layout.stride) as usize;
            for byte in start..start + seen.layout.stride as usize {
                assert!(seen.written[byte], "{}", place("not written", byte));
                assert!(!seen.read[byte], "{}", place("read before it is written", byte));
            }
        }
    }
}

/// The bytes of every uniform, repeated: words 37, 11, 5, 64.
const UNIFORM: [u8; 16] = [37, 0, 0, 0, 11, 0, 0, 0, 5, 0, 0, 0, 64, 0, 0, 0];

/// Checks random boxes of random grids with buffers of random sizes.
fn check_boxes(text: &str, seed: u64, boxes: usize) {
    let kernel = Kernel::from_wgsl(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    for turn in 0..boxes {
        let grid = [1 + random.below(5), 1 + random.below(4), 1 + random.below(2)];
        let mut grid = grid.map(|n| n as u32);
        let mut cut = None;
        let mut groups = GroupBox::whole(grid);
        if turn % 2 == 1 {
            // Bands as a plan cuts them: the analysis infers footprints of some bands from others.
            let axis = random.below(3) as usize;
            let (size, count) = (1 + random.below(2) as u32, 4 + random.below(8) as u32);
            grid[axis] = size * count + random.below(2) as u32;
            let edges = (0..=count).map(|band| band * grid[axis] / count).collect::<Vec<_>>();
            let band = random.below(u64::from(count)) as usize;
            groups = GroupBox::whole(grid).band(axis, edges[band], edges[band + 1]);
            cut = Some(Cut { axis, edges, band });
        } else {
            for (axis, extent) in grid.into_iter().enumerate() {
                let start = random.below(u64::from(extent)) as u32;
                let end = start + 1 + random.below(u64::from(extent - start)) as u32;
                groups = groups.band(axis, start, end);
            }
        }
        let mut data: Vec<Vec<u32>> = kernel
            .signature()
            .bindings
            .iter()
            .map(|b| {
                let elements = b.layout.count.unwrap_or_else(|| 1 + random.below(500));
                let bytes = (b.layout.header + elements * b.layout.stride).next_multiple_of(4);
                let small = [1, 10, 100, 1000][random.below(4) as usize];
                (0..bytes / 4)
                    .map(|_| match random.below(40) {
                        0 => random.next() as u32,
                        _ => random.below(small) as u32,
                    })
                    .collect()
            })
            .collect();
        check(&kernel, grid, groups, cut.as_ref(), &mut data);
    }
}

const HEAD: &str = "
    struct Values { w: u32, h: u32, s: i32, n: u32 }
    struct Cell { sum: atomic<u32>, mass: u32, at: vec2<u32>, own: u32 }
    struct Cells { count: atomic<u32>, last: u32, list: array<Cell> }
    @group(0) @binding(0) var<uniform> v: Values;
    @group(0) @binding(1) var<storage, read> src: array<u32>;
    @group(0) @binding(2) var<storage, read_write> dst: array<u32>;
    @group(0) @binding(3) var<storage, read_write> aux: array<vec2<u32>>;
    @group(0) @binding(4) var<storage, read_write> cells: Cells;
    @compute @workgroup_size(8, 4)
    fn main(
        @builtin(global_invocation_id) id: vec3<u32>,
        @builtin(local_invocation_id) local: vec3<u32>,
        @builtin(workgroup_id) group: vec3<u32>,
        @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) index: u32,
    ) {
        _ = &src; _ = &dst; _ = &aux; _ = &cells; _ = v.w;
        let x = id.x; let y = id.y;
";

#[test]
fn recorded_is_inside_inferred() {
    let bodies = [
        // Wrap-around.
        "dst[x * 1073741824u] = 1u;",
        "dst[x * 1073741824u + y] = 1u;",
        "dst[x - 1u] = src[x - 3u];",
        "dst[x - 4294967290u] = 1u;",
        "dst[(x - 4u) / 2u] = 1u;",
        "dst[(x - 4u) % 7u] = 1u;",
        "dst[i32(x) - 5] = u32(src[i32(x) * i32(y) - 9]);",
        "if x - 1u < v.w { dst[x - 1u] = src[x]; }",
        "if i32(x) - 3 >= 0 && i32(x) - 3 < 9 { dst[x - 3u] = 1u; }",
        "let back = u32(i32(x) - 20); if back > 4000000000u { dst[back + 30u] = 1u; }",
        // Guards, and guards that a store invalidates.
        "var i = x; if i < 4u { i = i * 7u; dst[i] = 1u; }",
        "var i = x; let small = i < 4u; i += 9u; if small { dst[i] = 1u; } else { aux[i].x = 1u; }",
        "var p = vec2(x, y); if p.x < 5u { p.x = p.x + 100u; dst[p.x] = p.y; }",
        "if !(x >= v.w || y >= v.h) { dst[y * v.w + x] = src[y * v.w + x + 1u]; }",
        "if all(vec2(x, y) < vec2(v.w, v.h)) { dst[y * v.w + x] = 1u; }",
        "if any(vec2(x, y) >= vec2(v.w, v.h)) { return; } dst[y * v.w + x] = 1u;",
        "if x >= v.w { return; } if y == 0u || y >= v.h - 1u { dst[y * v.w + x] = 3u; return; }
         dst[y * v.w + x] = src[(y - 1u) * v.w + x] + src[(y + 1u) * v.w + x];",
        "if src[x] > 5u { return; } dst[x] = 1u;",
        "if src[x] > 5u { dst[x] = 1u; } else { dst[x] = 2u; }",
        "let i = y * v.w + x; if i >= v.n { return; } dst[i] = 1u;",
        "let i = y * 16u + x; if i >= v.n || x >= 16u { return; } dst[i] = 1u;",
        // Loops.
        "for (var i = x; i < v.n; i += 8u * groups.x) { dst[i] = src[i]; }",
        "for (var i = 0u; i < 4u; i++) { dst[x * 4u + i] = i; }",
        "for (var i = 0u; i < 4u; i++) { if src[i] > 3u { break; } dst[x * 4u + i] = i; }",
        "for (var i = 0u; i < 4u; i++) { if src[i] > 3u { continue; } dst[x * 4u + i] = i; }",
        "for (var i = 0u; i < 4u; i++) { if i == 2u { continue; } dst[x * 4u + i] = i; }",
        "for (var i = 0u; i < 8u; i += 3u) { dst[x * 8u + i] = i; }",
        "for (var i = 3; i >= 0; i--) { dst[i32(x) * 4 + i] = 1u; }",
        "for (var i = 0u; i < 4u; i++) { if i > x { return; } dst[i] = i; }",
        "var i = 0u; loop { if i >= 4u { break; } dst[x * 4u + i] = 1u; i++; if src[i] == 0u { i++; } }",
        "var i = 0u; loop { dst[i] = 1u; i += 2u; if i > v.h { break; } } dst[i + 50u] = 2u;",
        "var i = 0u; loop { dst[i] = 1u; continuing { i += 2u; break if i > v.h; } } dst[i + 50u] = 2u;",
        "var n = v.w; for (var i = 0u; i < n; i++) { if src[i] == 3u { n = 60u; } dst[i] = 1u; }",
        "var i = 0u; while i < 20u { if src[i] > 5u { break; } i++; } dst[i] = i;",
        "var i = 0u; while i < 20u { if src[i] > 5u { i = 40u; break; }
         if src[i] == 2u { i = 50u; continue; } i++; } dst[i] = i;",
        "for (var s = 16u; s > 0u; s /= 2u) { dst[s] = src[x + s]; }",
        "for (var s = 1u; s < v.n; s *= 2u) { dst[s] = src[x ^ s]; }",
        "for (var s = 64; s > 0; s >>= 1u) { dst[x + u32(s)] = 1u; }",
        "for (var a = 0u; a < v.h; a++) { for (var b = a; b < v.h; b++) { dst[a * v.h + b] = 1u; } }",
        "var k = 0u; for (var a = 0u; a < 5u; a++) { for (var b = 0u; b < a; b++) { k += 2u; }
         dst[k] = 1u; }",
        "for (var i = 0u; i != 5u; i++) { dst[i + x] = 1u; }",
        "var lo = 0u; var hi = arrayLength(&src); while lo < hi { let m = (lo + hi) / 2u;
         if src[m] < 50u { lo = m + 1u; } else { hi = m; } } dst[lo] = hi;",
        "var i = 5u; loop { if i == 0u { break; } i -= 1u; dst[i] = 1u; }",
        "var i = 250u; loop { i += 1u; if (i & 255u) == 0u { break; } dst[i & 255u] = 1u; }",
        // Switches, with selectors that share a case.
        "var i = 0u; switch src[x] { case 0u, 1u: { i = 3u; } case 2u: { i = 9u; } default: { i = x; } }
         dst[i] = 1u;",
        "switch x { case 3u: { dst[x] = 1u; } case 4u, 5u: { dst[x + 1u] = 2u; return; } default: {} }
         dst[x + 100u] = 1u;",
        "for (var i = 0u; i < 9u; i++) { switch i { case 2u: { continue; } case 4u: { break; }
         default: { dst[i] = 1u; } } aux[i].y = 1u; }",
        // Variables with parts.
        "var a = array<u32, 4>(1u, 2u, 3u, 4u); a[x] = 77u; dst[a[y]] = a[2];",
        "var a = array<u32, 4>(); for (var i = 0u; i < 4u; i++) { a[i] = i * 10u; } dst[a[x & 3u]] = 1u;",
        "var p = vec3<u32>(1u, 2u, 3u); p[x % 3u] = 90u; dst[p.y] = p.z;",
        "var p = vec3<u32>(1u, 2u, 3u); p.z = 60u; let q = p.zyx; dst[q.x] = 1u; dst[q.y + q.z] = 2u;",
        "var s: Values; s.w = x; s.n = 9u; let t = s; s.w = 200u; dst[t.w + t.n] = s.w;",
        "aux[x].x = y; aux[x + 1u] = vec2(1u, 2u);",
        "aux[x] = vec2(x, y);",
        "aux[y * 40u + x][x & 1u] = 7u;",
        // Arithmetic.
        "dst[x / 3u + x % 3u] = 1u;",
        "let i = index + 32u * group.x; dst[(i / 5u) * 5u + i % 5u] = 1u;",
        "dst[(x << 3u) | (y & 7u)] = 1u;",
        "dst[(x >> 1u) ^ y] = src[~x + 40u];",
        "dst[select(x - 1u, 0u, x == 0u)] = 1u;",
        "dst[u32(clamp(i32(x) - 3, 0, v.s))] = src[max(x, 7u) - 7u];",
        "dst[min(x + 1u, v.w - 1u)] = u32(abs(i32(x) - 9));",
        "dst[dot(vec2(x, y), vec2(1u, v.w))] = 1u;",
        "dst[u32(f32(x) * 0.5)] = 1u;",
        "dst[countOneBits(x) + firstLeadingBit(x | 1u)] = 1u;",
        "dst[extractBits(x, 1u, 2u)] = 1u; dst[u32(-(i32(x) - 30))] = 2u;",
        "dst[src[x]] = src[src[src[y]]];",
        "let first = src[x] % 200u; let last = src[x + 1u] % 200u;
         for (var i = first; i < last; i++) { dst[i] = src[i]; }",
        "dst[x / v.h % v.h] = i32_or_zero(x);",
        // Stores that tile, with and without gaps.
        "dst[x] = 1u;",
        "if index == 0u { dst[group.x] = 1u; }",
        "if index == 3u && y < 4u { dst[group.x * 2u] = 1u; dst[group.x * 2u + 1u] = 1u; }",
        "dst[x * 2u] = 1u; dst[x * 2u + 1u] = 2u;",
        "dst[x * 3u] = 1u; dst[x * 3u + 1u] = 2u;",
        "if x < 30u { dst[x * 2u] = 1u; dst[x * 2u + 1u] = 2u; }",
        "if x < 30u { dst[x * 2u] = 1u; } if x < 29u { dst[x * 2u + 1u] = 2u; }",
        "if x < v.w && y < v.h { dst[(v.h - 1u - y) * v.w + x] = 1u; }",
        "if x < v.w && y < v.h { dst[y * v.w + (v.w - 1u - x)] = 1u; }",
        "if x < v.w && y < v.h { dst[x * v.h + y] = 1u; }",
        "if x < v.w && y < v.h { dst[x * v.h + y] = dst[x * v.h + y + 1u]; }",
        "for (var r = 0u; r < 2u; r++) { let row = y * 2u + r; if row < v.h { for (var c = 0u; c < 2u; c++) {
         let col = group.x * 16u + local.x + c * 8u; if col < v.w { dst[row * v.w + col] = 1u; } } } }",
        "let row = y * 2u; if row < v.h { dst[row * v.w + x] = 1u; }
         if row + 1u < v.h { dst[(row + 1u) * v.w + x] = 1u; }",
        // Stages.
        "for (var s = 2u; s <= 32u; s *= 2u) { for (var b = 0u; b < 32u; b += s) {
         if index < s / 2u { dst[group.x * 32u + b + index + s / 2u] += 1u; } } }",
        "for (var s = 0u; s < 5u; s++) { for (var i = index; i < 48u; i += 32u) {
         let f = ((i >> s) << (s + 1u)) | (i & ((1u << s) - 1u)); dst[f] += 1u; dst[f | (1u << s)] = 2u; } }",
        "for (var k = 2u; k <= 16u; k <<= 1u) { for (var j = k >> 1u; j > 0u; j >>= 1u) {
         let o = x ^ j; if o > x && (x & k) == 0u { dst[x] = dst[o]; } } }",
        "for (var k = 16u; k > 1u; k /= 2u) { dst[x ^ (k - 1u)] = dst[(x | k) & ~(k >> 1u)]; }",
        "var o = 1u; for (var d = 16u; d > 0u; d >>= 1u) { if index < d {
         aux[o * (2u * index + 2u) - 1u].x += aux[o * (2u * index + 1u) - 1u].y; } o *= 2u; } aux[o].y = 1u;",
        "for (var s = 1u; s < 64u; s *= 2u) { if src[s] > 90u { continue; } if src[s] == 7u { break; }
         for (var i = x; i < s; i += 8u) { if i > v.w { return; } dst[i * s + 1u] = 1u; } }",
        "for (var s = 1u; s < v.n; s *= 3u) { var t = s; loop { t >>= 1u; dst[x * s + t] = 1u;
         continuing { break if t == 0u; } } }",
        // Members.
        "atomicAdd(&cells.list[src[x]].sum, cells.list[src[x]].mass); cells.list[x].own += 1u;",
        "atomicMax(&cells.count, x); cells.last = y; cells.list[x].at[y & 1u] = cells.list[x + 1u].mass;",
        "cells.list[x].at.x = cells.list[x - 1u].at.y + cells.last; aux[x].x = aux[x + 1u].y;",
        "if x == 3u { cells.last += 1u; } atomicXor(&cells.list[x * 2u].sum, 1u);
         cells.list[x].mass = cells.list[x].mass + cells.list[y].own;",
    ];
    for (i, body) in bodies.iter().enumerate() {
        let helper = "fn i32_or_zero(x: u32) -> u32 { if x > 7u { return x - 7u; } return 0u; }";
        check_boxes(&format!("{helper}{HEAD}{body}\n}}"), i as u64 + 1, 12);
    }
}

/// A writer of random kernels: nonsense, but of the shapes that kernels have.
struct Writer {
    random: Random,
    text: String,
    loops: u32,
    depth: u32,
}

impl Writer {
    fn kernel(seed: u64) -> String {
        let random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut writer = Writer { random, text: HEAD.to_owned(), loops: 0, depth: 0 };
        writer.text.push_str("var a = x; var b = y; var p = i32(x); var q = 0; var f = false;\n");
        writer.text.push_str("var t = array<u32, 3>(); var u = vec2(x, y);\n");
        let count = 2 + writer.random.below(6);
        writer.block(count);
        writer.text.push_str("}\n");
        writer.text
    }

    fn unsigned(&mut self, depth: u32) -> String {
        if depth == 0 || self.random.below(4) == 0 {
            let leaf = self.random.below(14);
            return match leaf {
                0 => "x".to_owned(),
                1 => "y".to_owned(),
                2 | 3 => "a".to_owned(),
                4 => "b".to_owned(),
                5 => "v.w".to_owned(),
                6 => "v.h".to_owned(),
                7 => "local.x".to_owned(),
                8 => "u.x".to_owned(),
                9 if self.loops > 0 => format!("i{}", self.random.below(self.loops.into())),
                10 => "t[1]".to_owned(),
                11 => "group.x".to_owned(),
                _ => format!(
                    "{}u",
                    self.random.one_of(&[0u32, 1, 2, 3, 4, 5, 7, 8, 16, 31, 64, u32::MAX])
                ),
            };
        }
        let l = self.unsigned(depth - 1);
        match self.random.below(22) {
            0..=3 => format!("({l} + {})", self.unsigned(depth - 1)),
            4 | 5 => format!("({l} - {})", self.unsigned(depth - 1)),
            6 | 7 => format!("({l} * {})", self.unsigned(depth - 1)),
            8 => format!("({l} / {})", self.nonzero()),
            9 => format!("({l} % {})", self.nonzero()),
            10 => format!("({l} >> {}u)", self.random.below(6)),
            11 => format!("({l} << {}u)", self.random.below(4)),
            12 => format!("({l} & {})", self.unsigned(0)),
            13 => format!("min({l}, {})", self.unsigned(depth - 1)),
            14 => format!("max({l}, {})", self.unsigned(depth - 1)),
            15 => {
                let (r, c) = (self.unsigned(depth - 1), self.condition(1));
                format!("select({l}, {r}, {c})")
            }
            16 => format!("u32({})", self.signed(depth - 1)),
            17 => format!("src[{l}]"),
            18 => {
                let (by, stage) = (self.unsigned(0), self.unsigned(0));
                match self.random.below(8) {
                    0 => format!("({l} >> {by})"),
                    1 => format!("({l} << ({by} & 7u))"),
                    2 => format!("({l} & ((1u << ({by} & 7u)) - 1u))"),
                    3 => format!("((({l} >> {by}) << ({by} + 1u)) | ({l} & ((1u << {by}) - 1u)))"),
                    4 => format!("extractBits({l}, {by} & 7u, {stage} & 3u)"),
                    5 => format!(
                        "extractBits({l}, {}u, {}u)",
                        self.random.below(9),
                        self.random.below(9)
                    ),
                    6 => format!("(reverseBits({l}) >> {}u)", 24 + self.random.below(8)),
                    _ => {
                        let op = self.random.one_of(&["&", "|", "^"]);
                        let mask = self.random.one_of(&[
                            1u32,
                            2,
                            3,
                            6,
                            8,
                            12,
                            15,
                            48,
                            !1,
                            !7,
                            !6,
                            1 << 31,
                        ]);
                        format!("({l} {op} {mask}u)")
                    }
                }
            }
            _ => format!("(({l} {} {})", self.random.one_of(&["|", "^"]), self.unsigned(0)) + ")",
        }
    }

    fn nonzero(&mut self) -> String {
        self.random.one_of(&["v.w", "v.h", "2u", "3u", "8u", "(x + 1u)"]).to_owned()
    }

    fn signed(&mut self, depth: u32) -> String {
        if depth == 0 || self.random.below(3) == 0 {
            return match self.random.below(6) {
                0 | 1 => "p".to_owned(),
                2 => "q".to_owned(),
                3 => "v.s".to_owned(),
                4 => "i32(y)".to_owned(),
                _ => format!("({}i)", self.random.one_of(&[-9i32, -1, 0, 1, 2, 5, 30])),
            };
        }
        let l = self.signed(depth - 1);
        match self.random.below(9) {
            0..=2 => format!("({l} + {})", self.signed(depth - 1)),
            3 => format!("({l} - {})", self.signed(depth - 1)),
            4 => format!("({l} * {})", self.signed(depth - 1)),
            5 => format!("clamp({l}, {}, {})", self.signed(0), self.signed(0)),
            6 => format!("abs({l})"),
            7 => format!("({l} / 3)"),
            _ => format!("i32({})", self.unsigned(depth - 1)),
        }
    }

    fn condition(&mut self, depth: u32) -> String {
        if depth > 0 && self.random.below(3) == 0 {
            let (l, r) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.random.below(4) {
                0 => format!("!({l})"),
                1 => format!("({l} || {r})"),
                _ => format!("({l} && {r})"),
            };
        }
        let op = self.random.one_of(&["<", "<", "<=", ">", ">=", "==", "!="]);
        match self.random.below(8) {
            0 => "f".to_owned(),
            1 | 2 => format!("({} {op} {})", self.signed(1), self.signed(1)),
            _ => format!("({} {op} {})", self.unsigned(1), self.unsigned(1)),
        }
    }

    fn block(&mut self, count: u64) {
        for _ in 0..count {
            self.statement();
        }
    }

    fn statement(&mut self) {
        self.depth += 1;
        let deep = self.depth > 4;
        match self.random.below(if deep { 11 } else { 21 }) {
            0..=3 => {
                let target = self.random.one_of(&["a", "b", "a", "u.x", "t[1]", "t[0]"]);
                let value = self.unsigned(2);
                let _ = writeln!(self.text, "{target} = {value};");
            }
            4 => {
                let (target, value) = (self.random.one_of(&["p", "q"]), self.signed(2));
                let _ = writeln!(self.text, "{target} = {value};");
            }
            5 => {
                let value = self.condition(2);
                let _ = writeln!(self.text, "f = {value};");
            }
            6 => {
                let (i, value) = (self.unsigned(1), self.unsigned(1));
                let _ = writeln!(self.text, "t[{i}] = {value};");
            }
            7..=9 => {
                let (i, value) = (self.unsigned(2), self.unsigned(1));
                let target = self.random.one_of(&["dst[", "dst[", "aux["]);
                let _ = match target {
                    "aux[" => writeln!(self.text, "aux[{i}] = vec2({value}, 1u);"),
                    _ => writeln!(self.text, "dst[{i}] = {value};"),
                };
            }
            10 => self.member(),
            11..=14 => {
                let condition = self.condition(2);
                let _ = writeln!(self.text, "if {condition} {{");
                let count = 1 + self.random.below(2);
                self.block(count);
                self.leave();
                if self.random.below(2) == 0 {
                    self.text.push_str("} else {\n");
                    self.block(1);
                    self.leave();
                }
                self.text.push_str("}\n");
            }
            15..=17 => self.a_loop(),
            18 => {
                let selector = self.unsigned(1);
                let _ = writeln!(self.text, "switch {selector} {{ case 1u, 2u: {{");
                self.block(1);
                self.text.push_str("} case 3u: {\n");
                self.block(1);
                self.leave();
                self.text.push_str("} default: {\n");
                self.block(1);
                self.text.push_str("} }\n");
            }
            _ => {
                let i = self.unsigned(1);
                let _ = writeln!(self.text, "a = src[{i}];");
            }
        }
        self.depth -= 1;
    }

    /// A statement with members of a struct, each mostly used in its own way.
    fn member(&mut self) {
        let (i, j, value) = (self.unsigned(2), self.unsigned(1), self.unsigned(1));
        let _ = match self.random.below(12) {
            0 | 1 => writeln!(self.text, "atomicAdd(&cells.list[{i}].sum, {value});"),
            2 => writeln!(self.text, "atomicAdd(&cells.count, {value});"),
            3 => writeln!(self.text, "cells.last = {value};"),
            4 => writeln!(self.text, "a = cells.list[{i}].mass;"),
            5 => writeln!(self.text, "cells.list[{i}].at.x = cells.list[{j}].at.y;"),
            6 => writeln!(self.text, "cells.list[{i}].at = vec2({value}, cells.last);"),
            7 => writeln!(self.text, "cells.list[{i}].at[{j}] = {value};"),
            8 => writeln!(self.text, "cells.list[{i}].own += {value};"),
            9 => writeln!(self.text, "cells.list[{i}].own = cells.list[{j}].own;"),
            10 => writeln!(self.text, "aux[{i}].x = aux[{j}].y;"),
            _ => writeln!(self.text, "aux[{i}].y = {value};"),
        };
    }

    /// Adds a jump, sometimes.
    fn leave(&mut self) {
        match self.random.below(8) {
            0 if self.loops > 0 => self.text.push_str("break;\n"),
            1 if self.loops > 0 => self.text.push_str("continue;\n"),
            2 => self.text.push_str("return;\n"),
            _ => {}
        }
    }

    fn a_loop(&mut self) {
        let i = format!("i{}", self.loops);
        let start = self.random.one_of(&["0u", "0u", "1u", "x", "a % 32u", "local.x", "40u"]);
        let end = self.random.one_of(&["4u", "v.h", "v.w", "b % 32u", "x", "7u"]);
        let step = self.random.one_of(&[
            "i++",
            "i++",
            "i += 2u",
            "i += 8u * groups.x",
            "i *= 2u",
            "i += b",
            "i = i + 3u",
        ]);
        let step = step.replace('i', &i);
        let header = match self.random.below(13) {
            8 => format!("for (var {i} = 1u; {i} < 64u; {i} <<= 1u) {{"),
            9 => format!("for (var {i} = 2u; {i} <= v.w; {i} *= 2u) {{"),
            10 => format!("for (var {i} = 32u; {i} > 0u; {i} >>= 1u) {{"),
            11 => format!("for (var {i} = 0u; {i} < 6u; {i}++) {{"),
            12 if self.loops > 0 => {
                let outer = format!("i{}", self.random.below(self.loops.into()));
                match self.random.below(2) {
                    0 => format!("for (var {i} = {outer} / 2u; {i} > 0u; {i} /= 2u) {{"),
                    _ => format!("for (var {i} = 0u; {i} < 64u; {i} += {outer}) {{"),
                }
            }
            0 => format!("for (var {i} = {start}; {i} > 0u; {i}--) {{"),
            1 => format!("for (var {i} = {start}; {i} > 0u; {i} /= 2u) {{"),
            2 => format!("for (var {i} = {start}; {i} <= {end}; {step}) {{"),
            3 => format!("for (var {i} = {start}; {i} != {end}; {step}) {{"),
            4 => format!("for (var {i} = {start}; {i} < {end} && a != 9u; {step}) {{"),
            _ => format!("for (var {i} = {start}; {i} < {end}; {step}) {{"),
        };
        let _ = writeln!(self.text, "{header}");
        self.loops += 1;
        let count = 1 + self.random.below(3);
        self.block(count);
        if self.random.below(5) == 0 {
            let _ = writeln!(self.text, "{i} = ({i} + 1u) % 64u;");
        }
        self.loops -= 1;
        self.text.push_str("}\n");
    }
}

#[test]
fn recorded_is_inside_inferred_for_random_kernels() {
    let first = std::env::var("COEXEC_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let count = std::env::var("COEXEC_CASES").ok().and_then(|s| s.parse().ok()).unwrap_or(120);
    let mut valid = 0;
    for seed in first..first + count {
        let text = Writer::kernel(seed);
        // Some have constant expressions that overflow, which WGSL forbids.
        if Kernel::from_wgsl(&text).is_ok() {
            check_boxes(&text, seed, 3);
            valid += 1;
        }
    }
    assert!(2 * valid > count, "only {valid} of {count} kernels are valid");
}
