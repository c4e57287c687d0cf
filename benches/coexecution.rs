//! The efficiency of unequal devices on a compute-bound kernel. The devices are CPU devices of one
//! thread, throttled to different speeds. Efficiency is the ideal time together,
//! 1 / Σ (1 / time alone), over the measured time.
//!
//! A repetition times each device alone and then all together. The table has the median of the
//! repetitions, and the lower and the upper quartile. `COEXEC_REPETITIONS` and `COEXEC_BODIES` set
//! the duration. `COEXEC_SLOWDOWN` slows all devices by a factor, so that they do not compete for
//! cores and other work of the machine does not affect them. Throttled devices have a fixed time per
//! workgroup, derived from launches on one core. `COEXEC_THROTTLE=factor` multiplies the time of each
//! chunk instead, and with it the machine's noise.

use std::time::{Duration, Instant};

use coexec::{Buffer, Kernel, Runtime};

fn number(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

struct Bodies {
    kernel: Kernel,
    buffers: [Buffer<[f32; 4]>; 4],
    count: u32,
}

impl Bodies {
    fn new(count: u32) -> Bodies {
        let entry = coexec::ops::library().iter().find(|entry| entry.name == "nbody");
        let kernel = Kernel::from_wgsl(entry.expect("nbody").text).expect("nbody");
        let place = |i: u32| [(i % 97) as f32, (i % 89) as f32, (i % 83) as f32, 1.0];
        let bodies: Vec<[f32; 4]> = (0..count).map(place).collect();
        let zeroed = || Buffer::zeroed(count as usize);
        let buffers = [Buffer::from_slice(&bodies), zeroed(), zeroed(), zeroed()];
        Bodies { kernel, buffers, count }
    }

    /// The seconds of one launch, and its report.
    fn run(&self, runtime: &Runtime) -> (f64, coexec::Report) {
        let names = ["bodies", "velocities", "next_bodies", "next_velocities"];
        let launch = runtime
            .launch(&self.kernel)
            .set_field("params.count", self.count)
            .set_field("params.dt", 0.01)
            .set_field("params.softening", 1.0);
        let launch = names.iter().zip(&self.buffers).fold(launch, |l, (n, b)| l.bind(n, b));
        let begun = Instant::now();
        let report = launch.invocations([u64::from(self.count), 1, 1]).run().expect("a report");
        (begun.elapsed().as_secs_f64(), report)
    }
}

/// The way to make devices slower than a core.
enum Slower {
    /// A factor on the time of each chunk.
    Factor(f64),
    /// A factor on this time per workgroup.
    Pace(f64, Duration),
}

impl Slower {
    fn new(bodies: &Bodies) -> Slower {
        let slower = f64::from(number("COEXEC_SLOWDOWN", 4));
        if std::env::var("COEXEC_THROTTLE").is_ok_and(|how| how == "factor") {
            return Slower::Factor(slower);
        }
        let core = Runtime::builder().devices("cpu").threads(1).build().expect("a CPU device");
        let seconds = (0..4).map(|_| bodies.run(&core).0).fold(f64::MAX, f64::min);
        let workgroups = bodies.count.div_ceil(256);
        Slower::Pace(slower, Duration::from_secs_f64(seconds / f64::from(workgroups)))
    }

    /// A runtime of CPU devices of one thread each. The factors are relative to the fastest device.
    fn runtime(&self, factors: &[f64]) -> Runtime {
        let devices = format!("virtual:{}:cpu", factors.len());
        let builder = Runtime::builder().devices(devices).threads(1);
        let throttled = factors.iter().enumerate();
        let builder = throttled.fold(builder, |b, (index, factor)| {
            let id = format!("cpu.{index}");
            match self {
                Slower::Factor(slower) => b.throttle(id, factor * slower),
                Slower::Pace(slower, workgroup) => b.pace(id, workgroup.mul_f64(factor * slower)),
            }
        });
        builder.build().expect("CPU devices")
    }
}

fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let last = values.len() - 1;
    [values[last / 4], values[last / 2], values[last - last / 4]]
}

fn main() {
    let repetitions = number("COEXEC_REPETITIONS", 9).max(1);
    let bodies = Bodies::new(number("COEXEC_BODIES", 1 << 14));
    let slower = Slower::new(&bodies);
    println!("nbody, {} bodies, {repetitions} repetitions; efficiency", bodies.count);
    println!("speeds      cold  warm: median  (quartiles)     chunks  taken over");
    for (name, factors) in
        [("1 : 3", &[3.0, 1.0][..]), ("1 : 10", &[10.0, 1.0]), ("1 : 1 : 5", &[5.0, 5.0, 1.0])]
    {
        let alone: Vec<Runtime> = factors.iter().map(|f| slower.runtime(&[*f])).collect();
        alone.iter().for_each(|one| drop(bodies.run(one)));
        let together = slower.runtime(factors);
        let (mut cold, mut warm) = (0.0, Vec::new());
        let (mut chunks, mut taken_over) = (0, 0);
        for repetition in 0..=repetitions {
            let speed: f64 = alone.iter().map(|one| 1.0 / bodies.run(one).0).sum();
            let (time, report) = bodies.run(&together);
            let efficiency = 1.0 / speed / time;
            if repetition == 0 {
                cold = efficiency;
                continue;
            }
            warm.push(efficiency);
            chunks += report.devices.iter().map(|d| d.chunks).sum::<u32>();
            taken_over += report.devices.iter().map(|d| d.taken_over).sum::<u32>();
        }
        let [low, median, high] = quartiles(&mut warm);
        println!(
            "{name:<10} {cold:>5.3}  {median:>12.3}  ({low:.3} to {high:.3})  {:>7.1}  {:>10.1}",
            f64::from(chunks) / f64::from(repetitions),
            f64::from(taken_over) / f64::from(repetitions)
        );
    }
}
