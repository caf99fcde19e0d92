//! `/etc/ld.so.cache`: which library is where, as ldconfig last saw it.
//!
//! The format is glibc's `sysdeps/generic/dl-cache.h`: a header, entries, strings and, since 2.33, extension
//! sections. The pre-2.2 format can come first, with the newer one behind it.
use std::ffi::{CStr, OsStr};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::arch::Architecture;
use super::error::{ElfError, malformed};
use super::file::{Source, Version};

const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const NEW_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const EXTENSION_MAGIC: u32 = 0xeaa4_2174;
const EXTENSION_HWCAPS: u32 = 1;
/// Real ones have some hundred kilobytes.
const MAX_SIZE: usize = 64 << 20;
/// PATH_MAX.
const MAX_STRING: usize = 4096;

/// The parsed cache. Lookups are by exact name, so the order that glibc's binary search needs is of no matter: a command asks
/// for a few names of a thousand, and looking through them costs less than an index of all.
#[derive(Debug, Clone, Default)]
pub(super) struct LdCache {
    /// The file, in which the entries' strings are.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Names of `glibc-hwcaps` subdirectories, which entries refer to by index.
    subdirectories: Vec<Vec<u8>>,
    /// The file that it was read from, where there was one.
    version: Option<Version>,
}

#[derive(Debug, Clone)]
struct Entry {
    flags: u32,
    hwcap: u64,
    name: Range<usize>,
    path: Range<usize>,
}

impl LdCache {
    /// An absent cache is an empty one, as it is for the loader.
    pub(super) fn read(path: &Path) -> Result<Self, ElfError> {
        let Some(source) = Source::open_if_present(path)? else {
            return Ok(Self::default());
        };
        let bytes = source.read_up_to(0, MAX_SIZE + 1)?;
        if bytes.as_ref().len() > MAX_SIZE {
            return Err(ElfError::Limit {
                path: path.to_owned(),
                what: "bytes in the loader's cache",
                limit: MAX_SIZE,
            });
        }
        let cache = Self::parse(bytes.as_ref()).map_err(|what| malformed(path, what))?;
        Ok(Self {
            version: Some(source.version()),
            ..cache
        })
    }

    /// Whether reading `path` now would give this.
    pub(super) fn is_of(&self, path: &Path) -> bool {
        self.version == Version::at(path)
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let file = Reader(bytes);
        if bytes.starts_with(NEW_MAGIC) {
            return Self::parse_new(file, 0);
        }
        if !bytes.starts_with(OLD_MAGIC) {
            return Err("not a cache of a known format");
        }
        let count = file.word(12)?;
        let end = table_end(16, count, 12).ok_or("more entries than bytes")?;
        // The newer part is aligned as its entries are: to 8 bytes, on i386 to 4.
        for start in [end.next_multiple_of(8), end.next_multiple_of(4)] {
            if bytes
                .get(start..)
                .is_some_and(|new| new.starts_with(NEW_MAGIC))
            {
                return Self::parse_new(file, start);
            }
        }
        Self::default().with_entries(file, 0, (16, count, 12), end)
    }

