//! Whether all devices put the same invocations into one subgroup.
//!
//! The result of a subgroup operation depends on which invocations are in the subgroup. A kernel
//! with such operations is therefore split, or computed again on another device, only if all
//! devices form the same subgroups: of one fixed size, and of the same invocations. Devices of one
//! kind form them of the same invocations. Different devices do so if there is only one order of
//! invocations: along a row of the workgroup.

use crate::device::{DeviceInfo, DeviceKind};

/// The devices among which a launch may be split.
#[derive(Debug)]
pub(super) struct Able {
    pub(super) count: usize,
    /// The size of subgroups on all of them, or why they may differ.
    pub(super) subgroups: Result<u32, String>,
}

impl Able {
    pub(super) fn new(devices: &[&DeviceInfo], workgroup_size: [u32; 3]) -> Able {
        Able { count: devices.len(), subgroups: common_size(devices, workgroup_size) }
    }
}

/// The size of subgroups on all devices, or why they may differ.
pub(super) fn common_size(
    devices: &[&DeviceInfo],
    workgroup_size: [u32; 3],
) -> Result<u32, String> {
    let mut first: Option<(&DeviceInfo, u32)> = None;
    for info in devices {
        let id = &info.id;
        let size = match info.limits.subgroup_size {
            Some((least, most)) if least == most => least,
            Some((least, most)) => {
                return Err(format!("whose size on {id} is anything from {least} to {most}"));
            }
            None => return Err(format!("which {id} does not have")),
        };
        let &mut (other, its) = first.get_or_insert((info, size));
        if its != size {
            return Err(format!("whose size differs: {its} on {}, {size} on {id}", other.id));
        }
        let alike = info.kind == other.kind
            && (info.kind == DeviceKind::Cpu || info.name == other.name)
            && (info.kind == DeviceKind::Cpu || info.driver == other.driver);
        let [x, y, z] = workgroup_size;
        if !alike && y * z > 1 && !x.is_multiple_of(size) {
            return Err(format!(
                "and {} and {id} may divide a {x} × {y} × {z} workgroup into different subgroups",
                other.id
            ));
        }
    }
    first.map(|(_, size)| size).ok_or_else(|| "which no device has".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceLimits;

    fn device(id: &str, kind: DeviceKind, sizes: (u32, u32)) -> DeviceInfo {
        let name = format!("{kind}");
        let limits = DeviceLimits {
            max_binding: 0,
            memory: 0,
            max_storage_bindings: 0,
            max_uniform_bindings: 0,
            max_invocations: 0,
            max_workgroup_size: [0; 3],
            max_workgroup_memory: 0,
            f16: false,
            subgroup_size: (sizes.0 > 0).then_some(sizes),
        };
        DeviceInfo { id: id.into(), name, driver: String::new(), advice: None, kind, limits }
    }

    #[test]
    fn subgroups_are_the_same_where_all_have_one_fixed_size() {
        let (cpu, wide) =
            (device("cpu", DeviceKind::Cpu, (32, 32)), device("cpu.1", DeviceKind::Cpu, (64, 64)));
        let gpu = device("gpu0", DeviceKind::DiscreteGpu, (32, 32));
        let any = device("gpu1", DeviceKind::IntegratedGpu, (8, 32));
        let none = device("gpu2", DeviceKind::OtherGpu, (0, 0));
        let row = [64, 1, 1];
        assert_eq!(common_size(&[&cpu], row), Ok(32));
        assert_eq!(common_size(&[&cpu, &cpu, &cpu], [5, 5, 2]), Ok(32));
        assert_eq!(common_size(&[&cpu, &gpu], row), Ok(32));
        assert_eq!(common_size(&[&cpu, &gpu], [32, 4, 1]), Ok(32));
        for (devices, size, why) in [
            (&[&cpu, &gpu][..], [8, 8, 1], "a 8 × 8 × 1 workgroup"),
            (&[&cpu, &wide], row, "32 on cpu, 64 on cpu.1"),
            (&[&any], row, "on gpu1 is anything from 8 to 32"),
            (&[&cpu, &none], row, "gpu2 does not have"),
            (&[], row, "no device"),
        ] {
            let found = common_size(devices, size).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }
}
