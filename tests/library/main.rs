//! The library as its users see it: correct use (`api`), refused input (`bad_input`), texts of plans
//! (`plans`, `explanations`), buffers on devices (`residency`), their recovery when devices fail
//! (`log`), data beyond a device's memory (`out_of_core`, `tiles`), sequences (`sequences`), launches
//! from many threads (`threads`), futures (`pending`), the tightness of footprints (`tightness`),
//! kernels with subgroups (`subgroups`), and verified launches (`verification`).

mod api;
mod bad_input;
#[path = "../engines/mod.rs"]
mod engines;
mod explanations;
mod log;
mod out_of_core;
mod pending;
mod plans;
mod residency;
mod sequences;
mod subgroups;
mod threads;
mod tightness;
mod tiles;
mod verification;

use coexec::Kernel;

/// `dst[i] = 3 src[i] + i`, guarded.
fn affine() -> Kernel {
    Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> src: array<u32>;
         @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(4)
         fn affine(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&dst) { dst[id.x] = 3u * src[id.x] + id.x; }
         }",
    )
    .expect("valid WGSL")
}

/// `data[i] += 1`, unguarded.
fn increment() -> Kernel {
    Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(8)
         fn increment(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] += 1u; }",
    )
    .expect("valid WGSL")
}
