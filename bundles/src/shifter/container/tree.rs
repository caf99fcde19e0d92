//! A container's tree before it is mounted: the site's layer over the image, and mounts over both.
//!
//! Paths are followed as they will lead inside, with the container's root as `/`. Nothing is joined and opened by name
//! through a link: each step is looked up with openat2 below the image or below what a mount shows.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{Mount, Spec};
use rustix::fs::{
    CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2, readlinkat,
};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use super::mount::Limits;
use crate::bundle::{Entry, Skeleton};

/// As many links as path_resolution(7) follows.
const MAX_LINKS: usize = 40;

/// Something that is mounted in the container.
#[derive(Debug)]
pub(super) struct Shown {
    /// Where, free of links.
    pub destination: PathBuf,
    /// What.
    pub source: Shows,
    /// Whether what is mounted below the source is there too.
    pub recursive: bool,
    /// What holds for whatever is mounted of it elsewhere.
    pub limits: Limits,
}

/// What a mount shows.
#[derive(Debug)]
pub(super) enum Shows {
    /// Something of the host's, opened with `O_PATH`.
    Hosts(OwnedFd),
    /// What the layer and the image have at this path, without what is mounted there.
    Root(PathBuf),
}

/// The layers and the mounts.
#[derive(Debug)]
pub(super) struct Tree<'a> {
    pub image: BorrowedFd<'a>,
    pub layer: Skeleton,
    pub mounts: Vec<Shown>,
    /// How many of them are the site's; the user's follow.
    pub site_mounts: usize,
    /// Whether it is made in a user namespace: attributes of root's can't be given then.
    pub without_root: bool,
}

/// Which part of the tree something is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Layer,
    Image,
    /// A file system of the container's own.
    Cache,
    /// The mount of this number.
    Mount(usize),
}

/// What stands at a path.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Link(PathBuf),
    There(There),
}

/// A file or directory.
#[derive(Debug)]
pub(super) struct There {
    pub part: Part,
    pub kind: FileType,
    /// It, opened with `O_PATH`, and whose it is; absent in the layer, which isn't made yet.
    pub opened: Option<(OwnedFd, Stat)>,
}

/// A path that was followed.
#[derive(Debug)]
pub(super) struct Followed {
    /// Free of links as far as anything is there, then as it was written.
    pub path: PathBuf,
    /// What is there, a link only where the last one isn't to be followed.
    pub found: Found,
    /// The last directory on the way that is there.
    pub above: There,
}

/// Whether a link at the very end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastLink {
    Followed,
    Kept,
}

impl<'a> Tree<'a> {
    /// A tree that is mounted already: `rootfs`, and over it the binds of `spec`, as far as they can be opened.
    pub(super) fn built(spec: &Spec, rootfs: BorrowedFd<'a>) -> Self {
        let shown = |mount: &Mount| {
            let options = mount.options().as_deref().unwrap_or_default();
            let has = |name: &str| options.iter().any(|option| option == name);
            let source = mount
                .source()
                .as_ref()
                .filter(|_| has("bind") || has("rbind"))?;
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            Some(Shown {
                destination: mount.destination().clone(),
                source: Shows::Hosts(openat(CWD, source, flags, Mode::empty()).ok()?),
                recursive: has("rbind"),
                limits: Limits::default(),
            })
        };
        let mounts: Vec<Shown> = spec.mounts().iter().flatten().filter_map(shown).collect();
        Self {
            image: rootfs,
            layer: Skeleton::default(),
            site_mounts: mounts.len(),
            mounts,
            without_root: false,
        }
    }

    /// Where `path` leads, if it is a directory.
    pub(super) fn directory(&self, path: &Path) -> Option<String> {
        if !path.is_absolute() {
            return None;
        }
        let followed = self.follow(path, LastLink::Followed).ok()?;
        let Found::There(there) = followed.found else {
            return None;
        };
        let path = followed.path.to_str().map(str::to_owned);
        path.filter(|_| there.kind == FileType::Directory)
    }

