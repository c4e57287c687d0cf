// All ids of a three-dimensional grid of three-dimensional workgroups.
//! workgroups 2,3,2
//! zeros dst u32 144
//! expect dst u32 0 1 2 100 101 102 3 4 5 103 104 105 1000 1001 1002 1100 1101 1102 1003 1004
//! expect dst u32 1005 1103 1104 1105 2000 2001 2002 2100 2101 2102 2003 2004 2005 2103 2104 2105
//! expect dst u32 6 7 8 106 107 108 9 10 11 109 110 111 1006 1007 1008 1106 1107 1108 1009 1010
//! expect dst u32 1011 1109 1110 1111 2006 2007 2008 2106 2107 2108 2009 2010 2011 2109 2110 2111
//! expect dst u32 10000 10001 10002 10100 10101 10102 10003 10004 10005 10103 10104 10105 11000
//! expect dst u32 11001 11002 11100 11101 11102 11003 11004 11005 11103 11104 11105 12000 12001
//! expect dst u32 12002 12100 12101 12102 12003 12004 12005 12103 12104 12105 10006 10007 10008
//! expect dst u32 10106 10107 10108 10009 10010 10011 10109 10110 10111 11006 11007 11008 11106
//! expect dst u32 11107 11108 11009 11010 11011 11109 11110 11111 12006 12007 12008 12106 12107
//! expect dst u32 12108 12009 12010 12011 12109 12110 12111
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(3, 2, 2)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    let size = vec3(3u, 2u, 2u) * groups;
    let at = id.x + size.x * (id.y + size.y * id.z);
    if all(id == group * vec3(3u, 2u, 2u) + local) {
        dst[at] = index + 100u * (group.x + 10u * group.y + 100u * group.z);
    }
}
