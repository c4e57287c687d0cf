// A product wraps, and the index is in bounds again, so no bounds check sees it.
//! lint
//! workgroups 1
//! bind src f32 0..16
//! zeros dst f32 16
//! finds index-wrap PRODUCT PRODUCT
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) l: u32) {
    var stride = 0x20000000u;
    //+ stride = 1u;
    let at = l * stride; // <PRODUCT>
    if at < 16u { dst[l] = src[at]; }
}
