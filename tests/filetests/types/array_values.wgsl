// Arrays as values: returned from functions, copied whole, nested, indexed by a loop counter.
//! workgroups 1
//! zeros dst i32 6
//! expect dst i32 0 1 4 9 16 30
@group(0) @binding(0) var<storage, read_write> dst: array<i32, 6>;

fn squares() -> array<i32, 5> {
    var out: array<i32, 5>;
    for (var i = 0; i < 5; i++) {
        out[i] = i * i;
    }
    return out;
}

@compute @workgroup_size(1)
fn main() {
    let s = squares();
    var total = 0;
    for (var i = 0; i < 5; i++) {
        dst[i] = s[i];
        total += s[i];
    }
    dst[5] = total;
}
