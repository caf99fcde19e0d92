//! A directory of the host's as an image: `local:/DIRECTORY`, where the site allows that.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, fstatfs, openat, openat2};

use super::access::Caller;
use super::meta::{Format, Meta};
use super::store::{Identifier, Image};

/// Kernel interfaces that are no trees of files: `PROC_SUPER_MAGIC` and `SYSFS_MAGIC` of linux/magic.h.
const KERNELS: [u32; 2] = [0x9fa0, 0x6265_6572];

/// Why a directory can't be an image. One line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// The site doesn't want any.
    #[error("image local:{0}: the site allows no local images; it would say allowLocalChroot=1")]
    NotAllowed(String),
    /// Where it is would depend on where the user is.
    #[error("image local:{0}: must be an absolute path")]
    Relative(String),
    /// It isn't there, or the user may not read it.
    #[error("image local:{}: {source}", path.display())]
    Io {
        /// As it was asked for.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It isn't what it should be.
    #[error("image local:{} {problem}", path.display())]
    Unfit {
        /// As it was asked for.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl Image {
    /// Opens the directory `text` for `caller`, whose ids the calling thread has: links are followed and the directory is
    /// read with the user's rights. It has to be the user's or root's; others could put there what they like.
    ///
    /// # Errors
    /// [`LocalError`].
    pub fn local(text: &str, caller: &Caller) -> Result<Self, LocalError> {
        let path = Path::new(text);
        if !path.is_absolute() {
            return Err(LocalError::Relative(text.to_owned()));
        }
        let failed = |errno: rustix::io::Errno| LocalError::Io {
            path: path.to_path_buf(),
            source: errno.into(),
        };
        let unfit = |problem: String| LocalError::Unfit {
            path: path.to_path_buf(),
            problem,
        };
        let file = open(path).map_err(failed)?;
        let status = fstat(&file).map_err(failed)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
            return Err(unfit("is not a directory".to_owned()));
        }
        if ![0, caller.uid].contains(&status.st_uid) {
            let uid = status.st_uid;
            return Err(unfit(format!(
                "belongs to uid {uid}, neither to you nor to root"
            )));
        }
        let kind = fstatfs(&file).map_err(failed)?.f_type;
        if KERNELS
            .iter()
            .any(|kernels| u32::try_from(kind) == Ok(*kernels))
        {
            return Err(unfit("is the kernel's, not a tree of files".to_owned()));
        }
        may_read(&file).map_err(failed)?;
        Ok(Self {
            id: Identifier::of_local(text),
            meta: Meta::saying_nothing(Format::Vfs),
            file,
            path: path.to_path_buf(),
            is_local: true,
        })
    }
}

fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
}

/// Whether the calling thread may list and enter the directory; that it can be named doesn't say so.
fn may_read(directory: impl AsFd) -> rustix::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(directory, ".", flags, Mode::empty()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn it_is_a_directory_that_the_user_may_read_and_nobody_else_may_change() {
        let place = tempfile::tempdir().unwrap();
        let base = place.path();
        fs::create_dir(base.join("tree")).unwrap();
        fs::write(base.join("file"), "").unwrap();
        symlink("tree", base.join("link")).unwrap();
        let me = base.metadata().unwrap().uid();
        let caller = Caller {
            uid: me,
            gid: 1,
            groups: vec![],
        };
        let open = |name: &str, caller: &Caller| {
            Image::local(base.join(name).to_str().unwrap(), caller)
                .map_err(|error| error.to_string().replace(base.to_str().unwrap(), "@"))
        };
        for name in ["tree", "link"] {
            let image = open(name, &caller).unwrap();
            assert_eq!(image.meta.format, Format::Vfs);
            assert_eq!(image.id.to_string(), base.join(name).to_str().unwrap());
            assert!(image.is_local);
        }
        for (name, says) in [
            ("file", "image local:@/file is not a directory"),
            (
                "nosuch",
                "image local:@/nosuch: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(open(name, &caller).unwrap_err(), says);
        }
        let refused = |text: &str| Image::local(text, &caller).unwrap_err().to_string();
        assert_eq!(
            refused("tree"),
            "image local:tree: must be an absolute path"
        );
        assert_eq!(
            refused("/proc"),
            "image local:/proc is the kernel's, not a tree of files"
        );
        // A magic link would lead out of any tree.
        assert!(refused("/proc/self/cwd").contains("symbolic link"));
        if me != 0 {
            return;
        }
        std::os::unix::fs::chown(base.join("tree"), Some(77), None).unwrap();
        let message = open("tree", &Caller { uid: 78, ..caller }).unwrap_err();
        assert!(
            message.ends_with("belongs to uid 77, neither to you nor to root"),
            "{message}"
        );
    }
}
