//! The library's kernels as machine code for other processors.

use cranelift_codegen::isa;

use super::jit::Target;
use super::*;

/// Assembly of a kernel for a processor.
fn assembly(kernel: &Kernel, triple: &str, features: &[&str]) -> String {
    use cranelift_codegen::settings::Configurable;
    let compiled = lowered(kernel, super::Widths::default()).unwrap();
    let mut builder = isa::lookup_by_name(triple).unwrap();
    for feature in features {
        builder.enable(feature).unwrap();
    }
    let target = Target::of(builder, compiled.code.storage_atomics, true).unwrap();
    let (function, _) = target.function(kernel, &compiled).unwrap();
    target.assembly(function).unwrap()
}

#[test]
fn every_kernel_of_the_library_compiles_for_aarch64() {
    for entry in crate::ops::library() {
        let kernel = Kernel::from_wgsl(entry.text).unwrap();
        let text = assembly(&kernel, "aarch64-unknown-linux-gnu", &[]);
        assert!(text.contains("ldr q"), "{}: {text}", entry.name);
    }
}

/// The rights of the memory at an address, as the system lists them.
#[cfg(target_os = "linux")]
fn rights(address: u64) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        (number(start)? <= address && address < number(end)?).then(|| rest[..3].to_owned())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn code_can_be_executed_and_not_written() {
    use crate::cpu::compiled::Code as _;
    let kernel = Kernel::from_wgsl("@compute @workgroup_size(1) fn main() {}").unwrap();
    let compiled = lowered(&kernel, super::Widths::default()).unwrap();
    let target = Target::host(false).unwrap();
    let (function, _) = target.function(&kernel, &compiled).unwrap();
    let code = target.code(function).unwrap();
    assert_eq!(rights(code.address()).as_deref(), Some("r-x"));
}
