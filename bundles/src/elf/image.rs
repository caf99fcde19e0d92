//! One ELF file: its machine, its loader, and what its dynamic section asks for.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, pod};

use super::arch::Architecture;
use super::error::{ElfError, malformed};
use super::file::{Bytes, Source};
use super::resolver::Limits;

/// The kernel takes no larger table of program headers.
const MAX_PROGRAM_HEADERS: usize = 64 << 10;
/// PATH_MAX: no longer name can be opened.
const MAX_NAME: usize = 4096;
/// Search paths of large software stacks hold hundreds of directories.
const MAX_SEARCH_PATH: usize = 64 << 10;
/// 65,536 entries on a 64 bit machine; the largest known programs have some hundreds.
const MAX_DYNAMIC: usize = 1 << 20;

/// What is read at first of a dynamic section and of a name: nearly always the whole of it, and the segment goes on for as
/// much as a megabyte.
const LIKELY_DYNAMIC: usize = 1 << 10;
const LIKELY_NAME: usize = 1 << 8;

/// What the loader reads from an ELF file.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) arch: Architecture,
    /// `PT_INTERP`.
    pub(super) interpreter: Option<PathBuf>,
    /// False for relocatable objects and core dumps.
    pub(super) is_loadable: bool,
    /// Whether execution could start in it: a plain shared library has no entry point.
    pub(super) has_entry: bool,
    pub(super) dynamic: Option<Dynamic>,
}

/// What the dynamic section says about other files.
#[derive(Debug, Default)]
pub(super) struct Dynamic {
    pub(super) needed: Vec<Needed>,
    pub(super) soname: Option<Vec<u8>>,
    pub(super) rpath: Option<Vec<u8>>,
    pub(super) runpath: Option<Vec<u8>>,
    /// `DF_1_NODEFLIB`: neither system directories nor what the cache says of them.
    pub(super) no_default_directories: bool,
}

/// One library that an object asks for.
#[derive(Debug)]
pub(super) struct Needed {
    pub(super) name: Vec<u8>,
    /// `DT_AUXILIARY`: the loader goes on without it.
    pub(super) optional: bool,
    /// `DT_AUXILIARY` or `DT_FILTER`: comes before whatever was needed earlier.
    pub(super) filter: bool,
}

impl Image {
    pub(super) fn parse(source: &Source, limits: &Limits) -> Result<Self, ElfError> {
        let ident = source.read_exact(0, 16, "shorter than an ELF header")?;
        let ident = ident.as_ref();
        match ident[4] {
            _ if !ident.starts_with(&elf::ELFMAG) => Err(malformed(source.path(), "no ELF file")),
            1 => Parser::<FileHeader32<Endianness>>::image(source, limits),
            2 => Parser::<FileHeader64<Endianness>>::image(source, limits),
            _ => Err(malformed(source.path(), "neither 32 nor 64 bit")),
        }
    }

    /// Only the machine: enough to pass over a library for another one, whatever state it is in.
    pub(super) fn architecture(source: &Source) -> Result<Architecture, ElfError> {
        let start = source.read_exact(0, 20, "shorter than an ELF header")?;
        let bytes = start.as_ref();
        if !bytes.starts_with(&elf::ELFMAG) {
            return Err(malformed(source.path(), "no ELF file"));
        }
        let big_endian = bytes[5] == 2;
        let machine = [bytes[18], bytes[19]];
        Ok(Architecture {
            machine: if big_endian {
                u16::from_be_bytes(machine)
            } else {
                u16::from_le_bytes(machine)
            },
            is_64: bytes[4] == 2,
            big_endian,
        })
    }
}

/// A `PT_LOAD`: where a range of addresses lies in the file.
#[derive(Debug)]
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

struct Parser<'s, Elf: FileHeader<Endian = Endianness>> {
    source: &'s Source,
    endian: Endianness,
    headers: Vec<Elf::ProgramHeader>,
    segments: Vec<Segment>,
}

