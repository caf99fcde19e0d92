//! System call numbers and the architecture this program runs on.

use oci_spec::runtime::Arch;
use seccompiler::TargetArch;

#[cfg(any(test, not(target_arch = "x86_64")))]
#[path = "table_aarch64.rs"]
mod aarch64;
#[cfg(any(test, not(target_arch = "aarch64")))]
#[path = "table_x86_64.rs"]
mod x86_64;

/// `AUDIT_ARCH_I386`: 32-bit programs on x86_64 (`int 0x80`, where `socketcall` hides its arguments).
pub const AUDIT_ARCH_I386: u32 = 0x4000_0003;
/// `AUDIT_ARCH_ARM`: 32-bit programs on aarch64.
pub const AUDIT_ARCH_ARM: u32 = 0x4000_0028;
/// `AUDIT_ARCH_X86_64`.
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_AARCH64`.
pub const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;

/// Set in an x86_64 call number that means the x32 call of that number. The audit architecture is the
/// same, so a filter has to look at the number.
pub const X32_BIT: u32 = 0x4000_0000;

/// What differs between the machines we run on.
#[derive(Debug)]
pub(super) struct Native {
    /// As the OCI spec calls it.
    pub oci: Arch,
    /// As seccompiler calls it.
    pub target: TargetArch,
    /// As the kernel calls it in `seccomp_data.arch`.
    pub audit: u32,
    /// The 32-bit architecture that the same kernel may also run.
    pub foreign_audit: u32,
    /// Whether call numbers may carry [`X32_BIT`].
    pub x32: bool,
    calls: &'static [(&'static str, u32)],
}

#[cfg(target_arch = "x86_64")]
static NATIVE: Option<Native> = Some(Native {
    oci: Arch::ScmpArchX86_64,
    target: TargetArch::x86_64,
    audit: AUDIT_ARCH_X86_64,
    foreign_audit: AUDIT_ARCH_I386,
    x32: true,
    calls: x86_64::CALLS,
});

#[cfg(target_arch = "aarch64")]
static NATIVE: Option<Native> = Some(Native {
    oci: Arch::ScmpArchAarch64,
    target: TargetArch::aarch64,
    audit: AUDIT_ARCH_AARCH64,
    foreign_audit: AUDIT_ARCH_ARM,
    x32: false,
    calls: aarch64::CALLS,
});

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static NATIVE: Option<Native> = None;

/// The machine we run on, if filters can be made for it.
pub(super) fn native() -> Option<&'static Native> {
    NATIVE.as_ref()
}

impl Native {
    /// Number of a call, by name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.calls
            .binary_search_by_key(&name, |(known, _)| known)
            .ok()
            .map(|at| self.calls[at].1)
    }
}

/// Native `AUDIT_ARCH_*` value, as the kernel puts it into `seccomp_data.arch`.
pub fn native_audit_arch() -> Option<u32> {
    native().map(|native| native.audit)
}

/// Number of a system call on the native architecture, if it has one of that name.
pub fn syscall_number(name: &str) -> Option<i64> {
    native()?.number(name).map(i64::from)
}

/// Name of a system call on the native architecture, for reports.
pub fn syscall_name(number: i64) -> Option<&'static str> {
    let number = u32::try_from(number).ok()?;
    native()?
        .calls
        .iter()
        .find(|(_, known)| *known == number)
        .map(|(name, _)| *name)
}

/// Names and numbers of all system calls of the native architecture, sorted by name.
pub fn syscalls() -> impl Iterator<Item = (&'static str, i64)> {
    let calls = native().map_or(&[][..], |native| native.calls);
    calls
        .iter()
        .map(|(name, number)| (*name, i64::from(*number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_without_duplicates() {
        for (arch, calls) in [("x86_64", x86_64::CALLS), ("aarch64", aarch64::CALLS)] {
            for pair in calls.windows(2) {
                assert!(
                    pair[0].0 < pair[1].0,
                    "{arch}: {} before {}",
                    pair[0].0,
                    pair[1].0
                );
            }
            let mut numbers: Vec<u32> = calls.iter().map(|(_, number)| *number).collect();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), calls.len(), "{arch}: a number twice");
            assert!(
                numbers.iter().all(|number| *number < 512),
                "{arch}: x32 range"
            );
        }
    }

    #[test]
    fn names_and_numbers_agree() {
        for (name, number) in syscalls() {
            assert_eq!(syscall_number(name), Some(number));
            assert_eq!(syscall_name(number), Some(name));
        }
        assert_eq!(syscall_number("no_such_call"), None);
        assert_eq!(syscall_name(999), None);
        assert_eq!(syscall_name(-1), None);
    }

    /// Numbers since 424 are the same everywhere: a slip in one table shows in the other.
    #[test]
    fn new_numbers_are_common() {
        let new = |calls: &'static [(&str, u32)]| calls.iter().filter(|(_, nr)| *nr >= 424);
        assert!(
            new(x86_64::CALLS).eq(new(aarch64::CALLS).filter(|(name, _)| {
                x86_64::CALLS
                    .binary_search_by_key(name, |(known, _)| known)
                    .is_ok()
            }))
        );
        assert_eq!(new(x86_64::CALLS).count(), 470 - 424 + 1);
    }

    /// The kernel's headers on this machine, where there are any, are the second witness.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn headers_agree() {
        let Ok(header) = std::fs::read_to_string("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
        else {
            return;
        };
        for line in header.lines() {
            let mut words = line
                .strip_prefix("#define __NR_")
                .unwrap_or_default()
                .split_whitespace();
            if let (Some(name), Some(Ok(number))) =
                (words.next(), words.next().map(str::parse::<i64>))
            {
                assert_eq!(syscall_number(name), Some(number), "{name}");
            }
        }
    }
}
