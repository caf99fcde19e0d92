//! Where musl's loader differs from glibc's: no cache, one kind of search path, and libc is the loader.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{ElfError, malformed};
use super::file::Source;

const DEFAULT: &[u8] = b"/lib:/usr/local/lib:/usr/lib";
const MAX_CONFIG: usize = 64 << 10;

/// musl's system directories.
#[derive(Debug)]
pub(super) struct Directories {
    pub(super) list: Vec<PathBuf>,
    /// The file that lists them, if there is one.
    pub(super) config: Option<PathBuf>,
}

/// The architecture in `ld-musl-ARCH.so.1`; `None` if it is no loader of musl's.
fn architecture(loader: &Path) -> Option<&[u8]> {
    let name = loader.file_name()?.as_bytes();
    name.strip_prefix(b"ld-musl-")?.strip_suffix(b".so.1")
}

/// musl's loaders are told by their name, as musl itself does.
pub(super) fn is_loader(path: &Path) -> bool {
    architecture(path).is_some()
}

/// Reads `etc/ld-musl-ARCH.path` beside the loader's own directory.
pub(super) fn directories(loader: &Path) -> Result<Directories, ElfError> {
    let prefix = loader.parent().and_then(Path::parent);
    let arch = architecture(loader).unwrap_or_default();
    let name = [b"ld-musl-", arch, b".path"].concat();
    let config = prefix
        .unwrap_or(Path::new("/"))
        .join("etc")
        .join(OsStr::from_bytes(&name));
    let Some(source) = Source::open_if_present(&config)? else {
        return Ok(Directories {
            list: split(DEFAULT),
            config: None,
        });
    };
    let bytes = source.read_up_to(0, MAX_CONFIG + 1)?;
    if bytes.as_ref().len() > MAX_CONFIG {
        return Err(malformed(&config, "too long for a list of directories"));
    }
    Ok(Directories {
        list: split(bytes.as_ref()),
        config: Some(config),
    })
}

/// Directories not found in a list without configuration.
pub(super) fn is_default(directory: &Path) -> bool {
    split(DEFAULT).iter().any(|known| known == directory)
}

/// Names that musl's loader takes for itself, so that a foreign libc is never loaded beside it.
pub(super) fn is_builtin(name: &[u8]) -> bool {
    const PARTS: [&[u8]; 7] = [
        b"c.",
        b"pthread.",
        b"rt.",
        b"m.",
        b"dl.",
        b"util.",
        b"xnet.",
    ];
    name.strip_prefix(b"lib")
        .is_some_and(|rest| PARTS.iter().any(|part| rest.starts_with(part)))
}

/// musl knows `$ORIGIN` alone, and drops a search path that has any other token.
pub(super) fn knows_tokens_of(search_path: &[u8]) -> bool {
    let mut parts = search_path.split(|byte| *byte == b'$');
    parts.next();
    parts.all(|part| part.starts_with(b"ORIGIN") || part.starts_with(b"{ORIGIN}"))
}

/// Splits at colons and newlines; what isn't absolute depends on the working directory and is left out.
pub(super) fn split(list: &[u8]) -> Vec<PathBuf> {
    list.split(|byte| matches!(byte, b':' | b'\n'))
        .filter(|directory| directory.starts_with(b"/"))
        .map(|directory| OsStr::from_bytes(directory).into())
        .collect()
}
