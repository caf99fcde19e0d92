//! bpf(2): a program that decides on each use of a device in a cgroup of version 2.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// One instruction (struct bpf_insn in linux/bpf.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct BpfInstruction {
    /// The operation.
    pub code: u8,
    /// The register written, in the lower half, and the one read.
    pub registers: u8,
    /// Where to, from the next instruction; or where in memory.
    pub offset: i16,
    /// A value.
    pub immediate: i32,
}

// linux/bpf.h.
const LOAD: libc::c_long = 5;
const ATTACH: libc::c_long = 8;
const CGROUP_DEVICE_PROGRAM: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
/// Others may attach programs too, such as systemd; all are asked.
const ALLOW_MULTI: u32 = 2;

/// The beginning of union bpf_attr as loading reads it; the kernel takes the rest as zero.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    length: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// Likewise for attaching.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
}

/// Has `program` decide on each use of a device by processes in `cgroup` and below it. It stays for as long
/// as the cgroup does.
///
/// # Errors
/// Those of bpf(2): `EPERM` without privilege over the host.
pub(crate) fn attach_device_filter(cgroup: &File, program: &[BpfInstruction]) -> io::Result<()> {
    let license = c"Apache-2.0";
    let load = Load {
        program_type: CGROUP_DEVICE_PROGRAM,
        length: u32::try_from(program.len()).map_err(io::Error::other)?,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: the structure has the size that is told, and what it points to lives through the call.
    let number =
        result(unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const load, size_of::<Load>()) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    let program = unsafe { OwnedFd::from_raw_fd(number) };
    let attach = Attach {
        target: cgroup.as_raw_fd().cast_unsigned(),
        program: program.as_raw_fd().cast_unsigned(),
        attach_type: CGROUP_DEVICE,
        flags: ALLOW_MULTI,
    };
    // SAFETY: as above.
    result(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            ATTACH,
            &raw const attach,
            size_of::<Attach>(),
        )
    })?;
    Ok(())
}

fn result(value: libc::c_long) -> io::Result<i32> {
    match i32::try_from(value) {
        Ok(value) if value >= 0 => Ok(value),
        _ => Err(io::Error::last_os_error()),
    }
}
