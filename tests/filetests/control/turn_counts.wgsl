// Loops that lanes leave one by one: a counter of iterations is the same in all lanes that are still in the loop, and
// keeps its value in each lane that has left. Some counters differ: lanes enter with different values, or
// count in some iterations only.
//! invocations 24
//! set limit u32 9
//! zeros dst u32 192
//! expect dst u32 17 10 560965 44 39 60 9 413 16 9 186988 36 39 60 9 413
//! expect dst u32 15 8 62329 28 0 100 10 513 14 9 186988 29 37 60 11 412
//! expect dst u32 13 7 20776 21 31 60 8 412 13 8 62329 23 0 100 9 412
//! expect dst u32 12 6 6925 15 39 60 9 412 12 6 6925 15 33 60 10 411
//! expect dst u32 11 7 20776 18 0 100 7 411 11 6 6925 13 31 60 8 311
//! expect dst u32 11 5 2308 10 39 60 9 411 10 5 2308 10 0 100 9 410
//! expect dst u32 10 6 6925 13 33 60 6 310 10 4 769 6 37 60 7 310
//! expect dst u32 10 5 2308 9 0 100 8 410 9 5 2308 10 39 60 9 309
//! expect dst u32 9 4 769 6 39 60 5 309 9 4 769 6 0 100 6 309
//! expect dst u32 9 5 2308 8 37 60 7 309 9 5 2308 9 31 60 8 308
//! expect dst u32 9 3 256 3 0 100 5 308 8 3 256 3 39 60 5 208
//! expect dst u32 8 4 769 6 33 60 6 308 8 3 256 3 0 100 7 307
@group(0) @binding(0) var<uniform> limit: u32;
@group(0) @binding(1) var<storage, read_write> dst: array<array<u32, 8>>;

@compute @workgroup_size(24)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    var x = i;
    var count = 3u;
    while count < limit + 20u {
        if x > 90u { break; }
        x += x / 3u + 1u;
        count++;
    }
    dst[i][0] = count;

    x = i;
    var steps = 0u;
    var down = limit;
    var k = 0u;
    loop {
        if k >= 50u { break; }
        if x > 70u { break; }
        if x % 7u == 1u {
            x += 1u;
            continue;
        }
        x += x / 2u + 1u;
        steps += k;
        continuing {
            k++;
            down = down * 3u + 1u;
        }
    }
    dst[i][1] = k;
    dst[i][2] = down;
    dst[i][3] = steps;

    var total = 0u;
    var rounds = 10u;
    if i % 3u != 2u {
        rounds = 0u;
        while rounds < 6u {
            if total > 30u + i { break; }
            var inner = rounds;
            while inner < 8u {
                if (i + inner) % 5u == 4u { break; }
                inner += 2u;
            }
            total += inner;
            rounds++;
        }
    }
    dst[i][4] = total;
    dst[i][5] = rounds * 10u;

    var own = i % 4u;
    var y = i;
    while own < 12u {
        if y > 40u { break; }
        y += 5u;
        own++;
    }
    dst[i][6] = own;

    var odd = 0u;
    var z = i;
    var turn = 0u;
    while turn < 15u {
        if z > 50u { break; }
        z += 4u;
        if z % 3u == 0u { odd++; }
        turn++;
    }
    dst[i][7] = odd * 100u + turn;
}
