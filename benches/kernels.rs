//! The kernels of `kernels/` on each device of the machine, by criterion.
//!
//!     cargo bench --bench kernels -- matmul

#[path = "../tests/conformance/reference.rs"]
mod reference;

use coexec::{Buffer, Kernel, Runtime};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use reference::{CASES, Grid};

fn kernels(criterion: &mut Criterion) {
    let devices = Runtime::new().expect("a runtime").devices();
    for case in CASES {
        let text = coexec::ops::library().iter().find(|k| k.name == case.name).expect(case.name);
        let kernel = Kernel::from_wgsl(text.text).expect(case.name);
        let mut group = criterion.benchmark_group(case.name);
        group.sample_size(10);
        let job = (case.build)(case.sizes[0]);
        group.throughput(Throughput::Elements(job.work as u64));
        let buffers: Vec<(&str, Buffer<u8>)> =
            job.buffers.iter().map(|(name, bytes)| (*name, Buffer::from_slice(bytes))).collect();
        for device in &devices {
            let runtime = Runtime::builder().devices(&device.id).build().expect(&device.id);
            group.bench_function(BenchmarkId::new(&device.id, &job.shape), |bencher| {
                bencher.iter(|| {
                    let mut launch = runtime.launch(&kernel);
                    for (name, bytes) in &job.uniforms {
                        launch = launch.set_bytes(name, bytes.clone());
                    }
                    for (name, buffer) in &buffers {
                        launch = launch.bind(name, buffer);
                    }
                    let launch = match job.grid {
                        Grid::Invocations(count) => launch.invocations(count.map(u64::from)),
                        Grid::Workgroups(count) => launch.workgroups(count.map(u64::from)),
                    };
                    launch.run().expect(case.name)
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
