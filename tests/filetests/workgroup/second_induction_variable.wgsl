// A sum of columns: a second variable moves beside the loop's counter, before a barrier.
//! workgroups 1
//! bind x u32 0..1024
//! zeros y u32 64
//! expect y u32 8688 8672 8656 8640 8624 8608 8592 8576 8560 8544 8528 8512 8496 8480 8464 8448
//! expect y u32 8432 8416 8400 8384 8368 8352 8336 8320 8304 8288 8272 8256 8240 8224 8208 8192
//! expect y u32 8176 8160 8144 8128 8112 8096 8080 8064 8048 8032 8016 8000 7984 7968 7952 7936
//! expect y u32 7920 7904 7888 7872 7856 7840 7824 7808 7792 7776 7760 7744 7728 7712 7696 7680
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
var<workgroup> part: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) l: u32) {
    var at = l;
    var sum = 0u;
    for (var i = 0u; i < 16u; i++) {
        sum += x[at];
        at += 64u;
    }
    part[l] = sum;
    workgroupBarrier();
    y[l] = part[63u - l];
}
