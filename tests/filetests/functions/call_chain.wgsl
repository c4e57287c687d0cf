// A chain of ten functions, each calling the one below twice: 2^10 calls of the last.
//! workgroups 2
//! zeros dst u32 2
//! expect dst u32 1024 2048
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

fn f0(n: u32) -> u32 { return n; }
fn f1(n: u32) -> u32 { return f0(n) + f0(n); }
fn f2(n: u32) -> u32 { return f1(n) + f1(n); }
fn f3(n: u32) -> u32 { return f2(n) + f2(n); }
fn f4(n: u32) -> u32 { return f3(n) + f3(n); }
fn f5(n: u32) -> u32 { return f4(n) + f4(n); }
fn f6(n: u32) -> u32 { return f5(n) + f5(n); }
fn f7(n: u32) -> u32 { return f6(n) + f6(n); }
fn f8(n: u32) -> u32 { return f7(n) + f7(n); }
fn f9(n: u32) -> u32 { return f8(n) + f8(n); }
fn f10(n: u32) -> u32 { return f9(n) + f9(n); }

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    dst[id.x] = f10(id.x + 1u);
}