    /// The newer header is at `start`; extensions are addressed from the start of the file.
    fn parse_new(file: Reader<'_>, start: usize) -> Result<Self, &'static str> {
        const HEADER: usize = 48;
        let count = file.word(start + 20)?;
        let mut cache = Self::default();
        match file.word(start + 32)? {
            0 => {}
            offset => cache.subdirectories = hwcaps_section(file, offset as usize)?,
        }
        cache.with_entries(file, start, (HEADER, count, 24), start)
    }

    /// The table is so far behind the header at `header`, and strings are addressed from `strings`.
    fn with_entries(
        mut self,
        file: Reader<'_>,
        header: usize,
        (behind, count, size): (usize, u32, usize),
        strings: usize,
    ) -> Result<Self, &'static str> {
        let start = header + behind;
        let end = table_end(start, count, size).filter(|end| *end <= file.0.len());
        let end = end.ok_or("more entries than bytes")?;
        let string = |at: usize| -> Result<Range<usize>, &'static str> {
            let from = strings.saturating_add(file.word(at)? as usize);
            Ok(from..from + file.string(from)?.len())
        };
        self.entries.reserve(count as usize);
        for at in (start..end).step_by(size) {
            let hwcap = match size {
                24 => file.long(at + 16)?,
                _ => 0,
            };
            self.entries.push(Entry {
                flags: file.word(at)?,
                hwcap,
                name: string(at + 4)?,
                path: string(at + 8)?,
            });
        }
        self.bytes = file.0.to_owned();
        Ok(self)
    }

    /// The best entry for a machine with these `glibc-hwcaps`, best first.
    pub(super) fn lookup(&self, name: &[u8], arch: Architecture, hwcaps: &[&str]) -> Option<&Path> {
        self.entries
            .iter()
            .filter(|entry| &self.bytes[entry.name.clone()] == name)
            .filter(|entry| arch.accepts_cache_flags(entry.flags))
            .filter_map(|entry| Some((self.rank(entry, hwcaps)?, entry)))
            // Of equals, the first one: min_by_key keeps it.
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, entry)| Path::new(OsStr::from_bytes(&self.bytes[entry.path.clone()])))
    }

    /// Lower is better, plain entries come last, and `None` can't be used.
    fn rank(&self, entry: &Entry, hwcaps: &[&str]) -> Option<usize> {
        if entry.hwcap == 0 {
            return Some(usize::MAX);
        }
        let high = entry.hwcap >> 32;
        // Bit 62 and nothing else but an instruction set level marks an index into the extension. What is left
        // are hardware bits of before 2.37, whose subdirectories no longer exist.
        if high & !0x3ff != 1 << 30 {
            return None;
        }
        // Levels count from the baseline; each of `hwcaps` is one level above it.
        let level = usize::try_from(high & 0x3ff).ok()?;
        let index = usize::try_from(entry.hwcap & 0xffff_ffff).ok()?;
        let name = self.subdirectories.get(index)?;
        let rank = hwcaps.iter().position(|known| known.as_bytes() == name)?;
        (level <= hwcaps.len()).then_some(rank)
    }
}

fn table_end(start: usize, count: u32, size: usize) -> Option<usize> {
    start.checked_add((count as usize).checked_mul(size)?)
}

