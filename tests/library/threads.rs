//! Concurrent launches from many threads on shared and overlapping buffers: the effects are those of
//! a sequential order, and of the order of submission where it is known.

use std::sync::Mutex;

use coexec::{Buffer, Kernel, Runtime};

use super::{affine, engines, increment};

/// The runtimes, with labels: selections of devices and their faults. One device always survives.
fn runtimes() -> Vec<(String, Runtime)> {
    let mut all = vec![("cpu", ""), ("virtual:3:cpu", "cpu.0:lost@20,cpu.1:lost-late@30")];
    if engines::gpu_ids().is_empty() {
        engines::skip("threads on a GPU", "this machine has no adapter");
    } else {
        all.extend([
            ("virtual:2:gpu0", ""),
            ("cpu,gpu0", ""),
            ("virtual:3:gpu0", "gpu0.0:lost@20,gpu0.1:lost-late@30"),
            ("virtual:3:gpu0", "gpu0.0:destroy@25,gpu0.1:map@40"),
            ("cpu,gpu0", "gpu0:lost@15"),
        ]);
    }
    // The log is often full, but large enough for all launches in flight.
    let build = |(devices, faults): (&str, &str)| {
        let runtime = Runtime::builder().devices(devices).inject(faults).log_memory(512 << 10);
        (format!("{devices} {faults}"), runtime.build().expect("the devices"))
    };
    all.into_iter().map(build).collect()
}

/// A pseudorandom number below `bound` from a thread, its turn and a salt.
fn draw(thread: u64, turn: u64, salt: u64, bound: u64) -> u64 {
    let mut x = thread << 40 ^ turn << 20 ^ salt;
    for _ in 0..3 {
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    }
    (x >> 33) % bound
}

const LEN: usize = 700;
const THREADS: u64 = 6;
const TURNS: u64 = 25;

/// An operation of a thread on the buffers.
#[derive(Debug, Clone)]
enum Deed {
    /// `dst[i] = 3 src[i] + i`, between parts of two buffers.
    Affine { src: (usize, usize), dst: (usize, usize), len: usize },
    /// `data[i] += 1`, on a part of a buffer.
    Increment { at: (usize, usize), len: usize },
}

impl Deed {
    fn draw(thread: u64, turn: u64) -> Deed {
        let number = |salt, bound: usize| draw(thread, turn, salt, bound as u64) as usize;
        // Whole workgroups, because `increment` does not check the length.
        let len = 8 * (1 + number(0, 30));
        let place = |salt| (number(salt, 3), number(salt + 1, LEN - len));
        let (src, mut dst) = (place(1), place(3));
        if number(5, 3) == 0 {
            return Deed::Increment { at: dst, len };
        }
        if src.0 == dst.0 {
            dst.0 = (dst.0 + 1) % 3;
        }
        Deed::Affine { src, dst, len }
    }

    fn apply(&self, all: &mut [Vec<u32>]) {
        match self {
            Deed::Affine { src, dst, len } => {
                for i in 0..*len {
                    let x = all[src.0][src.1 + i];
                    all[dst.0][dst.1 + i] = x.wrapping_mul(3).wrapping_add(i as u32);
                }
            }
            Deed::Increment { at, len } => {
                all[at.0][at.1..at.1 + len].iter_mut().for_each(|x| *x = x.wrapping_add(1));
            }
        }
    }
}

