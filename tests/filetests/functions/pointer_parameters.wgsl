// Functions write through pointers to locals and to private variables.
//! invocations 3
//! zeros dst i32 9
//! expect dst i32 5 1 10 5 2 11 5 3 12
@group(0) @binding(0) var<storage, read_write> dst: array<i32>;
var<private> counter: i32;

fn swap(a: ptr<function, i32>, b: ptr<function, i32>) {
    let kept = *a;
    *a = *b;
    *b = kept;
}

fn bump(p: ptr<private, i32>, by: i32) {
    *p += by;
}

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = i32(id.x);
    var a = i + 1;
    var b = 5;
    swap(&a, &b);
    bump(&counter, 4);
    bump(&counter, 6 + i);
    dst[3u * id.x] = a;
    dst[3u * id.x + 1u] = b;
    dst[3u * id.x + 2u] = counter;
}
