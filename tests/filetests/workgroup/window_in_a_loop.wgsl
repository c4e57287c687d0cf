// A window that slides over a buffer, in a loop in a loop, before a barrier; once up and once down.
//! workgroups 1
//! bind src u32 0..128
//! zeros dst u32 64
//! expect dst u32 6998916 6890660 6782404 6674148 6565892 6457636 6349380 6241124 6132868 6024612 5916356 5808100 5699844 5591588 5483332 5375076
//! expect dst u32 5266820 5158564 5050308 4942052 4833796 4725540 4617284 4509028 4400772 4292516 4184260 4076004 3967748 3859492 3751236 3642980
//! expect dst u32 3534724 3426468 3318212 3209956 3101700 2993444 2885188 2776932 2668676 2560420 2452164 2343908 2235652 2127396 2019140 1910884
//! expect dst u32 1802628 1694372 1586116 1477860 1369604 1261348 1153092 1044836 936580 828324 720068 611812 503556 395300 287044 178788
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) l: u32) {
    var sum = 0u;
    for (var j = 0u; j < 4u; j++) {
        for (var i = 0u; i < 4u; i++) { sum += src[i + l]; }
    }
    var at = l + 8u;
    for (var i = 8u; i > 0u; i--) {
        at -= 1u;
        sum = sum * 3u + src[at];
    }
    tile[l] = sum;
    workgroupBarrier();
    dst[l] = tile[63u - l];
}
