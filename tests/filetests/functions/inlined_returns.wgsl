// Functions that return early from everywhere: after guards, inside branches that go on,
// out of loops in loops, switches, and switches in loops; with locals that must start anew at each
// call, called from divergent control flow.
//! workgroups 9,1,1
//! zeros dst i32 324
//! expect dst i32 5 5 5 2 5 5 1 5 5 2 5 6 1 1 5 2 6 7 1 1 1 2 7 8 1 1 1 1 8 9 1 1 1 1 1 10 1 2 3 100 5 6 3 2 3 100 5 6 5 7 3 100 5 6 7 7 7 100 5 6 9 7 9 9 5 6 11 7 11 11 11 6 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 21 21 21 -1 -1 12 12 12 12 -1 -1 12 12 12 12 -1 -1 12 12 12 12 1 39 23 31 39 23 1 23 27 31 39 23 1 27 31 31 39 23 1 31 35 31 39 23 1 35 39 31 39 23 1 39 21 31 39 23 0 5 60 60 0 0 1 5 61 61 1 1 2 5 62 62 2 2 3 5 6 6 3 3 4 5 6 6 4 4 5 5 6 6 5 5 1 2 2 2 3 3 2 2 2 2 4 4 3 3 3 3 3 3 4 4 4 4 4 4 5 5 5 5 5 5 6 6 6 6 6 6 0 4 2 18 28 40 4 6 20 46 68 94 6 24 48 86 122 164 24 52 88 140 192 252 52 92 142 210 280 360 92 146 212 298 388 490 20215 22106 21009 20029 20219 22110 20226 22117 21020 20040 20230 22121 20237 22128 21031 20051 20241 22132 20248 22139 21042 20062 20252 22143 20259 22150 21053 20073 20263 22154 20270 22161 21064 20084 20274 22165 1 2 1002 1002 1002 1002 1 12 1012 1012 1012 1012 11 22 1022 1022 1022 1022 11 22 1022 1022 1022 1022 11 22 1022 1022 1022 1022 11 22 1022 1022 1022 1022
@group(0) @binding(0) var<storage, read_write> dst: array<i32>;

fn f0(a: i32, b: i32) -> i32 {
    if a < b { return 1; } else if a == 3 { return 2; }
    let c = a + b;
    if c > 4 { } else { return 5; }
    return c;
}

fn f1(a: i32, b: i32) -> i32 {
    var c = a;
    if a < b {
        if a == 1 { return 7; }
        c = b * 2;
    }
    c += 1;
    { if c == 4 { return 100; } }
    return c;
}

fn f2(a: i32, b: i32) -> i32 {
    for (var i = 0; i < a; i++) {
        for (var j = 0; j < b; j++) { if i * j == 2 { return 10 * i + j; } }
        if i == 3 { continue; }
    }
    return -1;
}

fn f3(a: i32, b: i32) -> i32 {
    var n = a;
    loop {
        switch n {
            case 0: { return 1; }
            case 1, 2: { n += b + 2; continue; }
            default: { if n > 20 { return n; } }
        }
        n *= 2;
        continuing { n += 1; break if n > 1000; }
    }
    return n;
}

fn f4(a: i32, b: i32) -> i32 {
    switch a {
        case 1: { return 5; }
        case 2, 3: {
            if b > 2 { return 6; }
            if b >= 0 { break; }
            return 7;
        }
        default: { return b; }
    }
    return 60 + b;
}

fn f5(a: i32, b: i32) -> i32 {
    var i = 0;
    loop {
        if i * i > a { return i; }
        i += b + 1;
    }
}

fn acc(a: i32) -> i32 {
    var s: i32;
    var t = 3;
    s += a;
    if a == 2 { return s; }
    t += s;
    return s * t;
}

fn f6(a: i32, b: i32) -> i32 {
    var total = 0;
    for (var i = 0; i <= b; i++) { total += acc(i + a); }
    return total;
}

fn bump(p: ptr<function, i32>, by: i32) -> bool {
    if by == 0 { return false; }
    *p += by;
    return true;
}

fn f7(a: i32, b: i32) -> i32 {
    var values = array(a, b, 0, 0);
    var x = 5;
    var n = 0;
    for (var k = 0; k < 3; k++) {
        if bump(&values[(a + k) % 4], k) { n += 1; }
    }
    _ = bump(&x, b);
    return values[0] + 10 * values[1] + 100 * values[2] + 1000 * values[3] + 10000 * n + x;
}

fn find(i: i32, b: i32) -> i32 {
    var k = 0;
    while k <= b {
        if (i + k) % 3 == 2 { return k; }
        k++;
    }
    return -1;
}

fn f8(a: i32, b: i32) -> i32 {
    var r = 0;
    for (var i = 0; i <= a; i++) {
        if find(i, b) >= 0 {
            if i == 2 { return 1000 + r; }
            r += 10;
        }
        r += 1;
    }
    return r;
}

@compute @workgroup_size(36)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let a = i32(l % 6u);
    let b = i32(l / 6u);
    var r: i32;
    switch group.x {
        case 0: { r = f0(a, b); }
        case 1: { r = f1(a, b); }
        case 2: { r = f2(a, b); }
        case 3: { r = f3(a, b); }
        case 4: { r = f4(a, b); }
        case 5: { r = f5(a, b); }
        case 6: { r = f6(a, b); }
        case 7: { r = f7(a, b); }
        default: { r = f8(a, b); }
    }
    dst[group.x * 36u + l] = r;
}
