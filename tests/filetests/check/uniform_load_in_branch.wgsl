// workgroupUniformLoad has barriers in it.
//! workgroups 1
//! zeros dst u32 8
//! finds divergent-barrier LOAD BRANCH
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> total: u32;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    if l == 0u { total = 7u; }
    //+ dst[l] = workgroupUniformLoad(&total);
    if l > 2u { // <BRANCH>
        //- dst[l] = workgroupUniformLoad(&total); // <LOAD>
    }
}