impl<'s, Elf: FileHeader<Endian = Endianness>> Parser<'s, Elf> {
    fn image(source: &'s Source, limits: &Limits) -> Result<Image, ElfError> {
        let bytes = source.read_exact(0, size_of::<Elf>(), "shorter than an ELF header")?;
        let header = Elf::parse(bytes.as_ref())
            .map_err(|_| malformed(source.path(), "unknown ELF version or byte order"))?;
        let endian = header
            .endian()
            .map_err(|_| malformed(source.path(), "unknown byte order"))?;
        let headers = program_headers(source, header, endian)?;
        let segments = headers
            .iter()
            .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
            .map(|segment| Segment {
                address: segment.p_vaddr(endian).into(),
                offset: segment.p_offset(endian).into(),
                size: segment.p_filesz(endian).into(),
            })
            .collect();
        let parser = Self {
            source,
            endian,
            headers,
            segments,
        };
        Ok(Image {
            arch: Architecture {
                machine: header.e_machine(endian).0,
                is_64: header.is_class_64(),
                big_endian: header.is_big_endian(),
            },
            interpreter: parser.interpreter()?,
            is_loadable: matches!(header.e_type(endian), elf::ET_EXEC | elf::ET_DYN),
            has_entry: header.e_entry(endian).into() != 0,
            dynamic: parser.dynamic(limits)?,
        })
    }

    fn malformed(&self, what: &'static str) -> ElfError {
        malformed(self.source.path(), what)
    }

    fn limit(&self, what: &'static str, limit: usize) -> ElfError {
        let path = self.source.path().to_owned();
        ElfError::Limit { path, what, limit }
    }

    /// Like the kernel: the first one counts, and it ends in a zero byte.
    fn interpreter(&self) -> Result<Option<PathBuf>, ElfError> {
        let is_interpreter =
            |header: &&Elf::ProgramHeader| header.p_type(self.endian) == elf::PT_INTERP;
        let Some(header) = self.headers.iter().find(is_interpreter) else {
            return Ok(None);
        };
        let length: u64 = header.p_filesz(self.endian).into();
        let length = usize::try_from(length)
            .ok()
            .filter(|length| (2..=MAX_NAME).contains(length))
            .ok_or_else(|| self.malformed("the name of its loader has an impossible length"))?;
        let offset = header.p_offset(self.endian).into();
        let truncated = "the name of its loader lies beyond the end of the file";
        let bytes = self.source.read_exact(offset, length, truncated)?;
        let name = until_zero(bytes.as_ref())
            .ok_or_else(|| self.malformed("the name of its loader has no end"))?;
        match name.starts_with(b"/") {
            true => Ok(Some(OsStr::from_bytes(name).into())),
            false => Err(self.malformed("the name of its loader is not an absolute path")),
        }
    }

    fn dynamic(&self, limits: &Limits) -> Result<Option<Dynamic>, ElfError> {
        // The last one counts for the loader, and it goes by the address, not by the offset.
        // Without contents it stands in a file that holds debugging information only.
        let is_dynamic = |header: &&Elf::ProgramHeader| {
            header.p_type(self.endian) == elf::PT_DYNAMIC && header.p_filesz(self.endian).into() > 0
        };
        let Some(header) = self.headers.iter().rev().find(is_dynamic) else {
            return Ok(None);
        };
        let address = header.p_vaddr(self.endian).into();
        let entries_of = |bytes: &[u8]| {
            let count = bytes.len() / size_of::<Elf::Dyn>();
            let (entries, _) = pod::slice_from_bytes::<Elf::Dyn>(bytes, count)
                .map_err(|()| self.malformed("its dynamic section is not aligned"))?;
            let end = |entry: &Elf::Dyn| entry.d_tag(self.endian) == elf::DT_NULL;
            let end = entries.iter().position(end);
            Ok(end.map(|end| entries[..end].to_vec()))
        };
        match self.ended(address, LIKELY_DYNAMIC, MAX_DYNAMIC, entries_of)? {
            Ok(entries) => self.entries(&entries, limits).map(Some),
            Err(available) if available > MAX_DYNAMIC as u64 => {
                Err(self.limit("bytes in the dynamic section", MAX_DYNAMIC))
            }
            Err(_) => Err(self.malformed("its dynamic section has no end")),
        }
    }

