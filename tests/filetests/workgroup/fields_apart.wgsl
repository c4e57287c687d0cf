// Fields of one element in workgroup memory, loaded and stored apart, before and after barriers.
//! workgroups 1
//! bind src u32 7 36 65 94 26 55 84 16 45 74 6 35 64 93 25 54 83 15 44 73 5 34 63 92 24 53 82 14 43 72 4 33
//! zeros dst u32 32
//! expect dst u32 730 319 379 163 416 201 550 239 199 83 721 315 370 159 407 197
//! expect dst u32 541 235 190 79 712 311 361 155 398 193 532 231 181 75 208 87
struct Cell {
    first: u32,
    second: u32,
    third: u32,
}

@group(0) @binding(0) var<storage, read> src: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec2<u32>>;

var<workgroup> tile: array<Cell, 16>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) i: u32) {
    tile[i].first = src[i].x;
    tile[i].second = src[i].y;
    tile[i].third = tile[i].first + tile[i].second;
    tile[i].third += tile[i].third;
    workgroupBarrier();
    let next = (i + 1u) % 16u;
    let sum = tile[next].first * 2u + tile[next].second * 3u + tile[next].third;
    let third = tile[next].third;
    workgroupBarrier();
    tile[i].first = 1u;
    tile[i].second = tile[i].first + third;
    dst[i].y = tile[i].second;
    dst[i].x = sum;
}
