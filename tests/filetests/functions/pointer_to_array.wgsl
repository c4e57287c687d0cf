// A function fills a caller's array and struct through pointers, passed on twice.
//! workgroups 1
//! zeros dst u32 5
//! expect dst u32 3 5 7 9 24
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
struct Work { values: array<u32, 4>, total: u32 }

fn fill(w: ptr<function, Work>, from_value: u32) {
    for (var k = 0u; k < 4u; k++) {
        (*w).values[k] = from_value + 2u * k;
    }
}

fn run(w: ptr<function, Work>) {
    fill(w, 3u);
    w.total = 0u;
    for (var k = 0u; k < 4u; k++) {
        w.total += w.values[k];
    }
}

@compute @workgroup_size(1)
fn main() {
    var w: Work;
    run(&w);
    for (var k = 0u; k < 4u; k++) {
        dst[k] = w.values[k];
    }
    dst[4] = w.total;
}
