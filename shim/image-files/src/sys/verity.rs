//! fs-verity: linux/fsverity.h.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `FS_IOC_ENABLE_VERITY`.
const ENABLE: libc::Ioctl = libc::_IOW::<EnableArgument>(b'f' as u32, 133);
/// `FS_IOC_MEASURE_VERITY`: its size is that of what is before the digest.
const MEASURE: libc::Ioctl = libc::_IOWR::<[u16; 2]>(b'f' as u32, 134);
/// `FS_VERITY_HASH_ALG_SHA256`.
const SHA256: u16 = 1;

/// `struct fsverity_digest`, with room for a SHA-256.
#[repr(C)]
struct Digest {
    algorithm: u16,
    size: u16,
    digest: [u8; 32],
}

/// `struct fsverity_enable_arg`.
#[repr(C)]
struct EnableArgument {
    version: u32,
    algorithm: u32,
    block_size: u32,
    salt_size: u32,
    salt: u64,
    signature_size: u32,
    reserved: u32,
    signature: u64,
    more: [u64; 11],
}

/// The digest of a file that has fs-verity; none where it hasn't, or has it with another hash.
pub(crate) fn measure_verity(file: &File) -> io::Result<Option<[u8; 32]>> {
    let mut found = Digest {
        algorithm: 0,
        size: 32,
        digest: [0; 32],
    };
    // SAFETY: `found` is a live `struct fsverity_digest` that says how much room is behind it.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), MEASURE, &raw mut found) };
    if result == 0 {
        let is_ours = found.algorithm == SHA256 && found.size == 32;
        return Ok(is_ours.then_some(found.digest));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Not enabled; a file system or a kernel without; a longer digest.
        Some(libc::ENODATA | libc::ENOTTY | libc::EOPNOTSUPP | libc::EOVERFLOW) => Ok(None),
        _ => Err(error),
    }
}

/// Enables it: SHA-256, blocks of 4096 bytes. Whether it is enabled now.
pub(crate) fn enable_verity(file: &File) -> io::Result<bool> {
    let argument = EnableArgument {
        version: 1,
        algorithm: SHA256.into(),
        block_size: 4096,
        salt_size: 0,
        salt: 0,
        signature_size: 0,
        reserved: 0,
        signature: 0,
        more: [0; 11],
    };
    // SAFETY: `argument` is a live `struct fsverity_enable_arg` without salt and signature; the kernel only reads it.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), ENABLE, &raw const argument) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EEXIST) => Ok(true),
        // A file system or a kernel without; one whose blocks don't go with it.
        Some(libc::ENOTTY | libc::EOPNOTSUPP | libc::EINVAL) => Ok(false),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_as_long_as_the_kernels() {
        assert_eq!(size_of::<EnableArgument>(), 128);
        assert_eq!(std::mem::offset_of!(Digest, digest), 4);
    }
}