    /// Follows `path`.
    ///
    /// # Errors
    /// What the kernel would say: no permission, a file on the way, too many links.
    pub(super) fn follow(&self, path: &Path, last: LastLink) -> Result<Followed, Errno> {
        let mut at = PathBuf::from("/");
        let mut above = vec![self.root()];
        let mut ahead = components(path);
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                at.pop();
                above.truncate(above.len().saturating_sub(1).max(1));
                continue;
            }
            let here = at.join(&name);
            match self.look(&here)? {
                Found::Link(target) if !ahead.is_empty() || last == LastLink::Followed => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Errno::LOOP);
                    }
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                        above.truncate(1);
                    }
                    for name in components(&target).into_iter().rev() {
                        ahead.push_front(name);
                    }
                }
                Found::There(there) if there.kind == FileType::Directory => {
                    at = here;
                    above.push(there);
                }
                Found::There(_) if !ahead.is_empty() => return Err(Errno::NOTDIR),
                Found::Nothing if ahead.iter().any(|name| name == "..") => {
                    return Err(Errno::NOENT);
                }
                found => {
                    let path = ahead.iter().fold(here, |path, name| path.join(name));
                    return Ok(Followed {
                        path,
                        found,
                        above: above.pop().unwrap_or_else(|| self.root()),
                    });
                }
            }
        }
        let end = above.pop().unwrap_or_else(|| self.root());
        Ok(Followed {
            path: at,
            found: Found::There(end),
            above: above.pop().unwrap_or_else(|| self.root()),
        })
    }

    fn root(&self) -> There {
        There {
            part: Part::Layer,
            kind: FileType::Directory,
            opened: None,
        }
    }

    /// What stands at `path`, no part of which before the last is a link.
    pub(super) fn look(&self, path: &Path) -> Result<Found, Errno> {
        // What is mounted later covers what is there.
        let covering = self.mounts.iter().enumerate().rev();
        let covering = covering
            .filter_map(|(index, mount)| {
                Some((index, mount, path.strip_prefix(&mount.destination).ok()?))
            })
            .next();
        if let Some((index, mount, below)) = covering {
            let flags = if mount.recursive {
                ResolveFlags::empty()
            } else {
                ResolveFlags::NO_XDEV
            };
            let part = Part::Mount(index);
            return match &mount.source {
                Shows::Hosts(source) => open(source.as_fd(), below, flags, part),
                Shows::Root(from) => Ok(match self.look_in_root(&joined(from, below))? {
                    Found::There(there) => Found::There(There { part, ..there }),
                    other => other,
                }),
            };
        }
        self.look_in_root(path)
    }

    /// What the layer over the image has at `path`.
    fn look_in_root(&self, path: &Path) -> Result<Found, Errno> {
        match self.layer.entry(path) {
            Some(Entry::Link(target)) => Ok(Found::Link(target.clone())),
            Some(Entry::Directory { .. }) => Ok(Found::There(There {
                part: Part::Layer,
                kind: FileType::Directory,
                opened: None,
            })),
            Some(Entry::File { .. }) => Ok(Found::There(There {
                part: Part::Layer,
                kind: FileType::RegularFile,
                opened: None,
            })),
            Some(Entry::Absent) => Ok(Found::Nothing),
            None if self.is_hidden(path) => Ok(Found::Nothing),
            None => {
                let below = path.strip_prefix("/").unwrap_or(path);
                open(self.image, below, ResolveFlags::empty(), Part::Image)
            }
        }
    }

    /// Where what a mount shows at `path` is in the layer and the image, if it comes from there.
    pub(super) fn root_path(&self, part: Part, path: &Path) -> Option<PathBuf> {
        let Part::Mount(number) = part else {
            return None;
        };
        let shown = &self.mounts[number];
        match &shown.source {
            Shows::Hosts(_) => None,
            Shows::Root(from) => Some(joined(from, path.strip_prefix(&shown.destination).ok()?)),
        }
    }

    /// Whether `path`, which is free of links, is in something that is mounted.
    pub(super) fn is_in_mount(&self, path: &Path) -> bool {
        let mut mounts = self.mounts.iter();
        mounts.any(|mount| path.starts_with(&mount.destination))
    }

    /// Whether `source` can be mounted with what is mounted below it only: a user namespace uncovers nothing that others have
    /// covered (mount_namespaces(7)).
    pub(super) fn must_show_below(&self, source: &OwnedFd) -> bool {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        self.without_root && matches!(open_tree(source, "", flags), Err(Errno::INVAL))
    }

    /// Hides what the image has in the directory `path`.
    pub(super) fn hide_images(&mut self, path: &Path) -> Result<(), Errno> {
        let below = path.strip_prefix("/").unwrap_or(path);
        let Found::There(there) = open(self.image, below, ResolveFlags::empty(), Part::Image)?
        else {
            return Ok(());
        };
        if !self.without_root {
            self.layer.add_hiding(path);
            return Ok(());
        }
        let opened = there.opened.filter(|_| there.kind == FileType::Directory);
        let Some((directory, _)) = opened else {
            return Ok(());
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(directory, ".", flags, Mode::empty())?;
        for entry in Dir::read_from(directory)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                self.layer.add_absent(&path.join(name));
            }
        }
        Ok(())
    }

    /// Whether the layer has something above `path` that lets nothing of the image through.
    fn is_hidden(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|above| {
            !matches!(
                self.layer.entry(above),
                None | Some(Entry::Directory { hides: false, .. })
            )
        })
    }
}