    fn entries(&self, entries: &[Elf::Dyn], limits: &Limits) -> Result<Dynamic, ElfError> {
        let value = |tag| {
            let entry = entries.iter().rev().find(|e| e.d_tag(self.endian) == tag);
            entry.map(|entry| entry.d_val(self.endian).into())
        };
        let strings: Option<u64> = value(elf::DT_STRTAB);
        let string = |offset: u64, limit| {
            let table = strings.ok_or_else(|| self.malformed("it has no dynamic string table"))?;
            self.string(table, offset, limit)
        };
        let optional_string = |tag, limit| value(tag).map(|at| string(at, limit)).transpose();
        let mut dynamic = Dynamic {
            soname: optional_string(elf::DT_SONAME, MAX_NAME)?,
            rpath: optional_string(elf::DT_RPATH, MAX_SEARCH_PATH)?,
            runpath: optional_string(elf::DT_RUNPATH, MAX_SEARCH_PATH)?,
            no_default_directories: value(elf::DT_FLAGS_1)
                .is_some_and(|flags| flags & elf::DF_1_NODEFLIB.0 != 0),
            ..Dynamic::default()
        };
        for entry in entries {
            let tag = entry.d_tag(self.endian);
            if !matches!(tag, elf::DT_NEEDED | elf::DT_AUXILIARY | elf::DT_FILTER) {
                continue;
            }
            if dynamic.needed.len() >= limits.needed {
                return Err(self.limit("needed libraries", limits.needed));
            }
            let name = string(entry.d_val(self.endian).into(), MAX_NAME)?;
            if name.is_empty() {
                return Err(self.malformed("it needs a library without a name"));
            }
            dynamic.needed.push(Needed {
                name,
                optional: tag == elf::DT_AUXILIARY,
                filter: tag != elf::DT_NEEDED,
            });
        }
        Ok(dynamic)
    }

    /// DT_STRSZ is left aside: the loader goes on to the zero byte, and so do we, within the segment.
    fn string(&self, table: u64, offset: u64, limit: usize) -> Result<Vec<u8>, ElfError> {
        let address = table
            .checked_add(offset)
            .ok_or_else(|| self.malformed("a string's address is impossible"))?;
        let text_of = |bytes: &[u8]| Ok(until_zero(bytes).map(<[u8]>::to_owned));
        match self.ended(address, LIKELY_NAME, limit, text_of)? {
            Ok(text) => Ok(text),
            Err(available) if available > limit as u64 => Err(self.limit("bytes in a name", limit)),
            Err(_) => Err(self.malformed("a string has no end")),
        }
    }

    /// What `read` makes of the bytes at an address, of which it tells whether their end is among them: of the first `likely`
    /// ones, or else of the first `limit`. Where there is no end, how many bytes the segment has from there.
    fn ended<T>(
        &self,
        address: u64,
        likely: usize,
        limit: usize,
        read: impl Fn(&[u8]) -> Result<Option<T>, ElfError>,
    ) -> Result<Result<T, u64>, ElfError> {
        let (bytes, _) = self.at_address(address, likely.min(limit))?;
        if let Some(whole) = read(bytes.as_ref())? {
            return Ok(Ok(whole));
        }
        let (bytes, available) = self.at_address(address, limit)?;
        Ok(read(bytes.as_ref())?.ok_or(available))
    }

    /// Up to `limit` bytes of what will be at an address, and how many the segment has from there.
    fn at_address(&self, address: u64, limit: usize) -> Result<(Bytes, u64), ElfError> {
        let within = |segment: &Segment| {
            let skip = address.checked_sub(segment.address)?;
            let available = segment.size.checked_sub(skip).filter(|left| *left > 0)?;
            Some((segment.offset.checked_add(skip)?, available))
        };
        // A later segment is mapped over an earlier one.
        let (offset, available) = self
            .segments
            .iter()
            .rev()
            .find_map(within)
            .ok_or_else(|| self.malformed("an address lies in no segment"))?;
        let length = usize::try_from(available).map_or(limit, |available| available.min(limit));
        Ok((self.source.read_up_to(offset, length)?, available))
    }
}

fn program_headers<Elf: FileHeader<Endian = Endianness>>(
    source: &Source,
    header: &Elf,
    endian: Endianness,
) -> Result<Vec<Elf::ProgramHeader>, ElfError> {
    let count = usize::from(header.e_phnum(endian));
    let size = size_of::<Elf::ProgramHeader>();
    if count > 0 && usize::from(header.e_phentsize(endian)) != size {
        return Err(malformed(
            source.path(),
            "its program headers have a wrong size",
        ));
    }
    if count * size > MAX_PROGRAM_HEADERS {
        return Err(ElfError::Limit {
            path: source.path().to_owned(),
            what: "bytes of program headers",
            limit: MAX_PROGRAM_HEADERS,
        });
    }
    let truncated = "its program headers lie beyond the end of the file";
    let bytes = source.read_exact(header.e_phoff(endian).into(), count * size, truncated)?;
    let (headers, _) = pod::slice_from_bytes(bytes.as_ref(), count)
        .map_err(|()| malformed(source.path(), "its program headers are not aligned"))?;
    Ok(headers.to_vec())
}

fn until_zero(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some(&bytes[..end])
}
