//! Architectures, and the numbers that they give to system calls.

use oci_spec::runtime::Arch;

use super::numbers::ROWS;
use super::row::Row;

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

/// An architecture with a table of its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Architecture {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
}

impl Architecture {
    /// By the OCI spec's name for it; `None` for one that no machine of ours runs.
    pub fn from_oci(arch: Arch) -> Option<Self> {
        Some(match arch {
            Arch::ScmpArchX86_64 => Self::X86_64,
            Arch::ScmpArchX86 => Self::X86,
            Arch::ScmpArchX32 => Self::X32,
            Arch::ScmpArchAarch64 => Self::Aarch64,
            Arch::ScmpArchArm => Self::Arm,
            _ => return None,
        })
    }

    /// What the kernel puts into `seccomp_data.arch`. That of x32 is x86_64's.
    pub fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => AUDIT_ARCH_X86_64,
            Self::X86 => AUDIT_ARCH_I386,
            Self::Aarch64 => AUDIT_ARCH_AARCH64,
            Self::Arm => AUDIT_ARCH_ARM,
        }
    }

    /// Whether arguments have 64 bits. Where not, the upper halves are none of the call's.
    pub fn is_wide(self) -> bool {
        matches!(self, Self::X86_64 | Self::Aarch64)
    }

    /// Number of a call, as the kernel gives it to a filter.
    pub fn number(self, row: &Row) -> Option<u32> {
        let number = row.numbers[self as usize];
        let bit = if self == Self::X32 { X32_BIT } else { 0 };
        (number != u32::MAX).then_some(number | bit)
    }
}

/// A machine that we run on: what the programs on it may be made for.
#[derive(Debug)]
pub(super) struct Machine {
    /// The architecture of the kernel, and of this program.
    pub native: Architecture,
    /// The native one's name in the OCI spec.
    pub oci: Arch,
    /// The others that its kernel may run.
    pub others: &'static [Architecture],
}

#[cfg(any(test, target_arch = "x86_64"))]
pub(super) static X86_64: Machine = Machine {
    native: Architecture::X86_64,
    oci: Arch::ScmpArchX86_64,
    others: &[Architecture::X86, Architecture::X32],
};

#[cfg(any(test, target_arch = "aarch64"))]
pub(super) static AARCH64: Machine = Machine {
    native: Architecture::Aarch64,
    oci: Arch::ScmpArchAarch64,
    others: &[Architecture::Arm],
};

/// The machine we run on, if filters can be made for it.
pub(super) fn machine() -> Option<&'static Machine> {
    #[cfg(target_arch = "x86_64")]
    return Some(&X86_64);
    #[cfg(target_arch = "aarch64")]
    return Some(&AARCH64);
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    None
}

impl Machine {
    /// Number of a native call, by name.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.native.number(row(name)?)
    }

    /// The first of [`Self::others`] that isn't a mode of the native architecture.
    pub fn foreign_audit(&self) -> u32 {
        self.others
            .first()
            .map_or(AUDIT_ARCH_I386, |other| other.audit())
    }

    /// Whether native call numbers may carry [`X32_BIT`].
    pub fn has_x32(&self) -> bool {
        self.others.contains(&Architecture::X32)
    }
}

/// A call by its name, of any architecture.
pub(super) fn row(name: &str) -> Option<&'static Row> {
    let at = ROWS
        .binary_search_by(|known| known.letters().cmp(name.as_bytes()))
        .ok()?;
    ROWS.get(at)
}

/// Native `AUDIT_ARCH_*` value, as the kernel puts it into `seccomp_data.arch`.
pub fn native_audit_arch() -> Option<u32> {
    machine().map(|machine| machine.native.audit())
}

/// Number of a system call on the native architecture, if it has one of that name.
pub fn syscall_number(name: &str) -> Option<i64> {
    machine()?.number(name).map(i64::from)
}

/// Name of a system call on the native architecture, for reports.
pub fn syscall_name(number: i64) -> Option<&'static str> {
    syscalls()
        .find(|(_, known)| *known == number)
        .map(|(name, _)| name)
}

/// Names and numbers of all system calls of the native architecture, sorted by name.
pub fn syscalls() -> impl Iterator<Item = (&'static str, i64)> {
    let native = machine().map(|machine| machine.native);
    ROWS.iter()
        .filter_map(move |row| Some((row.name(), i64::from(native?.number(row)?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Architecture; 5] = [
        Architecture::X86_64,
        Architecture::X86,
        Architecture::X32,
        Architecture::Aarch64,
        Architecture::Arm,
    ];

    /// Two names of one call, by the kernel's own headers.
    const ALIASES: &[(&str, &str)] = &[("arm_sync_file_range", "sync_file_range2")];

    #[test]
    fn the_table_is_sorted_without_duplicates() {
        for pair in ROWS.windows(2) {
            let (first, second) = (pair[0].name(), pair[1].name());
            assert!(first < second, "{first} before {second}");
        }
        for architecture in ALL {
            let mut numbers: Vec<(u32, &str)> = ROWS
                .iter()
                .filter_map(|row| Some((architecture.number(row)?, row.name())))
                .collect();
            numbers.sort_unstable();
            for pair in numbers.windows(2) {
                let alias = ALIASES.contains(&(pair[0].1, pair[1].1));
                assert!(pair[0].0 != pair[1].0 || alias, "{architecture:?} {pair:?}");
            }
            assert!(numbers.len() > 300, "{architecture:?}: {}", numbers.len());
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

    /// Numbers since 424 are the same everywhere: a slip in one column shows in the other.
    #[test]
    fn new_numbers_are_common() {
        for row in &ROWS {
            let numbers: Vec<u32> = ALL
                .iter()
                .filter_map(|architecture| architecture.number(row))
                .map(|number| number & !X32_BIT)
                .filter(|number| (424..983_040).contains(number))
                .filter(|number| !(512..548).contains(number))
                .collect();
            assert!(
                numbers.windows(2).all(|pair| pair[0] == pair[1]),
                "{}",
                row.name()
            );
        }
        let newest = ROWS.iter().filter_map(|row| ALL[0].number(row)).max();
        assert_eq!(newest, Some(471));
    }

    /// The kernel's headers on this machine, where there are any, are the second witness.
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn headers_agree() {
        for (file, architecture) in [
            ("unistd_64.h", Architecture::X86_64),
            ("unistd_32.h", Architecture::X86),
            ("unistd_x32.h", Architecture::X32),
        ] {
            let path = format!("/usr/include/x86_64-linux-gnu/asm/{file}");
            let Ok(header) = std::fs::read_to_string(path) else {
                return;
            };
            for line in header.lines() {
                let line = line.replace("(__X32_SYSCALL_BIT + ", "").replace(')', "");
                let mut words = line
                    .strip_prefix("#define __NR_")
                    .unwrap_or_default()
                    .split_whitespace();
                if let (Some(name), Some(Ok(number))) =
                    (words.next(), words.next().map(str::parse::<u32>))
                {
                    let known = row(name).and_then(|row| architecture.number(row));
                    let known = known.map(|number| number & !X32_BIT);
                    assert_eq!(known, Some(number), "{file}: {name}");
                }
            }
        }
    }
}
