// All invocations set the same flag. Equal values are a race too.
//! workgroups 2
//! zeros flag u32 1
//! finds race-in-workgroup RAISE RAISE flag
//! finds race-across-workgroups RAISE RAISE flag
//- @group(0) @binding(0) var<storage, read_write> flag: u32;
//+ @group(0) @binding(0) var<storage, read_write> flag: atomic<u32>;

@compute @workgroup_size(8)
fn main() {
    //- flag = 1u; // <RAISE>
    //+ atomicStore(&flag, 1u);
}
