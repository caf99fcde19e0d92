//! Machines: what the host runs, and where each keeps its libraries.
use std::fmt;
use std::path::{Path, PathBuf};

use object::elf;

/// What two ELF files must share to live in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Architecture {
    pub(super) machine: u16,
    pub(super) is_64: bool,
    pub(super) big_endian: bool,
}

/// What differs from machine to machine in glibc's search.
#[derive(Debug)]
struct Known {
    arch: Architecture,
    name: &'static str,
    /// Debian's directory name.
    triplet: &'static str,
    /// Everyone else's.
    libdir: &'static str,
    /// `$PLATFORM`, which is the kernel's AT_PLATFORM.
    platform: &'static str,
    /// The flags of an ld.so.cache entry for this machine and its usual ABI.
    cache_flags: u32,
}

const fn known(
    (machine, is_64, big_endian): (elf::Machine, bool, bool),
    name: &'static str,
    (triplet, libdir): (&'static str, &'static str),
    platform: &'static str,
    cache_flags: u32,
) -> Known {
    let arch = Architecture {
        machine: machine.0,
        is_64,
        big_endian,
    };
    Known {
        arch,
        name,
        triplet,
        libdir,
        platform,
        cache_flags,
    }
}

#[rustfmt::skip]
static KNOWN: [Known; 8] = [
    known((elf::EM_X86_64, true, false), "x86-64", ("x86_64-linux-gnu", "lib64"), "x86_64", 0x0303),
    known((elf::EM_X86_64, false, false), "x32", ("x86_64-linux-gnux32", "libx32"), "x86_64", 0x0803),
    known((elf::EM_386, false, false), "i386", ("i386-linux-gnu", "lib"), "i686", 0x0003),
    known((elf::EM_AARCH64, true, false), "aarch64", ("aarch64-linux-gnu", "lib64"), "aarch64", 0x0a03),
    known((elf::EM_ARM, false, false), "arm", ("arm-linux-gnueabihf", "lib"), "v7l", 0x0903),
    known((elf::EM_RISCV, true, false), "riscv64", ("riscv64-linux-gnu", "lib64/lp64d"), "riscv64", 0x1003),
    known((elf::EM_PPC64, true, false), "ppc64le", ("powerpc64le-linux-gnu", "lib64"), "power8", 0x0503),
    known((elf::EM_S390, true, true), "s390x", ("s390x-linux-gnu", "lib64"), "z900", 0x0403),
];

impl Architecture {
    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.arch == self)
    }

    /// Whether this host's kernel runs it without an emulator.
    pub(super) fn runs_here(self) -> bool {
        let natives: &[&str] = match std::env::consts::ARCH {
            "x86_64" => &["x86-64", "i386", "x32"],
            "x86" => &["i386"],
            "aarch64" => &["aarch64", "arm"],
            "powerpc64" => &["ppc64le"],
            other => &[other],
        };
        self.known()
            .is_some_and(|known| natives.contains(&known.name))
    }

    pub(super) fn is_x86_64(self) -> bool {
        self.machine == elf::EM_X86_64.0 && self.is_64
    }

    pub(super) fn platform(self) -> &'static str {
        self.known().map_or("", |known| known.platform)
    }

    /// Whether an ld.so.cache entry with these flags is for this machine.
    pub(super) fn accepts_cache_flags(self, flags: u32) -> bool {
        // 1 is "some ELF library", which only the i386 loader takes.
        self.known().is_some_and(|known| flags == known.cache_flags)
            || (flags == 1 && self.machine == elf::EM_386.0)
    }

    /// Where this host's glibc looks at last, and what it puts for `$LIB`. Both are compiled into the loader;
    /// they follow the distribution's layout, so the layout tells them.
    pub(super) fn system_directories(self, root: &Path) -> (Vec<PathBuf>, String) {
        let both = |lib: &str| [root.join(lib), root.join("usr").join(lib)];
        let Some(known) = self.known() else {
            return (both("lib").into(), "lib".to_owned());
        };
        let multiarch = format!("lib/{}", known.triplet);
        if both(&multiarch).iter().any(|path| path.is_dir()) {
            return ([both(&multiarch), both("lib")].concat(), multiarch);
        }
        // Where lib64 is a link to lib (Arch), lib is the name that the loader knows.
        let own = root.join("usr").join(known.libdir);
        if own.is_dir() && !own.is_symlink() {
            return (both(known.libdir).into(), known.libdir.to_owned());
        }
        (both("lib").into(), "lib".to_owned())
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(known) = self.known() {
            return formatter.write_str(known.name);
        }
        let bits = if self.is_64 { 64 } else { 32 };
        let order = if self.big_endian { "big" } else { "little" };
        write!(
            formatter,
            "machine {} ({bits} bit, {order} endian)",
            self.machine
        )
    }
}

/// The `glibc-hwcaps` subdirectories that this CPU may use, best first.
pub(super) fn host_hwcaps() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let v2 = has!("cmpxchg16b")
            && has!("popcnt")
            && has!("sse3")
            && has!("ssse3")
            && has!("sse4.1")
            && has!("sse4.2");
        let v3 = v2
            && has!("avx")
            && has!("avx2")
            && has!("bmi1")
            && has!("bmi2")
            && has!("f16c")
            && has!("fma")
            && has!("lzcnt")
            && has!("movbe");
        let v4 = v3
            && has!("avx512f")
            && has!("avx512bw")
            && has!("avx512cd")
            && has!("avx512dq")
            && has!("avx512vl");
        let levels = [(v4, "x86-64-v4"), (v3, "x86-64-v3"), (v2, "x86-64-v2")];
        levels
            .into_iter()
            .filter_map(|(has, name)| has.then_some(name))
            .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}
