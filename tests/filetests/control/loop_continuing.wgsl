// loop with continuing and break if: the continuing block runs after a continue, too.
//! invocations 5
//! zeros dst u32 5
//! expect dst u32 1 3 6 10 15
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(5)
fn main(@builtin(local_invocation_index) i: u32) {
    var k = 0u;
    var total = 0u;
    loop {
        if k == 2u { continue; }
        total += 0u;
        continuing {
            k++;
            total += k;
            break if k > i;
        }
    }
    dst[i] = total;
}
