//! Which Linux security modules this kernel has in force.

use std::path::Path;

use crate::kernel_file;

/// Whether AppArmor is enabled, told as libapparmor does.
pub(crate) fn has_apparmor() -> bool {
    kernel_file::read("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|text| text.starts_with('Y'))
}

/// Whether SELinux is enabled: its file system is mounted (selinux(8)).
pub(crate) fn has_selinux() -> bool {
    Path::new("/sys/fs/selinux/enforce").exists()
}