/// `path`, or what is `below` it.
fn joined(path: &Path, below: &Path) -> PathBuf {
    match below.as_os_str().is_empty() {
        true => path.to_path_buf(),
        false => path.join(below),
    }
}

/// Opens `below` a directory, or that itself.
fn open(
    directory: BorrowedFd<'_>,
    below: &Path,
    flags: ResolveFlags,
    part: Part,
) -> Result<Found, Errno> {
    let (name, resolve) = match below.as_os_str().is_empty() {
        true => (Path::new("."), ResolveFlags::empty()),
        false => (
            below,
            flags | ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS,
        ),
    };
    let how = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A mount may be of a file, which has nothing below it, and which `.` can't name.
    let is_itself = name == Path::new(".");
    let opened = match openat2(directory, name, how, Mode::empty(), resolve) {
        Err(Errno::NOTDIR) if is_itself => directory.try_clone_to_owned().map_err(|_| Errno::MFILE),
        other => other,
    };
    let file = match opened {
        // In the image, a link or file may stand where the layer has a directory.
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(Found::Nothing),
        other => other?,
    };
    let status = fstat(&file)?;
    let kind = FileType::from_raw_mode(status.st_mode);
    if kind == FileType::Symlink {
        let target = readlinkat(&file, "", vec![])?;
        let target = OsString::from_vec(target.into_bytes());
        return Ok(Found::Link(target.into()));
    }
    Ok(Found::There(There {
        part,
        kind,
        opened: Some((file, status)),
    }))
}

fn components(path: &Path) -> VecDeque<OsString> {
    let name = |component| match component {
        Component::Normal(name) => Some(name),
        Component::ParentDir => Some(OsStr::new("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components()
        .filter_map(name)
        .map(OsStr::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::vectors::{Wrong, vectors};

    fn directory(path: &Path) -> OwnedFd {
        fs::File::open(path).unwrap().into()
    }

    /// What `follow` finds, in a word.
    fn told(followed: Result<Followed, Errno>) -> String {
        let Followed { path, found, .. } = match followed {
            Ok(followed) => followed,
            Err(errno) => return format!("{:?}", errno.kind()),
        };
        let what = match found {
            Found::Nothing => "nothing".to_owned(),
            Found::Link(target) => format!("link to {}", target.display()),
            Found::There(there) => format!("{:?} in {:?}", there.kind, there.part),
        };
        format!("{} {what}", path.display())
    }

    #[test]
    fn paths_lead_where_they_will_inside() {
        let host = tempfile::tempdir().unwrap();
        let base = host.path();
        for path in [
            "image/test/path",
            "image/usr/lib",
            "image/etc",
            "image/hid/den",
            "home/u/real",
            "image/d",
        ] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        fs::write(base.join("image/etc/passwd"), "image").unwrap();
        fs::write(base.join("image/file"), "").unwrap();
        for (target, link) in [
            ("usr/lib", "image/lib"),
            ("../../../../../../../../test", "image/test/path/rellink"),
            ("/test/path", "image/test/path/abslink"),
            ("..", "image/d/up"),
            ("/", "image/root"),
            ("circle", "image/circle"),
            ("/home/u", "image/user"),
            ("/etc", "image/var"),
            ("/lib", "home/u/lib"),
            ("nowhere", "image/dangling"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let image = directory(&base.join("image"));
        let mut layer = Skeleton::default();
        layer.add_target(Path::new("/home"), true);
        layer.add_target(Path::new("/etc/group"), false);
        layer.add_target(Path::new("/var/tmp"), true);
        layer.add_link(Path::new("/etc/mtab"), Path::new("/proc/mounts"));
        layer.add_hiding(Path::new("/hid"));
        let tree = Tree {
            image: image.as_fd(),
            layer,
            site_mounts: 1,
            without_root: false,
            mounts: vec![Shown {
                destination: "/home".into(),
                source: Shows::Hosts(directory(&base.join("home"))),
                recursive: false,
                limits: Limits::default(),
            }],
        };
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/container/paths.tsv") {
            let found = told(tree.follow(Path::new(&vector[0]), LastLink::Followed));
            wrong.unless(&vector, &found, &vector[1]);
        }
        wrong.none();
        let kept = told(tree.follow(Path::new("/user"), LastLink::Kept));
        assert_eq!(kept, "/user link to /home/u");
        let through = told(tree.follow(Path::new("/user/lib"), LastLink::Kept));
        assert_eq!(through, "/home/u/lib link to /lib");
    }
}
