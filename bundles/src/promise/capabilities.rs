//! The capabilities of Linux, by number.

use oci_spec::runtime::Capability;

/// Their names, each at the place of its number in capability.h.
pub const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The bit of `capability` in the masks of /proc/PID/status.
fn bit(capability: Capability) -> u64 {
    let name = format!("CAP_{capability}");
    let number = CAPABILITIES.iter().position(|known| *known == name);
    number.map_or(0, |number| 1 << number)
}

/// These capabilities as /proc/PID/status writes a set of them.
pub fn capability_mask(capabilities: impl IntoIterator<Item = Capability>) -> u64 {
    let bits = capabilities.into_iter().map(bit);
    bits.fold(0, |mask, bit| mask | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_the_kernels() {
        assert_eq!(bit(Capability::Chown), 1);
        assert_eq!(bit(Capability::NetBindService), 1 << 10);
        assert_eq!(bit(Capability::SysAdmin), 1 << 21);
        assert_eq!(bit(Capability::CheckpointRestore), 1 << 40);
    }

    #[test]
    fn every_name_is_one_of_the_specs() {
        for name in CAPABILITIES {
            let plain = name.strip_prefix("CAP_").unwrap();
            assert!(plain.parse::<Capability>().is_ok(), "{name}");
        }
    }
}
