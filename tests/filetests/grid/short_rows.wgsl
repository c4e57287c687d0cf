// Rows of three invocations: several workgroups may be executed as one, and the rest of each
// row of workgroups is executed alone.
//! workgroups 7,3
//! zeros dst u32 100
//! expect dst u32 0 100 200 300 400 500 600 700 800 900 1000 1100 1200 1300 1400 1500 1600 1700 1800 1900 1 101 201 301 401 501 601 701 801 901 1001 1101 1201 1301 1401 1501 1601 1701 1801 1901 2 102 202 302 402 502 602 702 802 902 1002 1102 1202 1302 1402 1502 1602 1702 1802 1902 3 103 203 303 403 503 603 703 803 903 1003 1103 1203 1303 1403 1503 1603 1703 1803 1903 4 104 204 304 404 504 604 704 804 904 1004 1104 1204 1304 1404 1504 1604 1704 1804 1904
//! split
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(3, 2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < 20u && id.y < 5u {
        dst[id.y * 20u + id.x] = id.x * 100u + id.y;
    }
}
