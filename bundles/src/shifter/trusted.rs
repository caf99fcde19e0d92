//! Files that root acts upon, opened so that nobody else can have written them or put them there.
//!
//! Owner and mode are looked at on what was opened, for the file and for every directory and link that leads to it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat};

use crate::bundle::names;

/// Root, to whom what root acts upon has to belong.
pub const ROOT: [u32; 1] = [0];

/// As many links as path_resolution(7) follows.
const MAX_LINKS: usize = 40;

const OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Why a file isn't acted upon. One line, naming what of the path is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Where it is would depend on the caller.
    #[error("{}: must be an absolute path", .0.display())]
    Relative(PathBuf),
    /// It isn't there, or can't be opened.
    #[error("{}: {source}", path.display())]
    Io {
        /// How far the path was followed.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Links in a circle, or nearly.
    #[error("{}: more than {MAX_LINKS} symbolic links", .0.display())]
    TooManyLinks(PathBuf),
    /// Somebody else could have written it, or put it there.
    #[error("{} {problem}", path.display())]
    Untrusted {
        /// What of the path it is: the file, or a directory or link that leads to it.
        path: PathBuf,
        /// Whose it is, or who may write it.
        problem: String,
    },
    /// Not a regular file, where one has to be.
    #[error("{}: is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// More than anybody writes by hand.
    #[error("{}: more than {most} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        most: u64,
    },
}

/// A path that was followed to its end.
#[derive(Debug)]
pub struct Trusted {
    /// The end, opened with `O_PATH`.
    pub descriptor: OwnedFd,
    /// Its path, free of links.
    pub path: PathBuf,
    /// What it is.
    pub kind: FileType,
}

/// Follows `path` to its end, every part of which has to belong to one of `owners` and must not be writable by
/// others. A sticky directory, such as `/tmp`, is fine: others can't replace there what isn't theirs.
///
/// # Errors
/// [`TrustError`], naming the part.
pub fn follow(path: &Path, owners: &[u32]) -> Result<Trusted, TrustError> {
    Ok(walk(path, owners)?.0)
}

/// Reads a regular file of at most `most` bytes, as [`follow`] finds it.
///
/// # Errors
/// [`TrustError`], naming the part.
pub fn read(path: &Path, owners: &[u32], most: u64) -> Result<Vec<u8>, TrustError> {
    let (found, above) = walk(path, owners)?;
    let (Some(above), Some(name)) = (above, found.path.file_name()) else {
        return Err(TrustError::NotAFile(found.path));
    };
    let failed = |source: io::Error| TrustError::Io {
        path: found.path.clone(),
        source,
    };
    if found.kind != FileType::RegularFile {
        return Err(TrustError::NotAFile(found.path));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&above, name, flags, Mode::empty()).map_err(|errno| failed(errno.into()))?;
    // It may have been replaced since, by one of the owners.
    let status = fstat(&file).map_err(|errno| failed(errno.into()))?;
    if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
        return Err(TrustError::NotAFile(found.path));
    }
    must_be_of(&status, &found.path, owners)?;
    let mut text = vec![];
    File::from(file)
        .take(most + 1)
        .read_to_end(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > most {
        let path = found.path;
        return Err(TrustError::TooLarge { path, most });
    }
    Ok(text)
}

/// The end of `path`, and the directory that it is in.
fn walk(path: &Path, owners: &[u32]) -> Result<(Trusted, Option<OwnedFd>), TrustError> {
    if !path.is_absolute() {
        return Err(TrustError::Relative(path.to_path_buf()));
    }
    let mut stack = vec![step(CWD, Path::new("/"), PathBuf::from("/"), owners)?];
    let mut ahead = names(path);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            stack.truncate(stack.len().saturating_sub(1).max(1));
            continue;
        }
        let above = &stack[stack.len() - 1];
        let next = step(
            above.descriptor.as_fd(),
            Path::new(&name),
            above.path.join(&name),
            owners,
        )?;
        if next.kind != FileType::Symlink {
            stack.push(next);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(TrustError::TooManyLinks(path.to_path_buf()));
        }
        let target = readlinkat(&next.descriptor, "", vec![]).map_err(|errno| TrustError::Io {
            path: next.path.clone(),
            source: errno.into(),
        })?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        if target.is_absolute() {
            stack.truncate(1);
        }
        for name in names(&target).into_iter().rev() {
            ahead.push_front(name);
        }
    }
    let end = stack.pop();
    let above = stack.pop().map(|directory| directory.descriptor);
    end.map(|end| (end, above))
        .ok_or_else(|| TrustError::Relative(path.to_path_buf()))
}

