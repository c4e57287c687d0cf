// break leaves the switch, continue the iteration of the loop, return the function.
//! invocations 4
//! zeros dst u32 4
//! expect dst u32 211 211 211 2
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

fn f(i: u32) -> u32 {
    var total = 0u;
    for (var k = 0u; k < 4u; k++) {
        switch k {
            case 0u: {
                total += 1u;
                break;
            }
            case 1u: {
                if i == 3u { return 2u; }
                total += 10u;
                if i < 8u { continue; }
                total += 1000u;
            }
            default: {
                total += 50u;
            }
        }
        total += 50u;
    }
    return total;
}

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    dst[i] = f(i) - select(50u, 0u, i == 3u);
}
