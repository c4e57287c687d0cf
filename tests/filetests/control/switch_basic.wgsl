// switch: several selectors, default in the middle, no fall through, a value without a case.
//! invocations 8
//! bind src i32 0 1 2 3 -7 100 5 2147483647
//! zeros dst i32 8
//! expect dst i32 10 20 20 99 70 99 50 99
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32) {
    var out = 0;
    switch src[i] {
        case 0: { out += 10; }
        case 1, 2: { out += 20; }
        default: { out += 99; }
        case -7: { out += 70; }
        case 5 { out += 50; }
    }
    dst[i] = out;
}
