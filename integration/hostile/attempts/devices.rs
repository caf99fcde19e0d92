//! Devices: made, and opened by the names that they have.

use std::ffi::CString;
use std::fs::OpenOptions;

use nix::errno::Errno;

use super::{Named, named, outcome};
use crate::calls::call;

const CWD: usize = libc::AT_FDCWD as usize;

/// Character and block devices by their numbers: memory, ports, disks, what drivers and kernels are reached by.
const NODES: [(&str, bool, usize, usize); 24] = [
    ("mem", true, 1, 1),
    ("kmem", true, 1, 2),
    ("null", true, 1, 3),
    ("port", true, 1, 4),
    ("zero", true, 1, 5),
    ("kmsg", true, 1, 11),
    ("tty0", true, 4, 0),
    ("tty", true, 5, 0),
    ("console", true, 5, 1),
    ("ptmx", true, 5, 2),
    ("fuse", true, 10, 229),
    ("tun", true, 10, 200),
    ("kvm", true, 10, 232),
    ("vhost-net", true, 10, 238),
    ("snapshot", true, 10, 231),
    ("loop-control", true, 10, 237),
    ("device-mapper", true, 10, 236),
    ("rtc", true, 254, 0),
    ("cpu msr", true, 202, 0),
    ("sda", false, 8, 0),
    ("vda", false, 254, 0),
    ("loop0", false, 7, 0),
    ("ram0", false, 1, 0),
    ("nvme0n1", false, 259, 0),
];

const NAMES: &str = "
    mem kmem port kmsg console tty0 tty1 ttyS0 vcs vcsa1 ptmx sda vda nvme0n1 nvme0 loop0 loop-control fuse cuse kvm
    vhost-net vhost-vsock net/tun mapper/control btrfs-control userfaultfd rtc rtc0 hpet snapshot cpu/0/msr cpu/0/cpuid
    uinput uhid input/event0 input/mice dri/card0 fb0 snd/seq vsock autofs ppp raw/rawctl mcelog
    vfio/vfio iommu nvidia0 sgx_enclave sev tpm0 random-seed bus/usb/001/001 ashmem binder ion i2c-0 mem0 ipmi0
    megaraid_sas_ioctl_node acpi_thermal_rel vga_arbiter udmabuf dma_heap/system hwrng cachefiles ecryptfs";

/// All of them.
pub fn devices() -> Vec<Named> {
    let made = NODES.iter().map(|(name, is_character, major, minor)| {
        let (kind, shown) = if *is_character {
            (libc::S_IFCHR, "character")
        } else {
            (libc::S_IFBLK, "block")
        };
        named(format!("make {shown} device {name}"), move || {
            let path = CString::new(format!("node-{}", name.replace(' ', "-"))).unwrap_or_default();
            let number = (major << 8) | minor;
            let mode = (kind | 0o600) as usize;
            outcome(call(
                libc::SYS_mknodat,
                &[CWD, path.as_ptr().addr(), mode, number],
            ))
        })
    });
    let opened = NAMES.split_whitespace().map(|name| {
        named(format!("open /dev/{name}"), move || {
            let opened = OpenOptions::new().read(true).open(format!("/dev/{name}"));
            let error = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
            opened.map(|_| String::new()).map_err(error)
        })
    });
    made.chain(opened).collect()
}