/// One part of a path, opened without following it and then looked at.
fn step(
    above: impl AsFd,
    name: &Path,
    path: PathBuf,
    owners: &[u32],
) -> Result<Trusted, TrustError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(above, name, flags, Mode::empty())
        .and_then(|descriptor| Ok((fstat(&descriptor)?, descriptor)));
    let (status, descriptor) = opened.map_err(|errno| TrustError::Io {
        path: path.clone(),
        source: errno.into(),
    })?;
    must_be_of(&status, &path, owners)?;
    Ok(Trusted {
        descriptor,
        path,
        kind: FileType::from_raw_mode(status.st_mode),
    })
}

fn must_be_of(status: &Stat, path: &Path, owners: &[u32]) -> Result<(), TrustError> {
    let refuse = |problem| {
        Err(TrustError::Untrusted {
            path: path.to_path_buf(),
            problem,
        })
    };
    if !owners.contains(&status.st_uid) {
        let wanted: Vec<String> = owners.iter().map(u32::to_string).collect();
        let wanted = wanted.join(" or ");
        return refuse(format!("belongs to uid {}, not to {wanted}", status.st_uid));
    }
    let kind = FileType::from_raw_mode(status.st_mode);
    // A link has no mode, and a sticky directory keeps what others don't own.
    let is_kept =
        kind == FileType::Symlink || kind == FileType::Directory && status.st_mode & STICKY != 0;
    if status.st_mode & OTHERS != 0 && !is_kept {
        let mode = status.st_mode & 0o7777;
        return refuse(format!("may be written by others (mode {mode:04o})"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// A directory of the caller's with `deep/file` and links to it, and the caller's own and root's ids.
    fn tree() -> (tempfile::TempDir, Vec<u32>) {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path();
        fs::create_dir(base.join("deep")).unwrap();
        fs::write(base.join("deep/file"), "text").unwrap();
        mode(&base.join("deep/file"), 0o644);
        mode(&base.join("deep"), 0o755);
        symlink("deep", base.join("link")).unwrap();
        symlink(base.join("link/../deep/file"), base.join("absolute")).unwrap();
        symlink("circle", base.join("circle")).unwrap();
        let owners = vec![0, directory.path().metadata().unwrap().uid()];
        (directory, owners)
    }

    #[test]
    fn a_file_is_read_through_links_that_belong_to_the_owners() {
        let (directory, owners) = tree();
        let base = directory.path().canonicalize().unwrap();
        for name in ["deep/file", "link/file", "absolute"] {
            assert_eq!(read(&base.join(name), &owners, 4).unwrap(), b"text");
            let found = follow(&base.join(name), &owners).unwrap();
            assert_eq!(found.path, base.join("deep/file"), "{name}");
        }
    }

    #[test]
    fn what_others_may_write_is_refused_wherever_it_is_on_the_way() {
        let (directory, owners) = tree();
        let base = directory.path();
        let refused = |name: &str| follow(&base.join(name), &owners).unwrap_err().to_string();
        for open in [0o775, 0o757] {
            mode(&base.join("deep"), open);
            let message = refused("link/file");
            assert!(
                message.contains("deep may be written by others"),
                "{message}"
            );
            mode(&base.join("deep"), 0o755);
            mode(&base.join("deep/file"), open);
            let message = refused("absolute");
            assert!(message.contains("deep/file may be written"), "{message}");
            mode(&base.join("deep/file"), 0o644);
        }
        mode(&base.join("deep"), 0o1777);
        follow(&base.join("link/file"), &owners).unwrap();
    }

    #[test]
    fn what_belongs_to_others_is_refused() {
        let (directory, _) = tree();
        let file = directory.path().join("deep/file");
        // Nobody is 4294967294, so something on the way isn't theirs.
        let error = read(&file, &[u32::MAX - 1], 10).unwrap_err();
        assert!(matches!(error, TrustError::Untrusted { .. }), "{error}");
    }

    #[test]
    fn what_is_no_file_or_too_long_is_refused() {
        let (directory, owners) = tree();
        let base = directory.path();
        let error = |name: &str, most| read(&base.join(name), &owners, most).unwrap_err();
        assert!(matches!(error("deep", 9), TrustError::NotAFile(_)));
        assert!(matches!(error("deep/file", 3), TrustError::TooLarge { .. }));
        assert!(matches!(error("circle", 9), TrustError::TooManyLinks(_)));
        assert!(matches!(error("deep/file/x", 9), TrustError::Io { .. }));
        assert!(matches!(error("nothing", 9), TrustError::Io { .. }));
        assert!(matches!(
            follow(Path::new("deep"), &owners),
            Err(TrustError::Relative(_))
        ));
    }
}
