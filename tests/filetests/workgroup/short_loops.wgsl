// Loops of few iterations around barriers, with strides that halve, double and triple, with exits
// that the compiler knows or does not, and values used after them. The workgroup ends in the middle
// of a gang.
//! workgroups 1
//! bind src u32 11 48 85 21 58 95 31 68 4 41 78 14 51 88 24 61 98 34 71 7
//! bind src u32 44 81 17 54 91 27 64 0 37 74 10 47 84 20 57 94 30 67 3 40
//! bind src u32 77 13 50 87 23 60 97 33 70 6 43 80 16 53 90 26 63 100 36 73
//! bind src u32 9 46 83 19 56 93 29 66 2 39 76 12 49 86 22 59 96 32 69 5
//! zeros dst u32 320
//! expect dst u32 3973 11 6041 8104049 3973 59 6065 8104149 3973 144 6051 8104249 3973 165 6056 8104349 3973 223 6104 8104449
//! expect dst u32 3973 318 6066 8104549 3973 349 6071 8104649 3973 417 6143 8104749 3973 421 6081 8104849 3973 462 6086 8104949
//! expect dst u32 3973 540 6182 8105049 3973 554 6096 8105149 3973 605 6101 8105249 3973 693 6221 8105349 3973 717 6111 8105449
//! expect dst u32 3973 778 6116 8105549 3973 876 6260 8105649 3973 910 6126 8105749 3973 981 6131 8105849 3973 988 6299 8105949
//! expect dst u32 3973 1032 6141 8106049 3973 1113 6146 8106149 3973 1130 6338 8106249 3973 1184 6156 8106349 3973 1275 6161 8106449
//! expect dst u32 3973 1302 6377 8106549 3973 1366 6171 8106649 3973 1366 6176 8106749 3973 1403 6416 8106849 3973 1477 6186 8106949
//! expect dst u32 3973 1487 6191 8107049 3973 1534 6455 8107149 3973 1618 6201 8107249 3973 1638 6206 8107349 3973 1695 6494 8107449
//! expect dst u32 3973 1789 6216 8107549 3973 1819 6221 8107649 3973 1886 6533 8107749 3973 1889 6231 8107849 3973 1929 6236 8107949
//! expect dst u32 3973 2006 6572 8100049 3973 2019 6246 8100149 3973 2069 6251 8100249 3973 2156 6611 8100349 3973 2179 6261 8100449
//! expect dst u32 3973 2239 6266 8100549 3973 2336 6650 8100649 3973 2369 6276 8100749 3973 2439 6281 8100849 3973 2445 6689 8100949
//! expect dst u32 3973 2488 6291 8101049 3973 2568 6296 8101149 3973 2584 6728 8101249 3973 2637 6306 8101349 3973 2727 6311 8101449
//! expect dst u32 3973 2753 6767 8101549 3973 2816 6321 8101649 3973 2916 6326 8101749 3973 2952 6806 8101849 3973 3025 6336 8101949
//! expect dst u32 3973 3034 6341 8102049 3973 3080 6845 8102149 3973 3163 6351 8102249 3973 3182 6356 8102349 3973 3238 6884 8102449
//! expect dst u32 3973 3331 6366 8102549 3973 3360 6371 8102649 3973 3426 6923 8102749 3973 3428 6381 8102849 3973 3467 6386 8102949
//! expect dst u32 3973 3543 6962 8103049 3973 3555 6396 8103149 3973 3604 6401 8103249 3973 3690 7001 8103349 3973 3712 6411 8103449
//! expect dst u32 3973 3771 6336 8103549 3973 3867 6320 8103649 3973 3899 6186 8103749 3973 3968 6111 8103849 3973 3973 6039 8103949
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<u32>>;
const N = 80u;
var<workgroup> cells: array<u32, N>;

@compute @workgroup_size(N)
fn main(@builtin(local_invocation_index) index: u32) {
    cells[index] = src[index];
    workgroupBarrier();
    for (var half = 64u; half > 0u; half /= 2u) {
        if index < half && index + half < N { cells[index] += cells[index + half]; }
        workgroupBarrier();
    }
    let total = cells[0];
    workgroupBarrier();

    cells[index] = src[index];
    var offset = 1u;
    while offset < N {
        workgroupBarrier();
        var add = 0u;
        if index >= offset { add = cells[index - offset]; }
        workgroupBarrier();
        cells[index] += add;
        offset *= 2u;
    }
    let scanned = cells[index];
    workgroupBarrier();

    cells[index] = index;
    var mine = 0u;
    var k = 0u;
    loop {
        if k == 6u { break; }
        if k == 2u { continue; }
        workgroupBarrier();
        let next = cells[(index + 1u) % N];
        if index % 3u == 1u {
            mine += next * k;
        } else {
            mine += next + 2u * k;
        }
        workgroupBarrier();
        cells[index] = next;
        continuing { k += 1u; }
    }
    workgroupBarrier();

    cells[index] = 1u;
    for (var a = 0u; a < 3u; a++) {
        for (var b = a; b < 3u; b++) {
            workgroupBarrier();
            let other = cells[N - 1u - index];
            workgroupBarrier();
            cells[index] = other + a * 10u + b;
        }
    }
    let nested = cells[index];
    workgroupBarrier();

    cells[index] = index;
    var t = 1u;
    loop {
        workgroupBarrier();
        let other = cells[(index + t) % N];
        workgroupBarrier();
        cells[index] = other;
        continuing {
            t *= 3u;
            break if t > 30u;
        }
    }
    dst[index] = vec4(total, scanned, mine + k * 1000u, nested + cells[index] * 100u + t * 100000u);
}
