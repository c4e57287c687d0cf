// Fields of one element, loaded and stored apart: the later store of a word wins, a load sees the
// stores before it, and the same element by another index is the same element.
//! invocations 13
//! bind src u32 3 8 13 18 20 25 30 35 37 42 47 52 54 59 64 69 71 76 81 86 88 93 98 2 4 9 14 19 21 26 31 36 38 43 48 53 55 60 65 70 72 77 82 87 89 94 99 3 5 10 15 20
//! zeros dst u32 52
//! expect dst u32 208 216 14 36 480 505 31 71 752 794 48 106
//! expect dst u32 1024 1083 65 141 1296 1372 82 176 861 954 99 9
//! expect dst u32 224 233 15 44 496 522 32 79 768 811 49 114
//! expect dst u32 1040 1100 66 149 1312 1389 83 184 877 971 100 17
//! expect dst u32 240 250 16 52
struct Element {
    a: u32,
    b: u32,
    c: u32,
    d: u32,
}

@group(0) @binding(0) var<storage, read> src: array<Element>;
@group(0) @binding(1) var<storage, read_write> dst: array<Element>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= arrayLength(&src) {
        return;
    }
    var total = src[i].a * 3u;
    total += src[i].c * 5u;
    total += src[i].d * 7u;
    total += src[i].b;
    dst[i].a = src[i].a;
    dst[i].c = src[i].c + 1u;
    dst[i].a = total;
    let seen = dst[i].a;
    dst[i].b = seen + src[i].b;
    // The same index, in a form that the compiler can't see through.
    let j = (i ^ src[i].a) ^ src[i].a;
    dst[i].d = 5u;
    dst[j].d = src[i].d * 2u + i;
}