#[test]
fn launches_of_many_threads_over_overlapping_parts_have_the_effects_of_the_order_of_submission() {
    for (selection, rt) in runtimes() {
        let start: Vec<u32> = (0..LEN as u32).collect();
        let buffers: Vec<Buffer<u32>> = (0..3).map(|_| Buffer::from_slice(&start)).collect();
        let (affine, increment) = (affine(), increment());
        let order: Mutex<Vec<Deed>> = Mutex::default();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (rt, buffers, order) = (&rt, &buffers, &order);
                let (affine, increment) = (&affine, &increment);
                scope.spawn(move || {
                    let part = |(which, at): (usize, usize), len: usize| {
                        buffers[which].slice(at..at + len).expect("inside")
                    };
                    let mut under_way = Vec::new();
                    for turn in 0..TURNS {
                        let deed = Deed::draw(thread, turn);
                        let launch = match &deed {
                            Deed::Affine { src, dst, len } => {
                                let launch = rt.launch(affine).bind("src", part(*src, *len));
                                let launch = launch.bind("dst", part(*dst, *len));
                                launch.invocations([*len as u64, 1, 1])
                            }
                            Deed::Increment { at, len } => {
                                let launch = rt.launch(increment).bind("data", part(*at, *len));
                                launch.invocations([*len as u64, 1, 1])
                            }
                        };
                        let submitted = {
                            let mut order = order.lock().expect("no panic");
                            order.push(deed);
                            launch.submit().expect("it begins")
                        };
                        under_way.push(submitted);
                        if draw(thread, turn, 9, 4) == 0 {
                            for launch in under_way.drain(..) {
                                launch.wait().expect("it ends well");
                            }
                            // The contents depend on the other threads; the read must succeed.
                            buffers[turn as usize % 3].read(5..50).expect("nothing is poisoned");
                        }
                    }
                    for launch in under_way {
                        launch.wait().expect("it ends well");
                    }
                });
            }
        });
        let mut expected = vec![start; 3];
        let order = order.into_inner().expect("no panic");
        assert_eq!(order.len() as u64, THREADS * TURNS);
        order.iter().for_each(|deed| deed.apply(&mut expected));
        for (which, (buffer, right)) in buffers.iter().zip(&expected).enumerate() {
            let got = buffer.to_vec().expect("a result");
            let wrong = got.iter().zip(right).position(|(a, b)| a != b);
            assert_eq!(wrong, None, "{selection}: buffer {which}");
        }
    }
}

#[test]
fn launches_and_sequences_of_many_threads_over_shared_buffers_all_count() {
    let add = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
         @group(0) @binding(1) var<storage, read_write> b: array<u32>;
         @compute @workgroup_size(8)
         fn add(@builtin(global_invocation_id) id: vec3<u32>) { a[id.x] += 1u; b[id.x] += 2u; }",
    )
    .expect("valid WGSL");
    for (selection, rt) in runtimes() {
        let buffers: Vec<Buffer<u32>> = (0..3).map(|_| Buffer::zeroed(512)).collect();
        std::thread::scope(|scope| {
            for thread in 0..THREADS as usize {
                let (rt, buffers, add) = (&rt, &buffers, &add);
                scope.spawn(move || {
                    for turn in 0..8 {
                        // The pairs come in every order, so that a deadlock would show.
                        let (a, b) = ((thread + turn) % 3, (thread + turn + 1 + turn % 2) % 3);
                        let launch = || {
                            let launch = rt.launch(add).bind("a", &buffers[a]);
                            launch.bind("b", &buffers[b]).workgroups([64, 1, 1])
                        };
                        match turn % 3 {
                            0 => drop(launch().run().expect("a launch")),
                            1 => drop(launch().submit().expect("it begins").wait().expect("ends")),
                            _ => {
                                let sequence = rt.sequence().then(launch()).then(launch());
                                sequence.run(2).expect("a sequence");
                            }
                        }
                    }
                });
            }
        });
        let mut sums = [0u32; 3];
        for thread in 0..THREADS as usize {
            for turn in 0..8 {
                let times = if turn % 3 == 2 { 4 } else { 1 };
                sums[(thread + turn) % 3] += times;
                sums[(thread + turn + 1 + turn % 2) % 3] += 2 * times;
            }
        }
        for (buffer, sum) in buffers.iter().zip(sums) {
            assert_eq!(buffer.to_vec().expect("a result"), [sum; 512], "{selection}");
        }
    }
}
