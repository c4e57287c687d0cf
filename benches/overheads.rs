//! What a launch costs beyond the kernel's own work: parsing and analysis, a plan, an empty
//! launch on each device.
//!
//!     cargo bench --bench overheads

use coexec::{Buffer, Kernel, Launch, Runtime};
use criterion::{Criterion, criterion_group, criterion_main};

fn saxpy(runtime: &Runtime, kernel: &Kernel, x: &Buffer<f32>, y: &Buffer<f32>) -> Launch {
    let mut params = 2.0f32.to_le_bytes().to_vec();
    params.extend((x.len() as u32).to_le_bytes());
    runtime.launch(kernel).set_bytes("params", params).bind("x", x).bind("y", y).invocations([
        x.len() as u64,
        1,
        1,
    ])
}

fn overheads(criterion: &mut Criterion) {
    for entry in coexec::ops::library() {
        if ["saxpy", "matmul"].contains(&entry.name) {
            criterion.bench_function(&format!("parse {}", entry.name), |bencher| {
                bencher.iter(|| Kernel::from_wgsl(entry.text).expect(entry.name));
            });
        }
    }

    let text = coexec::ops::library().iter().find(|k| k.name == "saxpy").expect("saxpy").text;
    let kernel = Kernel::from_wgsl(text).expect("saxpy");
    let all = Runtime::new().expect("a runtime");
    let (x, y) = (Buffer::from_slice(&[1.0f32; 1 << 16]), Buffer::<f32>::zeroed(1 << 16));
    criterion.bench_function("plan saxpy", |bencher| {
        bencher.iter(|| saxpy(&all, &kernel, &x, &y).plan().expect("a plan"));
    });

    // One workgroup's worth of work: the rest is overhead.
    let (x, y) = (Buffer::from_slice(&[1.0f32]), Buffer::<f32>::zeroed(1));
    for device in all.devices() {
        let runtime = Runtime::builder().devices(&device.id).build().expect(&device.id);
        criterion.bench_function(&format!("launch on {}", device.id), |bencher| {
            bencher.iter(|| saxpy(&runtime, &kernel, &x, &y).run().expect("a report"));
        });
    }
}

criterion_group!(benches, overheads);
criterion_main!(benches);
