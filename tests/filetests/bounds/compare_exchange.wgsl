// A compare-exchange out of bounds changes nothing and compares with zero: it reports that
// it exchanged where zero was expected, so a loop of compare-and-swap ends within two iterations.
//! workgroups 1
//! bind at i32 0 1 5 -1 7 0 9 3
//! bind expected i32 4 6 0 0 1 3 0 -1
//! bind a i32 4 6
//! expect a i32 4|100 6|101
//! zeros turns u32 8
//! expect turns u32 _ _ 1 1 2 _ 1 2
//! zeros dst u32 16
//! expect dst u32 4 _ 6 _ 0 1 0 1 0 0 _ 0 0 1 0 0
//! bind tile_dst u32 9 9 9 9
//! expect tile_dst u32 0 1 0 0
@group(0) @binding(0) var<storage, read> at: array<i32>;
@group(0) @binding(1) var<storage, read> expected: array<i32>;
@group(0) @binding(2) var<storage, read_write> a: array<atomic<i32>>;
@group(0) @binding(3) var<storage, read_write> turns: array<u32>;
@group(0) @binding(4) var<storage, read_write> dst: array<u32>;
@group(0) @binding(5) var<storage, read_write> tile_dst: array<u32>;
var<workgroup> tile: array<atomic<u32>, 4>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32) {
    // Lanes 0 and 1 are inside and may exchange; 5 is inside and finds something else.
    let r = atomicCompareExchangeWeak(&a[at[i]], expected[i], 100 + i32(i));
    dst[2u * i] = u32(r.old_value);
    dst[2u * i + 1u] = u32(r.exchanged);
    if i != 0u && i != 1u && i != 5u {
        var old = expected[i];
        loop {
            turns[i]++;
            let x = atomicCompareExchangeWeak(&a[at[i]], old, old + 1);
            if x.exchanged { break; }
            old = x.old_value;
        }
    }
    if i < 2u {
        let x = atomicCompareExchangeWeak(&tile[at[4u * i + 2u]], i, 3u);
        tile_dst[2u * i] = x.old_value;
        tile_dst[2u * i + 1u] = u32(x.exchanged);
    }
}