fn hwcaps_section(file: Reader<'_>, offset: usize) -> Result<Vec<Vec<u8>>, &'static str> {
    if file.word(offset)? != EXTENSION_MAGIC {
        return Err("its extension has a wrong magic number");
    }
    let count = file.word(offset + 4)?;
    let end = table_end(offset + 8, count, 16).filter(|end| *end <= file.0.len());
    let end = end.ok_or("more extensions than bytes")?;
    for at in (offset + 8..end).step_by(16) {
        if file.word(at)? != EXTENSION_HWCAPS {
            continue;
        }
        let (data, size) = (file.word(at + 8)? as usize, file.word(at + 12)?);
        let end = table_end(data, size / 4, 4).filter(|end| *end <= file.0.len());
        return (data..end.ok_or("an extension lies beyond its end")?)
            .step_by(4)
            // Behind an old-format cache, ldconfig and the loader count from different places, so the loader
            // reads wrong names and passes over these entries. So do we.
            .map(|at| {
                Ok(file
                    .string(file.word(at)? as usize)
                    .unwrap_or_default()
                    .to_owned())
            })
            .collect();
    }
    Ok(Vec::new())
}

/// Words in the host's byte order and strings, at offsets that may be anything.
#[derive(Debug, Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], &'static str> {
        let bytes = self.0.get(at..).and_then(|rest| rest.first_chunk());
        bytes.copied().ok_or("cut short")
    }

    fn word(self, at: usize) -> Result<u32, &'static str> {
        self.array(at).map(u32::from_ne_bytes)
    }

    fn long(self, at: usize) -> Result<u64, &'static str> {
        self.array(at).map(u64::from_ne_bytes)
    }

    fn string(self, at: usize) -> Result<&'a [u8], &'static str> {
        let rest = self.0.get(at..).ok_or("a string lies beyond its end")?;
        let rest = &rest[..rest.len().min(MAX_STRING)];
        let text = CStr::from_bytes_until_nul(rest).map_err(|_| "a string has no end")?;
        Ok(text.to_bytes())
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;
    use object::elf;

    const X86_64: Architecture = Architecture {
        machine: elf::EM_X86_64.0,
        is_64: true,
        big_endian: false,
    };
    const I386: Architecture = Architecture {
        machine: elf::EM_386.0,
        is_64: false,
        big_endian: false,
    };

    fn fixture(format: &str) -> Vec<u8> {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/elf");
        std::fs::read(data.join(format!("ld.so.cache.{format}"))).unwrap()
    }

    #[test]
    fn the_best_usable_entry_is_found_in_every_format() {
        const V2: &[&str] = &["x86-64-v2"];
        const V3: &[&str] = &["x86-64-v3", "x86-64-v2"];
        let in_lib = |name: &str| Some(Path::new("/opt/fix/lib").join(name));
        let (plain, v2, v3) = (
            in_lib("libfix.so.1"),
            in_lib("glibc-hwcaps/x86-64-v2/libfix.so.1"),
            in_lib("glibc-hwcaps/x86-64-v3/libfix.so.1"),
        );
        for (format, name, arch, hwcaps, expected) in [
            ("new", "libfix.so.1", X86_64, V3, &v3),
            ("new", "libfix.so.1", X86_64, V2, &v2),
            ("new", "libfix.so.1", X86_64, &[], &plain),
            ("new", "libfix.so.1", I386, V3, &None),
            ("new", "libplain.so.2", X86_64, V3, &in_lib("libplain.so.2")),
            ("new", "libplain.so", X86_64, V3, &None),
            ("new", "lib32.so", I386, &[], &in_lib("lib32.so")),
            ("new", "lib32.so", X86_64, &[], &None),
            ("compat", "libfix.so.1", X86_64, V3, &plain),
            ("compat", "lib32.so", I386, &[], &in_lib("lib32.so")),
            (
                "old",
                "libplain.so.2",
                X86_64,
                &[],
                &in_lib("libplain.so.2"),
            ),
        ] {
            let cache = LdCache::parse(&fixture(format)).unwrap();
            let found = cache.lookup(name.as_bytes(), arch, hwcaps);
            assert_eq!(
                found.map(Path::to_owned),
                *expected,
                "{format} {name} {arch} {hwcaps:?}"
            );
        }
    }

    #[test]
    fn levels_and_bits_that_the_cpu_lacks_rule_an_entry_out() {
        let cache = LdCache {
            subdirectories: vec![b"x86-64-v2".to_vec()],
            ..LdCache::default()
        };
        let entry = |hwcap| Entry {
            flags: 0x0303,
            hwcap,
            name: 0..0,
            path: 0..0,
        };
        let extension = 1 << 62;
        for (hwcap, expected) in [
            (0, Some(usize::MAX)),
            (extension, Some(0)),
            (extension | 1 << 32, Some(0)),
            (extension | 2 << 32, None),
            (extension | 1, None),
            (1 << 1, None),
            (1 << 63, None),
        ] {
            assert_eq!(
                cache.rank(&entry(hwcap), &["x86-64-v2"]),
                expected,
                "{hwcap:#x}"
            );
        }
    }

    #[test]
    fn a_damaged_cache_is_an_error_or_another_cache_and_never_a_panic() {
        for format in ["new", "compat", "old"] {
            let whole = fixture(format);
            for length in 0..whole.len() {
                let _ = LdCache::parse(&whole[..length]);
            }
            for (at, value) in (0..whole.len()).flat_map(|at| [(at, 0xff), (at, 0x7f), (at, 0)]) {
                let mut damaged = whole.clone();
                damaged[at] = value;
                let _ = LdCache::parse(&damaged);
            }
        }
        assert!(LdCache::parse(b"").is_err());
        assert!(LdCache::parse(&fixture("new")[..100]).is_err());
    }

    #[test]
    fn an_absent_cache_is_an_empty_one() {
        let cache = LdCache::read(Path::new("/nonexistent/ld.so.cache")).unwrap();
        assert!(cache.entries.is_empty());
    }
}
